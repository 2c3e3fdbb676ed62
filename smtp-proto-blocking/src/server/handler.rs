//! What an application says to a server's clients.

use smtp_proto::{
    server::{
        Certainty, ResetCause, TransactionId,
        replies::{not_authorised, not_implemented, queue_unavailable},
    },
    syntax::{
        Attributes, Capabilities, ForwardPath, MailParameters, QueueNode, RcptParameters, Reply,
        ReversePath,
    },
};

#[cfg(feature = "auth")]
use smtp_proto::sasl::{Credential, invalid_credentials};
#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::{
    session::{Envelope, Session},
    verdict::Verdict,
};
use crate::Error;

/// Decides what a server answers. One handler serves all connections, each on its own thread.
///
/// Everything but [`content`](Self::content) accepts unless it says or is written otherwise. While a
/// handler works, its connection waits; nobody else's does. If it panics, its connection is closed.
pub trait Handler: Send + Sync {
    /// Takes the content of one message.
    type Sink: Sink;

    /// Decides over a new connection. Refuse it by 554, or 421 to close it at once.
    fn connected(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Says what the client is offered in place of what the configuration offers, if it is anything
    /// else; asked at each EHLO. XCLIENT and XFORWARD are for peers that may, so offer them here, and
    /// not to the clients that they speak for.
    fn offer(&self, session: &Session) -> Option<Capabilities> {
        let _ = session;
        None
    }

    /// Decides over EHLO, HELO, or LHLO in LMTP. The session holds the name already.
    fn hello(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Decides over STARTTLS. Without a `TlsAcceptor` it is answered 454 and not asked.
    fn start_tls(&self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::Accept
    }

    /// Checks what a client says to prove who it is, by one of the built-in mechanisms: PLAIN,
    /// LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER and SCRAM, as far as the configuration
    /// [offers](smtp_proto::server::Config::mechanisms) them. Refuses unless it is written
    /// otherwise.
    ///
    /// Returns under which name the client goes from now on: [`Session::identity`]. Whoever is to
    /// act for another goes under that other's name, if you allow it; under any other name it is
    /// turned down. Compare secrets in constant time, or their hashes.
    ///
    /// # Errors
    ///
    /// Turns the client down, with [`invalid_credentials`] if they are not right, with 454 if that
    /// cannot be told for now.
    #[cfg(feature = "auth")]
    fn authenticate(
        &self,
        session: &Session,
        credential: Credential<'_>,
    ) -> Result<String, Reply<'static>> {
        let _ = (session, credential);
        Err(invalid_credentials())
    }

    /// Returns the keys by which a user's password is checked without being sent: SCRAM-SHA-256 and
    /// SCRAM-SHA-1, as far as the configuration offers them. Nobody has any unless it is written otherwise.
    ///
    /// Make them by [`ScramKeys::from_password`] when the password is set. If the proof is right,
    /// [`authenticate`](Self::authenticate) is asked with [`Credential::Proven`]. Whether there is
    /// such a user is kept from the client: for `None`, keys are made up that look like those of
    /// [`limits::SCRAM_ITERATIONS`] and [`ScramKeys::SALT`], until the process ends; return
    /// [`ScramKeys::decoy`] yourself if yours look different, or are to stay the same for longer.
    ///
    /// # Errors
    ///
    /// Turns the client down, with 454 if the keys cannot be had for now.
    ///
    /// [`limits::SCRAM_ITERATIONS`]: smtp_proto::machine::limits::SCRAM_ITERATIONS
    #[cfg(feature = "scram")]
    fn scram_keys(
        &self,
        session: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Reply<'static>> {
        let _ = (session, user, hash);
        Ok(None)
    }

    /// Begins an exchange of a mechanism that is not built in, or takes the place of a built-in
    /// one. There are none unless it is written otherwise.
    #[cfg(feature = "auth")]
    fn exchange<'h>(
        &'h self,
        session: &Session,
        mechanism: &str,
    ) -> Option<Box<dyn Exchange + 'h>> {
        let _ = (session, mechanism);
        None
    }

    /// Decides over a sender.
    fn mail(
        &self,
        session: &Session,
        from: &ReversePath<'_>,
        parameters: &MailParameters<'_>,
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
        parameters: &RcptParameters<'_>,
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

    /// Decides over VRFY. Accepting it answers 252, which promises nothing.
    fn verify(&self, session: &Session, name: &str) -> Verdict {
        let _ = (session, name);
        Verdict::Accept
    }

    /// Decides over EXPN, if it is offered, as over VRFY.
    fn expand(&self, session: &Session, name: &str) -> Verdict {
        let _ = (session, name);
        Verdict::Accept
    }

    /// Decides over HELP, if it is offered.
    fn help(&self, session: &Session, topic: Option<&str>) -> Verdict {
        let _ = (session, topic);
        Verdict::Accept
    }

    /// Decides over ETRN, if it is offered, at once: see
    /// [`Event::Etrn`](smtp_proto::server::Event::Etrn). It is 458 unless it is written otherwise, as
    /// nothing can be sent.
    fn etrn(&self, session: &Session, node: &QueueNode<'_>) -> Verdict {
        let _ = (session, node);
        queue_unavailable().into()
    }

    /// Decides over XCLIENT, by which a proxy says for whom it speaks, if it is
    /// [offered](Self::offer). Refused by 550 unless it is written otherwise.
    ///
    /// Once it is accepted the session is the client's: its address is that of ADDR and PORT, its
    /// identity LOGIN, and it says EHLO again. Other attributes are the handler's to remember.
    fn xclient(&self, session: &Session, attributes: Attributes<'_>) -> Verdict {
        let _ = (session, attributes);
        not_authorised().into()
    }

    /// Decides over XFORWARD, if it is [offered](Self::offer): see
    /// [`Event::XForward`](smtp_proto::server::Event::XForward).
    fn xforward(&self, session: &Session, attributes: Attributes<'_>) -> Verdict {
        let _ = (session, attributes);
        Verdict::Accept
    }

    /// Decides over a command that the [configuration](smtp_proto::server::Config::command) leaves to
    /// the application. It is 502 unless it is written otherwise.
    fn command(&self, session: &Session, verb: &str, argument: Option<&str>) -> Verdict {
        let _ = (session, verb, argument);
        not_implemented().into()
    }

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
    /// Takes the next bytes, dots unstuffed.
    ///
    /// # Errors
    ///
    /// The reply, negative, to refuse the message: the rest of it is swallowed, and the sink dropped.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>>;

    /// Decides over the message, whose content is complete.
    ///
    /// Accepting it makes the application responsible for it (RFC 5321 2.1): store it durably first.
    fn finish(self) -> Verdict;

    /// Decides over the message for each of its accepted recipients, in the order of the envelope:
    /// in LMTP only (RFC 2033 4.2). Unless it is written otherwise, they share the one verdict of
    /// [`finish`](Self::finish).
    ///
    /// Recipients without a verdict get a 451.
    fn deliver(self, recipients: usize) -> Vec<Verdict>
    where
        Self: Sized,
    {
        vec![self.finish(); recipients]
    }
}
