//! Which steps the unanswered commands belong to.

use crate::machine::Step;

/// A set of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps(u16);

impl Steps {
    pub(super) fn insert(&mut self, step: Step) {
        self.0 |= 1 << (step as u16);
    }

    pub(super) fn has(self, step: Step) -> bool {
        self.0 & 1 << (step as u16) != 0
    }
}
