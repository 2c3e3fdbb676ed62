//! What a server has seen, and what it is told to do.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    net::{Shutdown, TcpStream},
    string::String,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
    vec::Vec,
};

use super::reaction::Reaction;
use crate::machine::Step;

/// A message that a [`TestServer`](super::TestServer) has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedMessage {
    /// Whom it comes from: an address; empty for a notification.
    pub sender: String,
    /// Whom it was taken for: addresses, in the order in which they were named.
    pub recipients: Vec<String>,
    /// The content, dots unstuffed.
    pub content: Vec<u8>,
    /// As whom the client had authenticated itself.
    pub user: Option<String>,
    /// By which connection it came, counted from 0.
    pub connection: usize,
}

impl RecordedMessage {
    /// Returns the content as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// What the connections of one server share with whoever has started it.
#[derive(Debug, Default)]
pub(super) struct Records {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reactions: Vec<Reaction>,
    /// After how many bytes the next connections are cut.
    cuts: VecDeque<u64>,
    messages: Vec<RecordedMessage>,
    /// What was said on each connection.
    dialogues: Vec<String>,
    open: BTreeMap<usize, TcpStream>,
    is_over: bool,
}

impl Records {
    /// Takes note of a connection. Returns its number, and after how many bytes it is to be cut; `None`
    /// when the server is ending.
    pub(super) fn begin(&self, stream: TcpStream) -> Option<(usize, Option<u64>)> {
        let mut state = self.lock();
        if state.is_over {
            return None;
        }
        let connection = state.dialogues.len();
        state.dialogues.push(String::new());
        state.open.insert(connection, stream);
        Some((connection, state.cuts.pop_front()))
    }

    /// Takes note that a connection is over.
    pub(super) fn end(&self, connection: usize) {
        self.lock().open.remove(&connection);
        self.changed.notify_all();
    }

    pub(super) fn take(&self, message: RecordedMessage) {
        self.lock().messages.push(message);
    }

    /// Adds lines to the dialogue of a connection.
    pub(super) fn note(&self, connection: usize, side: &str, lines: &str) {
        self.lock().note(connection, side, lines);
    }

    /// Returns what is to be done, if that is not what would be done anyhow.
    pub(super) fn reaction(&self, step: Step, addresses: &[String]) -> Option<Reaction> {
        let mut state = self.lock();
        let mut reactions = state.reactions.iter_mut();
        reactions.find_map(|it| it.fits(step, addresses).then(|| it.clone()))
    }

    pub(super) fn react(&self, reaction: Reaction) {
        self.lock().reactions.push(reaction);
    }

    pub(super) fn cut_after(&self, bytes: u64) {
        self.lock().cuts.push_back(bytes);
    }

    pub(super) fn messages(&self) -> Vec<RecordedMessage> {
        self.lock().messages.clone()
    }

    pub(super) fn dialogues(&self) -> Vec<String> {
        self.lock().dialogues.clone()
    }

    /// Says something on every open connection.
    pub(super) fn say(&self, line: &str) {
        let mut state = self.lock();
        let open: Vec<usize> = state.open.keys().copied().collect();
        for connection in open {
            state.note(connection, "S: ", line);
            if let Some(stream) = state.open.get_mut(&connection) {
                // The client may be gone.
                let _ = stream.write_all(std::format!("{line}\r\n").as_bytes());
            }
        }
    }

    /// Waits, or until the server ends.
    pub(super) fn wait(&self, delay: Duration) {
        self.wait_until(delay, |state| state.is_over);
    }

    /// Waits until every client is gone, no longer than that; returns whether they are.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        self.wait_until(limit, |state| state.open.is_empty())
    }

    /// Ends all connections, and lets no other begin.
    pub(super) fn end_all(&self) {
        let mut state = self.lock();
        state.is_over = true;
        for stream in state.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    fn wait_until(&self, limit: Duration, is_so: impl Fn(&State) -> bool) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        while !is_so(&state) {
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, connection: usize, side: &str, lines: &str) {
        if let Some(dialogue) = self.dialogues.get_mut(connection) {
            for line in lines.lines() {
                dialogue.push_str(side);
                dialogue.push_str(line);
                dialogue.push('\n');
            }
        }
    }
}
