//! Whom a message comes from and whom it goes to.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use super::state::State;
use crate::server::TransactionId;
use crate::syntax::{ForwardPath, MailParameters, RcptParameters, ReversePath};

/// Says whom a message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// Where notifications go.
    pub path: ReversePath<'static>,
    /// What the client asks for. All of it was offered.
    pub parameters: MailParameters<'static>,
}

/// Says whom a message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// The address.
    pub path: ForwardPath<'static>,
    /// What the client asks for. All of it was offered.
    pub parameters: RcptParameters<'static>,
}

/// Holds a transaction whose recipients are being named.
#[non_exhaustive]
pub struct Transaction<S: State = ()> {
    /// Names the transaction within its connection.
    pub id: TransactionId,
    /// Whom the message comes from.
    pub sender: Arc<Sender>,
    /// What the application remembers of it.
    pub state: S::Transaction,
}

/// Holds what was accepted of a transaction before its content.
#[non_exhaustive]
pub struct Envelope<S: State = ()> {
    /// Names the transaction, and so the message, within its connection.
    pub transaction: TransactionId,
    /// Whom the message comes from.
    pub sender: Arc<Sender>,
    /// What the application remembers of the transaction.
    pub state: S::Transaction,
    /// The accepted recipients in the order in which they were named.
    pub recipients: Vec<Accepted<S>>,
}

/// Holds an accepted recipient, and what the application remembers of it.
#[non_exhaustive]
pub struct Accepted<S: State = ()> {
    /// The recipient.
    pub recipient: Arc<Recipient>,
    /// What the application remembers of it.
    pub state: S::Recipient,
}

impl<S: State> fmt::Debug for Transaction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("id", &self.id)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

impl<S: State> fmt::Debug for Envelope<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("transaction", &self.transaction)
            .field("sender", &self.sender)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}

impl<S: State> fmt::Debug for Accepted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recipient.fmt(f)
    }
}
