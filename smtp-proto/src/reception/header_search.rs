//! The header of a message that is arriving.

use memchr::memchr_iter;

use crate::machine::limits;

/// Looks for the end of a message's header while its content arrives.
///
/// ```
/// use smtp_proto::reception::HeaderSearch;
///
/// let mut search = HeaderSearch::default();
/// assert_eq!(search.find(b"Subject: x\r\n\r"), None);
/// assert_eq!(search.find(b"Subject: x\r\n\r\nHello"), Some(12));
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeaderSearch {
    /// So many bytes hold no end of it.
    searched: usize,
}

impl HeaderSearch {
    /// Returns the length of the header, the empty line apart, if it is known by what has come of the
    /// content, from its first byte on. One that is longer than [`limits::HEADER`] ends there.
    pub fn find(&mut self, content: &[u8]) -> Option<usize> {
        if content.starts_with(b"\r\n") {
            return Some(0);
        }
        let rest = content.get(self.searched..).unwrap_or_default();
        let ends = |at: &usize| {
            rest.get(*at..)
                .is_some_and(|it| it.starts_with(b"\r\n\r\n"))
        };
        if let Some(at) = memchr_iter(b'\r', rest).find(ends) {
            return Some((self.searched + at + 2).min(limits::HEADER));
        }
        // An empty line may be complete by three of its four bytes.
        self.searched = content.len().saturating_sub(3);
        (content.len() >= limits::HEADER).then_some(limits::HEADER)
    }

    /// Returns the length of the header where that is all of the content.
    pub fn finish(mut self, content: &[u8]) -> usize {
        self.find(content).unwrap_or(content.len())
    }
}
