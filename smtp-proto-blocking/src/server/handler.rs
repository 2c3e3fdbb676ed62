//! What an application says to a server's clients.

use std::{net::SocketAddr, sync::Arc};

use smtp_proto::{
    server::{Certainty, ResetCause, TransactionId},
    syntax::{ForwardPath, Host, Parameters, Reply, ReversePath},
};

#[cfg(feature = "auth")]
use super::sasl::{Claim, Exchange, Refusal, exchange};
use crate::Error;

/// Decides what a server answers. One handler serves all connections, each on its own thread.
///
/// Everything but [`content`](Self::content) accepts unless it is written otherwise. While a
/// handler works, its connection waits; nobody else's does. If it panics, its connection is closed.
pub trait Handler: Send + Sync {
    /// Takes the content of one message.
    type Sink: Sink;

    /// Decides over a new connection. Refuse it by 554, or 421 to close it at once.
    fn connected(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Decides over EHLO, HELO, or LHLO in LMTP. The session holds the name already.
    fn hello(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Decides over STARTTLS. Without an acceptor it is refused by 454 and not asked for.
    fn start_tls(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Decides over what a client claims to be, by PLAIN, LOGIN, EXTERNAL, XOAUTH2 or OAUTHBEARER.
    /// Nobody is known unless it is written otherwise.
    ///
    /// Which of them are offered is configured:
    /// [`Config::mechanisms`](smtp_proto::server::Config::mechanisms).
    ///
    /// # Errors
    ///
    /// Why the user's identity cannot be granted.
    #[cfg(feature = "auth")]
    fn verify(&self, session: &Session, claim: &Claim<'_>) -> Result<String, Refusal> {
        let _ = (session, claim);
        Err(Refusal::Credentials)
    }

    /// Begins an authentication by a mechanism that is offered; `None` refuses it by 504. Unless it
    /// is written otherwise, what [`exchange`] knows leads to [`verify`](Self::verify).
    #[cfg(feature = "auth")]
    fn authenticate<'h>(
        &'h self,
        session: &Session,
        mechanism: &str,
    ) -> Option<Box<dyn Exchange + 'h>> {
        let session = session.clone();
        exchange(mechanism, move |claim| self.verify(&session, claim))
    }

    /// Decides over a sender.
    fn mail(
        &self,
        session: &Session,
        from: &ReversePath<'_>,
        parameters: &Parameters<'_>,
    ) -> Verdict {
        let _ = (session, from, parameters);
        Verdict::Accept
    }

    /// Decides over a recipient. The envelope holds those that were accepted before.
    fn recipient(
        &self,
        session: &Session,
        envelope: &Envelope,
        to: &ForwardPath<'_>,
        parameters: &Parameters<'_>,
    ) -> Verdict {
        let _ = (session, envelope, to, parameters);
        Verdict::Accept
    }

    /// Begins to take a message, whose envelope is complete.
    ///
    /// # Errors
    ///
    /// The reply, negative, if the content is not even to be sent.
    fn content(&self, session: &Session, envelope: &Envelope)
    -> Result<Self::Sink, Reply<'static>>;

    /// Takes note that a transaction ended without a message. Its sink was dropped.
    fn reset(&self, session: &Session, envelope: &Envelope, cause: ResetCause) {
        let _ = (session, envelope, cause);
    }

    /// Takes note of how sure it is that the client knows of an accepted message that it was: a
    /// client that does not know sends it again (RFC 1047).
    fn acknowledged(&self, session: &Session, message: TransactionId, certainty: Certainty) {
        let _ = (session, message, certainty);
    }

    /// Takes note, in LMTP, of how sure it is that the client knows that a message was accepted for
    /// one of its recipients, by the position in the envelope.
    fn delivery_acknowledged(
        &self,
        session: &Session,
        message: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        let _ = (session, message, recipient, certainty);
    }

    /// Takes note that a session is over, and of its error if it did not end by QUIT.
    fn closed(&self, session: &Session, error: Option<&Error>) {
        let _ = (session, error);
    }
}

/// Takes the content of one message. Dropped unfinished, there is no message.
pub trait Sink {
    /// Takes the next octets, dots unstuffed.
    ///
    /// # Errors
    ///
    /// The reply, negative, to refuse the message: the rest of it is swallowed, and the sink dropped.
    fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>>;

    /// Decides over the message, whose content is complete.
    ///
    /// Accepting it makes the application responsible for it (RFC 5321 2.1): store it durably first.
    fn finish(self) -> Verdict;

    /// Decides over the message for each of its accepted recipients, in the order of the envelope:
    /// in LMTP only (RFC 2033 4.2). Unless it is written otherwise, they share the one verdict of
    /// [`finish`](Self::finish).
    ///
    /// Recipients without a verdict get a 451.
    fn finish_each(self, recipients: usize) -> Vec<Verdict>
    where
        Self: Sized,
    {
        vec![self.finish(); recipients]
    }
}

/// What a command is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The positive reply that the machine composes.
    #[default]
    Accept,
    /// This reply, positive or negative. One that cannot answer the command becomes a 451.
    Reply(Reply<'static>),
}

impl From<Reply<'static>> for Verdict {
    fn from(reply: Reply<'static>) -> Self {
        Self::Reply(reply)
    }
}

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
    /// Whether the session goes over TLS.
    pub encrypted: bool,
    /// The certificate that the client has shown under TLS, in its DER form. Clients are asked for
    /// one only if the acceptor's configuration says so.
    pub peer_certificate: Option<Arc<[u8]>>,
    /// Who the client has proved to be.
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
}
