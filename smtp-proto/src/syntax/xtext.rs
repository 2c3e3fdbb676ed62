//! The encoding of parameter values that hold what a value may not (RFC 3461 4).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    grammar,
};

/// Encodes `text` as xtext: `+`, `=`, spaces, controls and non-ASCII become `+` and two
/// hexadecimal digits.
///
/// ```
/// use smtp_proto::syntax::xtext;
///
/// assert_eq!(xtext::encode("e=mc2@example.org"), "e+3Dmc2@example.org");
/// ```
pub fn encode(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let digit = |nibble: u8| {
        char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase())
    };
    let mut encoded = String::with_capacity(text.len().saturating_mul(2));
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('+');
            encoded.extend(digit(byte >> 4));
            encoded.extend(digit(byte & 15));
        }
    }
    Cow::Owned(encoded)
}

/// Decodes xtext. Takes hexadecimal digits of either case, as RFC 4954 allows both.
///
/// # Errors
///
/// Fails if `text` is not xtext, or if what it stands for is malformed UTF-8 or holds a control
/// character other than HT: no decoded value can break a line. Offsets count in `text` for the
/// former, in the decoded text for the latter.
pub fn decode(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=');
    if text.bytes().all(plain) {
        return Ok(Cow::Borrowed(text));
    }
    let hexadecimal = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let at = text.len().saturating_sub(rest.len());
        let (byte, tail) = match (*byte, tail) {
            (b'+', [high, low, tail @ ..]) => match (hexadecimal(*high), hexadecimal(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => return Err(SyntaxError::unexpected(text.as_bytes(), at)),
            },
            (byte, tail) if plain(byte) => (byte, tail),
            _ => return Err(SyntaxError::unexpected(text.as_bytes(), at)),
        };
        decoded.push(byte);
        rest = tail;
    }
    let decoded = String::from_utf8(decoded).map_err(|error| {
        SyntaxError::new(
            SyntaxErrorKind::InvalidUtf8,
            error.utf8_error().valid_up_to(),
        )
    })?;
    let control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    if let Some(at) = decoded.bytes().position(control) {
        return Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at));
    }
    grammar::check_non_ascii(&decoded)?;
    Ok(Cow::Owned(decoded))
}

/// Decodes xtext that stands for printable ASCII and white space (RFC 3461 4.2, 4.4).
pub(super) fn decode_ascii(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let decoded = decode(text)?;
    match decoded.bytes().position(|byte| !byte.is_ascii()) {
        Some(at) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at)),
        None => Ok(decoded),
    }
}
