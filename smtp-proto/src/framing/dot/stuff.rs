//! Sending: every line that begins with a dot gets one more.

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::line_breaks::{BareByte, BareLineBreak, LineBreaks};
use super::scan::Scan;

/// The most slices in a plan; what needs more is copied.
const SLICES: usize = 12;
/// A plan that comes this far with its slices copies nothing.
const WORTH_SLICES: usize = 8 * 1024;
/// The most bytes that a plan copies.
const SCRATCH: usize = 16 * 1024;
/// How many bytes of a chunk a plan covers: at first, at least, at most. What a short write leaves
/// over is looked at again, so a plan reaches twice as far as the last write took.
const FIRST_REACH: usize = 64 * 1024;
const LEAST_REACH: usize = 512;
const REACH: usize = 1024 * 1024;

/// Prepares one message's content for the wire, in chunks of any size, without copying it.
///
/// Plan with [`stuff`](Self::stuff), write, report with [`advance`](Self::advance), present the
/// rest of the chunk, and at the end of the content write [`end_after`](Self::end_after). Made by
/// [`new`](Self::new) it serves DATA; made by [`plain`](Self::plain) it stuffs no dots and serves
/// BDAT.
///
/// ```
/// use smtp_proto::framing::{DotStuffer, LineBreaks};
///
/// let mut stuffer = DotStuffer::new(LineBreaks::Refuse);
/// let (mut scratch, mut slices) = (Vec::new(), Vec::new());
/// let content = b"one\r\n.two\r\n";
/// let stuffed = stuffer.stuff(content, &mut scratch, &mut slices)?;
/// assert_eq!((stuffed.chunk_bytes, stuffed.wire_bytes), (11, 12));
/// assert_eq!(slices.concat(), b"one\r\n..two\r\n");
/// assert_eq!(stuffer.advance(&slices, 12), 11);
/// assert_eq!(stuffer.end_after(b"")?, b".\r\n");
/// # Ok::<(), smtp_proto::framing::BareLineBreak>(())
/// ```
#[derive(Clone, Debug)]
pub struct DotStuffer {
    line_breaks: LineBreaks,
    dots: bool,
    state: State,
    /// How many bytes of the content were advanced over.
    position: u64,
    /// How far the next plan may reach, so that looking ahead stays in proportion to what is sent.
    reach: usize,
    /// Where in the last pla bytes stand that the chunk does not hold.
    inserted: Vec<u32>,
}

/// Where the bytes written so far leave the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    /// At the start of a line, the dot that was added written, the line's own not yet.
    Dotted,
    AfterCr,
    Inside,
}

/// Measures what [`DotStuffer::stuff`] planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuffed {
    /// How many bytes of the chunk the plan covers. It may be fewer than all, but not 0 of a
    /// chunk that is not empty.
    pub chunk_bytes: usize,
    /// How many bytes the plan writes.
    pub wire_bytes: usize,
}

/// What becomes of the content's next byte.
enum Step {
    /// It goes out as it is.
    Pass(State),
    /// This goes out first; then the byte is looked at again.
    Insert(&'static [u8; 1], State),
    /// The one before it, or itself, must not go out.
    Refuse(BareLineBreak),
}

impl DotStuffer {
    /// Begins a message's content that a line of one dot ends.
    pub fn new(line_breaks: LineBreaks) -> Self {
        Self {
            line_breaks,
            dots: true,
            state: State::LineStart,
            position: 0,
            reach: FIRST_REACH,
            inserted: Vec::new(),
        }
    }

    /// Begins a message's content that a count announces: line breaks are watched, dots are not.
    pub fn plain(line_breaks: LineBreaks) -> Self {
        Self {
            dots: false,
            ..Self::new(line_breaks)
        }
    }

