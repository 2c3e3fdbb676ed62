//! Replies on their way to the client, and what is known of their arrival.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Certainty, Event};
use super::question::Accepted;
use super::tickets::Departure;
use crate::framing::{Progress, Slices, Transmit};
use crate::machine::{Deadline, Timer, limits};

/// Holds the bytes that are not written yet, and what is known of those that are.
#[derive(Debug)]
pub(super) struct Departures {
    bytes: Vec<u8>,
    /// How many bytes of the session stand before the first of these.
    start: u64,
    account: Account,
    receipts: Receipts,
    /// Whether nothing is sent any more.
    is_silent: bool,
    /// How many times the client sent something after it could read something.
    round_trips: u64,
    /// How much the client could have read when it sent something last.
    readable: u64,
}

/// Whether the client may send what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may: there is nothing that it has to read first.
    Free,
    /// It may, as it has read what it had to, which is known now (2920-3.1-d).
    Due,
    /// It has not even been greeted.
    BeforeGreeting,
    /// It cannot have read the reply that it has to wait for.
    Improper,
}

impl Departures {
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            account: Account {
                queued: 0,
                sent: 0,
                timer: Deadline::default(),
                timeout: write_timeout,
                has_failed: false,
            },
            receipts: Receipts::default(),
            is_silent: false,
            round_trips: 0,
            readable: 0,
        }
    }

    /// Appends a reply.
    pub(super) fn push(&mut self, reply: &Departure) {
        let bytes = reply.answer.as_bytes();
        // What was sent goes once it is more than what was not: each byte is moved once at most.
        let sent = self.sent_here();
        if sent > self.bytes.len() / 2 {
            self.bytes.drain(..sent);
            self.start = self.account.sent;
        }
        self.bytes.extend_from_slice(bytes);
        let account = &mut self.account;
        account.queued = account.queued.saturating_add(bytes.len() as u64);
        self.receipts
            .departed(reply.serial, account.queued, reply.accepts);
    }

    /// Returns what is to be written next.
    pub(super) fn transmit(&mut self) -> Option<Transmit<'_>> {
        let sent = self.sent_here();
        let mut slices = Slices::new();
        match self.bytes.get(sent..) {
            // All of it in one (2920-3.2-b).
            Some(pending) if !pending.is_empty() => slices.push(pending),
            _ => {}
        }
        Transmit::new(slices, &mut self.account)
    }

    /// Returns whether a transmission failed.
    pub(super) fn has_failed(&self) -> bool {
        self.account.has_failed
    }

    /// Sends nothing any more.
    pub(super) fn silence(&mut self) {
        self.is_silent = true;
        self.bytes = Vec::new();
        self.account.timer.stop();
    }

    /// Returns whether nothing is sent any more.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Returns how many bytes were queued since the session began.
    pub(super) fn queued(&self) -> u64 {
        self.account.queued
    }

    /// Returns how many bytes the transport took since the session began.
    pub(super) fn sent(&self) -> u64 {
        self.account.sent
    }

    /// Returns how many bytes wait to be written.
    pub(super) fn backlog(&self) -> u64 {
        self.account.backlog()
    }

    /// Takes back what was queued after that many bytes of the session; returns whether none of
    /// it was written.
    pub(super) fn take_back(&mut self, kept: u64) -> bool {
        let Some(after) = kept.checked_sub(self.account.sent) else {
            return false;
        };
        let length = usize::try_from(after).unwrap_or(usize::MAX);
        self.bytes.truncate(self.sent_here().saturating_add(length));
        self.account.queued = self.account.queued.min(kept);
        true
    }

    /// Takes note that the client must not send on before the reply to the command of that serial
    /// number.
    pub(super) fn expect_wait(&mut self, serial: u64) {
        self.receipts.checkpoint = Checkpoint::Unanswered(serial, Turn::Improper);
    }

    /// Takes note that the client reads the reply to the command of that serial number before it sends
    /// on, unless it has done so already.
    pub(super) fn expect_reading(&mut self, serial: u64) {
        self.receipts.checkpoint = Checkpoint::Unanswered(serial, Turn::Free);
    }

    /// Takes note that the client sent something, which may prove that it has read something.
    pub(super) fn bytes_came(&mut self) -> Turn {
        let sent = self.account.sent;
        // Bytes that come without anything new to read belong to the flight before.
        if sent > self.readable {
            self.readable = sent;
            self.round_trips = self.round_trips.saturating_add(1);
        }
        self.receipts.bytes_came(sent)
    }

    /// Takes note that the client sent QUIT.
    pub(super) fn quit_came(&mut self) {
        // It may have been sent before those replies were read (2920-3.1-c lets QUIT end a group), but a
        // client that takes its leave means to read them.
        self.receipts.probable = self.account.sent;
    }

    /// Takes note of a message whose reply will not even be queued.
    pub(super) fn unsent(&mut self, accepted: Accepted) {
        // At a place that is never reached.
        self.receipts.messages.push_back((accepted, u64::MAX));
    }

    /// Returns what is to be told of the next message of which no more needs to be known, or can be
    /// remembered.
    pub(super) fn next_settled(&mut self) -> Option<Event<'static>> {
        let (_, end) = self.receipts.messages.front()?;
        // A stream never waits for a reply, and so confirms nothing: what is remembered has to end somewhere.
        let is_full = self.receipts.messages.len() > limits::UNCONFIRMED_MESSAGES;
        if *end <= self.receipts.confirmed || is_full {
            return self.next_of_all();
        }
        None
    }

    /// Returns what is to be told of the next message at the end of the session.
    pub(super) fn next_of_all(&mut self) -> Option<Event<'static>> {
        let (accepted, certainty) = self.receipts.next(self.account.sent)?;
        let transaction = accepted.transaction;
        Some(match accepted.recipient {
            None => Event::Acknowledged {
                transaction,
                certainty,
            },
            Some(recipient) => Event::DeliveryAcknowledged {
                transaction,
                recipient: recipient as usize,
                certainty,
            },
        })
    }

    /// Returns how many times the client sent something after it could read something.
    pub(super) fn round_trips(&self) -> u64 {
        self.round_trips
    }

    /// Starts the timer if bytes wait and none runs.
    pub(super) fn arm(&mut self, now: Duration) {
        if !self.is_silent {
            self.account.arm(now);
        }
    }

    /// Returns when the client has to have read something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.account.timer.deadline()
    }

    /// Returns the timer that has fired.
    pub(super) fn expired(&mut self, now: Duration) -> Option<Timer> {
        self.account.timer.expired(now)
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        let sent = self.sent_here();
        self.bytes.drain(..sent);
        self.start = self.account.sent;
        self.bytes.shrink_to_fit();
        self.receipts.messages.shrink_to_fit();
    }

    /// Returns how many of the bytes that are held were sent.
    fn sent_here(&self) -> usize {
        let sent = self.account.sent.saturating_sub(self.start);
        let sent = usize::try_from(sent).unwrap_or(usize::MAX);
        sent.min(self.bytes.len())
    }
}

