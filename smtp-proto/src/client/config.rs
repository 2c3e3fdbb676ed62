//! How a client is to behave.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{demand::Demand, forwarding::SpokenFor, learned::Learned, steps::Steps, table::Level};
use crate::framing::LineBreaks;
use crate::machine::{Dialect, Step, Timer, limits};
#[cfg(feature = "auth")]
use crate::sasl::{Channel, Choice, Mechanism, Protection};
use crate::syntax::{Attribute, Capabilities, Extension, Host};

/// Chooses how far the client runs ahead of the server's replies.
///
/// Each policy falls back by itself to what the server offers: `Stream` without CHUNKING, or without a
/// number in SIZE, is `LookAhead`, and anything without PIPELINING is `LockStep`.
///
/// | policy | needs | a flight holds | messages per round trip | most in doubt |
/// |---|---|---|---|---|
/// | `LockStep` | | one command | 1/(3+n) | 1 |
/// | `Group` | PIPELINING | MAIL RCPT* DATA, then content and dot | 1/2 | 1 |
/// | `LookAhead` | PIPELINING | content, dot and RSET MAIL RCPT* DATA of the next | 1 | 1 |
/// | `Stream` | PIPELINING, CHUNKING, SIZE, proof | transactions back to back | unbounded | window |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pipelining {
    /// Waits for every reply: for servers that cannot cope with anything else.
    LockStep,
    /// Sends the commands of one transaction together (RFC 2920).
    Group,
    /// Sends a content together with the commands of the next transaction (RFC 2920 3.1).
    ///
    /// It costs nothing in safety: a content leaves only after its own 354, and that comes after
    /// the verdict on the message before it. Binary content goes in chunks (RFC 3030): a message of which
    /// one is refused is in doubt besides, until the server has proved that it swallows them.
    #[default]
    LookAhead,
    /// Sends transactions without waiting, content by BDAT (RFC 2920, RFC 3030).
    ///
    /// Its price: when the connection dies, up to `window` messages are in doubt. It also departs from
    /// RFC 3030 2 in that content leaves before the replies to MAIL and RCPT are read: a server that
    /// refuses them has to swallow it. There are servers that read it as commands instead (go-smtp
    /// 0.21), or what is left of a chunk beyond their size limit, against the same clause. So
    ///
    /// - the first message goes by DATA, with three bytes that have to be refused, and two RSET, before
    ///   it: only a server that answers these rightly gets a stream;
    /// - no message is larger than the server's SIZE;
    /// - after a refused MAIL, and after the refusal of a content that somebody was accepted for, the
    ///   same is asked again before anything else, and before the verdicts from there on are told. If
    ///   it fails, those messages are in doubt.
    ///
    /// That a message was delivered rests on the count of the replies. A content that forges as many
    /// as it swallows, after a proof was given, cannot be found out.
    Stream {
        /// How many messages may be under way whose content has begun and whose final reply is
        /// unread. 0 counts as 1.
        window: usize,
    },
}

impl Pipelining {
    /// Returns the level that is in force with a server of these capabilities.
    pub(super) fn level(self, offered: &Capabilities, dialect: Dialect) -> Level {
        if !offered.has(Extension::Pipelining) {
            return Level::LockStep; // RFC 2920 3: only if offered
        }
        match self {
            Self::LockStep => Level::LockStep,
            Self::Group => Level::Group,
            Self::Stream { .. }
                if offered.has(Extension::Chunking)
                    && offered.max_size().is_some()
                    && dialect == Dialect::Smtp =>
            {
                Level::Stream
            }
            Self::LookAhead | Self::Stream { .. } => Level::LookAhead,
        }
    }

    /// Returns how many messages may be in doubt at once.
    pub(super) fn window(self) -> usize {
        match self {
            Self::Stream { window } => window.max(1),
            Self::LockStep | Self::Group | Self::LookAhead => 1,
        }
    }
}

/// Tells the client whether its driver reads while it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duplex {
    /// The driver reads whenever there is something to read, also during a write: nothing is held
    /// back but by the policy.
    Full,
    /// The driver writes, then reads.
    ///
    /// So that two peers cannot wait for each other with full buffers (RFC 2920 3.1), no more is
    /// sent unanswered than the server can answer without being read.
    Half {
        /// How many bytes of commands may be unanswered.
        bytes: usize,
        /// How many replies may be outstanding, those to chunks included.
        replies: usize,
    },
}

