//! Messages that take more than one transaction, as the server takes so many recipients at once
//! (RFC 9422, RFC 5321 4.5.3.1.10), and what a session may carry at all.

use alloc::{string::String, vec::Vec};

use super::{
    event::{Event, NotSentReason, Outcome},
    parts::Parts,
    session::{Phase, Session},
    transaction::{Stage, Transaction, TransactionId},
};
use crate::syntax::{Code, Reply};

impl Session {
    /// Moves recipients beyond the server's limit into transactions of their own.
    pub(super) fn split(&mut self, id: TransactionId) {
        let Some(most) = self.usage.limits.rcpt_max() else {
            return;
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut id = id;
        while let Some(transaction) = self.transactions.get(id)
            && transaction.recipients() > most
            && transaction.stage == Stage::Waiting
        {
            let rest: Vec<usize> = (most..transaction.recipients()).collect();
            let part = self.push_part(id, &rest);
            if let Some(transaction) = self.transactions.get_mut(id) {
                transaction.truncate(most);
            }
            id = part;
        }
    }

    /// Tells whether a refusal of a recipient means that there are too many in the transaction, so
    /// that another one may take it: 5321-4.5.3.1.10-a, -b, X-33.
    pub(super) fn is_deferrable(&self, id: TransactionId, reply: &Reply<'_>) -> bool {
        let Some(transaction) = self.transactions.get(id) else {
            return false;
        };
        let code = match reply.code() {
            Code::INSUFFICIENT_STORAGE => true,
            Code::TOO_LARGE => transaction.size.is_none(),
            _ => false,
        };
        // X.5.3 is "too many recipients"; other subjects mean other troubles.
        let too_many = reply
            .enhanced()
            .is_none_or(|given| (given.subject(), given.detail()) == (5, 3));
        code && too_many && !transaction.accepted().is_empty() && self.phase == Phase::Ready
    }

    /// Has the recipients that were put off go into another transaction, once all are answered.
    pub(super) fn retry_deferred(&mut self, id: TransactionId) {
        let transaction = self.transactions.get(id);
        if transaction.is_some_and(Transaction::is_envelope_answered) {
            self.hand_on_deferred(id);
        }
    }

    /// Gives the recipients that were put off a transaction of their own: it tells what becomes of
    /// them from now on.
    pub(super) fn hand_on_deferred(&mut self, id: TransactionId) {
        let transaction = self.transactions.get_mut(id);
        let deferred = transaction.map(Transaction::take_deferred);
        if let Some(deferred) = deferred.filter(|deferred| !deferred.is_empty()) {
            self.push_part(id, &deferred);
        }
    }

    fn push_part(&mut self, id: TransactionId, recipients: &[usize]) -> TransactionId {
        let message = self
            .transactions
            .get(id)
            .map_or(0, |transaction| transaction.message);
        let parts = self.parts.entry(message).or_insert_with(Parts::one);
        parts.add();
        let part = self.transactions.push_part(id, recipients);
        if self.usage.is_exhausted() {
            self.abandon(part, NotSentReason::LimitReached);
        }
        part
    }

    /// Returns the event that ends a message; for a message of several parts the events follow.
    pub(super) fn finish<'i>(
        &mut self,
        id: TransactionId,
        outcome: Outcome<'i>,
    ) -> Option<Event<'i>> {
        let transaction = self.transactions.get_mut(id)?;
        let message = transaction.message();
        if transaction.is_part {
            transaction.report = Some((outcome.into_owned(), 0));
            self.reporting.push_back(id);
            return self.next_of_parts();
        }
        self.transactions.finish(id);
        Some(Event::Finished { message, outcome })
    }

    /// Returns the next event of a message in several parts.
    pub(super) fn next_of_parts(&mut self) -> Option<Event<'static>> {
        loop {
            let id = *self.reporting.front()?;
            let Some(transaction) = self.transactions.get_mut(id) else {
                self.reporting.pop_front();
                continue;
            };
            let message = transaction.message();
            let (outcome, mut next) = transaction.report.take()?;
            while next < transaction.recipients() && transaction.is_reported(next) {
                next += 1;
            }
            if next < transaction.recipients() {
                let recipient = transaction.position(next);
                transaction.report = Some((outcome.clone(), next.saturating_add(1)));
                return Some(Event::RecipientFinished {
                    message,
                    recipient,
                    outcome,
                });
            }
            self.reporting.pop_front();
            self.transactions.finish(id);
            let parts = self.parts.get_mut(&message.index());
            if let Some(outcome) = parts.and_then(|parts| parts.close(outcome)) {
                self.parts.remove(&message.index());
                return Some(Event::Finished { message, outcome });
            }
        }
    }

    /// Counts a MAIL that was sent, and ends the session in good order with the last one that the
    /// server takes (9422-4-a: failed ones count).
    pub(super) fn count_mail(&mut self) {
        self.usage.mails = self.usage.mails.saturating_add(1);
        if self.usage.is_exhausted() {
            self.quitting = true;
            for id in self.transactions.ids() {
                let waiting = |stage| stage == Stage::Waiting;
                if self
                    .transactions
                    .get(id)
                    .is_some_and(|other| waiting(other.stage))
                {
                    self.abandon(id, NotSentReason::LimitReached);
                }
            }
        }
    }

    /// Counts the domains of a transaction's recipients, unless that would be too many.
    pub(super) fn admits_domains(&mut self, id: TransactionId) -> bool {
        let Some(limit) = self.usage.limits.rcpt_domain_max() else {
            return true;
        };
        let Some(transaction) = self.transactions.get(id) else {
            return true;
        };
        let known = self.usage.domains.len();
        for recipient in 0..transaction.recipients() {
            let path = transaction.recipient(recipient);
            let path = path.strip_suffix(b">").unwrap_or(path);
            let Some(at) = memchr::memrchr(b'@', path) else {
                continue; // the server's own postmaster
            };
            let domain = path.get(at..).unwrap_or_default().to_ascii_lowercase();
            let domain = String::from_utf8_lossy(&domain).into_owned();
            if !self.usage.domains.contains(&domain) {
                self.usage.domains.push(domain);
            }
        }
        let admitted = self.usage.domains.len() <= usize::try_from(limit).unwrap_or(usize::MAX);
        if !admitted {
            self.usage.domains.truncate(known);
        }
        admitted
    }
}
