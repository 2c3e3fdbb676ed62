//! What is written: commands and content in the order of the wire, and what of it has left.
//!
//! Positions count every byte of the stream, content included, so that a command, the end of a
//! message and what the transport was offered can be told apart by comparing numbers.

use alloc::vec::Vec;
use core::mem;

use super::{content::Piece, transaction::TransactionId};
use crate::{
    framing::{BareLineBreak, DotStuffer, LineBreaks, Slices},
    machine::limits,
};

/// The bytes that a client wants written.
#[derive(Default)]
pub(super) struct Buffers {
    /// Commands, and the ends of contents.
    pub(super) commands: Vec<u8>,
    /// Content that had to be rewritten.
    pub(super) scratch: Vec<u8>,
}

/// Shows no bytes: there may be credentials among them.
impl core::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Buffers")
            .field("bytes", &self.commands.len())
            .finish_non_exhaustive()
    }
}

/// Keeps the account of what is written.
#[derive(Debug)]
pub(super) struct Writer {
    /// What has not left, in the order of the wire. There is one content in it at most.
    segments: Vec<Segment>,
    /// How many bytes of [`Buffers::commands`] have left.
    taken: usize,
    /// How many bytes of the stream have left.
    left: u64,
    /// Up to where they have been offered to the transport, and not been taken back.
    offered: u64,
    /// Where what was rendered ends.
    end: u64,
    /// How the content that is open goes on.
    stuffer: DotStuffer,
    plan: Plan,
    /// The content was measured for this transmission, and needs nothing but to be written.
    is_measured: bool,
    condition: Condition,
    /// There are credentials among the commands, to be overwritten once they have left.
    has_secrets: bool,
}

/// A stretch of the stream.
#[derive(Debug)]
enum Segment {
    /// So many bytes of [`Buffers::commands`].
    Commands(usize),
    /// So many of them, which are a content of this transaction.
    Kept(TransactionId, usize),
    /// Bytes of the caller's.
    Content(Content),
}

impl Segment {
    /// Returns how many bytes of [`Buffers::commands`] it has, unless it has none by its kind.
    fn rendered(&self) -> Option<usize> {
        match self {
            Self::Commands(bytes) | Self::Kept(_, bytes) => Some(*bytes),
            Self::Content(_) => None,
        }
    }
}

/// A content, or a chunk of one, that has begun and has not wholly left.
#[derive(Debug)]
struct Content {
    transaction: TransactionId,
    /// What was announced, if it is a chunk (RFC 3030 2).
    chunk: Option<Chunk>,
    /// How many bytes of the stream it has left, once that is known.
    bytes: Option<usize>,
    /// What the machine adds to it.
    end: &'static [u8],
    /// Its end was planned, and maybe rendered what follows it: nothing of it may change any more.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// How many bytes of the body that it announced have not left.
    body: usize,
    is_last: bool,
}

/// What the last transmission holds of the content.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    /// Whether commands come before it.
    follows_commands: bool,
    /// How many slices and bytes it has.
    slices: usize,
    bytes: usize,
    /// They reach to the end of the content, or of the chunk.
    is_whole: bool,
}

/// Whether anything can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Sound,
    /// A content cannot be completed: more bytes would only make the server take a part for the whole.
    Cut,
    /// The transport has failed.
    Failed,
}

/// What the transport took of a body.
#[derive(Debug)]
pub(super) struct Consumed {
    pub(super) transaction: TransactionId,
    pub(super) bytes: usize,
}

/// Why a content cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It holds a bare CR or LF, at this position.
    LineBreak(u64),
    /// It is not what it was when its size or its end was announced.
    Promise,
    /// It is larger than the server takes, which is this.
    TooLarge(u64),
}

impl From<BareLineBreak> for Broken {
    fn from(broken: BareLineBreak) -> Self {
        Self::LineBreak(broken.at)
    }
}

/// A chunk that can be announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    body: usize,
    bytes: usize,
    end: &'static [u8],
    is_last: bool,
}

