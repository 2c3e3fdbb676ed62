//! One session: the parts together, and how what happens in one of them moves the others.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    config::{Config, Tls},
    envelope::{Envelope, write_decimal},
    event::{
        Body, BodyRequest, Cancellation, CommandId, Event, MessageId, NotSent, NotSentReason,
        Outcome,
    },
    ledger::Ledger,
    opening::{Decision, Opening},
    outstanding::{Expected, Outstanding, Settled},
    replies::{LineEnd, ReplyReader},
    schedule::{Abandoned, Action, Refusal, Schedule},
    table::{Choice, Stage, Standing, State, Turn, Verb},
    transaction::{Transaction, TransactionId},
    writer::{Broken, Buffers, Writer},
};
#[cfg(feature = "auth")]
use crate::sasl::{Attempts, Mechanism};
use crate::{
    framing::{LineBreaks, Progress, Slices, Transmit},
    machine::{
        Answer, Deadline, Dialect, Error, Fault, Misuse, Origin, Step, Timer, TlsInfo, Trace,
        TraceEntry,
    },
    syntax::{Capabilities, Class, Code, Command, ForwardPath, RcptParameters, Reply},
};

/// Everything of a client but the bytes that it wants written.
#[derive(Debug)]
pub(super) struct Session {
    config: Config,
    standing: Standing,
    opening: Opening,
    schedule: Schedule,
    outstanding: Outstanding,
    writer: Writer,
    ledger: Ledger,
    replies: ReplyReader,
    reply_deadline: Deadline,
    write_deadline: Deadline,
    trace: Option<Box<Trace>>,
    failure: Option<Box<Error>>,
    /// The latest time that the caller has told.
    now: Duration,
    is_at_eof: bool,
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
        let mut session = Self {
            trace: config.trace.then(Box::default),
            standing: Standing::new(is_tls_first),
            opening: Opening::new(),
            schedule: Schedule::new(),
            outstanding: Outstanding::new(),
            writer: Writer::new(),
            ledger: Ledger::default(),
            replies: ReplyReader::default(),
            reply_deadline: Deadline::default(),
            write_deadline: Deadline::default(),
            failure: None,
            now,
            is_at_eof: false,
            has_told_the_end: false,
            config,
        };
        match is_tls_first {
            true => session.start_timer(Timer::Handshake),
            false => session.await_greeting(),
        }
        session
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
        self.conclude(id);
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
        self.now = now;
        let expired = self.reply_deadline.expired(now);
        match expired.or_else(|| self.write_deadline.expired(now)) {
            Some(_) if self.writer.has_failed() => self.fail(Fault::WriteFailed, &[]),
            // Nothing depends on the reply to QUIT.
            Some(Timer::Quit) => self.close(),
            Some(timer) => self.fail(Fault::TimedOut(timer), &[]),
            None => {}
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.is_at_eof = true;
    }

