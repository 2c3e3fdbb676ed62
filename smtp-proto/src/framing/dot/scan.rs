//! The one search that both directions share.

use memchr::memchr2;

/// How many bytes the close search takes at a time, and the fast one.
const NEAR: usize = 64;
pub(super) const FAR: usize = 256;
/// Fewer bytes than this are searched one by one.
const SHORT: usize = 16;
/// How often the close search goes alone: where dots are dense, it meets the next one sooner.
const CLOSE: usize = 2;

/// Goes over a chunk of content and finds where it needs a look.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    /// The marks of the last [`NEAR`] indices before `end`, the lowest bit for the first of them.
    marks: u64,
    end: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            marks: 0,
            end: 0,
        }
    }

    /// Returns how far the bytes from `from` on go over the wire as they are.
    ///
    /// `from` stands within a line, and after whatever was returned before. Up to the index
    /// returned there is no bare CR, no bare LF, and no dot at the beginning of a line; that index
    /// does not part CR and LF. What follows is to be looked at byte by byte until it is within a
    /// line again.
    #[inline]
    pub(super) fn plain(&mut self, from: usize) -> usize {
        if let None | Some(b'\n') = self.bytes.get(from) {
            return from;
        }
        let at = self.next_mark(from);
        match self.bytes.get(from..at).and_then(<[u8]>::last) {
            Some(b'\r') => at.saturating_sub(1),
            _ => at,
        }
    }

    /// Returns the first index from `from` on that has a mark, or, without one, about the last that
    /// can be told to have none, because a mark depends on the two bytes after it. In the short
    /// rest of a chunk every CR and every LF counts as marked.
    fn next_mark(&mut self, from: usize) -> usize {
        if let Some(mark) = self.known(from) {
            return mark;
        }
        let limit = self.bytes.len().saturating_sub(2);
        let mut at = from.max(self.end);
        let mut near = CLOSE;
        while limit.saturating_sub(at) >= NEAR {
            if near == 0 {
                while shifted::<FAR>(self.bytes, at).is_some_and(|bytes| !is_any_marked(bytes)) {
                    at += FAR;
                }
                near = FAR / NEAR;
                continue;
            }
            near -= 1;
            self.look(at);
            if let Some(mark) = self.known(at) {
                return mark;
            }
            at += NEAR;
        }
        if let Some(last) = limit.checked_sub(NEAR).filter(|_| at < limit) {
            // Less than a stride is left: take it with some that was seen before.
            self.look(last);
            return self.known(at).unwrap_or(limit);
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        let end = match rest.len() {
            // To call the search costs more than to look.
            ..SHORT => rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')),
            _ => memchr2(b'\r', b'\n', rest),
        };
        at + end.unwrap_or(rest.len())
    }

    /// Returns the first index from `from` on that [`look`](Self::look) marked.
    #[inline]
    fn known(&self, from: usize) -> Option<usize> {
        let left = self.end.checked_sub(from)?;
        let passed = u32::try_from(NEAR.checked_sub(left)?).ok()?;
        let marks = self.marks.checked_shr(passed).filter(|marks| *marks != 0)?;
        Some(from + marks.trailing_zeros() as usize)
    }

    /// Marks the [`NEAR`] indices from `at` on.
    fn look(&mut self, at: usize) {
        let Some(bytes) = shifted::<NEAR>(self.bytes, at) else {
            return;
        };
        let mut found = [0; NEAR];
        for (to, mark) in found.iter_mut().zip(marks(bytes)) {
            *to = mark;
        }
        self.end = at + NEAR;
        self.marks = pack(&found);
    }
}

/// Returns the `N` bytes from `at` on, and as many from one and from two further on.
pub(super) fn shifted<const N: usize>(bytes: &[u8], at: usize) -> Option<[&[u8; N]; 3]> {
    let a = bytes.get(at..)?;
    let b = a.get(1..)?;
    let c = b.get(1..)?;
    Some([a.first_chunk()?, b.first_chunk()?, c.first_chunk()?])
}

/// Marks the first of three bytes: 1 for a CR without LF, for the byte before an LF without CR,
/// and for the CR before LF and a dot. Without branches, and all in bytes, to suit vectors.
#[inline(always)]
pub(super) fn mark(a: u8, b: u8, c: u8) -> u8 {
    let cr = u8::from(a == b'\r');
    (cr ^ u8::from(b == b'\n')) | (cr & u8::from(c == b'.'))
}

#[inline(always)]
fn marks<'a, const N: usize>([a, b, c]: [&'a [u8; N]; 3]) -> impl Iterator<Item = u8> + use<'a, N> {
    a.iter().zip(b).zip(c).map(|((a, b), c)| mark(*a, *b, *c))
}

fn is_any_marked(bytes: [&[u8; FAR]; 3]) -> bool {
    marks(bytes).fold(0, |all, mark| all | mark) != 0
}

/// Packs bytes that are 0 or 1 into bits.
fn pack(bytes: &[u8; NEAR]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let words = || words.iter().map(|word| u64::from_le_bytes(*word));
    if words().fold(0, |all, word| all | word) == 0 {
        return 0;
    }
    // The product has the lowest bit of byte n at bit 56 + n, and no carries from below.
    let bits = words().map(|word| word.wrapping_mul(0x0102_0408_1020_4080) >> 56);
    bits.zip((0..).step_by(8))
        .fold(0, |all, (bits, place)| all | bits << place)
}
