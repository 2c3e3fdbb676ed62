//! What all grammars here are made of: the character classes of RFC 5321, the two scans that every
//! address goes through, numbers.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, str};

use super::error::{SyntaxError, SyntaxErrorKind};

/// How closely a text has to follow the grammar of RFC 5321.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// What cannot be misread is taken, as nearly every server takes it.
    Tolerant,
    /// To the letter.
    Strict,
}

impl Grammar {
    /// Returns whether a byte may part what a command is made of.
    #[inline(always)]
    pub(super) fn parts(self, byte: u8) -> bool {
        byte == b' ' || byte == b'\t' && self == Self::Tolerant
    }
}

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
/// The dot, between atoms and between labels.
const DOT: u8 = 4;
/// The underscore, which real domains have.
const UNDERSCORE: u8 = 128;

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
    if byte == b'.' {
        class |= DOT;
    }
    if byte == b'_' {
        class |= UNDERSCORE;
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
    let is_other = |byte: &u8| class(*byte) & wanted == 0;
    // Four at a time: every address goes through here.
    let (chunks, rest) = text.as_chunks::<4>();
    let mut length: usize = 0;
    for chunk in chunks {
        if let Some(at) = chunk.iter().position(is_other) {
            return length + at;
        }
        length += chunk.len();
    }
    length + rest.iter().position(is_other).unwrap_or(rest.len())
}

/// Finds the end of the `Domain` that begins at `start` (RFC 5321 4.1.2).
///
/// Tolerates underscores, and a dot at the end.
#[inline(always)]
pub(super) fn domain_end(
    text: &[u8],
    start: usize,
    grammar: Grammar,
) -> Result<usize, SyntaxError> {
    let letters = match grammar {
        Grammar::Tolerant => LET_DIG | UNDERSCORE,
        Grammar::Strict => LET_DIG,
    };
    let mut end = start;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let length = span(rest, letters);
        end += length;
        // A label neither begins nor ends with a hyphen, and is never empty.
        if length == 0 {
            let error = SyntaxError::unexpected(text, end);
            let follows_a_dot = end > start && text.get(end.wrapping_sub(1)) == Some(&b'.');
            return match grammar {
                Grammar::Tolerant if follows_a_dot => Ok(end),
                _ => Err(error),
            };
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
///
/// Tolerates dots that stand together, or at either end.
#[inline(always)]
pub(super) fn local_part_end(
    text: &[u8],
    start: usize,
    grammar: Grammar,
) -> Result<usize, SyntaxError> {
    let rest = text.get(start..).unwrap_or_default();
    if let [b'"', quoted @ ..] = rest {
        return quoted_end(text, quoted, start);
    }
    let length = span(rest, ATEXT | DOT);
    let atoms = rest.get(..length).unwrap_or_default();
    if atoms.iter().all(|byte| *byte == b'.') {
        return Err(SyntaxError::unexpected(text, start));
    }
    if grammar == Grammar::Strict
        && let Some(at) = empty_atom(atoms)
    {
        return Err(SyntaxError::unexpected(text, start.saturating_add(at)));
    }
    Ok(start.saturating_add(length))
}

/// Finds the first place among atoms with dots between where one is missing.
fn empty_atom(atoms: &[u8]) -> Option<usize> {
    let mut at: usize = 0;
    for atom in atoms.split(|byte| *byte == b'.') {
        if atom.is_empty() {
            return Some(at);
        }
        at = at.saturating_add(atom.len()).saturating_add(1);
    }
    None
}

/// Finds the end of the `Quoted-string` whose first quote stands at `start` in `text`.
fn quoted_end(text: &[u8], quoted: &[u8], start: usize) -> Result<usize, SyntaxError> {
    let mut escaped = false;
    for (byte, at) in quoted.iter().zip(start.saturating_add(1)..) {
        match byte {
            // `quoted-pairSMTP`
            32..=126 if escaped => escaped = false,
            _ if escaped => return Err(SyntaxError::unexpected(text, at)),
            b'\\' => escaped = true,
            b'"' => return Ok(at.saturating_add(1)),
            _ if class(*byte) & QTEXT != 0 => {}
            _ => return Err(SyntaxError::unexpected(text, at)),
        }
    }
    Err(SyntaxError::unexpected(text, text.len()))
}

/// Takes the quotes and backslashes off a `Quoted-string`; anything else stays as it is.
pub(super) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(quoted) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return Cow::Borrowed(text);
    };
    if !quoted.contains('\\') {
        return Cow::Borrowed(quoted);
    }
    let mut unquoted = String::with_capacity(quoted.len());
    let mut escaped = false;
    for character in quoted.chars() {
        escaped = character == '\\' && !escaped;
        if !escaped {
            unquoted.push(character);
        }
    }
    Cow::Owned(unquoted)
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

/// Refuses what [`check_non_ascii`] refuses, and characters that cannot be seen, so that no two
/// addresses look the same for them.
#[inline]
pub(super) fn check_address(text: &str) -> Result<(), SyntaxError> {
    if text.is_ascii() {
        return Ok(());
    }
    find_line_breakers(text).and_then(|()| find_invisible(text))
}

#[cold]
fn find_invisible(text: &str) -> Result<(), SyntaxError> {
    // The joiners U+200C and U+200D belong to words of some scripts.
    let invisible = |character: char| {
        matches!(character,
            '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    match text.find(invisible) {
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

/// The greatest number of nine digits: seconds and intervals (RFC 2852 4, RFC 4865 3, RFC 3885
/// 3.1).
pub(super) const NINE_DIGITS: u32 = 999_999_999;

/// Parses 1 to 9 digits and nothing else.
pub(super) fn nine_digits(text: &str) -> Result<u32, SyntaxError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits < text.len() {
        return Err(SyntaxError::unexpected(text.as_bytes(), digits));
    }
    if digits > 9 {
        return Err(SyntaxError::new(SyntaxErrorKind::TooLong, 9));
    }
    text.parse()
        .map_err(|_| SyntaxError::new(SyntaxErrorKind::OutOfRange, 0))
}

/// Parses a number from 1 to `most` without a leading zero.
pub(super) fn positive(text: &str, most: u32) -> Result<u32, SyntaxError> {
    let number = nine_digits(text)?;
    if text.starts_with('0') || number > most {
        return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
    }
    Ok(number)
}

/// How many digits a number has at most.
pub(super) const MAX_DIGITS: usize = 20;

/// Returns the decimal digits of `number`, in `buffer`.
pub(super) fn decimal(number: u64, buffer: &mut [u8; MAX_DIGITS]) -> &str {
    let mut rest = number;
    let mut unused = buffer.len();
    for digit in buffer.iter_mut().rev() {
        *digit = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        unused = unused.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    str::from_utf8(buffer.get(unused..).unwrap_or_default()).unwrap_or_default()
}
