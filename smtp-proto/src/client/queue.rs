//! A queue that keeps the memory of what has left it.

use alloc::vec::Vec;
use core::ops::Range;

/// Elements in order, each with a number that counts on for ever. The place of one that has left is filled
/// again as it is, so that what it had allocated serves the next.
#[derive(Debug, Default)]
pub(super) struct Queue<T> {
    /// None, or as many as a power of two: an element's is its number modulo that.
    places: Vec<T>,
    /// The number of the first.
    first: u64,
    /// The number of the next that will be added.
    end: u64,
}

impl<T: Default> Queue<T> {
    /// Adds an element, to be filled over whatever its place held before, and returns its number.
    pub(super) fn push(&mut self, fill: impl FnOnce(&mut T)) -> u64 {
        let number = self.end;
        if self.len() == self.places.len() {
            self.resize(self.places.len().saturating_mul(2).max(1));
        }
        self.end = number.saturating_add(1);
        if let Some(place) = self.get_mut(number) {
            fill(place);
        }
        number
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let is_there = self.has(number);
        self.places.get(self.place_of(number)).filter(|_| is_there)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (is_there, at) = (self.has(number), self.place_of(number));
        self.places.get_mut(at).filter(|_| is_there)
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.get(self.first)
    }

    /// Lets the first leave, if there is one.
    pub(super) fn pop(&mut self) {
        self.first = self.first.saturating_add(1).min(self.end);
    }

    pub(super) fn clear(&mut self) {
        self.first = self.end;
    }

    /// Returns the numbers of all.
    pub(super) fn numbers(&self) -> Range<u64> {
        self.first..self.end
    }

    /// Returns all, in order, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.numbers()
            .filter_map(|number| Some((number, self.get(number)?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (length, start) = (self.len(), self.place_of(self.first));
        let start = start.min(self.places.len());
        let (wrapped, straight) = self.places.split_at_mut(start);
        straight.iter_mut().chain(wrapped).take(length)
    }

    /// Gives back the memory of what has left.
    pub(super) fn shrink(&mut self) {
        let least = match self.len() {
            0 => 0,
            length => length.next_power_of_two(),
        };
        if least < self.places.len() {
            self.resize(least);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first == self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end.wrapping_sub(self.first) as usize
    }

    #[inline]
    fn has(&self, number: u64) -> bool {
        number.wrapping_sub(self.first) < self.end.wrapping_sub(self.first)
    }

    #[inline]
    fn place_of(&self, number: u64) -> usize {
        number as usize & self.places.len().wrapping_sub(1)
    }

    /// Changes the number of places to another power of two, which all elements have room in.
    fn resize(&mut self, count: usize) {
        let mut old = core::mem::take(&mut self.places);
        self.places.resize_with(count, T::default);
        let old_mask = old.len().wrapping_sub(1);
        for number in self.numbers() {
            let at = self.place_of(number);
            if let (Some(from), Some(to)) = (
                old.get_mut(number as usize & old_mask),
                self.places.get_mut(at),
            ) {
                core::mem::swap(from, to);
            }
        }
    }
}
