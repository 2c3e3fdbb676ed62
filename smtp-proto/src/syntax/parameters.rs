//! The parameters that extensions add to MAIL and RCPT.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::bytes::{self, KEYWORD, VALUE};
use super::error::{SyntaxError, SyntaxErrorKind};

/// How many parameters a command may have: more than all known extensions together define.
pub const MAX_PARAMETERS: usize = 32;

/// Holds the checked parameters of a MAIL or RCPT command, `KEY=VALUE KEY`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// Parses parameters that single spaces separate; the empty text has none.
    ///
    /// # Errors
    ///
    /// Fails if one is malformed (RFC 5321 4.1.2), if a keyword is given twice (RFC 1870 6,
    /// RFC 6152 3, RFC 3461 4.5), or if there are more than [`MAX_PARAMETERS`].
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        bytes::check_non_ascii(text)?;
        Self::parse_checked(text)
    }

    /// Parses parameters that [`bytes::check_non_ascii`] went through.
    #[inline]
    pub(super) fn parse_checked(text: &'a str) -> Result<Self, SyntaxError> {
        let mut rest = text;
        let mut seen: u64 = 0;
        for _ in 0..MAX_PARAMETERS {
            if rest.is_empty() && seen == 0 {
                return Ok(Self(text));
            }
            let at = text.len().saturating_sub(rest.len());
            let (keyword, length) = parameter_end(rest).map_err(|error| error.shifted(at))?;
            // Keywords that differ mostly differ in this; only the others are compared.
            let mark = signature(keyword);
            if seen & mark != 0
                && Self(text.get(..at).unwrap_or_default())
                    .get(keyword)
                    .is_some()
            {
                return Err(SyntaxError::new(SyntaxErrorKind::Duplicate, at));
            }
            seen |= mark;
            match rest.split_at_checked(length) {
                Some((_, "")) | None => return Ok(Self(text)),
                // parameter_end stops at a space only.
                Some((_, after)) => rest = after.get(1..).unwrap_or_default(),
            }
        }
        let at = text.len().saturating_sub(rest.len());
        Err(SyntaxError::new(SyntaxErrorKind::TooLong, at))
    }

    /// Wraps a text of which each parameter was checked.
    pub(super) const fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns the parameters in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        self.0
            .split(' ')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| match parameter.split_once('=') {
                Some((keyword, value)) => Parameter {
                    keyword,
                    value: Some(value),
                },
                None => Parameter {
                    keyword: parameter,
                    value: None,
                },
            })
    }

    /// Returns the parameter of that keyword, which is compared without regard to case.
    pub fn get(&self, keyword: &str) -> Option<Parameter<'a>> {
        self.iter()
            .find(|parameter| parameter.keyword.eq_ignore_ascii_case(keyword))
    }

    /// Tells whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text as it was written.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Appends each parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            out.push(b' ');
            out.extend_from_slice(self.0.as_bytes());
        }
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// Holds one parameter of MAIL or RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// Composes a parameter.
    ///
    /// # Errors
    ///
    /// Fails unless `keyword` is letters, digits and hyphens, not beginning with a hyphen, and
    /// `value` is not empty and free of `=`, white space and controls (RFC 5321 4.1.2). Encode a
    /// value that may hold those by [`xtext::encode`](super::xtext::encode) where its extension
    /// says so.
    pub fn new(keyword: &'a str, value: Option<&'a str>) -> Result<Self, SyntaxError> {
        check_keyword(keyword)?;
        if let Some(value) = value {
            bytes::check_non_ascii(value)?;
            check_value(value)?;
        }
        Ok(Self { keyword, value })
    }

    /// Returns the keyword as it was written.
    pub const fn keyword(&self) -> &'a str {
        self.keyword
    }

    /// Returns the value, if there is one.
    pub const fn value(&self) -> Option<&'a str> {
        self.value
    }

    /// Returns the value that the extension demands.
    pub(super) fn demanded_value(&self) -> Result<&'a str, SyntaxError> {
        self.value
            .ok_or(SyntaxError::new(SyntaxErrorKind::UnexpectedEnd, 0))
    }

    /// Checks that there is no value, which the extension forbids.
    pub(super) fn check_flag(&self) -> Result<(), SyntaxError> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, 0)),
        }
    }

    /// Appends the parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        out.extend_from_slice(self.keyword.as_bytes());
        if let Some(value) = self.value {
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
        }
    }
}

