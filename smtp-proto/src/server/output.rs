//! Replies on their way to the client, and what is known of their arrival.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::event::Certainty;
use super::pipeline::Accepted;
use crate::framing::Progress;
use crate::machine::{Deadline, Timer, limits};

/// Holds the bytes that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// How many bytes of the session stand before the first of these.
    start: u64,
}

impl Output {
    /// Appends the bytes of a reply.
    pub(super) fn push(&mut self, reply: &[u8], account: &mut Account) {
        self.drop_sent(account);
        self.bytes.extend_from_slice(reply);
        account.queued = account.queued.saturating_add(reply.len() as u64);
    }

    /// Returns what is to be written next.
    pub(super) fn pending(&self, account: &Account) -> &[u8] {
        self.bytes.get(self.sent(account)..).unwrap_or_default()
    }

    /// Forgets everything that is not written.
    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
    }

    /// Takes back what was queued after that many bytes of the session; returns whether none of
    /// it was written.
    pub(super) fn take_back(&mut self, kept: u64, account: &mut Account) -> bool {
        let Some(after) = kept.checked_sub(account.sent) else {
            return false;
        };
        let length = usize::try_from(after).unwrap_or(usize::MAX);
        self.bytes
            .truncate(self.sent(account).saturating_add(length));
        account.queued = account.queued.min(kept);
        true
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self, account: &Account) {
        let sent = self.sent(account).min(self.bytes.len());
        self.bytes.drain(..sent);
        self.start = account.sent;
        self.bytes.shrink_to_fit();
    }

    fn sent(&self, account: &Account) -> usize {
        usize::try_from(account.sent.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }

    /// Drops what was sent, once it is more than what was not: each byte is moved once at most.
    fn drop_sent(&mut self, account: &Account) {
        let sent = self.sent(account).min(self.bytes.len());
        if sent > self.bytes.len() / 2 {
            self.bytes.drain(..sent);
            self.start = account.sent;
        }
    }
}

/// Keeps count of what was queued and what the transport took.
#[derive(Debug)]
pub(super) struct Account {
    /// How many bytes were queued since the session began.
    queued: u64,
    /// How many of them the transport took.
    sent: u64,
    pub(super) timer: Deadline,
    timeout: Duration,
    /// A transmission failed.
    pub(super) failed: bool,
}

impl Account {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            queued: 0,
            sent: 0,
            timer: Deadline::default(),
            timeout,
            failed: false,
        }
    }

    /// Returns how many bytes were queued since the session began.
    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    /// Returns how many bytes the transport took since the session began.
    pub(super) fn sent_in_all(&self) -> u64 {
        self.sent
    }

    /// Returns how many bytes wait to be written.
    pub(super) fn backlog(&self) -> u64 {
        self.queued.saturating_sub(self.sent)
    }

    /// Starts the timer if bytes wait and none runs.
    pub(super) fn arm(&mut self, now: Duration) {
        if self.backlog() == 0 {
            self.timer.stop();
        } else if !self.timer.is_running() {
            self.timer.start(Timer::Write, self.timeout, now);
        }
    }
}

impl Progress for Account {
    fn wrote(&mut self, bytes: usize, _slices: &[&[u8]], now: Duration) -> usize {
        if bytes > 0 {
            self.sent = self.sent.saturating_add(bytes as u64).min(self.queued);
            self.timer.stop();
            self.arm(now);
        }
        0
    }

    fn blocked(&mut self, _now: Duration) {}

    fn failed(&mut self) {
        self.failed = true;
    }
}

/// Watches for signs that the replies that accept messages arrived.
///
/// Positions count bytes of output from the beginning of the session.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// Accepted messages, and where the bytes of their replies end, in order.
    messages: VecDeque<(Accepted, u64)>,
    /// Up to where the client has read for certain.
    confirmed: u64,
    /// Up to where the transport had taken replies when QUIT came.
    probable: u64,
    checkpoint: Checkpoint,
}

/// The reply that a client has to read before it may send on.
#[derive(Clone, Copy, Debug, Default)]
enum Checkpoint {
    /// There is none.
    #[default]
    Clear,
    /// That to the command of this serial number, which is not in the output yet.
    Unanswered(u64),
    /// The one that ends here in the output.
    Answered(u64),
}

impl Receipts {
    /// Takes note that the client must not send on before the reply to that command.
    pub(super) fn expect_wait(&mut self, serial: u64) {
        self.checkpoint = Checkpoint::Unanswered(serial);
    }

    /// Takes note of where the reply to that command ends, and which message it accepts.
    pub(super) fn departed(&mut self, serial: u64, end: u64, accepted: Option<Accepted>) {
        if let Checkpoint::Unanswered(expected) = self.checkpoint
            && expected == serial
        {
            self.checkpoint = Checkpoint::Answered(end);
        }
        if let Some(accepted) = accepted {
            self.messages.push_back((accepted, end));
        }
    }

    /// Takes note of a message whose reply will not even be queued.
    pub(super) fn unsent(&mut self, accepted: Accepted) {
        self.messages.push_back((accepted, u64::MAX));
    }

    /// Takes note that bytes came, when the transport had taken `sent`.
    ///
    /// Returns whether they may come now. If so, they prove that the client has read what it had
    /// to wait for.
    pub(super) fn bytes_came(&mut self, sent: u64) -> bool {
        match core::mem::take(&mut self.checkpoint) {
            Checkpoint::Clear => true,
            Checkpoint::Answered(end) if end <= sent => {
                self.confirmed = end;
                true
            }
            Checkpoint::Answered(_) | Checkpoint::Unanswered(_) => false,
        }
    }

    /// Takes note that QUIT came, when the transport had taken `sent`.
    pub(super) fn quit_came(&mut self, sent: u64) {
        self.probable = sent;
    }

    /// Returns the next message of which no more needs to be known, or can be remembered.
    pub(super) fn next_settled(&mut self, sent: u64) -> Option<(Accepted, Certainty)> {
        let (_, end) = self.messages.front()?;
        if *end <= self.confirmed || self.messages.len() > limits::UNCONFIRMED_MESSAGES {
            return self.next_of_all(sent);
        }
        None
    }

    /// Returns the next message, and what is known of its reply when the transport took `sent`.
    pub(super) fn next_of_all(&mut self, sent: u64) -> Option<(Accepted, Certainty)> {
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

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.messages.shrink_to_fit();
    }
}
