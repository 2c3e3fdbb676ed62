//! How far a long run is.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Shows how far a long run is, on a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    begin: Instant,
    shown: Option<Duration>,
    terminal: bool,
}

impl Progress {
    /// Begins to show how much of `total` is done, if standard error is a terminal.
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            begin: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows that so many are done, ten times a second at most.
    pub(super) fn show(&mut self, done: usize) {
        let now = self.begin.elapsed();
        let due = self.shown.unwrap_or_default() + Duration::from_millis(100);
        if !self.terminal || (now < due && done < self.total) {
            return;
        }
        self.shown = Some(now);
        let rate = done as f64 / now.as_secs_f64().max(1e-9);
        let end = if done < self.total { "" } else { "\n" };
        let mut stderr = io::stderr().lock();
        // Nothing depends on it.
        let _ = write!(
            stderr,
            "\r{done}/{} messages, {rate:.0}/s {end}",
            self.total
        );
        let _ = stderr.flush();
    }
}
