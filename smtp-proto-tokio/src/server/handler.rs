//! What a server's application has to say.

use std::{net::SocketAddr, sync::Arc};

use smtp_proto::{
    server::{
        Certainty, Reason, TransactionId,
        replies::{not_authorised, not_implemented, queue_unavailable},
    },
    syntax::{Attributes, Capabilities, Code, Host, QueueNode, Reply},
};

#[cfg(feature = "auth")]
use smtp_proto::sasl::{Credential, invalid_credentials};
#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::{
    envelope::{Envelope, Recipient, Sender},
    sink::Sink,
    verdict::Verdict,
};
use crate::Error;
#[cfg(feature = "auth")]
use crate::TlsInfo;

/// Decides about commands and takes in messages, for all connections of a server.
///
/// The futures run while the connection goes on: the recipients of one group are checked side by
/// side, and messages are being stored while the next ones arrive. One that panics answers 451. One
/// whose answer is of no use any more is dropped; [`Sink::finish`] is not.
///
/// ```
/// use std::{net::SocketAddr, sync::Arc};
/// use smtp_proto::syntax::{Code, Reply};
/// use smtp_proto_tokio::server::{Envelope, Handler, Recipient, Sender, Sink, Verdict};
///
/// struct Mailboxes;
///
/// impl Handler for Mailboxes {
///     type Session = ();
///     type Sink = Message;
///
///     async fn connected(&self, _: Option<SocketAddr>) -> Result<(), Reply<'static>> {
///         Ok(())
///     }
///
///     async fn recipient(&self, _: &(), _: &Sender, recipient: &Recipient) -> Verdict {
///         match recipient.path().to_string().as_str() {
///             "<b@example.net>" => Verdict::Accept,
///             _ => Reply::new(Code::MAILBOX_UNAVAILABLE, "No such mailbox here").into(),
///         }
///     }
///
///     async fn content(&self, _: &(), envelope: Arc<Envelope>) -> Result<Message, Reply<'static>> {
///         Ok(Message { envelope, content: Vec::new() })
///     }
/// }
///
/// struct Message {
///     envelope: Arc<Envelope>,
///     content: Vec<u8>,
/// }
///
/// impl Sink for Message {
///     async fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
///         self.content.extend_from_slice(bytes);
///         Ok(())
///     }
///
///     async fn finish(self) -> Verdict {
///         println!("{} sent {} bytes", self.envelope.sender().path(), self.content.len());
///         Verdict::Accept
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// What is remembered of one connection.
    type Session: Send + Sync + 'static;
    /// Where the content of one message goes.
    type Sink: Sink;

    /// Begins a session, or refuses it: 554 lets the client take leave, 421 and 521 close the
    /// connection.
    fn connected(
        &self,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Result<Self::Session, Reply<'static>>> + Send;

    /// Says what the client is offered in place of what the configuration offers, if it is anything
    /// else; asked at each EHLO. XCLIENT and XFORWARD are for peers that may, so offer them here, and
    /// not to the clients that they speak for.
    fn offer(&self, session: &Self::Session) -> Option<Capabilities> {
        let _ = session;
        None
    }

    /// Answers EHLO or HELO. Accepts unless written.
    fn hello(
        &self,
        session: &Self::Session,
        client: &Host<'static>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, client);
        async { Verdict::Accept }
    }

    /// Answers STARTTLS. Accepts unless written; without a
    /// [`TlsAcceptor`](crate::tls::TlsAcceptor) it is not asked.
    fn start_tls(&self, session: &Self::Session) -> impl Future<Output = Verdict> + Send {
        let _ = session;
        async { Verdict::Accept }
    }

    /// Checks what a client says to prove who it is, by one of the built-in mechanisms: PLAIN,
    /// LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER and SCRAM, as far as the configuration
    /// [offers](smtp_proto::server::Config) them. Refuses unless written.
    ///
    /// What the TLS handshake came to comes with it: for EXTERNAL, the client's certificate tells
    /// who it is.
    ///
    /// Returns under which name the client goes from now on: [`Sender::identity`]. Whoever is to act
    /// for another goes under that other's name, if you allow it; under any other name it is turned
    /// down.
    ///
    /// # Errors
    ///
    /// Turns the client down, with [`invalid_credentials`] if they are not right, with 454 if that
    /// cannot be told for now.
    #[cfg(feature = "auth")]
    fn authenticate(
        &self,
        session: &Self::Session,
        credential: Credential<'_>,
        tls: Option<&TlsInfo>,
    ) -> impl Future<Output = Result<String, Reply<'static>>> + Send {
        let _ = (session, credential, tls);
        async { Err(invalid_credentials()) }
    }

    /// Returns the keys by which a user's password is checked without being sent: SCRAM-SHA-256 and
    /// SCRAM-SHA-1, as far as the configuration offers them. Nobody has any unless it is written.
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
        session: &Self::Session,
        user: &str,
        hash: ScramHash,
    ) -> impl Future<Output = Result<Option<ScramKeys>, Reply<'static>>> + Send {
        let _ = (session, user, hash);
        async { Ok(None) }
    }

    /// Begins an exchange of a mechanism that is not built in, or takes the place of a built-in
    /// one. There are none unless it is written.
    #[cfg(feature = "auth")]
    fn exchange(&self, session: &Self::Session, mechanism: &str) -> Option<Box<dyn Exchange>> {
        let _ = (session, mechanism);
        None
    }

    /// Answers MAIL, which begins a transaction. Accepts unless written.
    fn mail(
        &self,
        session: &Self::Session,
        sender: &Sender,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, sender);
        async { Verdict::Accept }
    }

    /// Answers RCPT. Runs side by side with the other recipients of its group.
    fn recipient(
        &self,
        session: &Self::Session,
        sender: &Sender,
        recipient: &Recipient,
    ) -> impl Future<Output = Verdict> + Send;

    /// Provides for the content of a message, or refuses it.
    fn content(
        &self,
        session: &Self::Session,
        envelope: Arc<Envelope>,
    ) -> impl Future<Output = Result<Self::Sink, Reply<'static>>> + Send;

    /// Answers VRFY. Unless written it answers 252, which promises nothing.
    fn verify(&self, session: &Self::Session, name: &str) -> impl Future<Output = Verdict> + Send {
        let _ = (session, name);
        async { Verdict::Accept }
    }

    /// Answers EXPN, if it is offered.
    fn expand(&self, session: &Self::Session, name: &str) -> impl Future<Output = Verdict> + Send {
        let _ = (session, name);
        async { Verdict::Accept }
    }

    /// Answers HELP, if it is offered.
    fn help(
        &self,
        session: &Self::Session,
        topic: Option<&str>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, topic);
        async { Verdict::Accept }
    }

    /// Answers ETRN, if it is offered, at once: see [`Event::Etrn`](smtp_proto::server::Event::Etrn).
    /// Unless written it answers 458, as nothing can be sent.
    fn etrn(
        &self,
        session: &Self::Session,
        node: &QueueNode<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, node);
        async { queue_unavailable().into() }
    }

    /// Begins the session of the client that a proxy speaks for, in place of this one, if XCLIENT is
    /// [offered](Self::offer). LOGIN becomes [`Sender::identity`]; all else is for the new session
    /// to remember, as is what this one knew, and other attributes that came before.
    ///
    /// # Errors
    ///
    /// Refuses the proxy with 550, as it does unless written, or its client as
    /// [`connected`](Self::connected) does.
    fn xclient(
        &self,
        session: &Self::Session,
        attributes: Attributes<'_>,
    ) -> impl Future<Output = Result<Self::Session, Reply<'static>>> + Send {
        let _ = (session, attributes);
        async { Err(not_authorised()) }
    }

    /// Answers XFORWARD, if it is [offered](Self::offer): see
    /// [`Event::XForward`](smtp_proto::server::Event::XForward). Accepts unless written.
    fn xforward(
        &self,
        session: &Self::Session,
        attributes: Attributes<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, attributes);
        async { Verdict::Accept }
    }

    /// Answers a command that the [configuration](smtp_proto::server::Config::command) leaves to the
    /// application. Unless written it answers 502.
    fn command(
        &self,
        session: &Self::Session,
        verb: &str,
        argument: Option<&str>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, verb, argument);
        async { not_implemented().into() }
    }

    /// Hears that a transaction ended without a message. If its content had begun, its sink was
    /// dropped.
    fn reset(&self, session: &Self::Session, transaction: TransactionId, cause: Reason) {
        let _ = (session, transaction, cause);
    }

    /// Hears that the machine itself refused a command.
    fn rejected(&self, session: &Self::Session, code: Code, line: &[u8]) {
        let _ = (session, code, line);
    }

    /// Hears, once for each accepted message, how sure it is that the client knows of it. One that
    /// does not know sends it again.
    fn acknowledged(
        &self,
        session: &Self::Session,
        transaction: TransactionId,
        certainty: Certainty,
    ) {
        let _ = (session, transaction, certainty);
    }

    /// Hears in LMTP, once for each recipient that a message was accepted for, how sure it is that
    /// the client knows of it. Recipients are counted as in [`Envelope::recipients`].
    fn delivery_acknowledged(
        &self,
        session: &Self::Session,
        transaction: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        let _ = (session, transaction, recipient, certainty);
    }

    /// Hears in LMTP that a message was accepted too late for a recipient, as
    /// [`expired`](Self::expired) tells in SMTP.
    fn delivery_expired(
        &self,
        session: &Self::Session,
        transaction: TransactionId,
        recipient: usize,
    ) {
        let _ = (session, transaction, recipient);
    }

    /// Hears that a message was accepted too late: the client was told that it was not, or is gone.
    /// It will send it again, so what was done with it should be undone.
    fn expired(&self, session: &Self::Session, transaction: TransactionId) {
        let _ = (session, transaction);
    }

    /// Hears that the session is over, in good order or in error.
    fn closed(&self, session: &Self::Session, result: Result<(), &Error>) {
        let _ = (session, result);
    }
}
