//! The replies that are outstanding, in order, and the match of each to its command by count
//! (RFC 2920 3.1).

use super::{
    action::Said,
    config::Duplex,
    queue::Queue,
    steps::Steps,
    table::{Level, Verb},
    transaction::TransactionId,
};
use crate::{
    machine::{Timer, limits},
    syntax::Code,
};

/// A command whose reply is outstanding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    pub(super) verb: Verb,
    /// Whose command it was; meaningless for the session's own.
    pub(super) transaction: TransactionId,
    /// Which of the transaction's recipients it was for.
    pub(super) recipient: u32,
    /// Where in the stream of bytes the command ends, its content included.
    end: u64,
    /// How many bytes the command has, content apart.
    bytes: u32,
    /// How many round trips had been made when the command was rendered.
    round_trips: u32,
}

impl Expected {
    /// Returns the command.
    pub(super) fn said(&self) -> Said {
        Said::of(self.verb, self.transaction, self.recipient)
    }
}

/// What a reply is.
#[derive(Debug)]
pub(super) enum Settled {
    /// The answer to this command.
    Answers(Expected),
    /// The answer to nothing that was offered to the transport.
    Surplus,
    /// No answer that this command can have.
    Impossible(Verb),
}

/// The replies that are outstanding, in order.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    expected: Queue<Expected>,
    /// The verb of the last of them.
    last: Option<Verb>,
    /// How many bytes of commands are unanswered.
    bytes: usize,
    /// How many chunks are unanswered, last ones apart.
    chunks: usize,
    /// What was sent since nothing was unanswered.
    steps: Steps,
    /// The longest chain of commands that each waited for the reply to the one before.
    round_trips: u32,
}

impl Outstanding {
    /// Expects the reply to a command, which ends there in the stream of bytes.
    // Done for every command: to call it costs more than it does.
    #[inline(always)]
    pub(super) fn expect(&mut self, said: Said, end: u64, bytes: usize) {
        let Said {
            verb,
            transaction,
            recipient,
        } = said;
        self.bytes = self.bytes.saturating_add(bytes);
        if verb == Verb::Chunk {
            self.chunks = self.chunks.saturating_add(1);
        }
        self.steps.insert(verb);
        self.last = Some(verb);
        let (bytes, round_trips) = (u32::try_from(bytes).unwrap_or(u32::MAX), self.round_trips);
        self.expected.push(|expected| {
            *expected = Expected {
                verb,
                transaction,
                recipient,
                end,
                bytes,
                round_trips,
            };
        });
    }

    /// Matches a reply with the command that it answers: the oldest, if that can be answered so and
    /// all of it was `offered` to the transport and not taken back.
    pub(super) fn settle(&mut self, code: Code, offered: u64) -> Settled {
        let Some(&oldest) = self.expected.first().filter(|oldest| oldest.end <= offered) else {
            return Settled::Surplus;
        };
        if !oldest.verb.may_be_answered(code) {
            return Settled::Impossible(oldest.verb);
        }
        self.expected.pop();
        self.bytes = self.bytes.saturating_sub(oldest.bytes as usize);
        if oldest.verb == Verb::Chunk {
            self.chunks = self.chunks.saturating_sub(1);
        }
        self.round_trips = self.round_trips.max(oldest.round_trips.saturating_add(1));
        if self.expected.is_empty() {
            (self.last, self.steps) = (None, Steps::default());
        }
        Settled::Answers(oldest)
    }

    /// Returns the verb whose reply may come, as all of the command was offered to the transport.
    pub(super) fn awaited(&self, offered: u64) -> Option<Verb> {
        let oldest = self.expected.first()?;
        (oldest.end <= offered).then_some(oldest.verb)
    }

    /// Returns the verb of the oldest command without a reply, offered or not.
    pub(super) fn oldest(&self) -> Option<Verb> {
        self.expected.first().map(|oldest| oldest.verb)
    }

    /// Forgets all, as no reply is read any more, and names each message whose end was offered.
    pub(super) fn give_up(&mut self, offered: u64, mut in_doubt: impl FnMut(TransactionId)) {
        for (_, expected) in self.expected.iter() {
            if expected.verb.is_end_of_message() && expected.end <= offered {
                in_doubt(expected.transaction);
            }
        }
        self.expected.clear();
        (self.bytes, self.chunks) = (0, 0);
        (self.last, self.steps) = (None, Steps::default());
    }

    /// Returns whether a command may be sent at `level`, by what is unanswered.
    pub(super) fn may_send(&self, level: Level) -> bool {
        self.last.is_none_or(|last| last.may_be_followed(level))
    }

    /// Returns whether the last command that is unanswered belongs to the opening of a session.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.last, Some(Verb::Connect | Verb::Ehlo))
    }

    /// Returns whether one more command of so many bytes may be unanswered.
    ///
    /// A peer that is not being read must be able to answer all of it (RFC 2920 3.1). One that never
    /// answers must not make the list grow with its content, either.
    pub(super) fn has_room(&self, duplex: Duplex, bytes: usize) -> bool {
        match duplex {
            _ if self.expected.is_empty() => true,
            Duplex::Full => self.chunks < limits::UNANSWERED_CHUNKS,
            Duplex::Half {
                bytes: most,
                replies,
            } => self.bytes.saturating_add(bytes) <= most && self.expected.len() < replies,
        }
    }

    /// Returns the timer for the reply that is awaited, once all of its command has `left`.
    pub(super) fn timer(&self, left: u64) -> Option<Timer> {
        match self.awaited(left)? {
            Verb::Quit => Some(Timer::Quit),
            verb => Some(self.steps.timer().unwrap_or(verb.timer())),
        }
    }

    /// Returns what was sent since nothing was unanswered.
    pub(super) fn steps(&self) -> Steps {
        self.steps
    }

    pub(super) fn round_trips(&self) -> u64 {
        u64::from(self.round_trips)
    }

    pub(super) fn shrink(&mut self) {
        self.expected.shrink();
    }
}
