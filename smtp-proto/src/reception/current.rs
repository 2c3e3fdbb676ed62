//! The transaction that is under way.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use super::envelope::{Accepted, Envelope, Recipient, Sender, Transaction};
use super::state::State;
use crate::server::TransactionId;

/// Holds the one transaction that is under way, from MAIL to the end of its content.
pub(super) enum Current<S: State> {
    None,
    /// The verdict over MAIL is due.
    Asked(TransactionId),
    /// Recipients are being named.
    Named(Named<S>),
    /// The envelope was handed out. So many recipients were accepted.
    Content(TransactionId, usize),
}

pub(super) struct Named<S: State> {
    transaction: Arc<Transaction<S>>,
    recipients: Vec<(Arc<Recipient>, Option<S::Recipient>)>,
    /// How many verdicts over recipients are due.
    undecided: usize,
}

/// Tells that there is no envelope to be had: it was handed out before, or what was asked about its
/// recipients still holds on to it.
pub(super) struct NoEnvelope;

impl<S: State> Current<S> {
    pub(super) fn id(&self) -> Option<TransactionId> {
        match self {
            Self::None => None,
            Self::Asked(id) | Self::Content(id, _) => Some(*id),
            Self::Named(named) => Some(named.transaction.id),
        }
    }

    pub(super) fn is(&self, id: TransactionId) -> bool {
        self.id() == Some(id)
    }

    /// Returns whether its content is coming.
    pub(super) fn is_in_content(&self) -> bool {
        matches!(self, Self::Content(..))
    }

    /// Returns how many recipients its content is for.
    pub(super) fn recipients(&self) -> usize {
        match self {
            Self::Content(_, recipients) => *recipients,
            _ => 0,
        }
    }

    /// Takes the verdict over MAIL: the state, if it was accepted.
    pub(super) fn open(
        &mut self,
        id: TransactionId,
        sender: Arc<Sender>,
        state: Option<S::Transaction>,
    ) {
        if let Self::Asked(asked) = self
            && *asked == id
        {
            *self = match state {
                Some(state) => Self::Named(Named {
                    transaction: Arc::new(Transaction { id, sender, state }),
                    recipients: Vec::new(),
                    undecided: 0,
                }),
                None => Self::None,
            };
        }
    }

    /// Adds a recipient without a verdict, and returns its position.
    pub(super) fn name(
        &mut self,
        recipient: &Arc<Recipient>,
    ) -> Option<(Arc<Transaction<S>>, usize)> {
        let Self::Named(named) = self else {
            return None;
        };
        named.recipients.push((Arc::clone(recipient), None));
        named.undecided = named.undecided.saturating_add(1);
        Some((
            Arc::clone(&named.transaction),
            named.recipients.len().saturating_sub(1),
        ))
    }

    /// Takes the verdict over a recipient: the state, if it was accepted.
    pub(super) fn decide(
        &mut self,
        id: TransactionId,
        position: usize,
        state: Option<S::Recipient>,
    ) {
        if let Self::Named(named) = self
            && named.transaction.id == id
        {
            named.undecided = named.undecided.saturating_sub(1);
            if let Some((_, decided)) = named.recipients.get_mut(position) {
                *decided = state;
            }
        }
    }

    /// Returns whether recipients are without a verdict.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(self, Self::Named(named) if named.undecided > 0)
    }

    /// Gives up what is due about its recipients.
    pub(super) fn give_up_verdicts(&mut self) {
        if let Self::Named(named) = self {
            named.undecided = 0;
        }
    }

    /// Hands out the envelope, once. The transaction is over if it cannot be had.
    pub(super) fn envelope(&mut self) -> Result<Envelope<S>, NoEnvelope> {
        let Self::Named(named) = core::mem::replace(self, Self::None) else {
            return Err(NoEnvelope);
        };
        let transaction = Arc::into_inner(named.transaction).ok_or(NoEnvelope)?;
        let accepted =
            |(recipient, state)| Option::map(state, |state| Accepted { recipient, state });
        let recipients: Vec<_> = named.recipients.into_iter().filter_map(accepted).collect();
        *self = Self::Content(transaction.id, recipients.len());
        Ok(Envelope {
            transaction: transaction.id,
            sender: transaction.sender,
            state: transaction.state,
            recipients,
        })
    }

    /// Ends it, if it is this one.
    pub(super) fn end(&mut self, id: TransactionId) {
        if self.is(id) {
            *self = Self::None;
        }
    }
}

impl<S: State> fmt::Debug for Current<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&self.id()).finish()
    }
}
