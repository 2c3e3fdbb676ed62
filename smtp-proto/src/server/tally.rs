//! How far a client may go before the session ends.

use super::config::Settings;
use super::{Server, replies};
use crate::machine::{Fault, limits};

/// Counts what costs a client little and a server much.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) errors: usize,
    pub(super) idle_commands: usize,
    /// How many commands out of place are but the consequence of an earlier refusal: they were on
    /// their way already.
    pardons: usize,
    /// How many octets of refused chunks came since the last MAIL or RSET.
    pub(super) swallowed: u64,
    /// Whether RSET may end a transaction that came since the last one.
    pub(super) reset_is_due: bool,
    /// Whether any command was understood.
    pub(super) understood: bool,
}

impl Tally {
    /// Counts octets of a chunk that no transaction takes; returns how many there were lately.
    pub(super) fn swallow(&mut self, octets: u64) -> u64 {
        self.swallowed = self.swallowed.saturating_add(octets);
        self.swallowed
    }

    /// Expects the rest of the transactions that a client may have sent behind one that failed.
    pub(super) fn pardon(&mut self, settings: &Settings) {
        self.pardons = settings
            .max_recipients
            .saturating_add(limits::RECIPIENT_OVERSHOOT);
    }
}

impl Server {
    /// Counts an error; too many end the session.
    pub(super) fn count_error(&mut self) {
        self.tally.errors = self.tally.errors.saturating_add(1);
        if self.tally.errors >= self.config.settings().max_errors {
            self.close_on_errors();
        }
    }

    /// Counts a command out of place, unless it was sent before the client could know.
    pub(super) fn count_misplaced(&mut self) {
        match self.tally.pardons.checked_sub(1) {
            Some(pardons) => self.tally.pardons = pardons,
            None => self.count_error(),
        }
    }

    /// Counts a command to no purpose. Too many end the session; then 421 answers this one.
    pub(super) fn closes_on_idle_command(&mut self) -> bool {
        self.tally.idle_commands = self.tally.idle_commands.saturating_add(1);
        let closes = self.tally.idle_commands > self.config.settings().max_idle_commands;
        if closes {
            self.close_on_errors();
        }
        closes
    }

    pub(super) fn close_on_errors(&mut self) {
        let hostname = self.config.settings().hostname.as_str();
        let answer = self
            .pipeline
            .compose(|out| replies::too_many_errors(hostname, out));
        self.say_goodbye(answer);
        self.fail(Fault::TooManyErrors, &[]);
    }
}
