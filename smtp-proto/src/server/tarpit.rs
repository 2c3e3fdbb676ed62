//! Slowing down a client that makes many errors (Postfix's `smtpd_soft_error_limit`).

use core::time::Duration;

use super::session::Session;

impl Session {
    /// Tells whether each reply is held back. The last ones of a session leave at once.
    pub(super) fn is_slowed_down(&self) -> bool {
        let settings = self.settings();
        !settings.error_delay.is_zero()
            && self.tally.errors >= settings.soft_errors
            && self.ending.is_none()
    }

    /// Tells whether a reply is being held back, so that no further command is handled.
    pub(super) fn holds_reply_back(&self) -> bool {
        self.is_slowed_down() && self.pipeline.has_answer()
    }

    /// Sees to it that the time runs while a reply is held back, and only then.
    pub(super) fn arm_tarpit(&mut self, now: Duration) {
        if self.holds_reply_back() {
            let delay = self.settings().error_delay;
            self.held_until
                .get_or_insert_with(|| now.saturating_add(delay));
        } else {
            self.held_until = None;
        }
    }

    /// Lets go what has been held back long enough.
    pub(super) fn release_reply(&mut self, now: Duration) {
        if self.held_until.take_if(|until| *until <= now).is_some() {
            self.depart_now();
        }
    }
}
