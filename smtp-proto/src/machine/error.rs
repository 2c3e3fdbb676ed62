//! Why a connection ended, and what a caller did wrong.

use alloc::boxed::Box;
use core::fmt;

use thiserror::Error;

use super::{
    answer::Answer, excerpt::Excerpt, foreign::ForeignProtocol, remark::Remark, timer::Timer,
    tls_info::UnverifiedReason,
};
use crate::syntax::Class;

/// Tells why a machine gave the connection up.
///
/// It is final: the machine returns it again for ever, takes no more input and closes the
/// connection once its farewell is written. Before the first return a client yields the outcome
/// of every unfinished message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{fault}{}{}{remark}", Aside(fault, state), Words(answer.as_deref(), excerpt))]
pub struct Error {
    fault: Fault,
    state: &'static str,
    excerpt: Excerpt,
    answer: Option<Box<Answer<'static>>>,
    remark: Remark,
}

/// Displays a state in brackets, where the fault does not say the same already.
struct Aside<'e>(&'e Fault, &'static str);

impl fmt::Display for Aside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Fault::TimedOut(timer), state) if timer.words() == *state => Ok(()),
            Self(_, state) => write!(f, " ({state})"),
        }
    }
}

/// Displays what the peer said: a reply to its end, where a server may say what to do about it.
struct Words<'e>(Option<&'e Answer<'static>>, &'e Excerpt);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(answer), _) => write!(f, ": {}", answer.reply),
            Self(None, excerpt) => excerpt.fmt(f),
        }
    }
}

impl Error {
    pub(crate) fn new(fault: Fault, state: &'static str, bytes: &[u8]) -> Self {
        Self {
            fault,
            state,
            excerpt: Excerpt::new(bytes),
            answer: None,
            remark: Remark::default(),
        }
    }

    /// Adds what else is to be known of it.
    pub(crate) fn remarking(self, remark: Remark) -> Self {
        Self { remark, ..self }
    }

    /// Creates the error that a server's reply has led to.
    pub(crate) fn answered(fault: Fault, state: &'static str, answer: Answer<'_>) -> Self {
        Self {
            answer: Some(Box::new(answer.clone().into_owned())),
            ..Self::new(fault, state, answer.reply.as_bytes())
        }
    }

    /// Returns what went wrong.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns what the machine was doing, as words.
    pub fn state(&self) -> &'static str {
        self.state
    }

    /// Returns the server's reply that has led to it, whole, and what that answered; only a client's
    /// errors have one.
    pub fn answer(&self) -> Option<&Answer<'static>> {
        self.answer.as_deref()
    }

    /// Returns whether another connection, later, may do better: nothing said that it cannot.
    ///
    /// A server that refuses for good (5yz), or whose replies no longer match, is not transient; a
    /// connection that was lost, a timer and a 4yz reply are.
    pub fn is_transient(&self) -> bool {
        let is_final = |answer: &Answer<'_>| answer.reply.class() == Class::Permanent;
        match self.fault {
            Fault::SessionRefused | Fault::TlsUnavailable | Fault::AuthenticationFailed => {
                !self.answer.as_deref().is_some_and(is_final)
            }
            fault => fault.is_transient(),
        }
    }

    /// Returns the offending bytes, bounded; empty where none were at fault.
    pub fn excerpt(&self) -> &Excerpt {
        &self.excerpt
    }
}

