//! What a whole content holds that decides whether, and as what, it can be sent.

use memchr::memrchr;

use super::{
    line_breaks::{BareLineBreak, LineBreaks},
    stuff::DotStuffer,
};

/// The longest line of text without its CR LF (RFC 5321 4.5.3.1.6).
const TEXT_LINE: usize = 998;

/// Tells what a content holds that a server may not take.
///
/// ```
/// use smtp_proto::framing::Inspection;
///
/// let found = Inspection::of("Subject: caf\u{e9}\r\n\r\none\ntwo\r\n".as_bytes());
/// assert_eq!(found.bare_line_break.unwrap().at, 21);
/// assert!(found.is_eight_bit && !found.has_long_line);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The first CR or LF that is not half of CR LF (5321-2.3.8-b).
    pub bare_line_break: Option<BareLineBreak>,
    /// Whether there is a byte above 127, which only 8BITMIME permits (5321-2.4-e).
    pub is_eight_bit: bool,
    /// Whether a line is longer than 998 bytes without its CR LF (RFC 5321 4.5.3.1.6).
    pub has_long_line: bool,
}

impl Inspection {
    /// Searches a whole content, in time that is linear in its length.
    pub fn of(content: &[u8]) -> Self {
        let (is_bare, high) = survey(content);
        Self {
            bare_line_break: is_bare.then(|| first_bare(content)).flatten(),
            is_eight_bit: high > 0x7f,
            has_long_line: has_long_line(content),
        }
    }
}

/// Returns whether there is a bare CR or LF, and all bytes combined by or.
///
/// Where one is does not matter yet: nearly every content has none, and without a branch the loop
/// takes many bytes at a time.
fn survey(content: &[u8]) -> (bool, u8) {
    let ends = content.first() == Some(&b'\n') || content.last() == Some(&b'\r');
    let pairs = content.iter().zip(content.get(1..).unwrap_or_default());
    let last = content.last().copied().unwrap_or_default();
    pairs.fold((ends, last), |(is_bare, high), (a, b)| {
        (is_bare | ((*a == b'\r') != (*b == b'\n')), high | a)
    })
}

/// Returns the first bare CR or LF.
fn first_bare(content: &[u8]) -> Option<BareLineBreak> {
    let strict = DotStuffer::plain(LineBreaks::Refuse);
    strict.measure(content).and(strict.end_after(content)).err()
}

/// Returns whether a line exceeds [`TEXT_LINE`].
fn has_long_line(content: &[u8]) -> bool {
    let mut rest = content;
    // Where a window that just exceeds the limit has an LF, no line that begins before its last one
    // can be too long but the one that follows it: one search covers many lines.
    while let Some(window) = rest.get(..TEXT_LINE + 2) {
        let Some(end) = memrchr(b'\n', window) else {
            return true;
        };
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    rest.strip_suffix(b"\r").unwrap_or(rest).len() > TEXT_LINE
}
