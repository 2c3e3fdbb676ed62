//! What a machine wants written, as slices, and what became of it.

use core::time::Duration;

use smallvec::SmallVec;

/// The slices of one [`Transmit`]. Up to eight, as nearly all have, need no heap.
pub(crate) type Slices<'a> = SmallVec<[&'a [u8]; 8]>;

/// Takes the word with which a [`Transmit`] ends.
///
/// The half of a machine that keeps account implements it; the other half, which owns the bytes,
/// stays borrowed by the [`Transmit`].
pub(crate) trait Progress: Send {
    /// Records that the first `bytes` of `slices` were taken by the transport at `now`. Returns how
    /// many bytes of the caller's body were among them.
    fn wrote(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize;

    /// Records that the transport took nothing at `now`, and may take something later.
    fn blocked(&mut self, now: Duration);

    /// Records that nothing can be written any more. What was offered may have left.
    fn failed(&mut self);
}

/// Lists the bytes that a machine wants written next, in order.
///
/// Write as many as the transport takes, in one vectored write or by [`copy_to`](Self::copy_to), and
/// say what became of them in one of three words: [`wrote`](Self::wrote), [`blocked`](Self::blocked)
/// or [`failed`](Self::failed). Dropping a `Transmit` says `failed`: a machine that does not know
/// what has left must not go on as if it did. What was not written is offered again by the next
/// `poll_transmit`.
///
/// Holds at least one slice, and none of them is empty.
#[must_use = "dropping it tells the machine that the write failed"]
pub struct Transmit<'a> {
    slices: Slices<'a>,
    len: usize,
    progress: Option<&'a mut dyn Progress>,
}

impl<'a> Transmit<'a> {
    /// Creates a transmission, unless there is nothing to write.
    pub(crate) fn new(slices: Slices<'a>, progress: &'a mut dyn Progress) -> Option<Self> {
        debug_assert!(slices.iter().all(|slice| !slice.is_empty()));
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        (len > 0).then(|| Self {
            slices,
            len,
            progress: Some(progress),
        })
    }

    /// Reports that the transport took the first `bytes` of this transmission at `now`.
    ///
    /// Short writes are reported by it, too. A number beyond [`len`](Self::len) counts as `len`, and
    /// 0 as [`blocked`](Self::blocked). Returns how many bytes of the body given to the client's
    /// `poll_transmit` were consumed: its next `BodyRequest` begins after them. A server's
    /// transmission holds no body, and always returns 0.
    pub fn wrote(mut self, bytes: usize, now: Duration) -> usize {
        let bytes = bytes.min(self.len);
        match self.progress.take() {
            Some(progress) if bytes > 0 => progress.wrote(bytes, &self.slices, now),
            Some(progress) => {
                progress.blocked(now);
                0
            }
            None => 0,
        }
    }

    /// Reports that the transport took nothing at `now`, and may take something later: it would
    /// have blocked, or the write was cancelled before it began.
    pub fn blocked(mut self, now: Duration) {
        if let Some(progress) = self.progress.take() {
            progress.blocked(now);
        }
    }

    /// Reports that the write failed, and so that nothing can be written any more. How much of this
    /// transmission has left is not known.
    ///
    /// The machine goes on reading, as the reason or a verdict may be waiting.
    pub fn failed(self) {}

    /// Copies as much as fits into `buffer` and returns how much that was.
    ///
    /// For transports without vectored writes. What is written from the buffer is still to be
    /// reported.
    pub fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let mut copied = 0;
        for slice in &self.slices {
            let room = buffer.get_mut(copied..).unwrap_or_default();
            let fits = slice.len().min(room.len());
            for (to, from) in room.iter_mut().zip(slice.iter()) {
                *to = *from;
            }
            copied += fits;
        }
        copied
    }

    /// Returns the bytes to write, in order, none of the slices empty.
    pub fn slices(&self) -> &[&'a [u8]] {
        &self.slices
    }

    /// Returns how many bytes there are to write, at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Transmit<'_> {
    fn drop(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.failed();
        }
    }
}

impl core::fmt::Debug for Transmit<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The bytes may hold credentials, so only their number is shown.
        f.debug_struct("Transmit")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