impl Duplex {
    /// Half duplex with [`limits::UNANSWERED_BYTES`] and [`limits::UNANSWERED_REPLIES`].
    pub const HALF: Self = Self::Half {
        bytes: limits::UNANSWERED_BYTES,
        replies: limits::UNANSWERED_REPLIES,
    };
}

/// Chooses whether the session is encrypted. The driver does the handshake, when
/// [`wants_tls`](super::Client::wants_tls) asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// All goes in clear.
    #[default]
    Off,
    /// STARTTLS (RFC 3207) where the server offers it and accepts it; in clear elsewhere. It
    /// protects from listeners, not from attackers.
    Opportunistic,
    /// STARTTLS, or nothing is sent.
    Required,
    /// TLS from the first byte on (RFC 8314 3.3).
    Implicit,
}

/// Chooses what becomes of content that the standard does not permit, and that most servers take.
///
/// It is found where a content is presented [whole](super::Client::wants_body) before its message is
/// begun; then nothing of the message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpermitted {
    /// The message is not sent.
    Refuse,
    /// It is sent as it is.
    Send,
}

/// How long the client waits for its peer, by RFC 5321 4.5.3.2.
///
/// ```
/// use std::time::Duration;
/// use smtp_proto::client::Timeouts;
///
/// let mut timeouts = Timeouts::default();
/// timeouts.greeting = Duration::from_secs(20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the greeting: 5 minutes.
    pub greeting: Duration,
    /// For the reply to a command: 5 minutes.
    pub command: Duration,
    /// For the TLS handshake: as for a command, unless set.
    pub tls: Option<Duration>,
    /// For the reply to EHLO, HELO or LHLO: as for a command, unless set.
    ///
    /// Commands that leave together, these and the following, have the longest of their times.
    pub hello: Option<Duration>,
    /// For the reply to AUTH, and to each response: as for a command, unless set.
    pub auth: Option<Duration>,
    /// For the reply to MAIL: as for a command, unless set.
    pub mail: Option<Duration>,
    /// For the reply to RCPT: as for a command, unless set.
    pub recipient: Option<Duration>,
    /// For the reply to RSET: as for a command, unless set.
    pub reset: Option<Duration>,
    /// For the reply to DATA: 2 minutes.
    pub data_initiation: Duration,
    /// For the peer to take bytes that are ready: 3 minutes.
    pub write: Duration,
    /// For the reply to the end of a message: 10 minutes.
    pub data_termination: Duration,
    /// For the reply to QUIT: 2 seconds, as nothing depends on it (Exim waits 1). 0 has it not
    /// awaited at all.
    pub quit: Duration,
}

impl Timeouts {
    /// Returns the time for what a timer stands for, with commands of these steps unanswered.
    fn of(&self, timer: Timer, steps: Steps) -> Duration {
        match timer {
            Timer::Greeting => self.greeting,
            Timer::DataInitiation => self.data_initiation,
            Timer::Write => self.write,
            Timer::DataTermination => self.data_termination,
            Timer::Quit => self.quit,
            Timer::Handshake => self.tls.unwrap_or(self.command),
            Timer::Command => self.of_commands(steps),
            Timer::Message | Timer::Idle | Timer::Receive | Timer::Verdict => self.command,
        }
    }

    fn of_commands(&self, steps: Steps) -> Duration {
        let own = [
            (Step::Hello, self.hello),
            (Step::Auth, self.auth),
            (Step::Mail, self.mail),
            (Step::Recipient, self.recipient),
            (Step::Reset, self.reset),
            (Step::Data, Some(self.data_initiation)),
            (Step::StartTls, None),
            (Step::XClient, None),
            (Step::XForward, None),
            (Step::Content, None),
            (Step::Command, None),
        ];
        let sent = own.into_iter().filter(|(step, _)| steps.has(*step));
        let times = sent.map(|(_, time)| time.unwrap_or(self.command));
        times.max().unwrap_or(self.command)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            greeting: minutes(5),
            command: minutes(5),
            tls: None,
            hello: None,
            auth: None,
            mail: None,
            recipient: None,
            reset: None,
            data_initiation: minutes(2),
            write: minutes(3),
            data_termination: minutes(10),
            quit: Duration::from_secs(2),
        }
    }
}

