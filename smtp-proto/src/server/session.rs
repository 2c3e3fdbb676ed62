//! One session: what comes in, held against the table, handed out or answered, and settled by verdicts.
//!
//! This is the only place that knows both ends: the intake, where bytes become commands and content, and
//! the link, which asks, answers, waits and ends. It goes the way of a command: read, admitted, asked
//! about, settled; then content.

use core::time::Duration;

use super::asking::Asking;
use super::config::{Config, ImproperPipelining, Tls};
use super::departures::Turn;
use super::event::{Event, Reason, Refused, Ticket, TransactionId};
use super::intake::{self, Arrived, Intake, Message, Portion, Refusal, Room};
use super::link::{Link, Verdict};
use super::security::{self, SaslResponse};
use super::table::{self, Misplaced, Place, Standing, State, Verb, Waits};
use super::tickets::{Detail, Question};
use crate::framing::Transmit;
use crate::machine::{
    Dialect, Error, Fault, ForeignProtocol, Misuse, Timer, TlsInfo, TraceEntry, limits,
};
use crate::syntax::{
    Capabilities, Code, Command, CommandError, CommandErrorKind, ForwardPath, InitialResponse,
    MailParameters, RcptParameters, Reply, ReversePath,
};

/// Serves one client on one connection.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    intake: Intake,
    /// The transaction that ended, until the application is told.
    reset: Option<(TransactionId, Reason)>,
    /// PIPECONNECT is offered and no content has been asked for: the client need not wait for the
    /// greeting, nor for the answer to EHLO.
    is_opening: bool,
}

