//! How far a client may go before the session ends.

use super::config::Settings;
use crate::machine::limits;

/// Counts what costs a client little and a server much.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) errors: usize,
    pub(super) idle_commands: usize,
    pub(super) failed_authentications: usize,
    /// How many commands out of place are but the consequence of an earlier refusal: they were on
    /// their way already.
    pub(super) pardons: usize,
    /// How many bytes of refused chunks came since the last MAIL or RSET.
    pub(super) swallowed: u64,
    /// Whether RSET may end a transaction that came since the last one.
    pub(super) reset_is_due: bool,
    /// Whether any command was understood.
    pub(super) understood: bool,
}

impl Tally {
    /// Counts bytes of a chunk that no transaction takes; returns how many there were lately.
    pub(super) fn swallow(&mut self, bytes: u64) -> u64 {
        self.swallowed = self.swallowed.saturating_add(bytes);
        self.swallowed
    }

    /// Expects the rest of the transactions that a client may have sent after one that failed.
    pub(super) fn pardon(&mut self, settings: &Settings) {
        self.pardons = settings
            .max_recipients
            .saturating_add(limits::RECIPIENT_OVERSHOOT);
    }
}
