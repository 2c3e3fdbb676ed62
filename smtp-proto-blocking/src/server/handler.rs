//! What a server's application has to say.

use std::{io, sync::Arc};

#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};
use smtp_proto::{
    machine::TraceEntry,
    reception::{
        ClientAttributes, Envelope, Notice, Recipient, Refusal, Sender, Session, State, Tally,
        Transaction, Verdict, accept,
    },
    server::{
        Reason,
        replies::{not_authorised, not_implemented, queue_unavailable},
    },
    syntax::Reply,
};
#[cfg(feature = "auth")]
use smtp_proto::{
    reception::Identity,
    sasl::{Credential, invalid_credentials},
};

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::sink::Sink;
use crate::Error;

/// Decides about commands and takes in messages, for all connections of a server, and of any number
/// of servers: `Arc<H>` is a handler.
///
/// Two methods must be written; those that are not, accept what does no harm, and refuse what does:
/// credentials, relaying, proxies. A method that panics has failed: its command is answered 451, the
/// greeting 421, and the session goes on as far as it can.
///
/// `S` is what the application [remembers](State): nothing unless said otherwise.
///
/// Each connection has a thread, which waits while a method works; no other one does.
///
/// ```
/// use smtp_proto_blocking::server::{
///     Envelope, Handler, InMemory, Recipient, Refusal, Session, Transaction, Verdict, accept, refuse,
/// };
///
/// struct Mailboxes;
///
/// /// Remembers each recipient's mailbox.
/// impl Handler<((), (), u64)> for Mailboxes {
///     type Sink = InMemory;
///
///     fn recipient(
///         &self,
///         _: &Session<((), (), u64)>,
///         _: &Transaction<((), (), u64)>,
///         recipient: &Recipient,
///     ) -> Verdict<u64> {
///         match recipient.path.to_string().as_str() {
///             "<b@example.net>" => Ok(17.into()),
///             _ => Err(refuse!("550 5.1.1 No such mailbox here")),
///         }
///     }
///
///     fn content(
///         &self,
///         _: &Session<((), (), u64)>,
///         envelope: Envelope<((), (), u64)>,
///     ) -> Result<InMemory, Refusal> {
///         Ok(InMemory::then(move |content| {
///             for accepted in &envelope.recipients {
///                 println!("{} bytes for mailbox {}", content.len(), accepted.state);
///             }
///             accept()
///         }))
///     }
/// }
/// ```
pub trait Handler<S: State = ()>: Send + Sync + 'static {
    /// Where the content of one message goes.
    type Sink: Sink;

    /// Takes a connection, and says what is to be remembered of it; or refuses it: 554 lets the
    /// client take leave, 421 and 521 close the connection. The greeting is the machine's, or the
    /// [reply](smtp_proto::reception::Accept::reply), 220. Accepts unless written.
    fn connected(&self, session: &Session<S>) -> Verdict<S::Session> {
        let _ = session;
        Ok(S::Session::default().into())
    }

    /// Answers EHLO, HELO, or LHLO in LMTP: the session holds what the client says. Accepts unless
    /// written, and offers what the configuration does; or else what the verdict
    /// [says](smtp_proto::reception::Accept::offer). XCLIENT and XFORWARD are for peers that may, so
    /// offer them here, and not to the clients that they speak for.
    fn hello(&self, session: &Session<S>) -> Verdict {
        let _ = session;
        accept()
    }

    /// Answers STARTTLS. Accepts unless written; where there is nobody to do TLS it is not asked.
    fn start_tls(&self, session: &Session<S>) -> Verdict {
        let _ = session;
        accept()
    }

    /// Checks what a client says to prove who it is, by one of the built-in mechanisms: PLAIN,
    /// LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER and SCRAM, as far as the configuration
    /// [offers](smtp_proto::server::Config::mechanisms) them. Refuses unless written. For EXTERNAL,
    /// [`Session::tls`] has the client's certificate.
    ///
    /// Returns who the client is from now on: [`Session::identity`]. Whoever is to act for another
    /// goes under that other's name, if you allow it; under any other name it is turned down. Compare
    /// secrets in constant time, or their hashes.
    ///
    /// # Errors
    ///
    /// Turns the client down, with [`invalid_credentials`] if they are not right, with 454 if that
    /// cannot be told for now.
    #[cfg(feature = "auth")]
    fn authenticate(
        &self,
        session: &Session<S>,
        credential: Credential<'_>,
    ) -> Result<Identity, Refusal> {
        let _ = (session, credential);
        Err(invalid_credentials().into())
    }

    /// Returns the keys by which a user's password is checked without being sent: SCRAM, as far as
    /// the configuration offers it. Nobody has any unless written.
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
        session: &Session<S>,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Refusal> {
        let _ = (session, user, hash);
        Ok(None)
    }

    /// Has a say before an exchange of AUTH begins, and begins it where the mechanism is not built
    /// in, or is to take the place of one that is. Leaves all to the built-in ones unless written.
    ///
    /// # Errors
    ///
    /// Refuses AUTH before anything is asked of the client.
    #[cfg(feature = "auth")]
    fn exchange(
        &self,
        session: &Session<S>,
        mechanism: &str,
    ) -> Result<Option<Box<dyn Exchange>>, Refusal> {
        let _ = (session, mechanism);
        Ok(None)
    }

    /// Answers MAIL, and says what is to be remembered of the transaction that it begins. Accepts
    /// unless written.
    fn mail(&self, session: &Session<S>, sender: &Sender) -> Verdict<S::Transaction> {
        let _ = (session, sender);
        Ok(S::Transaction::default().into())
    }

    /// Answers RCPT, and says what is to be remembered of the recipient.
    fn recipient(
        &self,
        session: &Session<S>,
        transaction: &Transaction<S>,
        recipient: &Recipient,
    ) -> Verdict<S::Recipient>;

    /// Provides for the content of a message. What was remembered of the transaction and of its
    /// accepted recipients comes with the envelope.
    ///
    /// # Errors
    ///
    /// Refuses the content before any of it comes, if it comes by DATA.
    fn content(&self, session: &Session<S>, envelope: Envelope<S>) -> Result<Self::Sink, Refusal>;

    /// Answers VRFY. Unless written it answers 252, which promises nothing.
    fn verify(&self, session: &Session<S>, name: &str) -> Verdict {
        let _ = (session, name);
        accept()
    }

    /// Answers EXPN, if it is offered.
    fn expand(&self, session: &Session<S>, name: &str) -> Verdict {
        let _ = (session, name);
        accept()
    }

    /// Answers HELP, if it is offered.
    fn help(&self, session: &Session<S>, topic: Option<&str>) -> Verdict {
        let _ = (session, topic);
        accept()
    }

    /// Answers ETRN, if it is offered, at once: see [`Event::Etrn`](smtp_proto::server::Event::Etrn).
    /// `node` is that of a [`QueueNode`](smtp_proto::syntax::QueueNode). Unless written it answers
    /// 458, as nothing can be sent.
    fn etrn(&self, session: &Session<S>, node: &str) -> Verdict {
        let _ = (session, node);
        Err(queue_unavailable().into())
    }

    /// Answers XCLIENT, by which a proxy says for whom it speaks, if it is [offered](Self::hello);
    /// and says what is to be remembered of that client. The session is then the client's: its
    /// address is that of ADDR and PORT, its identity LOGIN, and it says EHLO again. Refuses unless
    /// written (550).
    fn xclient(&self, session: &Session<S>, attributes: &ClientAttributes) -> Verdict<S::Session> {
        let _ = (session, attributes);
        Err(not_authorised().into())
    }

    /// Answers XFORWARD, if it is [offered](Self::hello): see
    /// [`Event::XForward`](smtp_proto::server::Event::XForward). Accepts unless written.
    fn xforward(&self, session: &Session<S>, attributes: &ClientAttributes) -> Verdict {
        let _ = (session, attributes);
        accept()
    }

    /// Answers a command that the [configuration](smtp_proto::server::Config::command) leaves to the
    /// application. Unless written it answers 502.
    fn command(&self, session: &Session<S>, verb: &str, argument: Option<&str>) -> Verdict {
        let _ = (session, verb, argument);
        Err(not_implemented().into())
    }

    /// Rewords what the machine says by itself, as far as the configuration has it
    /// [reviewed](smtp_proto::server::Config::review), within the class of the reply. Leaves it
    /// unless written.
    fn review(
        &self,
        session: &Session<S>,
        reply: &Reply<'static>,
        reason: Reason,
    ) -> Option<Reply<'static>> {
        let _ = (session, reply, reason);
        None
    }

    /// Hears what needs no answer.
    fn notice(&self, session: &Session<S>, notice: &Notice<'_>) {
        let _ = (session, notice);
    }

    /// Hears the dialogue as it goes, without secrets, if the configuration has it
    /// [traced](smtp_proto::server::Config::traced). Nothing of it is kept.
    fn trace(&self, session: &Session<S>, entry: &TraceEntry) {
        let _ = (session, entry);
    }

    /// Hears that a connection is over, in good order or in error, and what came of it: once for each
    /// connection that was accepted, whether it was begun or not.
    fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally) {
        let _ = (session, result, tally);
    }

    /// Hears that no connection could be accepted, for want of descriptors mostly. The server tries
    /// again in a moment.
    fn accept_failed(&self, error: &io::Error) {
        let _ = error;
    }
}