/// Configures a [`Client`](super::Client).
///
/// ```
/// use smtp_proto::client::{Config, Pipelining};
/// use smtp_proto::syntax::Host;
///
/// let config = Config::new(Host::parse("client.example")?)
///     .pipelining(Pipelining::Stream { window: 100 });
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) name: Host<'static>,
    pub(super) pipelining: Pipelining,
    pub(super) duplex: Duplex,
    pub(super) line_breaks: LineBreaks,
    pub(super) eight_bit: Unpermitted,
    pub(super) long_lines: Unpermitted,
    pub(super) queue: usize,
    timeouts: Option<Box<Timeouts>>,
    pub(super) trace: bool,
    pub(super) is_watched: bool,
    pub(super) dialect: Dialect,
    pub(super) tls: Tls,
    #[cfg(feature = "auth")]
    pub(super) credentials_over: Protection,
    #[cfg(feature = "auth")]
    pub(super) authentication: Demand,
    #[cfg(feature = "auth")]
    pub(super) choice: Option<Choice>,
    pub(super) spoken_for: Option<Box<SpokenFor>>,
    pub(super) known: Option<Box<Capabilities>>,
    pub(super) ignored: Vec<Extension>,
    pub(super) bare_lf_replies: bool,
    pub(super) reports_put_off: bool,
    pub(super) helo_only: bool,
}

impl Config {
    /// Creates the default configuration of a client that calls itself `name` in EHLO.
    ///
    /// The name should be the host's primary name, or an address literal where it has none
    /// (RFC 5321 4.1.1.1).
    pub fn new(name: Host<'_>) -> Self {
        Self {
            name: name.into_owned(),
            pipelining: Pipelining::default(),
            duplex: Duplex::HALF,
            line_breaks: LineBreaks::Refuse,
            eight_bit: Unpermitted::Refuse,
            long_lines: Unpermitted::Send,
            queue: limits::QUEUED_MESSAGES,
            timeouts: None,
            trace: false,
            is_watched: false,
            dialect: Dialect::Smtp,
            tls: Tls::Off,
            #[cfg(feature = "auth")]
            credentials_over: Protection::VerifiedTls,
            #[cfg(feature = "auth")]
            authentication: Demand::Required,
            #[cfg(feature = "auth")]
            choice: None,
            spoken_for: None,
            known: None,
            ignored: Vec::new(),
            bare_lf_replies: false,
            reports_put_off: false,
            helo_only: false,
        }
    }

    /// Sets what the client calls itself in EHLO.
    #[must_use]
    pub fn name(mut self, name: Host<'_>) -> Self {
        self.name = name.into_owned();
        self
    }

    /// Sets how far the client runs ahead; [`Pipelining::LookAhead`] unless set.
    #[must_use]
    pub fn pipelining(mut self, pipelining: Pipelining) -> Self {
        self.pipelining = pipelining;
        self
    }

    /// Sets whether the driver reads while it writes; [`Duplex::HALF`] unless set.
    #[must_use]
    pub fn duplex(mut self, duplex: Duplex) -> Self {
        self.duplex = duplex;
        self
    }

    /// Sets what becomes of a bare CR or LF in content; [`LineBreaks::Refuse`] unless set.
    ///
    /// RFC 5321 2.3.8 forbids to send them: they let content pass for commands at lax servers. Only
    /// content that is no text keeps them ([`BodyType::BinaryMime`](crate::syntax::BodyType), which goes
    /// by BDAT): for other content [`LineBreaks::Keep`] is as good as [`LineBreaks::Refuse`].
    ///
    /// A content that is presented whole before its message is begun costs its message alone; one that
    /// comes in chunks costs the connection where a bare CR or LF is found in it.
    #[must_use]
    pub fn line_breaks(mut self, line_breaks: LineBreaks) -> Self {
        self.line_breaks = line_breaks;
        self
    }

