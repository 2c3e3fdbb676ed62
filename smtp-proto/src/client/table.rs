//! What a client sends when, what may answer it, and where that leads: one row a verb.
//!
//! Everything else in the client asks this table, and only [`Standing`] moves a session along it.

use crate::{
    machine::{Step, Timer, limits},
    syntax::{Capabilities, Class, Code},
};

/// How far a client runs ahead of the replies, least first.
///
/// This is [`Pipelining`](super::config::Pipelining) as it is in force: what was asked for, lowered
/// to what the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    LockStep,
    Group,
    LookAhead,
    Stream,
}

/// What a client sends, as far as replies go: everything that gets one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    /// Connecting, which the greeting answers.
    #[default]
    Connect,
    Ehlo,
    Helo,
    Lhlo,
    StartTls,
    /// AUTH, with or without an initial response.
    Auth,
    /// A line of an authentication exchange.
    AuthResponse,
    XClient,
    Reset,
    XForward,
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
    /// The commands of a [proof](super::proof).
    ProofMail,
    ProofChunk,
    ProofReset,
    /// A command of the application's, between messages.
    Own,
    Quit,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The TLS handshake is due.
    Handshake,
    /// Connected, not greeted.
    Connected,
    /// A command of the session's own is due.
    Due(Verb),
    /// It was sent.
    Asked,
    /// Messages may be sent.
    Ready,
    /// QUIT was sent.
    Leaving,
    /// The session is over.
    Closed,
}

/// How far a transaction has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing was sent.
    #[default]
    Waiting,
    /// Some XFORWARD was sent.
    Forwarded,
    /// MAIL was sent, and maybe some RCPT.
    Envelope,
    /// DATA was sent.
    Data,
    /// Content may be sent, or is being sent.
    Content,
    /// Some chunks were sent, not the last one.
    Chunks,
    /// DATA was accepted, but there is nobody to send to.
    LoneDot,
    /// Nothing more is to be sent.
    Over,
}

/// What has become of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Sent,
    /// 2yz, or 354 to DATA.
    Yes,
    /// 334.
    More,
    /// 4yz, 5yz.
    No,
}

/// A state that depends on more than the verb and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// What begins under TLS: the connection, or only the introduction.
    Handshake,
    /// How the client introduces itself, if it has not done so ahead of the greeting.
    Introduction,
    /// Whether the reply to EHLO is awaited (PIPECONNECT).
    Patience,
    /// How the client introduces itself where EHLO is not understood.
    Fallback,
    /// STARTTLS, XCLIENT, AUTH or messages: what is wanted, and offered.
    Protection,
    /// The next line of XCLIENT, or the introduction of the client that it has named.
    Another,
    /// What follows a refused STARTTLS.
    Clear,
    /// Messages, if the server has proved who it is, where it has to.
    Identity,
    /// What the client says to a challenge, if it can.
    Challenge,
    /// Another mechanism, if there is one that may help.
    Mechanism,
    /// The end of a session that is of no use.
    Refusal,
}

impl Choice {
    /// Returns every state that it may lead to.
    const fn leads_to(self) -> &'static [State] {
        use State::{Asked, Connected, Due, Ready};
        const QUIT: State = Due(Verb::Quit);
        match self {
            Self::Handshake => &[Connected, Due(Verb::Ehlo), Due(Verb::Lhlo)],
            Self::Introduction => &[Due(Verb::Ehlo), Due(Verb::Lhlo), Due(Verb::Helo), Ready],
            Self::Patience => &[Asked, Ready],
            Self::Fallback => &[Due(Verb::Helo), QUIT],
            Self::Protection => &[
                Due(Verb::StartTls),
                Due(Verb::XClient),
                Due(Verb::Auth),
                Ready,
                QUIT,
            ],
            Self::Another => &[Due(Verb::XClient), Due(Verb::Ehlo), Due(Verb::Lhlo)],
            Self::Clear => &[Due(Verb::XClient), Due(Verb::Auth), Ready, QUIT],
            Self::Identity => &[Ready, QUIT],
            Self::Challenge => &[Due(Verb::AuthResponse), QUIT],
            Self::Mechanism => &[Due(Verb::Auth), QUIT],
            Self::Refusal => &[QUIT],
        }
    }
}