macro_rules! forward {
    ($($(#[$feature:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*) => {
        impl<S: State, H: Handler<S>> Handler<S> for Arc<H> {
            type Sink = H::Sink;

            $($(#[$feature])*
            fn $name(&self, $($argument: $kind),*) -> $output {
                H::$name(self, $($argument),*)
            })*
        }
    };
}

forward! {
    connected(session: &Session<S>) -> Verdict<S::Session>;
    hello(session: &Session<S>) -> Verdict;
    start_tls(session: &Session<S>) -> Verdict;
    #[cfg(feature = "auth")]
    authenticate(session: &Session<S>, credential: Credential<'_>) -> Result<Identity, Refusal>;
    #[cfg(feature = "scram")]
    scram_keys(session: &Session<S>, user: &str, hash: ScramHash) -> Result<Option<ScramKeys>, Refusal>;
    #[cfg(feature = "auth")]
    exchange(session: &Session<S>, mechanism: &str) -> Result<Option<Box<dyn Exchange>>, Refusal>;
    mail(session: &Session<S>, sender: &Sender) -> Verdict<S::Transaction>;
    recipient(session: &Session<S>, transaction: &Transaction<S>, recipient: &Recipient) -> Verdict<S::Recipient>;
    content(session: &Session<S>, envelope: Envelope<S>) -> Result<Self::Sink, Refusal>;
    verify(session: &Session<S>, name: &str) -> Verdict;
    expand(session: &Session<S>, name: &str) -> Verdict;
    help(session: &Session<S>, topic: Option<&str>) -> Verdict;
    etrn(session: &Session<S>, node: &str) -> Verdict;
    xclient(session: &Session<S>, attributes: &ClientAttributes) -> Verdict<S::Session>;
    xforward(session: &Session<S>, attributes: &ClientAttributes) -> Verdict;
    command(session: &Session<S>, verb: &str, argument: Option<&str>) -> Verdict;
    review(session: &Session<S>, reply: &Reply<'static>, reason: Reason) -> Option<Reply<'static>>;
    notice(session: &Session<S>, notice: &Notice<'_>) -> ();
    trace(session: &Session<S>, entry: &TraceEntry) -> ();
    closed(session: &Session<S>, result: Result<(), &Error>, tally: &Tally) -> ();
    accept_failed(error: &io::Error) -> ();
}
