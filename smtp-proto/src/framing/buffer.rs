//! What a driver holds between its transport and a machine.

use alloc::vec::Vec;
use core::{fmt, time::Duration};
#[cfg(feature = "std")]
use {core::ops::Deref, smallvec::SmallVec, std::io::IoSlice};

use super::transmit::Transmit;

/// How large a buffer becomes while a connection is busy.
const FULL: usize = 64 * 1024;
/// How large a buffer for input is at first: as long as replies and commands, not content, arrive.
const FIRST: usize = 4 * 1024;
/// From how many bytes on a transmission is worth its own slices in a write, and not copied.
const LARGE: usize = 16 * 1024;

/// The most slices of one vectored write.
#[cfg(feature = "std")]
const VECTORS: usize = 32;

/// Holds what has arrived and was not used up.
///
/// It begins small, doubles up to 64 KiB whenever a read has filled it, and gives all of that back
/// when it is empty and [`shrink`](Self::shrink) is called.
///
/// ```
/// use smtp_proto::framing::ReadBuffer;
///
/// let mut buffer = ReadBuffer::new(0);
/// # let mut socket: &[u8] = b"220 mx.example.net\r\n250";
/// # use std::io::Read;
/// let bytes = socket.read(buffer.room())?;
/// buffer.filled(bytes);
/// let mut input = buffer.unread(); // `poll_event` moves it on ...
/// # input = &input[20..];
/// let left = input.len();
/// buffer.keep(left); // ... and what it has left comes again, with more
/// assert_eq!(buffer.unread(), b"250");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// What a machine may leave is no more than the half of it, so that to move that to the front makes
    /// room for as much again.
    capacity: usize,
    /// The last read has filled all of it.
    was_filled: bool,
}

impl ReadBuffer {
    /// Creates an empty buffer for a machine that leaves up to `max_unconsumed` bytes.
    pub const fn new(max_unconsumed: usize) -> Self {
        let twice = max_unconsumed.saturating_mul(2);
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            capacity: if twice > FULL { twice } else { FULL },
            was_filled: false,
        }
    }

    /// Returns what has arrived and was not used up.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops all of [`unread`](Self::unread) but its last `left` bytes.
    pub fn keep(&mut self, left: usize) {
        self.start = self.end.saturating_sub(left).max(self.start);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Returns where the next read goes. Empty if so much is unread that nothing more should be.
    pub fn room(&mut self) -> &mut [u8] {
        if self.was_filled || self.end == self.bytes.len() {
            self.make_room();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn make_room(&mut self) {
        self.was_filled = false;
        if self.start > 0 && self.start >= self.bytes.len() / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < self.capacity {
            let grown = self.bytes.len().saturating_mul(2);
            self.bytes.resize(grown.clamp(FIRST, self.capacity), 0);
        }
    }

    /// Reports that a read has put so many bytes into [`room`](Self::room).
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.bytes.len());
        self.was_filled = bytes > 0 && self.end == self.bytes.len();
    }

    /// Gives back the memory that only busy connections need.
    pub fn shrink(&mut self) {
        if self.unread().is_empty() && self.bytes.len() > FIRST {
            (self.start, self.end) = (0, 0);
            self.bytes = Vec::new();
        }
    }
}

/// Shows how much there is, and nothing of it.
impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadBuffer({} bytes)", self.unread().len())
    }
}

/// Collects what is ready, so that it leaves in one write.
///
/// [`take`](Self::take) transmissions while there are any, up to 64 KiB, then write
/// [`pending`](Self::pending) and tell [`advance`](Self::advance) how much of it was written. Large
/// transmissions are handed back, to be written as slices after what is pending.
#[derive(Default)]
pub struct WriteBuffer {
    bytes: Vec<u8>,
    written: usize,
}