/// Where a turn leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nowhere else.
    Stay,
    /// The session stands here.
    To(State),
    /// The transaction has come this far.
    At(Stage),
    /// The transaction has come to its content, or to the lone dot if nobody is left to have it.
    Go,
    /// One of several, as is [chosen](Choice).
    Choose(Choice),
}

/// Which replies can answer a command, refusals (4yz, 5yz) apart, which always can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Success {
    /// 220 only.
    Greeting,
    /// 220; or 250, of servers that do not begin anew.
    Anew,
    /// 2yz, but for 220 and 221, which greet and bid farewell.
    Completed,
    /// 3yz, but for 334, which belongs to AUTH.
    GoAhead,
    /// 2yz, but for 220 and 221; or 334, which asks for more.
    Exchange,
    /// 2yz.
    Farewell,
}

/// What holds for one verb.
struct Rule {
    step: Step,
    /// From which level on the next command may follow while this one is unanswered; `None` where
    /// it ends its group at every level.
    follow: Option<Level>,
    success: Success,
    timer: Timer,
    /// What the machine is doing while the reply is out, for errors.
    state: &'static str,
    sent: Next,
    yes: Next,
    no: Next,
}

/// Returns the row of a verb.
///
/// RFC 2920 3.1 names the commands that end a group; HELO is not named and ends one too, and so does
/// what no extension says otherwise of. Nothing follows STARTTLS before the handshake (RFC 3207 4).
/// The content may be the first "command" of the next group (RFC 2920 3.1); chunks follow each other
/// unanswered (RFC 3030 4.2), and the last one is like a final dot. XFORWARD says of itself that it may be
/// pipelined. The timers are RFC 5321 4.5.3.2.
#[rustfmt::skip]
const fn rule(verb: Verb) -> Rule {
    use Choice::{
        Another, Clear, Fallback, Identity, Introduction, Mechanism, Patience, Protection, Refusal,
    };
    use Level::{Group, LookAhead, Stream};
    use Next::{At, Choose, Go, Stay, To};
    use Stage::{Chunks, Envelope, Forwarded, Over};
    use State::{Asked, Closed, Handshake, Leaving};
    use Success::{Anew, Completed, Exchange, Farewell, GoAhead, Greeting};
    use Timer::{Command, DataInitiation, DataTermination};
    let (step, follow, success, timer, sent, yes, no, state) = match verb {
        Verb::Connect => (Step::Greeting, None, Greeting, Timer::Greeting,
            Stay, Choose(Introduction), Choose(Refusal), "waiting for the greeting"),
        Verb::Ehlo => (Step::Hello, None, Completed, Command,
            Choose(Patience), Choose(Protection), Choose(Fallback), "waiting for the reply to EHLO"),
        Verb::Helo => (Step::Hello, None, Completed, Command,
            To(Asked), Choose(Protection), Choose(Refusal), "waiting for the reply to HELO"),
        Verb::Lhlo => (Step::Hello, None, Completed, Command,
            To(Asked), Choose(Protection), Choose(Refusal), "waiting for the reply to LHLO"),
        Verb::StartTls => (Step::StartTls, None, Greeting, Command,
            To(Asked), To(Handshake), Choose(Clear), "waiting for the reply to STARTTLS"),
        Verb::Auth => (Step::Auth, None, Exchange, Command,
            To(Asked), Choose(Identity), Choose(Mechanism), "waiting for the reply to AUTH"),
        Verb::AuthResponse => (Step::Auth, None, Exchange, Command,
            To(Asked), Choose(Identity), Choose(Mechanism), "waiting for the reply to a response"),
        Verb::XClient => (Step::XClient, None, Anew, Command,
            To(Asked), Choose(Another), Choose(Refusal), "waiting for the reply to XCLIENT"),
        Verb::Reset => (Step::Reset, Some(Group), Completed, Command,
            Stay, Stay, Stay, "waiting for the reply to RSET"),
        Verb::XForward => (Step::XForward, Some(Group), Completed, Command,
            At(Forwarded), Stay, Stay, "waiting for the reply to XFORWARD"),
        Verb::Mail => (Step::Mail, Some(Group), Completed, Command,
            At(Envelope), Stay, Stay, "waiting for the reply to MAIL"),
        Verb::Recipient => (Step::Recipient, Some(Group), Completed, Command,
            At(Envelope), Stay, Stay, "waiting for the reply to RCPT"),
        Verb::Data => (Step::Data, None, GoAhead, DataInitiation,
            At(Stage::Data), Go, At(Over), "waiting for the reply to DATA"),
        Verb::Content => (Step::Content, Some(LookAhead), Completed, DataTermination,
            At(Over), Stay, Stay, "waiting for the reply to the content"),
        Verb::RecipientContent => (Step::Content, Some(LookAhead), Completed, DataTermination,
            At(Over), Stay, Stay, "waiting for the reply to the content"),
        Verb::LoneDot => (Step::Content, Some(LookAhead), Completed, DataTermination,
            At(Over), Stay, Stay, "waiting for the reply to the lone dot"),
        Verb::Chunk => (Step::Content, Some(Stream), Completed, Command,
            At(Chunks), Stay, At(Over), "waiting for the reply to BDAT"),
        Verb::LastChunk => (Step::Content, Some(LookAhead), Completed, DataTermination,
            At(Over), Stay, Stay, "waiting for the reply to BDAT LAST"),
        Verb::ProofMail => (Step::Mail, Some(Group), Completed, Command,
            Stay, Stay, Stay, "waiting for the reply to MAIL"),
        Verb::ProofChunk => (Step::Content, Some(LookAhead), Completed, Command,
            Stay, Stay, Stay, "waiting for the reply to a chunk that has to be refused"),
        Verb::ProofReset => (Step::Reset, Some(Group), Completed, Command,
            Stay, Stay, Stay, "waiting for the reply to RSET"),
        Verb::Own => (Step::Command, None, Completed, Command,
            Stay, Stay, Stay, "waiting for the reply to a command of the application's"),
        Verb::Quit => (Step::Quit, None, Farewell, Timer::Quit,
            To(Leaving), To(Closed), To(Closed), "waiting for the reply to QUIT"),
    };
    Rule { step, follow, success, timer, state, sent, yes, no }
}

