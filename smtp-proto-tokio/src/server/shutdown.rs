//! How servers end.

use std::{future::pending, pin::pin};

use futures_util::future::select;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

smtp_proto::shutdown! {}

type Shared = watch::Sender<Ending>;

impl Shutdown {
    fn change(&self, step: impl FnOnce(&mut Ending, Duration)) {
        let now = self.origin.elapsed();
        self.shared.send_modify(|ending| step(ending, now));
    }

    /// Waits until it begins.
    pub(super) async fn begun(self) {
        let serves = |ending: &Ending| ending.phase(Duration::ZERO) == Phase::Serving;
        // It cannot fail: the sender is here.
        let _ = self.shared.subscribe().wait_for(|it| !serves(it)).await;
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
        let mut ending = self.shared.subscribe();
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
