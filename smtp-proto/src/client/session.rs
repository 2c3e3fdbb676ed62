//! The account of a session: what was said, what was answered, and what that means.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
};
use core::time::Duration;

#[cfg(feature = "auth")]
use super::credentials::Authentication;
use super::{
    config::{Config, Tls},
    envelope::Envelope,
    event::{Cancellation, Event, MessageId, NotSent},
    parts::{Parts, Usage},
    pipeline::{Expected, Pipeline},
    queue::Transactions,
    replies::{LineEnd, ReplyReader},
    rules::{Level, Verb},
    transaction::{Stage, TransactionId},
    wire::Wire,
};
use crate::{
    framing::DotStuffer,
    machine::{Deadline, Error, Fault, Misuse, Timer, Trace},
    syntax::Capabilities,
};

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, not greeted.
    Connected,
    /// A command of the session's own is due: EHLO, HELO, LHLO, STARTTLS, AUTH.
    Due(Verb),
    /// It was sent.
    Asked,
    /// The TLS handshake is due.
    Handshake,
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
    /// Parts of messages whose outcomes are being reported, recipient by recipient.
    pub(super) reporting: VecDeque<TransactionId>,
    /// Messages that take several transactions.
    pub(super) parts: BTreeMap<u64, Parts>,
    pub(super) usage: Usage,
    /// What is reported once the session is closed, which the server refused.
    pub(super) refusal: Option<Box<Error>>,
    pub(super) ready_unreported: bool,
    closed_unreported: bool,
    eof: bool,
    pub(super) encrypted: bool,
    /// Commands were sent before EHLO was answered.
    pub(super) early: bool,
    #[cfg(feature = "auth")]
    pub(super) authentication: Authentication,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let mut session = Self {
            trace: config.trace.then(Box::default),
            phase: Phase::Handshake,
            capabilities: Capabilities::new(),
            level: Level::LockStep,
            transactions: Transactions::default(),
            pipeline: Pipeline::new(),
            wire: Wire::default(),
            stuffer: DotStuffer::new(config.line_breaks),
            open_contents: 0,
            reset_due: false,
            begun: 0,
            quitting: false,
            abandoned: false,
            write_failed: false,
            failure: None,
            reply_deadline: Deadline::default(),
            write_deadline: Deadline::default(),
            replies: ReplyReader::default(),
            submitted: 0,
            decided: VecDeque::new(),
            reporting: VecDeque::new(),
            parts: BTreeMap::new(),
            usage: Usage::default(),
            refusal: None,
            ready_unreported: false,
            closed_unreported: false,
            eof: false,
            encrypted: false,
            early: false,
            #[cfg(feature = "auth")]
            authentication: Authentication::default(),
            config,
        };
        if session.config.tls == Tls::Implicit {
            session.await_handshake(now);
        } else {
            session.await_greeting(now);
        }
        session
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
            self.split(id);
        }
        Ok(message)
    }

    pub(super) fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        let mut cancellation: Result<Cancellation, Misuse> = Err(Misuse::UnknownMessage);
        for id in self.transactions.ids() {
            let Some(transaction) = self.transactions.get(id) else {
                continue;
            };
            if transaction.message() != message || transaction.finished {
                continue;
            }
            let cost = match transaction.stage {
                Stage::Waiting => Cancellation::Unsent,
                Stage::Recipients(_) => Cancellation::Withdrawn,
                Stage::Data | Stage::Content | Stage::Chunks => Cancellation::EndsConnection,
                Stage::LoneDot | Stage::Over => {
                    cancellation = cancellation.or(Err(Misuse::TooLate));
                    continue;
                }
            };
            // Of a message in several parts, the dearest counts.
            cancellation = Ok(cancellation.map_or(cost, |other| other.max(cost)));
            self.abandon(id, NotSent::Cancelled);
        }
        cancellation
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
            if self.phase == Phase::Handshake {
                if input.is_empty() && !self.eof {
                    return Ok(None);
                }
                self.on_octets_before_tls(input);
                continue;
            }
            let line_end = match self.config.bare_lf_replies {
                true => LineEnd::BareLf,
                false => LineEnd::CrLf,
            };
            match self.replies.next(input, line_end) {
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
    pub(super) fn close(&mut self) {
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
            self.hand_on_deferred(id);
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
        loop {
            if let Some(event) = self.next_of_parts() {
                return Some(event);
            }
            let next = if ended {
                self.transactions.first_unfinished().map(|(id, _)| id)
            } else {
                self.decided.pop_front()
            };
            let Some(transaction) = next.and_then(|id| self.transactions.get_mut(id)) else {
                break;
            };
            let outcome = transaction.take_outcome();
            if let Some(event) = next.and_then(|id| self.finish(id, outcome)) {
                return Some(event);
            }
        }
        core::mem::take(&mut self.closed_unreported).then_some(Event::Closed)
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

    pub(super) fn restart_reply_deadline(&mut self, now: Duration) {
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
    pub(super) fn awaited(&self) -> Option<&Expected> {
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
        let known = self.ready_unreported || !self.decided.is_empty() || !self.reporting.is_empty();
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
        self.reporting.shrink_to_fit();
    }

    /// Returns what the session is doing, as words.
    pub(super) fn state(&self) -> &'static str {
        match self.pipeline.front() {
            Some(expected) if self.wire.was_offered(expected) => expected.verb.state(),
            _ if self.wire.content().is_some() => "sending content",
            Some(_) => "sending commands",
            None => "between messages",
        }
    }
}
