//! Whom a message comes from and whom it goes to.

use std::sync::Arc;

use smtp_proto::{
    server::TransactionId,
    syntax::{ForwardPath, MailParameters, RcptParameters, ReversePath},
};

use crate::TlsInfo;

/// Begins a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub(super) transaction: TransactionId,
    pub(super) path: ReversePath<'static>,
    pub(super) parameters: MailParameters<'static>,
    pub(super) client: Client,
}

/// What is known of a client when it begins a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) identity: Option<Arc<str>>,
    pub(super) tls: Option<Arc<TlsInfo>>,
}

impl Sender {
    /// Names the transaction.
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Returns where notifications go.
    pub fn path(&self) -> &ReversePath<'static> {
        &self.path
    }

    /// Returns under which name the client has authenticated itself, if it has.
    pub fn identity(&self) -> Option<&str> {
        self.client.identity.as_deref()
    }

    /// Returns what the TLS handshake came to; `None` in clear.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.client.tls.as_deref()
    }

    /// Returns the parameters of MAIL.
    pub fn parameters(&self) -> &MailParameters<'static> {
        &self.parameters
    }
}

/// Says whom a message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub(super) path: ForwardPath<'static>,
    pub(super) parameters: RcptParameters<'static>,
}

impl Recipient {
    /// Returns the address.
    pub fn path(&self) -> &ForwardPath<'static> {
        &self.path
    }

    /// Returns the parameters of RCPT.
    pub fn parameters(&self) -> &RcptParameters<'static> {
        &self.parameters
    }
}

/// Holds what was accepted of a transaction before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub(super) sender: Arc<Sender>,
    pub(super) recipients: Vec<Arc<Recipient>>,
}

impl Envelope {
    /// Returns the sender.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Returns the accepted recipients in the order in which they were given.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = &Recipient> {
        self.recipients.iter().map(|recipient| &**recipient)
    }
}