impl Measured {
    /// Returns the size that BDAT announces.
    pub(super) fn size(&self) -> usize {
        self.bytes.saturating_add(self.end.len())
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            segments: Vec::new(),
            taken: 0,
            left: 0,
            offered: 0,
            end: 0,
            stuffer: DotStuffer::new(LineBreaks::Refuse),
            plan: Plan::default(),
            is_measured: false,
            condition: Condition::Sound,
            has_secrets: false,
        }
    }

    /// Returns how many bytes of the stream have left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Returns up to where the stream was offered to the transport. What lies before it may have
    /// arrived: a message whose end does is in doubt until its verdict.
    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    /// Returns where the stream ends, as far as it is rendered.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Returns whether commands may be rendered: not too far ahead of the transport, and not after a
    /// content that has no end yet.
    pub(super) fn takes_commands(&self, rendered: usize) -> bool {
        let is_after_end = match self.segments.last() {
            Some(Segment::Content(content)) => content.is_closed,
            Some(Segment::Commands(_) | Segment::Kept(..)) | None => true,
        };
        let unsent = rendered.saturating_sub(self.taken);
        let is_far_ahead = |unsent| unsent >= limits::RENDERED_BYTES;
        self.is_sound()
            && is_after_end
            && !(is_far_ahead(unsent) && is_far_ahead(unsent.saturating_sub(self.kept())))
    }

    /// Returns how many bytes of a kept content have not left.
    fn kept(&self) -> usize {
        let kept = self.segments.iter().find_map(|segment| match segment {
            Segment::Kept(_, bytes) => Some(*bytes),
            Segment::Commands(_) | Segment::Content(_) => None,
        });
        kept.unwrap_or_default()
    }

    /// Returns whether anything can be written at all.
    pub(super) fn is_sound(&self) -> bool {
        self.condition == Condition::Sound
    }

    pub(super) fn is_cut(&self) -> bool {
        self.condition == Condition::Cut
    }

    pub(super) fn has_failed(&self) -> bool {
        self.condition == Condition::Failed
    }

    /// Writes no more, as a content cannot be completed.
    pub(super) fn cut(&mut self) {
        if self.is_sound() {
            self.condition = Condition::Cut;
        }
    }

    /// Writes no more, as the transport has failed. What it has carried out nobody knows: nothing that
    /// was offered is taken back.
    pub(super) fn fail(&mut self) {
        self.condition = Condition::Failed;
    }

    /// Takes note of credentials among the commands.
    pub(super) fn guard(&mut self) {
        self.has_secrets = true;
    }

    /// Adds bytes that were appended to the commands.
    pub(super) fn add(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes as u64);
        match self.segments.last_mut() {
            _ if bytes == 0 => {}
            Some(Segment::Commands(more)) => *more = more.saturating_add(bytes),
            _ => self.segments.push(Segment::Commands(bytes)),
        }
    }

    /// Returns the transaction whose content has begun and has not wholly left.
    pub(super) fn content(&self) -> Option<TransactionId> {
        self.segments.iter().find_map(|segment| match segment {
            Segment::Content(content) => Some(content.transaction),
            Segment::Kept(transaction, _) => Some(*transaction),
            Segment::Commands(_) => None,
        })
    }

    /// Returns the same, if the caller has its bytes.
    pub(super) fn body(&self) -> Option<TransactionId> {
        self.segments.iter().find_map(|segment| match segment {
            Segment::Content(content) => Some(content.transaction),
            Segment::Commands(_) | Segment::Kept(..) => None,
        })
    }

    /// Adds a whole content, which was appended to the commands.
    pub(super) fn add_kept(&mut self, transaction: TransactionId, bytes: usize) {
        self.end = self.end.saturating_add(bytes as u64);
        self.segments.push(Segment::Kept(transaction, bytes));
    }

    /// Begins a message's content, which has no dots to stuff if it goes by chunks.
    pub(super) fn begin(&mut self, line_breaks: LineBreaks, by_chunks: bool) {
        self.stuffer = match by_chunks {
            true => DotStuffer::plain(line_breaks),
            false => DotStuffer::new(line_breaks),
        };
    }

    /// Opens a content that a dot ends.
    pub(super) fn open_content(&mut self, transaction: TransactionId) {
        self.segments.push(Segment::Content(Content {
            transaction,
            chunk: None,
            bytes: None,
            end: b"",
            is_closed: false,
        }));
    }

    /// Measures a chunk. It is to be announced before anything else is.
    pub(super) fn measure(&self, piece: Piece<'_>) -> Result<Measured, Broken> {
        let Piece {
            bytes: body,
            is_last,
            is_plain,
        } = piece;
        let end = match is_last {
            true => self.stuffer.end_after(body)?,
            false => b"",
        };
        Ok(Measured {
            body: body.len(),
            bytes: match is_plain {
                true => body.len(),
                false => self.stuffer.measure(body)?,
            },
            end,
            is_last,
        })
    }

    /// Opens a chunk that was announced, and returns where it will end. One without a body is as good
    /// as a command: its end is returned, to be appended.
    pub(super) fn open_chunk(
        &mut self,
        transaction: TransactionId,
        measured: Measured,
    ) -> (u64, &'static [u8]) {
        let Measured {
            body,
            bytes,
            end,
            is_last,
        } = measured;
        let ends_at = self.end.saturating_add(measured.size() as u64);
        if body == 0 {
            return (ends_at, end);
        }
        self.is_measured = bytes == body;
        self.end = self.end.saturating_add(bytes as u64);
        self.segments.push(Segment::Content(Content {
            transaction,
            chunk: Some(Chunk { body, is_last }),
            bytes: Some(bytes),
            end,
            is_closed: false,
        }));
        (ends_at, b"")
    }

    /// Plans how much of a body is written of the content that is open.
    ///
    /// Returns what is to be appended after it, the first time that this reaches its end.
    pub(super) fn plan<'a>(
        &mut self,
        piece: Piece<'a>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<Option<&'static [u8]>, Broken> {
        let Piece {
            bytes: body,
            is_last,
            ..
        } = piece;
        let Some(content) = self.segments.iter_mut().find_map(|segment| match segment {
            Segment::Content(content) => Some(content),
            Segment::Commands(_) | Segment::Kept(..) => None,
        }) else {
            return Ok(None);
        };
        let (body, reaches_end, end) = match content.chunk {
            // The size, and that it is the last, were announced on the caller's word (BDT-12).
            Some(chunk) if chunk.is_last && (!is_last || body.len() > chunk.body) => {
                return Err(Broken::Promise);
            }
            // A chunk is as long as it was announced, whatever is presented now.
            Some(chunk) => {
                let body = body.get(..chunk.body).unwrap_or(body);
                (body, body.len() == chunk.body, content.end)
            }
            None if is_last => (body, true, self.stuffer.end_after(body)?),
            None => (body, false, &b""[..]),
        };
        // After its end there are commands in the buffer already, rendered for just this end.
        if content.is_closed && (!reaches_end || end != content.end) {
            return Err(Broken::Promise);
        }
        let before = slices.len();
        let stuffed = match self.is_measured {
            // The same bytes, in the same call: a second search would find nothing else.
            true => self.stuffer.pass(body, slices),
            false => self.stuffer.stuff(body, scratch, slices)?,
        };
        let is_whole = reaches_end && stuffed.chunk_bytes == body.len();
        // Where what follows stands was reckoned with so many bytes.
        let is_kept = |bytes| match is_whole {
            true => stuffed.wire_bytes == bytes,
            false => stuffed.wire_bytes <= bytes,
        };
        if !content.bytes.is_none_or(is_kept) {
            slices.truncate(before);
            return Err(Broken::Promise);
        }
        self.plan = Plan {
            follows_commands: false,
            slices: slices.len(),
            bytes: stuffed.wire_bytes,
            is_whole,
        };
        if !is_whole || content.is_closed {
            return Ok(None);
        }
        (content.is_closed, content.end) = (true, end);
        // How long a content is that a dot ends is known only now; a chunk's length was announced.
        if content.bytes.is_none() {
            content.bytes = Some(stuffed.wire_bytes);
            self.end = self.end.saturating_add(stuffed.wire_bytes as u64);
        }
        Ok(Some(end))
    }

    /// Lays out what is offered to the transport: the commands around the slices of the content that
    /// were planned.
    pub(super) fn offer<'a>(&mut self, commands: &'a [u8], slices: &mut Slices<'a>) {
        let unsent = commands.get(self.taken..).unwrap_or_default();
        // The content that the caller has, of which there is one at most, is in the slices already.
        let before = self.segments.iter().map_while(Segment::rendered).sum();
        let (before, after) = unsent.split_at_checked(before).unwrap_or((unsent, &[]));
        self.plan.follows_commands = !before.is_empty();
        if !before.is_empty() {
            slices.insert(0, before);
        }
        // What comes after its end cannot leave before its end does.
        let after = if self.plan.is_whole { after } else { &[] };
        if !after.is_empty() {
            slices.push(after);
        }
        let bytes = [before.len(), self.plan.bytes, after.len()];
        let end = bytes
            .iter()
            .fold(self.left, |end, bytes| end.saturating_add(*bytes as u64));
        // Not lowered: what an earlier offer holds that was not taken back may have left.
        self.offered = self.offered.max(end);
    }

    /// Forgets what was planned, and drops the commands that have left.
    pub(super) fn tidy(&mut self, buffers: &mut Buffers) {
        self.plan = Plan::default();
        self.is_measured = false;
        // What is left over is moved to the front only once that frees a lot: with short writes it would
        // be moved each time.
        if self.taken < buffers.commands.len() && self.taken <= limits::RENDERED_BYTES {
            return;
        }
        // The buffer lives on, and goes to whoever the allocator gives it to next.
        if mem::take(&mut self.has_secrets)
            && let Some(left) = buffers.commands.get_mut(..self.taken)
        {
            left.fill(0);
        }
        buffers
            .commands
            .drain(..self.taken.min(buffers.commands.len()));
        self.taken = 0;
    }

    /// Accounts for bytes that have left, and for those that were offered and have not: they are taken
    /// back.
    pub(super) fn wrote(&mut self, bytes: usize, slices: &[&[u8]]) -> Option<Consumed> {
        let plan = mem::take(&mut self.plan);
        let mut rest = bytes;
        let mut consumed = None;
        while let Some(segment) = self.segments.first_mut() {
            match segment {
                Segment::Commands(_) | Segment::Kept(..) if rest == 0 => break,
                Segment::Commands(unsent) | Segment::Kept(_, unsent) => {
                    let now = rest.min(*unsent);
                    *unsent -= now;
                    rest -= now;
                    self.taken += now;
                    if *unsent > 0 {
                        break;
                    }
                }
                Segment::Content(content) => {
                    let now = rest.min(plan.bytes);
                    let skip = usize::from(plan.follows_commands);
                    let planned = slices.get(skip..skip + plan.slices).unwrap_or_default();
                    let body = self.stuffer.advance(planned, now);
                    rest -= now;
                    content.bytes = content.bytes.map(|bytes| bytes.saturating_sub(now));
                    if let Some(chunk) = &mut content.chunk {
                        chunk.body = chunk.body.saturating_sub(body);
                    }
                    consumed = Some(Consumed {
                        transaction: content.transaction,
                        bytes: body,
                    });
                    if !plan.is_whole || now < plan.bytes {
                        // More of it follows, of nobody knows what length.
                        if content.bytes.is_none() {
                            self.end = self.end.saturating_add(now as u64);
                        }
                        break;
                    }
                }
            }
            self.segments.remove(0);
        }
        // A short write that is reported is proof of what has not left: no doubt about that.
        self.left = self.left.saturating_add(bytes as u64);
        self.offered = self.left;
        consumed
    }

    /// Takes back what was offered.
    pub(super) fn blocked(&mut self) {
        self.offered = self.left;
    }

    pub(super) fn shrink(&mut self, buffers: &mut Buffers) {
        self.tidy(buffers);
        self.segments.shrink_to_fit();
        buffers.commands.shrink_to_fit();
        buffers.scratch = Vec::new();
    }
}
