//! Numbers of few digits, as parameters have them.

use super::error::{SyntaxError, SyntaxErrorKind};

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
