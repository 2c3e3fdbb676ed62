//! What a server tells its application, and the right to answer.

use alloc::sync::Arc;
use core::num::NonZeroU64;

use thiserror::Error;

use super::security::SaslResponse;
use crate::machine::Misuse;
use crate::syntax::{
    Argument, Attributes, ForwardPath, Host, MailParameters, QueueNode, RcptParameters, Reply,
    ReversePath, Word,
};

/// Tells what the client did.
///
/// Events borrow the input that they were read from, never the machine: answer while you hold one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'i> {
    /// The session begins. Accept it to send the greeting (220); refuse it with 554, after which
    /// the client may only leave (5321-3.1-a), or with 421 or 521, which close the connection.
    Connected {
        /// Answers for the greeting.
        ticket: Ticket,
    },
    /// The client introduces itself. Accepting it forgets an unfinished transaction
    /// (5321-4.1.4-b), refusing it changes nothing (5321-4.1.4-c).
    Hello {
        /// Answers EHLO or HELO; [`Server::accept`](super::Server::accept) composes the reply.
        ticket: Ticket,
        /// What the client calls itself; nothing vouches for it.
        host: Host<'i>,
        /// Whether the verb was EHLO, or LHLO in LMTP: after HELO no extension is at the client's
        /// disposal.
        esmtp: bool,
    },
    /// The client wants TLS. Accept it to have the client begin the handshake (220), or refuse it
    /// with 454. Once the reply is written, [`Server::wants_tls`](super::Server::wants_tls) says so.
    StartTls {
        /// Answers STARTTLS.
        ticket: Ticket,
    },
    /// The client wants to authenticate itself. Comes only if mechanisms are configured.
    ///
    /// [`challenge`](super::Server::challenge) goes on with the exchange, with an empty challenge
    /// where the mechanism has the client begin and there is no initial response; the answer
    /// is an [`AuthResponse`](Self::AuthResponse). Accepting the ticket ends it well (235), a
    /// refusal (535, or 501 for an initial response where the server has to begin) does not. An
    /// exchange that the client breaks off ends in [`Rejected`](Self::Rejected).
    Auth {
        /// Answers AUTH.
        ticket: Ticket,
        /// The mechanism, spelled as it is configured.
        mechanism: Arc<str>,
        /// What the client says first, if it says it at once. It may be empty.
        initial_response: Option<SaslResponse>,
    },
    /// The client answers a challenge.
    AuthResponse {
        /// Answers the response, as it does [`Auth`](Self::Auth).
        ticket: Ticket,
        /// What the client says. It may be empty.
        response: SaslResponse,
    },
    /// A transaction begins.
    Mail {
        /// Answers MAIL.
        ticket: Ticket,
        /// Names the transaction in every later event.
        transaction: TransactionId,
        /// Where notifications go.
        from: ReversePath<'i>,
        /// What the client asks for. All of it was offered.
        parameters: MailParameters<'i>,
    },
    /// A recipient. Those that a client sends together are handed out together.
    Rcpt {
        /// Answers RCPT.
        ticket: Ticket,
        /// The transaction that the recipient belongs to.
        transaction: TransactionId,
        /// The recipient.
        to: ForwardPath<'i>,
        /// What the client asks for. All of it was offered.
        parameters: RcptParameters<'i>,
    },
    /// The client asks to send content by DATA. Accept it to let the content come (354).
    ///
    /// With BDAT nothing is asked: the first [`Content`](Self::Content) or
    /// [`Message`](Self::Message) follows the recipients.
    Data {
        /// Answers DATA, only with a refusal where not accepted.
        ticket: Ticket,
        /// The transaction whose content is to come.
        transaction: TransactionId,
    },
    /// Bytes of content, dots unstuffed. Never empty. Of content that is refused in the end, how
    /// much is delivered depends on how it arrives.
    Content {
        /// The transaction that they belong to.
        transaction: TransactionId,
        /// What follows what came before.
        bytes: &'i [u8],
    },
    /// The content is complete and the verdict over the message is due. Accepting it makes the
    /// application responsible for the message (5321-2.1-a). The transaction is over in any case.
    Message {
        /// Answers the end of the content.
        ticket: Ticket,
        /// The transaction that ends.
        transaction: TransactionId,
        /// How many bytes of content there were.
        bytes: u64,
    },
    /// The content is complete and the verdict over the message for one recipient is due: what
    /// LMTP has in place of [`Message`](Self::Message) (RFC 2033 4.2).
    ///
    /// Comes once for each accepted recipient, in the order of their RCPT commands, one after the
    /// other; the transaction is over with the first. Replies leave as soon as they are the next,
    /// so decide in that order where it makes no difference (2033-5-c).
    Delivery {
        /// Answers the end of the content for this recipient.
        ticket: Ticket,
        /// The transaction that ends.
        transaction: TransactionId,
        /// Which of the accepted recipients it is, counted from 0 in the order of RCPT commands.
        recipient: usize,
        /// How many bytes of content there were.
        bytes: u64,
    },
    /// A transaction ended without a message: forget it, and what content of it came.
    Reset {
        /// The transaction that ends.
        transaction: TransactionId,
        /// Why it ends.
        reason: Reason,
    },
    /// The client wants an address verified. Accepting it answers 252, which promises nothing.
    Vrfy {
        /// Answers VRFY.
        ticket: Ticket,
        /// What the client sent as a name.
        name: Argument<'i>,
        /// Whether the answer may have UTF-8, as the client says by SMTPUTF8; if it needs it and may
        /// not, 252 or 550 X.6.8 is the answer (6531-3.7.4-d).
        utf8: bool,
    },
    /// The client wants a list expanded. Comes only if EXPN is offered.
    Expn {
        /// Answers EXPN.
        ticket: Ticket,
        /// What the client sent as a name.
        name: Argument<'i>,
        /// Whether the answer may have UTF-8, as the client says by SMTPUTF8; if it needs it and may
        /// not, 252 or 550 X.6.8 is the answer (6531-3.7.4-d).
        utf8: bool,
    },
    /// The client wants help. Comes only if HELP is offered. Accepting it answers 214.
    Help {
        /// Answers HELP.
        ticket: Ticket,
        /// What it wants to know.
        topic: Option<Argument<'i>>,
    },
    /// The client asks for the mail that waits for it (RFC 1985). Comes only if ETRN is offered, and
    /// outside of transactions.
    ///
    /// Answer at once, before the mail is sent, which goes over other connections: 250 (as accepting
    /// it does) or 253 say that it begins, 251 that there is none, 252 that it begins and that there
    /// is more, 458 that it cannot begin, 459 that it may not (1985-5.1-a).
    Etrn {
        /// Answers ETRN.
        ticket: Ticket,
        /// Whose mail it asks for. Nothing proves that it is the client's.
        node: QueueNode<'i>,
    },
    /// A proxy says for whom it speaks (Postfix's XCLIENT). Comes only if XCLIENT is offered:
    /// [offer](super::Server::offer) it to peers that may, and to nobody else (XCLIENT-e).
    ///
    /// Accepting it has the session begin afresh, with another greeting (220): what is known of the
    /// client is to be replaced by what the attributes say, and the client says EHLO again. It has
    /// authenticated itself if LOGIN names somebody. Refuse the proxy with 550, and the client that
    /// it speaks for as you would refuse its connection, with 421 or 554.
    XClient {
        /// Answers XCLIENT.
        ticket: Ticket,
        /// What is known of the client. What is not among them stays as it was.
        attributes: Attributes<'i>,
    },
    /// A filter or a relay says whom the next message is from (Postfix's XFORWARD), for the record
    /// only. Comes only if XFORWARD is offered, like [`XClient`](Self::XClient).
    ///
    /// The first one after a transaction makes all other attributes unknown; they hold up to the end
    /// of the next transaction (XFORWARD-b).
    XForward {
        /// Answers XFORWARD.
        ticket: Ticket,
        /// What is known of the message's way so far.
        attributes: Attributes<'i>,
    },
    /// The client sends a command that the configuration gives to the application: by
    /// [name](super::Config::command), or because [nobody knows it](super::Config::unknown_commands).
    /// All that came before it has been decided. Accepting it answers 250, and 221 to QUIT.
    Command {
        /// Answers the command.
        ticket: Ticket,
        /// The verb, in the case in which it was sent.
        verb: Word<'i>,
        /// What stands after it.
        argument: Option<Argument<'i>>,
    },
    /// The machine itself refused a command: for its syntax, for its place in the sequence, for an
    /// extension that is not offered, or beyond a limit.
    Rejected {
        /// What the machine answers, unless that is [reworded](Self::Reply). Only LMTP's BDAT LAST
        /// without an accepted recipient has no answer (2033-4.3-b).
        reply: Reply<'static>,
        /// Why.
        reason: Reason,
        /// The line without its CR LF, and without a credential; empty if it was over-long or a
        /// line of an authentication exchange. It may hold any bytes.
        line: &'i [u8],
    },
    /// The machine is about to give a reply of its own. Comes only if they are to be
    /// [reviewed](super::Config::review).
    ///
    /// Accepting it sends it; another reply in its place is to be of the same class, and of the same
    /// code if that is 221 or 421. If the time for verdicts runs out, it goes as it is.
    Reply {
        /// Answers the command with the machine's words, or others.
        ticket: Ticket,
        /// What the machine would say.
        reply: Reply<'static>,
        /// Why.
        reason: Reason,
        /// The transaction under way, if there is one, or the one whose content is answered.
        transaction: Option<TransactionId>,
    },
    /// Tells how sure it is that the client knows of an accepted message that it was accepted.
    ///
    /// Comes exactly once for each accepted message: when its reply is known to have arrived, or at
    /// the end of the session. A client that does not know sends the message again
    /// (RFC 5321 6.1, RFC 1047): compare what it sends next with just those messages.
    Acknowledged {
        /// The transaction whose message was accepted.
        transaction: TransactionId,
        /// How sure it is.
        certainty: Certainty,
    },
    /// Tells in LMTP, as [`Acknowledged`](Self::Acknowledged) does in SMTP, how sure it is that the
    /// client knows of a message that it was accepted for a recipient. Comes exactly once for each
    /// [`Delivery`](Self::Delivery) that was accepted.
    DeliveryAcknowledged {
        /// The transaction whose message was accepted.
        transaction: TransactionId,
        /// Which of the accepted recipients it was accepted for, as in `Delivery`.
        recipient: usize,
        /// How sure it is.
        certainty: Certainty,
    },
    /// The client takes its leave; 221 is on its way.
    Quit,
    /// The session is over after QUIT. Nothing more comes.
    Closed,
}

