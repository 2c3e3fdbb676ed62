//! Commands as they come.

use core::time::Duration;

use super::event::{Event, ResetCause, TransactionId};
use super::pipeline::Answer;
use super::sequence::{self, Admission, Asked, Place, State, Waits};
use super::session::{Ending, Session, Step};
use super::transaction::Transaction;
use super::{replies, terms};
use crate::framing::Line;
use crate::machine::{Fault, Origin, limits};
use crate::syntax::{
    Command, CommandError, CommandErrorKind, Extension, ForwardPath, Parameters, Reply,
    ReversePath, Verb,
};

impl Session {
    /// Reads one command, unless it has to wait.
    ///
    /// Every line that a client sends passes here, over-long ones apart.
    pub(super) fn next_command<'i>(&mut self, input: &mut &'i [u8], now: Duration) -> Step<'i> {
        self.waits = Waits::Nothing;
        let presented = *input;
        let limit = self.config.settings().max_command_line;
        let line = match self.lines.next(input, limit) {
            Some(Line::Complete(line)) => line,
            Some(Line::TooLong) => return self.reject(&replies::LINE_TOO_LONG, &[], Place::Any),
            None if self.lines.discarded() > limits::OVERLONG_LINE => {
                self.close_on_errors();
                return Step::Again;
            }
            None => return Step::Starved,
        };
        let command = match Command::parse(line) {
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
        let is_auth = |verb: &[u8]| verb.eq_ignore_ascii_case(b"AUTH");
        if line.get(..4).is_some_and(is_auth) {
            trace.lines(Origin::Remote, self.round_trips, b"AUTH ***");
        } else {
            trace.lines(Origin::Remote, self.round_trips, line);
        }
    }

    /// Returns what a command waits for.
    fn waits_for(&self, command: &Command<'_>) -> Waits {
        let Some(rule) = command.verb().and_then(sequence::rule) else {
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
        let verb = command.verb();
        let Some((verb, rule)) = verb.and_then(|verb| Some((verb, sequence::rule(verb)?))) else {
            return self.unrecognised(line);
        };
        self.tally.understood = true;
        let admission = match rule.admission(self.state) {
            Admission::Take if !self.is_offered(verb) => Admission::NotImplemented,
            admission => admission,
        };
        if let Command::Bdat { size, last } = command
            && admission != Admission::NotImplemented
        {
            return self.bdat(size, last, admission, line);
        }
        if admission != Admission::Take {
            return self.turn_down(admission, rule.place, line);
        }
        match command {
            Command::Ehlo(host) => self.hello(Asked::Ehlo, now, |ticket| Event::Hello {
                ticket,
                host,
                esmtp: true,
            }),
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
                self.ask_idly(Asked::Vrfy, now, |ticket| Event::Vrfy { ticket, name })
            }
            Command::Expn(name) => {
                self.ask_idly(Asked::Expn, now, |ticket| Event::Expn { ticket, name })
            }
            Command::Help(topic) => {
                self.ask_idly(Asked::Help, now, |ticket| Event::Help { ticket, topic })
            }
            Command::Quit => self.quit(),
            // STARTTLS and AUTH go here, once the table admits them.
            _ => self.turn_down(Admission::NotImplemented, rule.place, line),
        }
    }

    /// Tells whether a verb that an extension brings is at the client's disposal.
    fn is_offered(&self, verb: Verb) -> bool {
        let extension = match verb {
            Verb::Bdat => Extension::Chunking,
            Verb::Expn => Extension::Expn,
            Verb::Help => Extension::Help,
            _ => return true,
        };
        self.config.settings().capabilities.has(extension)
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
        self.ask_idly(asked, now, event)
    }

    fn ask_idly<'i>(
        &mut self,
        asked: Asked,
        now: Duration,
        event: impl FnOnce(super::Ticket) -> Event<'i>,
    ) -> Step<'i> {
        if self.closes_on_idle_command() {
            return Step::Again;
        }
        Step::Event(event(self.ask(asked, TransactionId(0), Place::Last, now)))
    }

    fn mail<'i>(
        &mut self,
        from: ReversePath<'i>,
        parameters: Parameters<'i>,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        self.tally.reset_is_due = true;
        self.tally.swallowed = 0;
        let settings = self.config.settings();
        let terms = match terms::of_mail(&parameters, settings, self.esmtp) {
            Ok(terms) if terms.utf8 || from.is_ascii() => terms,
            refused => {
                self.tally.pardon(settings);
                let reply = refused.err().unwrap_or(&replies::SENDER_NOT_ASCII);
                return self.reject(reply, line, Place::Any);
            }
        };
        let id = TransactionId(self.next_transaction);
        self.next_transaction = self.next_transaction.saturating_add(1);
        self.transaction = Some(Transaction::new(id, terms));
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
        parameters: Parameters<'i>,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        let settings = self.config.settings();
        let Some(transaction) = &mut self.transaction else {
            return self.turn_down(Admission::OutOfPlace, Place::Any, line);
        };
        if let Err(reply) = terms::of_rcpt(&parameters, settings, self.esmtp) {
            return self.reject(reply, line, Place::Any);
        }
        if !transaction.terms.utf8 && !to.is_ascii() {
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
        let id = transaction.id;
        Step::Event(Event::Rcpt {
            ticket: self.ask(Asked::Rcpt, id, Place::Any, now),
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
            _ => self.turn_down(Admission::Breaks, Place::Last, line),
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
        let was_open = self.transaction.is_some();
        self.drop_transaction(ResetCause::ChunkFailed);
        if was_open {
            self.state = State::Failed;
            self.tally.pardon(self.config.settings());
        }
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

    /// Answers a line that is no command, or none of the form that its verb demands.
    fn malformed<'i>(&mut self, error: CommandError, line: &'i [u8]) -> Step<'i> {
        let Some((verb, rule)) = error.verb().and_then(|it| Some((it, sequence::rule(it)?))) else {
            return self.unrecognised(line);
        };
        self.tally.understood = true;
        let reply = match verb {
            _ if self.state == State::TurnedAway => &replies::TURNED_AWAY,
            _ if !self.is_offered(verb) => &replies::NOT_IMPLEMENTED,
            Verb::Mail => &replies::BAD_SENDER,
            Verb::Rcpt => &replies::BAD_RECIPIENT,
            Verb::Bdat => &replies::BAD_CHUNK_SIZE,
            _ => &replies::BAD_ARGUMENT,
        };
        if verb == Verb::Mail {
            self.tally.pardon(self.config.settings());
        }
        let step = self.reject(reply, line, rule.place);
        if error.kind() == CommandErrorKind::ChunkSize && self.is_offered(verb) {
            // BDT-1: commands cannot be told from content any more.
            self.fail(Fault::MalformedChunk, line);
        }
        step
    }

    fn unrecognised<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        if self.state == State::TurnedAway {
            return self.reject(&replies::TURNED_AWAY, line, Place::Any);
        }
        if !self.tally.understood && is_foreign(line) {
            let step = self.reject(&replies::NOT_SMTP, line, Place::Any);
            self.fail(Fault::TooManyErrors, line);
            return step;
        }
        self.reject(&replies::UNRECOGNISED, line, Place::Any)
    }

    /// Answers a command that is not in its place.
    fn turn_down<'i>(&mut self, admission: Admission, place: Place, line: &'i [u8]) -> Step<'i> {
        let reply = self.refusal_of(admission);
        if admission == Admission::Breaks {
            self.drop_transaction(ResetCause::ChunkFailed);
            self.state = State::Failed;
            self.tally.pardon(self.config.settings());
        }
        self.answer(Answer::Fixed(reply), place);
        self.count_misplaced();
        Step::Event(Event::Rejected {
            code: reply.code(),
            line,
        })
    }

    fn refusal_of(&self, admission: Admission) -> &'static Reply<'static> {
        let named = |it: &Transaction| it.recipients_named > 0;
        match admission {
            _ if self.state == State::TurnedAway => &replies::TURNED_AWAY,
            Admission::NotImplemented => &replies::NOT_IMPLEMENTED,
            Admission::NoRecipients if self.transaction.as_ref().is_some_and(named) => {
                &replies::NO_VALID_RECIPIENTS
            }
            _ => &replies::OUT_OF_PLACE,
        }
    }

    fn reject<'i>(
        &mut self,
        reply: &'static Reply<'static>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        self.answer(Answer::Fixed(reply), place);
        self.count_error();
        Step::Event(Event::Rejected {
            code: reply.code(),
            line,
        })
    }
}

/// Tells whether a line, the first that a client sends, is another protocol's (CMD-4).
fn is_foreign(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 6] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"CONNECT ",
        b"OPTIONS ",
    ];
    !line.first().is_some_and(u8::is_ascii_alphabetic)
        || METHODS.iter().any(|method| line.starts_with(method))
}