/// How far one step of reading got.
enum Step<'i> {
    Event(Event<'i>),
    /// Something was done that is no event.
    Again,
    /// Nothing can be done with the input as it is.
    Starved,
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
            intake: Intake::new(),
            reset: None,
        }
    }

    // What is read.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.called(now);
        let event = self.next_event(input);
        // Time that the application takes over an event is not the client's.
        if !matches!(event, Ok(Some(_))) {
            self.arm();
        }
        event
    }

    fn next_event<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Error> {
        loop {
            if let Some(event) = self.owed_event() {
                return Ok(Some(event));
            }
            if !self.link.is_ending() && !input.is_empty() {
                self.bytes_came(input);
                // What came may prove that a reply has arrived.
                if let Some(event) = self.owed_event() {
                    return Ok(Some(event));
                }
            }
            if self.link.is_ending() {
                *input = &[];
                return self.link.last_event();
            }
            let step = match self.intake.is_at_command() {
                _ if self.is_blocked() => Step::Starved,
                true => self.next_command(input),
                false => self.next_content(input),
            };
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Starved
                    if self.intake.is_ended()
                        && (self.link.is_handshake() || !self.is_blocked()) =>
                {
                    self.link.fail(Fault::ConnectionLost, &[]);
                }
                Step::Starved => return Ok(None),
            }
        }
    }

    /// Returns an event that is due whatever the client sends.
    fn owed_event(&mut self) -> Option<Event<'static>> {
        if let Some(reason) = self.link.end_reason()
            && self.reset.is_none()
        {
            self.drop_transaction(reason);
        }
        match self.reset.take() {
            Some((transaction, reason)) => Some(Event::Reset {
                transaction,
                reason,
            }),
            None => self.link.outbox_mut().next_event(),
        }
    }

    /// Takes note that the client sent something.
    fn bytes_came(&mut self, input: &[u8]) {
        // 3207-4-h, X-14, TLS-1, TLS-3: they may be an attacker's.
        if !self.link.security().takes_bytes() {
            return self.close_early(Reason::Early, Fault::BytesBeforeTls, input);
        }
        let turn = self.link.outbox_mut().bytes_came();
        let policy = self.link.footing().settings().improper_pipelining;
        if policy == ImproperPipelining::Tolerate || self.is_opening {
            return;
        }
        let (reason, fault) = match turn {
            Turn::Proper => return,
            // A client that begins with TLS waits for no greeting.
            _ if self.intake.begins_with_tls(input) => (
                Reason::ForeignProtocol,
                Fault::ForeignProtocol(ForeignProtocol::Tls),
            ),
            Turn::BeforeGreeting => (Reason::Early, Fault::EarlyTalker),
            Turn::Improper => (Reason::Early, Fault::ImproperPipelining),
        };
        self.close_early(reason, fault, input);
    }

    /// Closes the session for bytes that came where none may, and quotes them.
    fn close_early(&mut self, reason: Reason, fault: Fault, input: &[u8]) {
        let excerpt = self.link.security().quotable(input);
        self.link.close_for(reason, fault, excerpt);
    }

    /// Returns whether no byte of the input can be taken now.
    fn is_blocked(&self) -> bool {
        let waits = |waits| self.link.is_full() || !self.is_clear(waits);
        self.link.is_shut() || self.intake.is_at_command() && waits(self.intake.held())
    }

    /// Returns whether the verdicts are in that a command waits for.
    fn is_clear(&self, waits: Waits) -> bool {
        let most = self.link.footing().settings().max_recipients;
        self.link.is_clear(waits) && self.intake.is_clear(waits, most)
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.link.outbox().has_failed() && !self.intake.is_ended() && !self.is_blocked()
    }

    pub(super) fn max_unconsumed(&self) -> usize {
        let settings = self.link.footing().settings();
        match settings.has_mechanisms() {
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
        if self.intake.begins_with_tls(presented) {
            let first = presented.get(..1).unwrap_or_default();
            return self.refuse_foreign(ForeignProtocol::Tls, &[], first);
        }
        let is_response = self.link.security().is_in_exchange();
        let limit = match is_response {
            true => limits::AUTHENTICATION_LINE,
            false => self.link.footing().settings().max_command_line,
        };
        let line = match self.intake.next_line(input, limit) {
            Arrived::Line(line) if is_response => return self.response(line),
            Arrived::Line(line) => line,
            Arrived::TooLong if is_response => return self.break_off(Reason::ResponseTooLong),
            Arrived::TooLong => return self.reject(Reason::LineTooLong, &[], Place::Any),
            Arrived::BareLineFeed(line) => return self.refuse_bare_line_feed(line),
            Arrived::Endless => {
                self.link.close_on_errors();
                return Step::Again;
            }
            Arrived::Part => return Step::Starved,
        };
        let parsed = self.link.footing().settings().parse(line);
        let verb = match &parsed {
            Ok(command) => self.verb_of(command, line),
            Err(_) => None,
        };
        let is_in_turn = self.link.footing().settings().is_in_turn;
        let waits = verb.map_or(Waits::Nothing, |it| it.waits(is_in_turn));
        if !self.is_clear(waits) {
            self.intake.hold(waits);
            *input = presented;
            return Step::Starved;
        }
        self.link.outbox_mut().trace_line(security::traceable(line));
        match (verb, parsed) {
            (_, Err(error)) => self.malformed(error, line),
            (None, Ok(_)) => self.unrecognised(line),
            (Some(verb), Ok(command)) => self.handle(verb, command, line),
        }
    }

    /// Returns the row of the table that a command has, if anybody knows it.
    fn verb_of(&self, command: &Command<'_>, line: &[u8]) -> Option<Verb> {
        let settings = self.link.footing().settings();
        match command {
            Command::Other { verb, .. } if settings.has_command(verb) => Some(Verb::Own),
            Command::Other { .. } => {
                let is_told = settings.hands_out_unknown && self.intake.foreign(line).is_none();
                is_told.then_some(Verb::Unknown)
            }
            _ => Some(Verb::of(command)),
        }
    }

    /// Handles a command that waits for nothing any more.
    fn handle<'i>(&mut self, verb: Verb, command: Command<'i>, line: &'i [u8]) -> Step<'i> {
        self.intake.understood();
        let is_empty = matches!(command, Command::Bdat { size: 0, .. });
        if self.link.count_idle(verb, is_empty) {
            return Step::Again;
        }
        let place = match &command {
            // 4954-4-t
            Command::Auth {
                initial_response: Some(_),
                ..
            } => Place::Any,
            _ => verb.place(),
        };
        self.is_opening &= !matches!(command, Command::Data | Command::Bdat { .. });
        if let Err(misplaced) = self.link.progress().admit(verb, &self.standing()) {
            return match command {
                // Its bytes come, whatever is said of them.
                Command::Bdat { size, last } if misplaced.reason != Reason::NotImplemented => {
                    self.stray_chunk(size, last, misplaced, line)
                }
                _ => self.turn_down(verb, misplaced, place, line),
            };
        }
        let question = Question::new(verb);
        match command {
            Command::Mail { from, parameters } => self.mail(question, from, parameters, line),
            Command::Rcpt { to, parameters } => self.rcpt(question, to, parameters, line),
            Command::Data => match self.intake.transaction() {
                Some(transaction) => Step::Event(Event::Data {
                    ticket: self.link.ask(question.of(transaction), place),
                    transaction,
                }),
                None => self.reject(Reason::OutOfPlace, line, place),
            },
            Command::Bdat { size, last } => {
                self.chunk_begins(size);
                let portion = self.intake.begin_chunk(size, last);
                self.handle_portion(portion)
            }
            Command::Rset => {
                self.link.patience_mut().reset_came();
                self.drop_transaction(Reason::Reset);
                self.link.apply(verb, true);
                self.link.say(Reason::Reset, place, None);
                Step::Again
            }
            Command::Noop if !self.link.footing().settings().has_command("NOOP") => {
                self.link
                    .say(Reason::Noop, place, self.intake.transaction());
                Step::Again
            }
            Command::Quit if !self.link.footing().settings().has_command("QUIT") => {
                self.link
                    .say(Reason::Quit, place, self.intake.transaction());
                self.link.quit(true);
                Step::Event(Event::Quit)
            }
            Command::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(&mechanism, initial_response, line, place),
            command => self.hand_out(question, command, line, place),
        }
    }

    /// Hands a command to the application as it is.
    fn hand_out<'i>(
        &mut self,
        question: Question,
        command: Command<'i>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        let (command, utf8) = self.link.footing().parted(command);
        let asking = match Asking::of(command, utf8, line) {
            Ok(asking) => asking,
            Err(reason) => return self.reject(reason, line, place),
        };
        if question.verb == Verb::StartTls {
            self.link.security_mut().tls_asked();
        }
        let ticket = self.link.ask(question.with(asking.detail()), place);
        Step::Event(asking.into_event(ticket))
    }

    fn mail<'i>(
        &mut self,
        question: Question,
        from: ReversePath<'i>,
        parameters: MailParameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        self.link.patience_mut().transaction_came();
        if self.link.is_exhausted() {
            let step = self.decline(Reason::SessionLimit, line, Place::Any);
            self.link.fail(Fault::SessionLimit, &[]);
            return step;
        }
        let terms = match self.link.footing().terms(&from, &parameters) {
            Ok(terms) => terms,
            Err(reason) => {
                self.link.pardon();
                return self.reject(reason, line, Place::Any);
            }
        };
        let transaction = self
            .intake
            .begin(terms, self.link.footing().settings().line_breaks);
        Step::Event(Event::Mail {
            ticket: self.link.ask(question.of(transaction), Place::Any),
            transaction,
            from,
            parameters,
        })
    }

    fn rcpt<'i>(
        &mut self,
        question: Question,
        to: ForwardPath<'i>,
        parameters: RcptParameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        let utf8 = self.intake.terms().is_some_and(|terms| terms.utf8);
        if let Err(reason) = self.link.footing().check_recipient(&to, &parameters, utf8) {
            return self.reject(reason, line, Place::Any);
        }
        let most = self.link.footing().settings().max_recipients;
        let room = self.intake.recipient_came(most);
        let Some(transaction) = self.intake.transaction().filter(|_| room == Room::Free) else {
            // 5321-4.5.3.1.8-a: those that were accepted stay.
            return match room {
                Room::Overrun => self.reject(Reason::TooManyRecipients, line, Place::Any),
                _ => self.decline(Reason::TooManyRecipients, line, Place::Any),
            };
        };
        let question = question.of(transaction).with(Detail::Utf8(utf8));
        Step::Event(Event::Rcpt {
            ticket: self.link.ask(question, Place::Any),
            transaction,
            to,
            parameters,
        })
    }

    /// Swallows a chunk that no transaction takes.
    fn stray_chunk<'i>(
        &mut self,
        size: u64,
        last: bool,
        misplaced: Misplaced,
        line: &'i [u8],
    ) -> Step<'i> {
        self.fail_transaction(misplaced);
        let most = intake::ceiling(self.link.footing().settings().max_message_size);
        if self.link.patience_mut().swallow(size, most) {
            self.link
                .close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
        } else {
            self.chunk_begins(size);
            self.intake.begin_stray_chunk(size, last, misplaced.reason);
        }
        self.link.count_misplaced();
        Step::Event(Event::Rejected {
            code: self.link.footing().wording(misplaced.reason).code(),
            reason: misplaced.reason,
            line,
        })
    }

    fn authenticate<'i>(
        &mut self,
        mechanism: &str,
        initial_response: Option<InitialResponse<'_>>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        if !self.link.allows_authentication() {
            // 4954-9-a
            self.link.close_on_errors();
            return Step::Again;
        }
        let Some(mechanism) = self.link.footing().offer().mechanism(mechanism).cloned() else {
            // 4954-4-c, 4954-4-v
            return self.reject(Reason::MechanismUnknown, line, place);
        };
        let said = initial_response.map(|it| SaslResponse::decode_initial(it.as_str()));
        if matches!(said, Some(None)) {
            self.link.patience_mut().count_failed_authentication();
            return self.reject(Reason::NotBase64, line, place);
        }
        Step::Event(Event::Auth {
            ticket: self.link.ask(Question::new(Verb::Auth), place),
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
            ticket: self.link.ask(Question::new(Verb::Auth), Place::Last),
            response,
        })
    }

    /// Ends an authentication exchange that leads nowhere.
    fn break_off<'i>(&mut self, reason: Reason) -> Step<'i> {
        self.link.security_mut().challenged(false);
        self.link.patience_mut().count_failed_authentication();
        self.reject(reason, &[], Place::Last)
    }

    /// Returns what counts besides the state for whether a command is taken.
    fn standing(&self) -> Standing<'_> {
        let settings = self.link.footing().settings();
        let is_encrypted = self.link.security().is_encrypted();
        let is_authenticated = self.link.security().is_authenticated();
        Standing {
            dialect: settings.dialect,
            offered: self.link.footing().offered(),
            has_tls: settings.tls != Tls::Off,
            has_mechanisms: settings.has_mechanisms(),
            is_encrypted,
            is_authenticated,
            lacks_tls: settings.tls == Tls::Required && !is_encrypted,
            lacks_authentication: settings.requires_auth && !is_authenticated,
            demands_hello: settings.requires_hello,
            names_recipients: self.intake.names_recipients(),
            is_binary: self.intake.terms().is_some_and(|terms| terms.binary),
        }
    }

    // What the machine refuses by itself.

    /// Answers a line that is no command, or none of the form that its verb demands.
    fn malformed<'i>(&mut self, error: CommandError, line: &'i [u8]) -> Step<'i> {
        let Some(verb) = error.verb().map(Verb::named) else {
            return self.unrecognised(line);
        };
        self.intake.understood();
        let reason = match self.link.progress().admit(verb, &self.standing()) {
            Err(misplaced) if misplaced.is_about_verb() => misplaced.reason,
            _ => match error.kind() {
                // 5321-4.1.1.11-a
                CommandErrorKind::Parameter(Some(name)) if !self.link.footing().takes(name) => {
                    Reason::NotOffered
                }
                CommandErrorKind::Address if verb == Verb::Mail => Reason::BadSender,
                CommandErrorKind::Address => Reason::BadRecipient,
                CommandErrorKind::ChunkSize => Reason::BadChunkSize,
                _ => Reason::BadArgument,
            },
        };
        if verb == Verb::Mail {
            self.link.pardon();
        }
        let step = self.reject(reason, line, verb.place());
        if error.kind() == CommandErrorKind::ChunkSize && reason != Reason::NotImplemented {
            // BDT-1: commands cannot be told from content any more.
            self.link.fail(Fault::MalformedChunk, line);
        }
        step
    }

    /// Answers a line whose verb nobody knows.
    fn unrecognised<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        if self.link.progress().state() == State::TurnedAway {
            return self.reject(Reason::TurnedAway, line, Place::Any);
        }
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let verb = line.split(|byte| *byte == b' ').next();
        let verb = verb.and_then(|verb| core::str::from_utf8(verb).ok());
        if verb.is_some_and(|verb| self.link.footing().settings().has_command(verb)) {
            return self.reject(Reason::BadArgument, line, Place::Last);
        }
        self.reject(Reason::Unrecognised, line, Place::Any)
    }

    /// Takes leave of a client that speaks another protocol, of which `bytes` are an example.
    fn refuse_foreign<'i>(
        &mut self,
        protocol: ForeignProtocol,
        line: &'i [u8],
        bytes: &[u8],
    ) -> Step<'i> {
        let step = self.reject(Reason::ForeignProtocol, line, Place::Any);
        self.link.fail(Fault::ForeignProtocol(protocol), bytes);
        step
    }

    /// Takes leave of a client whose lines end in LF, or whose commands hide others.
    fn refuse_bare_line_feed<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        let line = self.link.security().quotable(line);
        self.link.outbox_mut().trace_line(line);
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let step = self.reject(Reason::BareLineFeed, line, Place::Any);
        self.link.fail(Fault::BareLineFeed, line);
        step
    }

    /// Answers a command that is not in its place.
    fn turn_down<'i>(
        &mut self,
        verb: Verb,
        misplaced: Misplaced,
        place: Place,
        line: &'i [u8],
    ) -> Step<'i> {
        let reason = misplaced.reason;
        match reason {
            Reason::WrongDialect => return self.reject(reason, line, Place::Any),
            Reason::TlsRequired | Reason::AuthenticationRequired if verb == Verb::Mail => {
                self.link.pardon();
                return self.reject(reason, line, place);
            }
            _ => {}
        }
        self.fail_transaction(misplaced);
        let step = self.decline(reason, line, place);
        self.link.count_misplaced();
        step
    }

    /// Refuses a command, and counts that as an error.
    fn reject<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        let step = self.decline(reason, line, place);
        self.link.count_error();
        step
    }

    /// Refuses a command.
    fn decline<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        let transaction = self.intake.transaction();
        Step::Event(self.link.decline(reason, line, place, transaction))
    }

    // Verdicts.

    pub(super) fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        let verdict = self.link.accept(ticket)?;
        self.settle(verdict);
        Ok(())
    }

    /// Refuses what the ticket stands for, as nobody handles it.
    pub(super) fn decline_ticket(&mut self, ticket: &Ticket) {
        let verdict = self.link.decline_ticket(ticket);
        self.settle(verdict);
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: &Reply<'_>) -> Result<(), Refused> {
        let verdict = self.link.reply(ticket, reply)?;
        self.settle(verdict);
        Ok(())
    }

    pub(super) fn close(
        &mut self,
        ticket: Ticket,
        reply: Option<&Reply<'_>>,
    ) -> Result<(), Refused> {
        let verdict = self.link.close(ticket, reply)?;
        self.settle(verdict);
        Ok(())
    }

    pub(super) fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        self.link.challenge(ticket, challenge)
    }

    /// Does what a verdict means for the session, and lets its reply leave.
    fn settle(&mut self, verdict: Option<Verdict>) {
        if let Some(verdict) = verdict {
            self.take_effect(verdict);
            self.link.depart();
        }
    }

    fn take_effect(&mut self, verdict: Verdict) {
        let Question {
            verb,
            transaction,
            detail,
        } = verdict.question;
        let is_positive = verdict.is_positive;
        // A transaction that is gone is not changed any more.
        let is_current = match (verb, transaction) {
            (Verb::Mail, Some(id)) => self.intake.sender_decided(id, is_positive),
            (Verb::Recipient, Some(id)) => self.intake.recipient_decided(id, is_positive),
            (Verb::Data, transaction) => self.intake.transaction() == transaction,
            // The state went on at the end of the content.
            _ => !verb.is_of_message(),
        };
        if self.link.is_ending() {
            return;
        }
        if is_current {
            self.link.apply(verb, is_positive);
        }
        match (verb, detail) {
            (Verb::Ehlo | Verb::Lhlo | Verb::Helo, _) if is_positive => {
                self.drop_transaction(Reason::Hello);
                self.link.footing_mut().introduced(verb != Verb::Helo);
            }
            (Verb::Mail, _) if is_current && !is_positive => self.link.pardon(),
            (Verb::Data, _) if is_current && is_positive => {
                self.intake.begin_data();
                self.link.content_begins();
            }
            (Verb::StartTls, _) => self.link.tls_decided(is_positive),
            (Verb::Auth, _) if is_positive => self.link.security_mut().authenticated(),
            (Verb::Auth, _) => self.link.patience_mut().count_failed_authentication(),
            (Verb::XClient, Detail::Login(login)) if is_positive => {
                self.link.security_mut().spoken_for(login);
                self.link.footing_mut().begun_afresh();
            }
            (Verb::Content | Verb::Delivery, _) if is_positive => {
                self.link.patience_mut().message_accepted();
            }
            (Verb::Quit, _) if is_positive => self.link.quit(false),
            // Without a greeting in time there is no session.
            (Verb::Connect, _) if verdict.is_overdue() => {
                self.link.fail(Fault::TimedOut(Timer::Verdict), &[]);
            }
            _ => {}
        }
        self.link.count_refusal(verdict);
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

    // Content.

    /// Reads content up to the next event.
    fn next_content<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let before = input.len();
        let portion = self.intake.next_content(input);
        self.link
            .content_came(before.saturating_sub(input.len()) as u64);
        self.handle_portion(portion)
    }

    fn handle_portion<'i>(&mut self, portion: Portion<'i>) -> Step<'i> {
        match portion {
            Portion::None => return Step::Starved,
            Portion::Swallowed => {}
            Portion::Bytes { transaction, bytes } => {
                return Step::Event(Event::Content { transaction, bytes });
            }
            Portion::Refused {
                transaction,
                reason,
            } => {
                return Step::Event(Event::Reset {
                    transaction,
                    reason,
                });
            }
            Portion::Excess => {
                self.link
                    .close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
            }
            Portion::Chunk => {
                self.link.apply(Verb::Chunk, true);
                self.link
                    .say(Reason::Chunk, Place::Any, self.intake.transaction());
            }
            Portion::RefusedChunk => {
                // 3030-2-i: what follows of the message is refused until RSET.
                let transaction = self.intake.transaction();
                self.link.apply(Verb::Chunk, false);
                if let Some(refusal) = self.break_transaction() {
                    self.refuse_message(&refusal, 1, transaction);
                }
            }
            Portion::StrayChunk { reason, recipients } => {
                let replies = recipients.map_or(1, |it| self.replies_to_content(it));
                self.refuse_message(&Refusal::Machine(reason), replies, None);
            }
            Portion::Message(message) => {
                self.end_content(message);
                return self.ask_for_verdict(message);
            }
            Portion::RefusedMessage { message, refusal } => {
                self.end_content(message);
                let replies = self.replies_to_content(message.recipients);
                self.refuse_message(&refusal, replies, Some(message.transaction));
            }
        }
        Step::Again
    }

    /// Asks for the verdict over a message, for each accepted recipient in LMTP.
    fn ask_for_verdict<'i>(&mut self, message: Message) -> Step<'i> {
        let Message {
            transaction, bytes, ..
        } = message;
        if self.link.footing().dialect() == Dialect::Smtp {
            return Step::Event(Event::Message {
                ticket: self
                    .link
                    .ask(Question::new(Verb::Content).of(transaction), Place::Any),
                transaction,
                bytes,
            });
        }
        // All at once, so that nothing comes between their replies. The application is told of one
        // after the other.
        for recipient in 0..u32::try_from(message.recipients).unwrap_or(u32::MAX) {
            let detail = Detail::Recipient { recipient, bytes };
            let question = Question::new(Verb::Delivery).of(transaction).with(detail);
            self.link.ask_later(question, Place::Any);
        }
        Step::Again
    }

    /// Returns how many replies a content gets: in LMTP one for each accepted recipient, none at all if
    /// there are none (2033-4.3-b, X-22, BDT-14).
    fn replies_to_content(&self, recipients: usize) -> usize {
        match self.link.footing().dialect() {
            Dialect::Smtp => 1,
            Dialect::Lmtp => recipients,
        }
    }

    /// Takes the next `size` bytes for content.
    fn chunk_begins(&mut self, size: u64) {
        self.link.outbox_mut().trace_content(size);
        self.link.content_begins();
    }

    fn end_content(&mut self, message: Message) {
        if self.link.progress().state() == State::Content {
            self.link.outbox_mut().trace_content(message.bytes);
        }
        self.link.patience_mut().message_came(message.bytes);
        self.link.apply(Verb::Content, true);
    }

    /// Answers a content that is refused.
    fn refuse_message(
        &mut self,
        refusal: &Refusal,
        replies: usize,
        transaction: Option<TransactionId>,
    ) {
        for _ in 0..replies {
            match refusal {
                Refusal::Machine(reason) => self.link.say(*reason, Place::Any, transaction),
                Refusal::Application(answer) => self.link.repeat(answer),
            }
        }
    }

    /// Refuses the content that is coming, before its end.
    pub(super) fn refuse_content(
        &mut self,
        transaction: TransactionId,
        reply: &Reply<'_>,
    ) -> Result<(), Misuse> {
        table::check_negative(reply)?;
        let is_between_chunks = self.link.progress().state() == State::Chunks;
        if self.link.is_ending() || !self.intake.can_refuse(transaction, is_between_chunks) {
            return Err(Misuse::UnknownMessage);
        }
        if reply.code() == Code::NOT_AVAILABLE {
            // Nothing of what follows is taken: the client takes all of it for undelivered.
            self.intake.abandon();
            self.link.shut_down(reply);
        } else {
            let answer = self.link.compose(reply);
            self.intake.refuse(Refusal::Application(answer));
        }
        Ok(())
    }

    /// Gives the transaction up until RSET, if a command out of its place breaks it.
    fn fail_transaction(&mut self, misplaced: Misplaced) {
        self.link.misplace(misplaced);
        if misplaced.breaks {
            self.break_transaction();
        }
    }

    /// Forgets a transaction that failed; returns what its content was refused with.
    fn break_transaction(&mut self) -> Option<Refusal> {
        self.intake.transaction()?;
        self.link.pardon();
        let (transaction, refusal) = self.intake.fail();
        if let Some(transaction) = transaction {
            self.reset = Some((transaction, Reason::ChunkFailed));
        }
        refusal
    }

    /// Forgets the transaction, if there is one, and owes the application the news.
    fn drop_transaction(&mut self, reason: Reason) {
        if let Some(transaction) = self.intake.abandon() {
            self.reset = Some((transaction, reason));
        }
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
        while let Some(verdict) = self.link.next_overdue() {
            self.settle(Some(verdict));
        }
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
        self.intake.forget_line();
        self.link.tls_established(info);
        Ok(())
    }

    pub(super) fn tls_failed(&mut self) {
        if self.link.wants_tls() {
            self.link.fail_mutely(Fault::TlsFailed);
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.intake.ended();
    }

    pub(super) fn write_failed(&mut self) {
        self.link.fail_mutely(Fault::WriteFailed);
    }

    pub(super) fn shut_down(&mut self, reply: &Reply<'_>) -> Result<(), Misuse> {
        if self.link.is_ending() {
            return Err(Misuse::Ending);
        }
        table::check_negative(reply)?;
        self.link.shut_down(reply);
        Ok(())
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