/// Keeps count of what was queued and what the transport took.
#[derive(Debug)]
struct Account {
    /// How many bytes were queued since the session began.
    queued: u64,
    /// How many of them the transport took.
    sent: u64,
    timer: Deadline,
    timeout: Duration,
    has_failed: bool,
}

impl Account {
    fn backlog(&self) -> u64 {
        self.queued.saturating_sub(self.sent)
    }

    fn arm(&mut self, now: Duration) {
        if self.backlog() == 0 {
            self.timer.stop();
        } else if !self.timer.is_running() {
            self.timer.start(Timer::Write, self.timeout, now);
        }
    }
}

impl Progress for Account {
    fn wrote(&mut self, bytes: usize, _slices: &[&[u8]], now: Duration) -> usize {
        self.sent = self.sent.saturating_add(bytes as u64).min(self.queued);
        self.timer.stop();
        self.arm(now);
        0
    }

    fn blocked(&mut self, now: Duration) {
        self.arm(now);
    }

    fn failed(&mut self) {
        self.has_failed = true;
    }
}

/// Watches for signs that the replies that accept messages arrived.
///
/// Positions count bytes of output from the beginning of the session.
#[derive(Debug, Default)]
struct Receipts {
    /// Accepted messages, and where the bytes of their replies end, in order.
    messages: VecDeque<(Accepted, u64)>,
    /// Up to where the client has read for certain.
    confirmed: u64,
    /// Up to where the transport had taken replies when QUIT came.
    probable: u64,
    checkpoint: Checkpoint,
}

/// The reply that a client has to read before it may send on, and what bytes are that come before the
/// transport has taken it.
#[derive(Clone, Copy, Debug, Default)]
enum Checkpoint {
    /// There is none.
    #[default]
    Clear,
    /// That to the command of this serial number, which is not in the output yet.
    Unanswered(u64, Turn),
    /// The one that ends here in the output.
    Answered(u64, Turn),
}

impl Receipts {
    /// Takes note of where the reply to that command ends, and which message it accepts.
    fn departed(&mut self, serial: u64, end: u64, accepted: Option<Accepted>) {
        if let Checkpoint::Unanswered(expected, early) = self.checkpoint
            && expected == serial
        {
            self.checkpoint = Checkpoint::Answered(end, early);
        }
        if let Some(accepted) = accepted {
            self.messages.push_back((accepted, end));
        }
    }

    /// Takes note that bytes came, when the transport had taken `sent`; returns whether they may.
    fn bytes_came(&mut self, sent: u64) -> Turn {
        // One checkpoint is enough: a later command sets another only once bytes have come, which settles
        // this one.
        match core::mem::take(&mut self.checkpoint) {
            Checkpoint::Clear => Turn::Free,
            Checkpoint::Answered(end, _) if end <= sent => {
                self.confirmed = end;
                Turn::Due
            }
            Checkpoint::Answered(..) | Checkpoint::Unanswered(..) if sent == 0 => {
                Turn::BeforeGreeting
            }
            Checkpoint::Answered(_, early) | Checkpoint::Unanswered(_, early) => early,
        }
    }

    /// Returns the next message, and what is known of its reply when the transport took `sent`.
    fn next(&mut self, sent: u64) -> Option<(Accepted, Certainty)> {
        let (accepted, end) = self.messages.pop_front()?;
        let certainty = if end <= self.confirmed {
            Certainty::Confirmed
        } else if end <= self.probable {
            Certainty::Probable
        } else if end <= sent {
            Certainty::Sent
        } else {
            Certainty::Unsent
        };
        Some((accepted, certainty))
    }
}