impl WriteBuffer {
    /// Copies a transmission, and reports it as written at `now`; what is copied must be written, or
    /// else the machine be told by its `write_failed`.
    ///
    /// Hands it back if it is large, or if what is collected is enough for one write.
    pub fn take<'a>(&mut self, transmit: Transmit<'a>, now: Duration) -> Option<Transmit<'a>> {
        let len = transmit.len();
        if len > LARGE || len > FULL.saturating_sub(self.bytes.len()) {
            return Some(transmit);
        }
        for slice in transmit.slices() {
            self.bytes.extend_from_slice(slice);
        }
        transmit.wrote(len, now);
        None
    }

    /// Returns what was collected and not written.
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Returns what was collected and these slices after it, for one vectored write.
    #[cfg(feature = "std")]
    pub fn vectors<'v>(&'v self, slices: &[&'v [u8]]) -> impl Deref<Target = [IoSlice<'v>]> {
        let pending = [self.pending()].into_iter().filter(|it| !it.is_empty());
        let all = pending.chain(slices.iter().copied()).take(VECTORS);
        all.map(IoSlice::new).collect::<SmallVec<[_; VECTORS]>>()
    }

    /// Takes note that so many bytes were written, and returns how many of them came after what was
    /// pending.
    pub fn advance(&mut self, bytes: usize) -> usize {
        let pending = self.pending().len();
        if bytes < pending {
            self.written += bytes;
            return 0;
        }
        self.bytes.clear();
        self.written = 0;
        bytes - pending
    }

    /// Gives back the memory that only busy connections need.
    pub fn shrink(&mut self) {
        if self.pending().is_empty() && self.bytes.capacity() > FIRST {
            self.bytes = Vec::new();
        }
    }
}

/// Shows how much there is, and nothing of it: credentials may be among it.
impl fmt::Debug for WriteBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteBuffer({} bytes)", self.pending().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads as much as fits, and uses all of it but `left` bytes.
    fn read_all(buffer: &mut ReadBuffer, left: usize) -> usize {
        let room = buffer.room().len();
        buffer.filled(room);
        buffer.keep(left);
        room
    }

    #[test]
    fn it_grows_while_reads_fill_it_and_gives_that_back() {
        let mut buffer = ReadBuffer::new(0);
        let rooms: Vec<usize> = (0..6).map(|_| read_all(&mut buffer, 0)).collect();
        assert_eq!(rooms, [4096, 8192, 16_384, 32_768, 65_536, 65_536]);
        buffer.filled(10);
        assert_eq!(
            buffer.room().len(),
            65_526,
            "nothing is lost by an early shrink"
        );
        buffer.shrink();
        assert_eq!(buffer.unread().len(), 10);
        buffer.keep(0);
        buffer.shrink();
        assert_eq!(buffer.room().len(), 4096);
    }

    #[test]
    fn it_stays_small_where_reads_do_not_fill_it() {
        let mut buffer = ReadBuffer::new(0);
        for _ in 0..10 {
            assert_eq!(buffer.room().len(), 4096);
            buffer.filled(4095);
            buffer.keep(0);
        }
    }

    #[test]
    fn what_is_left_comes_again_with_more_after_it() {
        let mut buffer = ReadBuffer::new(100);
        let (mut next, mut expected) = (0_u8, 0_u8);
        for round in 0..200_usize {
            for byte in buffer.room() {
                *byte = next;
                next = next.wrapping_add(1);
            }
            let room = buffer.room().len();
            assert!(room > 0);
            buffer.filled(room);
            let left = round % 100;
            let used = buffer.unread().len() - left;
            for &byte in &buffer.unread()[..used] {
                assert_eq!(byte, expected);
                expected = expected.wrapping_add(1);
            }
            buffer.keep(left);
            assert_eq!(buffer.unread().len(), left);
        }
    }

    #[test]
    fn it_is_full_when_nothing_is_used() {
        let mut buffer = ReadBuffer::new(0);
        let mut all = 0;
        while !buffer.room().is_empty() {
            let room = buffer.room().len();
            buffer.filled(room);
            all += room;
        }
        assert_eq!(all, FULL);
        assert_eq!(buffer.unread().len(), FULL);
    }
}
