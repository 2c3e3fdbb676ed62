//! How servers end.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long transactions may take to end, unless told otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// Ends servers, and connections that are served by themselves, from another task.
///
/// Clones end the same ones. One is enough for servers at several ports.
#[derive(Clone, Debug)]
pub struct Shutdown {
    progress: Arc<watch::Sender<Progress>>,
    grace: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    begun: Option<Instant>,
    aborted: bool,
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
            progress: Arc::new(watch::Sender::new(Progress::default())),
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
        self.advance(false);
    }

    /// Ends all at once: transactions are dropped, and what a handler is busy with is not waited for.
    pub fn abort(&self) {
        self.advance(true);
    }

    fn advance(&self, aborted: bool) {
        self.progress.send_modify(|progress| {
            progress.begun.get_or_insert_with(Instant::now);
            progress.aborted |= aborted;
        });
    }

    /// Waits until it begins.
    pub(super) async fn begun(self) {
        let mut progress = self.progress.subscribe();
        // It cannot fail: the sender is here.
        let _ = progress.wait_for(|progress| progress.begun.is_some()).await;
    }

    /// Waits until it is over, whatever is under way.
    pub(super) async fn over(self) {
        let mut progress = self.progress.subscribe();
        self.clone().begun().await;
        let begun = progress.borrow().begun;
        let end = begun.and_then(|begun| begun.checked_add(self.grace));
        let grace = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => pending().await,
            }
        };
        let aborted = progress.wait_for(|progress| progress.aborted);
        select(pin!(grace), pin!(aborted)).await;
    }
}
