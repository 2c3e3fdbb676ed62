//! One message on its way: its envelope as it will be written, how far it has been sent, and what
//! the server said.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    envelope::Envelope,
    event::{MessageId, NotSent, Outcome},
};
use crate::syntax::{BodyType, Reply};

/// Names a transaction for the life of its client, in the order of sending.
pub(super) type TransactionId = u64;

/// How far a transaction has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was sent.
    #[default]
    Waiting,
    /// MAIL was sent, and so many RCPT.
    Recipients(usize),
    /// DATA was sent.
    Data,
    /// Content may be sent, or is being sent.
    Content,
    /// Some chunks were sent, not the last one.
    Chunks,
    /// DATA was accepted, but there is nobody to send to.
    LoneDot,
    /// Nothing more is to be sent.
    Over,
}

/// What the server said to MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    #[default]
    None,
    Accepted,
    Refused,
}

/// One message on its way.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) message: u64,
    pub(super) pass: u32,
    /// The paths in angle brackets, the sender's first.
    paths: Vec<u8>,
    /// Where the sender's path ends, and then each recipient's.
    ends: Vec<usize>,
    pub(super) size: Option<u64>,
    pub(super) body: Option<BodyType>,
    pub(super) internationalized: bool,
    pub(super) stage: Stage,
    pub(super) mail: Answer,
    /// How many recipients were answered.
    pub(super) answered: usize,
    /// Which recipients were accepted.
    accepted: Vec<u32>,
    /// LMTP's best verdict so far.
    verdict: Option<Reply<'static>>,
    /// How many replies are outstanding.
    pub(super) pending: usize,
    /// The refusal that decides the message: of MAIL, DATA or content.
    refusal: Option<Reply<'static>>,
    /// The first refusal of a recipient, which decides the message if all are refused.
    recipient_refusal: Option<Reply<'static>>,
    /// Why it is not going to be sent, if so.
    pub(super) not_sent: Option<NotSent>,
    /// The last octet of its end has been offered to the transport, and not been taken back.
    pub(super) in_doubt: bool,
    /// Its content has begun, and its final reply has not come.
    pub(super) content_begun: bool,
    /// How many octets of its content were sent.
    pub(super) content_octets: u64,
    /// Its outcome was reported.
    pub(super) finished: bool,
}

impl Transaction {
    /// Takes over an envelope, in the memory of an earlier one.
    fn fill(&mut self, message: MessageId, envelope: &Envelope<'_>) {
        let (mut paths, mut ends, mut accepted) = (
            core::mem::take(&mut self.paths),
            core::mem::take(&mut self.ends),
            core::mem::take(&mut self.accepted),
        );
        paths.clear();
        ends.clear();
        accepted.clear();
        envelope.sender.write_to(&mut paths);
        ends.push(paths.len());
        for recipient in &envelope.recipients {
            recipient.write_to(&mut paths);
            ends.push(paths.len());
        }
        let internationalized = !paths.is_ascii();
        *self = Self {
            message: message.0,
            paths,
            ends,
            accepted,
            size: envelope.size,
            body: envelope.body,
            internationalized,
            ..Self::default()
        };
    }

    /// Records a refusal that decides the message; the first one counts.
    pub(super) fn refuse(&mut self, reply: Reply<'_>) {
        if !self.is_refused() {
            self.refusal = Some(reply.into_owned());
        }
    }

    /// Records the answer to MAIL.
    pub(super) fn answer_mail(&mut self, reply: Reply<'_>) {
        if reply.is_positive() {
            self.mail = Answer::Accepted;
        } else {
            self.mail = Answer::Refused;
            self.refuse(reply);
        }
    }

    /// Records the answer to one RCPT.
    pub(super) fn answer_recipient(&mut self, recipient: u32, reply: &Reply<'_>) {
        self.answered += 1;
        if reply.is_positive() {
            self.accepted.push(recipient);
        } else if self.recipient_refusal.is_none() {
            self.recipient_refusal = Some(reply.clone().into_owned());
        }
    }

    /// Records LMTP's verdict for one recipient; the first positive one, or else the first one,
    /// stands for the message.
    pub(super) fn answer_content(&mut self, reply: &Reply<'_>) {
        let better = |best: &Reply<'_>| reply.is_positive() && !best.is_positive();
        if self.verdict.as_ref().is_none_or(better) {
            self.verdict = Some(reply.clone().into_owned());
        }
    }

