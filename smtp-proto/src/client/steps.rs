//! What the unanswered commands are, as far as it decides how long to wait.

use super::table::Verb;
use crate::machine::{Step, Timer};

/// The timers of replies, the most patient first (RFC 5321 4.5.3.2).
const BY_PATIENCE: [Timer; 5] = [
    Timer::DataTermination,
    Timer::Greeting,
    Timer::Command,
    Timer::DataInitiation,
    Timer::Quit,
];

/// The steps of a set of commands, and their timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    steps: u16,
    timers: u16,
}

impl Steps {
    pub(super) fn insert(&mut self, verb: Verb) {
        self.steps |= 1 << (verb.step() as u16);
        self.timers |= 1 << (verb.timer() as u16);
    }

    pub(super) fn has(self, step: Step) -> bool {
        self.steps & 1 << (step as u16) != 0
    }

    /// Returns the most patient timer of the commands: those in a group are not defined.
    pub(super) fn timer(self) -> Option<Timer> {
        let mut timers = BY_PATIENCE.into_iter();
        timers.find(|timer| self.timers & 1 << (*timer as u16) != 0)
    }
}