/// Names what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Fault {
    /// The peer closed the connection before its time.
    #[error("the connection was closed by the peer")]
    ConnectionLost,
    /// The driver reported that it could not write, and no verdict was left to read.
    #[error("the connection could not be written to")]
    WriteFailed,
    /// A timer fired.
    #[error("timed out {0}")]
    TimedOut(Timer),
    /// A reply is not a reply (RFC 5321 4.2).
    #[error("the server sent a malformed reply")]
    MalformedReply,
    /// A reply goes beyond [`limits::REPLY_LINE`](super::limits::REPLY_LINE) or [`limits::REPLY_TOTAL`](super::limits::REPLY_TOTAL).
    #[error("the server sent a reply beyond all limits")]
    ReplyTooLong,
    /// A reply came that answers no command: replies and commands no longer match.
    #[error("the server sent a reply that answers no command")]
    SurplusReply,
    /// A reply cannot answer the command whose turn it is: replies and commands no longer match.
    #[error("the server sent a reply that cannot answer the command")]
    ImpossibleReply,
    /// RSET was refused, so that nothing is known of the server's transaction.
    #[error("the server refused RSET")]
    ResetRefused,
    /// Content was accepted, or asked for, in a transaction that had been refused: another
    /// envelope may have been used.
    #[error("the server went on with a transaction that it had refused")]
    RefusedTransactionContinued,
    /// Bytes came in clear where TLS begins: after STARTTLS, after its 220, or instead of a
    /// handshake. They may be an attacker's (CVE-2011-0411, CVE-2021-38371).
    #[error("the peer sent bytes in clear where TLS begins")]
    BytesBeforeTls,
    /// The server reads the content that it refuses as commands, against RFC 3030 2, so that nobody knows
    /// what its replies answer.
    #[error("the server reads refused content as commands")]
    ChunkExecuted,
    /// The server does not offer what it offered the last time, and what was sent relied on that.
    #[error("the server does not offer any more what it was known to offer")]
    CapabilitiesChanged,
    /// The TLS handshake failed, or the connection ended after it before the peer had said anything:
    /// by TLS 1.3 so ends one whose certificate is refused.
    #[error("the TLS handshake failed")]
    TlsFailed,
    /// The peer is not known to be who it has to be, so that the TLS handshake was given up.
    #[error("the TLS handshake failed: {0}")]
    Unverified(UnverifiedReason),
    /// The server offers no TLS, or refuses it, and it is required.
    #[error("TLS is required and cannot be had")]
    TlsUnavailable,
    /// The server does not take all that is to be said by XCLIENT, and that is required.
    #[error("XCLIENT is required and not offered, or not with all that it has to say")]
    #[cfg_attr(feature = "serde", serde(rename = "xclient-unavailable"))]
    XClientUnavailable,
    /// The server refused an authentication that is required.
    #[error("the server refused the authentication")]
    AuthenticationFailed,
    /// The server offers no mechanism that the client has. The error's words name both; a program that
    /// decides by the offer is asked before (`client::Config::choose_mechanisms`).
    #[error("the server offers no authentication that the client knows")]
    NoMechanism,
    /// The server offers a mechanism that the client has, but the connection is not protected as its
    /// credentials need it: in clear, or with a peer that is not verified.
    #[error("the connection is not protected as the credentials need it")]
    CredentialUnprotected,
    /// A challenge of the server's could not be read, or was one too many.
    #[error("the server sent a challenge that cannot be answered")]
    UnreadableChallenge,
    /// The server accepted without having proven that it knows the password, or failed to prove it.
    #[error("the server has not proven that it knows the password")]
    ServerUnproven,
    /// The server announced that it closes the connection (421).
    #[error("the server is closing the connection")]
    Closing,
    /// The server does not serve this client: its greeting, or its answer to EHLO or XCLIENT, is
    /// negative.
    #[error("the server refused the session")]
    SessionRefused,
    /// Content could not be completed: its source failed, broke its promise, or holds a bare CR or
    /// LF, and the connection had to be closed to keep the server from taking a part for the whole.
    #[error("the content of a message could not be completed")]
    ContentAbandoned,
    /// The client spoke before the greeting (RFC 5321 4.3.1).
    #[error("the client spoke before the greeting")]
    EarlyTalker,
    /// The client began with another protocol. It was answered once.
    #[error("the client speaks {0} in place of SMTP")]
    ForeignProtocol(ForeignProtocol),
    /// The client sent commands together that may not be (RFC 2920 3.1).
    #[error("the client pipelined where it may not")]
    ImproperPipelining,
    /// The client made too many errors, or too many commands to no purpose.
    #[error("the client made too many errors or idle commands")]
    TooManyErrors,
    /// The client goes on sending what was refused, beyond all limits.
    #[error("the client sent too much of what was refused")]
    TooMuchRefused,
    /// A BDAT command without a usable size, after which commands cannot be told from content.
    #[error("the client sent BDAT without a usable size")]
    MalformedChunk,
    /// A command line of the client's holds an LF that no CR stands before (RFC 5321 2.3.8): what one
    /// server takes for one command may be two to another.
    #[error("the client sent a bare LF in a command line")]
    BareLineFeed,
    /// The session has lasted as long, or brought as much, as it may.
    #[error("the session reached a limit")]
    SessionLimit,
    /// The application shut the session down.
    #[error("the session was shut down")]
    ShutDown,
}

