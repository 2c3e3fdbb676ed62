//! What runs out, and what follows then.

use core::time::Duration;

use super::{rules::Verb, session::Session};
use crate::machine::{Fault, Timer};

impl Session {
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        let expired = self
            .reply_deadline
            .expired(now)
            .or_else(|| self.write_deadline.expired(now));
        match expired {
            // Nothing depends on the reply to QUIT.
            Some(Timer::Quit) => self.close(),
            Some(timer) => self.fail(Fault::TimedOut(timer), &[]),
            None => {}
        }
    }

    pub(super) fn restart_reply_deadline(&mut self, now: Duration) {
        self.reply_deadline.stop();
        self.start_reply_deadline(now);
    }

    /// Starts the timer of what is unanswered, unless it runs or nothing was sent.
    pub(super) fn start_reply_deadline(&mut self, now: Duration) {
        let Some(front) = self.pipeline.front() else {
            return;
        };
        if self.reply_deadline.is_running() || !self.wire.is_sent(front) {
            return;
        }
        let timer = match front.verb {
            Verb::Quit => Timer::Quit,
            verb => self.pipeline.patience().unwrap_or(verb.timer()),
        };
        self.reply_deadline
            .start(timer, self.config.timeouts.of(timer), now);
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.reply_deadline.deadline(),
            self.write_deadline.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}
