//! The whole knowledge of what a client may send when, and what may answer it.
//!
//! One row a command. Everything else in the client asks this table.

use crate::machine::{Step, Timer};
use crate::syntax::{Class, Code};

/// How far a client runs ahead of the replies, least first.
///
/// This is [`Pipelining`](super::Pipelining) as it is in force: what was asked for, lowered to what
/// the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    LockStep,
    Group,
    LookAhead,
    Stream,
}

/// What a client sends, as far as replies go: everything that gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    /// Connecting, which the greeting answers.
    Connect,
    Ehlo,
    Helo,
    Lhlo,
    StartTls,
    #[cfg_attr(
        not(feature = "auth"),
        expect(dead_code, reason = "AUTH needs its feature")
    )]
    /// AUTH, with or without an initial response.
    Auth,
    #[cfg_attr(
        not(feature = "auth"),
        expect(dead_code, reason = "AUTH needs its feature")
    )]
    /// A line of an authentication exchange.
    AuthResponse,
    Reset,
    Mail,
    Recipient,
    Data,
    /// Content and the dot that ends it.
    Content,
    /// LMTP's verdict on a content for one recipient (RFC 2033 4.2).
    RecipientContent,
    /// The dot that ends a content which must not be sent (RFC 2920 3.1).
    LoneDot,
    /// A chunk with more to come.
    Chunk,
    /// The chunk that ends the content.
    LastChunk,
    /// A command of the application's, between messages.
    Own,
    Quit,
}

/// Which replies can answer a command, refusals (4yz, 5yz) apart, which always can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Success {
    /// 220 only.
    Greeting,
    /// 2yz, but for 220 and 221, which greet and bid farewell.
    Completed,
    /// 3yz, but for 334, which belongs to AUTH.
    GoAhead,
    /// 2yz, but for 220 and 221; or 334, which asks for more.
    Exchange,
    /// 2yz.
    Farewell,
}

/// What holds for one command.
struct Rule {
    /// From which level on the next command may follow while this one is unanswered; `None` where
    /// it ends its group at every level.
    follow: Option<Level>,
    success: Success,
    timer: Timer,
    /// What the machine is doing while the reply is out, for errors.
    state: &'static str,
}

const fn rule(verb: Verb) -> Rule {
    use Level::{Group, LookAhead, Stream};
    use Success::{Completed, Exchange, Farewell, GoAhead, Greeting};
    use Timer::{Command, DataInitiation, DataTermination, Quit};
    // RFC 2920 3.1 names the commands that end a group; HELO is not named and ends one too. The
    // timers are RFC 5321 4.5.3.2.
    let (follow, success, timer, state) = match verb {
        Verb::Connect => (None, Greeting, Timer::Greeting, "waiting for the greeting"),
        Verb::Ehlo => (None, Completed, Command, "waiting for the reply to EHLO"),
        Verb::Lhlo => (None, Completed, Command, "waiting for the reply to LHLO"),
        // RFC 3207 4: the handshake comes before anything else.
        Verb::StartTls => (None, Greeting, Command, "waiting for the reply to STARTTLS"),
        Verb::Auth => (None, Exchange, Command, "waiting for the reply to AUTH"),
        Verb::AuthResponse => (
            None,
            Exchange,
            Command,
            "waiting for the reply to a response",
        ),
        Verb::Helo => (None, Completed, Command, "waiting for the reply to HELO"),
        Verb::Reset => (
            Some(Group),
            Completed,
            Command,
            "waiting for the reply to RSET",
        ),
        Verb::Mail => (
            Some(Group),
            Completed,
            Command,
            "waiting for the reply to MAIL",
        ),
        Verb::Recipient => (
            Some(Group),
            Completed,
            Command,
            "waiting for the reply to RCPT",
        ),
        Verb::Data => (
            None,
            GoAhead,
            DataInitiation,
            "waiting for the reply to DATA",
        ),
        // The content may be the first "command" of the next group (RFC 2920 3.1).
        Verb::Content => (
            Some(LookAhead),
            Completed,
            DataTermination,
            "waiting for the reply to the content",
        ),
        Verb::RecipientContent => (
            Some(LookAhead),
            Completed,
            DataTermination,
            "waiting for the reply to the content",
        ),
        Verb::LoneDot => (
            Some(LookAhead),
            Completed,
            DataTermination,
            "waiting for the reply to the lone dot",
        ),
        // RFC 3030 4.2: chunks follow each other unanswered; the last one is like a final dot.
        Verb::Chunk => (
            Some(Stream),
            Completed,
            Command,
            "waiting for the reply to BDAT",
        ),
        Verb::LastChunk => (
            Some(LookAhead),
            Completed,
            DataTermination,
            "waiting for the reply to BDAT LAST",
        ),
        // RFC 2920 3.1: what no extension says otherwise of ends its group.
        Verb::Own => (
            None,
            Completed,
            Command,
            "waiting for the reply to a command of the application's",
        ),
        Verb::Quit => (None, Farewell, Quit, "waiting for the reply to QUIT"),
    };
    Rule {
        follow,
        success,
        timer,
        state,
    }
}

impl Verb {
    /// Tells whether another command may follow at `level` while this one is unanswered.
    pub(super) fn may_be_followed(self, level: Level) -> bool {
        rule(self).follow.is_some_and(|least| least <= level)
    }

    /// Tells whether a reply with this code can be the answer to this command.
    pub(super) fn may_be_answered(self, code: Code) -> bool {
        let value = code.value();
        match code.class() {
            Class::Transient | Class::Permanent => true,
            Class::Positive => match rule(self).success {
                Success::Greeting => value == 220,
                Success::Completed | Success::Exchange => !matches!(value, 220 | 221),
                Success::GoAhead => false,
                Success::Farewell => true,
            },
            Class::Intermediate => match rule(self).success {
                Success::GoAhead => value != 334,
                Success::Exchange => value == 334,
                Success::Greeting | Success::Completed | Success::Farewell => false,
            },
        }
    }

    /// Tells whether it comes before any message.
    pub(super) fn is_preliminary(self) -> bool {
        use Verb::{Auth, AuthResponse, Connect, Ehlo, Helo, Lhlo, StartTls};
        matches!(
            self,
            Connect | Ehlo | Helo | Lhlo | StartTls | Auth | AuthResponse
        )
    }

    /// Returns what a reply to it answers, as applications see it.
    pub(super) fn step(self) -> Step {
        match self {
            Self::Connect => Step::Greeting,
            Self::Ehlo | Self::Helo | Self::Lhlo => Step::Hello,
            Self::StartTls => Step::StartTls,
            Self::Auth | Self::AuthResponse => Step::Auth,
            Self::Reset => Step::Reset,
            Self::Mail => Step::Mail,
            Self::Recipient => Step::Recipient,
            Self::Data => Step::Data,
            Self::Content
            | Self::RecipientContent
            | Self::LoneDot
            | Self::Chunk
            | Self::LastChunk => Step::Content,
            Self::Own => Step::Command,
            Self::Quit => Step::Quit,
        }
    }

    /// Returns the timer that runs while the answer is out.
    pub(super) fn timer(self) -> Timer {
        rule(self).timer
    }

    /// Returns what the machine is doing while the answer is out.
    pub(super) fn state(self) -> &'static str {
        rule(self).state
    }
}
