//! How servers end.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::wake::Wake;

smtp_proto::shutdown! {}

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

impl Shutdown {
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
        self.change(|_, _| {});
    }

    fn change(&self, step: impl FnOnce(&mut Ending, Duration)) {
        let (mut progress, now) = (self.progress(), self.origin.elapsed());
        step(&mut progress.ending, now);
        let wakes = match progress.ending.phase(now) {
            Phase::Serving => Vec::new(),
            _ => std::mem::take(&mut progress.wakes),
        };
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
