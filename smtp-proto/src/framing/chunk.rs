//! Content that a count announces (BDAT, RFC 3030 section 2).

/// Counts the bytes of one announced chunk.
///
/// The bytes are raw: no line means anything among them (3030-2-e).
///
/// ```
/// use smtp_proto::framing::ChunkReader;
///
/// let mut chunk = ChunkReader::new(6);
/// let mut input: &[u8] = b"a\r\n.\r\nQUIT\r\n";
/// assert_eq!(chunk.take(&mut input), b"a\r\n.\r\n");
/// assert!(chunk.is_complete());
/// assert_eq!(input, b"QUIT\r\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ChunkReader {
    remaining: u64,
}

impl ChunkReader {
    /// Expects `size` bytes. A size of 0 is complete at once.
    pub fn new(size: u64) -> Self {
        Self { remaining: size }
    }

    /// Takes what `input` holds of the chunk, and moves `input` past it.
    ///
    /// Returns an empty slice if `input` is empty or the chunk is complete.
    pub fn take<'i>(&mut self, input: &mut &'i [u8]) -> &'i [u8] {
        let taken = self.peek(input);
        *input = input.get(taken.len()..).unwrap_or_default();
        self.advance(taken.len());
        taken
    }

    /// Returns what `input` holds of the chunk, without taking it.
    pub fn peek<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        input.get(..wanted).unwrap_or(input)
    }

    /// Accepts that so many bytes of what [`peek`](Self::peek) returned were taken.
    pub fn advance(&mut self, bytes: usize) {
        self.remaining = self.remaining.saturating_sub(bytes as u64);
    }

    /// Returns how many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Tells whether every byte of the chunk was taken.
    pub fn is_complete(&self) -> bool {
        self.remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3030-2-e: a line of one dot is content like any other.
    #[test]
    fn takes_the_same_bytes_at_every_split() {
        let wire = b"a\r\n.\r\nQUIT\r\n";
        for split in 0..=wire.len() {
            let mut chunk = ChunkReader::new(6);
            let mut taken = alloc::vec::Vec::new();
            let mut left = alloc::vec::Vec::new();
            for mut input in [&wire[..split], &wire[split..]] {
                taken.extend_from_slice(chunk.take(&mut input));
                left.extend_from_slice(input);
            }
            assert_eq!(taken, b"a\r\n.\r\n", "split at {split}");
            assert_eq!(left, b"QUIT\r\n", "split at {split}");
            assert!(chunk.is_complete());
        }
    }

    #[test]
    fn counts_beyond_the_address_space() {
        let mut chunk = ChunkReader::new(u64::MAX);
        let mut input: &[u8] = b"abc";
        assert_eq!(chunk.take(&mut input), b"abc");
        assert_eq!(chunk.remaining(), u64::MAX - 3);
        assert!(!chunk.is_complete());
        assert!(ChunkReader::new(0).is_complete());
    }
}