impl Rule {
    /// Returns where a turn of this verb leads.
    const fn next(&self, turn: Turn) -> Next {
        match turn {
            Turn::Sent => self.sent,
            Turn::Yes => self.yes,
            Turn::More => Next::Choose(Choice::Challenge),
            Turn::No => self.no,
        }
    }
}

/// Where a session stands.
#[derive(Debug)]
pub(super) struct Standing(State);

impl Standing {
    /// Begins where the handshake, or the greeting, is awaited.
    pub(super) fn new(is_tls_first: bool) -> Self {
        Self(if is_tls_first {
            State::Handshake
        } else {
            State::Connected
        })
    }

    pub(super) fn state(&self) -> State {
        self.0
    }

    /// Moves the session on after a turn of a command, or returns what is to be chosen.
    pub(super) fn turn(&mut self, verb: Verb, turn: Turn) -> Option<Choice> {
        match rule(verb).next(turn) {
            Next::To(state) => self.go(state),
            Next::Choose(choice) => return Some(choice),
            Next::Stay | Next::At(_) | Next::Go => {}
        }
        None
    }

    /// Moves the session on to what was chosen.
    pub(super) fn choose(&mut self, choice: Choice, state: State) {
        debug_assert!(choice.leads_to().contains(&state), "{choice:?} {state:?}");
        self.go(state);
    }

