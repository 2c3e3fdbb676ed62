//! What a server offers and how far it goes.

use alloc::sync::Arc;
use core::time::Duration;

use super::additions::Additions;
use super::offering::{Basis, Offering};
use crate::framing::LineBreaks;
use crate::machine::{Dialect, limits};
use crate::syntax::{Capabilities, Command, CommandError, Host, SyntaxError};

/// Says what a server is called, what it offers and how far it goes.
///
/// Cheap to clone: make one and give each connection a clone.
///
/// ```
/// use smtp_proto::server::Config;
/// use smtp_proto::syntax::Host;
///
/// let config = Config::new(Host::parse("mx.example.net")?).max_message_size(50_000_000);
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) hostname: Host<'static>,
    pub(super) offering: Offering,
    pub(super) dialect: Dialect,
    pub(super) tls: Tls,
    pub(super) requires_auth: bool,
    pub(super) requires_hello: bool,
    pub(super) is_in_turn: bool,
    review: Option<Review>,
    pub(super) hands_out_unknown: bool,
    pub(super) max_session: Option<Duration>,
    pub(super) max_session_messages: usize,
    pub(super) max_session_bytes: u64,
    pub(super) max_auth_failures: usize,
    pub(super) line_breaks: LineBreaks,
    pub(super) improper_pipelining: ImproperPipelining,
    pub(super) max_message_size: u64,
    pub(super) max_command_line: usize,
    pub(super) max_recipients: usize,
    pub(super) max_unanswered_commands: usize,
    pub(super) max_undecided_messages: usize,
    pub(super) max_output: usize,
    pub(super) max_errors: usize,
    pub(super) soft_errors: usize,
    pub(super) error_delay: Duration,
    pub(super) max_idle_commands: usize,
    pub(super) idle_timeout: Duration,
    pub(super) receive_timeout: Duration,
    pub(super) min_content_rate: u64,
    pub(super) write_timeout: Duration,
    pub(super) verdict_timeout: Duration,
    pub(super) message_verdict_timeout: Duration,
    is_strict: bool,
    /// Whether recipients may lack their domain, where that is not left to the dialect.
    takes_unqualified: Option<bool>,
    pub(super) trace: bool,
    pub(super) additions: Additions,
}

/// Says what becomes of a client that sends on before it may have read the reply to a command that
/// ends a group (RFC 2920 3.1), or that speaks before the greeting (RFC 5321 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImproperPipelining {
    /// Answers 554 and closes the connection, as Postfix does
    /// (`smtpd_forbid_unauth_pipelining`). Legitimate clients do not do it; smuggled commands and
    /// worms do.
    ///
    /// Where PIPELINING was not offered, as after HELO, that goes for every command. What comes along
    /// with the end of a content is taken there, as by Postfix.
    Refuse,
    /// Handles the commands in their turn.
    Tolerate,
}

/// Says whether and how a session gets into TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// There is none.
    #[default]
    Off,
    /// STARTTLS is offered (RFC 3207).
    Offered,
    /// STARTTLS is offered, and nothing goes before it but EHLO, NOOP and QUIT (3207-4-d). Not for
    /// servers that take mail from anywhere (3207-4-c).
    Required,
    /// The handshake comes first of all (RFC 8314 3.3).
    Implicit,
}

/// Says which of its own replies a machine hands out before it gives them, as
/// [`Event::Reply`](super::Event::Reply).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Review {
    /// Those that refuse something, or end the session for a reason of the server's.
    Refusals,
    /// Those to NOOP, RSET, QUIT and chunks, too.
    All,
}

impl Settings {
    /// Returns whether a reply of the machine's own is handed out first.
    pub(super) fn reviews(&self, is_positive: bool) -> bool {
        match self.review {
            None => false,
            Some(Review::Refusals) => !is_positive,
            Some(Review::All) => true,
        }
    }

    /// Returns whether commands of that verb, in any case, are the application's.
    pub(super) fn has_command(&self, verb: &str) -> bool {
        self.additions.has_command(verb)
    }

    /// Returns whether recipients may lack their domain.
    pub(super) fn takes_unqualified(&self) -> bool {
        let by_dialect = self.dialect == Dialect::Lmtp;
        self.takes_unqualified.unwrap_or(by_dialect)
    }

