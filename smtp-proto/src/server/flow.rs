//! What is handled when, and what leaves when.

use core::time::Duration;

use super::config::ImproperPipelining;
use super::event::{Event, Ticket, TransactionId};
use super::pipeline::{Answer, Lookup, Question};
use super::refusals::is_tls;
use super::sequence::{Asked, Place, Waits};
use super::session::{Authentication, Security, Session, Step};
use super::terms::Offers;
use super::transaction::{Receiving, Transaction};
use super::{replies, sasl};
use crate::framing::{Slices, Transmit};
use crate::machine::{Error, Fault, ForeignProtocol, Misuse, Origin};
use crate::syntax::Extension;

impl Session {
    pub(super) fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.note_failed_write();
        let event = self.next_event(input, now);
        self.read_to_end = match &event {
            Ok(Some(event)) => matches!(event, Event::Closed),
            Ok(None) => self.read_to_end,
            Err(_) => true,
        };
        // Time that the application takes over an event is not the client's.
        if !matches!(event, Ok(Some(_))) {
            self.arm(now);
        }
        event
    }

    pub(super) fn transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.note_failed_write();
        self.arm(now);
        let mut slices = Slices::new();
        let pending = self.output.pending(&self.account);
        if !pending.is_empty() {
            slices.push(pending);
        }
        Transmit::new(slices, &mut self.account)
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.account.failed && self.greeting.is_none() && !self.eof && !self.is_blocked()
    }

    pub(super) fn next_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        if let Some(ticket) = self.greeting.take()
            && self.ending.is_none()
        {
            return Ok(Some(Event::Connected { ticket }));
        }
        loop {
            if self.ending.is_none() && !input.is_empty() {
                self.bytes_came(input);
            }
            if let Some(event) = self.owed_event() {
                return Ok(Some(event));
            }
            if self.ending.is_some() {
                *input = &[];
                return self.last_event();
            }
            let step = match self.receiving {
                _ if self.is_blocked() => Step::Starved,
                Receiving::Commands => self.next_command(input, now),
                Receiving::Data(_) | Receiving::Chunk { .. } => self.next_content(input, now),
            };
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Starved if self.eof && (self.is_for_tls() || !self.is_blocked()) => {
                    self.fail(Fault::ConnectionLost, &[]);
                }
                Step::Starved => return Ok(None),
            }
        }
    }

    /// Takes note that the client sent something.
    pub(super) fn bytes_came(&mut self, input: &[u8]) {
        self.bytes_before_tls(input);
        if self.ending.is_some() {
            return;
        }
        let settings = self.config.settings();
        let sent = self.account.sent_in_all();
        if sent > self.readable {
            self.readable = sent;
            self.round_trips = self.round_trips.saturating_add(1);
        }
        if self.receipts.bytes_came(sent)
            || settings.improper_pipelining == ImproperPipelining::Tolerate
            || self.opening
        {
            return;
        }
        // A client that begins with TLS waits for no greeting.
        let (reply, fault) = match sent {
            _ if !self.tally.understood && is_tls(input) => {
                let protocol = ForeignProtocol::Tls;
                (&replies::NOT_SMTP, Fault::ForeignProtocol(protocol))
            }
            0 => (&replies::EARLY, Fault::EarlyTalker),
            _ => (&replies::EARLY, Fault::ImproperPipelining),
        };
        self.say_goodbye(Answer::Fixed(reply));
        self.fail(fault, self.quotable(input));
    }

    /// Returns an event that is due whatever the client sends.
    pub(super) fn owed_event(&mut self) -> Option<Event<'static>> {
        if let Some((transaction, cause)) = self.reset_owed.take() {
            return Some(Event::Reset { transaction, cause });
        }
        if let Some(event) = self.next_delivery() {
            return Some(event);
        }
        let (accepted, certainty) = self.receipts.next_settled(self.account.sent_in_all())?;
        Some(accepted.acknowledged(certainty))
    }

    /// Tells whether no byte of the input can be taken now.
    pub(super) fn is_blocked(&self) -> bool {
        if self.ending.is_some() || matches!(self.security, Security::Starting { .. }) {
            return true;
        }
        let settings = self.config.settings();
        matches!(self.receiving, Receiving::Commands)
            && (self.pipeline.holding().is_some()
                || self.holds_reply_back()
                || !self.is_clear(self.waits)
                || self.pipeline.len() >= settings.max_unanswered_commands
                || self.account.backlog() >= settings.max_output as u64)
    }

    /// Tells whether the verdicts are in that a command waits for.
    pub(super) fn is_clear(&self, waits: Waits) -> bool {
        let transaction = self.transaction.as_ref();
        match waits {
            Waits::Nothing => true,
            Waits::Sender => transaction.is_none_or(Transaction::sender_is_decided),
            Waits::Envelope => {
                transaction.is_none_or(Transaction::envelope_is_decided)
                    && self.undecided < self.config.settings().max_undecided_messages
            }
            Waits::Everything => self.pipeline.open() == 0,
        }
    }

    /// Queues a command that the application answers.
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        transaction: TransactionId,
        place: Place,
        now: Duration,
    ) -> Ticket {
        let settings = self.config.settings();
        let time = match asked {
            Asked::Message | Asked::Delivery(_) => settings.message_verdict_timeout,
            _ => settings.verdict_timeout,
        };
        self.expect_wait(place);
        self.pipeline
            .ask(asked, transaction, now.saturating_add(time))
    }

    /// Queues a command that is answered already.
    pub(super) fn answer(&mut self, answer: Answer, place: Place) {
        self.expect_wait(place);
        self.pipeline.push(answer);
        self.depart();
    }

    pub(super) fn expect_wait(&mut self, place: Place) {
        if place == Place::Last || !self.may_pipeline() {
            self.receipts.expect_wait(self.pipeline.next_serial());
        }
    }

    /// Moves the replies whose turn it is to the output, unless they are held back for now.
    pub(super) fn depart(&mut self) {
        if !self.is_slowed_down() {
            self.depart_now();
        }
    }

    /// Moves the replies whose turn it is to the output.
    ///
    /// Every reply that a client gets passes here.
    pub(super) fn depart_now(&mut self) {
        let (output, account, receipts) = (&mut self.output, &mut self.account, &mut self.receipts);
        let (trace, round_trips) = (&mut self.trace, self.round_trips);
        while self.pipeline.depart(|reply| {
            if let Some(trace) = trace {
                trace.lines(Origin::Local, round_trips, reply.bytes);
            }
            output.push(reply.bytes, account);
            receipts.departed(reply.serial, account.queued(), reply.accepts);
        }) {}
    }

    /// Returns what a ticket answers, if it still can be answered.
    pub(super) fn question(&self, ticket: &Ticket) -> Result<Question, Misuse> {
        match self.pipeline.look_up(ticket) {
            Lookup::Open(question) => Ok(question),
            _ if self.mute => Err(Misuse::Ending),
            Lookup::Expired => Err(Misuse::Expired),
            Lookup::Unknown => Err(Misuse::UnknownTicket),
        }
    }

    /// Tells whether the client may send commands together.
    pub(super) fn may_pipeline(&self) -> bool {
        self.esmtp && self.capabilities().has(Extension::Pipelining)
    }

    /// Returns what an error may quote of bytes that came: no credentials (AUT-10).
    pub(super) fn quotable<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        match self.authentication {
            Authentication::Exchange => &[],
            _ => sasl::without_secret(
                input
                    .split_inclusive(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or(input),
            ),
        }
    }

    /// Returns what the client may ask for with MAIL and RCPT.
    pub(super) fn offers(&self) -> Offers<'_> {
        Offers {
            capabilities: self.capabilities(),
            max_message_size: self.settings().max_message_size,
            esmtp: self.esmtp,
            additions: &self.settings().additions,
        }
    }
}
