//! The account of a session: what was said, what was answered, and what that means.

use alloc::{boxed::Box, collections::VecDeque};
use core::time::Duration;

use super::{
    config::Config,
    envelope::Envelope,
    event::{Cancellation, Event, MessageId, NotSent, Outcome},
    pipeline::{Expected, Pipeline},
    replies::ReplyReader,
    rules::{Level, Verb},
    sending::Wire,
    transaction::{Answer, Stage, Transaction, TransactionId, Transactions},
};
use crate::{
    framing::DotStuffer,
    machine::{Deadline, Error, Fault, Misuse, Origin, Timer, Trace},
    syntax::{BodyType, Capabilities, Class, Code, Extension, Reply},
};

/// Where the session stands. STARTTLS and AUTH belong between `Hello` and `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, not greeted.
    Connected,
    /// EHLO or HELO is due.
    Hello(Verb),
    /// EHLO or HELO was sent.
    Introduced,
    /// Messages may be sent.
    Ready,
    /// QUIT was sent.
    Leaving,
    /// The session is over.
    Closed,
}

/// Everything of a client but the octets it wants written.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) capabilities: Capabilities,
    pub(super) level: Level,
    pub(super) transactions: Transactions,
    pub(super) pipeline: Pipeline,
    pub(super) wire: Wire,
    /// The state of the content that is being sent.
    pub(super) stuffer: DotStuffer,
    /// How many messages have begun their content and are without a final reply.
    pub(super) open_contents: usize,
    /// The server may hold a transaction that no final 2yz has ended: RSET goes before the next.
    pub(super) reset_due: bool,
    /// The last transaction whose MAIL was sent.
    pub(super) begun: TransactionId,
    pub(super) quitting: bool,
    /// A content cannot be completed: once earlier replies are in, the connection is closed.
    pub(super) abandoned: bool,
    pub(super) write_failed: bool,
    pub(super) failure: Option<Box<Error>>,
    pub(super) trace: Option<Box<Trace>>,
    pub(super) reply_deadline: Deadline,
    pub(super) write_deadline: Deadline,
    replies: ReplyReader,
    submitted: u64,
    /// Transactions whose outcome is known and not reported.
    decided: VecDeque<TransactionId>,
    /// What is reported once the session is closed, which the server refused.
    refusal: Option<Box<Error>>,
    ready_unreported: bool,
    closed_unreported: bool,
    eof: bool,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let mut reply_deadline = Deadline::default();
        reply_deadline.start(Timer::Greeting, config.timeouts.greeting, now);
        let mut pipeline = Pipeline::default();
        pipeline.push(Expected::session(Verb::Connect, 0, 0));
        Self {
            trace: config.trace.then(Box::default),
            phase: Phase::Connected,
            capabilities: Capabilities::new(),
            level: Level::LockStep,
            transactions: Transactions::default(),
            pipeline,
            wire: Wire::default(),
            stuffer: DotStuffer::new(config.line_breaks),
            open_contents: 0,
            reset_due: false,
            begun: 0,
            quitting: false,
            abandoned: false,
            write_failed: false,
            failure: None,
            reply_deadline,
            write_deadline: Deadline::default(),
            replies: ReplyReader::default(),
            submitted: 0,
            decided: VecDeque::new(),
            refusal: None,
            ready_unreported: false,
            closed_unreported: false,
            eof: false,
            config,
        }
    }

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
        let message = MessageId(self.submitted);
        self.submitted += 1;
        let id = self.transactions.push(message, envelope);
        if self.phase == Phase::Ready {
            self.check_requirements(id);
        }
        Ok(message)
    }

    pub(super) fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        let (id, transaction) = self
            .transactions
            .find(message)
            .ok_or(Misuse::UnknownMessage)?;
        let cancellation = match transaction.stage {
            Stage::Waiting => Cancellation::Unsent,
            Stage::Recipients(_) => Cancellation::Withdrawn,
            Stage::Data | Stage::Content | Stage::Chunks => Cancellation::EndsConnection,
            Stage::LoneDot | Stage::Over => return Err(Misuse::TooLate),
        };
        self.abandon(id, NotSent::Cancelled);
        Ok(cancellation)
    }

    pub(super) fn quit(&mut self) {
        self.quitting = true;
    }

    pub(super) fn handle_eof(&mut self) {
        self.eof = true;
    }

    pub(super) fn handle_write_failed(&mut self) {
        self.write_failed = true;
        self.write_deadline.stop();
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        let expired = self
            .reply_deadline
            .expired(now)
            .or_else(|| self.write_deadline.expired(now));
        match expired {
            // Nothing depends on the reply to QUIT.
            Some(Timer::Quit) => self.close(),
            Some(timer) => self.fail(Fault::TimedOut(timer), &[]),
            None => {}
        }
    }

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            if let Some(event) = self.next_known() {
                return Ok(Some(event));
            }
            if let Some(error) = &self.failure {
                return Err(Error::clone(error));
            }
            if self.phase == Phase::Closed {
                return Ok(None);
            }
            match self.replies.next(input) {
                Ok(Some(reply)) => {
                    if let Some(event) = self.on_reply(reply, now) {
                        return Ok(Some(event));
                    }
                }
                Ok(None) => {
                    if !self.eof && !self.has_stopped() {
                        return Ok(None);
                    }
                    self.on_end(input);
                }
                Err((fault, octets)) => self.fail(fault, octets),
            }
        }
    }

    /// Takes a transaction out of the way that must not be completed.
    ///
    /// Before DATA that costs a RSET. Later it costs the connection, as the server would take a
    /// part for the whole.
    pub(super) fn abandon(&mut self, id: TransactionId, reason: NotSent) {
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        transaction.not_sent.get_or_insert(reason);
        match transaction.stage {
            Stage::Waiting | Stage::Recipients(_) => {
                transaction.stage = Stage::Over;
                self.conclude(id);
            }
            // The reply to DATA decides: only after 354 does the server wait for content.
            Stage::Data | Stage::LoneDot => {}
            Stage::Content | Stage::Chunks | Stage::Over => self.abandoned = true,
        }
    }

    /// Ends the session with an error.
    pub(super) fn fail(&mut self, fault: Fault, octets: &[u8]) {
        if self.failure.is_none() {
            self.failure = Some(Box::new(Error::new(fault, self.state(), octets)));
            self.end();
        }
    }

    /// Ends the session in good order, or with the error that was kept for now.
    fn close(&mut self) {
        match self.refusal.take() {
            Some(error) => self.failure = Some(error),
            None => self.closed_unreported = true,
        }
        self.phase = Phase::Closed;
        self.end();
    }

    fn end(&mut self) {
        self.pipeline.clear();
        self.reply_deadline.stop();
        self.write_deadline.stop();
        self.decided.clear(); // what is unfinished is reported in order
        for id in self.transactions.ids() {
            if let Some(transaction) = self.transactions.get_mut(id) {
                transaction.pending = 0;
            }
        }
    }

    /// Returns the next event that no reply is needed for.
    fn next_known(&mut self) -> Option<Event<'static>> {
        if core::mem::take(&mut self.ready_unreported) {
            return Some(Event::Ready);
        }
        let ended = self.failure.is_some() || self.phase == Phase::Closed;
        let next = if ended {
            self.transactions.first_unfinished().map(|(id, _)| id)
        } else {
            self.decided.pop_front()
        };
        if let Some(id) = next
            && let Some(transaction) = self.transactions.get_mut(id)
        {
            let outcome = transaction.take_outcome();
            return Some(self.finish(id, outcome));
        }
        core::mem::take(&mut self.closed_unreported).then_some(Event::Closed)
    }

    /// Returns the event that ends a message.
    fn finish<'i>(&mut self, id: TransactionId, outcome: Outcome<'i>) -> Event<'i> {
        let message = self
            .transactions
            .get(id)
            .map_or(MessageId(0), Transaction::message);
        self.transactions.finish(id);
        Event::Finished { message, outcome }
    }

    /// Has a transaction's outcome reported if nothing more is sent or read for it.
    pub(super) fn conclude(&mut self, id: TransactionId) {
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        transaction.stop_if_hopeless();
        if transaction.is_concluded() {
            if core::mem::take(&mut transaction.content_begun) {
                self.open_contents = self.open_contents.saturating_sub(1);
            }
            self.decided.push_back(id);
        }
    }

    fn on_reply<'i>(&mut self, reply: Reply<'i>, now: Duration) -> Option<Event<'i>> {
        if let Some(trace) = &mut self.trace {
            trace.lines(
                Origin::Remote,
                self.pipeline.round_trips(),
                reply.as_bytes(),
            );
        }
        if reply.code() == Code::NOT_AVAILABLE {
            return self.on_closing(reply);
        }
        let Some(verb) = self.awaited().map(|awaited| awaited.verb) else {
            self.on_surplus(reply);
            return None;
        };
        if !verb.may_be_answered(reply.code()) {
            self.fail(Fault::ImpossibleReply, reply.as_bytes());
            return None;
        }
        let expected = self.pipeline.pop()?;
        self.restart_reply_deadline(now);
        match verb {
            Verb::Connect => self.on_greeting(reply),
            Verb::Ehlo | Verb::Helo => {
                self.on_hello(verb, reply);
                None
            }
            Verb::Quit => {
                self.close();
                None
            }
            Verb::Reset => {
                if !reply.is_positive() {
                    self.fail(Fault::ResetRefused, reply.as_bytes());
                }
                None
            }
            Verb::Content | Verb::LastChunk => self.on_verdict(expected.transaction, reply),
            Verb::Mail | Verb::Recipient | Verb::Data | Verb::LoneDot | Verb::Chunk => {
                self.on_step(expected, reply)
            }
        }
    }

    fn on_greeting<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        if reply.is_positive() {
            self.phase = Phase::Hello(Verb::Ehlo); // RFC 5321 2.2.1: EHLO rather than HELO
            return Some(Event::Greeting { reply });
        }
        self.refuse_session(&reply);
        None
    }

    fn on_hello(&mut self, verb: Verb, reply: Reply<'_>) {
        match reply.class() {
            Class::Positive => {
                if verb == Verb::Ehlo {
                    self.capabilities = Capabilities::parse(&reply);
                }
                self.level = self.config.pipelining.level(&self.capabilities);
                self.phase = Phase::Ready;
                self.ready_unreported = true;
                for id in self.transactions.ids() {
                    self.check_requirements(id);
                }
            }
            // RFC 5321 3.2: HELO where EHLO is not understood. Postfix takes any refusal for that.
            _ if verb == Verb::Ehlo => self.phase = Phase::Hello(Verb::Helo),
            _ => self.refuse_session(&reply),
        }
    }

    /// Gives up on a server that does not want the session, with a QUIT.
    fn refuse_session(&mut self, reply: &Reply<'_>) {
        self.refusal = Some(Box::new(Error::new(
            Fault::SessionRefused,
            self.state(),
            reply.as_bytes(),
        )));
        self.phase = Phase::Ready;
        self.quitting = true;
        for id in self.transactions.ids() {
            self.abandon(id, NotSent::SessionRefused(reply.clone().into_owned()));
        }
    }

    /// Fails a message that needs what the server does not offer.
    fn check_requirements(&mut self, id: TransactionId) {
        let Some(transaction) = self.transactions.get(id) else {
            return;
        };
        let missing = |needed: bool, extension| {
            (needed && !self.capabilities.has(extension))
                .then_some(NotSent::ExtensionMissing(extension))
        };
        let too_large = self.capabilities.max_size().and_then(|maximum| {
            (transaction.size? > maximum).then_some(NotSent::TooLarge { maximum }) // RFC 1870 7
        });
        // RFC 6152 3, RFC 3030 3, RFC 6531 3.2: none of these may be sent unasked.
        let reason = too_large
            .or_else(|| {
                missing(
                    transaction.body == Some(BodyType::EightBitMime),
                    Extension::EightBitMime,
                )
            })
            .or_else(|| {
                missing(
                    transaction.body == Some(BodyType::BinaryMime),
                    Extension::BinaryMime,
                )
            })
            .or_else(|| missing(transaction.internationalized, Extension::SmtpUtf8));
        if let Some(reason) = reason {
            self.abandon(id, reason);
        }
    }

    /// Accounts for the answer to one of the commands that lead to a verdict.
    fn on_step<'i>(&mut self, expected: Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let id = expected.transaction;
        let transaction = self.transactions.get_mut(id)?;
        transaction.pending = transaction.pending.saturating_sub(1);
        let mut event = None;
        match expected.verb {
            Verb::Mail => transaction.answer_mail(reply),
            Verb::Recipient => {
                transaction.answer_recipient(&reply);
                // Of a refused sender, the refusal tells; the recipients' 503 tell nothing.
                if transaction.mail == Answer::Accepted {
                    let (message, recipient) = (transaction.message(), expected.recipient as usize);
                    event = Some(Event::Recipient {
                        message,
                        recipient,
                        reply,
                    });
                }
            }
            Verb::Data if reply.class() == Class::Intermediate => {
                let gone = transaction.not_sent.is_some() || transaction.mail == Answer::Refused;
                if transaction.accepted == 0 {
                    transaction.stage = Stage::LoneDot;
                } else if !gone {
                    transaction.stage = Stage::Content;
                } else {
                    // A dot now would have the server deliver an empty message, to somebody, from
                    // somebody (measured with Postfix and Exim).
                    let fault = match transaction.not_sent {
                        Some(_) => Fault::ContentAbandoned,
                        None => Fault::RefusedTransactionContinued,
                    };
                    self.fail(fault, reply.as_bytes());
                    return None;
                }
            }
            Verb::Data => {
                transaction.refuse(reply);
                transaction.stage = Stage::Over;
            }
            Verb::LoneDot => {}
            _ if !reply.is_positive() => transaction.refuse(reply),
            _ if transaction.is_refused() => {
                self.fail(Fault::RefusedTransactionContinued, reply.as_bytes());
                return None;
            }
            _ => {}
        }
        self.conclude(id);
        event
    }

    /// Accounts for the answer to the end of a message.
    fn on_verdict<'i>(&mut self, id: TransactionId, reply: Reply<'i>) -> Option<Event<'i>> {
        let transaction = self.transactions.get_mut(id)?;
        let refused = transaction.is_refused();
        if reply.is_positive() && refused {
            // Whatever was accepted, it was not this envelope: the outcome stays in doubt.
            self.fail(Fault::RefusedTransactionContinued, reply.as_bytes());
            return None;
        }
        transaction.pending = transaction.pending.saturating_sub(1);
        transaction.in_doubt = false;
        transaction.content_begun = false;
        self.open_contents = self.open_contents.saturating_sub(1);
        let outcome = if reply.is_positive() {
            if self.begun == id {
                self.reset_due = false;
            }
            Outcome::Delivered(reply)
        } else if refused {
            transaction.take_outcome()
        } else {
            Outcome::Refused(reply)
        };
        Some(self.finish(id, outcome))
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let answered = self.pipeline.front().copied();
        let awaited = self.awaited().is_some();
        let mut event = None;
        match answered.map(|expected| (expected.verb, expected.transaction)) {
            Some((Verb::Connect | Verb::Ehlo | Verb::Helo, _)) => {
                for id in self.transactions.ids() {
                    self.abandon(id, NotSent::SessionRefused(reply.clone().into_owned()));
                }
            }
            Some((Verb::Quit, _)) => {
                self.close();
                return None;
            }
            Some((Verb::Content | Verb::LastChunk, id)) if awaited => {
                self.fail(Fault::Closing, reply.as_bytes());
                event = self.on_verdict(id, reply);
                return event;
            }
            Some((Verb::Reset, _)) | None => {}
            Some((_, id)) => {
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.refuse(reply.clone());
                }
            }
        }
        self.fail(Fault::Closing, reply.as_bytes());
        event
    }

    /// Accounts for a reply that answers nothing.
    fn on_surplus(&mut self, reply: Reply<'_>) {
        let content = self
            .wire
            .content()
            .and_then(|id| self.transactions.get_mut(id));
        if let Some(transaction) = content
            && !reply.is_positive()
        {
            // The server does not want the rest. It cannot be told that there is none.
            transaction.refuse(reply.clone());
            self.fail(Fault::ContentAbandoned, reply.as_bytes());
        } else {
            self.fail(Fault::SurplusReply, reply.as_bytes());
        }
    }

    /// Accounts for the end of what can be read.
    fn on_end(&mut self, input: &[u8]) {
        let quit = matches!(
            self.pipeline.front(),
            Some(Expected {
                verb: Verb::Quit,
                ..
            })
        );
        if quit && self.transactions.unfinished() == 0 {
            self.close();
        } else if self.abandoned {
            self.fail(Fault::ContentAbandoned, &[]);
        } else if self.write_failed {
            self.fail(Fault::WriteFailed, &[]);
        } else {
            self.fail(Fault::ConnectionLost, input);
        }
    }

    fn restart_reply_deadline(&mut self, now: Duration) {
        self.reply_deadline.stop();
        self.start_reply_deadline(now);
    }

    /// Starts the timer of what is unanswered, unless it runs or nothing was sent.
    pub(super) fn start_reply_deadline(&mut self, now: Duration) {
        let Some(front) = self.pipeline.front() else {
            return;
        };
        if self.reply_deadline.is_running() || !self.wire.is_sent(front) {
            return;
        }
        let timer = match front.verb {
            Verb::Quit => Timer::Quit,
            verb => self.pipeline.patience().unwrap_or(verb.timer()),
        };
        self.reply_deadline
            .start(timer, self.config.timeouts.of(timer), now);
    }

    /// Returns the command whose reply may come: the oldest, if all of it was offered.
    fn awaited(&self) -> Option<&Expected> {
        self.pipeline
            .front()
            .filter(|front| self.wire.was_offered(front))
    }

    pub(super) fn can_submit(&self) -> bool {
        !self.is_ending() && self.transactions.unfinished() < self.config.queue
    }

    pub(super) fn is_idle(&self) -> bool {
        self.transactions.unfinished() == 0
    }

    fn is_ending(&self) -> bool {
        self.quitting || self.write_failed || self.eof || self.abandoned || self.is_over()
    }

    pub(super) fn is_over(&self) -> bool {
        self.failure.is_some() || self.phase == Phase::Closed
    }

    pub(super) fn wants_read(&self) -> bool {
        let known = self.ready_unreported || !self.decided.is_empty();
        !(known || self.has_stopped() || self.eof || self.is_over())
    }

    /// Tells whether nothing can be sent any more, and nothing is to be read.
    fn has_stopped(&self) -> bool {
        let unsent = || {
            !self
                .pipeline
                .front()
                .is_some_and(|front| self.wire.is_sent(front))
        };
        (self.abandoned && unsent()) || (self.write_failed && self.awaited().is_none())
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.reply_deadline.deadline(),
            self.write_deadline.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn shrink(&mut self) {
        self.transactions.shrink();
        self.pipeline.shrink();
        self.decided.shrink_to_fit();
    }

    /// Returns what the session is doing, as words.
    fn state(&self) -> &'static str {
        match self.pipeline.front() {
            Some(expected) if self.wire.was_offered(expected) => expected.verb.state(),
            _ if self.wire.content().is_some() => "sending content",
            Some(_) => "sending commands",
            None => "between messages",
        }
    }
}