    /// Plans the bytes to write for `chunk`, and appends them to `slices`.
    ///
    /// At most twelve slices, none of them empty, nearly all of them out of `chunk`. Where dot-lines
    /// are dense they are copied to `scratch`, which is cleared first and grows to at most 16 KiB.
    /// A plan that is dropped costs nothing: plan again.
    ///
    /// # Errors
    ///
    /// Under [`LineBreaks::Refuse`], when `chunk` begins with a bare LF or with a CR that is bare,
    /// or when it shows that the CR before it is. A plan ends before a byte that is refused, so
    /// the error comes once everything before it was advanced over. It comes again at each call.
    pub fn stuff<'a, S: Extend<&'a [u8]>>(
        &mut self,
        chunk: &'a [u8],
        scratch: &'a mut Vec<u8>,
        slices: &mut S,
    ) -> Result<Stuffed, BareLineBreak> {
        scratch.clear();
        let mut inserted = core::mem::take(&mut self.inserted);
        inserted.clear();
        let chunk = chunk.get(..self.reach).unwrap_or(chunk);
        let mut plan = Plan::new(chunk, scratch, inserted);
        let end = match self.walk(chunk, |at, byte| plan.insert(at, byte)) {
            Ok(end) => end,
            // What stands before it can still go.
            Err(refused) => match refused.at.checked_sub(self.position) {
                None | Some(0) => return Err(refused),
                Some(before) => usize::try_from(before).unwrap_or(usize::MAX),
            },
        };
        let wire_bytes;
        (wire_bytes, self.inserted) = plan.finish(end, slices);
        Ok(Stuffed {
            chunk_bytes: end,
            wire_bytes,
        })
    }

    /// Plans bytes that go over the wire as they are, as [`measure`](Self::measure) has just found.
    pub(crate) fn pass<'a, S: Extend<&'a [u8]>>(
        &mut self,
        chunk: &'a [u8],
        slices: &mut S,
    ) -> Stuffed {
        self.inserted.clear();
        slices.extend(Some(chunk).filter(|chunk| !chunk.is_empty()));
        Stuffed {
            chunk_bytes: chunk.len(),
            wire_bytes: chunk.len(),
        }
    }

    /// Returns how many bytes the whole of `chunk` takes on the wire, for a count that must be
    /// sent ahead of it.
    ///
    /// # Errors
    ///
    /// As [`stuff`](Self::stuff), but wherever in `chunk` the violation is.
    pub fn measure(&self, chunk: &[u8]) -> Result<usize, BareLineBreak> {
        let mut inserted: usize = 0;
        self.walk(chunk, |_, _| {
            inserted = inserted.saturating_add(1);
            true
        })?;
        Ok(chunk.len().saturating_add(inserted))
    }

    /// Accepts that the first `wire` bytes of the last plan were written, and returns how many
    /// bytes of the chunk they took: present what follows those the next time.
    ///
    /// `planned` are the slices that [`stuff`](Self::stuff) appended. The write may end anywhere,
    /// also between a dot and the one added to it.
    pub fn advance(&mut self, planned: &[&[u8]], wire: usize) -> usize {
        let total = planned.iter().map(|slice| slice.len()).sum();
        let wire = wire.min(total);
        let Some(last) = byte_before(planned, wire) else {
            return 0;
        };
        self.reach = if wire == total {
            self.reach.saturating_mul(2).min(REACH)
        } else {
            wire.saturating_mul(2).clamp(LEAST_REACH, REACH)
        };
        let added = self.inserted.partition_point(|at| (*at as usize) < wire);
        let newest = self.inserted.get(..added).and_then(<[u32]>::last);
        let last_is_added = newest.is_some_and(|at| *at as usize + 1 == wire);
        self.state = match byte_before(planned, wire.saturating_sub(1)) {
            _ if last == b'.' && last_is_added => State::Dotted,
            Some(before) => self.after(&[before, last]),
            None => self.after(&[last]),
        };
        self.inserted.clear();
        let consumed = wire.saturating_sub(added);
        self.position = self.position.saturating_add(consumed as u64);
        consumed
    }

