//! What a machine wants written, as slices, and the report of what was.

use core::time::Duration;

use smallvec::SmallVec;

/// The slices of one [`Transmit`]. Up to sixteen need no heap.
pub(crate) type Slices<'a> = SmallVec<[&'a [u8]; 16]>;

/// Takes the report of a write.
///
/// The half of a machine that keeps account implements it; the other half, which owns the bytes,
/// stays borrowed by the [`Transmit`].
pub(crate) trait Progress: Send {
    /// Records that the first `bytes` of `slices` were taken by the transport at `now`. Returns how
    /// many bytes of the caller's body were among them.
    fn sent(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize;
}

/// Lists the bytes that a machine wants written next, in order.
///
/// Write as many as the transport takes, in one vectored write or by [`copy_to`](Self::copy_to),
/// and report the number to [`sent`](Self::sent). What was not reported is offered again by the
/// next `poll_transmit`. Dropping a `Transmit` without a report is allowed; the machine then
/// counts none of it as sent, but all of it as offered: a message whose last byte it held is in
/// doubt should the connection die.
///
/// Never empty slices; no slices at all when there is nothing to write now, which is also the
/// moment to flush a buffering transport.
#[must_use = "what is not written and reported is offered again"]
pub struct Transmit<'a> {
    slices: Slices<'a>,
    len: usize,
    progress: &'a mut dyn Progress,
}

impl<'a> Transmit<'a> {
    pub(crate) fn new(slices: Slices<'a>, progress: &'a mut dyn Progress) -> Self {
        debug_assert!(slices.iter().all(|slice| !slice.is_empty()));
        let len = slices.iter().map(|slice| slice.len()).sum();
        Self {
            slices,
            len,
            progress,
        }
    }

    /// Reports that the transport took the first `bytes` of this transmission at `now`.
    ///
    /// Call it after every write, short ones included. A number beyond [`len`](Self::len) counts
    /// as `len`. Returns how many bytes of the body given to the client's `poll_transmit` were
    /// consumed: present the body from there on the next time. A server's transmission holds no
    /// body and always returns 0.
    pub fn sent(self, bytes: usize, now: Duration) -> usize {
        self.progress.sent(bytes.min(self.len), &self.slices, now)
    }

    /// Copies as much as fits into `buffer` and returns how much that was.
    ///
    /// For transports without vectored writes. The bytes still have to be reported to
    /// [`sent`](Self::sent) once they are written.
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

    /// Returns how many bytes there are to write.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is nothing to write now.
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
