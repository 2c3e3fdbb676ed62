//! Numbers as commands and parameters have them.

use core::str;

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
