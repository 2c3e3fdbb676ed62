//! The account of a session: what was said, what was answered, and what that means.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
};
use core::time::Duration;

use super::{
    config::{Config, Tls},
    envelope::Envelope,
    event::{BodyRequest, Event, MessageId},
    own_queue::OwnCommands,
    parts::{Parts, Usage},
    pipeline::{Expected, Pipeline},
    queue::Transactions,
    replies::{LineEnd, ReplyReader},
    rules::{Level, Verb},
    transaction::TransactionId,
    wire::Wire,
};
use crate::{
    framing::DotStuffer,
    machine::{Deadline, Error, Misuse, Trace},
    syntax::Capabilities,
};
#[cfg(feature = "auth")]
use crate::{machine::TlsInfo, sasl::Attempts};

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

/// Everything of a client but the bytes it wants written.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) capabilities: Capabilities,
    pub(super) level: Level,
    pub(super) transactions: Transactions,
    pub(super) own_commands: OwnCommands,
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
    pub(super) submitted: u64,
    /// Transactions whose outcome is known and not reported.
    pub(super) decided: VecDeque<TransactionId>,
    /// Parts of messages whose outcomes are being reported, recipient by recipient.
    pub(super) reporting: VecDeque<TransactionId>,
    /// Messages that take several transactions.
    pub(super) parts: BTreeMap<u64, Parts>,
    pub(super) usage: Usage,
    /// What is reported once the session is closed, which the server refused.
    pub(super) refusal: Option<Box<Error>>,
    pub(super) ready_unreported: bool,
    pub(super) closed_unreported: bool,
    pub(super) eof: bool,
    /// The last event, or the error, has been read.
    read_to_end: bool,
    pub(super) encrypted: bool,
    /// What the handshake came to.
    #[cfg(feature = "auth")]
    pub(super) tls: Option<Box<TlsInfo>>,
    /// Commands were sent before EHLO was answered.
    pub(super) early: bool,
    #[cfg(feature = "auth")]
    pub(super) authentication: Option<Box<Attempts>>,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let mut session = Self {
            trace: config.trace.then(Box::default),
            phase: Phase::Handshake,
            capabilities: Capabilities::new(),
            level: Level::LockStep,
            transactions: Transactions::default(),
            own_commands: OwnCommands::default(),
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
            read_to_end: false,
            encrypted: false,
            #[cfg(feature = "auth")]
            tls: None,
            early: false,
            #[cfg(feature = "auth")]
            authentication: None,
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

    pub(super) fn quit(&mut self) {
        self.quitting = true;
    }

    pub(super) fn handle_eof(&mut self) {
        self.eof = true;
    }

    pub(super) fn write_failed(&mut self) {
        self.write_failed = true;
        self.write_deadline.stop();
    }

    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            if let Some(event) = self.next_known() {
                self.read_to_end = event == Event::Closed;
                return Ok(Some(event));
            }
            if let Some(error) = &self.failure {
                self.read_to_end = true;
                return Err(Error::clone(error));
            }
            if self.phase == Phase::Closed {
                return Ok(None);
            }
            if self.phase == Phase::Handshake {
                if input.is_empty() && !self.eof {
                    return Ok(None);
                }
                self.on_bytes_before_tls(input);
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
                Err((fault, bytes)) => self.fail(fault, bytes),
            }
        }
    }

    /// Returns the next event that no reply is needed for.
    fn next_known(&mut self) -> Option<Event<'static>> {
        if core::mem::take(&mut self.ready_unreported) {
            return Some(Event::Ready);
        }
        let ended = self.is_over();
        if ended && let Some(command) = self.own_commands.next_unanswered() {
            return Some(Event::Unanswered { command });
        }
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

    /// Returns the command whose reply may come: the oldest, if all of it was offered, and not taken
    /// back.
    pub(super) fn awaited(&self) -> Option<&Expected> {
        // Only a message whose end is under way can have its verdict (REP-6).
        let is_under_way = |front: &Expected| match front.verb {
            Verb::Content | Verb::LastChunk | Verb::RecipientContent => self
                .transactions
                .get(front.transaction)
                .is_some_and(|transaction| transaction.in_doubt),
            _ => self.wire.was_offered(front),
        };
        self.pipeline.front().filter(|front| is_under_way(front))
    }

    pub(super) fn can_submit(&self) -> bool {
        !self.is_ending() && self.transactions.unfinished() < self.config.queue
    }

    pub(super) fn is_idle(&self) -> bool {
        self.transactions.unfinished() == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.read_to_end
    }

    pub(super) fn body_request(&self) -> Option<BodyRequest> {
        let (_, transaction) = self.wanted()?;
        Some(BodyRequest {
            message: transaction.message(),
            offset: transaction.content_bytes,
        })
    }

    pub(super) fn wants_read(&self) -> bool {
        let known = self.ready_unreported || !self.decided.is_empty() || !self.reporting.is_empty();
        !(known || self.has_stopped() || self.eof || self.is_over())
    }

    pub(super) fn shrink(&mut self) {
        self.transactions.shrink();
        self.own_commands.shrink();
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