    /// Sets what becomes of content with bytes above 127 where the server does not offer 8BITMIME;
    /// [`Unpermitted::Refuse`] unless set. Where it does, `BODY=8BITMIME` is declared by itself.
    #[must_use]
    pub fn eight_bit(mut self, unpermitted: Unpermitted) -> Self {
        self.eight_bit = unpermitted;
        self
    }

    /// Sets what becomes of content with lines of more than 998 bytes (RFC 5321 4.5.3.1.6);
    /// [`Unpermitted::Send`] unless set, as there are many such messages and most servers take them.
    #[must_use]
    pub fn long_lines(mut self, unpermitted: Unpermitted) -> Self {
        self.long_lines = unpermitted;
        self
    }

    /// Returns what becomes of a bare CR or LF in text.
    pub(super) fn line_breaks_of_text(&self) -> LineBreaks {
        match self.line_breaks {
            LineBreaks::Normalize => LineBreaks::Normalize,
            LineBreaks::Refuse | LineBreaks::Keep => LineBreaks::Refuse,
        }
    }

    /// Sets how many messages may be submitted and unfinished; [`limits::QUEUED_MESSAGES`] unless
    /// set. A stream's window needs at least one more than itself to stay full.
    #[must_use]
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages;
        self
    }

    /// Sets how long to wait for the server.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(Box::new(timeouts));
        self
    }

    /// Sets the protocol; [`Dialect::Smtp`] unless set.
    ///
    /// LMTP (RFC 2033) has one verdict for each recipient, and neither streams nor lone dots: a
    /// server may answer them with nothing at all.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets whether the session is encrypted; [`Tls::Off`] unless set.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Sets how well a connection has to be protected for credentials to go through it, SCRAM's proofs
    /// included; [`Protection::VerifiedTls`] unless set.
    ///
    /// With less, whoever is on the way can have them, or guess passwords from proofs: in clear by
    /// listening, and under TLS that is not verified by answering in the server's stead.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn credentials_over(mut self, protection: Protection) -> Self {
        self.credentials_over = protection;
        self
    }

    /// Sets what becomes of a session whose server offers none of the client's mechanisms;
    /// [`Demand::Required`] unless set.
    ///
    /// A server that offers one and refuses it, or offers it where credentials
    /// [may not go](Self::credentials_over), gets no message in either case. In clear, whoever is on the way
    /// can take the offer away.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn authentication(mut self, demand: Demand) -> Self {
        self.authentication = demand;
        self
    }

    /// Has the client ask how to authenticate, once TLS is settled and it is known what the server offers:
    /// by which mechanisms, in the order in which to try them, or not at all, if by none.
    ///
    /// Credentials go only where they [may](Self::credentials_over), whatever is chosen. Nobody is asked
    /// where [`Client::authenticate`](super::Client::authenticate) has said it.
    ///
    /// ```
    /// # use smtp_proto::{client::Config, syntax::Host};
    /// use smtp_proto::client::mechanism::{Channel, External, by_password};
    ///
    /// let config = Config::new(Host::parse("client.example")?).choose_mechanisms(|channel: &Channel<'_>| {
    ///     match channel.tls() {
    ///         Some(tls) if !tls.is_verified() => Vec::new(),
    ///         Some(_) if channel.offered().any(|name| name == "EXTERNAL") => vec![Box::new(External::new())],
    ///         Some(_) => by_password("alice", "password"),
    ///         None => Vec::new(),
    ///     }
    /// });
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn choose_mechanisms(
        mut self,
        choose: impl Fn(&Channel<'_>) -> Vec<Box<dyn Mechanism>> + Send + Sync + 'static,
    ) -> Self {
        self.choice = Some(Choice::new(choose));
        self
    }

    /// Has the client say by XCLIENT for which client it speaks, after EHLO and STARTTLS and before AUTH, to
    /// a server that offers that. The session begins anew then: EHLO says that client's HELO, if it is
    /// among the attributes.
    ///
    /// Only what the server takes is said, and with [`Demand::Required`] all of it or nothing
    /// ([`Fault::XClientUnavailable`](crate::machine::Fault::XClientUnavailable)). A server that refuses the
    /// client, or that it is spoken for, has refused the session: the answer's step is
    /// [`XClient`](crate::machine::Step::XClient).
    ///
    /// What has more than 512 bytes goes in several commands, NAME and ADDR in the last: Postfix forgets by
    /// each what HELO, PROTO and LOGIN the one before has said.
    ///
    /// ```
    /// # use smtp_proto::syntax::Host;
    /// use smtp_proto::{client::{Config, Demand}, syntax::{Attribute, AttributeName}};
    ///
    /// let config = Config::new(Host::parse("proxy.example")?).xclient(Demand::Required, [
    ///     Attribute::address(AttributeName::Addr, "192.0.2.1".parse()?)?,
    ///     Attribute::new(AttributeName::Login, "alice")?,
    /// ]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn xclient(
        mut self,
        demand: Demand,
        attributes: impl IntoIterator<Item = Attribute<'static>>,
    ) -> Self {
        let attributes = attributes.into_iter().collect();
        self.spoken_for = Some(Box::new(SpokenFor::new(demand, attributes)));
        self
    }

    /// Tells the client what this server offered the last time.
    ///
    /// If that has PIPELINING and PIPECONNECT the client does not wait for the greeting: EHLO and
    /// the first commands leave at once, and a first message in a stream takes one round trip.
    /// Should the server not offer all of it any more the connection ends with
    /// [`Fault::CapabilitiesChanged`](crate::machine::Fault::CapabilitiesChanged): try again
    /// without. Of no account where STARTTLS, XCLIENT or AUTH may have to come before the first message.
    #[must_use]
    pub fn known_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.known = Some(Box::new(capabilities));
        self
    }

    /// Begins where an earlier session with the same server has come to: what the server offers is
    /// [known](Self::known_capabilities), and one that takes no look-ahead is not asked to again.
    #[must_use]
    pub fn learned(mut self, learned: &Learned) -> Self {
        if learned.refuses_look_ahead && self.pipelining != Pipelining::LockStep {
            self.pipelining = Pipelining::Group;
        }
        self.known_capabilities(learned.capabilities.clone())
    }

    /// Has the client ignore that a server offers this extension: for servers that offer what they
    /// cannot do (Postfix: `smtp_discard_ehlo_keywords`).
    #[must_use]
    pub fn ignore(mut self, extension: Extension) -> Self {
        self.ignored.push(extension);
        self
    }

    /// Has the client take replies whose lines end in a bare LF, which RFC 5321 2.3.8 forbids and
    /// some servers send.
    #[must_use]
    pub fn accept_bare_lf_replies(mut self) -> Self {
        self.bare_lf_replies = true;
        self
    }

    /// Has the client report recipients that the server puts off by 452 as refused, for a queue that deals
    /// with them by itself. Unless set, the client sends them the message in a further transaction
    /// (RFC 5321 4.5.3.1.10), for which the content is needed again.
    ///
    /// A limit that the server has announced (RFC 9422) is kept by further transactions in any case.
    ///
    /// ```
    /// # use smtp_proto::{client::Config, syntax::Host};
    /// let config = Config::new(Host::parse("queue.example")?).report_put_off();
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn report_put_off(mut self) -> Self {
        self.reports_put_off = true;
        self
    }

    /// Has the client say HELO and never EHLO, for servers that cannot cope with it: without extensions,
    /// and command by command.
    ///
    /// Where TLS by STARTTLS or authentication is required the session is refused, as it is wherever the
    /// server does not offer them. Of no account in LMTP, which has LHLO alone.
    #[must_use]
    pub fn helo_only(mut self) -> Self {
        self.helo_only = true;
        self
    }

    /// Has the client keep a trace of the dialogue for
    /// [`poll_trace`](super::Client::poll_trace).
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = true;
        self
    }

    /// Has the client keep what it sends and hears for
    /// [`poll_observation`](super::Client::poll_observation), with times, steps and messages.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.is_watched = true;
        self
    }

    /// Returns how long to wait for what a timer stands for, with commands of these steps unanswered.
    pub(super) fn patience(&self, timer: Timer, steps: Steps) -> Duration {
        match &self.timeouts {
            Some(timeouts) => timeouts.of(timer, steps),
            None => Timeouts::default().of(timer, steps),
        }
    }
}