    /// Ends the session, wherever it stands.
    pub(super) fn end(&mut self) {
        self.go(State::Closed);
    }

    /// Nothing leads back from the end. This is the only place that assigns the state.
    fn go(&mut self, state: State) {
        if self.0 != State::Closed {
            self.0 = state;
        }
    }
}

impl Stage {
    /// Returns how far a transaction has come after a turn of one of its commands.
    pub(super) fn after(self, verb: Verb, turn: Turn, is_for_somebody: bool) -> Self {
        match rule(verb).next(turn) {
            Next::At(stage) => stage,
            Next::Go if is_for_somebody => Self::Content,
            Next::Go => Self::LoneDot,
            Next::Stay | Next::To(_) | Next::Choose(_) => self,
        }
    }
}

impl Turn {
    /// Returns the turn that a reply is.
    pub(super) fn of(code: Code) -> Self {
        match code.class() {
            Class::Positive => Self::Yes,
            Class::Intermediate if code == Code::CHALLENGE => Self::More,
            Class::Intermediate => Self::Yes,
            Class::Transient | Class::Permanent => Self::No,
        }
    }
}

impl Verb {
    /// Returns whether another command may follow at `level` while this one is unanswered.
    pub(super) fn may_be_followed(self, level: Level) -> bool {
        rule(self).follow.is_some_and(|least| least <= level)
    }

    /// Returns whether a reply with this code can be the answer to this command.
    pub(super) fn may_be_answered(self, code: Code) -> bool {
        let value = code.value();
        match code.class() {
            Class::Transient | Class::Permanent => true,
            Class::Positive => match rule(self).success {
                Success::Greeting => value == 220,
                Success::Anew => matches!(value, 220 | 250),
                Success::Completed | Success::Exchange => !matches!(value, 220 | 221),
                Success::GoAhead => false,
                Success::Farewell => true,
            },
            Class::Intermediate => match rule(self).success {
                Success::GoAhead => value != 334,
                Success::Exchange => value == 334,
                Success::Greeting | Success::Anew | Success::Completed | Success::Farewell => false,
            },
        }
    }

    /// Returns whether it comes before any message.
    pub(super) fn is_preliminary(self) -> bool {
        matches!(
            self.step(),
            Step::Greeting | Step::Hello | Step::StartTls | Step::Auth | Step::XClient
        )
    }

    /// Returns whether its reply is a verdict: whether the message was taken.
    pub(super) fn is_end_of_message(self) -> bool {
        matches!(
            self,
            Self::Content | Self::LastChunk | Self::RecipientContent
        )
    }

    /// Returns whether it announces content by its size.
    pub(super) fn is_chunk(self) -> bool {
        matches!(self, Self::Chunk | Self::LastChunk)
    }

    /// Returns what its reply answers, as the application is told.
    pub(super) fn step(self) -> Step {
        rule(self).step
    }

    /// Returns how long its line may be, by what the server offers, if one of so many bytes is longer
    ///
    pub(super) fn exceeded(self, bytes: usize, offered: &Capabilities) -> Option<usize> {
        // Any server takes so much.
        if bytes <= limits::COMMAND_LINE_MINIMUM {
            return None;
        }
        let limit = match self {
            Self::Mail => offered.mail_line_limit(),
            Self::Recipient => offered.rcpt_line_limit(),
            _ => return None,
        };
        (bytes > limit).then_some(limit)
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

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec::Vec};

    use super::{Choice, Level, Next, Stage, Standing, State, Turn, Verb, rule};

