//! Who is next, where there is room for only so many.

use alloc::collections::BTreeMap;
use core::task::{Poll, Waker};

/// Lets in so many at once, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    inside: usize,
    waiting: BTreeMap<u64, Waker>,
}

impl Turns {
    /// Lets a number in if it is its turn, or has it woken when it may be.
    pub(super) fn poll_enter(&mut self, number: u64, most: usize, waker: &Waker) -> Poll<()> {
        let first = self.waiting.first_key_value().map(|(&first, _)| first);
        if self.inside >= most || first.is_some_and(|first| first < number) {
            self.waiting.insert(number, waker.clone());
            return Poll::Pending;
        }
        self.waiting.remove(&number);
        self.inside += 1;
        if self.inside < most {
            self.wake_first();
        }
        Poll::Ready(())
    }

    /// Takes note that one of those inside has left.
    pub(super) fn left(&mut self) {
        self.inside = self.inside.saturating_sub(1);
        self.wake_first();
    }

    /// Takes note that a number does not wait any more.
    pub(super) fn gave_up(&mut self, number: u64) {
        self.waiting.remove(&number);
        self.wake_first(); // it may have been woken itself
    }

    pub(super) fn inside(&self) -> usize {
        self.inside
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.first_key_value() {
            waker.wake_by_ref();
        }
    }
}
