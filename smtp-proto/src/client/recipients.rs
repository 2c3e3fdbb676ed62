//! Whom a transaction is for.

use alloc::vec::Vec;
use core::ops::Range;

/// Which recipients of a message a transaction is for, by their positions in the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipients {
    These(Range<u32>),
    Some(Vec<u32>),
}

impl Default for Recipients {
    fn default() -> Self {
        Self::These(0..0)
    }
}

impl Recipients {
    /// Names the first recipients of a message.
    pub(super) fn first(count: u32) -> Self {
        Self::These(0..count)
    }

    /// Names those at these positions.
    pub(super) fn at(positions: Vec<u32>) -> Self {
        Self::Some(positions)
    }

    /// Adds the one after the last, if they stand together.
    pub(super) fn add_next(&mut self) {
        if let Self::These(range) = self {
            range.end = range.end.saturating_add(1);
        }
    }

    /// Returns how many they are.
    pub(super) fn len(&self) -> u32 {
        match self {
            Self::These(range) => range.end.saturating_sub(range.start),
            Self::Some(list) => u32::try_from(list.len()).unwrap_or(u32::MAX),
        }
    }

    /// Returns where in the envelope the recipient at this place stands.
    pub(super) fn position(&self, place: u32) -> u32 {
        match self {
            Self::These(range) => range.start.saturating_add(place),
            Self::Some(list) => list.get(place as usize).copied().unwrap_or(u32::MAX),
        }
    }

    /// Leaves out those at these places, which are in order.
    pub(super) fn leave_out(&mut self, places: &[u32]) {
        if places.is_empty() {
            return;
        }
        let mut places = places.iter().copied().peekable();
        let left = (0..self.len()).filter(|place| places.next_if_eq(place).is_none());
        let left = left.map(|place| self.position(place)).collect();
        *self = Self::Some(left);
    }

    /// Keeps those at positions that are to be kept, and returns the others.
    pub(super) fn split_by(&mut self, mut is_kept: impl FnMut(u32) -> bool) -> Self {
        let all = (0..self.len()).map(|place| self.position(place));
        let (kept, others) = all.partition(|position| is_kept(*position));
        *self = Self::Some(kept);
        Self::Some(others)
    }

    /// Keeps the first, and returns the others.
    pub(super) fn split_off(&mut self, most: u32) -> Self {
        match self {
            Self::These(range) => {
                let middle = range.start.saturating_add(most).min(range.end);
                let rest = middle..range.end;
                range.end = middle;
                Self::These(rest)
            }
            Self::Some(list) => Self::Some(list.split_off((most as usize).min(list.len()))),
        }
    }
}
