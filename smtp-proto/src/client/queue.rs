//! A queue that keeps the memory of what has left it.

use alloc::vec::Vec;
use core::ops::Range;

/// Elements in order, each with a number that counts on for ever. The place of one that has left is filled
/// again as it is, so that what it had allocated serves the next.
#[derive(Debug, Default)]
pub(super) struct Queue<T> {
    /// None, or as many as a power of two; after the last one comes the first.
    places: Vec<T>,
    /// Where the first element is: one of the places, or 0 if there are none.
    head: usize,
    /// Its number.
    first: u64,
    /// How many elements there are.
    length: usize,
}

impl<T: Default> Queue<T> {
    /// Adds an element, to be filled over whatever its place held before, and returns its number.
    pub(super) fn push(&mut self, fill: impl FnOnce(&mut T)) -> u64 {
        if self.length == self.places.len() {
            self.resize(self.length.saturating_mul(2).max(1));
        }
        let at = self.place(self.length);
        if let Some(place) = self.places.get_mut(at) {
            fill(place);
        }
        self.length = self.length.saturating_add(1);
        self.numbers().end.saturating_sub(1)
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let offset = self.offset(number)?;
        self.places.get(self.place(offset))
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let offset = self.offset(number)?;
        let at = self.place(offset);
        self.places.get_mut(at)
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.get(self.first)
    }

    /// Lets the first leave, if there is one.
    pub(super) fn pop(&mut self) {
        if let Some(left) = self.length.checked_sub(1) {
            self.first = self.first.saturating_add(1);
            // Few elements use few places: whenever all have left it begins anew.
            self.head = match left {
                0 => 0,
                _ => self.place(1),
            };
            self.length = left;
        }
    }

    pub(super) fn clear(&mut self) {
        self.first = self.numbers().end;
        (self.head, self.length) = (0, 0);
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the numbers of all.
    pub(super) fn numbers(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.length as u64)
    }

    /// Returns all, in order, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let (wrapped, straight) = self.places.split_at(self.head);
        self.numbers().zip(straight.iter().chain(wrapped))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (wrapped, straight) = self.places.split_at_mut(self.head);
        straight.iter_mut().chain(wrapped).take(self.length)
    }

    /// Gives back the memory of what has left.
    pub(super) fn shrink(&mut self) {
        let least = match self.length {
            0 => 0,
            length => length.next_power_of_two(),
        };
        if least < self.places.len() {
            self.resize(least);
        }
    }

    /// Returns how far an element is from the first.
    #[inline]
    fn offset(&self, number: u64) -> Option<usize> {
        let offset = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (offset < self.length).then_some(offset)
    }

    /// Returns the place that is so far from the first element's.
    #[inline]
    fn place(&self, offset: usize) -> usize {
        self.head.wrapping_add(offset) & self.places.len().wrapping_sub(1)
    }

    /// Changes the number of places to another power of two, in which all elements have room.
    fn resize(&mut self, count: usize) {
        self.places.rotate_left(self.head);
        self.head = 0;
        self.places
            .reserve_exact(count.saturating_sub(self.places.len()));
        self.places.resize_with(count, T::default);
        self.places.shrink_to_fit();
    }
}