impl Event<'_> {
    /// Takes out the right to answer, if the event gives one.
    ///
    /// With it, and [`Server::decline`](super::Server::decline), no command stays unanswered that an
    /// application does not care for.
    pub fn into_ticket(self) -> Option<Ticket> {
        match self {
            Self::Connected { ticket }
            | Self::Hello { ticket, .. }
            | Self::StartTls { ticket }
            | Self::Auth { ticket, .. }
            | Self::AuthResponse { ticket, .. }
            | Self::Mail { ticket, .. }
            | Self::Rcpt { ticket, .. }
            | Self::Data { ticket, .. }
            | Self::Message { ticket, .. }
            | Self::Delivery { ticket, .. }
            | Self::Vrfy { ticket, .. }
            | Self::Expn { ticket, .. }
            | Self::Help { ticket, .. }
            | Self::Etrn { ticket, .. }
            | Self::XClient { ticket, .. }
            | Self::XForward { ticket, .. }
            | Self::Command { ticket, .. }
            | Self::Reply { ticket, .. } => Some(ticket),
            Self::Content { .. }
            | Self::Reset { .. }
            | Self::Rejected { .. }
            | Self::Acknowledged { .. }
            | Self::DeliveryAcknowledged { .. }
            | Self::Quit
            | Self::Closed => None,
        }
    }
}

