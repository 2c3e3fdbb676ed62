//! What a client reports.

use alloc::boxed::Box;
use core::{error, fmt};

use super::body_error::BodyError;
use crate::{
    machine::{Answer, Fault, Step},
    syntax::{Class, Extension, Reply},
};

/// Names a submitted message for the life of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId(pub(super) u64);

impl MessageId {
    /// Returns how many messages had been submitted to the client before this one.
    pub fn index(self) -> u64 {
        self.0
    }
}

/// Names a command of the application's for the life of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(super) u64);

/// Names the message whose content the client wants next, and from where on.
///
/// Hand it back with what is presented: bytes that answer another request than the one in force count
/// as nothing, so that no message ever gets another's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BodyRequest {
    /// The message.
    pub message: MessageId,
    /// The position in the content, from 0 on, of the first byte that is wanted. A content that has
    /// to be sent more than once is asked for again from 0.
    pub offset: u64,
}

/// Presents content to [`Client::poll_transmit`](super::Client::poll_transmit).
///
/// Bytes are presented again until [`Transmit::wrote`](crate::framing::Transmit::wrote) reports them
/// consumed, with more after them or not.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// The next bytes; more follow.
    Chunk(&'a [u8]),
    /// The last bytes, maybe none.
    Last(&'a [u8]),
    /// The content cannot be had, for this reason if there is one to tell: the message must not be sent.
    Failed(Option<&'a BodyError>),
}

impl core::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Chunk(bytes) => write!(f, "Chunk({} bytes)", bytes.len()),
            Self::Last(bytes) => write!(f, "Last({} bytes)", bytes.len()),
            Self::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
        }
    }
}

/// Tells what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// The server greeted.
    Greeting {
        /// Its greeting, 220.
        reply: Reply<'i>,
    },
    /// The server offered TLS and refused it, and the session goes on in clear, as
    /// [`Tls::Opportunistic`](super::Tls::Opportunistic) has it.
    TlsDeclined {
        /// Its answer to STARTTLS.
        reply: Reply<'i>,
    },
    /// The session is open: [`capabilities`](super::Client::capabilities) tells what the server
    /// offers, and messages are being sent.
    Ready,
    /// The server refused to be told [whom a message is from](super::Envelope::xforward). The message
    /// goes on.
    ForwardingRefused {
        /// The message.
        message: MessageId,
        /// The server's answer to XFORWARD.
        reply: Reply<'i>,
    },
    /// The server answered one recipient.
    ///
    /// Provisional: for a proxy, whose own client waits for just this. What becomes of the message for
    /// the recipient follows.
    RecipientAnswered {
        /// The message.
        message: MessageId,
        /// The recipient's position in the envelope.
        recipient: usize,
        /// The server's answer to RCPT.
        reply: Reply<'i>,
    },
    /// What became of a message for one recipient: the verdict of an LMTP server (RFC 2033 4.2), or
    /// of the transaction that the recipient was in, where a message takes several.
    RecipientFinished {
        /// The message.
        message: MessageId,
        /// The recipient's position in the envelope.
        recipient: usize,
        /// What became of the message for this recipient.
        outcome: Outcome<'i>,
    },
    /// A message has come to its end. This is the last event about it, and there is exactly one.
    Finished {
        /// The message.
        message: MessageId,
        /// What became of it, for each recipient that was not refused by a
        /// [`RecipientAnswered`](Self::RecipientAnswered) event of its own, nor had a
        /// [`RecipientFinished`](Self::RecipientFinished). If all had one: delivered, if to any.
        outcome: Outcome<'i>,
    },
    /// The server answered a [command](super::Client::command) of the application's.
    Answered {
        /// The command.
        command: CommandId,
        /// The answer, positive or negative.
        reply: Reply<'i>,
    },
    /// The session ended before a command of the application's was answered. Whether the server has
    /// carried it out is not known.
    Unanswered {
        /// The command.
        command: CommandId,
    },
    /// The session ended in good order, after [`quit`](super::Client::quit).
    Closed,
}

impl Event<'_> {
    /// Copies what is borrowed, so that the event can live on.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Greeting { reply } => Event::Greeting {
                reply: reply.into_owned(),
            },
            Self::TlsDeclined { reply } => Event::TlsDeclined {
                reply: reply.into_owned(),
            },
            Self::Ready => Event::Ready,
            Self::ForwardingRefused { message, reply } => Event::ForwardingRefused {
                message,
                reply: reply.into_owned(),
            },
            Self::RecipientAnswered {
                message,
                recipient,
                reply,
            } => Event::RecipientAnswered {
                message,
                recipient,
                reply: reply.into_owned(),
            },
            Self::RecipientFinished {
                message,
                recipient,
                outcome,
            } => Event::RecipientFinished {
                message,
                recipient,
                outcome: outcome.into_owned(),
            },
            Self::Finished { message, outcome } => Event::Finished {
                message,
                outcome: outcome.into_owned(),
            },
            Self::Answered { command, reply } => Event::Answered {
                command,
                reply: reply.into_owned(),
            },
            Self::Unanswered { command } => Event::Unanswered { command },
            Self::Closed => Event::Closed,
        }
    }
}