    const VERBS: [Verb; 23] = [
        Verb::Connect,
        Verb::Ehlo,
        Verb::Lhlo,
        Verb::Helo,
        Verb::StartTls,
        Verb::Auth,
        Verb::AuthResponse,
        Verb::XClient,
        Verb::Quit,
        Verb::Own,
        Verb::Reset,
        Verb::XForward,
        Verb::Mail,
        Verb::Recipient,
        Verb::Data,
        Verb::LoneDot,
        Verb::Content,
        Verb::RecipientContent,
        Verb::Chunk,
        Verb::LastChunk,
        Verb::ProofMail,
        Verb::ProofChunk,
        Verb::ProofReset,
    ];

    fn name(verb: Verb) -> &'static str {
        match verb {
            Verb::Connect => "connecting",
            Verb::Ehlo => "EHLO",
            Verb::Helo => "HELO",
            Verb::Lhlo => "LHLO",
            Verb::StartTls => "STARTTLS",
            Verb::Auth => "AUTH",
            Verb::AuthResponse => "a response",
            Verb::XClient => "XCLIENT",
            Verb::XForward => "XFORWARD",
            Verb::Reset => "RSET",
            Verb::Mail => "MAIL",
            Verb::Recipient => "RCPT",
            Verb::Data => "DATA",
            Verb::Content => "content",
            Verb::RecipientContent => "content (LMTP)",
            Verb::LoneDot => "lone dot",
            Verb::Chunk => "BDAT",
            Verb::LastChunk => "BDAT LAST",
            Verb::ProofMail => "MAIL (proof)",
            Verb::ProofChunk => "BDAT 3 LAST (proof)",
            Verb::ProofReset => "RSET (proof)",
            Verb::Own => "own command",
            Verb::Quit => "QUIT",
        }
    }

    fn words(next: Next) -> String {
        let state = |state: &State| match state {
            State::Handshake => "handshake",
            State::Connected => "connected",
            State::Due(verb) => name(*verb),
            State::Asked => "wait",
            State::Ready => "messages",
            State::Leaving => "leave",
            State::Closed => "closed",
        };
        match next {
            Next::Stay => "-".into(),
            Next::To(to) => state(&to).into(),
            Next::At(stage) => format!("{stage:?}").to_lowercase(),
            Next::Go => "content or lonedot".into(),
            Next::Choose(choice) => {
                let states: Vec<_> = choice.leads_to().iter().map(state).collect();
                states.join(" or ")
            }
        }
    }

    /// The table in the module's documentation is this one.
    #[test]
    fn the_documentation_shows_the_table() {
        let mut table = String::new();
        for verb in VERBS {
            let rule = rule(verb);
            let more = match rule.success {
                super::Success::Exchange => format!("; 334: {}", words(rule.next(Turn::More))),
                _ => String::new(),
            };
            let follow = rule.follow.map_or("-".into(), |level| format!("{level:?}"));
            table += &format!(
                "//! | {} | {follow} | {} | {}{more} | {} |\n",
                name(verb),
                words(rule.sent),
                words(rule.yes),
                words(rule.no),
            );
        }
        let documentation = include_str!("mod.rs");
        assert!(documentation.contains(&table), "{table}");
    }

    /// Every state but the last is left, and the last is not.
    #[test]
    fn nothing_leads_back_from_the_end() {
        let mut standing = Standing::new(false);
        standing.end();
        assert_eq!(standing.turn(Verb::Quit, Turn::Sent), None);
        standing.choose(Choice::Identity, State::Ready);
        assert_eq!(standing.state(), State::Closed);
    }

    /// Content ends in `Over`, and only DATA's go-ahead asks for it.
    #[test]
    fn content_is_asked_for_by_data_alone() {
        for verb in VERBS {
            let stage = Stage::Envelope.after(verb, Turn::Yes, true);
            assert_eq!(stage == Stage::Content, verb == Verb::Data, "{verb:?}");
            assert!(!verb.may_be_followed(Level::LockStep), "{verb:?}");
        }
    }
}