    /// Returns the bytes to write after the last byte of the content.
    ///
    /// `chunk` is what was planned as a whole but not advanced over yet; empty if there is no such
    /// thing. Content that does not end in CR LF gets one (5321-4.1.1.4-e), other content does not
    /// (5321-4.1.1.4-d). [`plain`](Self::plain) content needs nothing, unless its last CR is to
    /// be made CR LF.
    ///
    /// # Errors
    ///
    /// Under [`LineBreaks::Refuse`], when the content ends in CR.
    pub fn end_after(&self, chunk: &[u8]) -> Result<&'static [u8], BareLineBreak> {
        Ok(match (self.after(chunk), self.line_breaks) {
            (State::AfterCr, LineBreaks::Refuse) => {
                return Err(BareLineBreak {
                    byte: BareByte::Cr,
                    at: self
                        .position
                        .saturating_add(chunk.len() as u64)
                        .saturating_sub(1),
                });
            }
            (State::AfterCr, LineBreaks::Normalize) if !self.dots => b"\n",
            _ if !self.dots => b"",
            (State::AfterCr, LineBreaks::Normalize) => b"\n.\r\n",
            (State::LineStart, _) => b".\r\n",
            // A caller that withdrew the dot: the added one must not become the end.
            (State::Dotted, _) => b".\r\n.\r\n",
            (State::AfterCr | State::Inside, _) => b"\r\n.\r\n",
        })
    }

    /// Goes over `chunk` and calls `insert` with what is to stand in front of which index, until
    /// that returns false. Returns how far it came.
    fn walk(
        &self,
        chunk: &[u8],
        mut insert: impl FnMut(usize, &'static [u8; 1]) -> bool,
    ) -> Result<usize, BareLineBreak> {
        if !self.dots && self.line_breaks == LineBreaks::Keep {
            return Ok(chunk.len());
        }
        let mut scan = Scan::new(chunk);
        let mut state = self.state;
        let mut at = 0;
        while let Some(byte) = chunk.get(at) {
            match self.step(state, *byte, at) {
                Step::Pass(next) => {
                    state = next;
                    at += 1;
                }
                Step::Insert(byte, next) => {
                    if !insert(at, byte) {
                        break;
                    }
                    state = next;
                }
                Step::Refuse(refused) => return Err(refused),
            }
            if state != State::Inside {
                continue;
            }
            at = scan.plain(at);
            // What a mark in sound content is, without the detour over three steps: 5321-4.5.2-a.
            while self.dots && matches!(chunk.get(at..), Some([b'\r', b'\n', b'.', ..])) {
                if !insert(at + 2, b".") {
                    return Ok(at);
                }
                at = scan.plain(at + 3);
            }
        }
        Ok(at)
    }

    fn step(&self, state: State, byte: u8, at: usize) -> Step {
        match (state, byte, self.line_breaks) {
            // 5321-4.5.2-a
            (State::LineStart, b'.', _) if self.dots => Step::Insert(b".", State::Dotted),
            (State::Dotted, b'.', _) => Step::Pass(State::Inside),
            // A caller that presents something else than before: the dot is paid all the same.
            (State::Dotted, ..) => Step::Insert(b".", State::Inside),
            (State::AfterCr, b'\n', _) => Step::Pass(State::LineStart),
            (State::AfterCr, _, LineBreaks::Refuse) => Step::Refuse(BareLineBreak {
                byte: BareByte::Cr,
                at: self.position.saturating_add(at as u64).saturating_sub(1),
            }),
            (State::AfterCr, _, LineBreaks::Normalize) => Step::Insert(b"\n", State::LineStart),
            (_, b'\r', _) => Step::Pass(State::AfterCr),
            (_, b'\n', LineBreaks::Refuse) => Step::Refuse(BareLineBreak {
                byte: BareByte::Lf,
                at: self.position.saturating_add(at as u64),
            }),
            (_, b'\n', LineBreaks::Normalize) => Step::Insert(b"\r", State::AfterCr),
            _ => Step::Pass(State::Inside),
        }
    }

    /// Returns the state after `bytes` of the content; the last two of them suffice.
    fn after(&self, bytes: &[u8]) -> State {
        match bytes {
            [] => self.state,
            [.., b'\r'] => State::AfterCr,
            [.., b'\r', b'\n'] => State::LineStart,
            [b'\n'] if self.state == State::AfterCr => State::LineStart,
            [.., b'\n'] if self.line_breaks == LineBreaks::Normalize => State::LineStart,
            _ => State::Inside,
        }
    }
}

/// Returns the byte before index `end` of what `slices` hold together.
fn byte_before(slices: &[&[u8]], end: usize) -> Option<u8> {
    let mut index = end.checked_sub(1)?;
    slices.iter().find_map(|slice| {
        let byte = slice.get(index).copied();
        index = index.wrapping_sub(slice.len());
        byte
    })
}

/// The slices of one call of [`DotStuffer::stuff`], as they grow.
struct Plan<'a> {
    chunk: &'a [u8],
    /// From where on `chunk` is in no slice yet.
    from: usize,
    slices: SmallVec<[&'a [u8]; SLICES]>,
    scratch: &'a mut Vec<u8>,
    copies: bool,
    wire: usize,
    inserted: Vec<u32>,
}

impl<'a> Plan<'a> {
    fn new(chunk: &'a [u8], scratch: &'a mut Vec<u8>, inserted: Vec<u32>) -> Self {
        Self {
            chunk,
            from: 0,
            slices: SmallVec::new(),
            scratch,
            copies: false,
            wire: 0,
            inserted,
        }
    }