    /// Parses a command by the grammar that is in force.
    pub(super) fn parse<'i>(&self, line: &'i [u8]) -> Result<Command<'i>, CommandError> {
        match self.is_strict {
            true => Command::parse_strictly(line),
            false => Command::parse(line),
        }
    }

    /// Returns what the offers are made of besides what is their own.
    fn basis(&self) -> Basis {
        Basis {
            dialect: self.dialect,
            has_starttls: matches!(self.tls, Tls::Offered | Tls::Required),
            max_message_size: self.max_message_size,
        }
    }
}

impl Config {
    /// Makes a configuration for a server of that name, with every default.
    ///
    /// It offers PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING and HELP.
    pub fn new(hostname: Host<'_>) -> Self {
        Self {
            settings: Arc::new(Settings {
                hostname: hostname.into_owned(),
                offering: Offering::default(),
                dialect: Dialect::Smtp,
                tls: Tls::Off,
                requires_auth: false,
                requires_hello: true,
                is_in_turn: false,
                review: None,
                hands_out_unknown: false,
                max_session: None,
                max_session_messages: usize::MAX,
                max_session_bytes: u64::MAX,
                max_auth_failures: limits::AUTHENTICATION_FAILURES,
                line_breaks: LineBreaks::Refuse,
                improper_pipelining: ImproperPipelining::Refuse,
                max_message_size: limits::MESSAGE_SIZE,
                max_command_line: limits::COMMAND_LINE,
                max_recipients: limits::RECIPIENTS,
                max_unanswered_commands: limits::UNANSWERED_COMMANDS,
                max_undecided_messages: limits::UNDECIDED_MESSAGES,
                max_output: limits::OUTPUT,
                max_errors: limits::ERRORS,
                soft_errors: limits::SOFT_ERRORS,
                error_delay: limits::ERROR_DELAY,
                max_idle_commands: limits::IDLE_COMMANDS,
                idle_timeout: Duration::from_secs(5 * 60),
                receive_timeout: Duration::from_secs(5 * 60),
                min_content_rate: limits::CONTENT_RATE,
                write_timeout: Duration::from_secs(3 * 60),
                verdict_timeout: Duration::from_secs(4 * 60),
                message_verdict_timeout: Duration::from_secs(9 * 60),
                is_strict: false,
                takes_unqualified: None,
                trace: false,
                additions: Additions::default(),
            }),
        }
        .renewed()
    }

    /// Offers these extensions in place of the default ones.
    ///
    /// The number after SIZE is always [`max_message_size`](Self::max_message_size). STARTTLS and
    /// AUTH are offered where they are configured and can be used, REQUIRETLS only under TLS
    /// (8689-2-c), and LMTP always has PIPELINING and ENHANCEDSTATUSCODES (2033-5-b).
    /// A message that demands more than the limits after DELIVERBY and FUTURERELEASE is refused.
    #[must_use]
    pub fn offer(self, capabilities: Capabilities) -> Self {
        self.set(|settings| settings.offering.set_capabilities(capabilities))
            .renewed()
    }

