//! How far the ending of a server has come.

use core::time::Duration;

/// How long transactions may take to end, unless told otherwise.
const GRACE: Duration = Duration::from_secs(30);
/// How long connections may take to notice that all is over.
const LAST_MOMENT: Duration = Duration::from_millis(600);

/// Holds how far the ending of a server has come: it serves, then transactions may come to their
/// ends within the grace, then all is over.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    grace: Duration,
    begun: Option<Duration>,
    aborted: Option<Duration>,
}

/// Says how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody has asked for it.
    Serving,
    /// No connection is accepted any more. Transactions may come to their ends.
    Ending,
    /// It is over, whatever is under way.
    Over,
}

/// Gives transactions half a minute, once it has begun.
impl Default for Ending {
    fn default() -> Self {
        Self {
            grace: GRACE,
            begun: None,
            aborted: None,
        }
    }
}

impl Ending {
    /// Sets how long transactions may take to end, once it has begun.
    pub fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Begins.
    pub fn begin(&mut self, now: Duration) {
        self.begun.get_or_insert(now);
    }

    /// Ends all at once.
    pub fn abort(&mut self, now: Duration) {
        self.begin(now);
        self.aborted.get_or_insert(now);
    }

    /// Returns how far it has come by now.
    pub fn phase(&self, now: Duration) -> Phase {
        match self.over() {
            _ if self.begun.is_none() => Phase::Serving,
            Some(over) if now >= over => Phase::Over,
            _ => Phase::Ending,
        }
    }

    /// Returns when it is over, once that is known.
    pub fn over(&self) -> Option<Duration> {
        let end = self.begun.and_then(|begun| begun.checked_add(self.grace));
        end.into_iter().chain(self.aborted).min()
    }

    /// Returns when connections are not waited for any more, once that is known.
    pub fn last_moment(&self) -> Option<Duration> {
        self.over()?.checked_add(LAST_MOMENT)
    }
}
