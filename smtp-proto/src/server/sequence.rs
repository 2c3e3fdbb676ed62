//! What may come when: the whole of it, for every verb in every state.
//!
//! Nothing else in the server decides whether a command is in its place, what it waits for, whether
//! others may follow it unanswered, or which replies answer it.

use crate::machine::{Dialect, Misuse};
use crate::syntax::{Class, Code, Reply, Verb};

/// How far the session and its transaction have come (L6 of the requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The greeting was negative: the client may only leave (5321-3.1-a).
    TurnedAway,
    /// Greeted, but the client has not introduced itself.
    Ungreeted,
    /// Between transactions.
    Ready,
    /// MAIL was accepted.
    Mail,
    /// And so was a recipient.
    Recipients,
    /// And a chunk that is not the last.
    Chunks,
    /// A chunk failed or came out of its place: nothing goes until RSET (RFC 3030 2).
    Failed,
}

impl State {
    /// Returns the state as words, for errors.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::TurnedAway => "after a negative greeting",
            Self::Ungreeted => "before EHLO",
            Self::Ready => "between transactions",
            Self::Mail => "in a transaction without recipients",
            Self::Recipients => "in a transaction with recipients",
            Self::Chunks => "between chunks",
            Self::Failed => "after a failed chunk",
        }
    }
}

/// Whether a command is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is.
    Take,
    /// It is not: 503, and nothing changes (5321-4.1.4-g).
    OutOfPlace,
    /// It would need a valid recipient: 554, or 503 if none was even given (5321-3.3-h).
    NoRecipients,
    /// It is not, and nothing but RSET helps now: 503 (3030-2-n).
    Breaks,
    /// It is known but not offered: 502 (5321-4.2.4-a).
    NotImplemented,
    /// TLS has to come first: 530 (3207-4-d).
    NeedsTls,
    /// Authentication has to come first: 530 (4954-6-c).
    NeedsAuthentication,
}

/// What a command needs where the configuration demands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// TLS.
    Tls,
    /// TLS and authentication.
    All,
}

/// Which verdicts must be in before a command is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// None.
    Nothing,
    /// That over the MAIL of the transaction.
    Sender,
    /// Those over the MAIL and the RCPTs of the transaction, not over earlier messages.
    Envelope,
    /// All.
    Everything,
}

/// Where in a group of pipelined commands a command may stand (24.1 of the requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere.
    Any,
    /// At the end: the client waits for the reply before it sends on (2920-3.1-c).
    Last,
}

/// What the table says of one verb.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) waits: Waits,
    pub(super) place: Place,
    pub(super) needs: Needs,
    admissions: [Admission; 7],
}

impl Rule {
    /// Returns what becomes of the command in `state`.
    pub(super) fn admission(&self, state: State) -> Admission {
        let [
            turned_away,
            ungreeted,
            ready,
            mail,
            recipients,
            chunks,
            failed,
        ] = self.admissions;
        match state {
            State::TurnedAway => turned_away,
            State::Ungreeted => ungreeted,
            State::Ready => ready,
            State::Mail => mail,
            State::Recipients => recipients,
            State::Chunks => chunks,
            State::Failed => failed,
        }
    }
}

/// Returns what the table says of `verb`; nothing of verbs that are not of the dialect.
///
/// The bytes of a BDAT that is not admitted are swallowed, and what it was part of fails.
#[rustfmt::skip]
pub(super) fn rule(verb: Verb, dialect: Dialect) -> Option<Rule> {
    use Admission::{Breaks as B, NoRecipients as R, NotImplemented as N, OutOfPlace as O, Take as T};
    use Needs::{All, Nothing as No, Tls};
    use Place::{Any, Last};
    use Waits::{Envelope, Everything, Nothing, Sender};

    let (waits, place, needs, admissions) = match (verb, dialect) {
        //
        (Verb::Ehlo | Verb::Helo, Dialect::Lmtp) | (Verb::Lhlo, Dialect::Smtp) => return None,
        //                                                           away  -  Ready Mail Rcpt Chunks Failed
        (Verb::Ehlo | Verb::Lhlo, _) => (Everything, Last, No,  [O,    T,    T,   T,   T,   T,     T]),
        (Verb::Helo, _)              => (Everything, Last, Tls, [O,    T,    T,   T,   T,   T,     T]),
        (Verb::StartTls, _)          => (Everything, Last, No,  [O,    O,    T,   O,   O,   O,     O]),
        // With an initial response, commands may follow (4954-4-t).
        (Verb::Auth, _)              => (Everything, Last, Tls, [O,    O,    T,   O,   O,   O,     O]),
        (Verb::Mail, _)              => (Sender,     Any,  All, [O,    O,    T,   O,   O,   O,     O]),
        (Verb::Rcpt, _)              => (Sender,     Any,  All, [O,    O,    O,   T,   T,   O,     O]),
        (Verb::Data, _)              => (Envelope,   Last, All, [O,    O,    O,   R,   T,   B,     O]),
        (Verb::Bdat, _)              => (Envelope,   Any,  All, [O,    O,    O,   R,   T,   T,     O]),
        (Verb::Rset, _)              => (Sender,     Any,  Tls, [O,    T,    T,   T,   T,   T,     T]),
        (Verb::Noop, _)              => (Nothing,    Last, No,  [O,    T,    T,   T,   T,   T,     T]),
        (Verb::Vrfy, _)              => (Nothing,    Last, All, [O,    T,    T,   T,   T,   T,     T]),
        (Verb::Expn | Verb::Help, _) => (Nothing,    Last, All, [O,    T,    T,   T,   T,   T,     T]),
        // 221 leaves after all that is owed, as every reply does.
        (Verb::Quit, _)              => (Sender,     Last, No,  [T,    T,    T,   T,   T,   T,     T]),
        // 1985-5-b, XFORWARD-c
        (Verb::Etrn, _)              => (Sender,     Last, All, [O,    O,    T,   O,   O,   O,     O]),
        (Verb::XForward, _)          => (Sender,     Any,  All, [O,    O,    T,   O,   O,   O,     O]),
        // A client whose attributes need several lines sends them together (XCLIENT-d).
        (Verb::XClient, _)           => (Everything, Any,  Tls, [O,    T,    T,   O,   O,   O,     O]),
        (Verb::Atrn, _)              => (Nothing,    Last, No,  [O,    N,    N,   N,   N,   N,     N]),
        // A whole transaction with BURL may be one group (4468-3.2-c).
        (Verb::Burl, _)              => (Nothing,    Any,  No,  [O,    N,    N,   N,   N,   N,     N]),
    };
    Some(Rule { waits, place, needs, admissions })
}

