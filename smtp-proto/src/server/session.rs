//! One session: what its parts have to do with each other.
//!
//! This is the only place that knows them all. Each keeps what is its own, and tells what happened; what
//! follows for the others is here. It goes the way of a command: read, held against the table, handed
//! out or answered, settled by a verdict; then content, and how it all ends.

use core::time::Duration;

use super::config::{Config, ImproperPipelining, Tls};
use super::departures::Turn;
use super::event::{Event, Reason, Refused, Ticket, TransactionId};
use super::footing::Footing;
use super::intake::{self, Arrived, Intake, Message, Portion, Refusal, Room};
use super::outbox::Outbox;
use super::patience::Patience;
use super::replies;
use super::security::{self, SaslResponse, Security};
use super::table::{self, Misplaced, Place, Progress, Standing, State, Verb, Waits};
use super::tickets::{Detail, Question, Subject};
use crate::framing::Transmit;
use crate::machine::{
    Dialect, Error, Fault, ForeignProtocol, Misuse, Timer, TlsInfo, TraceEntry, limits,
};
#[cfg(feature = "auth")]
use crate::sasl::Channel;
use crate::syntax::{
    Argument, AttributeName, AttributeValue, Attributes, Capabilities, Class, Code, Command,
    CommandError, CommandErrorKind, ForwardPath, ForwardingCommand, InitialResponse,
    MailParameters, QueueNode, RcptParameters, Reply, ReversePath, Word,
};

/// Serves one client on one connection.
#[derive(Debug)]
pub(super) struct Session {
    footing: Footing,
    progress: Progress,
    security: Security,
    intake: Intake,
    outbox: Outbox,
    patience: Patience,
    /// The transaction that ended, until the application is told.
    reset: Option<(TransactionId, Reason)>,
    ending: Option<Ending>,
    is_read_to_end: bool,
    /// PIPECONNECT is offered and no content has been asked for: the client need not wait for the
    /// greeting, nor for the answer to EHLO.
    is_opening: bool,
}

/// How a session ends that is ending.
#[derive(Debug)]
enum Ending {
    Quit { is_told: bool, is_closed: bool },
    Failed(Error),
}

/// How far one step of reading got.
enum Step<'i> {
    Event(Event<'i>),
    /// Something was done that is no event.
    Again,
    /// Nothing can be done with the input as it is.
    Starved,
}

/// Who gave a verdict, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Accepted,
    Refused,
    /// The machine did, as the application took too long: positively where nothing else has a meaning.
    Overdue {
        is_positive: bool,
    },
}

