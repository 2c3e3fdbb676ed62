//! The transactions of a session, in the order of sending.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    envelope::Envelope,
    event::MessageId,
    transaction::{Stage, Transaction, TransactionId},
};

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

    /// Adds a transaction that takes over some recipients of another.
    pub(super) fn push_part(&mut self, id: TransactionId, recipients: &[usize]) -> TransactionId {
        let mut part = self.spare.pop().unwrap_or_default();
        if let Some(other) = self.get_mut(id) {
            other.is_part = true;
            part.fill_part(other, recipients);
        }
        self.queue.push_back(part);
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

    /// Tells whether the server may yet put off recipients, for which another transaction is needed.
    pub(super) fn may_be_deferred(&self) -> bool {
        self.queue.iter().any(Transaction::may_be_deferred)
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

    pub(super) fn ids(&self) -> core::ops::Range<TransactionId> {
        self.first..self.first + self.queue.len() as u64
    }

    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }
}
