//! The replies that are the server's own: those that the machine gives by itself, and those with
//! which its driver stands in for an application.
//!
//! A driver has to say something where its application failed, or has nothing to say about what was
//! left to it. The functions here have the words for that:
//!
//! ```
//! use smtp_proto::server::{Refused, Server, Ticket, replies};
//!
//! fn settle(machine: &mut Server, ticket: Ticket, found: std::io::Result<()>) -> Result<(), Refused> {
//!     match found {
//!         Ok(()) => machine.accept(ticket),
//!         Err(_) => machine.reply(ticket, replies::local_error()),
//!     }
//! }
//! ```

use super::event::Reason;
use crate::machine::Dialect;
use crate::syntax::{Class, Code, Reply};

// All carry enhanced codes, but for the greeting, the answers to EHLO and HELO, and 354
// (2034-4-a, 2034-4-b).
macro_rules! replies {
    ($($name:ident $line:literal;)*) => {
        $(pub(super) static $name: Reply<'static> = Reply::fixed(concat!($line, "\r\n"));)*
    };
}

replies! {
    DONE "250 2.0.0 OK";
    SENDER_TAKEN "250 2.1.0 Sender OK";
    RECIPIENT_TAKEN "250 2.1.5 Recipient OK";
    CHUNK_TAKEN "250 2.0.0 Chunk OK";
    MESSAGE_TAKEN "250 2.0.0 Message accepted";
    NOT_VERIFIED "252 2.5.0 Not verified, but mail will be tried";
    START_TLS "220 2.0.0 Ready to start TLS";
    AUTHENTICATED "235 2.7.0 Authentication successful";
    HELP "214 2.0.0 See RFC 5321";
    QUEUE_STARTED "250 2.0.0 Queuing started";
    START_CONTENT "354 End content with <CRLF>.<CRLF>";
    SHUTTING_DOWN "421 4.3.2 Service shutting down and closing transmission channel";
    LOCAL_ERROR "451 4.3.0 Local error in processing";
    OVERDUE "451 4.3.0 No answer in time, try again later";
    TOO_MANY_RECIPIENTS "452 4.5.3 Too many recipients";
    TLS_UNAVAILABLE "454 4.7.0 TLS not available, try again later";
    AUTHENTICATION_UNAVAILABLE "454 4.7.0 Authentication not available, try again later";
    QUEUE_UNAVAILABLE "458 4.3.0 Unable to queue messages";
    RESPONSE_TOO_LONG "500 5.5.6 Authentication line too long";
    NOT_BASE64 "501 5.5.2 Response is not base64";
    AUTHENTICATION_CANCELLED "501 5.7.0 Authentication cancelled";
    MECHANISM_UNKNOWN "504 5.5.4 Authentication mechanism not available";
    NO_SERVICE "554 5.3.2 No service here";
    DECLINED "550 5.7.0 Not accepted here";
    TLS_REQUIRED "530 5.7.0 Issue STARTTLS first";
    AUTHENTICATION_REQUIRED "530 5.7.0 Authentication required";
    LINE_TOO_LONG "500 5.5.2 Line too long";
    BARE_LINE_FEED "500 5.5.2 Line has a bare LF, closing connection";
    SAY_EHLO "500 5.5.1 This is SMTP, say EHLO";
    SAY_LHLO "500 5.5.1 This is LMTP, say LHLO";
    UNRECOGNISED "500 5.5.2 Command not recognised";
    BAD_ARGUMENT "501 5.5.4 Syntax error in the argument";
    BAD_SENDER "501 5.1.7 Syntax error in the sender";
    BAD_RECIPIENT "501 5.1.3 Syntax error in the recipient";
    BAD_CHUNK_SIZE "501 5.5.4 Chunk size not understood, closing connection";
    NOT_IMPLEMENTED "502 5.5.1 Command not implemented";
    OUT_OF_PLACE "503 5.5.1 Bad sequence of commands";
    TURNED_AWAY "503 5.3.2 No service, QUIT is all that is left";
    NOT_SMTP "521 5.5.1 This is SMTP, closing connection";
    SENDER_NOT_ASCII "550 5.6.7 Address needs SMTPUTF8";
    NOT_AUTHORISED "550 5.7.0 Not authorised";
    BARE_LINE_BREAK "550 5.6.0 Content has a bare CR or LF";
    TOO_LARGE "552 5.3.4 Message too large";
    TOO_MUCH_REFUSED "552 5.3.4 Too much of what is refused, closing connection";
    RECIPIENT_NOT_ASCII "553 5.6.7 Address needs SMTPUTF8";
    NO_VALID_RECIPIENTS "554 5.5.1 No valid recipients";
    EARLY "554 5.5.0 Sent on without waiting for the reply, closing connection";
    NOT_OFFERED "555 5.5.4 Parameter not offered";
}

/// Returns the reply to whatever could not be decided for a fault of the server's own: 451 (RFC 5321
/// 4.2.3). The client tries again later.
pub fn local_error() -> Reply<'static> {
    LOCAL_ERROR.clone()
}

/// Returns the reply with which to [shut down](super::Server::shut_down) a session for no fault of the
/// client's: 421 (RFC 5321 3.8).
pub fn shutting_down() -> Reply<'static> {
    SHUTTING_DOWN.clone()
}

/// Returns the reply to STARTTLS that is offered while there is nobody to do TLS: 454 (RFC 3207 4).
pub fn tls_unavailable() -> Reply<'static> {
    TLS_UNAVAILABLE.clone()
}

