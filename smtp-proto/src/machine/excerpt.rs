//! A little of what was at fault.

use core::fmt::{self, Write as _};

use smallvec::SmallVec;

use super::limits;

/// Holds the beginning of some offending bytes.
///
/// Displays them escaped, so that no control character of a peer reaches a log or a terminal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    bytes: SmallVec<[u8; 16]>,
    truncated: bool,
}

impl Excerpt {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let kept = bytes.get(..limits::EXCERPT).unwrap_or(bytes);
        Self {
            bytes: SmallVec::from_slice(kept),
            truncated: kept.len() < bytes.len(),
        }
    }

    /// Returns the bytes that were kept, at most [`limits::EXCERPT`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Displays it after a colon, and nothing where there is nothing.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes.is_empty() {
            true => Ok(()),
            false => write!(f, ": {self:?}"),
        }
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for escaped in self.bytes.escape_ascii() {
            f.write_char(char::from(escaped))?;
        }
        f.write_str(if self.truncated { "\"..." } else { "\"" })
    }
}