impl Given {
    fn is_positive(self) -> bool {
        matches!(self, Self::Accepted | Self::Overdue { is_positive: true })
    }
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let footing = Footing::new(config, now);
        let settings = footing.settings();
        let begins_with_handshake = settings.tls == Tls::Implicit;
        let mut session = Self {
            progress: Progress::new(),
            security: Security::new(begins_with_handshake),
            intake: Intake::new(),
            outbox: Outbox::new(settings.write_timeout, settings.trace),
            patience: Patience::new(now),
            reset: None,
            ending: None,
            is_read_to_end: false,
            is_opening: footing.offered().get("PIPECONNECT").is_some(),
            footing,
        };
        if begins_with_handshake {
            session.arm();
        } else {
            session.greet();
        }
        session
    }

    // What is read.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.footing.called(now);
        self.note_failed_write();
        let event = self.next_event(input);
        self.is_read_to_end |= matches!(event, Ok(Some(Event::Closed)) | Err(_));
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
            if self.ending.is_none() && !input.is_empty() {
                self.bytes_came(input);
                // What came may prove that a reply has arrived.
                if let Some(event) = self.owed_event() {
                    return Ok(Some(event));
                }
            }
            if self.ending.is_some() {
                *input = &[];
                return self.last_event();
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
                    if self.intake.is_ended() && (self.is_handshake() || !self.is_blocked()) =>
                {
                    self.fail(Fault::ConnectionLost, &[]);
                }
                Step::Starved => return Ok(None),
            }
        }
    }

    /// Returns an event that is due whatever the client sends.
    fn owed_event(&mut self) -> Option<Event<'static>> {
        match self.reset.take() {
            Some((transaction, reason)) => Some(Event::Reset {
                transaction,
                reason,
            }),
            None => self.outbox.next_event(),
        }
    }

    /// Takes note that the client sent something.
    fn bytes_came(&mut self, input: &[u8]) {
        // 3207-4-h, X-14, TLS-1, TLS-3: they may be an attacker's.
        if !self.security.takes_bytes() {
            let excerpt = self.security.quotable(input);
            return self.close_for(Reason::Early, Fault::BytesBeforeTls, excerpt);
        }
        let turn = self.outbox.bytes_came();
        let policy = self.footing.settings().improper_pipelining;
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
        self.close_for(reason, fault, self.security.quotable(input));
    }

    /// Returns whether no byte of the input can be taken now.
    fn is_blocked(&self) -> bool {
        if self.ending.is_some() || self.security.is_starting() {
            return true;
        }
        let settings = self.footing.settings();
        self.intake.is_at_command()
            && (self.outbox.is_holding()
                || self.holds_reply_back()
                || !self.is_clear(self.intake.held())
                || self.outbox.unanswered() >= settings.max_unanswered_commands
                || self.outbox.backlog() >= settings.max_output as u64)
    }

    /// Returns whether the verdicts are in that a command waits for.
    fn is_clear(&self, waits: Waits) -> bool {
        let settings = self.footing.settings();
        let others = match waits {
            Waits::Everything => self.outbox.open() == 0,
            Waits::Envelope => self.outbox.undecided() < settings.max_undecided_messages,
            Waits::Nothing | Waits::Sender | Waits::Room => true,
        };
        others && self.intake.is_clear(waits, settings.max_recipients)
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.outbox.has_failed() && !self.intake.is_ended() && !self.is_blocked()
    }

    pub(super) fn max_unconsumed(&self) -> usize {
        let settings = self.footing.settings();
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
        let is_response = self.security.is_in_exchange();
        let limit = match is_response {
            true => limits::AUTHENTICATION_LINE,
            false => self.footing.settings().max_command_line,
        };
        let line = match self.intake.next_line(input, limit) {
            Arrived::Line(line) if is_response => return self.response(line),
            Arrived::Line(line) => line,
            Arrived::TooLong if is_response => return self.break_off(Reason::ResponseTooLong),
            Arrived::TooLong => return self.reject(Reason::LineTooLong, &[], Place::Any),
            Arrived::BareLineFeed(line) => return self.refuse_bare_line_feed(line),
            Arrived::Endless => {
                self.close_on_errors();
                return Step::Again;
            }
            Arrived::Part => return Step::Starved,
        };
        let parsed = self.footing.settings().parse(line);
        let verb = match &parsed {
            Ok(command) => self.verb_of(command),
            Err(_) => None,
        };
        let is_in_turn = self.footing.settings().is_in_turn;
        let waits = verb.map_or(Waits::Nothing, |it| it.waits(is_in_turn));
        if !self.is_clear(waits) {
            self.intake.hold(waits);
            *input = presented;
            return Step::Starved;
        }
        self.outbox.trace_line(security::traceable(line));
        match (verb, parsed) {
            (_, Err(error)) => self.malformed(error, line),
            (None, Ok(_)) => self.unrecognised(line),
            (Some(verb), Ok(command)) => self.handle(verb, command, line),
        }
    }

    /// Returns the row of the table that a command has, if anybody knows it.
    fn verb_of(&self, command: &Command<'_>) -> Option<Verb> {
        let settings = self.footing.settings();
        match command {
            Command::Other { verb, .. } if settings.has_command(verb) => Some(Verb::Own),
            Command::Other { .. } => settings.hands_out_unknown.then_some(Verb::Unknown),
            _ => Some(Verb::of(command)),
        }
    }

    /// Handles a command that waits for nothing any more.
    fn handle<'i>(&mut self, verb: Verb, command: Command<'i>, line: &'i [u8]) -> Step<'i> {
        self.intake.understood();
        let is_first = self.progress.state() == State::Greeted;
        let is_empty = matches!(command, Command::Bdat { size: 0, .. });
        let settings = self.footing.settings();
        if self
            .patience
            .count_idle(verb.idle(), is_first, is_empty, settings)
        {
            self.close_on_errors();
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
        if let Err(misplaced) = self.progress.admit(verb, &self.standing()) {
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
            Command::Ehlo(host) | Command::Lhlo(host) => Step::Event(Event::Hello {
                ticket: self.ask(question, place),
                host,
                esmtp: true,
            }),
            Command::Helo(host) => Step::Event(Event::Hello {
                ticket: self.ask(question, place),
                host,
                esmtp: false,
            }),
            Command::Mail { from, parameters } => self.mail(question, from, parameters, line),
            Command::Rcpt { to, parameters } => self.rcpt(question, to, parameters, line),
            Command::Data => match self.intake.transaction() {
                Some(transaction) => Step::Event(Event::Data {
                    ticket: self.ask(question.of(transaction), place),
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
                self.patience.reset_came();
                self.drop_transaction(Reason::Reset);
                self.progress.apply(verb, true);
                self.say(Reason::Reset, place, None);
                Step::Again
            }
            Command::Noop if !self.footing.settings().has_command("NOOP") => {
                self.say(Reason::Noop, place, self.intake.transaction());
                Step::Again
            }
            Command::Quit if !self.footing.settings().has_command("QUIT") => {
                self.say(Reason::Quit, place, self.intake.transaction());
                self.quit(true);
                Step::Event(Event::Quit)
            }
            Command::Noop | Command::Quit | Command::Other { .. } => self.own(question, line),
            Command::Vrfy(name) => {
                let (name, utf8) = self.footing.name(name);
                Step::Event(Event::Vrfy {
                    ticket: self.ask(question.with(Detail::Utf8(utf8)), place),
                    name,
                    utf8,
                })
            }
            Command::Expn(name) => {
                let (name, utf8) = self.footing.name(name);
                Step::Event(Event::Expn {
                    ticket: self.ask(question.with(Detail::Utf8(utf8)), place),
                    name,
                    utf8,
                })
            }
            Command::Help(topic) => Step::Event(Event::Help {
                ticket: self.ask(question, place),
                topic,
            }),
            Command::StartTls => {
                self.security.tls_asked();
                Step::Event(Event::StartTls {
                    ticket: self.ask(question, place),
                })
            }
            Command::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(&mechanism, initial_response, line, place),
            Command::Etrn(node) => match QueueNode::parse(node.as_str()) {
                Ok(node) => Step::Event(Event::Etrn {
                    ticket: self.ask(question, place),
                    node,
                }),
                Err(_) => self.reject(Reason::BadArgument, line, place),
            },
            Command::Forwarding(attributes) => self.forwarding(question, attributes),
            // The table admits neither ATRN nor BURL.
            _ => self.reject(Reason::NotImplemented, line, place),
        }
    }

    fn mail<'i>(
        &mut self,
        question: Question,
        from: ReversePath<'i>,
        parameters: MailParameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        let settings = self.footing.settings();
        self.patience.transaction_came();
        if self.patience.is_exhausted(settings, self.footing.now()) {
            let step = self.reject(Reason::SessionLimit, line, Place::Any);
            self.fail(Fault::SessionLimit, &[]);
            return step;
        }
        let terms = match self.footing.terms(&from, &parameters) {
            Ok(terms) => terms,
            Err(reason) => {
                self.patience.pardon(settings);
                return self.reject(reason, line, Place::Any);
            }
        };
        let transaction = self.intake.begin(terms, settings.line_breaks);
        Step::Event(Event::Mail {
            ticket: self.ask(question.of(transaction), Place::Any),
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
        if let Err(reason) = self.footing.check_recipient(&to, &parameters, utf8) {
            return self.reject(reason, line, Place::Any);
        }
        let most = self.footing.settings().max_recipients;
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
            ticket: self.ask(question, Place::Any),
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
        let most = intake::ceiling(self.footing.settings().max_message_size);
        if self.patience.swallow(size, most) {
            self.close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
        } else {
            self.chunk_begins(size);
            self.intake.begin_stray_chunk(size, last, misplaced.reason);
        }
        self.count_misplaced();
        Step::Event(Event::Rejected {
            code: self.footing.wording(misplaced.reason).code(),
            reason: misplaced.reason,
            line,
        })
    }

    /// Hands a command to the application as it is.
    fn own<'i>(&mut self, question: Question, line: &'i [u8]) -> Step<'i> {
        let text = core::str::from_utf8(line).unwrap_or_default().trim_end();
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        match Word::parse(verb) {
            Ok(verb) => Step::Event(Event::Command {
                ticket: self.ask(question, question.verb.place()),
                verb,
                argument: Argument::parse(argument.trim_start()).ok(),
            }),
            Err(_) => self.reject(Reason::Unrecognised, line, Place::Any),
        }
    }

    fn authenticate<'i>(
        &mut self,
        mechanism: &str,
        initial_response: Option<InitialResponse<'_>>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        if !self.patience.allows_authentication(self.footing.settings()) {
            // 4954-9-a
            self.close_on_errors();
            return Step::Again;
        }
        let Some(mechanism) = self.footing.offer().mechanism(mechanism).cloned() else {
            // 4954-4-c, 4954-4-v
            return self.reject(Reason::MechanismUnknown, line, place);
        };
        let said = initial_response.map(|it| SaslResponse::decode_initial(it.as_str()));
        if matches!(said, Some(None)) {
            self.patience.count_failed_authentication();
            return self.reject(Reason::NotBase64, line, place);
        }
        Step::Event(Event::Auth {
            ticket: self.ask(Question::new(Verb::Auth), place),
            mechanism,
            initial_response: said.flatten(),
        })
    }

    /// Handles a line of an authentication exchange, whatever it looks like.
    fn response<'i>(&mut self, line: &[u8]) -> Step<'i> {
        self.outbox.trace_line(b"***");
        if line == b"*" {
            // 4954-4-g
            return self.break_off(Reason::AuthenticationCancelled);
        }
        let Some(response) = SaslResponse::decode(line) else {
            return self.break_off(Reason::NotBase64);
        };
        self.security.challenged(false);
        Step::Event(Event::AuthResponse {
            ticket: self.ask(Question::new(Verb::Auth), Place::Last),
            response,
        })
    }

    /// Ends an authentication exchange that leads nowhere.
    fn break_off<'i>(&mut self, reason: Reason) -> Step<'i> {
        self.security.challenged(false);
        self.patience.count_failed_authentication();
        self.reject(reason, &[], Place::Last)
    }

    fn forwarding<'i>(&mut self, question: Question, attributes: Attributes<'i>) -> Step<'i> {
        let place = question.verb.place();
        Step::Event(match attributes.command() {
            ForwardingCommand::XForward => Event::XForward {
                ticket: self.ask(question, place),
                attributes,
            },
            ForwardingCommand::XClient => {
                let login = attributes.get(AttributeName::Login);
                let login = login.map(|it| matches!(it.value(), AttributeValue::Text(_)));
                Event::XClient {
                    ticket: self.ask(question.with(Detail::Login(login)), place),
                    attributes,
                }
            }
        })
    }

    /// Returns what counts besides the state for whether a command is taken.
    fn standing(&self) -> Standing<'_> {
        let settings = self.footing.settings();
        let is_encrypted = self.security.is_encrypted();
        let is_authenticated = self.security.is_authenticated();
        Standing {
            dialect: settings.dialect,
            offered: self.footing.offered(),
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
        let reason = match self.progress.admit(verb, &self.standing()) {
            Err(misplaced) if misplaced.is_about_verb() => misplaced.reason,
            _ => match error.kind() {
                // 5321-4.1.1.11-a
                CommandErrorKind::Parameter(Some(name)) if !self.footing.takes(name) => {
                    Reason::NotOffered
                }
                CommandErrorKind::Address if verb == Verb::Mail => Reason::BadSender,
                CommandErrorKind::Address => Reason::BadRecipient,
                CommandErrorKind::ChunkSize => Reason::BadChunkSize,
                _ => Reason::BadArgument,
            },
        };
        if verb == Verb::Mail {
            self.patience.pardon(self.footing.settings());
        }
        let step = self.reject(reason, line, verb.place());
        if error.kind() == CommandErrorKind::ChunkSize && reason != Reason::NotImplemented {
            // BDT-1: commands cannot be told from content any more.
            self.fail(Fault::MalformedChunk, line);
        }
        step
    }

    /// Answers a line whose verb nobody knows.
    fn unrecognised<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        if self.progress.state() == State::TurnedAway {
            return self.reject(Reason::TurnedAway, line, Place::Any);
        }
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let verb = line.split(|byte| *byte == b' ').next();
        let verb = verb.and_then(|verb| core::str::from_utf8(verb).ok());
        if verb.is_some_and(|verb| self.footing.settings().has_command(verb)) {
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
        self.fail(Fault::ForeignProtocol(protocol), bytes);
        step
    }

    /// Takes leave of a client whose lines end in LF, or whose commands hide others.
    fn refuse_bare_line_feed<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        let line = self.security.quotable(line);
        self.outbox.trace_line(line);
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let step = self.reject(Reason::BareLineFeed, line, Place::Any);
        self.fail(Fault::BareLineFeed, line);
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
                self.patience.pardon(self.footing.settings());
                return self.reject(reason, line, place);
            }
            _ => {}
        }
        self.fail_transaction(misplaced);
        let step = self.decline(reason, line, place);
        self.count_misplaced();
        step
    }

    /// Refuses a command, and counts that as an error.
    fn reject<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        let step = self.decline(reason, line, place);
        self.count_error();
        step
    }

    /// Refuses a command.
    fn decline<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        self.say(reason, place, self.intake.transaction());
        Step::Event(Event::Rejected {
            code: self.footing.wording(reason).code(),
            reason,
            line: security::without_secret(line),
        })
    }

    /// Counts an error; too many end the session.
    fn count_error(&mut self) {
        if self.patience.count_error(self.footing.settings()) {
            self.close_on_errors();
        }
    }

    /// Counts a command out of place, unless it was sent before the client could know.
    fn count_misplaced(&mut self) {
        if self.patience.count_misplaced(self.footing.settings()) {
            self.close_on_errors();
        }
    }

    // Questions and verdicts.

    /// Asks for the greeting.
    fn greet(&mut self) {
        let question = Question::new(Verb::Connect);
        self.outbox.ask_later(&self.footing, question, Place::Last);
    }

    fn ask(&mut self, question: Question, place: Place) -> Ticket {
        self.outbox.ask(&self.footing, question, place)
    }

    fn say(&mut self, reason: Reason, place: Place, transaction: Option<TransactionId>) {
        self.outbox.say(&self.footing, reason, place, transaction);
        self.depart();
    }

    /// Accepts what the ticket stands for.
    pub(super) fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        match self.outbox.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) => {
                let wording = question.verb.accepted(self.footing.dialect());
                self.settle_by(serial, question, wording, Given::Accepted);
                Ok(())
            }
            Ok((serial, Subject::Reply { .. })) => {
                self.let_go(serial);
                Ok(())
            }
            Err(misuse) => Err(Refused { ticket, misuse }),
        }
    }

    /// Refuses what the ticket stands for, as nobody handles it.
    pub(super) fn decline_ticket(&mut self, ticket: &Ticket) {
        match self.outbox.look_up(ticket) {
            Ok((serial, Subject::Question(question))) => {
                let wording = question.verb.declined();
                let given = match wording.code().class() {
                    Class::Positive => Given::Accepted,
                    _ => Given::Refused,
                };
                self.settle_by(serial, question, wording, given);
            }
            Ok((serial, Subject::Reply { .. })) => self.let_go(serial),
            Err(_) => {}
        }
    }

    /// Answers what the ticket stands for.
    pub(super) fn reply(&mut self, ticket: Ticket, reply: &Reply<'_>) -> Result<(), Refused> {
        let checked = self.outbox.look_up(&ticket).and_then(|(serial, subject)| {
            subject.check(reply)?;
            Ok((serial, subject.question()))
        });
        let (serial, question) = match checked {
            Ok(checked) => checked,
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let verb = question.map_or(Verb::Content, |it| it.verb);
        let closes = reply.code() == Code::NOT_AVAILABLE
            // 7504-3, X-44
            || verb == Verb::Connect && reply.code() == Code::NO_MAIL_SERVICE;
        if closes {
            self.close_after(serial, question, Some(reply));
            return Ok(());
        }
        let answer = self.outbox.compose(&self.footing, reply, verb);
        self.outbox.answer(serial, answer, reply.is_positive());
        if let Some(question) = question {
            let given = match reply.is_positive() {
                true => Given::Accepted,
                false => Given::Refused,
            };
            self.settle(question, given);
        }
        self.depart();
        Ok(())
    }

    /// Answers what the ticket stands for, if by anything, and ends the session.
    pub(super) fn close(
        &mut self,
        ticket: Ticket,
        reply: Option<&Reply<'_>>,
    ) -> Result<(), Refused> {
        let checked = self.outbox.look_up(&ticket).and_then(|(serial, subject)| {
            reply.map_or(Ok(()), table::check_negative)?;
            Ok((serial, subject.question()))
        });
        match checked {
            Ok((serial, question)) => {
                self.close_after(serial, question, reply);
                Ok(())
            }
            Err(misuse) => Err(Refused { ticket, misuse }),
        }
    }

    /// Challenges a client that authenticates itself.
    pub(super) fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        let misuse = match self.outbox.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) if question.verb == Verb::Auth => {
                self.security.challenged(true);
                self.outbox.challenge(serial, challenge);
                self.depart();
                return Ok(());
            }
            Ok(_) => Misuse::WrongReplyClass,
            Err(misuse) => misuse,
        };
        Err(Refused { ticket, misuse })
    }

    /// Sends a reply of the machine's own as it is.
    fn let_go(&mut self, serial: u64) {
        self.outbox.let_go(serial);
        self.depart();
    }

    /// Answers for an application that took too long.
    fn settle_overdue(&mut self, serial: u64, question: Question) {
        let wording = question.verb.overdue();
        let is_positive = wording.code().class() == Class::Positive;
        self.settle_by(serial, question, wording, Given::Overdue { is_positive });
        if wording.code() == Code::NOT_AVAILABLE {
            self.fail(Fault::TimedOut(Timer::Verdict), &[]);
        }
    }

    /// Takes a verdict that the machine has the words for.
    fn settle_by(
        &mut self,
        serial: u64,
        question: Question,
        wording: replies::Wording,
        given: Given,
    ) {
        let answer = self.outbox.worded(&self.footing, wording);
        self.outbox.answer(serial, answer, given.is_positive());
        self.settle(question, given);
        self.depart();
    }

    /// Does what a verdict means for the session.
    fn settle(&mut self, question: Question, given: Given) {
        let is_positive = given.is_positive();
        let verb = question.verb;
        if self.ending.is_some() {
            if !is_positive {
                self.forget_reset(question);
            }
            return;
        }
        // A transaction that is gone is not changed any more.
        let is_current = match (verb, question.transaction) {
            (Verb::Mail, Some(id)) => self.intake.sender_decided(id, is_positive),
            (Verb::Recipient, Some(id)) => self.intake.recipient_decided(id, is_positive),
            (Verb::Data, transaction) => self.intake.transaction() == transaction,
            // The state went on at the end of the content.
            _ => !verb.is_of_message(),
        };
        if is_current {
            self.progress.apply(verb, is_positive);
        }
        let settings = self.footing.settings();
        match (verb, question.detail) {
            (Verb::Ehlo | Verb::Lhlo | Verb::Helo, _) if is_positive => {
                self.drop_transaction(Reason::Hello);
                self.footing.introduced(verb != Verb::Helo);
            }
            (Verb::Mail, _) if is_current && !is_positive => self.patience.pardon(settings),
            (Verb::Data, _) if is_current && is_positive => {
                self.intake.begin_data();
                self.patience.content_begins(settings);
            }
            (Verb::StartTls, _) => {
                // All was answered before, so that this reply is the next.
                let length = replies::START_TLS.as_bytes().len();
                self.security
                    .tls_decided(is_positive, self.outbox.queued(), length);
            }
            (Verb::Auth, _) if is_positive => self.security.authenticated(),
            (Verb::Auth, _) => self.patience.count_failed_authentication(),
            (Verb::XClient, Detail::Login(login)) if is_positive => {
                self.security.spoken_for(login);
                self.footing.begun_afresh();
            }
            (Verb::Content | Verb::Delivery, _) if is_positive => self.patience.message_accepted(),
            (Verb::Quit, _) if is_positive => self.quit(false),
            _ => {}
        }
        if given == Given::Refused && verb.counts_refusals() {
            self.count_error();
        }
    }

    /// Goes on with another configuration.
    pub(super) fn reconfigure(&mut self, config: Config) -> Result<(), Misuse> {
        let is_open = self.outbox.any_open(Verb::lets_settings_change);
        let is_greeted = self.progress.state() != State::Connected;
        if !is_open || is_greeted && config.settings().dialect != self.footing.dialect() {
            return Err(Misuse::SettingsFixed);
        }
        self.footing.reconfigure(config);
        Ok(())
    }

    /// Changes what EHLO's next answer offers.
    pub(super) fn change_offer(&mut self, capabilities: Option<Capabilities>) {
        let config = self.footing.config().offer_instead(capabilities);
        self.footing.reconfigure(config);
    }

    // Content.

    /// Reads content up to the next event.
    fn next_content<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let before = input.len();
        let portion = self.intake.next_content(input);
        let bytes = before.saturating_sub(input.len()) as u64;
        let now = self.footing.now();
        self.patience
            .content_came(bytes, self.footing.settings(), now);
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
                // Not by 421: the same message would be sent again for days (RFC 1870 6.3).
                self.close_for(Reason::TooLarge, Fault::TooMuchRefused, &[]);
            }
            Portion::Chunk => {
                self.progress.apply(Verb::Chunk, true);
                self.say(Reason::Chunk, Place::Any, self.intake.transaction());
            }
            Portion::RefusedChunk => {
                // 3030-2-i: what follows of the message is refused until RSET.
                let transaction = self.intake.transaction();
                self.progress.apply(Verb::Chunk, false);
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

    /// Takes the next `size` bytes for content.
    fn chunk_begins(&mut self, size: u64) {
        self.outbox.trace_content(size);
        self.patience.content_begins(self.footing.settings());
    }

    fn end_content(&mut self, message: Message) {
        if self.progress.state() == State::Content {
            self.outbox.trace_content(message.bytes);
        }
        self.patience.message_came(message.bytes);
        self.progress.apply(Verb::Content, true);
    }

    /// Asks for the verdict over a message, for each accepted recipient in LMTP.
    fn ask_for_verdict<'i>(&mut self, message: Message) -> Step<'i> {
        let Message {
            transaction, bytes, ..
        } = message;
        if self.footing.dialect() == Dialect::Smtp {
            return Step::Event(Event::Message {
                ticket: self.ask(Question::new(Verb::Content).of(transaction), Place::Any),
                transaction,
                bytes,
            });
        }
        // All at once, so that nothing comes between their replies. The application is told of one
        // after the other.
        for recipient in 0..u32::try_from(message.recipients).unwrap_or(u32::MAX) {
            let detail = Detail::Recipient { recipient, bytes };
            let question = Question::new(Verb::Delivery).of(transaction).with(detail);
            self.outbox.ask_later(&self.footing, question, Place::Any);
        }
        Step::Again
    }

    /// Returns how many replies a content gets: in LMTP one for each accepted recipient, none at all if
    /// there are none (2033-4.3-b, X-22, BDT-14).
    fn replies_to_content(&self, recipients: usize) -> usize {
        match self.footing.dialect() {
            Dialect::Smtp => 1,
            Dialect::Lmtp => recipients,
        }
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
                Refusal::Machine(reason) => {
                    self.outbox
                        .say(&self.footing, *reason, Place::Any, transaction);
                }
                Refusal::Application(answer) => self.outbox.repeat(&self.footing, answer),
            }
        }
        self.depart();
    }

    /// Refuses the content that is coming, before its end.
    pub(super) fn refuse_content(
        &mut self,
        transaction: TransactionId,
        reply: &Reply<'_>,
    ) -> Result<(), Misuse> {
        table::check_negative(reply)?;
        let is_between_chunks = self.progress.state() == State::Chunks;
        if self.ending.is_some() || !self.intake.can_refuse(transaction, is_between_chunks) {
            return Err(Misuse::UnknownMessage);
        }
        let answer = self.outbox.compose(&self.footing, reply, Verb::Content);
        if reply.code() == Code::NOT_AVAILABLE {
            // Nothing of what follows is taken: the client takes all of it for undelivered.
            self.intake.abandon();
            self.outbox.repeat_last(&self.footing, answer);
            self.fail(Fault::ShutDown, &[]);
        } else {
            self.intake.refuse(Refusal::Application(answer));
        }
        Ok(())
    }

    /// Gives the transaction up until RSET, if a command out of its place breaks it.
    fn fail_transaction(&mut self, misplaced: Misplaced) {
        self.progress.misplace(misplaced);
        if misplaced.breaks {
            self.break_transaction();
        }
    }

    /// Forgets a transaction that failed; returns what its content was refused with.
    fn break_transaction(&mut self) -> Option<Refusal> {
        self.intake.transaction()?;
        self.patience.pardon(self.footing.settings());
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

    /// Tells the application nothing of a transaction that it has ended itself by refusing MAIL.
    fn forget_reset(&mut self, question: Question) {
        if question.verb == Verb::Mail {
            self.reset
                .take_if(|(id, _)| Some(*id) == question.transaction);
        }
    }

    // TLS.

    /// Returns whether the bytes that come and go are the TLS handshake's.
    fn is_handshake(&self) -> bool {
        self.security.is_handshake(self.outbox.sent())
    }

    pub(super) fn wants_tls(&self) -> bool {
        self.ending.is_none() && self.is_handshake()
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.footing.called(now);
        // The client has read the 220.
        self.outbox.bytes_came();
        self.patience.disarm();
        // 3207-4.2-a, X-15, X-17: what was said in clear is forgotten.
        self.footing.tls_established(info);
        self.security.tls_established();
        self.intake.forget_line();
        self.progress.apply(Verb::Handshake, true);
        if self.progress.state() == State::Connected {
            self.greet();
        }
        Ok(())
    }

    #[cfg(feature = "auth")]
    pub(super) fn channel(&self) -> Channel<'_> {
        self.footing.channel()
    }

    pub(super) fn tls_failed(&mut self) {
        if self.wants_tls() {
            self.fail_mutely(Fault::TlsFailed);
        }
    }

    /// Takes back the 220 that begins TLS, so that another reply can follow. Where it is too late
    /// nothing can: the client takes what comes for TLS.
    fn renounce_tls(&mut self) {
        if let Some(kept) = self.security.before_handshake()
            && (self.is_handshake() || !self.outbox.take_back(kept))
        {
            self.silence();
        }
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.security.is_authenticated()
    }

    // What leaves, and when.

    pub(super) fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.footing.called(now);
        self.note_failed_write();
        self.arm();
        self.outbox.transmit(now)
    }

    /// Sends the replies whose turn it is, unless they are held back for now.
    fn depart(&mut self) {
        if !self.is_slow() {
            self.outbox.send_answers();
        }
    }

    /// Returns whether each reply is held back. The last ones of a session leave at once.
    fn is_slow(&self) -> bool {
        self.ending.is_none() && self.patience.is_slow(self.footing.settings())
    }

    /// Returns whether a reply is being held back, so that no further command is handled.
    fn holds_reply_back(&self) -> bool {
        self.is_slow() && self.outbox.has_answer()
    }

    /// Sees to it that the timers run that should, and no others.
    fn arm(&mut self) {
        if self.outbox.is_silent() {
            return;
        }
        let now = self.footing.now();
        self.outbox.arm(now);
        let is_held = self.holds_reply_back();
        // Only the bytes of a chunk have to come while replies are owed: after DATA, 354 is one.
        let is_answered = self.outbox.owes_nothing() || self.intake.is_in_chunk();
        let awaited = match self.intake.is_at_command() {
            _ if self.ending.is_some() || !is_answered => None,
            true => Some(Timer::Idle),
            false => Some(Timer::Receive),
        };
        let settings = self.footing.settings();
        self.patience.hold(is_held, settings, now);
        self.patience.arm(awaited, settings, now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let deadlines = [
            self.outbox.deadline(),
            self.patience.deadline(),
            self.session_end(),
        ];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.footing.called(now);
        if let Some(timer) = self.outbox.expired(now) {
            self.fail_mutely(Fault::TimedOut(timer));
        }
        if let Some(timer) = self.patience.expired(now) {
            self.close_for(Reason::TimedOut, Fault::TimedOut(timer), &[]);
        }
        if self.session_end().is_some_and(|end| end <= now) {
            self.close_for(Reason::SessionLimit, Fault::SessionLimit, &[]);
        }
        if self.patience.releases(now) {
            self.outbox.send_answers();
        }
        while let Some((serial, subject)) = self.outbox.overdue(now) {
            match subject.question() {
                Some(question) => self.settle_overdue(serial, question),
                None => self.let_go(serial),
            }
        }
        self.arm();
    }

    /// Returns when the session is over for its length, if it is between transactions.
    fn session_end(&self) -> Option<Duration> {
        let is_between = self.ending.is_none()
            && self.intake.is_at_command()
            && self.intake.transaction().is_none()
            && self.outbox.unanswered() == 0;
        let end = self.patience.end(self.footing.settings());
        end.filter(|_| is_between)
    }

    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.outbox.poll_trace()
    }

    pub(super) fn shrink(&mut self) {
        self.outbox.shrink();
    }

    // How it ends.

    pub(super) fn is_closed(&self) -> bool {
        self.is_read_to_end
    }

    pub(super) fn handle_eof(&mut self) {
        self.intake.ended();
    }

    pub(super) fn write_failed(&mut self) {
        self.fail_mutely(Fault::WriteFailed);
    }

    pub(super) fn shut_down(&mut self, reply: &Reply<'_>) -> Result<(), Misuse> {
        if self.ending.is_some() {
            return Err(Misuse::Ending);
        }
        table::check_negative(reply)?;
        self.renounce_tls();
        if !self.outbox.is_silent() {
            let answer = self.outbox.compose(&self.footing, reply, Verb::Content);
            self.outbox.repeat_last(&self.footing, answer);
        }
        self.fail(Fault::ShutDown, &[]);
        Ok(())
    }

    /// Takes note of QUIT, whose reply is on its way, and of whether the application knows.
    fn quit(&mut self, is_told: bool) {
        self.outbox.quit_came();
        let ending = Ending::Quit {
            is_told,
            is_closed: false,
        };
        self.end(ending, Reason::Quit);
    }

    /// Ends the session in error, with a last reply that says why.
    fn close_for(&mut self, reason: Reason, fault: Fault, bytes: &[u8]) {
        if self.ending.is_some() {
            return;
        }
        self.renounce_tls();
        if !self.outbox.is_silent() {
            self.outbox.say_last(&self.footing, reason);
        }
        self.fail(fault, bytes);
    }

    fn close_on_errors(&mut self) {
        self.close_for(Reason::TooManyErrors, Fault::TooManyErrors, &[]);
    }

    /// Ends the session for the application, with the answer to the command of that serial number, or
    /// without any. What came after it is not answered.
    fn close_after(&mut self, serial: u64, question: Option<Question>, reply: Option<&Reply<'_>>) {
        self.outbox
            .drop_from(serial.saturating_add(u64::from(reply.is_some())));
        self.fail(Fault::ShutDown, &[]);
        if let Some(question) = question {
            self.forget_reset(question);
        }
        if let Some(reply) = reply {
            let verb = question.map_or(Verb::Content, |it| it.verb);
            let answer = self.outbox.compose(&self.footing, reply, verb);
            self.outbox.answer(serial, answer, false);
        }
        self.depart();
    }

    /// Ends the session in error, once everything is answered and written.
    fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        if self.ending.is_none() {
            let error = Error::new(fault, self.describe(), bytes);
            self.end(Ending::Failed(error), Reason::Ended);
        }
    }

    /// Ends the session in error at once: the client cannot be reached.
    fn fail_mutely(&mut self, fault: Fault) {
        self.fail(fault, &[]);
        self.silence();
    }

    /// Ends the session if its last transmission failed.
    fn note_failed_write(&mut self) {
        if self.outbox.has_failed() {
            self.fail_mutely(Fault::WriteFailed);
        }
    }

    /// Sends nothing any more.
    fn silence(&mut self) {
        self.patience.disarm();
        self.outbox.silence();
    }

    fn end(&mut self, ending: Ending, reason: Reason) {
        self.drop_transaction(reason);
        self.ending = Some(ending);
        // What was held back leaves with the rest.
        self.depart();
    }

    /// Returns the next event of a session that is ending, once everything is answered and written.
    fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if let Some(Ending::Quit { is_told, .. }) = &mut self.ending
            && !core::mem::replace(is_told, true)
        {
            return Ok(Some(Event::Quit));
        }
        if !self.outbox.is_silent() && !self.outbox.owes_nothing() {
            return Ok(None);
        }
        if let Some(event) = self.outbox.last_event() {
            return Ok(Some(event));
        }
        match &mut self.ending {
            Some(Ending::Failed(error)) => Err(error.clone()),
            Some(Ending::Quit { is_closed, .. }) => {
                let is_news = !core::mem::replace(is_closed, true);
                Ok(is_news.then_some(Event::Closed))
            }
            None => Ok(None),
        }
    }

    /// Returns what the session was about, for errors.
    fn describe(&self) -> &'static str {
        match self.intake.is_in_chunk() {
            _ if self.is_handshake() => "before the TLS handshake",
            _ if self.security.is_in_exchange() => "in an authentication exchange",
            true => State::Content.describe(),
            false => self.progress.state().describe(),
        }
    }
}
