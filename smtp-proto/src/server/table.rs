//! What may come when, what it waits for, which replies answer it, and what follows: the whole of it,
//! for every verb in every state.
//!
//! Nothing else in the server decides these, and nothing but
//! [`Progress`](super::progress::Progress) assigns the state. What is an exception elsewhere is a
//! value of a column here.

use super::replies::{self, Wording};
use crate::machine::{Dialect, Misuse};
use crate::syntax::{self, Class, Code, Command, Extension, Reply};

/// What a client does that gets a reply, and what a ticket stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Connecting, which the greeting answers.
    Connect,
    /// The TLS handshake, which nothing answers.
    Handshake,
    Ehlo,
    Lhlo,
    Helo,
    StartTls,
    /// AUTH, and a line of its exchange.
    Auth,
    /// AUTH with an initial response.
    AuthAtOnce,
    Mail,
    Recipient,
    Data,
    /// A chunk with more to come.
    Chunk,
    /// The chunk that ends the content.
    LastChunk,
    /// Content by DATA, or the whole of the chunks: what the verdict over the message answers.
    Content,
    /// The content, for one accepted recipient in LMTP (RFC 2033 4.2).
    Delivery,
    Reset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    Etrn,
    XClient,
    XForward,
    Atrn,
    Burl,
    /// A command that the configuration gives to the application.
    Own,
    /// A command that nobody knows.
    Unknown,
}

/// How far the session and its transaction have come (L6 of the requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The greeting has not been decided.
    Connected,
    /// The greeting was negative: the client may only leave (5321-3.1-a).
    TurnedAway,
    /// Greeted, but the client has not introduced itself.
    Greeted,
    /// Between transactions.
    Ready,
    /// MAIL was accepted.
    Mail,
    /// And so was a recipient.
    Recipients,
    /// And a chunk that is not the last.
    Chunks,
    /// Content comes by DATA.
    Content,
    /// A chunk failed or came out of its place: nothing goes until RSET (RFC 3030 2).
    Failed,
}

/// Whether a command is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is.
    Take,
    /// It is where the configuration does not demand EHLO first.
    TakeUngreeted,
    /// It is unless the content is not lines, which only BDAT can carry: then as `Breaks` (3030-3-d).
    TakeLines,
    /// It is not: 503, and nothing changes (5321-4.1.4-g).
    OutOfPlace,
    /// It would need a valid recipient: 554, or 503 if none was even given (5321-3.3-h).
    NoRecipients,
    /// It is not, and the transaction fails by it: 503, up to RSET (3030-2-n).
    Breaks,
}

/// What a command needs where the configuration demands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Nothing,
    Tls,
    /// TLS and authentication.
    All,
}

/// What puts a command at the client's disposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    Always,
    /// One dialect has it, the other has another one in its place.
    By(Dialect),
    /// An extension that is offered.
    With(Extension),
    /// TLS that is configured, until it is there (3207-4.2-d).
    WithTls,
    /// Mechanisms that are offered, until one has led to an authentication (4954-4-a).
    WithMechanisms,
    /// Whatever is offered: the machine has nothing to do it with.
    Never,
}

/// Which verdicts must be in before a command is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Nothing,
    /// That over the MAIL of the transaction.
    Sender,
    /// That, and those over its RCPTs where there is room for another only if some are refused.
    Room,
    /// Those over the MAIL and the RCPTs of the transaction, not over earlier messages.
    Envelope,
    /// All.
    Everything,
}

/// Where in a group of pipelined commands a command may stand (24.1 of the requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the beginning: it is content (2920-3.1-f). After HELO nothing may follow it either, but Postfix
    /// and Exim look for that after commands alone, and old programs send QUIT along.
    First,
    /// Anywhere.
    Any,
    /// At the end: the client waits for the reply before it sends on (2920-3.1-c).
    Last,
}