/// Names a transaction, and so its message, within one connection.
///
/// Later transactions compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(NonZeroU64);

impl TransactionId {
    /// Names the first transaction of a session.
    pub(super) const FIRST: Self = Self(NonZeroU64::MIN);

    /// Names the transaction after this one.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl core::fmt::Display for TransactionId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells why the machine says or does something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Reason {
    /// The client sent RSET.
    Reset,
    /// The client introduced itself anew.
    Hello,
    /// The client sent QUIT.
    Quit,
    /// The client sent NOOP.
    Noop,
    /// A chunk that is not the last of its message was taken.
    Chunk,
    /// The connection or the session ends.
    Ended,
    /// The content holds a bare CR or LF (RFC 5321 2.3.8).
    BareLineBreak,
    /// The message exceeds the largest that is taken.
    TooLarge,
    /// A BDAT came out of its place, or content by DATA where only BDAT may carry it (RFC 3030 2).
    ChunkFailed,
    /// The line is no command that anybody knows.
    Unrecognised,
    /// The verb is the other dialect's: EHLO in LMTP, LHLO in SMTP (RFC 2033 4.1).
    WrongDialect,
    /// The line is longer than commands may be.
    LineTooLong,
    /// A command line ends in LF alone, or holds one (RFC 5321 2.3.8).
    BareLineFeed,
    /// The client begins with another protocol.
    ForeignProtocol,
    /// MAIL does not name a sender.
    BadSender,
    /// RCPT does not name a recipient.
    BadRecipient,
    /// Another argument, or a parameter, is malformed.
    BadArgument,
    /// BDAT does not say how many bytes follow.
    BadChunkSize,
    /// The command is not in its place.
    OutOfPlace,
    /// The command is known, and not offered.
    NotImplemented,
    /// A parameter is not offered.
    NotOffered,
    /// All recipients were refused.
    NoRecipients,
    /// The greeting was negative, and the command is not QUIT.
    TurnedAway,
    /// TLS has to come first.
    TlsRequired,
    /// Authentication has to come first.
    AuthenticationRequired,
    /// The sender needs SMTPUTF8.
    SenderNotAscii,
    /// The recipient needs SMTPUTF8.
    RecipientNotAscii,
    /// The mechanism is not offered.
    MechanismUnknown,
    /// A response of an authentication exchange is too long.
    ResponseTooLong,
    /// A response of an authentication exchange is not base64.
    NotBase64,
    /// The client broke an authentication exchange off.
    AuthenticationCancelled,
    /// The transaction has as many recipients as it may.
    TooManyRecipients,
    /// The client made too many errors, or too many commands to no purpose.
    TooManyErrors,
    /// The client goes on sending what is refused.
    TooMuchRefused,
    /// The session has lasted as long, or taken as much, as it may.
    SessionLimit,
    /// The client spoke before its turn.
    Early,
    /// The client, or the application at the greeting, took too long.
    TimedOut,
}

