//! How long messages may take.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::client::{BodyRequest, MessageId};

/// How long a content may be taken slowly before its rate counts.
const GRACE: Duration = Duration::from_secs(10);

/// Bounds how long a message may take, whatever the timers of the single steps say: a server that takes
/// a byte now and then expires none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// How long a message may take from when it is its turn: the session is open, and all messages
    /// before it are finished. Unbounded unless set.
    pub message: Option<Duration>,
    /// How many bytes of a content the server must take in a second, on average and but for the first
    /// ten seconds; the time that the content itself is waited for does not count. 0 unless set.
    pub bytes_per_second: u32,
}

/// Watches a session for messages that take too long.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    pace: Pace,
    /// When messages have to be finished that have a time of their own.
    until: BTreeMap<MessageId, Duration>,
    /// Which message's turn it is, and since when.
    turn: Option<(MessageId, Duration)>,
    content: Option<Progress>,
}

/// How far the server has taken a content.
#[derive(Debug)]
struct Progress {
    message: MessageId,
    offset: u64,
    /// When the first of it was taken, later by what it was waited for since.
    since: Duration,
    /// Since when it is waited for.
    waiting: Option<Duration>,
}

impl Stopwatch {
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Gives a message a time of its own.
    pub(super) fn finish_by(&mut self, message: MessageId, until: Duration) {
        self.until.insert(message, until);
    }

    pub(super) fn finished(&mut self, message: MessageId) {
        self.until.remove(&message);
    }

    /// Takes note of whose turn it is.
    pub(super) fn turn(&mut self, message: Option<MessageId>, now: Duration) {
        if self.turn.map(|(message, _)| message) != message {
            self.turn = message.map(|message| (message, now));
        }
    }

    /// Takes note of what the machine wants next of a content, and whether there is something.
    pub(super) fn wants(&mut self, request: Option<BodyRequest>, is_there: bool, now: Duration) {
        // Only what was begun says how fast it is taken: before, the go-ahead may be awaited.
        let Some(request) = request.filter(|request| request.offset > 0) else {
            self.content = None;
            return;
        };
        let progress = match &mut self.content {
            Some(progress) if progress.message == request.message => progress,
            content => content.insert(Progress {
                message: request.message,
                offset: 0,
                since: now,
                waiting: None,
            }),
        };
        progress.offset = request.offset;
        if !is_there {
            progress.waiting.get_or_insert(now);
        } else if let Some(since) = progress.waiting.take() {
            progress.since += now.saturating_sub(since);
        }
    }

    /// Leaves out of the account that a content was waited for so long.
    pub(super) fn excuse(&mut self, waited: Duration) {
        if let Some(progress) = &mut self.content {
            progress.since += waited;
        }
    }

    /// Returns when something will have taken too long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let turn = self.turn.zip(self.pace.message);
        let turn = turn.map(|((_, since), limit)| since.saturating_add(limit));
        let content = self.content.as_ref().and_then(|progress| {
            let rate = u64::from(self.pace.bytes_per_second);
            let due = Duration::from_secs(progress.offset.checked_div(rate)?);
            let is_waiting = progress.waiting.is_some();
            (!is_waiting).then(|| progress.since.saturating_add(GRACE).saturating_add(due))
        });
        let until = self.until.values().min().copied();
        [until, turn, content].into_iter().flatten().min()
    }
}