    /// Writes no more. A reason, or a verdict, may still be on its way, but not for ever.
    pub(super) fn write_failed(&mut self) {
        if self.is_over() || self.writer.has_failed() {
            return;
        }
        self.writer.fail();
        self.write_deadline.stop();
        if !self.reply_deadline.is_running() {
            let awaited = self.outstanding.timer(self.writer.offered());
            let idle = match self.writer.content() {
                Some(_) => Timer::Command,
                None => Timer::Quit,
            };
            self.start_timer(awaited.unwrap_or(idle));
        }
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.now = now;
        self.reply_deadline.stop();
        self.opening.encrypt(info);
        let state = self.opening.after_handshake(&self.config);
        self.standing.choose(Choice::Handshake, state);
        if state == State::Connected {
            self.await_greeting();
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
        !(self.ledger.has_events() || self.has_stopped() || self.is_at_eof || self.is_over())
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
        let open = self.writer.content();
        let is_open = self.standing.state() == State::Ready;
        if !self.writer.is_sound() || self.is_over() || !(is_open || open.is_some()) {
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
        let deadlines = [&self.reply_deadline, &self.write_deadline];
        deadlines.into_iter().filter_map(Deadline::deadline).min()
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.opening.capabilities()
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.outstanding.round_trips()
    }

    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.trace.as_mut()?.take()
    }

    pub(super) fn shrink(&mut self, buffers: &mut Buffers) {
        self.writer.shrink(buffers);
        self.schedule.shrink();
        self.outstanding.shrink();
        self.ledger.shrink();
    }

    fn is_ending(&self) -> bool {
        self.schedule.is_quitting() || self.is_at_eof || !self.writer.is_sound() || self.is_over()
    }

    fn is_over(&self) -> bool {
        self.standing.state() == State::Closed
    }

    /// Returns whether a content cannot be completed, and no reply to what has left is to come.
    fn has_stopped(&self) -> bool {
        self.writer.is_cut() && self.outstanding.awaited(self.writer.left()).is_none()
    }

    // Reading.

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.now = now;
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
                State::Handshake if input.is_empty() && !self.is_at_eof => return Ok(None),
                State::Handshake => self.on_bytes_before_tls(input),
                _ => {
                    let line_end = match self.config.bare_lf_replies {
                        true => LineEnd::BareLf,
                        false => LineEnd::CrLf,
                    };
                    match self.replies.next(input, line_end) {
                        Ok(Some(reply)) => {
                            if let Some(event) = self.on_reply(reply) {
                                return Ok(Some(event));
                            }
                        }
                        Ok(None) if self.is_at_eof || self.has_stopped() => self.on_end(input),
                        Ok(None) => return Ok(None),
                        Err((fault, bytes)) => self.fail_out_of_step(fault, bytes),
                    }
                }
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
            if let Some(event) = self.schedule.own().next_unanswered() {
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
        if self.outstanding.oldest() == Some(Verb::Quit) && self.is_idle() {
            self.close();
        } else if self.writer.is_cut() {
            self.fail(Fault::ContentAbandoned, &[]);
        } else if self.writer.has_failed() {
            self.fail(Fault::WriteFailed, &[]);
        } else {
            self.fail(Fault::ConnectionLost, input);
        }
    }

    /// Accounts for a reply.
    fn on_reply<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        self.trace_reply(&reply);
        let settled = self.outstanding.settle(reply.code(), self.writer.offered());
        self.reply_deadline.stop();
        self.await_reply();
        if reply.code() == Code::NOT_AVAILABLE {
            return self.on_closing(settled, reply);
        }
        let expected = match settled {
            Settled::Answers(expected) => expected,
            Settled::Surplus => {
                self.on_surplus(reply);
                return None;
            }
            Settled::Impossible(verb) => {
                self.fail_desync(Fault::ImpossibleReply, verb, &reply);
                return None;
            }
        };
        let turn = Turn::of(reply.code());
        match expected.verb {
            Verb::Own => self.schedule.own().answer(reply),
            Verb::Reset => {
                self.on_reset(&reply);
                None
            }
            Verb::Content | Verb::LastChunk => self.on_verdict(&expected, reply),
            Verb::RecipientContent => self.on_recipient_verdict(&expected, reply),
            Verb::Mail | Verb::Recipient | Verb::Data | Verb::LoneDot | Verb::Chunk => {
                self.on_step(&expected, turn, reply)
            }
            verb => self.on_opening(verb, turn, reply),
        }
    }

