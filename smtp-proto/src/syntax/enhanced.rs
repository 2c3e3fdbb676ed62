//! Enhanced status codes (RFC 2034, RFC 3463).

use core::fmt;

use super::error::{SyntaxError, SyntaxErrorKind};

/// Holds an enhanced status code such as `5.7.1` (RFC 3463 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    class: u8,
    subject: u16,
    detail: u16,
}

impl EnhancedCode {
    /// Composes a code, or returns `None` unless `class` is 2, 4 or 5 and the others are at most
    /// 999.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        if !matches!(class, 2 | 4 | 5) || subject > 999 || detail > 999 {
            return None;
        }
        Some(Self {
            class,
            subject,
            detail,
        })
    }

    /// Parses a code and nothing else.
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a code (RFC 2034 4), as with leading zeros.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        match Self::parse_prefix(text.as_bytes()) {
            Some((code, [])) => Ok(code),
            Some((_, rest)) => {
                let at = text.len().saturating_sub(rest.len());
                Err(SyntaxError::unexpected(text.as_bytes(), at))
            }
            None => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, 0)),
        }
    }

    /// Parses the code at the beginning of `text`; returns it and what stands after it.
    pub(super) fn parse_prefix(text: &[u8]) -> Option<(Self, &[u8])> {
        let (class, rest) = match text {
            [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] => (class.wrapping_sub(b'0'), rest),
            _ => return None,
        };
        let (subject, rest) = number(rest)?;
        let (detail, rest) = match rest {
            [b'.', rest @ ..] => number(rest)?,
            _ => return None,
        };
        Some((
            Self {
                class,
                subject,
                detail,
            },
            rest,
        ))
    }

    /// Returns the first number: 2 for success, 4 for a passing and 5 for a lasting failure.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// Returns the second number: what the code is about.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// Returns the third number: what about it.
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

/// Parses 1 to 3 digits without a leading zero; returns the number and the rest.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digits = text
        .iter()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = text.split_at_checked(digits)?;
    if matches!(number, [] | [_, _, _, _] | [b'0', _, ..]) {
        return None;
    }
    let value = number.iter().fold(0_u16, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u16::from(digit.wrapping_sub(b'0')))
    });
    Some((value, rest))
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl fmt::Debug for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
