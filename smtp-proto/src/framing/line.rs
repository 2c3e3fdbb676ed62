//! Lines of bounded length, cut from a stream that arrives in pieces.

use memchr::memchr;

use super::work;

/// Cuts lines from the bytes that a peer sends.
///
/// Only CR LF ends a line (5321-2.3.8-a). An unfinished line stays in the caller's buffer: present
/// it again, at the same place, with more after it. What was searched is not searched again, so
/// reading byte by byte takes time linear in their number.
///
/// ```
/// use smtp_proto::framing::{Line, LineReader};
///
/// let mut lines = LineReader::default();
/// let mut input: &[u8] = b"NOOP\r";
/// assert_eq!(lines.next(&mut input, 512), None);
/// let mut input: &[u8] = b"NOOP\r\nQUIT\r\n";
/// assert_eq!(lines.next(&mut input, 512), Some(Line::Complete(b"NOOP")));
/// assert_eq!(input, b"QUIT\r\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LineReader {
    /// How many bytes of the unfinished line are known to hold no CR LF.
    scanned: usize,
    /// How much of an over-long line was dropped.
    discarded: u64,
    discarding: bool,
    /// Whether the last byte that was dropped is a CR.
    after_cr: bool,
    /// Whether the line that was searched last holds an LF without a CR before it.
    has_bare_lf: bool,
}

/// A unit that [`LineReader::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'i> {
    /// Holds a line without its CR LF. Bare CR and bare LF may be in it: parsers refuse them.
    Complete(&'i [u8]),
    /// Stands for a line that was longer than the limit; nothing of it is kept.
    TooLong,
}

impl LineReader {
    /// Returns the next line, and moves `input` past it.
    ///
    /// `limit` is the longest line allowed in bytes, its CR LF included. `None` means that the
    /// line is unfinished. What is left of `input` is then the beginning of that line, shorter than
    /// `limit`, and wants to be presented again. Of a line beyond the limit nothing is left: it is
    /// consumed as it comes, and reported once, as [`Line::TooLong`], at its end.
    #[inline]
    pub fn next<'i>(&mut self, input: &mut &'i [u8], limit: usize) -> Option<Line<'i>> {
        if self.discarding {
            return self.discard_to_end(input);
        }
        self.discarded = 0;
        self.has_bare_lf &= self.scanned > 0;
        let Some((line, rest)) = self.split(input) else {
            if input.len() >= limit {
                self.discard(input);
            } else {
                self.scanned = input.len();
            }
            return None;
        };
        let length = input.len().saturating_sub(rest.len());
        *input = rest;
        self.scanned = 0;
        if length <= limit {
            return Some(Line::Complete(line));
        }
        self.discarded = length as u64;
        Some(Line::TooLong)
    }

    /// Returns whether the line that is arriving is beyond the limit.
    pub fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// Returns whether the line that [`next`](Self::next) returned last, or that is arriving, holds an
    /// LF that no CR stands before.
    pub fn has_bare_lf(&self) -> bool {
        self.has_bare_lf
    }

    /// Returns how many bytes of an over-long line were dropped so far.
    ///
    /// Counts the line that is arriving, or the one that [`Line::TooLong`] just reported; 0 for
    /// other lines. A peer that sends without end is to be cut off by it.
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Splits `input` into the line, without CR LF, and what follows.
    #[inline]
    fn split<'i>(&mut self, input: &'i [u8]) -> Option<(&'i [u8], &'i [u8])> {
        let mut at = self.scanned.min(input.len());
        work::search(input.get(at..)?);
        loop {
            at += memchr(b'\n', input.get(at..)?)? + 1;
            let (through_lf, rest) = input.split_at_checked(at)?;
            match through_lf.strip_suffix(b"\r\n") {
                Some(line) => return Some((line, rest)),
                None => self.has_bare_lf = true,
            }
        }
    }

    /// Drops what has come of a line beyond the limit.
    fn discard(&mut self, input: &mut &[u8]) {
        if let Some(last) = input.last() {
            self.after_cr = *last == b'\r';
        }
        self.discarding = true;
        self.scanned = 0;
        self.discarded = self.discarded.saturating_add(input.len() as u64);
        *input = &[];
    }

    /// Drops what has come of the rest of such a line, and returns it at its end.
    #[cold]
    fn discard_to_end<'i>(&mut self, input: &mut &'i [u8]) -> Option<Line<'i>> {
        let rest = match *input {
            [b'\n', rest @ ..] if self.after_cr => Some(rest),
            bytes => self.split(bytes).map(|(_, rest)| rest),
        };
        let Some(rest) = rest else {
            self.discard(input);
            return None;
        };
        let length = input.len().saturating_sub(rest.len());
        self.discarded = self.discarded.saturating_add(length as u64);
        self.discarding = false;
        self.after_cr = false;
        *input = rest;
        Some(Line::TooLong)
    }
}

/// Returns where the first control character up to CR is: what may end a line, or must not be in one.
///
/// Eight bytes at a time, as lines are short, and mostly hold no such character but at their ends.
#[inline]
pub(crate) fn find_control(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const PAST_CR: u64 = EACH * (b'\r' as u64 + 1);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // The lowest high bit that is set is that of the first byte which is less; those above may be
        // wrong, by a borrow.
        let less = word.wrapping_sub(PAST_CR) & !word & (EACH << 7);
        if less != 0 {
            return Some(at + less.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let found = rest.iter().position(|byte| *byte <= b'\r')?;
    Some(at + found)
}

#[cfg(test)]
mod tests;