    /// Sets the protocol, by default [`Dialect::Smtp`]. Not for port 25 where it is LMTP
    /// (2033-5-a).
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        self.set(|settings| settings.dialect = dialect).renewed()
    }

    /// Says whether and how sessions get into TLS, by default not at all. The handshake is the
    /// caller's: see [`wants_tls`](super::Server::wants_tls).
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        self.set(|settings| settings.tls = tls).renewed()
    }

    /// Says what becomes of content with a bare CR or LF: refused (550, the default), normalised to
    /// CR LF, or kept. None of them ends content or begins a line. BINARYMIME (RFC 3030) is kept as
    /// it is.
    #[must_use]
    pub fn line_breaks(self, line_breaks: LineBreaks) -> Self {
        self.set(|settings| settings.line_breaks = line_breaks)
    }

    /// Says what becomes of a client that does not wait where it must. Refused by default.
    #[must_use]
    pub fn improper_pipelining(self, improper_pipelining: ImproperPipelining) -> Self {
        self.set(|settings| settings.improper_pipelining = improper_pipelining)
    }

    /// Sets the longest command line in bytes with its CR LF, by default
    /// [`limits::COMMAND_LINE`], at least [`limits::COMMAND_LINE_MINIMUM`].
    #[must_use]
    pub fn max_command_line(self, max_command_line: usize) -> Self {
        self.set(|settings| {
            settings.max_command_line = max_command_line.max(limits::COMMAND_LINE_MINIMUM)
        })
    }

    /// Sets how many recipients a transaction may have, by default [`limits::RECIPIENTS`], at least
    /// [`limits::RECIPIENTS_MINIMUM`]. Further ones are answered 452 (RFC 5321 4.5.3.1.10).
    #[must_use]
    pub fn max_recipients(self, max_recipients: usize) -> Self {
        self.set(|settings| {
            settings.max_recipients = max_recipients.max(limits::RECIPIENTS_MINIMUM)
        })
    }

    /// Sets how many commands may be unanswered, by default [`limits::UNANSWERED_COMMANDS`], at
    /// least 2. Beyond it the server reads no further command.
    #[must_use]
    pub fn max_unanswered_commands(self, max_unanswered_commands: usize) -> Self {
        self.set(|settings| settings.max_unanswered_commands = max_unanswered_commands.max(2))
    }

    /// Sets how many messages may wait for their verdicts, by default
    /// [`limits::UNDECIDED_MESSAGES`], at least 1. Beyond it the content of the next one waits, and
    /// with it all that follows. In LMTP each recipient's verdict counts.
    #[must_use]
    pub fn max_undecided_messages(self, max_undecided_messages: usize) -> Self {
        self.set(|settings| settings.max_undecided_messages = max_undecided_messages.max(1))
    }

    /// Sets how many bytes of replies may wait to be written before the server reads no further
    /// command, by default [`limits::OUTPUT`].
    #[must_use]
    pub fn max_output(self, max_output: usize) -> Self {
        self.set(|settings| settings.max_output = max_output)
    }

    /// Sets how many errors end the session, by default [`limits::ERRORS`]. An accepted message
    /// clears the count.
    #[must_use]
    pub fn max_errors(self, max_errors: usize) -> Self {
        self.set(|settings| settings.max_errors = max_errors)
    }

    /// Sets after how many errors each reply is held back, and how long: by default
    /// [`limits::SOFT_ERRORS`] and [`limits::ERROR_DELAY`]; a delay of 0 holds nothing back. What the
    /// client sent meanwhile waits. An accepted message clears the count.
    #[must_use]
    pub fn slow_down(self, errors: usize, delay: Duration) -> Self {
        self.set(|settings| {
            settings.soft_errors = errors;
            settings.error_delay = delay;
        })
    }

    /// Sets how many commands to no purpose end the session, by default
    /// [`limits::IDLE_COMMANDS`]: NOOP, VRFY, EXPN, HELP, STARTTLS, ETRN, XCLIENT, XFORWARD, the
    /// application's own, repeated EHLO, empty BDAT, and RSET where it drops nothing. An accepted
    /// message clears the count.
    #[must_use]
    pub fn max_idle_commands(self, max_idle_commands: usize) -> Self {
        self.set(|settings| settings.max_idle_commands = max_idle_commands)
    }

    /// Sets how long a client may take for its next command as a whole, by default 5 minutes
    /// (RFC 5321 4.5.3.2.7).
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Duration) -> Self {
        self.set(|settings| settings.idle_timeout = idle_timeout)
    }

    /// Sets how long a client may pause within content, by default 5 minutes, all pauses taken
    /// together as far as [`min_content_rate`](Self::min_content_rate) does not make up for them.
    #[must_use]
    pub fn receive_timeout(self, receive_timeout: Duration) -> Self {
        self.set(|settings| settings.receive_timeout = receive_timeout)
    }

    /// Sets how many bytes of content earn a client another second, by default
    /// [`limits::CONTENT_RATE`]; 0 makes every byte earn it the whole
    /// [`receive_timeout`](Self::receive_timeout) again.
    #[must_use]
    pub fn min_content_rate(self, bytes_per_second: u64) -> Self {
        self.set(|settings| settings.min_content_rate = bytes_per_second)
    }

    /// Sets how long a client may take nothing of what is there for it to read, by default 3 minutes
    /// (RFC 5321 4.5.3.2.5).
    #[must_use]
    pub fn write_timeout(self, write_timeout: Duration) -> Self {
        self.set(|settings| settings.write_timeout = write_timeout)
    }

    /// Sets how long the application may take to answer a command, by default 4 minutes: clients wait
    /// 5 (RFC 5321 4.5.3.2). Overdue commands are answered 451.
    #[must_use]
    pub fn verdict_timeout(self, verdict_timeout: Duration) -> Self {
        self.set(|settings| settings.verdict_timeout = verdict_timeout)
    }

    /// Sets how long the application may take to answer the end of a message, by default 9 minutes:
    /// clients wait 10 (RFC 5321 4.5.3.2.6). Overdue messages are answered 451.
    #[must_use]
    pub fn message_verdict_timeout(self, message_verdict_timeout: Duration) -> Self {
        self.set(|settings| settings.message_verdict_timeout = message_verdict_timeout)
    }

    /// Says whether `RCPT TO:<bob>` is taken, as [`ForwardPath::Local`](crate::syntax::ForwardPath::Local):
    /// in LMTP, unless set, since a store's recipients often have no domain, and not in SMTP, whose may not
    /// lack it (501 5.1.3). Postfix, Exim and Sendmail take it from their own hosts, and add theirs.
    ///
    /// `RCPT TO:<Postmaster>` is taken in any case (5321-4.5.1-a).
    #[must_use]
    pub fn unqualified_recipients(self, are_taken: bool) -> Self {
        self.set(|settings| settings.takes_unqualified = Some(are_taken))
    }

    /// Answers 501 to commands that are against the grammar even where they can mean but one thing:
    /// [`Command::parse`] says what is taken otherwise.
    #[must_use]
    pub fn strict_syntax(self) -> Self {
        self.set(|settings| settings.is_strict = true)
    }

    /// Has the server keep a trace of the dialogue for
    /// [`poll_trace`](super::Server::poll_trace).
    #[must_use]
    pub fn traced(self) -> Self {
        self.set(|settings| settings.trace = true)
    }

    /// Sets the largest message in bytes of content, by default [`limits::MESSAGE_SIZE`], at least
    /// [`limits::MESSAGE_SIZE_MINIMUM`], and announces it (RFC 1870).
    ///
    /// A longer message is read to its end and answered 552; on one that goes on beyond half as much
    /// again the connection is closed after that.
    #[must_use]
    pub fn max_message_size(self, bytes: u64) -> Self {
        let bytes = bytes.max(limits::MESSAGE_SIZE_MINIMUM);
        self.set(|settings| settings.max_message_size = bytes)
            .renewed()
    }

    /// Returns the name of the server.
    pub fn hostname(&self) -> &Host<'static> {
        &self.settings.hostname
    }

    /// Returns which dialect is spoken.
    pub(crate) fn spoken(&self) -> Dialect {
        self.settings.dialect
    }

    /// Offers authentication by these mechanisms (RFC 4954), by default by none.
    ///
    /// Those by which whoever listens learns a credential, as PLAIN and LOGIN, are offered and
    /// taken under TLS only (4954-4-v).
    ///
    /// ```
    /// use smtp_proto::server::{Config, Tls};
    /// use smtp_proto::syntax::Host;
    ///
    /// let config = Config::new(Host::parse("submit.example.net")?)
    ///     .tls(Tls::Implicit)
    ///     .mechanisms(["SCRAM-SHA-256", "PLAIN"])?
    ///     .require_auth();
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a name is not one word, or if they are too many for one line.
    #[cfg(feature = "auth")]
    pub fn mechanisms<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SyntaxError> {
        let changed = self.try_set(|settings| settings.offering.set_mechanisms(names))?;
        Ok(changed.renewed())
    }

    /// Offers every mechanism in clear, too: only where the link cannot be listened to.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn allow_plain_text_auth(self) -> Self {
        self.set(|settings| settings.offering.allow_plain_text_auth())
            .renewed()
    }

    /// Demands authentication before mail (530), as submission does (RFC 6409 4.3).
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn require_auth(self) -> Self {
        self.set(|settings| settings.requires_auth = true)
    }

    /// Sets how many authentications may fail, by default and at least
    /// [`limits::AUTHENTICATION_FAILURES`]. A
    /// further AUTH is answered 421 and ends the session.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn max_auth_failures(self, max_auth_failures: usize) -> Self {
        let least = limits::AUTHENTICATION_FAILURES;
        self.set(|settings| settings.max_auth_failures = max_auth_failures.max(least))
    }

    /// Takes a parameter of MAIL that an extension of the application's brings, where that extension
    /// is [offered](Self::offer).
    ///
    /// [`Event::Mail`](super::Event::Mail) hands it out among the others, unexamined; parameters that
    /// neither the library nor the application knows are answered 555. One that the library knows
    /// keeps its meaning. An extension whose keyword begins with X is taken to bring a parameter of
    /// its own name without this (RFC 5321 2.2.2).
    ///
    /// ```
    /// use smtp_proto::server::Config;
    /// use smtp_proto::syntax::{Capabilities, Host};
    ///
    /// let config = Config::new(Host::parse("mx.example.net")?)
    ///     .offer(Capabilities::new().with_keyword("LANES", "3")?)
    ///     .mail_parameter("LANE", "LANES")?;
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails unless both are letters, digits and hyphens, not beginning with a hyphen (RFC 5321
    /// 4.1.1.1, 4.1.2).
    pub fn mail_parameter(self, parameter: &str, extension: &str) -> Result<Self, SyntaxError> {
        self.try_set(|settings| settings.additions.add_mail(parameter, extension))
    }

    /// Takes a parameter of RCPT that an extension of the application's brings, as
    /// [`mail_parameter`](Self::mail_parameter) does.
    ///
    /// # Errors
    ///
    /// Fails like it.
    pub fn rcpt_parameter(self, parameter: &str, extension: &str) -> Result<Self, SyntaxError> {
        self.try_set(|settings| settings.additions.add_rcpt(parameter, extension))
    }

    /// Hands commands of that verb, in any case, to the application, as
    /// [`Event::Command`](super::Event::Command): after EHLO, in or out of a transaction, and each
    /// the last of its group. Announce the extension that brings it by [`offer`](Self::offer).
    ///
    /// NOOP and QUIT can be had so, too, to word or to log the answer; the machine does what they
    /// mean. Other verbs that the library knows keep their meaning. All others are answered 500.
    ///
    /// # Errors
    ///
    /// Fails unless `verb` is letters, digits and hyphens, not beginning with a hyphen.
    pub fn command(self, verb: &str) -> Result<Self, SyntaxError> {
        self.try_set(|settings| settings.additions.add_command(verb))
    }

    /// Takes MAIL without EHLO before it, as Postfix does by default. Without this it is answered 503
    /// (RFC 5321 4.1.1.1).
    #[must_use]
    pub fn require_hello(self, is_required: bool) -> Self {
        self.set(|settings| settings.requires_hello = is_required)
    }

    /// Has MAIL, RCPT, DATA and BDAT wait for every earlier verdict, those over messages included: for
    /// policies that think in one order, as milters do. Replies still leave together.
    #[must_use]
    pub fn in_turn(self) -> Self {
        self.set(|settings| settings.is_in_turn = true)
    }

    /// Hands out the machine's own replies before they are given, as
    /// [`Event::Reply`](super::Event::Reply), by default none.
    #[must_use]
    pub fn review(self, review: Review) -> Self {
        self.set(|settings| settings.review = Some(review))
    }

    /// Hands commands that nobody knows to the application, as
    /// [`Event::Command`](super::Event::Command), as if each were its [own](Self::command).
    #[must_use]
    pub fn unknown_commands(self) -> Self {
        self.set(|settings| settings.hands_out_unknown = true)
    }

    /// Sets how long a session may last, by default for ever. Then, or once the transaction that is
    /// under way is over, it is ended by 421, as MAIL is beyond the other limits of a session.
    #[must_use]
    pub fn max_session(self, duration: Duration) -> Self {
        self.set(|settings| settings.max_session = Some(duration))
    }

    /// Sets how many messages a session may bring, by default any number. A further MAIL is answered
    /// 421.
    #[must_use]
    pub fn max_session_messages(self, messages: usize) -> Self {
        self.set(|settings| settings.max_session_messages = messages)
    }

    /// Sets after how many bytes of content in all a further MAIL is answered 421, by default never.
    #[must_use]
    pub fn max_session_bytes(self, bytes: u64) -> Self {
        self.set(|settings| settings.max_session_bytes = bytes)
    }

    /// Offers these extensions from now on, or what was configured.
    pub(super) fn offer_instead(self, capabilities: Option<Capabilities>) -> Self {
        match self.settings.offering.is_replaced_by(capabilities.as_ref()) {
            true => self,
            false => self
                .set(|settings| settings.offering.replace(capabilities))
                .renewed(),
        }
    }

    fn try_set(
        mut self,
        change: impl FnOnce(&mut Settings) -> Result<(), SyntaxError>,
    ) -> Result<Self, SyntaxError> {
        change(Arc::make_mut(&mut self.settings))?;
        Ok(self)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// Brings the offers up to date.
    fn renewed(self) -> Self {
        self.set(|settings| settings.offering.renew(settings.basis()))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}
