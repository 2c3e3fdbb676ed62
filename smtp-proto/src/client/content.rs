//! How far the content of one transaction has come.

use alloc::vec::Vec;
use core::fmt;

use super::event::{Body, NotSent, NotSentReason};

/// What is known of a transaction's content, and how much of it was sent.
#[derive(Debug, Default)]
pub(super) struct ContentState {
    /// It goes by BDAT, at whatever level (RFC 3030 3).
    is_binary: bool,
    /// The caller has to show that it can present it again.
    is_needed_again: bool,
    look: Look,
    /// All of it as it goes over the wire, if it was kept from the look.
    kept: Option<Kept>,
    /// It has begun, and its final reply has not come.
    has_begun: bool,
    /// How many bytes of it were sent.
    position: u64,
    /// How many bytes its chunks have announced.
    announced: u64,
    /// Its end was rendered.
    has_end: bool,
}

/// What is presented of a content.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    pub(super) body: Body<'a>,
    /// It is the whole content, and was just found to go over the wire as it is.
    pub(super) is_plain: bool,
}

/// What may be written of a content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    /// The content ends with it.
    pub(super) is_last: bool,
    /// As [`Presented::is_plain`].
    pub(super) is_plain: bool,
}

/// A content as it goes over the wire by DATA.
pub(super) struct Kept {
    /// It, and what ends it.
    pub(super) bytes: Vec<u8>,
    /// How many of the bytes end it.
    pub(super) end: usize,
}

/// Shows no bytes: a message is nobody else's to read.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Whether it was looked at, before anything of the message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    /// Nobody has asked for it.
    #[default]
    Due,
    /// It was not at hand when it was asked for. Nothing waits for it.
    Asked,
    /// It was presented, or is none to look at.
    Done,
}

impl ContentState {
    pub(super) fn new(is_binary: bool) -> Self {
        Self {
            is_binary,
            // What is no text holds what it likes.
            look: if is_binary { Look::Done } else { Look::Due },
            ..Self::default()
        }
    }

    /// Returns that of a transaction that has none.
    pub(super) fn none() -> Self {
        Self {
            look: Look::Done,
            ..Self::default()
        }
    }

    /// Returns that of a further transaction of the same message, which begins again.
    pub(super) fn again(&self) -> Self {
        Self {
            is_binary: self.is_binary,
            is_needed_again: true,
            look: match self.look {
                Look::Done => Look::Done,
                Look::Due | Look::Asked => Look::Due,
            },
            ..Self::default()
        }
    }

    /// Begins again, as nothing counts that was sent.
    pub(super) fn restart(&mut self) {
        (self.position, self.announced, self.has_end) = (0, 0, false);
    }

    pub(super) fn is_binary(&self) -> bool {
        self.is_binary
    }

    pub(super) fn is_needed_again(&self) -> bool {
        self.is_needed_again
    }

    /// Returns whether it has to be asked for, before its message goes on.
    pub(super) fn must_be_looked_at(&self) -> bool {
        self.look == Look::Due
    }

    pub(super) fn was_looked_at(&self) -> bool {
        self.look == Look::Done
    }

    /// Takes note that it was asked for.
    pub(super) fn asked(&mut self) {
        if self.look == Look::Due {
            self.look = Look::Asked;
        }
    }

    /// Takes note that it was presented for a look.
    pub(super) fn looked_at(&mut self) {
        self.look = Look::Done;
    }

    /// Takes it as a whole, not to be asked for it again.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes what was kept of it.
    pub(super) fn take_kept(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    /// Takes what is presented of it. Returns what may be written; nothing where only that it can be had
    /// again was asked.
    pub(super) fn present<'a>(
        &mut self,
        presented: Presented<'a>,
    ) -> Result<Option<Piece<'a>>, NotSent> {
        let Presented { body, is_plain } = presented;
        let piece = |bytes, is_last| Piece {
            bytes,
            is_last,
            is_plain,
        };
        match body {
            Body::Failed(_) if self.is_needed_again => Err(NotSentReason::NeedsBodyAgain.into()),
            Body::Failed(why) => Err(NotSent::without_body(why)),
            Body::Chunk(_) | Body::Last(_) if self.is_needed_again => {
                self.is_needed_again = false;
                Ok(None)
            }
            Body::Chunk(bytes) => Ok(Some(piece(bytes, false))),
            Body::Last(bytes) => Ok(Some(piece(bytes, true))),
        }
    }

    /// Returns how many bytes of it were sent.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn consumed(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes as u64);
    }

    /// Returns how many bytes its chunks have announced.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// Accounts for a chunk that was announced.
    pub(super) fn announce(&mut self, bytes: u64) {
        self.announced = self.announced.saturating_add(bytes);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Takes note that it has begun, or goes on, and returns whether it has begun.
    pub(super) fn begin(&mut self) -> bool {
        !core::mem::replace(&mut self.has_begun, true)
    }

    /// Takes note of its final reply, and returns whether it had begun.
    pub(super) fn end(&mut self) -> bool {
        core::mem::take(&mut self.has_begun)
    }

    /// Takes note that its end was rendered.
    pub(super) fn finish(&mut self) {
        self.has_end = true;
    }

    pub(super) fn has_end(&self) -> bool {
        self.has_end
    }
}
