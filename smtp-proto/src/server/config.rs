//! What a server offers and how far it goes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::additions::Additions;
use super::sasl;
use crate::framing::LineBreaks;
use crate::machine::{Dialect, limits};
use crate::syntax::{Capabilities, Command, CommandError, Extension, Host};

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
    /// What is offered but for what TLS, AUTH, LMTP and the size make of it.
    capabilities: Capabilities,
    /// What is offered to one client in its place.
    own_capabilities: Option<Capabilities>,
    in_clear: Capabilities,
    encrypted: Capabilities,
    pub(super) dialect: Dialect,
    pub(super) tls: Tls,
    pub(super) mechanisms: Vec<Arc<str>>,
    pub(super) plain_text_auth: bool,
    pub(super) requires_auth: bool,
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
    pub(super) trace: bool,
    pub(super) additions: Additions,
}

/// Says what becomes of a client that sends on before it may have read the reply to a command that
/// ends a group (RFC 2920 3.1), or that speaks before the greeting (RFC 5321 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImproperPipelining {
    /// Answers 554 and closes the connection, as Postfix does
    /// (`smtpd_forbid_unauth_pipelining`). Legitimate clients do not do it; smuggled commands and
    /// worms do.
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

impl Settings {
    /// Returns what is offered in clear, or under TLS.
    pub(super) fn capabilities(&self, is_encrypted: bool) -> &Capabilities {
        match is_encrypted {
            true => &self.encrypted,
            false => &self.in_clear,
        }
    }

    /// Returns the mechanism of that name, in any case (4954-4-d), if it may be used.
    pub(super) fn mechanism(&self, name: &str, is_encrypted: bool) -> Option<&Arc<str>> {
        self.usable_mechanisms(is_encrypted)
            .find(|mechanism| mechanism.eq_ignore_ascii_case(name))
    }

    pub(super) fn usable_mechanisms(&self, is_encrypted: bool) -> impl Iterator<Item = &Arc<str>> {
        let may_be_read = is_encrypted || self.plain_text_auth;
        self.mechanisms
            .iter()
            .filter(move |mechanism| may_be_read || sasl::is_safe_in_clear(mechanism))
    }

    /// Parses a command by the grammar that is in force.
    pub(super) fn parse<'i>(&self, line: &'i [u8]) -> Result<Command<'i>, CommandError> {
        match self.is_strict {
            true => Command::parse_strictly(line),
            false => Command::parse(line),
        }
    }

    /// Brings the offers up to date.
    fn renew_offers(&mut self) {
        // 8689-2-c
        let in_clear = self.offers(false).without(Extension::RequireTls);
        self.in_clear = match self.tls {
            Tls::Offered | Tls::Required => in_clear.with(Extension::StartTls),
            Tls::Off | Tls::Implicit => in_clear,
        };
        self.encrypted = self.offers(true);
    }

    fn offers(&self, is_encrypted: bool) -> Capabilities {
        let offered = self.own_capabilities.as_ref();
        let mut offers = offered
            .unwrap_or(&self.capabilities)
            .clone()
            // 3207-4.2-d
            .without(Extension::StartTls)
            .without(Extension::Auth);
        if self.dialect == Dialect::Lmtp {
            // 2033-5-b
            offers = offers
                .with(Extension::Pipelining)
                .with(Extension::EnhancedStatusCodes);
        }
        if offers.has(Extension::Size) && offers.max_size() != Some(self.max_message_size) {
            offers = offers.with_size(self.max_message_size);
        }
        let mechanisms: Vec<&str> = self
            .usable_mechanisms(is_encrypted)
            .map(AsRef::as_ref)
            .collect();
        match mechanisms.as_slice() {
            [] => offers,
            names => match offers.clone().with_keyword("AUTH", &names.join(" ")) {
                Ok(offers) => offers,
                Err(_) => offers,
            },
        }
    }
}

impl Config {
    /// Makes a configuration for a server of that name, with every default.
    ///
    /// It offers PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING and HELP.
    pub fn new(hostname: Host<'_>) -> Self {
        let capabilities = Capabilities::new()
            .with(Extension::Pipelining)
            .with_size(limits::MESSAGE_SIZE)
            .with(Extension::EightBitMime)
            .with(Extension::EnhancedStatusCodes)
            .with(Extension::Chunking)
            .with(Extension::Help);
        let config = Self {
            settings: Arc::new(Settings {
                hostname: hostname.into_owned(),
                capabilities,
                own_capabilities: None,
                in_clear: Capabilities::new(),
                encrypted: Capabilities::new(),
                dialect: Dialect::Smtp,
                tls: Tls::Off,
                mechanisms: Vec::new(),
                plain_text_auth: false,
                requires_auth: false,
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
                trace: false,
                additions: Additions::default(),
            }),
        };
        config.set(Settings::renew_offers)
    }

    /// Offers these extensions in place of the default ones.
    ///
    /// The number after SIZE is always [`max_message_size`](Self::max_message_size). STARTTLS and
    /// AUTH are offered where they are configured and can be used, REQUIRETLS only under TLS
    /// (8689-2-c), and LMTP always has PIPELINING and ENHANCEDSTATUSCODES (2033-5-b).
    #[must_use]
    pub fn offer(self, capabilities: Capabilities) -> Self {
        self.set_offer(|settings| settings.capabilities = capabilities)
    }

    /// Sets the protocol, by default [`Dialect::Smtp`]. Not for port 25 where it is LMTP
    /// (2033-5-a).
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        self.set_offer(|settings| settings.dialect = dialect)
    }

    /// Says whether and how sessions get into TLS, by default not at all. The handshake is the
    /// caller's: see [`wants_tls`](super::Server::wants_tls).
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        self.set_offer(|settings| settings.tls = tls)
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
    /// A longer message is read to its end and answered 552; one that goes on beyond half as much
    /// again is answered 421, and the connection closed.
    #[must_use]
    pub fn max_message_size(self, bytes: u64) -> Self {
        let bytes = bytes.max(limits::MESSAGE_SIZE_MINIMUM);
        self.set_offer(|settings| settings.max_message_size = bytes)
    }

    /// Returns the name of the server.
    pub fn hostname(&self) -> &Host<'static> {
        &self.settings.hostname
    }

    /// Offers these extensions from now on, or what was configured.
    pub(super) fn set_own_capabilities(&mut self, capabilities: Option<Capabilities>) {
        if self.settings.own_capabilities != capabilities {
            let settings = Arc::make_mut(&mut self.settings);
            settings.own_capabilities = capabilities;
            settings.renew_offers();
        }
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    pub(super) fn set_offer(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.set(|settings| {
            change(settings);
            settings.renew_offers();
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}
