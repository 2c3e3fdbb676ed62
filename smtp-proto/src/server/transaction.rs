//! One transaction, and what is being received.

use super::event::TransactionId;
use super::pipeline::Answer;
use super::terms::Terms;
use crate::framing::{ChunkReader, DotUnstuffer, LineBreaks};
use crate::syntax::Reply;

/// A transaction from its MAIL to the end of its content.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) terms: Terms,
    /// Whether MAIL has no verdict yet.
    pub(super) sender_open: bool,
    /// How many RCPTs came.
    pub(super) recipients_named: usize,
    /// How many of them have no verdict yet.
    pub(super) recipients_open: usize,
    /// How many of them were accepted.
    pub(super) recipients: usize,
    /// How many bytes of content came or were announced, refused ones too.
    pub(super) bytes: u64,
    /// Says what the content is answered if it is refused. What is still to come is swallowed.
    pub(super) refusal: Option<Answer>,
    /// Watches the line breaks of content that comes in chunks.
    pub(super) chunk_lines: DotUnstuffer,
}

impl Transaction {
    pub(super) fn new(id: TransactionId, terms: Terms, line_breaks: LineBreaks) -> Self {
        Self {
            id,
            terms,
            sender_open: true,
            recipients_named: 0,
            recipients: 0,
            recipients_open: 0,
            bytes: 0,
            refusal: None,
            chunk_lines: DotUnstuffer::plain(line_breaks),
        }
    }

    /// Returns what watches the line breaks of chunks, unless their content is not lines (RFC 3030 3)
    /// or refused.
    pub(super) fn watched_lines(&mut self) -> Option<&mut DotUnstuffer> {
        let is_watched = !self.terms.binary && self.refusal.is_none();
        is_watched.then_some(&mut self.chunk_lines)
    }

    /// Tells whether the verdict over MAIL is in.
    pub(super) fn sender_is_decided(&self) -> bool {
        !self.sender_open
    }

    /// Tells whether the verdicts over MAIL and all RCPTs are in.
    pub(super) fn envelope_is_decided(&self) -> bool {
        !self.sender_open && self.recipients_open == 0
    }
}

/// The verdicts over a message that LMTP asks for, one for each accepted recipient, and that the
/// application has not been asked for (2033-4.2-b).
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// The message, and how many bytes of content it has.
    pub(super) message: Option<(TransactionId, u64)>,
    /// The serial number of the verdict for the first recipient.
    pub(super) first: u64,
    pub(super) next: u32,
    pub(super) end: u32,
}

/// What the next bytes are.
#[derive(Debug)]
pub(super) enum Receiving {
    Commands,
    /// Content that a line of one dot ends.
    Data(DotUnstuffer),
    /// Content of a counted length.
    Chunk {
        chunk: ChunkReader,
        last: bool,
        /// Says what the chunk is answered if no transaction takes it.
        refusal: Option<&'static Reply<'static>>,
    },
}
