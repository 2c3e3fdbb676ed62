//! One session: the parts together, and how what happens in one of them moves the others.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    config::{Config, Tls},
    envelope::{Envelope, Written},
    event::{
        Body, BodyRequest, Cancellation, CommandId, Event, MessageId, NotSent, NotSentReason,
        Outcome,
    },
    ledger::Ledger,
    link::{Limit, Link, Verdicts},
    opening::{Decision, Opening},
    outstanding::{Expected, Settled},
    proof::{Proof, Shown},
    schedule::{Abandoned, Action, Refusal, Schedule},
    table::{Choice, Level, Stage, Standing, State, Turn, Verb},
    transaction::{Heard, Transaction, TransactionId},
    writer::{Broken, Buffers},
};
#[cfg(feature = "auth")]
use crate::sasl::{Attempts, Mechanism};
use crate::{
    framing::{Inspection, LineBreaks, Progress, Slices, Transmit},
    machine::{Answer, Dialect, Error, Fault, Misuse, Step, Timer, TlsInfo, TraceEntry, limits},
    syntax::{Capabilities, Class, Code, Command, ForwardPath, RcptParameters, Reply},
};

/// Everything of a client but the bytes that it wants written.
#[derive(Debug)]
pub(super) struct Session {
    config: Config,
    standing: Standing,
    opening: Opening,
    schedule: Schedule,
    ledger: Ledger,
    link: Link,
    failure: Option<Box<Error>>,
    /// The error, or the last event, was read.
    has_told_the_end: bool,
}

