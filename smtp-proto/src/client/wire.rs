//! Where everything stands in the stream of bytes: what has left, what was offered, which content
//! is open, and which messages have their ends under way.

use smallvec::SmallVec;

use super::{pipeline::Expected, rules::Verb, transaction::TransactionId};

/// A content, or a chunk of one, that has begun and has not wholly left.
#[derive(Debug)]
pub(super) struct OpenContent {
    pub(super) transaction: TransactionId,
    /// Where it stands in the stream of control bytes.
    pub(super) at: u64,
    /// For a chunk (RFC 3030 2), how many bytes of the body it announced that have not left.
    pub(super) announced: Option<usize>,
    /// It is a chunk, and was announced as the last.
    pub(super) is_last_chunk: bool,
    /// What the machine adds after it, once that is known.
    pub(super) end: Option<&'static [u8]>,
    /// All of it has been offered to the transport once, and what follows it was rendered.
    pub(super) offered: bool,
}

/// What the last transmission was made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    /// Control bytes before the content.
    pub(super) before: usize,
    /// How many slices, and bytes, of content follow.
    pub(super) slices: usize,
    pub(super) wire: usize,
    /// They reach to the end of the content, or of the chunk.
    pub(super) whole: bool,
}

/// Positions in the stream of control bytes, and the content that stands in it.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The position of the first byte in [`super::output::Output`].
    pub(super) base: u64,
    /// How many bytes of [`super::output::Output`] have left.
    pub(super) sent: usize,
    /// Up to where they have been offered to the transport.
    pub(super) offered: u64,
    pub(super) content: Option<OpenContent>,
    /// The ends of messages that were rendered and have not left, as positions.
    pub(super) ends: SmallVec<[(TransactionId, u64); 1]>,
    pub(super) plan: Plan,
    /// There are credentials among the bytes, to be overwritten once they have left.
    pub(super) secret: bool,
}

impl Wire {
    /// Tells whether all of a command, and of its content, has been offered to the transport.
    pub(super) fn was_offered(&self, expected: &Expected) -> bool {
        let cut = |open: &OpenContent| open.belongs_to(expected) && !open.offered;
        expected.end <= self.offered && !self.content.as_ref().is_some_and(cut)
    }

    /// Tells whether all of a command, and of its content, has left.
    pub(super) fn is_sent(&self, expected: &Expected) -> bool {
        let cut = |open: &OpenContent| open.belongs_to(expected);
        expected.end <= self.position() && !self.content.as_ref().is_some_and(cut)
    }

    /// Returns the transaction whose content is being sent.
    pub(super) fn content(&self) -> Option<TransactionId> {
        self.content.as_ref().map(|open| open.transaction)
    }

    /// Tells whether nothing of the body is to come for the content that is open: an empty chunk is
    /// whole with its command.
    pub(super) fn is_complete(&self) -> bool {
        self.content
            .as_ref()
            .is_some_and(|open| open.offered && open.announced == Some(0))
    }

    pub(super) fn position(&self) -> u64 {
        self.base + self.sent as u64
    }
}

impl OpenContent {
    /// Tells whether a reply is the one to this chunk. (Of a content that ends with a dot, the reply
    /// is expected after the dot.)
    fn belongs_to(&self, expected: &Expected) -> bool {
        let chunk = matches!(
            expected.verb,
            Verb::Chunk | Verb::LastChunk | Verb::RecipientContent
        );
        chunk && self.transaction == expected.transaction && self.at <= expected.end
    }
}
