//! One session: what comes in, held against the table, handed out or answered.
//!
//! This is the only place that knows both ends: what comes, where bytes become commands and content, and
//! the link, which asks, answers, waits and ends. It goes the way of a command: read, admitted, handed
//! out. What is [refused](super::refusal), what [verdicts](super::verdict) do, and what comes of
//! [content](super::content), stands beside.

use core::time::Duration;

use super::asking::Asking;
use super::config::{Config, ImproperPipelining};
use super::content::{self, Step};
use super::departures::Turn;
use super::event::{Event, Reason, Refused, Ticket, TransactionId};
use super::intake::{Intake, Room};
use super::lines::{Arrived, Lines};
use super::link::Link;
use super::question::{Detail, Question};
use super::refusal;
use super::security::SaslResponse;
use super::table::{self, Place, State, Verb, Waits};
use super::verdict;
use crate::framing::Transmit;
use crate::machine::{Error, Fault, Misuse, Timer, TlsInfo, TraceEntry, limits};
use crate::syntax::{
    Capabilities, Command, ForwardPath, InitialResponse, MailParameters, RcptParameters, Reply,
    ReversePath,
};

/// Serves one client on one connection.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    lines: Lines,
    intake: Intake,
    /// PIPECONNECT is offered and no content has been asked for: the client need not wait for the
    /// greeting, nor for the answer to EHLO.
    is_opening: bool,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let mut link = Link::new(config, now);
        if link.is_handshake() {
            link.arm(Timer::Idle, false);
        } else {
            link.greet();
        }
        Self {
            is_opening: link.footing().offered().get("PIPECONNECT").is_some(),
            link,
            lines: Lines::new(),
            intake: Intake::new(),
        }
    }

    // What is read.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.called(now);
        loop {
            if let Some(event) = self.owed_event() {
                return Ok(Some(event));
            }
            if self.link.is_ending() {
                *input = &[];
                self.arm();
                return self.link.last_event();
            }
            if !input.is_empty() && self.bytes_came(input) {
                continue;
            }
            let step = match self.intake.is_at_command() {
                _ if self.is_blocked() => Step::Starved,
                true => self.next_command(input),
                false => content::next(&mut self.link, &mut self.intake, input),
            };
            match step {
                // Time that the application takes over an event is not the client's: no timer is started.
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Starved
                    if self.lines.is_ended()
                        && (self.link.is_handshake() || !self.is_blocked()) =>
                {
                    if self.intake.is_at_command() {
                        self.trace_unreadable(input);
                    }
                    self.link.fail(Fault::ConnectionLost, &[]);
                }
                Step::Starved => {
                    self.arm();
                    return Ok(None);
                }
            }
        }
    }

    /// Returns an event that is due whatever the client sends.
    fn owed_event(&mut self) -> Option<Event<'static>> {
        let mut ended = self.intake.take_ended();
        if ended.is_none()
            && let Some(reason) = self.link.end_reason()
        {
            self.intake.abandon(reason);
            ended = self.intake.take_ended();
        }
        match ended {
            Some((transaction, reason)) => Some(Event::Reset {
                transaction,
                reason,
            }),
            None => self.link.outbox_mut().next_event(),
        }
    }

    /// Takes note that the client sent something; returns whether there may be something to tell because
    /// of that: a reply arrived, or the session ends.
    fn bytes_came(&mut self, input: &[u8]) -> bool {
        // 3207-4-h, X-14, TLS-1, TLS-3: what was put in before the handshake would be taken for what TLS
        // protects.
        if !self.link.security().takes_bytes() {
            self.close_early(Reason::Early, Fault::BytesBeforeTls, input);
            return true;
        }
        // It is asked again when more has come.
        if self.lines.is_undecided(input) {
            return false;
        }
        let (reason, fault) = match self.link.outbox_mut().bytes_came() {
            Turn::Free => return false,
            Turn::Due => return true,
            Turn::BeforeGreeting => (Reason::Early, Fault::EarlyTalker),
            Turn::Improper => (Reason::Early, Fault::ImproperPipelining),
        };
        let policy = self.link.footing().settings().improper_pipelining;
        if policy == ImproperPipelining::Tolerate || self.is_opening {
            return false;
        }
        if fault == Fault::EarlyTalker {
            // A greeting that has not left is none: the refusal stands in its place.
            self.link.outbox_mut().take_back(0);
        }
        match self.lines.foreign_beginning(input) {
            Some(protocol) => {
                let fault = Fault::ForeignProtocol(protocol);
                self.close_early(Reason::ForeignProtocol, fault, input);
            }
            None => self.close_early(reason, fault, input),
        }
        true
    }

    /// Closes the session for bytes that came where none may, and quotes them.
    fn close_early(&mut self, reason: Reason, fault: Fault, input: &[u8]) {
        let excerpt = self.link.security().quotable(input);
        self.link.close_for(reason, fault, excerpt);
    }

    /// Returns whether no byte of the input can be taken now.
    fn is_blocked(&self) -> bool {
        let waits = |waits| self.link.is_full() || !self.is_clear(waits);
        // Content comes whatever is owed: it was asked for by 354, or its length was told.
        self.link.is_shut() || self.intake.is_at_command() && waits(self.lines.held())
    }

    /// Returns whether the verdicts are in that a command waits for.
    fn is_clear(&self, waits: Waits) -> bool {
        let most = self.link.footing().settings().max_recipients;
        self.link.is_clear(waits) && self.intake.is_clear(waits, most)
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.link.outbox().has_failed() && !self.lines.is_ended() && !self.is_blocked()
    }

    pub(super) fn max_unconsumed(&self) -> usize {
        let settings = self.link.footing().settings();
        match settings.offering.has_mechanisms() {
            true => settings.max_command_line.max(limits::AUTHENTICATION_LINE),
            false => settings.max_command_line,
        }
    }

    // Commands.

    /// Reads one command, unless it has to wait.
    ///
    /// Every line that a client sends passes here.
    fn next_command<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let presented = *input;
        let is_response = self.link.security().is_in_exchange();
        let limit = match is_response {
            true => limits::AUTHENTICATION_LINE,
            false => self.link.footing().settings().max_command_line,
        };
        let arrived = self.lines.next(input, limit);
        if let Arrived::Overlong(beginning) | Arrived::TooLong(beginning) = arrived {
            self.trace_unreadable(beginning);
        }
        let line = match arrived {
            Arrived::Line(line) if is_response => return self.response(line),
            Arrived::Line(line) => line,
            Arrived::Overlong(_) => return Step::Again,
            Arrived::TooLong(_) if is_response => return self.break_off(Reason::ResponseTooLong),
            Arrived::TooLong(_) => {
                let (link, intake) = (&mut self.link, &self.intake);
                return refusal::reject(link, intake, Reason::LineTooLong, &[], Place::Any);
            }
            Arrived::BareLineFeed(line) => {
                return refusal::bare_line_feed(&mut self.link, &self.lines, &self.intake, line);
            }
            Arrived::Foreign(protocol, bytes) => {
                self.link.outbox_mut().trace_line(bytes);
                return refusal::foreign(&mut self.link, &self.intake, protocol, &[], bytes);
            }
            Arrived::Endless => {
                self.link.close_on_errors();
                return Step::Again;
            }
            Arrived::Part => return Step::Starved,
        };
        let settings = self.link.footing().settings();
        let is_in_turn = settings.is_in_turn;
        let parsed = settings.parse(line);
        let verb = match &parsed {
            Ok(command) => self.verb_of(command, line),
            Err(_) => None,
        };
        let waits = verb.map_or(Waits::Nothing, |it| it.waits(is_in_turn));
        if !self.is_clear(waits) {
            // It is read again then: what it borrows of the input cannot be kept.
            self.lines.hold(waits);
            *input = presented;
            return Step::Starved;
        }
        self.link.outbox_mut().trace_line(line);
        match parsed {
            Err(error) => {
                let (link, lines) = (&mut self.link, &mut self.lines);
                refusal::malformed(link, lines, &self.intake, error, line)
            }
            Ok(command) => match verb {
                Some(verb) => self.handle(verb, command, line),
                None => refusal::unrecognised(&mut self.link, &self.lines, &self.intake, line),
            },
        }
    }

    /// Records the beginning of what is no line, if it has one.
    fn trace_unreadable(&mut self, bytes: &[u8]) {
        let bytes = match self.link.security().is_in_exchange() {
            true if !bytes.is_empty() => b"***",
            _ => bytes,
        };
        self.link.outbox_mut().trace_unreadable(bytes);
    }

    /// Returns the row of the table that a command has, if anybody knows it.
    fn verb_of(&self, command: &Command<'_>, line: &[u8]) -> Option<Verb> {
        let settings = self.link.footing().settings();
        match command {
            Command::Other { verb, .. } if settings.has_command(verb) => Some(Verb::Own),
            Command::Other { .. } => {
                let is_told = settings.hands_out_unknown && self.lines.foreign(line).is_none();
                is_told.then_some(Verb::Unknown)
            }
            _ => Some(Verb::of(command)),
        }
    }

    /// Handles a command that waits for nothing any more.
    fn handle<'i>(&mut self, verb: Verb, command: Command<'i>, line: &'i [u8]) -> Step<'i> {
        self.lines.understood();
        let is_empty = matches!(command, Command::Bdat { size: 0, .. });
        if self.link.count_idle(verb, is_empty) {
            return Step::Again;
        }
        self.is_opening &= !matches!(command, Command::Data | Command::Bdat { .. });
        if let Err(misplaced) = refusal::admit(&self.link, &self.intake, verb) {
            let (link, intake) = (&mut self.link, &mut self.intake);
            return refusal::turn_down(link, intake, verb, misplaced, &command, line);
        }
        match command {
            Command::Mail { from, parameters } => self.mail(from, parameters, line),
            Command::Rcpt { to, parameters } => self.rcpt(to, parameters, line),
            Command::Data => self.data(line),
            Command::Bdat { size, last } => {
                content::begin_chunk(&mut self.link, &mut self.intake, size, last)
            }
            Command::Rset => {
                self.link.patience_mut().reset_came();
                self.intake.abandon(Reason::Reset);
                self.link.apply(verb, true);
                self.link.say(Reason::Reset, verb.place(), None);
                Step::Again
            }
            Command::Noop if !self.link.footing().settings().has_command("NOOP") => {
                let transaction = self.intake.transaction();
                self.link.say(Reason::Noop, verb.place(), transaction);
                Step::Again
            }
            Command::Quit if !self.link.footing().settings().has_command("QUIT") => {
                let transaction = self.intake.transaction();
                self.link.say(Reason::Quit, verb.place(), transaction);
                self.link.quit(true);
                Step::Event(Event::Quit)
            }
            Command::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(verb, &mechanism, initial_response, line),
            command => self.hand_out(verb, command, line),
        }
    }

    /// Hands a command to the application as it is.
    fn hand_out<'i>(&mut self, verb: Verb, command: Command<'i>, line: &'i [u8]) -> Step<'i> {
        let (command, utf8) = self.link.footing().parted(command);
        let asking = match Asking::of(command, utf8, line) {
            Ok(asking) => asking,
            Err(reason) => return self.refuse(verb, reason, line),
        };
        if verb == Verb::StartTls {
            // Before the verdict already: what comes now was not sent under TLS (3207-4-h).
            self.link.security_mut().tls_asked();
        }
        let question = Question::new(verb).with(asking.detail());
        Step::Event(asking.into_event(self.link.ask(question)))
    }

    fn mail<'i>(
        &mut self,
        from: ReversePath<'i>,
        parameters: MailParameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        self.link.patience_mut().transaction_came();
        if self.link.is_exhausted() {
            let step = self.decline(Reason::SessionLimit, line);
            self.link.fail(Fault::SessionLimit, &[]);
            return step;
        }
        let terms = match self.link.footing().terms(&from, &parameters) {
            Ok(terms) => terms,
            Err(reason) => return self.refuse(Verb::Mail, reason, line),
        };
        let line_breaks = self.link.footing().settings().line_breaks;
        let transaction = self.intake.begin(terms, line_breaks);
        Step::Event(Event::Mail {
            ticket: self.link.ask(Question::new(Verb::Mail).of(transaction)),
            transaction,
            from,
            parameters,
        })
    }

    fn rcpt<'i>(
        &mut self,
        to: ForwardPath<'i>,
        parameters: RcptParameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        let utf8 = self.intake.terms().is_some_and(|terms| terms.utf8);
        if let Err(reason) = self.link.footing().check_recipient(&to, &parameters, utf8) {
            return self.refuse(Verb::Recipient, reason, line);
        }
        let most = self.link.footing().settings().max_recipients;
        let room = self.intake.recipient_came(most);
        let Some(transaction) = self.intake.transaction().filter(|_| room == Room::Free) else {
            // 5321-4.5.3.1.8-a: those that were accepted stay.
            return match room {
                Room::Overrun => self.refuse(Verb::Recipient, Reason::TooManyRecipients, line),
                _ => self.decline(Reason::TooManyRecipients, line),
            };
        };
        let question = Question::new(Verb::Recipient).of(transaction);
        Step::Event(Event::Rcpt {
            ticket: self.link.ask(question.with(Detail::Utf8(utf8))),
            transaction,
            to,
            parameters,
        })
    }

    fn data<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        let Some(transaction) = self.intake.transaction() else {
            return self.refuse(Verb::Data, Reason::OutOfPlace, line);
        };
        Step::Event(Event::Data {
            ticket: self.link.ask(Question::new(Verb::Data).of(transaction)),
            transaction,
        })
    }

    fn authenticate<'i>(
        &mut self,
        verb: Verb,
        mechanism: &str,
        initial_response: Option<InitialResponse<'_>>,
        line: &'i [u8],
    ) -> Step<'i> {
        if !self.link.allows_authentication() {
            // 4954-9-a
            self.link.close_on_errors();
            return Step::Again;
        }
        let Some(mechanism) = self.link.footing().offer().mechanism(mechanism).cloned() else {
            // 4954-4-c, 4954-4-v
            return self.refuse(verb, Reason::MechanismUnknown, line);
        };
        let said = initial_response.map(|it| SaslResponse::decode_initial(it.as_str()));
        if matches!(said, Some(None)) {
            self.link.patience_mut().count_failed_authentication();
            return self.refuse(verb, Reason::NotBase64, line);
        }
        Step::Event(Event::Auth {
            ticket: self.link.ask(Question::new(verb)),
            mechanism,
            initial_response: said.flatten(),
        })
    }

    /// Handles a line of an authentication exchange, whatever it looks like.
    fn response<'i>(&mut self, line: &[u8]) -> Step<'i> {
        self.link.outbox_mut().trace_line(b"***");
        if line == b"*" {
            // 4954-4-g
            return self.break_off(Reason::AuthenticationCancelled);
        }
        let Some(response) = SaslResponse::decode(line) else {
            return self.break_off(Reason::NotBase64);
        };
        self.link.security_mut().challenged(false);
        Step::Event(Event::AuthResponse {
            ticket: self.link.ask(Question::new(Verb::Auth)),
            response,
        })
    }

    /// Ends an authentication exchange that leads nowhere.
    fn break_off<'i>(&mut self, reason: Reason) -> Step<'i> {
        self.link.security_mut().challenged(false);
        self.link.patience_mut().count_failed_authentication();
        self.refuse(Verb::Auth, reason, &[])
    }

    fn refuse<'i>(&mut self, verb: Verb, reason: Reason, line: &'i [u8]) -> Step<'i> {
        refusal::refuse(&mut self.link, &self.intake, verb, reason, line)
    }

    /// Refuses a command for a limit of the server's, which is no error of the client's.
    fn decline<'i>(&mut self, reason: Reason, line: &'i [u8]) -> Step<'i> {
        refusal::decline(&mut self.link, &self.intake, reason, line, Place::Any)
    }

    // What the application says.

    pub(super) fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        verdict::accept(&mut self.link, &mut self.intake, ticket)
    }

    pub(super) fn decline_ticket(&mut self, ticket: Ticket) -> Result<(), Refused> {
        verdict::decline(&mut self.link, &mut self.intake, ticket)
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: &Reply<'_>) -> Result<(), Refused> {
        verdict::reply(&mut self.link, &mut self.intake, ticket, reply)
    }

    pub(super) fn close(
        &mut self,
        ticket: Ticket,
        reply: Option<&Reply<'_>>,
    ) -> Result<(), Refused> {
        verdict::close(&mut self.link, &mut self.intake, ticket, reply)
    }

    pub(super) fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        verdict::challenge(&mut self.link, ticket, challenge)
    }

    pub(super) fn refuse_content(
        &mut self,
        transaction: TransactionId,
        reply: &Reply<'_>,
    ) -> Result<(), Misuse> {
        content::refuse(&mut self.link, &mut self.intake, transaction, reply)
    }

    pub(super) fn shut_down(&mut self, reply: &Reply<'_>) -> Result<(), Misuse> {
        if self.link.is_ending() {
            return Err(Misuse::Ending);
        }
        table::check_negative(reply)?;
        self.link.shut_down(reply);
        Ok(())
    }

    /// Goes on with another configuration.
    pub(super) fn reconfigure(&mut self, config: Config) -> Result<(), Misuse> {
        let is_open = self.link.outbox().any_open(Verb::lets_settings_change);
        let is_greeted = self.link.progress().state() != State::Connected;
        let dialect = self.link.footing().dialect();
        if !is_open || is_greeted && config.settings().dialect != dialect {
            return Err(Misuse::SettingsFixed);
        }
        self.link.footing_mut().reconfigure(config);
        Ok(())
    }

    /// Changes what EHLO's next answer offers.
    pub(super) fn change_offer(&mut self, capabilities: Option<Capabilities>) {
        let config = self.link.footing().config().offer_instead(capabilities);
        self.link.footing_mut().reconfigure(config);
    }

    // What comes from the driver.

    /// Takes note of the time, and of what became of the last transmission.
    fn called(&mut self, now: Duration) {
        self.link.footing_mut().called(now);
        self.link.note_failed_write();
    }

    pub(super) fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.called(now);
        self.arm();
        self.link.poll_transmit()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.link.deadline(self.is_between_transactions())
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.link.footing_mut().called(now);
        self.link.fire(self.is_between_transactions());
        verdict::expire(&mut self.link, &mut self.intake);
        self.arm();
    }

    fn is_between_transactions(&self) -> bool {
        self.intake.is_at_command() && self.intake.transaction().is_none()
    }

    /// Sees to it that the timers run that should, and no others.
    fn arm(&mut self) {
        let awaited = match self.intake.is_at_command() {
            true => Timer::Idle,
            false => Timer::Receive,
        };
        self.link.arm(awaited, self.intake.is_in_chunk());
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.link.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.link.footing_mut().called(now);
        self.lines.forget();
        self.link.tls_established(info);
        Ok(())
    }

    pub(super) fn tls_failed(&mut self) {
        if self.link.wants_tls() {
            self.link.fail_mutely(Fault::TlsFailed);
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.lines.ended();
    }

    pub(super) fn write_failed(&mut self) {
        self.link.fail_mutely(Fault::WriteFailed);
    }

    pub(super) fn shrink(&mut self) {
        self.link.outbox_mut().shrink();
    }

    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.link.outbox_mut().poll_trace()
    }

    /// Returns what speaks with the client.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}