    /// Accounts for the answer to one of the opening's commands, or to QUIT.
    fn on_opening<'i>(&mut self, verb: Verb, turn: Turn, reply: Reply<'i>) -> Option<Event<'i>> {
        if let Some(choice) = self.standing.turn(verb, turn) {
            let decision = self.opening.decide(choice, verb, &reply, &self.config);
            self.carry_out(choice, decision, verb, &reply);
        }
        match self.standing.state() {
            State::Handshake => self.start_timer(Timer::Handshake),
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
            Decision::Fail(fault) => self.fail_answered(fault, verb.step(), reply),
            Decision::Refuse(fault, reason, answer) => {
                let (error, reason) = match answer {
                    None => (Error::new(fault, self.state(), &[]), reason.into()),
                    Some(answer) => (
                        Error::answered(fault, self.state(), answer.clone()),
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
        let fits = envelope.map(|envelope| envelope.fit(offered, self.opening.is_encrypted()));
        if let Some(Err(reason)) = fits {
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

    fn step_down(&mut self) {
        if let Some(given_up) = self.schedule.step_down() {
            self.conclude(given_up);
        }
    }

    /// Accounts for the answer to one of the commands that lead to a verdict.
    fn on_step<'i>(
        &mut self,
        expected: &Expected,
        turn: Turn,
        reply: Reply<'i>,
    ) -> Option<Event<'i>> {
        let Expected {
            verb,
            transaction: id,
            recipient: place,
            ..
        } = *expected;
        let is_suspicious = self.schedule.is_suspicious_of(id);
        let transaction = self.schedule.get_mut(id)?;
        let was_refused = transaction.is_refused();
        transaction.answered(verb, turn);
        if is_suspicious {
            match turn {
                Turn::No => self.step_down(),
                _ => self.fail_desync(Fault::ResetRefused, verb, &reply),
            }
            return None;
        }
        let mut event = None;
        match verb {
            Verb::Mail => transaction.answer_mail(answer(verb, reply)),
            Verb::Recipient => {
                let envelope = self.ledger.envelope(transaction.message());
                let has_size = envelope.is_some_and(|envelope| envelope.has_size());
                let is_put_off = transaction.answer_recipient(place, &reply, has_size);
                // Of a refused sender, the refusal tells; the recipients' 503 tell nothing.
                if transaction.has_sender() && !is_put_off {
                    event = Some(Event::RecipientAnswered {
                        message: MessageId(transaction.message()),
                        recipient: transaction.position_of(place) as usize,
                        reply,
                    });
                }
                if let Some(part) = self.schedule.hand_on(id) {
                    self.add_part(part);
                }
            }
            Verb::Data if turn == Turn::Yes => {
                let is_gone = transaction.is_abandoned() || !transaction.has_sender();
                let is_for_nobody = transaction.accepted().is_empty();
                if is_for_nobody && self.config.dialect == Dialect::Lmtp {
                    // There is nothing to synchronise on (2033-4.2-a).
                    self.fail_answered(Fault::RefusedTransactionContinued, verb.step(), &reply);
                    return None;
                }
                // A dot now would have the server deliver an empty message, to somebody, from
                // somebody (measured with Postfix and Exim).
                if is_gone && !is_for_nobody {
                    match transaction.is_abandoned() {
                        true => self.fail_answered(Fault::ContentAbandoned, verb.step(), &reply),
                        false => self.fail_desync(Fault::RefusedTransactionContinued, verb, &reply),
                    }
                    return None;
                }
            }
            Verb::Data => transaction.refuse(answer(verb, reply)),
            Verb::LoneDot => self.schedule.ended(id, false),
            _ if turn == Turn::No => transaction.refuse(answer(verb, reply)),
            _ if was_refused => {
                self.fail_desync(Fault::RefusedTransactionContinued, verb, &reply);
                return None;
            }
            _ => {}
        }
        self.conclude(id);
        event
    }

    /// Accounts for the answer to the end of a message.
    fn on_verdict<'i>(&mut self, expected: &Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let Expected {
            verb,
            transaction: id,
            ..
        } = *expected;
        let transaction = self.schedule.get_mut(id)?;
        let is_refused = transaction.is_refused() || transaction.is_abandoned();
        if reply.is_positive() && is_refused {
            // Whatever was accepted, it was not this envelope: the outcome stays in doubt.
            transaction.give_up(true);
            self.fail_desync(Fault::RefusedTransactionContinued, verb, &reply);
            return None;
        }
        transaction.answered(verb, Turn::of(reply.code()));
        self.schedule.ended(id, reply.is_positive());
        let outcome = match reply.is_positive() {
            true => Some(Outcome::Delivered(reply)),
            false if is_refused => None,
            false => Some(Outcome::Refused(answer(verb, reply))),
        };
        self.finish_with(id, outcome)
    }

    /// Accounts for LMTP's verdict on a content for one recipient.
    fn on_recipient_verdict<'i>(
        &mut self,
        expected: &Expected,
        reply: Reply<'i>,
    ) -> Option<Event<'i>> {
        let Expected {
            verb,
            transaction: id,
            recipient: place,
            ..
        } = *expected;
        let transaction = self.schedule.get_mut(id)?;
        let is_positive = reply.is_positive();
        let answer = answer(verb, reply);
        transaction.answered(verb, Turn::of(answer.reply.code()));
        transaction.answer_content(&answer);
        let message = MessageId(transaction.message());
        let recipient = transaction.position_of(place) as usize;
        if transaction.is_answered() {
            self.schedule.ended(id, is_positive);
        }
        self.conclude(id);
        let outcome = match is_positive {
            true => Outcome::Delivered(answer.reply),
            false => Outcome::Refused(answer),
        };
        Some(Event::RecipientFinished {
            message,
            recipient,
            outcome,
        })
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, settled: Settled, reply: Reply<'i>) -> Option<Event<'i>> {
        let Settled::Answers(expected) = settled else {
            // It may refuse the content that is being sent; nothing else is known of its cause.
            let content = self.writer.content();
            let step = content.map_or(Step::Greeting, |_| Step::Content);
            let answer = Answer { step, reply };
            if let Some(transaction) = content.and_then(|id| self.schedule.get_mut(id)) {
                transaction.refuse(answer.clone());
            }
            self.fail_by(
                Fault::Closing,
                NotSentReason::ConnectionEnded,
                answer,
                self.writer.offered(),
            );
            return None;
        };
        let Expected {
            verb,
            transaction: id,
            recipient: place,
            ..
        } = expected;
        let answer = answer(verb, reply);
        match verb {
            Verb::Quit => {
                self.close();
                None
            }
            Verb::Own => {
                let event = self.schedule.own().answer(answer.reply.clone());
                self.fail_by(Fault::Closing, NotSentReason::ConnectionEnded, answer, 0);
                event
            }
            // Others after it may have been taken: a server may work ahead, as ours does.
            Verb::Content | Verb::LastChunk => {
                let offered = self.writer.offered();
                self.fail_by(
                    Fault::Closing,
                    NotSentReason::ConnectionEnded,
                    answer.clone(),
                    offered,
                );
                let is_gone = self.schedule.get(id)?.is_refused();
                self.finish_with(id, (!is_gone).then_some(Outcome::Refused(answer)))
            }
            Verb::RecipientContent => {
                let transaction = self.schedule.get_mut(id)?;
                transaction.answer_content(&answer);
                let message = MessageId(transaction.message());
                let recipient = transaction.position_of(place) as usize;
                let offered = self.writer.offered();
                self.fail_by(
                    Fault::Closing,
                    NotSentReason::ConnectionEnded,
                    answer.clone(),
                    offered,
                );
                let outcome = Outcome::Refused(answer);
                Some(Event::RecipientFinished {
                    message,
                    recipient,
                    outcome,
                })
            }
            // Neither this transaction nor what comes after it was taken.
            _ => {
                let reason = match verb.is_preliminary() {
                    true => NotSentReason::SessionRefused,
                    false => NotSentReason::ConnectionEnded,
                };
                self.fail_by(Fault::Closing, reason, answer, 0);
                None
            }
        }
    }

    /// Ends the session with what a reply has said. What was not offered as far as there, and was not
    /// refused, is not sent.
    fn fail_by(&mut self, fault: Fault, reason: NotSentReason, answer: Answer<'_>, offered: u64) {
        self.fail_with(
            Error::answered(fault, self.state(), answer.clone()),
            offered,
        );
        let reason = NotSent::answered(reason, answer);
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
        let content = self.writer.content();
        let transaction = content.and_then(|id| self.schedule.get_mut(id));
        let refuses = matches!(reply.class(), Class::Transient | Class::Permanent);
        match transaction.filter(|_| refuses) {
            Some(transaction) => {
                // The server does not want the rest. It cannot be told that there is none.
                let step = Step::Content;
                transaction.refuse(Answer {
                    step,
                    reply: reply.clone(),
                });
                self.fail_answered(Fault::ContentAbandoned, step, &reply);
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
        match self.schedule.abandon(id, reason.into()) {
            Some(Abandoned::Stopped) => self.conclude(id),
            Some(Abandoned::Cut) => self.writer.cut(),
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
        let has_gone = matches!(
            fault,
            Fault::ConnectionLost | Fault::WriteFailed | Fault::TimedOut(_)
        );
        if has_gone && let Some(answer) = self.opening.take_refused_ehlo() {
            let (fault, reason) = (Fault::SessionRefused, NotSentReason::SessionRefused);
            return self.fail_by(fault, reason, answer, 0);
        }
        let error = Error::new(fault, self.state(), bytes);
        self.fail_with(error, self.writer.offered());
    }

    /// Ends the session with an error that a reply has led to.
    fn fail_answered(&mut self, fault: Fault, step: Step, reply: &Reply<'_>) {
        let answer = Answer {
            step,
            reply: reply.clone(),
        };
        let error = Error::answered(fault, self.state(), answer);
        self.fail_with(error, self.writer.offered());
    }

    /// Ends the session, as replies and commands no longer match.
    fn fail_out_of_step(&mut self, fault: Fault, bytes: &[u8]) {
        self.distrust();
        self.fail(fault, bytes);
    }

    /// The same, where a reply shows it.
    fn fail_desync(&mut self, fault: Fault, verb: Verb, reply: &Reply<'_>) {
        self.distrust();
        self.fail_answered(fault, verb.step(), reply);
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
        self.end(self.writer.offered());
    }

    /// Ends the session: what is unfinished is told in order. A message whose end was offered, up to
    /// there, is in doubt.
    fn end(&mut self, offered: u64) {
        self.standing.end();
        let Self {
            outstanding,
            schedule,
            ..
        } = self;
        outstanding.give_up(offered, |id| {
            if let Some(transaction) = schedule.get_mut(id) {
                transaction.give_up(true);
            }
        });
        for id in schedule.ids() {
            if let Some(transaction) = schedule.get_mut(id) {
                transaction.give_up(false);
            }
        }
        self.reply_deadline.stop();
        self.write_deadline.stop();
    }

    /// Returns what the session is doing, as words.
    fn state(&self) -> &'static str {
        match self.outstanding.awaited(self.writer.offered()) {
            Some(verb) => verb.state(),
            None if self.writer.content().is_some() => "sending content",
            None if self.outstanding.oldest().is_some() => "sending commands",
            None if self.wants_tls() => "waiting for the TLS handshake",
            None => "between messages",
        }
    }

    // Writing.

    pub(super) fn transmit<'a>(
        &'a mut self,
        buffers: &'a mut Buffers,
        body: Option<(BodyRequest, Body<'a>)>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        self.now = now;
        self.writer.tidy(buffers);
        // What was presented for another request than the one in force counts as nothing.
        let body = body.filter(|(request, _)| self.wants_body() == Some(*request));
        let body = self.wanted().zip(body.map(|(_, body)| body));
        self.render(&mut buffers.commands);
        let Buffers { commands, scratch } = buffers;
        let mut slices = Slices::new();
        if let Some((id, body)) = body {
            self.write_body(id, body, commands, scratch, &mut slices);
        }
        if self.is_over() || !self.writer.is_sound() {
            self.write_deadline.stop();
            return None;
        }
        self.writer.offer(commands, &mut slices);
        if slices.is_empty() {
            self.write_deadline.stop();
        } else if !self.write_deadline.is_running() {
            let patience = self.config.patience(Timer::Write);
            self.write_deadline.start(Timer::Write, patience, now);
        }
        Transmit::new(slices, self)
    }

    /// Renders every command that may be sent now.
    fn render(&mut self, commands: &mut Vec<u8>) {
        while self.writer.takes_commands(commands.len())
            && let Some(next) = self.next()
        {
            let start = commands.len();
            self.write(next, commands);
            let bytes = commands.len().saturating_sub(start);
            if !self.outstanding.has_room(self.config.duplex, bytes, 1) {
                commands.truncate(start);
                return;
            }
            self.trace_from(start, commands);
            self.writer.add(bytes);
            self.sent(next, bytes);
        }
    }

    /// Returns what is to be sent next, if it may be sent now.
    fn next(&mut self) -> Option<Next> {
        let state = self.standing.state();
        let may_go_ahead = match state {
            State::Connected => self.opening.may_go_ahead(&self.config),
            _ => self.opening.is_ahead(),
        };
        let is_ahead = may_go_ahead && self.outstanding.is_opening();
        if !is_ahead && !self.outstanding.may_send(self.schedule.level()) {
            return None;
        }
        match state {
            State::Connected if is_ahead => return Some(Next::Opening(Verb::Ehlo)),
            State::Due(verb) => return Some(Next::Opening(verb)),
            State::Ready => {}
            _ => return None,
        }
        loop {
            match self.schedule.next()? {
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

    fn write(&mut self, next: Next, out: &mut Vec<u8>) {
        let action = match next {
            Next::Opening(verb) => return self.opening.write(verb, &self.config, out),
            Next::Action(action) => action,
        };
        match action {
            Action::Own => out.extend_from_slice(self.schedule.own().line()),
            Action::Reset => out.extend_from_slice(b"RSET\r\n"),
            Action::Data(_) => out.extend_from_slice(b"DATA\r\n"),
            Action::LoneDot(_) => out.extend_from_slice(b".\r\n"),
            Action::Quit | Action::Split(_) => self.opening.write(Verb::Quit, &self.config, out),
            Action::Mail(id) | Action::Recipient(id, _) => {
                let Some(transaction) = self.schedule.get(id) else {
                    return;
                };
                let Some(envelope) = self.ledger.envelope(transaction.message()) else {
                    return;
                };
                match action {
                    Action::Recipient(_, place) => {
                        envelope.write_recipient(transaction.position_of(place) as usize, out);
                    }
                    _ => envelope.write_mail(self.opening.capabilities(), out),
                }
            }
        }
    }

    /// Accounts for what was rendered; its reply is expected from now on.
    fn sent(&mut self, next: Next, bytes: usize) {
        let is_ahead = self.outstanding.oldest().is_some();
        let end = self.writer.end();
        match next {
            Next::Opening(verb) => self.sent_opening(verb, bytes),
            Next::Action(Action::Quit | Action::Split(_)) => self.sent_opening(Verb::Quit, bytes),
            Next::Action(Action::Own) => {
                self.schedule.own().sent();
                self.outstanding.expect(Verb::Own, end, bytes);
            }
            Next::Action(Action::Reset) => {
                self.schedule.sent_reset(is_ahead);
                self.outstanding.expect(Verb::Reset, end, bytes);
            }
            Next::Action(Action::Mail(id)) => {
                self.expect(Verb::Mail, id, 0, end, bytes);
                if self.schedule.sent_mail(id) {
                    self.abandon_waiting();
                }
            }
            Next::Action(Action::Recipient(id, place)) => {
                self.expect(Verb::Recipient, id, place, end, bytes);
            }
            Next::Action(Action::Data(id)) => self.expect(Verb::Data, id, 0, end, bytes),
            Next::Action(Action::LoneDot(id)) => self.expect(Verb::LoneDot, id, 0, end, bytes),
        }
    }

    fn sent_opening(&mut self, verb: Verb, bytes: usize) {
        if matches!(verb, Verb::Auth | Verb::AuthResponse) {
            self.writer.guard();
        }
        self.outstanding.expect(verb, self.writer.end(), bytes);
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

    fn expect(&mut self, verb: Verb, id: TransactionId, place: u32, end: u64, bytes: usize) {
        self.outstanding.expect_of(verb, id, place, end, bytes);
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.sent(verb);
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
        let Some(transaction) = self.schedule.get_mut(id) else {
            return;
        };
        if transaction.needs_body_again() {
            match body {
                Body::Failed => self.abandon(id, NotSentReason::NeedsBodyAgain),
                Body::Chunk(_) | Body::Last(_) => transaction.has_body_again(),
            }
            return self.render(commands);
        }
        let (bytes, is_last) = match body {
            Body::Failed => return self.abandon(id, NotSentReason::BodyFailed),
            Body::Chunk(bytes) => (bytes, false),
            Body::Last(bytes) => (bytes, true),
        };
        let written = self
            .open_content(id, bytes, is_last, commands)
            .and_then(|()| self.plan_content(id, bytes, is_last, commands, scratch, slices));
        if let Err(broken) = written {
            slices.clear();
            self.abandon(
                id,
                match broken {
                    Broken::LineBreak(at) => NotSentReason::BareLineBreak { at },
                    Broken::Promise => NotSentReason::BodyFailed,
                },
            );
        }
    }

    /// Opens a content or a chunk, unless one is open or the time has not come.
    fn open_content(
        &mut self,
        id: TransactionId,
        bytes: &[u8],
        is_last: bool,
        commands: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let Some(transaction) = self.schedule.get(id) else {
            return Ok(());
        };
        if self.writer.content().is_some() || !self.schedule.may_open_content(transaction) {
            return Ok(());
        }
        let (is_by_dot, has_begun) = (
            transaction.stage() == Stage::Content,
            transaction.has_begun(),
        );
        if !has_begun {
            let line_breaks = match transaction.is_binary() {
                true => LineBreaks::Keep, // 3030-3-c
                false => self.config.line_breaks,
            };
            self.writer.begin(line_breaks, !is_by_dot);
        }
        if is_by_dot {
            self.writer.open_content(id);
        } else {
            // An empty chunk says nothing, unless it is the last.
            let has_purpose = !bytes.is_empty() || is_last;
            if !has_purpose || !self.outstanding.may_send(self.schedule.level()) {
                return Ok(());
            }
            let verdicts = match self.config.dialect {
                Dialect::Lmtp if is_last => transaction.accepted().len(),
                _ => 1,
            };
            let measured = self.writer.measure(bytes, is_last)?;
            let start = commands.len();
            commands.extend_from_slice(b"BDAT ");
            write_decimal(measured.size() as u64, commands);
            commands.extend_from_slice(if is_last { b" LAST\r\n" } else { b"\r\n" });
            let header = commands.len().saturating_sub(start);
            if !self
                .outstanding
                .has_room(self.config.duplex, header, verdicts)
            {
                commands.truncate(start);
                return Ok(());
            }
            self.trace_from(start, commands);
            self.writer.add(header);
            let (end, tail) = self.writer.open_chunk(id, measured);
            commands.extend_from_slice(tail);
            self.writer.add(tail.len());
            match is_last {
                true => self.expect_verdict(Verb::LastChunk, id, end, header),
                false => self.expect(Verb::Chunk, id, 0, end, header),
            }
        }
        if !has_begun {
            self.schedule.begin_content(id);
        }
        Ok(())
    }

    /// Plans what is written of the content that is open, and renders what follows its end.
    fn plan_content<'a>(
        &mut self,
        id: TransactionId,
        bytes: &'a [u8],
        is_last: bool,
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<(), Broken> {
        let Some(transaction) = self.schedule.get(id) else {
            return Ok(());
        };
        if self.writer.content() != Some(id) {
            self.render(commands);
            return Ok(());
        }
        let (at, is_by_dot) = (
            transaction.position(),
            transaction.stage() == Stage::Content,
        );
        let Some(end) = self.writer.plan(bytes, is_last, scratch, slices)? else {
            return Ok(());
        };
        commands.extend_from_slice(end);
        self.writer.add(end.len());
        if let Some(trace) = &mut self.trace {
            let round_trips = self.outstanding.round_trips();
            trace.content(
                Origin::Local,
                round_trips,
                at.saturating_add(bytes.len() as u64),
            );
            if is_by_dot {
                trace.lines(Origin::Local, round_trips, b".\r\n");
            }
        }
        if is_by_dot {
            self.expect_verdict(Verb::Content, id, self.writer.end(), end.len());
        }
        self.render(commands);
        Ok(())
    }

    /// Expects the verdict on a content, or LMTP's verdicts: one for each accepted recipient.
    fn expect_verdict(&mut self, verb: Verb, id: TransactionId, end: u64, bytes: usize) {
        if self.config.dialect == Dialect::Smtp {
            return self.expect(verb, id, 0, end, bytes);
        }
        // 2033-4.2-b; 2033-4.3-a of the last chunk
        let Some(transaction) = self.schedule.get_mut(id) else {
            return;
        };
        let mut bytes = bytes;
        for index in 0..transaction.accepted().len() {
            let Some(&place) = transaction.accepted().get(index) else {
                break;
            };
            let bytes = core::mem::take(&mut bytes);
            self.outstanding
                .expect_of(Verb::RecipientContent, id, place, end, bytes);
            transaction.sent(Verb::RecipientContent);
        }
    }

    // Timers and trace.

    fn await_greeting(&mut self) {
        self.outstanding.expect(Verb::Connect, 0, 0);
        self.start_timer(Timer::Greeting);
    }

    fn start_timer(&mut self, timer: Timer) {
        let patience = self.config.patience(timer);
        self.reply_deadline.start(timer, patience, self.now);
    }

    /// Starts the timer of what is unanswered, unless it runs or nothing was sent.
    fn await_reply(&mut self) {
        let left = match self.writer.has_failed() {
            true => self.writer.offered(),
            false => self.writer.left(),
        };
        if !self.reply_deadline.is_running()
            && let Some(timer) = self.outstanding.timer(left)
        {
            self.start_timer(timer);
        }
    }

    /// Keeps a trace of what was rendered from `start` on; of AUTH, only that it was.
    fn trace_from(&mut self, start: usize, commands: &[u8]) {
        if let Some(trace) = &mut self.trace {
            let lines: &[u8] = match self.standing.state() {
                State::Due(Verb::Auth) => b"AUTH ...\r\n",
                State::Due(Verb::AuthResponse) => b"...\r\n",
                _ => commands.get(start..).unwrap_or_default(),
            };
            trace.lines(Origin::Local, self.outstanding.round_trips(), lines);
        }
    }

    /// Keeps a trace of a reply; of a challenge, only that it came.
    fn trace_reply(&mut self, reply: &Reply<'_>) {
        if let Some(trace) = &mut self.trace {
            let lines: &[u8] = match reply.code() {
                Code::CHALLENGE => b"334 ...\r\n",
                _ => reply.as_bytes(),
            };
            trace.lines(Origin::Remote, self.outstanding.round_trips(), lines);
        }
    }
}

impl Progress for Session {
    fn wrote(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize {
        self.now = now;
        let consumed = self.writer.wrote(bytes, slices);
        self.write_deadline.stop();
        self.await_reply();
        consumed.map_or(0, |consumed| {
            if let Some(transaction) = self.schedule.get_mut(consumed.transaction) {
                transaction.consumed(consumed.bytes);
            }
            consumed.bytes
        })
    }

    fn blocked(&mut self, now: Duration) {
        self.now = now;
        self.writer.blocked();
    }

    fn failed(&mut self) {
        self.write_failed();
    }
}

fn answer(verb: Verb, reply: Reply<'_>) -> Answer<'_> {
    Answer {
        step: verb.step(),
        reply,
    }
}
