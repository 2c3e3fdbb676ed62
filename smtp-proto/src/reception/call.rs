//! What an application is asked and told.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::attributes::ClientAttributes;
#[cfg(feature = "auth")]
use super::claim::Claim;
use super::envelope::{Envelope, Recipient, Sender, Transaction};
#[cfg(feature = "scram")]
use super::found_keys::FoundKeys;
use super::session::Hello;
#[cfg(feature = "auth")]
use super::session::Identity;
use super::state::State;
use super::verdict::{Refusal, Verdict};
#[cfg(feature = "scram")]
use crate::sasl::ScramHash;
#[cfg(feature = "auth")]
use crate::sasl::Step;
#[cfg(feature = "auth")]
use crate::server::SaslResponse;
use crate::server::{Certainty, Reason, Ticket, TransactionId};
use crate::syntax::Reply;

/// Calls for the application.
#[derive(Debug)]
#[non_exhaustive]
pub enum Call<'i, S: State> {
    /// Something is to be decided.
    Question(Asked, Question<S>),
    /// The content of a message begins, by DATA or by BDAT. The [answer](Answer::Content) says
    /// whether it may; what comes of it before is to be kept.
    Begin {
        /// The right to answer.
        asked: Asked,
        /// What was accepted before it.
        envelope: Envelope<S>,
        /// The first of the content; empty after DATA.
        bytes: &'i [u8],
    },
    /// More of the content that has begun. Never empty.
    Content {
        /// The transaction that it belongs to.
        transaction: TransactionId,
        /// What follows what came before, dots unstuffed.
        bytes: &'i [u8],
    },
    /// The content is complete, and a verdict over the message is due for each recipient: what LMTP
    /// has in place of [`Question::Message`] (RFC 2033 4.2).
    Deliver {
        /// The transaction that ends.
        transaction: TransactionId,
        /// The rights to decide, one for each accepted recipient, for
        /// [`Deliveries`](super::Deliveries).
        asked: Vec<Asked>,
    },
    /// The transaction goes on without answers to what was asked about its recipients: they are too
    /// late. Drop those questions, so that what is remembered of the transaction can be handed out.
    Overdue(TransactionId),
    /// Something is to be told.
    Notice(Notice<'i>),
}

/// Asks the application something. It owns all that is needed to answer it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question<S: State> {
    /// May this client begin? [`Answer::Session`].
    Connected,
    /// May it introduce itself so? The session holds how. [`Answer::Plain`].
    Hello,
    /// May it begin TLS? [`Answer::Plain`].
    StartTls,
    /// Does the application do this mechanism itself, or does it leave it to the built-in one?
    /// [`Answer::Mechanism`].
    #[cfg(feature = "auth")]
    Mechanism(Arc<str>),
    /// How does an exchange of the application's own go on? First with the initial response, if the
    /// client sent one, then with its answer to each challenge. [`Answer::Step`].
    #[cfg(feature = "auth")]
    Response(Option<SaslResponse>),
    /// Is this right? [`Answer::Identity`].
    #[cfg(feature = "auth")]
    Credential(Claim),
    /// By which keys is the user's password checked? [`Answer::Keys`].
    #[cfg(feature = "scram")]
    Keys {
        /// The user, prepared by SASLprep.
        user: String,
        /// For which hash.
        hash: ScramHash,
    },
    /// May it send from there? [`Answer::Transaction`].
    Mail(Arc<Sender>),
    /// May it send to that one? [`Answer::Recipient`].
    Recipient(Arc<Transaction<S>>, Arc<Recipient>),
    /// Is the message, whose content is complete, accepted? [`Answer::Plain`].
    Message(TransactionId),
    /// What is to be said to VRFY? [`Answer::Plain`].
    Verify(String),
    /// What is to be said to EXPN? [`Answer::Plain`].
    Expand(String),
    /// What is to be said to HELP? [`Answer::Plain`].
    Help(Option<String>),
    /// Is the mail that waits there, for a [node](crate::syntax::QueueNode), to be sent (ETRN)?
    /// [`Answer::Plain`].
    Etrn(String),
    /// May this proxy speak for that client (XCLIENT)? [`Answer::Session`].
    XClient(ClientAttributes),
    /// May it tell about that client (XFORWARD)? [`Answer::Plain`].
    XForward(ClientAttributes),
    /// Is this what the machine is to say, by itself? Comes as the configuration's
    /// [review](crate::server::Config::review) says. [`Answer::Reply`].
    Reply {
        /// What it would say.
        reply: Reply<'static>,
        /// Why.
        reason: Reason,
        /// The transaction that it is about, if it is about one.
        transaction: Option<TransactionId>,
    },
    /// What is to be said to a [command](crate::server::Config::command) of the application's own?
    /// [`Answer::Plain`].
    Command {
        /// The verb, in the case in which it was sent.
        verb: String,
        /// What stands after it.
        argument: Option<String>,
    },
}

