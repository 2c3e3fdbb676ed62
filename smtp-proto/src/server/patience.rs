//! How long a client may take, and how far it may go, before the session ends.

use core::time::Duration;

use super::config::Settings;
use super::table::Idle;
use crate::machine::{Deadline, Timer, limits};

/// Times a client, and counts what costs it little and the server much.
#[derive(Debug)]
pub(super) struct Patience {
    /// When the session began.
    begun: Duration,
    read_timer: Deadline,
    /// How long the client may still pause within content.
    pause: Duration,
    /// Until when the reply is held back whose turn it is.
    held_until: Option<Duration>,
    errors: u32,
    idle_commands: u32,
    failed_authentications: u32,
    /// How many commands out of place are but the consequence of an earlier refusal: they were on
    /// their way already.
    pardons: usize,
    /// How many bytes of refused chunks came since the last MAIL or RSET.
    swallowed: u64,
    /// Whether RSET may end a transaction that came since the last one.
    reset_is_due: bool,
    /// How many messages came, and how many bytes of content.
    messages: usize,
    content: u64,
}

impl Patience {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            begun: now,
            read_timer: Deadline::default(),
            pause: Duration::ZERO,
            held_until: None,
            errors: 0,
            idle_commands: 0,
            failed_authentications: 0,
            pardons: 0,
            swallowed: 0,
            reset_is_due: false,
            messages: 0,
            content: 0,
        }
    }

    /// Counts an error; returns whether the session ends by it.
    pub(super) fn count_error(&mut self, settings: &Settings) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors as usize >= settings.max_errors
    }

    /// Counts a command out of place, unless it was sent before the client could know; returns
    /// whether the session ends by it.
    pub(super) fn count_misplaced(&mut self, settings: &Settings) -> bool {
        match self.pardons.checked_sub(1) {
            Some(pardons) => {
                self.pardons = pardons;
                false
            }
            None => self.count_error(settings),
        }
    }

    /// Expects the rest of the transactions that a client may have sent after one that failed.
    pub(super) fn pardon(&mut self, settings: &Settings) {
        // As many as one transaction may have: without a bound, one refusal would be a licence for ever.
        self.pardons = settings
            .max_recipients
            .saturating_add(limits::RECIPIENT_OVERSHOOT);
    }

    /// Counts a command if it is one to no purpose: by itself, as it `is_first` of its kind or not, or
    /// as it `is_empty`. Returns whether the session ends by it.
    pub(super) fn count_idle(
        &mut self,
        idle: Idle,
        is_first: bool,
        is_empty: bool,
        settings: &Settings,
    ) -> bool {
        let counts = match idle {
            Idle::Never => false,
            Idle::Always => true,
            Idle::Again => !is_first,
            Idle::Empty => is_empty,
            // RSET before each MAIL is what careful clients send (2920-3.1-b).
            Idle::Undue => !core::mem::take(&mut self.reset_is_due),
        };
        if counts {
            self.idle_commands = self.idle_commands.saturating_add(1);
        }
        counts && self.idle_commands as usize > settings.max_idle_commands
    }

    /// Counts an authentication that failed.
    pub(super) fn count_failed_authentication(&mut self) {
        self.failed_authentications = self.failed_authentications.saturating_add(1);
    }

    /// Returns whether another authentication may be tried (4954-9-a).
    pub(super) fn allows_authentication(&self, settings: &Settings) -> bool {
        (self.failed_authentications as usize) < settings.max_auth_failures
    }

    /// Counts bytes of a chunk that no transaction takes; returns whether there were too many lately.
    pub(super) fn swallow(&mut self, bytes: u64, most: u64) -> bool {
        self.swallowed = self.swallowed.saturating_add(bytes);
        self.swallowed > most
    }

    /// Takes note of MAIL, after which RSET has a purpose.
    pub(super) fn transaction_came(&mut self) {
        self.reset_is_due = true;
        self.swallowed = 0;
    }

    /// Takes note of RSET.
    pub(super) fn reset_came(&mut self) {
        self.swallowed = 0;
    }

    /// Forgives what was counted, as a message was accepted.
    pub(super) fn message_accepted(&mut self) {
        self.errors = 0;
        self.idle_commands = 0;
    }

    /// Takes note of a message that came, and of how much content it has.
    pub(super) fn message_came(&mut self, bytes: u64) {
        self.messages = self.messages.saturating_add(1);
        self.content = self.content.saturating_add(bytes);
    }

    /// Returns whether the session has lasted as long, or brought as much, as it may.
    pub(super) fn is_exhausted(&self, settings: &Settings, now: Duration) -> bool {
        self.messages >= settings.max_session_messages
            || self.content >= settings.max_session_bytes
            || self.end(settings).is_some_and(|end| end <= now)
    }

    /// Returns when the session has lasted as long as it may.
    pub(super) fn end(&self, settings: &Settings) -> Option<Duration> {
        let most = settings.max_session?;
        Some(self.begun.saturating_add(most))
    }

    /// Returns whether each reply is held back (Postfix's `smtpd_soft_error_limit`).
    pub(super) fn is_slow(&self, settings: &Settings) -> bool {
        !settings.error_delay.is_zero() && self.errors as usize >= settings.soft_errors
    }

    /// Sees to it that the time runs while a reply is held back, and only then.
    pub(super) fn hold(&mut self, is_held: bool, settings: &Settings, now: Duration) {
        if is_held {
            let until = now.saturating_add(settings.error_delay);
            self.held_until.get_or_insert(until);
        } else {
            self.held_until = None;
        }
    }

    /// Returns whether what is held back has been so long enough.
    pub(super) fn releases(&mut self, now: Duration) -> bool {
        self.held_until.take_if(|until| *until <= now).is_some()
    }

    /// Begins to wait for content, or a chunk of it.
    pub(super) fn content_begins(&mut self, settings: &Settings) {
        self.pause = settings.receive_timeout;
    }

    /// Gives the client more time, for `bytes` of content that came at `now` (RES-3).
    pub(super) fn content_came(&mut self, bytes: u64, settings: &Settings, now: Duration) {
        if bytes == 0 {
            return;
        }
        // A byte every minute does not earn another five: only what is saved up is paused with.
        let left = match self.read_timer.deadline() {
            Some(deadline) => deadline.saturating_sub(now),
            None => self.pause,
        };
        let earned = bytes
            .saturating_mul(1_000_000)
            .checked_div(settings.min_content_rate)
            .map_or(settings.receive_timeout, Duration::from_micros);
        self.pause = left.saturating_add(earned).min(settings.receive_timeout);
        self.read_timer.stop();
    }

    /// Sees to it that the timer runs for what the client is to send, if for anything.
    pub(super) fn arm(&mut self, awaited: Option<Timer>, settings: &Settings, now: Duration) {
        match awaited {
            None => self.read_timer.stop(),
            // Not started anew by bytes: a command has to come as a whole in its time.
            Some(_) if self.read_timer.is_running() => {}
            Some(Timer::Idle) => self
                .read_timer
                .start(Timer::Idle, settings.idle_timeout, now),
            Some(timer) => self.read_timer.start(timer, self.pause, now),
        }
    }

    /// Stops timing the client: what it had to do is done, or is of no use any more.
    pub(super) fn disarm(&mut self) {
        self.read_timer.stop();
    }

    /// Returns the timer that has fired.
    pub(super) fn expired(&mut self, now: Duration) -> Option<Timer> {
        self.read_timer.expired(now)
    }

    /// Returns when the next timer fires, or the next reply is let go.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let deadlines = [self.read_timer.deadline(), self.held_until];
        deadlines.into_iter().flatten().min()
    }
}