/// When a command is one to no purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    Never,
    Always,
    /// Unless it is the first of its kind.
    Again,
    /// If it brings no content.
    Empty,
    /// If no MAIL has come since the last one.
    Undue,
}

/// Which state follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Same,
    /// This one.
    To(State),
    /// That outside of transactions, if it is inside.
    Outside,
    /// That of a failed transaction, if it is inside.
    Broken,
    /// That before EHLO, unless the greeting is still to come.
    Afresh,
}

/// What does not come to its end if a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoils {
    Nothing,
    /// What was sent along with it, which is out of place then by no fault of its own.
    Followers,
    /// The transaction that it is part of, up to RSET (3030-2-n).
    Transaction,
}

/// What the table says of one verb of a client's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// What it waits for: as it is usual, and in turn.
    waits: [Waits; 2],
    place: Place,
    pub(super) needs: Needs,
    pub(super) brought: Brought,
    idle: Idle,
    pub(super) spoils: Spoils,
    /// Whether it is taken in each state but those in which the client has to be silent, or to send
    /// content.
    pub(super) admissions: [Admission; 7],
    /// The state after yes, and after no.
    pub(super) next: [Next; 2],
}

/// Returns what the table says of `verb`.
#[rustfmt::skip]
pub(super) const fn rule(verb: Verb) -> &'static Rule {
    use Admission::{Breaks as B, NoRecipients as R, OutOfPlace as O};
    use Admission::{Take as T, TakeLines as L, TakeUngreeted as G};
    use Brought::{Always, By, Never, With, WithMechanisms, WithTls};
    use Next::{Afresh, Broken, Outside, Same, To};
    use Needs::{All, Nothing as No, Tls};
    use Place::{Any, First, Last};
    use State::{Chunks, Content, Greeted, Mail, Ready, Recipients, TurnedAway};
    use Waits::{Envelope, Everything, Nothing, Room, Sender};
    use Idle::{Again, Always as Idles, Empty, Never as Works, Undue};
    use Spoils::{Followers as Lead, Nothing as Keep, Transaction as Fail};

    const fn usual(waits: Waits) -> [Waits; 2] { [waits, waits] }
    const fn in_turn(waits: Waits) -> [Waits; 2] { [waits, Waits::Everything] }
    const NEVER: [Admission; 7] = [O; 7];

    // A row is made when this is compiled: to look one up takes no more than its address.
    macro_rules! row {
        ($waits:expr, $place:expr, $needs:expr, $brought:expr, $idle:expr, $spoils:expr, $admissions:expr, $next:expr) => {
            const {
                &Rule {
                    waits: $waits, place: $place, needs: $needs, brought: $brought,
                    idle: $idle, spoils: $spoils, admissions: $admissions, next: $next,
                }
            }
        };
    }

    match verb {
        // What comes without a command. Content waits for nothing: it is on its way.
        Verb::Connect   => row!(usual(Nothing),    Last, No,  Always,                    Works, Keep, NEVER, [To(Greeted), To(TurnedAway)]),
        Verb::Handshake => row!(usual(Nothing),    Last, No,  Always,                    Works, Keep, NEVER, [Afresh, Same]),
        Verb::Content   => row!(usual(Nothing),    First, No, Always,                    Works, Keep, NEVER, [Outside, Outside]),
        Verb::Delivery  => row!(usual(Nothing),    First, No, Always,                    Works, Keep, NEVER, [Same, Same]),
        //                                                                                            away Greeted Ready Mail Rcpt Chunks Failed
        Verb::Ehlo      => row!(usual(Everything), Last, No,  By(Dialect::Smtp),         Again, Keep, [O,    T,    T,   T,   T,   T,     T], [To(Ready), Same]),
        Verb::Lhlo      => row!(usual(Everything), Last, No,  By(Dialect::Lmtp),         Again, Keep, [O,    T,    T,   T,   T,   T,     T], [To(Ready), Same]),
        Verb::Helo      => row!(usual(Everything), Last, Tls, By(Dialect::Smtp),         Again, Keep, [O,    T,    T,   T,   T,   T,     T], [To(Ready), Same]),
        Verb::StartTls  => row!(usual(Everything), Last, No,  WithTls,                   Idles, Keep, [O,    T,    T,   O,   O,   O,     O], [Same, Same]),
        Verb::Auth      => row!(usual(Everything), Last, Tls, WithMechanisms,            Works, Keep, [O,    O,    T,   O,   O,   O,     O], [Same, Same]),
        // It may be the only response, so that commands may follow (4954-4-t).
        Verb::AuthAtOnce
                        => row!(usual(Everything), Any,  Tls, WithMechanisms,            Works, Keep, [O,    O,    T,   O,   O,   O,     O], [Same, Same]),
        Verb::Mail      => row!(in_turn(Sender),   Any,  All, Always,                    Works, Lead, [O,    G,    T,   O,   O,   O,     O], [To(Mail), Same]),
        Verb::Recipient => row!(in_turn(Room),     Any,  All, Always,                    Works, Keep, [O,    O,    O,   T,   T,   O,     O], [To(Recipients), Same]),
        Verb::Data      => row!(in_turn(Envelope), Last, All, Always,                    Works, Keep, [O,    O,    O,   R,   L,   B,     O], [To(Content), Same]),
        // The bytes of a BDAT that is refused are swallowed, and what it was part of fails.
        Verb::Chunk     => row!(in_turn(Envelope), Any,  All, With(Extension::Chunking), Empty, Fail, [O,    O,    O,   R,   T,   T,     O], [To(Chunks), Broken]),
        Verb::LastChunk => row!(in_turn(Envelope), Any,  All, With(Extension::Chunking), Works, Fail, [O,    O,    O,   R,   T,   T,     O], [Outside, Outside]),
        Verb::Reset     => row!(usual(Sender),     Any,  Tls, Always,                    Undue, Keep, [O,    T,    T,   T,   T,   T,     T], [Outside, Same]),
        Verb::Noop      => row!(usual(Nothing),    Last, No,  Always,                    Idles, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        Verb::Vrfy      => row!(usual(Nothing),    Last, All, Always,                    Idles, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        Verb::Expn      => row!(usual(Nothing),    Last, All, With(Extension::Expn),     Idles, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        Verb::Help      => row!(usual(Nothing),    Last, All, With(Extension::Help),     Idles, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        // 221 leaves after all that is owed, as every reply does.
        Verb::Quit      => row!(usual(Sender),     Last, No,  Always,                    Works, Keep, [T,    T,    T,   T,   T,   T,     T], [Same, Same]),
        // 1985-5-b, XFORWARD-c
        Verb::Etrn      => row!(usual(Sender),     Last, All, With(Extension::Etrn),     Idles, Keep, [O,    O,    T,   O,   O,   O,     O], [Same, Same]),
        Verb::XForward  => row!(usual(Sender),     Any,  All, With(Extension::XForward), Idles, Keep, [O,    O,    T,   O,   O,   O,     O], [Same, Same]),
        // A client whose attributes need several lines sends them together (XCLIENT-d).
        Verb::XClient   => row!(usual(Everything), Any,  Tls, With(Extension::XClient),  Idles, Keep, [O,    T,    T,   O,   O,   O,     O], [To(Greeted), Same]),
        Verb::Atrn      => row!(usual(Nothing),    Last, No,  Never,                     Works, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        // A whole transaction with BURL may be one group (4468-3.2-c).
        Verb::Burl      => row!(usual(Nothing),    Any,  No,  Never,                     Works, Keep, [O,    T,    T,   T,   T,   T,     T], [Same, Same]),
        // What 2920-3.1-e says of those that have no rule of their own.
        Verb::Own | Verb::Unknown
                        => row!(usual(Everything), Last, All, Always,                    Idles, Keep, [O,    O,    T,   T,   T,   T,     T], [Same, Same]),
    }
}

/// Which replies of the application's can answer, refusals apart, which always can (L4 of the
/// requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// None: the positive answer is the machine's.
    Refusals,
    /// 220, which greets.
    Greeting,
    /// 235.
    Authenticated,
    /// 221.
    Farewell,
    /// 2yz, but for 220 and 221.
    Completed,
}

/// Which answers never get an enhanced status code (2034-4-a, X-25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bare {
    Never,
    IfPositive,
    Always,
}

/// What the table says of the answer to one verb.
#[derive(Clone, Copy, Debug)]
struct Answering {
    takes: Takes,
    bare: Bare,
    /// Whether no further command is handled before it.
    holds: bool,
    /// Whether a refusal counts as an error of the client's, as in Postfix.
    counts: bool,
    /// Whether settings may change while it is due.
    settles: bool,
    /// What the machine says if it is accepted.
    accepted: Wording,
    /// And if the application takes too long.
    overdue: Wording,
    /// And if the application does not handle it.
    declined: Wording,
}

/// Returns what the table says of the answer to `verb`.
#[rustfmt::skip]
const fn answering(verb: Verb) -> &'static Answering {
    use replies as r;
    use Bare::{Always, IfPositive, Never};
    use Takes::{Authenticated, Completed, Farewell, Greeting, Refusals};
    use Wording::{Fixed, Greeting as Greets, Offer};

    macro_rules! row {
        ($takes:expr, $bare:expr, $holds:expr, $counts:expr, $settles:expr, $accepted:expr, $overdue:expr, $declined:expr) => {
            const {
                &Answering {
                    takes: $takes, bare: $bare, holds: $holds, counts: $counts, settles: $settles,
                    accepted: $accepted, overdue: $overdue, declined: $declined,
                }
            }
        };
    }

    match verb {
        //                                   takes          bare        holds  counts settles accepted                   overdue                                 declined
        Verb::Connect                => row!(Greeting,      Always,     true,  false, true,   Greets,                    r::TIMED_OUT,                           Fixed(&r::NO_SERVICE)),
        Verb::Ehlo | Verb::Lhlo      => row!(Refusals,      Always,     true,  false, true,   Offer,                     Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        Verb::Helo                   => row!(Refusals,      Always,     true,  false, true,   r::HELO,                   Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        Verb::StartTls               => row!(Refusals,      Never,      true,  false, false,  Fixed(&r::START_TLS),      Fixed(&r::TLS_UNAVAILABLE),             Fixed(&r::TLS_UNAVAILABLE)),
        Verb::Auth | Verb::AuthAtOnce
                                     => row!(Authenticated, Never,      true,  true,  true,   Fixed(&r::AUTHENTICATED),  Fixed(&r::AUTHENTICATION_UNAVAILABLE),  Fixed(&r::MECHANISM_UNKNOWN)),
        Verb::Mail                   => row!(Completed,     Never,      false, true,  true,   Fixed(&r::SENDER_TAKEN),   Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        Verb::Recipient              => row!(Completed,     Never,      false, true,  false,  Fixed(&r::RECIPIENT_TAKEN),Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        Verb::Data                   => row!(Refusals,      Never,      true,  false, false,  Fixed(&r::START_CONTENT),  Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        Verb::Content | Verb::Delivery
                                     => row!(Completed,     Never,      false, false, false,  Fixed(&r::MESSAGE_TAKEN),  Fixed(&r::OVERDUE),                     Fixed(&r::DECLINED)),
        // 252 promises nothing (5321-3.5.3-a).
        Verb::Vrfy                   => row!(Completed,     Never,      false, false, false,  Fixed(&r::NOT_VERIFIED),   Fixed(&r::OVERDUE),                     Fixed(&r::NOT_VERIFIED)),
        Verb::Expn                   => row!(Completed,     Never,      false, false, false,  Fixed(&r::NOT_VERIFIED),   Fixed(&r::OVERDUE),                     Fixed(&r::NOT_IMPLEMENTED)),
        Verb::Help                   => row!(Completed,     Never,      false, false, false,  Fixed(&r::HELP),           Fixed(&r::OVERDUE),                     Fixed(&r::HELP)),
        Verb::Quit                   => row!(Farewell,      Never,      true,  false, false,  r::GOODBYE,                r::GOODBYE,                             r::GOODBYE),
        Verb::Etrn                   => row!(Completed,     Never,      false, false, false,  Fixed(&r::QUEUE_STARTED),  Fixed(&r::OVERDUE),                     Fixed(&r::QUEUE_UNAVAILABLE)),
        // After it the greeting comes again.
        Verb::XClient                => row!(Greeting,      IfPositive, true,  false, true,   Greets,                    Fixed(&r::OVERDUE),                     Fixed(&r::NOT_AUTHORISED)),
        Verb::XForward               => row!(Completed,     Never,      false, false, false,  Fixed(&r::DONE),           Fixed(&r::OVERDUE),                     Fixed(&r::NOT_AUTHORISED)),
        Verb::Noop                   => row!(Completed,     Never,      true,  false, false,  Fixed(&r::DONE),           Fixed(&r::DONE),                        Fixed(&r::DONE)),
        Verb::Unknown                => row!(Completed,     Never,      true,  false, false,  Fixed(&r::DONE),           Fixed(&r::UNRECOGNISED),                Fixed(&r::UNRECOGNISED)),
        _                            => row!(Completed,     Never,      true,  false, false,  Fixed(&r::DONE),           Fixed(&r::OVERDUE),                     Fixed(&r::NOT_IMPLEMENTED)),
    }
}

impl Verb {
    /// Returns the row of a command; `Unknown` stands for all that have none.
    pub(super) fn of(command: &Command<'_>) -> Self {
        match command {
            Command::Bdat { last: true, .. } => Self::LastChunk,
            Command::Auth {
                initial_response: Some(_),
                ..
            } => Self::AuthAtOnce,
            _ => command.verb().map_or(Self::Unknown, Self::named),
        }
    }

    /// Returns the row of the verb with which a line begins.
    pub(super) fn named(verb: syntax::Verb) -> Self {
        match verb {
            syntax::Verb::Ehlo => Self::Ehlo,
            syntax::Verb::Helo => Self::Helo,
            syntax::Verb::Lhlo => Self::Lhlo,
            syntax::Verb::Mail => Self::Mail,
            syntax::Verb::Rcpt => Self::Recipient,
            syntax::Verb::Data => Self::Data,
            syntax::Verb::Bdat => Self::Chunk,
            syntax::Verb::Rset => Self::Reset,
            syntax::Verb::Noop => Self::Noop,
            syntax::Verb::Quit => Self::Quit,
            syntax::Verb::Vrfy => Self::Vrfy,
            syntax::Verb::Expn => Self::Expn,
            syntax::Verb::Help => Self::Help,
            syntax::Verb::StartTls => Self::StartTls,
            syntax::Verb::Auth => Self::Auth,
            syntax::Verb::Etrn => Self::Etrn,
            syntax::Verb::Atrn => Self::Atrn,
            syntax::Verb::Burl => Self::Burl,
            syntax::Verb::XClient => Self::XClient,
            syntax::Verb::XForward => Self::XForward,
        }
    }

    /// Returns what the command waits for, everything earlier if commands are taken in turn.
    pub(super) fn waits(self, is_in_turn: bool) -> Waits {
        let [usual, in_turn] = rule(self).waits;
        if is_in_turn { in_turn } else { usual }
    }

    /// Returns where in a group the command may stand.
    pub(super) fn place(self) -> Place {
        rule(self).place
    }

    /// Returns when the command is one to no purpose.
    pub(super) fn idle(self) -> Idle {
        rule(self).idle
    }

    /// Returns whether no further command is handled before the answer.
    pub(super) fn holds(self) -> bool {
        answering(self).holds
    }

    /// Returns whether a refusal is an error of the client's.
    pub(super) fn counts_refusals(self) -> bool {
        answering(self).counts
    }

    /// Returns whether settings may change while the answer is due.
    pub(super) fn lets_settings_change(self) -> bool {
        answering(self).settles
    }

    /// Returns whether the answer is the verdict over a message, as a whole or for a recipient.
    pub(super) fn is_of_message(self) -> bool {
        matches!(self, Self::Content | Self::Delivery)
    }

    /// Returns whether the answer is to AUTH or to a line of its exchange.
    pub(super) fn is_auth(self) -> bool {
        matches!(self, Self::Auth | Self::AuthAtOnce)
    }

    /// Returns whether a refusal leaves what was sent along with the command out of place.
    pub(super) fn has_followers(self) -> bool {
        rule(self).spoils == Spoils::Followers
    }

    /// Returns whether a reply of that code is the last of the session (5321-3.8-b; 7504-3, X-44).
    pub(super) fn is_closed_by(self, code: Code) -> bool {
        code == Code::NOT_AVAILABLE || self == Self::Connect && code == Code::NO_MAIL_SERVICE
    }

    /// Returns what the machine says if the application accepts.
    pub(super) fn accepted(self) -> Wording {
        answering(self).accepted
    }

    /// Returns what the machine says if the application takes too long.
    pub(super) fn overdue(self) -> Wording {
        answering(self).overdue
    }

    /// Returns what the machine says if the application does not handle it.
    pub(super) fn declined(self) -> Wording {
        answering(self).declined
    }

    /// Returns whether a reply of that class goes without an enhanced status code.
    pub(super) fn is_bare(self, class: Class) -> bool {
        match answering(self).bare {
            Bare::Never => false,
            Bare::IfPositive => class == Class::Positive,
            Bare::Always => true,
        }
    }

    /// Checks that an application may answer so; `may_be_utf8` tells whether the client takes more
    /// than ASCII (6531-3.7.4-a, -c, -e).
    pub(super) fn check(self, reply: &Reply<'_>, may_be_utf8: bool) -> Result<(), Misuse> {
        let code = reply.code();
        let takes = match (code.class(), answering(self).takes) {
            (Class::Transient | Class::Permanent, _) => true,
            (Class::Intermediate, _) | (Class::Positive, Takes::Refusals) => false,
            (Class::Positive, Takes::Greeting) => code == Code::READY,
            (Class::Positive, Takes::Authenticated) => code == Code::AUTHENTICATED,
            (Class::Positive, Takes::Farewell) => code == Code::CLOSING,
            (Class::Positive, Takes::Completed) => code != Code::READY && code != Code::CLOSING,
        };
        if !takes {
            return Err(Misuse::WrongReplyClass);
        }
        let carries_utf8 = match self {
            Self::Recipient => matches!(code.value(), 251 | 551),
            Self::Vrfy | Self::Expn => true,
            _ => false,
        };
        match reply.is_ascii() || may_be_utf8 && carries_utf8 {
            true => Ok(()),
            false => Err(Misuse::NotAscii),
        }
    }
}

/// Checks that a reply is negative, and in ASCII: what may end a session or refuse a content.
pub(super) fn check_negative(reply: &Reply<'_>) -> Result<(), Misuse> {
    match reply.class() {
        Class::Transient | Class::Permanent => Verb::Content.check(reply, false),
        Class::Positive | Class::Intermediate => Err(Misuse::WrongReplyClass),
    }
}

impl State {
    /// Returns the state as words, for errors.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Connected => "before the greeting",
            Self::TurnedAway => "after a negative greeting",
            Self::Greeted => "before EHLO",
            Self::Ready => "between transactions",
            Self::Mail => "in a transaction without recipients",
            Self::Recipients => "in a transaction with recipients",
            Self::Chunks => "between chunks",
            Self::Content => "in content",
            Self::Failed => "after a failed chunk",
        }
    }
}
