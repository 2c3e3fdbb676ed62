//! What becomes of messages: which are given up, and whose outcome is told.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    event::{Cancellation, Event, MessageId, NotSent, NotSentReason, Outcome},
    ledger::Ledger,
    schedule::{Abandoned, Schedule},
    table::Stage,
    transaction::{Transaction, TransactionId},
};
use crate::{machine::Misuse, syntax::Extension};

/// The outcomes of all messages. It lasts for one step, and owns nothing.
pub(super) struct Outcomes<'m> {
    schedule: &'m mut Schedule,
    ledger: &'m mut Ledger,
}

impl<'m> Outcomes<'m> {
    pub(super) fn new(schedule: &'m mut Schedule, ledger: &'m mut Ledger) -> Self {
        Self { schedule, ledger }
    }

    /// Withdraws a message; `open` is the transaction whose content is being sent. Returns what that
    /// costs, and whether the connection is to be cut now.
    pub(super) fn cancel(
        &mut self,
        message: MessageId,
        open: Option<TransactionId>,
    ) -> (Result<Cancellation, Misuse>, bool) {
        let mut cancellation: Result<Cancellation, Misuse> = Err(Misuse::UnknownMessage);
        let mut is_cut = false;
        let ids: Vec<TransactionId> = self.schedule.of_message(message.0).collect();
        for id in ids {
            let cost = match self.schedule.get(id).map(Transaction::stage) {
                Some(Stage::Waiting) => Cancellation::Unsent,
                Some(Stage::Forwarded | Stage::Envelope) => Cancellation::Withdrawn,
                Some(Stage::Chunks) if open != Some(id) => Cancellation::Withdrawn,
                Some(Stage::Data | Stage::Content | Stage::Chunks) => Cancellation::EndsConnection,
                Some(Stage::LoneDot | Stage::Over) | None => {
                    cancellation = cancellation.or(Err(Misuse::TooLate));
                    continue;
                }
            };
            // Of a message in several parts, the dearest counts.
            cancellation = Ok(cancellation.map_or(cost, |other| other.max(cost)));
            is_cut |= self.abandon(id, NotSentReason::Cancelled, open);
        }
        (cancellation, is_cut)
    }

    /// Takes a transaction out of the way that must not be completed; `open` is that whose content is
    /// being sent. Returns whether the connection is to be cut.
    ///
    /// Before DATA it costs a RSET. Later it costs the connection, as the server would take a part for
    /// the whole.
    pub(super) fn abandon(
        &mut self,
        id: TransactionId,
        reason: impl Into<NotSent>,
        open: Option<TransactionId>,
    ) -> bool {
        match self.schedule.abandon(id, reason.into(), open) {
            Some(Abandoned::Stopped) => self.conclude(id),
            Some(Abandoned::Cut) => return true,
            Some(Abandoned::Undecided) | None => {}
        }
        false
    }

    /// Takes a transaction out of the way of whose content nothing was sent, which costs no connection.
    pub(super) fn withdraw(&mut self, id: TransactionId, reason: impl Into<NotSent>) {
        self.abandon(id, reason, None);
    }

    /// Gives up a transaction if it has come to be for nobody, or has its outcome told if it is over.
    pub(super) fn go_on(&mut self, id: TransactionId) {
        match self.schedule.get(id).and_then(Transaction::is_for_nobody) {
            Some(reason) => self.withdraw(id, reason),
            None => self.conclude(id),
        }
    }

    /// Gives up all that has not begun, as the server takes no more in this session.
    pub(super) fn abandon_waiting(&mut self) {
        for id in self.schedule.ids() {
            let stage = self.schedule.get(id).map(Transaction::stage);
            if stage == Some(Stage::Waiting) {
                self.withdraw(id, NotSentReason::LimitReached);
            }
        }
    }

