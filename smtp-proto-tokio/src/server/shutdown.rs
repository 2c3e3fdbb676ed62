//! How servers end.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use smtp_proto::reception::{Ending, Phase};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Ends servers, and connections that are served by themselves, from another task.
///
/// Clones end the same ones. One is enough for servers at several ports.
#[derive(Clone, Debug)]
pub struct Shutdown {
    ending: Arc<watch::Sender<Ending>>,
    origin: Instant,
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
            ending: Arc::default(),
            origin: Instant::now(),
        }
    }

    /// Sets how long transactions may take to end, once it has begun.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.ending.send_modify(|ending| ending.set_grace(grace));
        self
    }

    /// Begins: no connection is accepted any more, each session is told 421 (RFC 5321 3.8) as soon
    /// as its transaction has ended, and those that are left when the grace is over are ended.
    /// Does not wait for it.
    pub fn begin(&self) {
        let now = self.origin.elapsed();
        self.ending.send_modify(|ending| ending.begin(now));
    }

    /// Ends all at once: transactions are dropped, and what a handler is busy with is not waited for.
    pub fn abort(&self) {
        let now = self.origin.elapsed();
        self.ending.send_modify(|ending| ending.abort(now));
    }

    /// Waits until it begins.
    pub(super) async fn begun(self) {
        let serves = |ending: &Ending| ending.phase(Duration::ZERO) == Phase::Serving;
        // It cannot fail: the sender is here.
        let _ = self.ending.subscribe().wait_for(|it| !serves(it)).await;
    }

    /// Waits until it is over, whatever is under way.
    pub(super) async fn over(self) {
        self.reached(Ending::over).await;
    }

    /// Waits until connections are not waited for any more.
    pub(super) async fn last_moment(self) {
        self.reached(Ending::last_moment).await;
    }

    /// Waits for a point in time, which may come earlier than was known at first.
    async fn reached(self, point: impl Fn(&Ending) -> Option<Duration>) {
        let mut ending = self.ending.subscribe();
        loop {
            let at = point(&ending.borrow_and_update());
            let at = at.and_then(|at| self.origin.checked_add(at));
            if at.is_some_and(|at| at <= Instant::now()) {
                return;
            }
            let time = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            select(pin!(time), pin!(ending.changed())).await;
        }
    }
}