/// Tells how sure it is that a reply reached the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The reply was not even handed to the transport as a whole.
    Unsent,
    /// The transport took the reply. Whether the client got it is not known.
    Sent,
    /// The client sent QUIT after the transport had taken the reply.
    Probable,
    /// The client went on with what it may send only once it had read a later reply.
    Confirmed,
}

/// Gives the right to answer one command, once.
///
/// Give it to [`Server::accept`](super::Server::accept) or
/// [`Server::reply`](super::Server::reply) of the server that it came from, from any task, in any
/// order, within the time for verdicts. A ticket that is dropped leaves the command unanswered until
/// that time is over.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "the client waits for an answer to this command"]
pub struct Ticket {
    connection: u32,
    serial: u64,
    /// Whether it is for a reply of the machine's own, which may stand in a command's place that
    /// another ticket was for.
    is_review: bool,
}

impl Ticket {
    pub(super) fn new(connection: u32, serial: u64, is_review: bool) -> Self {
        Self {
            connection,
            serial,
            is_review,
        }
    }

    /// Returns the place of the command that it answers, if that is of this connection.
    pub(super) fn serial(&self, connection: u32) -> Option<u64> {
        (self.connection == connection).then_some(self.serial)
    }

    /// Returns whether it is for a reply of the machine's own.
    pub(super) fn is_review(&self) -> bool {
        self.is_review
    }
}

/// Tells that an answer could not be taken, and hands the ticket back.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{misuse}")]
pub struct Refused {
    /// The right to answer; still good unless [`misuse`](Self::misuse) tells otherwise.
    pub ticket: Ticket,
    /// What was wrong.
    #[source]
    pub misuse: Misuse,
}