    /// Takes what becomes of the message if the connection ends now, or if it is concluded.
    pub(super) fn take_outcome(&mut self) -> Outcome<'static> {
        if self.in_doubt {
            return Outcome::InDoubt;
        }
        match self.verdict.take() {
            Some(verdict) if verdict.is_positive() => return Outcome::Delivered(verdict),
            Some(verdict) => return Outcome::Refused(verdict),
            None => {}
        }
        if let Some(reason) = self.not_sent.take() {
            return Outcome::NotSent(reason);
        }
        let of_recipients = if self.is_without_recipients() {
            self.recipient_refusal.take()
        } else {
            None
        };
        match self.refusal.take().or(of_recipients) {
            Some(refusal) => Outcome::Refused(refusal),
            None => Outcome::NotSent(NotSent::ConnectionEnded),
        }
    }

    /// Stops where the rest would be to no purpose: the sender was refused, or every recipient, or a
    /// chunk.
    pub(super) fn stop_if_hopeless(&mut self) {
        let hopeless = match self.stage {
            Stage::Recipients(_) | Stage::Chunks => self.is_refused(),
            _ => false,
        };
        if hopeless {
            self.stage = Stage::Over;
        }
    }

    /// Tells whether its content goes by BDAT, at whatever level (RFC 3030 3).
    pub(super) fn is_binary(&self) -> bool {
        self.body == Some(BodyType::BinaryMime)
    }

    pub(super) fn message(&self) -> MessageId {
        MessageId(self.message)
    }

    /// Returns the sender's path in angle brackets.
    pub(super) fn sender(&self) -> &[u8] {
        self.ends
            .first()
            .and_then(|&end| self.paths.get(..end))
            .unwrap_or_default()
    }

    /// Returns a recipient's path in angle brackets.
    pub(super) fn recipient(&self, index: usize) -> &[u8] {
        let path = || {
            self.paths
                .get(*self.ends.get(index)?..*self.ends.get(index.checked_add(1)?)?)
        };
        path().unwrap_or_default()
    }

    pub(super) fn recipients(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    /// Returns which recipients were accepted, in the order of the envelope.
    pub(super) fn accepted(&self) -> &[u32] {
        &self.accepted
    }

    /// Tells whether the server has answered MAIL and every RCPT.
    pub(super) fn is_envelope_answered(&self) -> bool {
        self.mail != Answer::None && self.answered == self.recipients()
    }

    /// Tells whether the server has refused every recipient.
    pub(super) fn is_without_recipients(&self) -> bool {
        self.is_envelope_answered() && self.accepted.is_empty()
    }

    /// Tells whether the server has refused the message, by its sender, all its recipients, or its
    /// content.
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some() || self.is_without_recipients()
    }

    /// Tells whether nothing more is sent and nothing more will be read.
    pub(super) fn is_concluded(&self) -> bool {
        self.stage == Stage::Over && self.pending == 0 && !self.finished
    }
}

/// The transactions that are unfinished, in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    queue: VecDeque<Transaction>,
    /// The id of the first in the queue.
    first: TransactionId,
    /// The id of the one that is being sent.
    current: TransactionId,
    /// How many in the queue are unfinished.
    unfinished: usize,
    /// Finished ones, kept for their memory: together with the queue never more than the queue's
    /// limit.
    spare: Vec<Transaction>,
}

impl Transactions {
    pub(super) fn push(&mut self, message: MessageId, envelope: &Envelope<'_>) -> TransactionId {
        let mut transaction = self.spare.pop().unwrap_or_default();
        transaction.fill(message, envelope);
        self.queue.push_back(transaction);
        self.unfinished += 1;
        self.first + (self.queue.len() as u64) - 1
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.queue.get_mut(index)
    }

    /// Marks a transaction as finished and forgets those that no unfinished one precedes.
    pub(super) fn finish(&mut self, id: TransactionId) {
        if let Some(transaction) = self.get_mut(id) {
            transaction.finished = true;
            transaction.stage = Stage::Over;
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        while self
            .queue
            .front()
            .is_some_and(|front| front.finished && front.pending == 0)
            && let Some(done) = self.queue.pop_front()
        {
            self.first += 1;
            self.spare.push(done);
        }
    }

    /// Moves on to the first transaction that has something to send, and returns it.
    pub(super) fn advance(&mut self) -> Option<(TransactionId, &mut Transaction)> {
        self.current = self.current.max(self.first);
        while self
            .get(self.current)
            .is_some_and(|current| current.stage == Stage::Over)
        {
            self.current += 1;
        }
        let id = self.current;
        self.get_mut(id).map(|transaction| (id, transaction))
    }

    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.queue.shrink_to_fit();
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.queue.get(index)
    }

    /// Returns the transaction that is being sent, or is next.
    pub(super) fn current(&self) -> Option<(TransactionId, &Transaction)> {
        let from = self.current.max(self.first);
        let skip = usize::try_from(from - self.first).ok()?;
        let ahead = self.queue.iter().skip(skip);
        let ids = from..;
        ids.zip(ahead)
            .find(|(_, transaction)| transaction.stage != Stage::Over)
    }

    /// Returns the first unfinished transaction.
    pub(super) fn first_unfinished(&self) -> Option<(TransactionId, &Transaction)> {
        (self.first..)
            .zip(&self.queue)
            .find(|(_, transaction)| !transaction.finished)
    }

    pub(super) fn find(&self, message: MessageId) -> Option<(TransactionId, &Transaction)> {
        (self.first..)
            .zip(&self.queue)
            .find(|(_, t)| t.message == message.0 && !t.finished)
    }

    pub(super) fn ids(&self) -> core::ops::Range<TransactionId> {
        self.first..self.first + self.queue.len() as u64
    }

    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }
}