/// Appends ` KEYWORD=value`; the value has to be checked.
pub(super) fn write_parameter(out: &mut Vec<u8>, keyword: &str, value: impl fmt::Display) {
    struct Bytes<'a>(&'a mut Vec<u8>);
    impl Write for Bytes<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Appending bytes does not fail.
    let _ = write!(Bytes(out), " {keyword}={value}");
}

/// Finds the end of the parameter at the beginning of `text`, which is a space or the end of
/// `text`; returns its keyword and its length.
#[inline]
fn parameter_end(text: &str) -> Result<(&str, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let length = keyword_length(bytes);
    let mut end = length;
    if let Some(b'=') = bytes.get(length) {
        let value = bytes.get(length.saturating_add(1)..).unwrap_or_default();
        let value_length = bytes::span(value, VALUE);
        end = end.saturating_add(1).saturating_add(value_length);
        if value_length == 0 {
            return Err(SyntaxError::unexpected(bytes, end));
        }
    }
    match (text.get(..length), bytes.get(end)) {
        (Some(keyword), None | Some(b' ')) if length > 0 => Ok((keyword, end)),
        (_, _) => Err(SyntaxError::unexpected(
            bytes,
            if length > 0 { end } else { 0 },
        )),
    }
}

/// Returns one bit of 64 that stands for `keyword` in any case.
#[inline]
fn signature(keyword: &str) -> u64 {
    let first = keyword.as_bytes().first().copied().unwrap_or_default();
    let last = keyword.as_bytes().last().copied().unwrap_or_default();
    let mixed = (first & 0x1f).wrapping_mul(7) ^ (last & 0x1f) ^ (keyword.len() as u8);
    1 << (mixed & 63)
}

/// Returns the length of the `(ALPHA / DIGIT) *(ALPHA / DIGIT / "-")` at the beginning.
#[inline]
pub(super) fn keyword_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'-', ..] => 0,
        _ => bytes::span(bytes, KEYWORD),
    }
}

/// Checks that the whole is a keyword of EHLO, MAIL or RCPT.
#[inline]
pub(super) fn check_keyword(keyword: &str) -> Result<(), SyntaxError> {
    let bytes = keyword.as_bytes();
    let length = keyword_length(bytes);
    if length < bytes.len() || bytes.is_empty() {
        return Err(SyntaxError::unexpected(bytes, length));
    }
    Ok(())
}

#[inline]
fn check_value(value: &str) -> Result<(), SyntaxError> {
    let length = bytes::span(value.as_bytes(), VALUE);
    if length < value.len() || value.is_empty() {
        return Err(SyntaxError::unexpected(value.as_bytes(), length));
    }
    Ok(())
}

/// Names what bytes the content has: the values of BODY (RFC 6152 2, RFC 3030 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// `7BIT`: lines of ASCII, also what a MAIL without BODY means.
    SevenBit,
    /// `8BITMIME`: lines with any bytes but CR, LF.
    EightBitMime,
    /// `BINARYMIME`: any bytes; only with BDAT.
    BinaryMime,
}

impl BodyType {
    /// Parses the value of BODY, in any case.
    ///
    /// # Errors
    ///
    /// Fails on any other value.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        [Self::SevenBit, Self::EightBitMime, Self::BinaryMime]
            .into_iter()
            .find(|body| body.as_str().eq_ignore_ascii_case(value))
            .ok_or(SyntaxError::unexpected(value.as_bytes(), 0))
    }

    /// Returns the value of BODY.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

/// Parses the value of SIZE: 1 to 20 digits, where what exceeds [`u64::MAX`] counts as that
/// (RFC 1870 3).
///
/// # Errors
///
/// Fails on anything else.
pub fn parse_size(value: &str) -> Result<u64, SyntaxError> {
    let mut size: u64 = 0;
    for (at, byte) in value.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(SyntaxError::unexpected(value.as_bytes(), at));
        }
        if at == 20 {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, at));
        }
        let digit = u64::from(byte.wrapping_sub(b'0'));
        // Saturates for good: a 21st digit is refused.
        size = size.saturating_mul(10).saturating_add(digit);
    }
    if value.is_empty() {
        return Err(SyntaxError::unexpected(value.as_bytes(), 0));
    }
    Ok(size)
}