/// What is rendered next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Opening(Verb),
    Action(Action),
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let is_tls_first = config.tls == Tls::Implicit;
        let mut link = Link::new(config.trace, now);
        match is_tls_first {
            true => link.start(Timer::Handshake, &config),
            false => link.await_greeting(&config),
        }
        Self {
            standing: Standing::new(is_tls_first),
            opening: Opening::new(),
            schedule: Schedule::new(),
            ledger: Ledger::default(),
            link,
            failure: None,
            has_told_the_end: false,
            config,
        }
    }

    // What the application asks for.

    pub(super) fn submit(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        if self.is_ending() {
            return Err(Misuse::Ending);
        }
        if !self.can_submit() {
            return Err(Misuse::QueueFull);
        }
        if envelope.recipients().is_empty() {
            return Err(Misuse::NoRecipient);
        }
        Ok(self.enter(envelope, false))
    }

    /// Takes a message whose recipients are still to come.
    pub(super) fn begin(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        if self.is_ending() {
            return Err(Misuse::Ending);
        }
        if !self.can_submit() {
            return Err(Misuse::QueueFull);
        }
        Ok(self.enter(envelope, true))
    }

    fn enter(&mut self, envelope: &Envelope<'_>, is_open: bool) -> MessageId {
        let message = self.ledger.submit(envelope);
        let written = self.ledger.envelope(message.0);
        let is_binary = written.is_some_and(|written| written.is_binary());
        let recipients = u32::try_from(envelope.recipients().len()).unwrap_or(u32::MAX);
        let id = self.schedule.submit(message.0, recipients, is_binary);
        if is_open && let Some(transaction) = self.schedule.get_mut(id) {
            transaction.open_envelope();
        }
        if self.standing.state() == State::Ready {
            self.fit(id);
        }
        message
    }

    pub(super) fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: &ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<usize, Misuse> {
        let id = self.schedule.open_envelope(message.0);
        let id = id
            .filter(|_| !self.is_over())
            .ok_or(Misuse::UnknownMessage)?;
        if !self.schedule.has_room(id) {
            return Err(Misuse::RecipientLimit);
        }
        let is_known = self.standing.state() == State::Ready;
        let offered = is_known.then(|| self.opening.capabilities());
        let stage = self.schedule.get(id).map(Transaction::stage);
        let envelope = self.ledger.envelope_mut(message.0);
        let envelope = envelope.ok_or(Misuse::UnknownMessage)?;
        let is_said = stage != Some(Stage::Waiting);
        let position = envelope.add(recipient, parameters, offered, is_said)?;
        if !self.schedule.admits_domain(envelope.domain(position)) {
            envelope.remove_last();
            return Err(Misuse::RecipientLimit);
        }
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.add_recipient();
        }
        Ok(position)
    }

    pub(super) fn end_envelope(&mut self, message: MessageId) -> Result<(), Misuse> {
        let id = self.schedule.open_envelope(message.0);
        let id = id
            .filter(|_| !self.is_over())
            .ok_or(Misuse::UnknownMessage)?;
        let transaction = self.schedule.get_mut(id).ok_or(Misuse::UnknownMessage)?;
        if transaction.recipients() == 0 {
            return Err(Misuse::NoRecipient);
        }
        transaction.close_envelope();
        match transaction.is_for_nobody() {
            Some(reason) => self.abandon(id, reason),
            None => self.conclude(id),
        }
        Ok(())
    }

    pub(super) fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        if self.is_ending() {
            return Err(Misuse::Ending);
        }
        if self.standing.state() != State::Ready || self.opening.is_ahead() {
            return Err(Misuse::NotOpen);
        }
        let before = self.schedule.ids().end;
        let offered = self.opening.capabilities();
        self.schedule.own().submit(command, before, offered)
    }

    pub(super) fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        let mut cancellation: Result<Cancellation, Misuse> = Err(Misuse::UnknownMessage);
        let ids: Vec<TransactionId> = self.schedule.of_message(message.0).collect();
        for id in ids {
            let cost = match self.schedule.get(id).map(Transaction::stage) {
                Some(Stage::Waiting) => Cancellation::Unsent,
                Some(Stage::Envelope) => Cancellation::Withdrawn,
                Some(Stage::Chunks) if self.link.content() != Some(id) => Cancellation::Withdrawn,
                Some(Stage::Data | Stage::Content | Stage::Chunks) => Cancellation::EndsConnection,
                Some(Stage::LoneDot | Stage::Over) | None => {
                    cancellation = cancellation.or(Err(Misuse::TooLate));
                    continue;
                }
            };
            // Of a message in several parts, the dearest counts.
            cancellation = Ok(cancellation.map_or(cost, |other| other.max(cost)));
            self.abandon(id, NotSentReason::Cancelled);
        }
        cancellation
    }

    pub(super) fn quit(&mut self) {
        self.schedule.quit();
    }

    pub(super) fn abort(&mut self) {
        self.fail(Fault::ShutDown, &[]);
    }

    #[cfg(feature = "auth")]
    pub(super) fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn Mechanism>>,
    ) -> Result<(), Misuse> {
        if matches!(
            self.standing.state(),
            State::Ready | State::Leaving | State::Closed
        ) {
            return Err(Misuse::TooLate);
        }
        let attempts = Attempts::new(mechanisms, self.config.credentials_over)?;
        self.opening.authenticate_by(attempts);
        Ok(())
    }

    // What the driver tells.

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.link.set_now(now);
        match self.link.expired() {
            Some(_) if self.link.has_failed() => self.fail(Fault::WriteFailed, &[]),
            // Nothing depends on the reply to QUIT.
            Some(Timer::Quit) => self.close(),
            Some(timer) => self.fail(Fault::TimedOut(timer), &[]),
            None => {}
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.link.end_input();
    }

    pub(super) fn write_failed(&mut self) {
        if !self.is_over() {
            self.link.fail(&self.config);
        }
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.link.set_now(now);
        self.link.stop_waiting();
        self.opening.encrypt(info);
        let state = self.opening.after_handshake(&self.config);
        self.standing.choose(Choice::Handshake, state);
        if state == State::Connected {
            self.link.await_greeting(&self.config);
        }
        Ok(())
    }

    pub(super) fn tls_failed(&mut self) {
        if self.wants_tls() {
            self.fail(Fault::TlsFailed, &[]);
        }
    }

    // What the driver asks.

    pub(super) fn wants_tls(&self) -> bool {
        self.standing.state() == State::Handshake
    }

    pub(super) fn wants_read(&self) -> bool {
        !(self.ledger.has_events()
            || self.link.has_stopped()
            || self.link.is_at_eof()
            || self.is_over())
    }

    pub(super) fn wants_body(&self) -> Option<BodyRequest> {
        let transaction = self.schedule.get(self.wanted()?)?;
        Some(BodyRequest {
            message: MessageId(transaction.message()),
            offset: transaction.position(),
        })
    }

    /// Returns the transaction whose content can be used now.
    fn wanted(&self) -> Option<TransactionId> {
        let open = self.link.content();
        let is_open = self.standing.state() == State::Ready;
        if !self.link.is_sound() || self.is_over() || !(is_open || open.is_some()) {
            return None;
        }
        self.schedule.wanted(open)
    }

    pub(super) fn can_submit(&self) -> bool {
        !self.is_ending() && self.ledger.unfinished() < self.config.queue
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ledger.unfinished() == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.has_told_the_end
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.link.deadline()
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.opening.capabilities()
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.link.round_trips()
    }

    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.link.take_trace()
    }

    pub(super) fn shrink(&mut self, buffers: &mut Buffers) {
        self.link.shrink(buffers);
        self.schedule.shrink();
        self.ledger.shrink();
    }

    fn is_ending(&self) -> bool {
        let is_going = self.link.is_sound() && !self.link.is_at_eof();
        self.schedule.is_quitting() || !is_going || self.is_over()
    }

    fn is_over(&self) -> bool {
        self.standing.state() == State::Closed
    }

    // Reading.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.link.set_now(now);
        loop {
            if let Some(event) = self.next_known() {
                self.has_told_the_end = event == Event::Closed;
                return Ok(Some(event));
            }
            if let Some(error) = &self.failure {
                self.has_told_the_end = true;
                return Err(Error::clone(error));
            }
            match self.standing.state() {
                State::Closed => return Ok(None),
                State::Handshake if input.is_empty() && !self.link.is_at_eof() => return Ok(None),
                State::Handshake => self.on_bytes_before_tls(input),
                _ => match self.link.next_reply(input, &self.config) {
                    Ok(Some(reply)) => {
                        if let Some(event) = self.on_reply(reply) {
                            return Ok(Some(event));
                        }
                    }
                    Ok(None) if self.link.is_at_eof() || self.link.has_stopped() => {
                        self.on_end(input);
                    }
                    Ok(None) => return Ok(None),
                    Err((fault, bytes)) => self.fail_out_of_step(fault, bytes),
                },
            }
        }
    }

    /// Returns the next event that no reply is needed for.
    fn next_known(&mut self) -> Option<Event<'static>> {
        loop {
            if let Some(event) = self.ledger.next_event() {
                return Some(event);
            }
            if !self.is_over() {
                return None;
            }
            if let Some(event) = self.schedule.next_unanswered() {
                return Some(event);
            }
            let Some(id) = self.schedule.first_unfinished() else {
                return self.ledger.next_closed();
            };
            self.finish(id);
        }
    }

    fn on_bytes_before_tls(&mut self, bytes: &[u8]) {
        let fault = match bytes {
            [] => Fault::ConnectionLost,
            _ => Fault::BytesBeforeTls, // 3207-4-i, TLS-6
        };
        self.fail(fault, bytes);
    }

    /// Accounts for the end of what can be read.
    fn on_end(&mut self, input: &[u8]) {
        if self.link.oldest() == Some(Verb::Quit) && self.is_idle() {
            self.close();
        } else if self.link.is_cut() {
            self.fail(Fault::ContentAbandoned, &[]);
        } else if self.link.has_failed() {
            self.fail(Fault::WriteFailed, &[]);
        } else {
            self.fail(Fault::ConnectionLost, input);
        }
    }

    /// Accounts for a reply.
    fn on_reply<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let settled = self.link.settle(&reply, &self.config);
        if reply.code() == Code::NOT_AVAILABLE {
            return self.on_closing(settled, reply);
        }
        match settled {
            Settled::Answers(expected) => match expected.verb {
                Verb::Own => return self.schedule.own().answer(reply),
                Verb::Reset => self.on_reset(&reply),
                verb @ (Verb::ProofMail | Verb::ProofChunk | Verb::ProofReset) => {
                    self.on_proof(verb, &reply);
                }
                verb if verb.is_preliminary() || verb == Verb::Quit => {
                    return self.on_opening(verb, reply);
                }
                _ => return self.on_answer(&expected, reply),
            },
            Settled::Surplus => self.on_surplus(reply),
            Settled::Impossible(verb) => self.fail_desync(Fault::ImpossibleReply, verb, &reply),
        }
        None
    }

    /// Accounts for the answer to one of the opening's commands, or to QUIT.
    fn on_opening<'i>(&mut self, verb: Verb, reply: Reply<'i>) -> Option<Event<'i>> {
        let turn = Turn::of(reply.code());
        if let Some(choice) = self.standing.turn(verb, turn) {
            let decision = self.opening.decide(choice, verb, &reply, &self.config);
            self.carry_out(choice, decision, verb, &reply);
        }
        if verb == Verb::Quit && turn == Turn::Yes {
            // It came in its turn, so no reply is too many.
            self.ledger.release();
        }
        match self.standing.state() {
            State::Handshake => self.link.start(Timer::Handshake, &self.config),
            State::Closed if self.failure.is_none() => self.close(),
            _ => {}
        }
        (verb == Verb::Connect && turn == Turn::Yes).then_some(Event::Greeting { reply })
    }

    fn carry_out(&mut self, choice: Choice, decision: Decision, verb: Verb, reply: &Reply<'_>) {
        match decision {
            Decision::Stay => {}
            Decision::To(state) => {
                // What was sent ahead of EHLO's answer was rightly sent.
                if state == State::Ready {
                    self.ledger.ready();
                }
                self.standing.choose(choice, state);
            }
            Decision::Open => {
                self.standing.choose(choice, State::Ready);
                self.ledger.ready();
                self.open();
            }
            Decision::Fail(fault) => self.fail_answered(fault, verb, reply),
            Decision::Refuse(fault, reason, answer) => {
                let (error, reason) = match answer {
                    None => (Error::new(fault, verb.state(), &[]), reason.into()),
                    Some(answer) => (
                        Error::answered(fault, verb.state(), answer.clone()),
                        NotSent::answered(reason, answer),
                    ),
                };
                self.opening.refuse(error);
                self.standing.choose(choice, State::Due(Verb::Quit));
                self.schedule.quit();
                for id in self.schedule.ids() {
                    match self.schedule.get_mut(id) {
                        Some(transaction) if transaction.is_finished() => {}
                        // Sent ahead of the refusal: its own refusals are still to be read.
                        Some(transaction) if transaction.stage() == Stage::Over => {
                            transaction.abandon(reason.clone());
                        }
                        _ => self.abandon(id, reason.clone()),
                    }
                }
            }
        }
    }

    /// Opens the session for messages.
    fn open(&mut self) {
        let offered = self.opening.capabilities();
        let pipelining = self.config.pipelining;
        let level = pipelining.level(offered, self.config.dialect);
        self.schedule
            .open(level, pipelining.window(), offered.limits()); // 9422-3.6-a
        for id in self.schedule.ids() {
            self.fit(id);
        }
    }

    /// Fails a message that needs what the server does not offer, and leaves out of the others what
    /// may be left out.
    fn fit(&mut self, id: TransactionId) {
        let Some(transaction) = self.schedule.get(id) else {
            return;
        };
        if transaction.is_finished() || transaction.stage() != Stage::Waiting {
            return;
        }
        let offered = self.opening.capabilities();
        let envelope = self.ledger.envelope_mut(transaction.message());
        let Some(envelope) = envelope else {
            return;
        };
        let fits = envelope.fit(offered, self.opening.is_encrypted(), &self.config);
        let is_for_nobody = match transaction.is_open() {
            true => None,
            false => envelope.is_for_nobody(offered),
        };
        if let Some(reason) = fits.err().or(is_for_nobody) {
            self.abandon(id, reason);
        }
    }

    fn on_reset(&mut self, reply: &Reply<'_>) {
        if reply.is_positive() {
            return self.schedule.reset();
        }
        match self.schedule.refused_reset() {
            Refusal::Suspicion => self.step_down(),
            Refusal::Desync => self.fail_desync(Fault::ResetRefused, Verb::Reset, reply),
        }
    }

    /// Accounts for the answer to a command of a proof.
    fn on_proof(&mut self, verb: Verb, reply: &Reply<'_>) {
        let is_again = self.schedule.is_suspicious();
        match self.schedule.prove(Turn::of(reply.code())) {
            Shown::Swallows => self.ledger.release(),
            Shown::Otherwise if is_again => self.fail_desync(Fault::ChunkExecuted, verb, reply),
            Shown::Nothing | Shown::Otherwise => {}
            Shown::Unclean => self.fail_desync(Fault::ResetRefused, verb, reply),
        }
    }

    /// Accounts for the refusal of a MAIL, or of a chunk, that may be no refusal at all: a server that
    /// takes content for commands answers other commands than those that were sent.
    fn suspect(&mut self, verb: Verb, id: TransactionId, reply: &Reply<'_>) {
        let Some(transaction) = self.schedule.get(id) else {
            return;
        };
        let is_suspicious = matches!(reply.class(), Class::Transient | Class::Permanent)
            && reply.code() != Code::NOT_AVAILABLE
            && self.config.dialect == Dialect::Smtp
            && match verb {
                Verb::Mail => self.schedule.level() == Level::Stream,
                Verb::Chunk | Verb::LastChunk => !transaction.accepted().is_empty(),
                _ => false,
            };
        if is_suspicious {
            self.schedule.suspect();
            self.ledger.hold();
        }
    }

    fn step_down(&mut self) {
        if let Some(given_up) = self.schedule.step_down() {
            self.conclude(given_up);
        }
    }

    /// Accounts for the answer to one of a transaction's commands.
    fn on_answer<'i>(&mut self, expected: &Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let Expected {
            verb,
            transaction: id,
            recipient: place,
            ..
        } = *expected;
        let is_suspicious = self.schedule.is_suspicious_of(id);
        let transaction = self.schedule.get_mut(id)?;
        if is_suspicious {
            if reply.class() == Class::Transient || reply.class() == Class::Permanent {
                transaction.hear_nothing(verb);
                self.step_down();
            } else {
                self.fail_desync(Fault::ResetRefused, verb, &reply);
            }
            return None;
        }
        let is_unknown = matches!(reply.code().value(), 500..=502);
        if is_unknown && verb.is_chunk() && !transaction.accepted().is_empty() {
            // The server does not know the command that it answers (or knows no chunks any more).
            transaction.give_up(verb.is_end_of_message());
            self.fail_desync(Fault::ChunkExecuted, verb, &reply);
            return None;
        }
        self.suspect(verb, id, &reply);
        let transaction = self.schedule.get_mut(id)?;
        let message = MessageId(transaction.message());
        let envelope = self.ledger.envelope(message.0);
        let has_size = envelope.is_some_and(|envelope| envelope.has_size());
        let heard = transaction.hear(verb, place, reply, self.config.dialect, has_size);
        let event = match heard {
            Heard::Nothing => None,
            Heard::Recipient(recipient, reply) => Some(Event::RecipientAnswered {
                message,
                recipient: recipient as usize,
                reply,
            }),
            Heard::Verdict(None, outcome) => {
                let is_taken = matches!(outcome, Some(Outcome::Delivered(_)));
                self.schedule.ended(id, is_taken);
                return self.finish_with(id, outcome);
            }
            Heard::Verdict(Some(recipient), outcome) => {
                if transaction.is_answered() {
                    let is_taken = matches!(outcome, Some(Outcome::Delivered(_)));
                    self.schedule.ended(id, is_taken);
                }
                outcome.map(|outcome| Event::RecipientFinished {
                    message,
                    recipient: recipient as usize,
                    outcome,
                })
            }
            Heard::Unwanted(fault, reply) => {
                self.fail_answered(fault, verb, &reply);
                None
            }
            Heard::Contradiction(reply) => {
                self.fail_desync(Fault::RefusedTransactionContinued, verb, &reply);
                None
            }
        };
        match verb {
            Verb::LoneDot => self.schedule.ended(id, false),
            Verb::Recipient => {
                if let Some(part) = self.schedule.hand_on(id) {
                    self.add_part(part);
                }
            }
            _ => {}
        }
        if !self.is_over() {
            self.conclude(id);
        }
        event
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, settled: Settled, reply: Reply<'i>) -> Option<Event<'i>> {
        let Settled::Answers(expected) = settled else {
            // It may refuse the content that is being sent; nothing else is known of its cause.
            let content = self.link.content();
            let step = content.map_or(Step::Greeting, |_| Step::Content);
            let answer = Answer { step, reply };
            if let Some(transaction) = content.and_then(|id| self.schedule.get_mut(id)) {
                transaction.refuse(answer.clone());
            }
            let error = Error::answered(Fault::Closing, self.state(), answer);
            self.fail_by(error, NotSentReason::ConnectionEnded, self.link.offered());
            return None;
        };
        let verb = expected.verb;
        if verb == Verb::Quit {
            self.close();
            return None;
        }
        let mut event = None;
        let offered = match verb {
            // Messages after it may have been taken: a server may work ahead, as ours does.
            _ if verb.is_end_of_message() => {
                event = self.on_answer(&expected, reply.clone());
                self.link.offered()
            }
            Verb::Own => {
                event = self.schedule.own().answer(reply.clone());
                0
            }
            // Neither this transaction nor what comes after it was taken.
            _ => 0,
        };
        let reason = match verb.is_preliminary() {
            true => NotSentReason::SessionRefused,
            false => NotSentReason::ConnectionEnded,
        };
        let step = verb.step();
        let error = Error::answered(Fault::Closing, verb.state(), Answer { step, reply });
        self.fail_by(error, reason, offered);
        event
    }

    /// Ends the session with what a reply has said. What was not offered as far as there, and was not
    /// refused, is not sent.
    fn fail_by(&mut self, error: Error, reason: NotSentReason, offered: u64) {
        let reason = NotSent {
            reason,
            answer: error.answer().cloned().map(Box::new),
        };
        self.fail_with(error, offered);
        for id in self.schedule.ids() {
            if let Some(transaction) = self.schedule.get_mut(id)
                && !transaction.is_finished()
                && !transaction.is_refused()
            {
                transaction.abandon(reason.clone());
            }
        }
    }

    /// Accounts for a reply that answers nothing.
    fn on_surplus(&mut self, reply: Reply<'_>) {
        let content = self.link.content();
        let transaction = content.and_then(|id| self.schedule.get_mut(id));
        let refuses = matches!(reply.class(), Class::Transient | Class::Permanent);
        match transaction.filter(|_| refuses) {
            Some(transaction) => {
                // The server does not want the rest. It cannot be told that there is none.
                let answer = Answer {
                    step: Step::Content,
                    reply,
                };
                transaction.refuse(answer.clone());
                let error = Error::answered(Fault::ContentAbandoned, self.state(), answer);
                self.fail_with(error, self.link.offered());
            }
            None => self.fail_out_of_step(Fault::SurplusReply, reply.as_bytes()),
        }
    }

    // Outcomes, and the end.

    /// Takes a transaction out of the way that must not be completed.
    ///
    /// Before DATA that costs a RSET. Later it costs the connection, as the server would take a
    /// part for the whole.
    fn abandon(&mut self, id: TransactionId, reason: impl Into<NotSent>) {
        match self
            .schedule
            .abandon(id, reason.into(), self.link.content())
        {
            Some(Abandoned::Stopped) => self.conclude(id),
            Some(Abandoned::Cut) => self.link.cut(),
            Some(Abandoned::Undecided) | None => {}
        }
    }

    /// Takes over a further transaction of a message.
    fn add_part(&mut self, id: TransactionId) {
        if let Some(part) = self.schedule.get(id) {
            self.ledger.add_part(part.message());
        }
        self.conclude(id);
    }

    /// Has a transaction's outcome told if nothing more is sent or read for it.
    fn conclude(&mut self, id: TransactionId) {
        if self.schedule.is_concluded(id) {
            self.finish(id);
        }
    }

    /// Has a transaction's outcome told, by what is known.
    fn finish(&mut self, id: TransactionId) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            let concluded = transaction.conclude(None);
            self.schedule.tidy();
            self.ledger.tell(concluded);
        }
    }

    /// Ends a transaction with a verdict, if there is one, and returns the event.
    fn finish_with<'i>(
        &mut self,
        id: TransactionId,
        verdict: Option<Outcome<'i>>,
    ) -> Option<Event<'i>> {
        let concluded = self.schedule.get_mut(id)?.conclude(verdict);
        self.schedule.tidy();
        self.ledger.conclude(concluded)
    }

    /// Ends the session with an error.
    fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        // The server that ends the session, or falls silent, after it has refused EHLO has said why.
        if has_gone(fault)
            && let Some(answer) = self.opening.take_refused_ehlo()
        {
            let error = Error::answered(Fault::SessionRefused, self.state(), answer);
            return self.fail_by(error, NotSentReason::SessionRefused, 0);
        }
        let error = Error::new(fault, self.state(), bytes);
        self.fail_with(error, self.link.offered());
    }

    /// Ends the session with an error that a reply has led to.
    fn fail_answered(&mut self, fault: Fault, verb: Verb, reply: &Reply<'_>) {
        let answer = Answer {
            step: verb.step(),
            reply: reply.clone(),
        };
        let error = Error::answered(fault, verb.state(), answer);
        self.fail_with(error, self.link.offered());
    }

    /// Ends the session, as replies and commands no longer match.
    fn fail_out_of_step(&mut self, fault: Fault, bytes: &[u8]) {
        self.distrust();
        self.fail(fault, bytes);
    }

    /// The same, where a reply shows it.
    fn fail_desync(&mut self, fault: Fault, verb: Verb, reply: &Reply<'_>) {
        self.distrust();
        self.fail_answered(fault, verb, reply);
    }

    /// Takes back every refusal of an unfinished transaction: it may be another's.
    fn distrust(&mut self) {
        for id in self.schedule.ids() {
            if let Some(transaction) = self.schedule.get_mut(id)
                && !transaction.is_finished()
            {
                transaction.distrust();
            }
        }
    }

    /// Ends the session with this error, unless the server has refused the session before, which tells
    /// more than how it ended after that.
    fn fail_with(&mut self, error: Error, offered: u64) {
        if self.is_over() {
            return;
        }
        let refusal = match error.fault() {
            Fault::ShutDown => None,
            _ => self.opening.take_refusal(),
        };
        self.failure = refusal.or_else(|| Some(Box::new(error)));
        self.end(offered);
    }

    /// Ends the session in good order, or with the error that was kept for now.
    fn close(&mut self) {
        match self.opening.take_refusal() {
            Some(error) => self.failure = Some(error),
            None => self.ledger.closed(),
        }
        self.end(self.link.offered());
    }

    /// Ends the session: what is unfinished is told in order. A message whose end was offered, up to
    /// there, is in doubt.
    fn end(&mut self, offered: u64) {
        self.standing.end();
        self.ledger.doubt();
        let Self { link, schedule, .. } = self;
        link.give_up(offered, |id| {
            if let Some(transaction) = schedule.get_mut(id) {
                transaction.give_up(true);
            }
        });
        for id in schedule.ids() {
            if let Some(transaction) = schedule.get_mut(id) {
                transaction.give_up(false);
            }
        }
    }

    /// Returns what the session is doing, as words.
    fn state(&self) -> &'static str {
        if let Some(state) = self.link.state() {
            return state;
        }
        match self.standing.state() {
            State::Handshake => "waiting for the TLS handshake",
            State::Connected | State::Due(_) | State::Asked => "opening the session",
            State::Ready => self.schedule.state(),
            State::Leaving | State::Closed => "leaving",
        }
    }

    // Writing.

    pub(super) fn transmit<'a>(
        &'a mut self,
        buffers: &'a mut Buffers,
        body: Option<(BodyRequest, Body<'a>)>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        self.link.set_now(now);
        self.link.tidy(buffers);
        // What was presented for another request than the one in force counts as nothing.
        let body = body.filter(|(request, _)| self.wants_body() == Some(*request));
        let body = self.look(body.map(|(_, body)| body));
        let Buffers { commands, scratch } = buffers;
        self.render(commands);
        let mut slices = Slices::new();
        if let Some((id, body)) = body {
            self.write_body(id, body, commands, scratch, &mut slices);
        }
        if self.is_over() || !self.link.is_sound() {
            self.link.withhold();
            return None;
        }
        self.link.offer(commands, &mut slices, &self.config);
        Transmit::new(slices, self)
    }

    /// Looks at what is presented before anything of its message is sent, or little. Returns whose body
    /// it is, unless the message has failed by that.
    fn look<'a>(&mut self, body: Option<Body<'a>>) -> Option<(TransactionId, Body<'a>)> {
        let id = self.wanted()?;
        let transaction = self.schedule.get_mut(id)?;
        let Some(body) = body else {
            transaction.asked();
            return None;
        };
        if !transaction.may_be_looked_at() {
            return Some((id, body));
        }
        transaction.looked_at();
        let reason = match body {
            Body::Chunk(_) => None,
            Body::Failed if transaction.needs_body_again() => Some(NotSentReason::NeedsBodyAgain),
            Body::Failed => Some(NotSentReason::BodyFailed),
            Body::Last(content) => {
                let envelope = self.ledger.envelope_mut(transaction.message())?;
                let offered = self.opening.capabilities();
                let seen = Inspection::of(content);
                envelope.fit_content(seen, offered, &self.config).err()
            }
        };
        if let Some(reason) = reason {
            self.abandon(id, reason);
            return None;
        }
        Some((id, body))
    }

    /// Renders every command that may be sent now.
    fn render(&mut self, commands: &mut Vec<u8>) {
        while self.link.takes_commands(commands.len())
            && let Some(next) = self.next()
        {
            let start = commands.len();
            let is_ahead = self.link.oldest().is_some();
            let (verb, id, place) = self.write(next, commands);
            if let Some(limit) = self.exceeds(verb, commands.len().saturating_sub(start)) {
                commands.truncate(start);
                self.leave_out(verb, id, limit);
                continue;
            }
            if !self
                .link
                .say(verb, id, place, commands, start, &self.config)
            {
                return;
            }
            self.sent(next, verb, is_ahead);
        }
    }

    /// Returns what is to be sent next, if it may be sent now.
    fn next(&mut self) -> Option<Next> {
        let state = self.standing.state();
        let may_go_ahead = match state {
            State::Connected => self.opening.may_go_ahead(&self.config),
            _ => self.opening.is_ahead(),
        };
        let is_ahead = may_go_ahead && self.link.is_opening();
        if !is_ahead && !self.link.may_send(self.schedule.level()) {
            return None;
        }
        match state {
            State::Connected if is_ahead => return Some(Next::Opening(Verb::Ehlo)),
            State::Due(verb) => return Some(Next::Opening(verb)),
            State::Ready => {}
            _ => return None,
        }
        loop {
            let is_quiet = self.link.oldest().is_none() && self.link.content().is_none();
            match self.schedule.next(is_quiet)? {
                Action::Split(id) => {
                    if let Some(part) = self.schedule.split(id) {
                        self.add_part(part);
                    }
                }
                Action::Mail(id) if !self.admits(id) => {
                    self.abandon(id, NotSentReason::LimitReached);
                }
                action => return Some(Next::Action(action)),
            }
        }
    }

    /// Returns whether the server takes the domains of a transaction's recipients in this session.
    fn admits(&mut self, id: TransactionId) -> bool {
        let message = self.schedule.get(id).map(Transaction::message);
        let envelope = message.and_then(|message| self.ledger.envelope(message));
        self.schedule
            .admits(id, |position| envelope?.domain(position as usize))
    }

    /// Writes what is next, and returns its verb, whose it is, and for which recipient.
    fn write(&mut self, next: Next, out: &mut Vec<u8>) -> (Verb, TransactionId, u32) {
        let action = match next {
            Next::Opening(verb) => {
                self.opening.write(verb, &self.config, out);
                return (verb, 0, 0);
            }
            Next::Action(action) => action,
        };
        match action {
            Action::Own => {
                out.extend_from_slice(self.schedule.own().line());
                (Verb::Own, 0, 0)
            }
            Action::Reset => {
                out.extend_from_slice(b"RSET\r\n");
                (Verb::Reset, 0, 0)
            }
            Action::Proof(verb) => {
                out.extend_from_slice(Proof::write(verb));
                (verb, 0, 0)
            }
            Action::Mail(id) => {
                if let Some(envelope) = self.envelope(id) {
                    envelope.write_mail(self.opening.capabilities(), out);
                }
                (Verb::Mail, id, 0)
            }
            Action::Recipient(id, place, position) => {
                if let Some(envelope) = self.envelope(id) {
                    envelope.write_recipient(position as usize, out);
                }
                (Verb::Recipient, id, place)
            }
            Action::Data(id) => {
                out.extend_from_slice(b"DATA\r\n");
                (Verb::Data, id, 0)
            }
            Action::LoneDot(id) => {
                out.extend_from_slice(b".\r\n");
                (Verb::LoneDot, id, 0)
            }
            Action::Quit | Action::Split(_) => {
                self.opening.write(Verb::Quit, &self.config, out);
                (Verb::Quit, 0, 0)
            }
        }
    }

    /// Returns how many bytes a command may have at most, if it has more.
    fn exceeds(&self, verb: Verb, bytes: usize) -> Option<usize> {
        let offered = self.opening.capabilities();
        let limit = match verb {
            // Any server takes so much.
            _ if bytes <= limits::COMMAND_LINE_MINIMUM => return None,
            Verb::Mail => offered.mail_line_limit(),
            Verb::Recipient => offered.rcpt_line_limit(),
            _ => return None,
        };
        (bytes > limit).then_some(limit)
    }

    /// Gives up what cannot be said within the server's limit: the message, or the recipient.
    fn leave_out(&mut self, verb: Verb, id: TransactionId, limit: usize) {
        if verb == Verb::Mail {
            return self.abandon(id, NotSentReason::CommandTooLong { limit });
        }
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.leave_out(limit);
            match transaction.is_for_nobody() {
                Some(reason) => self.abandon(id, reason),
                None => self.conclude(id),
            }
        }
    }

    fn envelope(&self, id: TransactionId) -> Option<&Written> {
        let message = self.schedule.get(id)?.message();
        self.ledger.envelope(message)
    }

    /// Accounts for what was rendered, with or without something unanswered before it.
    fn sent(&mut self, next: Next, verb: Verb, is_ahead: bool) {
        match next {
            Next::Opening(_) | Next::Action(Action::Quit | Action::Split(_)) => {
                self.sent_opening(verb);
            }
            Next::Action(Action::Own) => self.schedule.own().sent(),
            Next::Action(Action::Reset) => self.schedule.sent_reset(is_ahead),
            Next::Action(Action::Proof(verb)) => self.schedule.sent_proof(verb),
            Next::Action(
                Action::Mail(id)
                | Action::Recipient(id, ..)
                | Action::Data(id)
                | Action::LoneDot(id),
            ) => {
                if let Some(transaction) = self.schedule.get_mut(id) {
                    transaction.sent(verb);
                }
                if verb == Verb::Mail && self.schedule.sent_mail(id) {
                    self.abandon_waiting();
                }
            }
        }
    }

    fn sent_opening(&mut self, verb: Verb) {
        let is_ahead = self.standing.state() == State::Connected;
        if let Some(choice) = self.standing.turn(verb, Turn::Sent) {
            match is_ahead {
                true => {
                    self.opening.go_ahead(&self.config);
                    self.standing.choose(choice, State::Ready);
                    self.open();
                }
                false => self.standing.choose(choice, State::Asked),
            }
        }
    }

    /// Gives up all that has not begun, as the server takes no more in this session.
    fn abandon_waiting(&mut self) {
        for id in self.schedule.ids() {
            let stage = self.schedule.get(id).map(Transaction::stage);
            if stage == Some(Stage::Waiting) {
                self.abandon(id, NotSentReason::LimitReached);
            }
        }
    }

    /// Writes of a body what may be written now, and opens and ends contents around it.
    fn write_body<'a>(
        &mut self,
        id: TransactionId,
        body: Body<'a>,
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) {
        let needs_again = self
            .schedule
            .get(id)
            .is_some_and(Transaction::needs_body_again);
        let written = match body {
            Body::Failed if needs_again => Err(NotSentReason::NeedsBodyAgain),
            Body::Failed => Err(NotSentReason::BodyFailed),
            Body::Chunk(_) | Body::Last(_) if needs_again => {
                if let Some(transaction) = self.schedule.get_mut(id) {
                    transaction.has_body_again();
                }
                Ok(())
            }
            Body::Chunk(bytes) => self.write_content(id, (bytes, false), commands, scratch, slices),
            Body::Last(bytes) => self.write_content(id, (bytes, true), commands, scratch, slices),
        };
        if let Err(reason) = written {
            slices.clear();
            self.abandon(id, reason);
        }
        self.render(commands);
    }

    fn write_content<'a>(
        &mut self,
        id: TransactionId,
        body: (&'a [u8], bool),
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<(), NotSentReason> {
        self.open_content(id, body, commands)
            .and_then(|()| self.plan_content(id, body, commands, scratch, slices))
            .map_err(|broken| match broken {
                Broken::LineBreak(at) => NotSentReason::BareLineBreak { at },
                Broken::Promise => NotSentReason::BodyFailed,
                Broken::TooLarge(maximum) => NotSentReason::TooLarge { maximum },
            })
    }

    /// Opens a content or a chunk, unless one is open or the time has not come.
    fn open_content(
        &mut self,
        id: TransactionId,
        (bytes, is_last): (&[u8], bool),
        commands: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let Some(transaction) = self.schedule.get(id) else {
            return Ok(());
        };
        if self.link.content().is_some() || !self.schedule.may_open_content(transaction) {
            return Ok(());
        }
        let is_by_dot = transaction.stage() == Stage::Content;
        let has_begun = transaction.has_begun();
        if !has_begun {
            let line_breaks = match transaction.is_binary() {
                true => LineBreaks::Keep, // 3030-3-c
                false => self.config.line_breaks_of_text(),
            };
            self.link.begin(line_breaks, !is_by_dot);
        }
        if is_by_dot {
            self.link.open_content(id);
        } else {
            // An empty chunk says nothing, unless it is the last.
            let has_purpose = !bytes.is_empty() || is_last;
            if !has_purpose || !self.link.may_send(self.schedule.level()) {
                return Ok(());
            }
            let limit = Limit {
                announced: transaction.announced(),
                maximum: self.opening.capabilities().max_size(),
            };
            // Where the server says no size each chunk's reply is awaited, which shows whether it had
            // too much.
            if limit.maximum.is_none() && self.link.oldest().is_some() {
                return Ok(());
            }
            let verdicts = verdicts(transaction, self.config.dialect);
            let last = is_last.then_some(verdicts);
            let config = &self.config;
            let link = &mut self.link;
            let Some(size) = link.open_chunk(id, bytes, last, limit, commands, config)? else {
                return Ok(());
            };
            if let Some(transaction) = self.schedule.get_mut(id) {
                transaction.announce(size);
            }
            self.sent_content(
                id,
                if is_last {
                    Verb::LastChunk
                } else {
                    Verb::Chunk
                },
            );
        }
        if !has_begun {
            self.schedule.begin_content(id);
        }
        Ok(())
    }

    /// Plans what is written of the content that is open.
    fn plan_content<'a>(
        &mut self,
        id: TransactionId,
        body: (&'a [u8], bool),
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<(), Broken> {
        let Some(transaction) = self.schedule.get(id) else {
            return Ok(());
        };
        if self.link.content() != Some(id) {
            return Ok(());
        }
        let is_by_dot = transaction.stage() == Stage::Content;
        let by_dot = is_by_dot.then(|| (id, verdicts(transaction, self.config.dialect)));
        let position = transaction.position();
        let link = &mut self.link;
        let has_ended = link.write_content(body, position, by_dot, commands, scratch, slices)?;
        if has_ended && is_by_dot {
            self.sent_content(id, Verb::Content);
        }
        Ok(())
    }

    /// Accounts for a chunk, or the end of a content, whose replies are expected.
    fn sent_content(&mut self, id: TransactionId, verb: Verb) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            match self.config.dialect {
                Dialect::Lmtp if verb.is_end_of_message() => {
                    for _ in 0..transaction.accepted().len() {
                        transaction.sent(Verb::RecipientContent);
                    }
                }
                _ => transaction.sent(verb),
            }
        }
    }
}

impl Progress for Session {
    fn wrote(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize {
        self.link.set_now(now);
        let Some(consumed) = self.link.wrote(bytes, slices, &self.config) else {
            return 0;
        };
        if let Some(transaction) = self.schedule.get_mut(consumed.transaction) {
            transaction.consumed(consumed.bytes);
        }
        consumed.bytes
    }

    fn blocked(&mut self, now: Duration) {
        self.link.set_now(now);
        self.link.blocked();
    }

    fn failed(&mut self) {
        self.write_failed();
    }
}

/// Returns whether a fault says no more than that the server has ended the session, or is silent.
fn has_gone(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ConnectionLost | Fault::WriteFailed | Fault::TimedOut(_)
    )
}

/// Returns which replies the end of a transaction's content gets.
fn verdicts(transaction: &Transaction, dialect: Dialect) -> Verdicts<'_> {
    match dialect {
        Dialect::Smtp => Verdicts::One,
        Dialect::Lmtp => Verdicts::Each(transaction.accepted()),
    }
}