/// Answers a [`Question`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer<S: State> {
    /// Answers what has nothing to be remembered.
    Plain(Verdict),
    /// Answers [`Question::Connected`] and [`Question::XClient`].
    Session(Verdict<S::Session>),
    /// Answers [`Question::Mail`].
    Transaction(Verdict<S::Transaction>),
    /// Answers [`Question::Recipient`].
    Recipient(Verdict<S::Recipient>),
    /// Answers [`Question::Reply`]: what is to be said in place of it, in other words.
    Reply(Option<Reply<'static>>),
    /// Answers [`Call::Begin`].
    Content(Result<(), Refusal>),
    /// Answers [`Question::Mechanism`]: whether the application does it itself.
    #[cfg(feature = "auth")]
    Mechanism(Result<bool, Refusal>),
    /// Answers [`Question::Response`].
    #[cfg(feature = "auth")]
    Step(Step),
    /// Answers [`Question::Credential`].
    #[cfg(feature = "auth")]
    Identity(Result<Identity, Refusal>),
    /// Answers [`Question::Keys`].
    #[cfg(feature = "scram")]
    Keys(Result<FoundKeys, Refusal>),
}

/// Tells what needs no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice<'i> {
    /// A transaction ended without a message. What was remembered of it is dropped.
    Reset {
        /// The transaction that ended.
        transaction: TransactionId,
        /// Why it ended.
        reason: Reason,
    },
    /// The machine itself refused a command.
    Rejected {
        /// How it is answered, unless that is [reworded](Question::Reply).
        reply: Reply<'static>,
        /// Why it was refused.
        reason: Reason,
        /// The line, as [`Event::Rejected`](crate::server::Event::Rejected) has it.
        line: &'i [u8],
    },
    /// Tells, once for each accepted message, how sure it is that the client knows of it. One that
    /// does not know sends it again (RFC 1047).
    Acknowledged {
        /// The transaction whose message was accepted.
        transaction: TransactionId,
        /// In LMTP, for which of the accepted recipients.
        recipient: Option<usize>,
        /// How sure it is.
        certainty: Certainty,
    },
    /// A message was accepted too late: the client was told that it was not, or is gone. It will
    /// send it again, so what was done with it should be undone.
    Expired {
        /// The transaction whose message was accepted.
        transaction: TransactionId,
        /// In LMTP, for which of the accepted recipients.
        recipient: Option<usize>,
    },
}

/// Gives the right to answer one question, once.
///
/// Give it to [`Reception::answer`](super::Reception::answer), or to
/// [`Reception::fail`](super::Reception::fail) if there will be no answer. One that is dropped leaves
/// the client without an answer until the time for verdicts is over.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct Asked {
    /// None where the client awaits no reply yet.
    pub(super) ticket: Option<Ticket>,
    pub(super) subject: Subject,
}

impl Asked {
    pub(super) fn new(ticket: Ticket, subject: Subject) -> Self {
        Self {
            ticket: Some(ticket),
            subject,
        }
    }

    /// Returns whether the answer is of use even when the client is gone: a message that is being
    /// stored is stored then.
    pub fn outlasts_client(&self) -> bool {
        matches!(self.subject, Subject::Message(_) | Subject::Delivery(..))
    }

    /// Returns the transaction whose recipient, or the beginning of whose content, it is about.
    pub fn is_about(&self, transaction: TransactionId) -> bool {
        matches!(self.subject, Subject::Recipient(id, _) if id == transaction)
    }
}

/// What is to be answered.
#[derive(Debug)]
pub(super) enum Subject {
    Greeting,
    /// With how the client introduced itself before.
    Hello(Option<Hello>),
    Plain,
    /// Names, for a client that takes them in ASCII alone.
    AsciiNames,
    Reply,
    #[cfg(feature = "auth")]
    /// With the number of the exchange.
    Authentication(u64),
    Mail(TransactionId, Arc<Sender>),
    Recipient(TransactionId, usize),
    Content(TransactionId),
    Message(TransactionId),
    Delivery(TransactionId, usize),
    XClient(ClientAttributes),
}
