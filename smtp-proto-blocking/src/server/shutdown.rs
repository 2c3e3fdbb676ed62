//! How servers end.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::listener::Wake;

/// How long transactions may take to end, unless told otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// Ends servers, and connections that are served by themselves, from another thread.
///
/// Clones end the same ones. One is enough for servers at several ports.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    begun: Option<Instant>,
    aborted: bool,
    /// Reaches those that wait for a connection.
    wakes: Vec<Wake>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody has asked for it.
    Serving,
    /// Transactions may come to their ends.
    Ending,
    /// It is over, whatever is under way.
    Over,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Makes one that transactions have half a minute in.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            grace: GRACE,
        }
    }

    /// Sets how long transactions may take to end, once it has begun.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Begins: no connection is accepted any more, each session is told 421 (RFC 5321 3.8) as soon
    /// as its transaction has ended, and those that are left when the grace is over are ended.
    /// Does not wait for it.
    pub fn begin(&self) {
        let mut progress = self.progress();
        progress.begun.get_or_insert_with(Instant::now);
        self.announce(progress);
    }

    /// Ends all at once: transactions are dropped, and what a handler is busy with is not waited for.
    pub fn abort(&self) {
        let mut progress = self.progress();
        progress.begun.get_or_insert_with(Instant::now);
        progress.aborted = true;
        self.announce(progress);
    }

    pub(super) fn phase(&self) -> Phase {
        let progress = self.progress();
        match progress.begun {
            None => Phase::Serving,
            Some(begun) if progress.aborted || begun.elapsed() >= self.grace => Phase::Over,
            Some(_) => Phase::Ending,
        }
    }

    /// Waits for a change, or for `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        let progress = self.progress();
        drop(self.shared.changed.wait_timeout(progress, limit));
    }

    /// Tells those that [wait](Self::wait) of a change.
    pub(super) fn notify(&self) {
        drop(self.progress());
        self.shared.changed.notify_all();
    }

    /// Has this reached when it begins, or at once if it has.
    pub(super) fn wakes(&self, wake: Wake) {
        let mut progress = self.progress();
        match progress.begun {
            None => progress.wakes.push(wake),
            Some(_) => {
                drop(progress);
                wake.call();
            }
        }
    }

    fn announce(&self, mut progress: MutexGuard<'_, Progress>) {
        let wakes = std::mem::take(&mut progress.wakes);
        drop(progress);
        self.shared.changed.notify_all();
        for wake in wakes {
            wake.call();
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        let progress = self.shared.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }
}
