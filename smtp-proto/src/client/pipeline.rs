//! The replies that are outstanding, in order, and the match of each to its command by count
//! (RFC 2920 3.1).

use alloc::collections::VecDeque;

use super::{
    config::Duplex,
    rules::{Level, Verb},
    transaction::TransactionId,
};
use crate::machine::Timer;

/// A reply that is outstanding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) verb: Verb,
    /// Whose command it was; meaningless for the session's own.
    pub(super) transaction: TransactionId,
    /// Which recipient RCPT was for.
    pub(super) recipient: u32,
    /// Where in the stream of control bytes the command ends.
    pub(super) end: u64,
    /// How many bytes the command has.
    pub(super) bytes: u32,
    /// How many round trips had been made when the command was rendered.
    pub(super) round_trips: u32,
}

impl Expected {
    /// The reply to a command of the session's own.
    pub(super) fn session(verb: Verb, end: u64, bytes: u32) -> Self {
        Self {
            verb,
            transaction: 0,
            recipient: 0,
            end,
            bytes,
            round_trips: 0,
        }
    }
}

/// The replies that are outstanding, in order.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    expected: VecDeque<Expected>,
    /// How many bytes of commands are unanswered.
    bytes: usize,
    /// The most patient timer of the commands that were sent since nothing was unanswered.
    patience: Option<Timer>,
    /// The longest chain of commands that each waited for the reply to the one before.
    round_trips: u32,
}

impl Pipeline {
    /// Returns a pipeline with room for the greeting, which may be all that an idle client waits for.
    pub(super) fn new() -> Self {
        Self {
            expected: VecDeque::with_capacity(1),
            ..Self::default()
        }
    }

    /// Expects one more reply.
    pub(super) fn push(&mut self, mut expected: Expected) {
        expected.round_trips = self.round_trips;
        self.bytes = self.bytes.saturating_add(expected.bytes as usize);
        let timer = expected.verb.timer();
        // Timers in a group are not defined: the largest minimum counts.
        if self
            .patience
            .is_none_or(|patience| rank(patience) < rank(timer))
        {
            self.patience = Some(timer);
        }
        self.expected.push_back(expected);
    }

    /// Takes the expectation that a reply has met.
    pub(super) fn pop(&mut self) -> Option<Expected> {
        let expected = self.expected.pop_front()?;
        self.bytes = self.bytes.saturating_sub(expected.bytes as usize);
        self.round_trips = self.round_trips.max(expected.round_trips.saturating_add(1));
        if self.expected.is_empty() {
            self.patience = None;
        }
        Some(expected)
    }

    pub(super) fn clear(&mut self) {
        self.expected.clear();
        self.bytes = 0;
        self.patience = None;
    }

    pub(super) fn shrink(&mut self) {
        self.expected.shrink_to_fit();
    }

    pub(super) fn front(&self) -> Option<&Expected> {
        self.expected.front()
    }

    /// Tells whether a command may be sent at `level`, by what is unanswered.
    pub(super) fn may_send(&self, level: Level) -> bool {
        self.expected
            .back()
            .is_none_or(|last| last.verb.may_be_followed(level))
    }

    /// Tells whether the last command that is unanswered belongs to the opening of a session.
    pub(super) fn is_opening(&self) -> bool {
        let last = self.expected.back().map(|last| last.verb);
        matches!(last, Some(Verb::Connect | Verb::Ehlo))
    }

    /// Tells whether a peer that is not being read could still answer all that is unanswered, and a
    /// command of so many bytes more.
    pub(super) fn has_room(&self, duplex: Duplex, command: usize) -> bool {
        match duplex {
            _ if self.expected.is_empty() => true,
            Duplex::Full => true,
            Duplex::Half { bytes, replies } => {
                self.bytes.saturating_add(command) <= bytes && self.expected.len() < replies
            }
        }
    }

    pub(super) fn patience(&self) -> Option<Timer> {
        self.patience
    }

    pub(super) fn round_trips(&self) -> u64 {
        u64::from(self.round_trips)
    }
}

/// Orders the timers of replies by RFC 5321 4.5.3.2.
fn rank(timer: Timer) -> u8 {
    match timer {
        Timer::DataTermination => 3,
        Timer::Greeting | Timer::Command => 2,
        Timer::DataInitiation => 1,
        _ => 0,
    }
}