/// Tells what cancelling a message costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cancellation {
    /// Nothing: nothing of it was sent.
    Unsent,
    /// A RSET: its sender, maybe some recipients, were sent, and no DATA.
    Withdrawn,
    /// The connection, unless the server refuses the message by itself: it waits for the content,
    /// and would take a part for the whole.
    EndsConnection,
}

/// Tells what became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Outcome<'i> {
    /// The server took the message, and with it the duty to deliver it or to report its failure.
    Delivered(Reply<'i>),
    /// The server refused it: for now if the reply is 4yz, for good if it is 5yz.
    Refused(Answer<'i>),
    /// It was not sent, or not to its end: the server did not take it, and it is safe to send it
    /// again.
    NotSent(NotSent),
    /// Its end was offered to the transport and no reply came: the server may have taken it or not.
    /// Sending it again may deliver it twice (RFC 1047).
    InDoubt,
}

impl<'a> Outcome<'a> {
    /// Returns what a server's verdict on a content means, which ended with that step.
    pub(super) fn by(step: Step, reply: Reply<'a>) -> Self {
        match reply.is_positive() {
            true => Self::Delivered(reply),
            false => Self::Refused(Answer { step, reply }),
        }
    }

    /// Copies what is borrowed, so that the outcome can live on.
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Delivered(reply) => Outcome::Delivered(reply.into_owned()),
            Self::Refused(answer) => Outcome::Refused(answer.into_owned()),
            Self::NotSent(reason) => Outcome::NotSent(reason),
            Self::InDoubt => Outcome::InDoubt,
        }
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered(reply) => write!(f, "delivered: {reply}"),
            Self::Refused(answer) => write!(f, "refused: {answer}"),
            Self::NotSent(why) => write!(f, "not sent: {why}"),
            Self::InDoubt => f.write_str("in doubt: it may have been delivered"),
        }
    }
}

impl Outcome<'static> {
    /// Returns what a proxy answers its own client, for whom it has passed the message on: what the server
    /// has said, as far as that is about the message, [in ASCII](Reply::in_ascii).
    ///
    /// What may succeed another time is answered 451. So is doubt: whoever keeps the message sends it
    /// again then, which is right (RFC 1047), and what is wrong between the proxy and its server refuses
    /// no message for good.
    pub fn relayed(self) -> Reply<'static> {
        match self {
            Self::Delivered(reply) => reply.in_ascii(),
            Self::Refused(answer) => answer.reply.in_ascii(),
            Self::NotSent(why) if why.is_about_message() => {
                let said = why.answer.map(|answer| answer.reply.in_ascii());
                said.unwrap_or_else(|| NOT_PASSED_ON.clone())
            }
            Self::NotSent(_) | Self::InDoubt => NOT_NOW.clone(),
        }
    }
}

/// What a proxy says that cannot pass a message on, now or at all, with nobody's words for it.
pub(crate) const NOT_NOW: Reply<'static> =
    Reply::fixed("451 4.4.0 It cannot be passed on now, try again later\r\n");
pub(crate) const NOT_PASSED_ON: Reply<'static> =
    Reply::fixed("554 5.6.0 It cannot be passed on\r\n");

/// Tells why a message was not sent, and which reply, or what else, was the cause of it, if anything was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NotSent {
    /// Why.
    pub reason: NotSentReason,
    /// The reply that caused it.
    pub answer: Option<Box<Answer<'static>>>,
    /// What the source of its content said, where that [failed](NotSentReason::BodyFailed): the
    /// [source](error::Error::source) of this.
    pub body_error: Option<BodyError>,
}

impl NotSent {
    /// Creates it with the reply that caused it.
    pub fn answered(reason: NotSentReason, answer: Answer<'_>) -> Self {
        Self {
            answer: Some(Box::new(answer.into_owned())),
            ..reason.into()
        }
    }

    /// Creates that of a message whose content cannot be had.
    pub(super) fn without_body(why: Option<&BodyError>) -> Self {
        Self {
            body_error: why.cloned(),
            ..NotSentReason::BodyFailed.into()
        }
    }

    /// Returns whether it is the message that will not be taken, and not the session that did not come
    /// about.
    fn is_about_message(&self) -> bool {
        let is_of_session = matches!(
            self.reason,
            NotSentReason::SessionRefused
                | NotSentReason::TlsUnavailable
                | NotSentReason::AuthenticationFailed
        );
        self.is_permanent() && !is_of_session
    }