/// Returns the reply to AUTH by a mechanism that is offered and that nobody knows: 504 (RFC 4954 4).
pub fn mechanism_unknown() -> Reply<'static> {
    MECHANISM_UNKNOWN.clone()
}

/// Returns the reply to ETRN that nobody handles: 458 (RFC 1985 5.1).
pub fn queue_unavailable() -> Reply<'static> {
    QUEUE_UNAVAILABLE.clone()
}

/// Returns the reply to XCLIENT of a proxy that nobody knows: 550.
pub fn not_authorised() -> Reply<'static> {
    NOT_AUTHORISED.clone()
}

/// Returns the reply to a [command](super::Config::command) that was left to the application, and that
/// nobody handles: 502 (RFC 5321 4.2.4).
pub fn not_implemented() -> Reply<'static> {
    NOT_IMPLEMENTED.clone()
}

/// The words of a reply of the machine's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wording {
    /// The same on every server.
    Fixed(&'static Reply<'static>),
    /// One line with the name of the server between what stands before and after it (5321-4.2-j).
    Named(&'static [&'static str; 2]),
    /// The greeting, which tells the dialect.
    Greeting,
    /// The answer to EHLO, which lists what is offered.
    Offer,
}

impl Wording {
    /// Returns the code.
    pub(super) fn code(self) -> Code {
        match self {
            Self::Fixed(reply) => reply.code(),
            Self::Named([before, _]) => before
                .get(..3)
                .and_then(|digits| Code::new(digits.parse().ok()?).ok())
                .unwrap_or(Code::NOT_AVAILABLE),
            Self::Greeting => Code::READY,
            Self::Offer => Code::OK,
        }
    }

    /// Returns whether it says yes, as 354 does to DATA.
    pub(super) fn is_positive(self) -> bool {
        matches!(self.code().class(), Class::Positive | Class::Intermediate)
    }
}

/// Returns what stands before and after the name of the server in the greeting.
pub(super) fn greeting(dialect: Dialect) -> &'static [&'static str; 2] {
    match dialect {
        Dialect::Smtp => &["220 ", " ESMTP\r\n"],
        Dialect::Lmtp => &["220 ", " LMTP\r\n"],
    }
}

/// The answer to HELO, which lists no extensions (5321-3.2-a).
pub(super) const HELO: Wording = Wording::Named(&["250 ", "\r\n"]);
/// The answer to QUIT.
pub(super) const GOODBYE: Wording = Wording::Named(&["221 2.0.0 ", " closing connection\r\n"]);
/// What is said to a client, or for an application after the greeting, that took too long.
pub(super) const TIMED_OUT: Wording =
    Wording::Named(&["421 4.4.2 ", " timed out, closing connection\r\n"]);

/// Returns what the machine says for a reason of its own.
pub(super) fn wording(reason: Reason, dialect: Dialect) -> Wording {
    Wording::Fixed(match reason {
        Reason::Reset | Reason::Hello | Reason::Noop => &DONE,
        Reason::Quit => return GOODBYE,
        Reason::Chunk => &CHUNK_TAKEN,
        Reason::Ended => &SHUTTING_DOWN,
        Reason::BareLineBreak => &BARE_LINE_BREAK,
        Reason::TooLarge => &TOO_LARGE,
        // Not 421, which would have it sent again for days (BDT-7).
        Reason::TooMuchRefused => &TOO_MUCH_REFUSED,
        Reason::Unrecognised => &UNRECOGNISED,
        Reason::WrongDialect => match dialect {
            Dialect::Smtp => &SAY_EHLO,
            Dialect::Lmtp => &SAY_LHLO,
        },
        Reason::LineTooLong => &LINE_TOO_LONG,
        Reason::BareLineFeed => &BARE_LINE_FEED,
        Reason::ForeignProtocol => &NOT_SMTP,
        Reason::BadSender => &BAD_SENDER,
        Reason::BadRecipient => &BAD_RECIPIENT,
        Reason::BadArgument => &BAD_ARGUMENT,
        Reason::BadChunkSize => &BAD_CHUNK_SIZE,
        Reason::ChunkFailed | Reason::OutOfPlace => &OUT_OF_PLACE,
        Reason::NotImplemented => &NOT_IMPLEMENTED,
        Reason::NotOffered => &NOT_OFFERED,
        Reason::NoRecipients => &NO_VALID_RECIPIENTS,
        Reason::TurnedAway => &TURNED_AWAY,
        Reason::TlsRequired => &TLS_REQUIRED,
        Reason::AuthenticationRequired => &AUTHENTICATION_REQUIRED,
        Reason::SenderNotAscii => &SENDER_NOT_ASCII,
        Reason::RecipientNotAscii => &RECIPIENT_NOT_ASCII,
        Reason::MechanismUnknown => &MECHANISM_UNKNOWN,
        Reason::ResponseTooLong => &RESPONSE_TOO_LONG,
        Reason::NotBase64 => &NOT_BASE64,
        Reason::AuthenticationCancelled => &AUTHENTICATION_CANCELLED,
        Reason::TooManyRecipients => &TOO_MANY_RECIPIENTS,
        Reason::Early => &EARLY,
        Reason::TooManyErrors => {
            return Wording::Named(&["421 4.7.0 ", " too many errors, closing connection\r\n"]);
        }
        Reason::SessionLimit => {
            return Wording::Named(&[
                "421 4.7.0 ",
                " session limit reached, closing connection\r\n",
            ]);
        }
        Reason::TimedOut => return TIMED_OUT,
    })
}
