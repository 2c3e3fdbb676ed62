//! How servers end.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use smtp_proto::reception::{Ending, Phase};

use super::wake::Wake;

/// Ends servers, and connections that are served by themselves, from another thread.
///
/// Clones end the same ones. One is enough for servers at several ports.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
    origin: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    ending: Ending,
    /// Reaches those that wait for a connection.
    wakes: Vec<Wake>,
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
            origin: Instant::now(),
        }
    }

    /// Sets how long transactions may take to end, once it has begun.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.progress().ending.set_grace(grace);
        self
    }

    /// Begins: no connection is accepted any more, each session is told 421 (RFC 5321 3.8) as soon
    /// as its transaction has ended, and those that are left when the grace is over are ended.
    /// Does not wait for it.
    pub fn begin(&self) {
        self.advance(Ending::begin);
    }

    /// Ends all at once: transactions are dropped, and what a handler is busy with is not waited for.
    pub fn abort(&self) {
        self.advance(Ending::abort);
    }

    /// Returns how far it has come.
    pub(crate) fn phase(&self) -> Phase {
        self.progress().ending.phase(self.origin.elapsed())
    }

    /// Returns whether connections are waited for.
    pub(super) fn waits(&self) -> bool {
        let last_moment = self.progress().ending.last_moment();
        last_moment.is_none_or(|at| self.origin.elapsed() < at)
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
        self.progress().wakes.push(wake);
        if self.phase() != Phase::Serving {
            self.advance(|_, _| {});
        }
    }

    fn advance(&self, step: impl FnOnce(&mut Ending, Duration)) {
        let mut progress = self.progress();
        step(&mut progress.ending, self.origin.elapsed());
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