    /// Returns whether this server will not take the message as it is, whenever it is sent again.
    pub fn is_permanent(&self) -> bool {
        match &self.reason {
            NotSentReason::ConnectionEnded
            | NotSentReason::LimitReached
            | NotSentReason::NeedsBodyAgain
            | NotSentReason::BodyFailed
            | NotSentReason::XClientUnavailable
            | NotSentReason::NoMechanism
            | NotSentReason::CredentialUnprotected
            | NotSentReason::UnreadableChallenge
            | NotSentReason::ServerUnproven
            | NotSentReason::ServerUnverified
            | NotSentReason::OnlyVerified
            | NotSentReason::Cancelled => false,
            NotSentReason::SessionRefused
            | NotSentReason::TlsUnavailable
            | NotSentReason::AuthenticationFailed => self
                .answer
                .as_ref()
                .is_some_and(|answer| answer.reply.class() == Class::Permanent),
            NotSentReason::NotForAll => self
                .answer
                .as_ref()
                .is_none_or(|answer| answer.reply.class() == Class::Permanent),
            NotSentReason::ExtensionMissing(_)
            | NotSentReason::CommandTooLong { .. }
            | NotSentReason::TooLarge { .. }
            | NotSentReason::BareLineBreak { .. }
            | NotSentReason::LongLine => true,
        }
    }
}

impl From<NotSentReason> for NotSent {
    fn from(reason: NotSentReason) -> Self {
        Self {
            reason,
            answer: None,
            body_error: None,
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Some(answer) => write!(f, "{}: {answer}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl error::Error for NotSent {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let why = self.body_error.as_ref()?;
        Some(why.get())
    }
}

/// Tells why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum NotSentReason {
    /// The connection ended before its turn or before its end; the machine's error tells why.
    #[error("the connection ended")]
    ConnectionEnded,
    /// The server refused the session: its greeting, or its answer to HELO or XCLIENT.
    #[error("{}", Fault::SessionRefused)]
    SessionRefused,
    /// TLS is required, and the server does not offer it or refused it.
    #[error("{}", Fault::TlsUnavailable)]
    TlsUnavailable,
    /// [XCLIENT](super::Config::xclient) is required, and the server does not take all that it has to say.
    #[error("{}", Fault::XClientUnavailable)]
    #[cfg_attr(feature = "serde", serde(rename = "xclient-unavailable"))]
    XClientUnavailable,
    /// Authentication is required, and the server refused it.
    #[error("{}", Fault::AuthenticationFailed)]
    AuthenticationFailed,
    /// Authentication is required, and the server offers no mechanism that the client has.
    #[error("{}", Fault::NoMechanism)]
    NoMechanism,
    /// Authentication is required, and the connection is not protected as
    /// [`credentials_over`](super::Config::credentials_over) demands.
    #[error("{}", Fault::CredentialUnprotected)]
    CredentialUnprotected,
    /// Authentication is required, and the server asked what cannot be read or answered.
    #[error("{}", Fault::UnreadableChallenge)]
    UnreadableChallenge,
    /// Authentication is required, and the server did not prove that it knows the password.
    #[error("{}", Fault::ServerUnproven)]
    ServerUnproven,
    /// The message may travel over verified TLS only (REQUIRETLS, RFC 8689), and the connection is in
    /// clear, or the server is not known to be who it has to be.
    #[error("the message needs TLS with a verified server")]
    ServerUnverified,
    /// The session may carry no more messages, or no more recipients' domains (RFC 9422); or the server has
    /// put off recipients of the message too often.
    #[error("the server's limit for a session is reached")]
    LimitReached,
    /// The message has more recipients than the server takes at once, and its content could not be
    /// presented again for the others.
    #[error("its content would be needed again")]
    NeedsBodyAgain,
    /// The message goes to [all of its recipients or to none](super::Envelope::all_or_none), and one was
    /// refused, by the answer that is told; or, without an answer, the server takes fewer at once.
    #[error("not every recipient was accepted")]
    NotForAll,
    /// The recipient was accepted, and [that was all that was asked](super::Envelope::verify_only).
    #[error("the recipients were only to be verified")]
    OnlyVerified,
    /// The message needs what the server does not offer, or not so far: a time to deliver by that
    /// is below the server's minimum, a hold that is beyond its maximum.
    #[error("the server does not offer {}", .0.keyword())]
    ExtensionMissing(Extension),
    /// MAIL, or the recipient's RCPT, would be longer than the server takes with the extensions that it
    /// offers (RFC 5321 4.5.3.1.4, RFC 1869 4.1.2).
    #[error("the server takes no command of more than {limit} bytes")]
    CommandTooLong {
        /// The server's limit, CR LF included.
        limit: usize,
    },
    /// The message has more bytes than the server takes (RFC 1870 7).
    #[error("the server takes no more than {maximum} bytes")]
    TooLarge {
        /// The server's maximum.
        maximum: u64,
    },
    /// The source of its content failed, or broke its promise:
    /// [`NotSent::body_error`] says how.
    #[error("its content could not be read")]
    BodyFailed,
    /// Its content holds a bare CR or LF, and [`LineBreaks::Normalize`](crate::framing::LineBreaks) is
    /// not in force.
    #[error("its content holds a bare CR or LF at byte {at}; LineBreaks::Normalize makes it CR LF")]
    BareLineBreak {
        /// The position in the content, from 0 on.
        at: u64,
    },
    /// Its content has a line of more than 998 bytes, and
    /// [`long_lines`](super::Config::long_lines) refuses that.
    #[error("its content has a line of more than 998 bytes")]
    LongLine,
    /// The caller cancelled it.
    #[error("it was cancelled")]
    Cancelled,
}
