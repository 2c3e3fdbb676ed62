//! What may come when: the whole of it, for every verb in every state.
//!
//! Nothing else in the server decides whether a command is in its place, what it waits for, whether
//! others may follow it unanswered, or which replies answer it.

use crate::syntax::{Class, Code, Verb};

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

/// Returns what the table says of `verb`; nothing of verbs that are not SMTP's.
///
/// The octets of a BDAT that is not admitted are swallowed, and what it was part of fails.
#[rustfmt::skip]
pub(super) fn rule(verb: Verb) -> Option<Rule> {
    use Admission::{Breaks as B, NoRecipients as R, NotImplemented as N, OutOfPlace as O, Take as T};
    use Place::{Any, Last};
    use Waits::{Envelope, Everything, Nothing, Sender};

    let (waits, place, admissions) = match verb {
        //                                               away  -  Ready Mail Rcpt Chunks Failed
        Verb::Ehlo | Verb::Helo => (Everything, Last, [O,    T,    T,   T,   T,   T,     T]),
        Verb::Mail              => (Sender,     Any,  [O,    O,    T,   O,   O,   O,     O]),
        Verb::Rcpt              => (Sender,     Any,  [O,    O,    O,   T,   T,   O,     O]),
        Verb::Data              => (Envelope,   Last, [O,    O,    O,   R,   T,   B,     O]),
        Verb::Bdat              => (Envelope,   Any,  [O,    O,    O,   R,   T,   T,     O]),
        Verb::Rset              => (Sender,     Any,  [O,    T,    T,   T,   T,   T,     T]),
        Verb::Noop              => (Nothing,    Last, [O,    T,    T,   T,   T,   T,     T]),
        Verb::Vrfy              => (Nothing,    Last, [O,    T,    T,   T,   T,   T,     T]),
        Verb::Expn | Verb::Help => (Nothing,    Last, [O,    T,    T,   T,   T,   T,     T]),
        // 221 leaves behind all that is owed, as every reply does.
        Verb::Quit              => (Sender,     Last, [T,    T,    T,   T,   T,   T,     T]),
        // Their rows, once they are there:
        //   STARTTLS              (Everything, Last, [O,    O,    T,   O,   O,   O,     O])
        //   AUTH                  (Everything, Last, [O,    O,    T,   O,   O,   O,     O])
        Verb::StartTls | Verb::Auth | Verb::Etrn
                                => (Nothing,    Last, [O,    N,    N,   N,   N,   N,     N]),
        _ => return None,
    };
    Some(Rule { waits, place, admissions })
}

/// What a ticket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Greeting,
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Message,
    Vrfy,
    Expn,
    Help,
}

impl Asked {
    /// Tells whether an application may answer with `code` (L4 of the requirements).
    ///
    /// The positive answers to EHLO, HELO and DATA are the machine's.
    pub(super) fn takes(self, code: Code) -> bool {
        match (code.class(), self) {
            (Class::Positive, Self::Greeting) => code == Code::READY,
            (Class::Positive, Self::Ehlo | Self::Helo | Self::Data) => false,
            (Class::Positive, _) => code != Code::READY && code != Code::CLOSING,
            (Class::Intermediate, _) => false,
            (Class::Transient | Class::Permanent, _) => true,
        }
    }

    /// Tells whether no further command is handled before the answer.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Greeting | Self::Ehlo | Self::Helo | Self::Data)
    }
}
