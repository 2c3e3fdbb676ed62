//! The character classes of RFC 5321 and the two scans that every address goes through.

use alloc::vec::Vec;
use core::fmt;

use super::error::{SyntaxError, SyntaxErrorKind};

/// `Let-dig` (RFC 5321 4.1.2), and the bytes of a U-label (RFC 6531 3.3).
pub(super) const LET_DIG: u8 = 1;
/// ASCII letters, digits and the hyphen: keywords, and the tags of address literals.
pub(super) const KEYWORD: u8 = 2;
/// `atext` (RFC 5322 3.2.3, RFC 6531 3.3).
pub(super) const ATEXT: u8 = 8;
/// `qtextSMTP` (RFC 5321 4.1.2, RFC 6531 3.3).
pub(super) const QTEXT: u8 = 16;
/// `esmtp-value` (RFC 5321 4.1.2, RFC 6531 3.3).
pub(super) const VALUE: u8 = 32;
/// `dcontent` (RFC 5321 4.1.3).
pub(super) const DCONTENT: u8 = 64;
/// What may stand after the backslash of a `quoted-pairSMTP` (RFC 5321 4.1.2).
pub(super) const PRINTABLE: u8 = 128;

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which would refuse an index out of bounds"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte: u8 = 0;
    loop {
        classes[byte as usize] = classify(byte);
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

const fn classify(byte: u8) -> u8 {
    let mut class = match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => LET_DIG | KEYWORD | ATEXT,
        b'-' => KEYWORD | ATEXT,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~' => ATEXT,
        0x80.. => LET_DIG | ATEXT | QTEXT | VALUE,
        _ => 0,
    };
    if matches!(byte, 32..=33 | 35..=91 | 93..=126) {
        class |= QTEXT;
    }
    if matches!(byte, 33..=60 | 62..=126) {
        class |= VALUE;
    }
    if matches!(byte, 33..=90 | 94..=126) {
        class |= DCONTENT;
    }
    if matches!(byte, 32..=126) {
        class |= PRINTABLE;
    }
    class
}

/// Returns the classes that `byte` belongs to.
#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Returns how many bytes at the beginning of `text` belong to `wanted`.
#[inline]
pub(super) fn span(text: &[u8], wanted: u8) -> usize {
    text.iter()
        .position(|&byte| class(byte) & wanted == 0)
        .unwrap_or(text.len())
}

/// Finds the end of the `Domain` that begins at `start` (RFC 5321 4.1.2).
#[inline(always)]
pub(super) fn domain_end(text: &[u8], start: usize) -> Result<usize, SyntaxError> {
    let mut end = start;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let length = span(rest, LET_DIG);
        end += length;
        // A label neither begins nor ends with a hyphen, and is never empty.
        if length == 0 {
            return Err(SyntaxError::unexpected(text, end));
        }
        match rest.get(length..) {
            Some([b'.', ..]) => end += 1,
            Some([b'-', after @ ..]) => {
                end += 1 + after.iter().take_while(|byte| **byte == b'-').count();
            }
            _ => return Ok(end),
        }
    }
}

/// Finds the end of the `Local-part` that begins at `start` (RFC 5321 4.1.2).
#[inline(always)]
pub(super) fn local_part_end(text: &[u8], start: usize) -> Result<usize, SyntaxError> {
    let mut end = start;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let length = span(rest, ATEXT);
        end += length;
        match (length, rest.get(length..)) {
            (0, Some([b'"', quoted @ ..])) if end == start => {
                return quoted_end(text, quoted, start);
            }
            // An atom is never empty.
            (0, _) => return Err(SyntaxError::unexpected(text, end)),
            (_, Some([b'.', ..])) => end += 1,
            _ => return Ok(end),
        }
    }
}

/// Finds the end of the `Quoted-string` whose first quote stands at `start` in `text`.
fn quoted_end(text: &[u8], quoted: &[u8], start: usize) -> Result<usize, SyntaxError> {
    let mut escaped = false;
    for (byte, at) in quoted.iter().zip(start.saturating_add(1)..) {
        match byte {
            _ if escaped && class(*byte) & PRINTABLE != 0 => escaped = false,
            _ if escaped => return Err(SyntaxError::unexpected(text, at)),
            b'\\' => escaped = true,
            b'"' => return Ok(at.saturating_add(1)),
            _ if class(*byte) & QTEXT != 0 => {}
            _ => return Err(SyntaxError::unexpected(text, at)),
        }
    }
    Err(SyntaxError::unexpected(text, text.len()))
}

/// Refuses non-ASCII characters that a later reader may take for the end of a line or for a
/// control character: U+0080 to U+009F, U+2028, U+2029.
///
/// ASCII is left to the grammar of what `text` is.
#[inline]
pub(super) fn check_non_ascii(text: &str) -> Result<(), SyntaxError> {
    if text.is_ascii() {
        return Ok(());
    }
    find_line_breakers(text)
}

#[cold]
fn find_line_breakers(text: &str) -> Result<(), SyntaxError> {
    let forbidden =
        |character: char| matches!(character, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}');
    match text.find(forbidden) {
        Some(at) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at)),
        None => Ok(()),
    }
}

/// Refuses control characters of any kind, HT among them.
pub(super) fn check_text(text: &str) -> Result<(), SyntaxError> {
    match text.bytes().position(|byte| byte.is_ascii_control()) {
        Some(at) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at)),
        None => check_non_ascii(text),
    }
}

/// Formats into bytes; never fails.
pub(super) struct Appender<'a>(pub(super) &'a mut Vec<u8>);

impl fmt::Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
