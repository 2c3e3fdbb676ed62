//! What a whole content holds that decides whether, and as what, it can be sent.

use core::fmt;

use memchr::memrchr;

use super::{
    line_breaks::{BareLineBreak, LineBreaks},
    scan::{FAR, mark, shifted},
    stuff::DotStuffer,
};

/// The longest line of text without its CR LF (RFC 5321 4.5.3.1.6).
const TEXT_LINE: usize = 998;

/// Tells what a content holds that a server may not take.
///
/// What nearly no content has is searched for only when it is asked for.
///
/// ```
/// use smtp_proto::framing::Inspection;
///
/// let found = Inspection::of("Subject: caf\u{e9}\r\n\r\none\ntwo\r\n".as_bytes());
/// assert_eq!(found.bare_line_break().unwrap().at, 21);
/// assert!(found.is_eight_bit() && !found.has_long_line());
/// ```
#[derive(Clone, Copy)]
pub struct Inspection<'c> {
    content: &'c [u8],
    is_plain: bool,
    /// All bytes, combined by or.
    high: u8,
}

impl<'c> Inspection<'c> {
    /// Searches a whole content, in time that is linear in its length.
    pub fn of(content: &'c [u8]) -> Self {
        let (is_marked, high) = survey(content);
        Self {
            content,
            is_plain: !is_marked,
            high,
        }
    }

    /// Returns whether it goes over the wire by DATA as it is: no line begins with a dot, and there is no
    /// bare CR or LF.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Returns the first CR or LF that is not half of CR LF (5321-2.3.8-b).
    pub fn bare_line_break(&self) -> Option<BareLineBreak> {
        if self.is_plain {
            return None;
        }
        let strict = DotStuffer::plain(LineBreaks::Refuse);
        let measured = strict.measure(self.content);
        measured.and(strict.end_after(self.content)).err()
    }

    /// Returns whether there is a byte above 127, which only 8BITMIME permits (5321-2.4-e).
    pub fn is_eight_bit(&self) -> bool {
        self.high > 0x7f
    }

    /// Returns whether a line is longer than 998 bytes without its CR LF (RFC 5321 4.5.3.1.6).
    pub fn has_long_line(&self) -> bool {
        let mut rest = self.content;
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
}

/// Shows nothing of the content.
impl fmt::Debug for Inspection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("is_plain", &self.is_plain)
            .field("is_eight_bit", &self.is_eight_bit())
            .finish_non_exhaustive()
    }
}

/// Returns whether anything in it does not go over the wire as it is, and all bytes combined by or.
///
/// Where it is does not matter yet, and without a branch the loop takes many bytes at a time.
fn survey(content: &[u8]) -> (bool, u8) {
    let (mut marks, mut high) = survey_ends(content);
    let mut at = 0;
    while let Some(window) = shifted(content, at) {
        let found = survey_window(window);
        (marks, high, at) = (marks | found.0, high | found.1, at + FAR);
    }
    // Less than a window is left: it is taken with some that was seen before, if there is some.
    let last = content.len().checked_sub(FAR + 2);
    let found = match last.and_then(|last| shifted(content, last)) {
        Some(window) => survey_window(window),
        None => {
            let further = |by| content.get(by..).unwrap_or_default();
            survey_triples(content, further(1), further(2))
        }
    };
    (marks | found.0 != 0, high | found.1)
}

/// Surveys what no three bytes in a row show: how the content begins, and how it ends.
fn survey_ends(content: &[u8]) -> (u8, u8) {
    let (a, b) = match content {
        [] => return (0, 0),
        [only] => (0, *only),
        [.., a, b] => (*a, *b),
    };
    let is_odd_begin = matches!(content, [b'\n' | b'.', ..]);
    let is_odd_end = (a == b'\r') != (b == b'\n') || b == b'\r';
    (u8::from(is_odd_begin | is_odd_end), a | b)
}

fn survey_window([a, b, c]: [&[u8; FAR]; 3]) -> (u8, u8) {
    survey_triples(a, b, c)
}

#[inline(always)]
fn survey_triples(a: &[u8], b: &[u8], c: &[u8]) -> (u8, u8) {
    let triples = a.iter().zip(b).zip(c);
    triples.fold((0, 0), |(marks, high), ((a, b), c)| {
        (marks | mark(*a, *b, *c), high | a)
    })
}
