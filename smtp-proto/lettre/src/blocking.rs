//! The transport over blocking sockets.

use lettre::{Message, Transport, address::Envelope};
use smtp_proto_blocking::{Sender, tls::Tls};

use crate::{Error, Response, TransportBuilder, envelope::translated};

/// Makes [`SmtpTransport`]s.
pub type SmtpTransportBuilder = TransportBuilder<Tls>;

/// Sends messages to one server, as lettre's transport of this name does.
///
/// Cheap to clone; clones share up to ten connections, which are opened as they are needed, and kept for
/// a minute.
#[derive(Clone, Debug)]
pub struct SmtpTransport {
    /// Or why there is none: lettre's `build` cannot fail.
    sender: Result<Sender, Error>,
}

impl SmtpTransport {
    /// Begins a transport with TLS from the first byte on, and the certificate is checked. The right one for
    /// most servers.
    ///
    /// # Errors
    ///
    /// Fails if the host is neither a name nor an address.
    pub fn relay(host: &str) -> Result<SmtpTransportBuilder, Error> {
        TransportBuilder::relay(host)
    }

    /// Begins a transport with STARTTLS, and the certificate is checked.
    ///
    /// # Errors
    ///
    /// Fails if the host is neither a name nor an address.
    pub fn starttls_relay(host: &str) -> Result<SmtpTransportBuilder, Error> {
        TransportBuilder::starttls_relay(host)
    }

    /// Creates a transport to port 25 of this machine, in clear.
    pub fn unencrypted_localhost() -> Self {
        Self::builder_dangerous("localhost").build()
    }

    /// Begins a transport in clear, to port 25. Credentials are not sent over it.
    pub fn builder_dangerous(host: impl Into<String>) -> SmtpTransportBuilder {
        TransportBuilder::dangerous(host.into())
    }

    /// Begins a transport to the server of a URL: `scheme://user:password@host:port/ehlo-name?tls=…`, as in
    /// [`ServerUrl`](smtp_proto::delivery::ServerUrl)'s table; the port is 587 with `?tls=opportunistic`, too.
    ///
    /// # Errors
    ///
    /// Fails if it is no such URL. Nothing of the URL is in the error.
    pub fn from_url(url: &str) -> Result<SmtpTransportBuilder, Error> {
        TransportBuilder::from_url(url)
    }

    pub(crate) fn new(sender: Result<Sender, Error>) -> Self {
        Self { sender }
    }

    fn deliver(&self, envelope: &Envelope, email: Vec<u8>) -> Result<Response, Error> {
        let sender = self.sender.as_ref().map_err(Clone::clone)?;
        Response::of(sender.send(translated(envelope)?, email)?)
    }
}

impl From<Sender> for SmtpTransport {
    fn from(sender: Sender) -> Self {
        Self::new(Ok(sender))
    }
}

impl Transport for SmtpTransport {
    type Ok = Response;
    type Error = Error;

    fn send(&self, message: &Message) -> Result<Response, Error> {
        self.deliver(message.envelope(), message.formatted())
    }

    fn send_raw(&self, envelope: &Envelope, email: &[u8]) -> Result<Response, Error> {
        self.deliver(envelope, email.to_vec())
    }

    fn shutdown(&self) {
        if let Ok(sender) = &self.sender {
            sender.quit();
        }
    }
}
