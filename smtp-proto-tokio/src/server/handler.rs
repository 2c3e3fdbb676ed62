//! What a server's application has to say.

use std::{net::SocketAddr, sync::Arc};

use smtp_proto::{
    server::{Certainty, ResetCause, TransactionId},
    syntax::{
        Attributes, Capabilities, Code, ForwardPath, Host, Parameters, QueueNode, Reply,
        ReversePath,
    },
};

#[cfg(feature = "auth")]
use smtp_proto::sasl::{Credential, invalid_credentials};
#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};

#[cfg(feature = "auth")]
use super::authentication::Exchange;
use super::deliveries::Deliveries;
use crate::{Error, TlsInfo};

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
///     async fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>> {
///         self.content.extend_from_slice(octets);
///         Ok(())
///     }
///
///     async fn finish(self) -> Verdict {
///         println!("{} sent {} octets", self.envelope.sender().path(), self.content.len());
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
    fn reset(&self, session: &Self::Session, transaction: TransactionId, cause: ResetCause) {
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

/// Takes in the content of one message.
///
/// Dropped before [`finish`](Self::finish) it means that there is no message: the client reset the
/// transaction, or is gone.
pub trait Sink: Send + Sized + 'static {
    /// Takes more of the content, dots unstuffed, up to some 64 KiB at a time.
    ///
    /// While it waits, no more is read of the content than a buffer holds.
    ///
    /// # Errors
    ///
    /// Refuses the message with a negative reply; the rest of it is swallowed.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = Result<(), Reply<'static>>> + Send;

    /// Decides about the complete message. Accepting it means to be responsible for it.
    ///
    /// Later messages of the connection may arrive meanwhile, so that many can be stored in one go.
    /// It runs to its end even if the client is gone; an acceptance is then
    /// [`expired`](Handler::expired).
    fn finish(self) -> impl Future<Output = Verdict> + Send;

    /// Decides about the complete message for each recipient, which is asked in LMTP in place of
    /// [`finish`](Self::finish). Unless written, `finish` decides for all.
    fn deliver(self, deliveries: Deliveries) -> impl Future<Output = ()> + Send {
        async { deliveries.decide_rest(&self.finish().await) }
    }
}

/// Answers a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepts it, in the machine's words.
    Accept,
    /// Answers so. A reply that cannot answer the command, or whose text is not ASCII where it has to
    /// be, counts as 451.
    Reply(Reply<'static>),
}

impl Verdict {
    pub(super) fn is_positive(&self) -> bool {
        match self {
            Self::Accept => true,
            Self::Reply(reply) => reply.is_positive(),
        }
    }
}

impl From<Reply<'static>> for Verdict {
    fn from(reply: Reply<'static>) -> Self {
        Self::Reply(reply)
    }
}

/// Takes a reply as it was composed; one that could not be counts as 451.
impl<E> From<Result<Reply<'static>, E>> for Verdict {
    fn from(reply: Result<Reply<'static>, E>) -> Self {
        Self::Reply(reply.unwrap_or_else(|_| local_error()))
    }
}

/// Answers in the place of a handler that failed.
pub(super) fn local_error() -> Reply<'static> {
    fixed(b"451 4.3.0 Local error in processing\r\n")
}

/// Answers AUTH by a mechanism that is offered and that nobody knows.
#[cfg(feature = "auth")]
pub(super) fn unknown_mechanism() -> Reply<'static> {
    fixed(b"504 5.5.4 Authentication mechanism not available\r\n")
}

/// Answers ETRN that nobody handles (1985-5.1-a).
fn queue_unavailable() -> Reply<'static> {
    fixed(b"458 4.3.0 Unable to queue messages\r\n")
}

/// Answers XCLIENT of a proxy that nobody knows (XCLIENT-c).
fn not_authorised() -> Reply<'static> {
    fixed(b"550 5.7.0 Not authorised\r\n")
}

/// Answers a command that nobody handles.
fn not_implemented() -> Reply<'static> {
    fixed(b"502 5.5.1 Command not implemented\r\n")
}

/// Takes leave of a client whose session the server ends.
pub(super) fn shutting_down() -> Reply<'static> {
    fixed(b"421 4.3.2 Service shutting down and closing transmission channel\r\n")
}

pub(super) fn fixed(octets: &'static [u8]) -> Reply<'static> {
    Reply::parse(octets).expect("a well-formed reply")
}

/// Begins a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub(super) transaction: TransactionId,
    pub(super) path: ReversePath<'static>,
    pub(super) parameters: String,
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

    /// Returns the parameters of MAIL, checked by the machine.
    pub fn parameters(&self) -> Parameters<'_> {
        Parameters::parse(&self.parameters).unwrap_or_default()
    }
}

/// Says whom a message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub(super) path: ForwardPath<'static>,
    pub(super) parameters: String,
}

impl Recipient {
    /// Returns the address.
    pub fn path(&self) -> &ForwardPath<'static> {
        &self.path
    }

    /// Returns the parameters of RCPT, checked by the machine.
    pub fn parameters(&self) -> Parameters<'_> {
        Parameters::parse(&self.parameters).unwrap_or_default()
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
