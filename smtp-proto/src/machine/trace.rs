//! A record of the dialogue, without secrets and without content.

use alloc::{collections::VecDeque, string::String};
use core::fmt;

use super::limits;

/// One line of a dialogue, or one stretch of content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEntry {
    /// Who sent it.
    pub origin: Origin,
    /// How many round trips had been made before it; what has the same number and origin left in
    /// one flight.
    pub round_trips: u64,
    /// What it was.
    pub what: Traced,
}

/// Tells who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The machine that keeps the trace.
    Local,
    /// Its peer.
    Remote,
}

/// What a trace shows of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Traced {
    /// A command or one line of a reply, escaped, without its line end.
    Line(String),
    /// The beginning of what is neither, is too long, or has not come to its end: escaped, at most
    /// [`limits::TRACED_UNREADABLE`] bytes of it.
    Unreadable(String),
    /// Content, counted.
    Content(u64),
}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.write_str(line),
            Self::Unreadable(beginning) => write!(f, "[unreadable: {beginning}]"),
            Self::Content(bytes) => write!(f, "[{bytes} bytes of content]"),
        }
    }
}

/// Collects entries until the caller takes them; the oldest are lost beyond [`limits::TRACE`].
#[derive(Debug, Default)]
pub(crate) struct Trace {
    entries: VecDeque<TraceEntry>,
}

impl Trace {
    /// Records the lines in `bytes`, which end in CR LF.
    pub(crate) fn lines(&mut self, origin: Origin, round_trips: u64, bytes: &[u8]) {
        let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
        for line in bytes.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.push(TraceEntry {
                origin,
                round_trips,
                what: Traced::Line(escaped(line)),
            });
        }
    }

    /// Records the beginning of what cannot be read.
    pub(crate) fn unreadable(&mut self, origin: Origin, round_trips: u64, bytes: &[u8]) {
        let shown = match bytes.get(..limits::TRACED_UNREADABLE) {
            Some(beginning) if beginning.len() < bytes.len() => escaped(beginning) + "...",
            _ => escaped(bytes),
        };
        self.push(TraceEntry {
            origin,
            round_trips,
            what: Traced::Unreadable(shown),
        });
    }

    /// Records that so many bytes of content were sent.
    pub(crate) fn content(&mut self, origin: Origin, round_trips: u64, bytes: u64) {
        self.push(TraceEntry {
            origin,
            round_trips,
            what: Traced::Content(bytes),
        });
    }

    /// Forgets the newest entry, as it was not sent after all.
    pub(crate) fn take_back(&mut self) {
        self.entries.pop_back();
    }

    pub(crate) fn take(&mut self) -> Option<TraceEntry> {
        self.entries.pop_front()
    }

    fn push(&mut self, entry: TraceEntry) {
        if self.entries.len() >= limits::TRACE {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().map(char::from).collect()
}
