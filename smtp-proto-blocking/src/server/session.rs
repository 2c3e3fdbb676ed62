//! What is known of a client and of its message.

use std::net::SocketAddr;

use smtp_proto::{
    server::TransactionId,
    syntax::{ForwardPath, Host, MailParameters, RcptParameters, ReversePath},
};

use crate::TlsInfo;

/// Who is served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// The client's address, where its transport has one.
    pub peer: Option<SocketAddr>,
    /// What the client calls itself since its last EHLO or HELO; nothing vouches for it.
    pub host: Option<Host<'static>>,
    /// Whether it said EHLO, or LHLO in LMTP.
    pub esmtp: bool,
    /// What the TLS handshake came to; `None` in clear.
    pub tls: Option<TlsInfo>,
    /// Under which name the client has authenticated itself.
    pub identity: Option<String>,
}

/// The sender and the accepted recipients of one message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Envelope {
    /// Names the message within its session.
    pub transaction: TransactionId,
    /// The sender.
    pub from: ReversePath<'static>,
    /// The recipients that were accepted.
    pub recipients: Vec<ForwardPath<'static>>,
    pub(super) parameters: MailParameters<'static>,
    pub(super) recipient_parameters: Vec<RcptParameters<'static>>,
}

impl Envelope {
    /// Returns the parameters of MAIL.
    pub fn parameters(&self) -> &MailParameters<'static> {
        &self.parameters
    }

    /// Returns the parameters of an accepted recipient's RCPT, by the position among the
    /// recipients.
    pub fn recipient_parameters(&self, index: usize) -> Option<&RcptParameters<'static>> {
        self.recipient_parameters.get(index)
    }
}