    /// Gives up everything, as the server has refused the session; `open` is the transaction whose
    /// content is being sent. Returns whether the connection is to be cut.
    pub(super) fn abandon_all(&mut self, reason: &NotSent, open: Option<TransactionId>) -> bool {
        let mut is_cut = false;
        for id in self.schedule.ids() {
            match self.schedule.get_mut(id) {
                Some(transaction) if transaction.is_finished() => {}
                // Sent ahead of the refusal: its own refusals are still to be read.
                Some(transaction) if transaction.stage() == Stage::Over => {
                    transaction.abandon(reason.clone());
                }
                _ => is_cut |= self.abandon(id, reason.clone(), open),
            }
        }
        is_cut
    }

    /// Accounts for the end of the session as the reason why what is unfinished, and was not refused, is
    /// not sent.
    pub(super) fn blame(&mut self, reason: &NotSent) {
        for transaction in self.schedule.unfinished() {
            if !transaction.is_refused() {
                transaction.abandon(reason.clone());
            }
        }
    }

    /// Takes back every refusal of an unfinished transaction: it may be another's.
    pub(super) fn distrust(&mut self) {
        for transaction in self.schedule.unfinished() {
            transaction.distrust();
        }
    }

    /// Accounts for the end of the session for a transaction whose end was offered.
    pub(super) fn doubt(&mut self, id: TransactionId) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.give_up(true);
        }
    }

    /// Forgets every reply that will not come, as the session has ended.
    pub(super) fn end(&mut self) {
        self.ledger.doubt();
        for id in self.schedule.ids() {
            if let Some(transaction) = self.schedule.get_mut(id) {
                transaction.give_up(false);
            }
        }
    }

    /// Takes over a further transaction of a message.
    pub(super) fn add_part(&mut self, id: TransactionId) {
        if let Some(part) = self.schedule.get(id) {
            self.ledger.add_part(part.message());
        }
        self.conclude(id);
    }

    /// Leaves out of a transaction the recipients who need an extension that is not offered, by their
    /// positions.
    pub(super) fn leave_out_unfit(
        &mut self,
        id: TransactionId,
        mut unfit: BTreeMap<usize, Extension>,
    ) {
        while let Some((_, extension)) = unfit.first_key_value() {
            let extension = *extension;
            let needs = |position: u32| unfit.get(&(position as usize)) == Some(&extension);
            let is_needed = self.schedule.get(id).is_some_and(|it| {
                let mut places = 0..it.recipients();
                !it.is_finished() && places.any(|place| needs(it.position_of(place)))
            });
            if is_needed {
                let reason = NotSentReason::ExtensionMissing(extension);
                let is_kept = |position| !needs(position);
                let part = self.schedule.leave_out(id, is_kept, reason.clone());
                self.part_with(id, part, reason);
            }
            unfit.retain(|_, needed| *needed != extension);
        }
    }

    /// Takes over the transaction of recipients who were left out of another, or gives that one up if it
    /// cannot be without them.
    pub(super) fn part_with(
        &mut self,
        id: TransactionId,
        part: Option<TransactionId>,
        reason: NotSentReason,
    ) {
        match part {
            Some(part) => self.add_part(part),
            None => self.withdraw(id, reason),
        }
    }

    /// Has a transaction's outcome told if nothing more is sent or read for it.
    pub(super) fn conclude(&mut self, id: TransactionId) {
        if self.schedule.is_concluded(id) {
            self.finish(id);
        }
    }

    /// Has a transaction's outcome told, by what is known.
    pub(super) fn finish(&mut self, id: TransactionId) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            let concluded = transaction.conclude(None);
            self.schedule.tidy();
            self.ledger.tell(concluded);
        }
    }

    /// Ends a transaction with a verdict, if there is one, and returns the event.
    pub(super) fn finish_with<'i>(
        &mut self,
        id: TransactionId,
        verdict: Option<Outcome<'i>>,
    ) -> Option<Event<'i>> {
        let concluded = self.schedule.get_mut(id)?.conclude(verdict);
        self.schedule.tidy();
        self.ledger.conclude(concluded)
    }
}