    /// Puts `byte` in front of index `at` of the chunk; false if the plan is full.
    #[inline]
    fn insert(&mut self, at: usize, byte: &'static [u8; 1]) -> bool {
        let before = self.chunk.get(self.from..at).unwrap_or_default();
        // Where the content goes on with the same byte, that one serves: a slice ends after it,
        // and the next begins with it again.
        let (run, added) = match self.chunk.get(self.from..=at) {
            Some(run) if run.last() == byte.first() => (run, &[][..]),
            _ => (before, &byte[..]),
        };
        // Room for the two, and for what follows.
        if !self.copies && self.slices.len() + 3 > SLICES {
            if at >= WORTH_SLICES {
                return false;
            }
            self.copy_slices();
        }
        if !self.copies {
            self.push(run);
            self.push(added);
        } else if self.scratch.len() + before.len() < SCRATCH {
            self.scratch.extend_from_slice(run);
            self.scratch.extend_from_slice(added);
        } else {
            return false;
        }
        let position = self.wire.saturating_add(before.len());
        // A plan is far shorter than 4 GiB: see `REACH`.
        self.inserted
            .push(u32::try_from(position).unwrap_or(u32::MAX));
        self.wire = position.saturating_add(1);
        self.from = at;
        true
    }

    #[cold]
    fn copy_slices(&mut self) {
        self.copies = true;
        self.scratch.reserve_exact(SCRATCH);
        for slice in self.slices.drain(..) {
            self.scratch.extend_from_slice(slice);
        }
    }

    fn push(&mut self, slice: &'a [u8]) {
        if !slice.is_empty() {
            self.slices.push(slice);
        }
    }

    /// Closes the plan in front of index `end` of the chunk.
    fn finish(mut self, end: usize, slices: &mut impl Extend<&'a [u8]>) -> (usize, Vec<u32>) {
        let run = self.chunk.get(self.from..end).unwrap_or_default();
        self.push(run);
        let scratch: &'a [u8] = self.scratch;
        slices.extend(Some(scratch).filter(|scratch| !scratch.is_empty()));
        slices.extend(self.slices);
        (self.wire.saturating_add(run.len()), self.inserted)
    }
}