/// Returns what the table says of a verb of the application's: what 2920-3.1-e says of those that
/// have no rule of their own.
pub(super) fn rule_of_others() -> Rule {
    use Admission::{OutOfPlace as O, Take as T};
    Rule {
        waits: Waits::Everything,
        place: Place::Last,
        needs: Needs::All,
        admissions: [O, O, T, T, T, T, T],
    }
}

/// What a ticket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Greeting,
    Ehlo,
    Helo,
    Mail,
    Rcpt {
        /// Whether the transaction has SMTPUTF8.
        utf8: bool,
    },
    Data,
    Message,
    /// The message, for the accepted recipient of this number (2033-4.2-b).
    Delivery(u32),
    /// VRFY or EXPN.
    Name {
        /// Whether it has SMTPUTF8.
        utf8: bool,
    },
    Help,
    StartTls,
    Auth,
    Etrn,
    XClient {
        /// Whether the client that is spoken for has authenticated itself, if that is said.
        login: Option<bool>,
    },
    XForward,
    /// A command of the application's.
    Other,
}

impl Asked {
    /// Checks that an application may give that answer.
    pub(super) fn check(self, reply: &Reply<'_>) -> Result<(), Misuse> {
        if !self.takes(reply.code()) {
            return Err(Misuse::WrongReplyClass);
        }
        match reply.is_ascii() || self.takes_utf8(reply.code()) {
            true => Ok(()),
            false => Err(Misuse::NotAscii),
        }
    }

    /// Checks that an application may say that where nothing but a refusal has a meaning.
    pub(super) fn check_refusal(reply: &Reply<'_>) -> Result<(), Misuse> {
        match reply.class() {
            Class::Transient | Class::Permanent => Self::Message.check(reply),
            Class::Positive | Class::Intermediate => Err(Misuse::WrongReplyClass),
        }
    }

    /// Tells whether the text of an answer may be UTF-8 (6531-3.7.4-a, -c, -e).
    fn takes_utf8(self, code: Code) -> bool {
        match self {
            Self::Rcpt { utf8 } => utf8 && matches!(code.value(), 251 | 551),
            Self::Name { utf8 } => utf8,
            _ => false,
        }
    }

    /// Tells whether an application may answer with `code` (L4 of the requirements).
    ///
    /// The positive answers to EHLO, HELO, DATA and STARTTLS are the machine's.
    fn takes(self, code: Code) -> bool {
        match (code.class(), self) {
            (Class::Positive, Self::Greeting | Self::XClient { .. }) => code == Code::READY,
            (Class::Positive, Self::Auth) => code == Code::AUTHENTICATED,
            (Class::Positive, Self::Ehlo | Self::Helo | Self::Data | Self::StartTls) => false,
            (Class::Positive, _) => code != Code::READY && code != Code::CLOSING,
            (Class::Intermediate, _) => false,
            (Class::Transient | Class::Permanent, _) => true,
        }
    }

    /// Tells whether no further command is handled before the answer.
    pub(super) fn holds(self) -> bool {
        matches!(
            self,
            Self::Greeting
                | Self::Ehlo
                | Self::Helo
                | Self::Data
                | Self::StartTls
                | Self::Auth
                | Self::XClient { .. }
                | Self::Other
        )
    }

    /// Tells whether the answer is the verdict over a message, as a whole or for a recipient.
    pub(super) fn is_of_message(self) -> bool {
        matches!(self, Self::Message | Self::Delivery(_))
    }

    /// Returns the accepted recipient whose verdict it is, in LMTP.
    pub(super) fn recipient(self) -> Option<u32> {
        match self {
            Self::Delivery(recipient) => Some(recipient),
            _ => None,
        }
    }
}
