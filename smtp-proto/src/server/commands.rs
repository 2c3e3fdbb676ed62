//! Commands as they come.

use core::time::Duration;

use super::config::Tls;
use super::event::{Event, ResetCause, TransactionId};
use super::pipeline::Answer;
use super::refusals::is_tls;
use super::sequence::{self, Admission, Asked, Needs, Place, Rule, State, Waits};
use super::session::{Authentication, Ending, Security, Session, Step};
use super::transaction::Transaction;
use super::{replies, sasl};
use crate::framing::Line;
use crate::machine::{ForeignProtocol, Origin, limits};
use crate::syntax::{
    Command, Extension, ForwardPath, MailParameters, RcptParameters, ReversePath, Verb,
};

impl Session {
    /// Reads one command, unless it has to wait.
    ///
    /// Every line that a client sends passes here, over-long ones apart.
    pub(super) fn next_command<'i>(&mut self, input: &mut &'i [u8], now: Duration) -> Step<'i> {
        self.waits = Waits::Nothing;
        let presented = *input;
        if !self.tally.understood && is_tls(presented) {
            let first = presented.get(..1).unwrap_or_default();
            return self.refuse_foreign(ForeignProtocol::Tls, &[], first);
        }
        let is_response = self.authentication == Authentication::Exchange;
        let limit = match is_response {
            true => limits::AUTHENTICATION_LINE,
            false => self.settings().max_command_line,
        };
        let line = match self.lines.next(input, limit) {
            Some(Line::Complete(line)) if is_response => return self.response(line, now),
            Some(Line::Complete(line)) => line,
            Some(Line::TooLong) if is_response => return self.response_too_long(),
            Some(Line::TooLong) => return self.reject(&replies::LINE_TOO_LONG, &[], Place::Any),
            None if self.lines.discarded() > limits::OVERLONG_LINE => {
                self.close_on_errors();
                return Step::Again;
            }
            None => return Step::Starved,
        };
        let command = match self.settings().parse(line) {
            Ok(command) => command,
            Err(error) => {
                self.trace_line(line);
                return self.malformed(error, line);
            }
        };
        let waits = self.waits_for(&command);
        if !self.is_clear(waits) {
            self.waits = waits;
            *input = presented;
            return Step::Starved;
        }
        self.trace_line(line);
        self.handle(command, line, now)
    }

    /// Records a line, without the secrets that AUTH may bring.
    fn trace_line(&mut self, line: &[u8]) {
        let Some(trace) = &mut self.trace else {
            return;
        };
        match sasl::is_auth(line) {
            true => trace.lines(Origin::Remote, self.round_trips, b"AUTH ***"),
            false => trace.lines(Origin::Remote, self.round_trips, line),
        }
    }

    /// Returns what a command waits for.
    fn waits_for(&self, command: &Command<'_>) -> Waits {
        let dialect = self.settings().dialect;
        let rule = match command.verb() {
            Some(verb) => sequence::rule(verb, dialect),
            None => self
                .is_of_application(command)
                .then(sequence::rule_of_others),
        };
        let Some(rule) = rule else {
            return Waits::Nothing;
        };
        // Whether there is room for a recipient may depend on those before it.
        let full = |it: &Transaction| {
            it.recipients.saturating_add(it.recipients_open)
                >= self.config.settings().max_recipients
        };
        match (command, &self.transaction) {
            (Command::Rcpt { .. }, Some(transaction)) if full(transaction) => Waits::Envelope,
            _ => rule.waits,
        }
    }

    fn handle<'i>(&mut self, command: Command<'i>, line: &'i [u8], now: Duration) -> Step<'i> {
        let dialect = self.settings().dialect;
        let rule = |verb| Some((verb, sequence::rule(verb, dialect)?));
        let Some((verb, rule)) = command.verb().and_then(rule) else {
            return match command {
                Command::Other { verb, argument }
                    if self.settings().additions.has_command(&verb) =>
                {
                    self.other(verb, argument, line, now)
                }
                _ => self.unrecognised(line),
            };
        };
        self.tally.understood = true;
        let place = match &command {
            // 4954-4-t
            Command::Auth {
                initial_response: Some(_),
                ..
            } => Place::Any,
            _ => rule.place,
        };
        let admission = self.admission(Some(verb), &rule);
        self.opening &= !matches!(command, Command::Data | Command::Bdat { .. });
        if let Command::Bdat { size, last } = command
            && admission != Admission::NotImplemented
        {
            return self.bdat(size, last, admission, line);
        }
        if admission != Admission::Take {
            return self.turn_down(Some(verb), admission, place, line);
        }
        match command {
            Command::Ehlo(host) | Command::Lhlo(host) => {
                self.hello(Asked::Ehlo, now, |ticket| Event::Hello {
                    ticket,
                    host,
                    esmtp: true,
                })
            }
            Command::Helo(host) => self.hello(Asked::Helo, now, |ticket| Event::Hello {
                ticket,
                host,
                esmtp: false,
            }),
            Command::Mail { from, parameters } => self.mail(from, parameters, line, now),
            Command::Rcpt { to, parameters } => self.rcpt(to, parameters, line, now),
            Command::Data => self.data(line, now),
            Command::Rset => self.rset(),
            Command::Noop => {
                if !self.closes_on_idle_command() {
                    self.answer(Answer::Fixed(&replies::DONE), Place::Last);
                }
                Step::Again
            }
            Command::Vrfy(name) => {
                let (name, utf8) = self.name(name);
                self.ask_idly(Asked::Name { utf8 }, place, now, |ticket| Event::Vrfy {
                    ticket,
                    name,
                    utf8,
                })
            }
            Command::Expn(name) => {
                let (name, utf8) = self.name(name);
                self.ask_idly(Asked::Name { utf8 }, place, now, |ticket| Event::Expn {
                    ticket,
                    name,
                    utf8,
                })
            }
            Command::Help(topic) => self.ask_idly(Asked::Help, place, now, |ticket| Event::Help {
                ticket,
                topic,
            }),
            Command::Quit => self.quit(),
            Command::StartTls => self.start_tls(now),
            Command::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(&mechanism, initial_response, line, place, now),
            Command::Etrn(node) => self.etrn(node, place, line, now),
            Command::Forwarding(attributes) => self.forwarding(attributes, place, now),
            _ => self.turn_down(Some(verb), Admission::NotImplemented, place, line),
        }
    }

    /// Decides what becomes of a command, the application's own if it has no `verb`: by the table, and
    /// by what the configuration demands.
    pub(super) fn admission(&self, verb: Option<Verb>, rule: &Rule) -> Admission {
        let settings = self.settings();
        let is_encrypted = self.security == Security::Encrypted;
        let is_authenticated = self.authentication == Authentication::Done;
        match rule.admission(self.state) {
            Admission::NotImplemented => Admission::NotImplemented,
            refused if self.state == State::TurnedAway => refused,
            _ if verb.is_some_and(|verb| !self.is_offered(verb)) => Admission::NotImplemented,
            // 3207-4-d, 4954-6-c, X-26
            _ if rule.needs != Needs::Nothing && settings.tls == Tls::Required && !is_encrypted => {
                Admission::NeedsTls
            }
            _ if rule.needs == Needs::All && settings.requires_auth && !is_authenticated => {
                Admission::NeedsAuthentication
            }
            // 3207-4.2-d, 4954-4-a
            Admission::Take if verb == Some(Verb::StartTls) && is_encrypted => {
                Admission::OutOfPlace
            }
            Admission::Take if verb == Some(Verb::Auth) && is_authenticated => {
                Admission::OutOfPlace
            }
            admission => admission,
        }
    }

    /// Tells whether a verb that an extension brings is at the client's disposal.
    pub(super) fn is_offered(&self, verb: Verb) -> bool {
        let extension = match verb {
            Verb::Bdat => Extension::Chunking,
            Verb::Expn => Extension::Expn,
            Verb::Help => Extension::Help,
            Verb::Etrn => Extension::Etrn,
            Verb::XClient => Extension::XClient,
            Verb::XForward => Extension::XForward,
            // Whatever is offered: the machine has nothing to do them with.
            Verb::Atrn | Verb::Burl => return false,
            Verb::StartTls => return self.settings().tls != Tls::Off,
            Verb::Auth => return !self.settings().mechanisms.is_empty(),
            _ => return true,
        };
        self.capabilities().has(extension)
    }

    fn hello<'i>(
        &mut self,
        asked: Asked,
        now: Duration,
        event: impl FnOnce(super::Ticket) -> Event<'i>,
    ) -> Step<'i> {
        if self.state == State::Ungreeted {
            return Step::Event(event(self.ask(asked, TransactionId(0), Place::Last, now)));
        }
        self.ask_idly(asked, Place::Last, now, event)
    }

    pub(super) fn ask_idly<'i>(
        &mut self,
        asked: Asked,
        place: Place,
        now: Duration,
        event: impl FnOnce(super::Ticket) -> Event<'i>,
    ) -> Step<'i> {
        if self.closes_on_idle_command() {
            return Step::Again;
        }
        Step::Event(event(self.ask(asked, TransactionId(0), place, now)))
    }

    fn mail<'i>(
        &mut self,
        from: ReversePath<'i>,
        parameters: MailParameters<'i>,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        self.tally.reset_is_due = true;
        self.tally.swallowed = 0;
        let settings = self.config.settings();
        let terms = match self.offers().of_mail(&parameters) {
            Ok(terms) if terms.utf8 || from.is_ascii() => terms,
            refused => {
                self.tally.pardon(settings);
                let reply = refused.err().unwrap_or(&replies::SENDER_NOT_ASCII);
                return self.reject(reply, line, Place::Any);
            }
        };
        let id = TransactionId(self.next_transaction);
        self.next_transaction = self.next_transaction.saturating_add(1);
        self.transaction = Some(Transaction::new(id, terms, settings.line_breaks));
        Step::Event(Event::Mail {
            ticket: self.ask(Asked::Mail, id, Place::Any, now),
            transaction: id,
            from,
            parameters,
        })
    }

    fn rcpt<'i>(
        &mut self,
        to: ForwardPath<'i>,
        parameters: RcptParameters<'i>,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        if let Err(reply) = self.offers().of_rcpt(&parameters) {
            return self.reject(reply, line, Place::Any);
        }
        let settings = self.config.settings();
        let Some(transaction) = &mut self.transaction else {
            return self.turn_down(Some(Verb::Rcpt), Admission::OutOfPlace, Place::Any, line);
        };
        let is_ascii = to.is_ascii() && parameters.is_ascii();
        if !transaction.terms.utf8 && !is_ascii {
            return self.reject(&replies::RECIPIENT_NOT_ASCII, line, Place::Any);
        }
        transaction.recipients_named = transaction.recipients_named.saturating_add(1);
        let taken = transaction
            .recipients
            .saturating_add(transaction.recipients_open);
        let most = settings
            .max_recipients
            .saturating_add(limits::RECIPIENT_OVERSHOOT);
        let overshoots = transaction.recipients_named > most;
        if taken >= settings.max_recipients || overshoots {
            // 5321-4.5.3.1.8-a: those that were accepted stay.
            let reply = &replies::TOO_MANY_RECIPIENTS;
            self.answer(Answer::Fixed(reply), Place::Any);
            if overshoots {
                self.count_error();
            }
            return Step::Event(Event::Rejected {
                code: reply.code(),
                line,
            });
        }
        transaction.recipients_open = transaction.recipients_open.saturating_add(1);
        let (id, utf8) = (transaction.id, transaction.terms.utf8);
        Step::Event(Event::Rcpt {
            ticket: self.ask(Asked::Rcpt { utf8 }, id, Place::Any, now),
            transaction: id,
            to,
            parameters,
        })
    }

    fn data<'i>(&mut self, line: &'i [u8], now: Duration) -> Step<'i> {
        match &self.transaction {
            Some(transaction) if !transaction.terms.binary => {
                let id = transaction.id;
                Step::Event(Event::Data {
                    ticket: self.ask(Asked::Data, id, Place::Last, now),
                    transaction: id,
                })
            }
            // 3030-3-d
            _ => self.turn_down(Some(Verb::Data), Admission::Breaks, Place::Last, line),
        }
    }

    fn bdat<'i>(
        &mut self,
        size: u64,
        last: bool,
        admission: Admission,
        line: &'i [u8],
    ) -> Step<'i> {
        if size == 0 && !last && self.closes_on_idle_command() {
            return Step::Again;
        }
        if admission == Admission::Take {
            return self.take_chunk(size, last);
        }
        let refusal = self.refusal_of(admission);
        self.fail_transaction();
        self.swallow_chunk(size, last, refusal);
        self.count_misplaced();
        Step::Event(Event::Rejected {
            code: refusal.code(),
            line,
        })
    }

    fn rset<'i>(&mut self) -> Step<'i> {
        self.drop_transaction(ResetCause::Reset);
        if self.state != State::Ungreeted {
            self.state = State::Ready;
        }
        self.tally.swallowed = 0;
        let is_due = core::mem::take(&mut self.tally.reset_is_due);
        if is_due || !self.closes_on_idle_command() {
            self.answer(Answer::Fixed(&replies::DONE), Place::Any);
        }
        Step::Again
    }

    fn quit<'i>(&mut self) -> Step<'i> {
        self.receipts.quit_came(self.account.sent_in_all());
        let answer = self.named(replies::goodbye);
        self.answer(answer, Place::Last);
        self.end(Ending::Quit, ResetCause::Quit);
        Step::Event(Event::Quit)
    }
}