impl Fault {
    /// Returns the result type by which a report on TLS tells of it (RFC 8460 4.3); `None` if it is no
    /// failure of TLS. Those that have to do with the DNS and with policies are yours to find.
    pub fn tls_result_type(self) -> Option<&'static str> {
        match self {
            Self::TlsUnavailable => Some("starttls-not-supported"),
            Self::TlsFailed | Self::BytesBeforeTls => Some("validation-failure"),
            Self::Unverified(reason) => reason.result_type(),
            _ => None,
        }
    }

    /// Returns whether the same may not happen again on another connection, as far as the fault alone
    /// tells.
    fn is_transient(self) -> bool {
        matches!(
            self,
            Self::ConnectionLost
                | Self::WriteFailed
                | Self::TimedOut(_)
                | Self::Closing
                | Self::CapabilitiesChanged
                | Self::TlsFailed
                | Self::Unverified(_)
                | Self::ShutDown
                | Self::ContentAbandoned
        )
    }
}

/// Tells what a caller asked for that cannot be done now.
///
/// The machine's state is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection is ending or has ended, by the peer, by the transport or by a limit.
    #[error("the connection is ending")]
    Ending,
    /// The session was told to end when all that had been submitted is done.
    #[error("quit was called before")]
    Quit,
    /// As many messages are waiting as the configuration allows.
    #[error("too many messages are waiting")]
    QueueFull,
    /// The envelope has no recipient.
    #[error("the envelope has no recipient")]
    NoRecipient,
    /// The server takes no more recipients at once, or in this session (RFC 9422).
    #[error("the server takes no more recipients")]
    RecipientLimit,
    /// No such message is waiting or under way.
    #[error("no such message is under way")]
    UnknownMessage,
    /// The end of the message may have left already.
    #[error("it is too late to cancel the message")]
    TooLate,
    /// The command was answered in the application's stead, as its verdict was overdue.
    #[error("the verdict came too late")]
    Expired,
    /// The ticket is another connection's, or its command needs no answer any more.
    #[error("the ticket is not open on this connection")]
    UnknownTicket,
    /// The name of a SASL mechanism is none (RFC 4422 3.1).
    #[error("not the name of a SASL mechanism")]
    InvalidMechanism,
    /// The settings may change only while certain tickets are open.
    #[error("no ticket is open at which the settings may change")]
    SettingsFixed,
    /// No TLS handshake is due.
    #[error("no TLS handshake is due")]
    NoHandshake,
    /// The session is not open for commands of the application's: EHLO is not answered yet.
    #[error("the session is not open yet")]
    NotOpen,
    /// The machine sends this command by itself, or could not follow what it does.
    #[error("the command is not the application's to send")]
    ReservedCommand,
    /// The command exceeds [`limits::OWN_COMMAND`](super::limits::OWN_COMMAND).
    #[error("the command is too long for a line")]
    CommandTooLong,
    /// The server does not offer what the command needs.
    #[error("the server does not offer what the command needs")]
    NotOffered,
    /// The reply's text is not ASCII where RFC 6531 3.7.4 demands it;
    /// [`in_ascii`](crate::syntax::Reply::in_ascii) makes it so.
    #[error("the text of this reply must be ASCII")]
    NotAscii,
    /// The reply's class cannot answer this command.
    #[error("a reply of this class cannot answer this command")]
    WrongReplyClass,
}
