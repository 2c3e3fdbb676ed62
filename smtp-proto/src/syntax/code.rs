//! The codes of replies: basic (RFC 5321 4.2) and enhanced (RFC 2034, RFC 3463).

use core::fmt;

use super::error::{SyntaxError, SyntaxErrorKind};

/// A reply code, 200 to 599.
///
/// The second digit may exceed the 5 that RFC 5321 4.2 gives as its greatest, as real servers'
/// do; the first one decides ([`class`](Self::class)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Code(u16);

impl Code {
    /// 211: system status, or help (RFC 5321 4.2.3).
    pub const SYSTEM_STATUS: Self = Self(211);
    /// 214: help (RFC 5321 4.2.3).
    pub const HELP: Self = Self(214);
    /// 220: the service is ready: the greeting, and the go-ahead to TLS (RFC 5321 4.2.3, RFC 3207).
    pub const READY: Self = Self(220);
    /// 221: the service closes the connection (RFC 5321 4.2.3).
    pub const CLOSING: Self = Self(221);
    /// 235: authenticated (RFC 4954 6).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250: done (RFC 5321 4.2.3).
    pub const OK: Self = Self(250);
    /// 251: not a local user, will forward (RFC 5321 4.2.3).
    pub const WILL_FORWARD: Self = Self(251);
    /// 252: cannot verify, but will try (RFC 5321 4.2.3).
    pub const CANNOT_VERIFY: Self = Self(252);
    /// 334: a challenge (RFC 4954 4).
    pub const CHALLENGE: Self = Self(334);
    /// 354: the go-ahead to content (RFC 5321 4.2.3).
    pub const START_CONTENT: Self = Self(354);
    /// 421: the service is not available and closes the connection (RFC 5321 4.2.3).
    pub const NOT_AVAILABLE: Self = Self(421);
    /// 450: the mailbox is not available now (RFC 5321 4.2.3).
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451: a local error (RFC 5321 4.2.3).
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452: not enough storage, or too many recipients (RFC 5321 4.2.3, 4.5.3.1.10).
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 454: TLS or authentication is not available now (RFC 3207 4, RFC 4954 6).
    pub const TEMPORARY_AUTHENTICATION_FAILURE: Self = Self(454);
    /// 455: parameters cannot be accommodated now (RFC 5321 4.2.3).
    pub const PARAMETERS_UNAVAILABLE: Self = Self(455);
    /// 500: not a command (RFC 5321 4.2.3).
    pub const SYNTAX_ERROR: Self = Self(500);
    /// 501: wrong arguments (RFC 5321 4.2.3).
    pub const ARGUMENT_ERROR: Self = Self(501);
    /// 502: not implemented (RFC 5321 4.2.3).
    pub const NOT_IMPLEMENTED: Self = Self(502);
    /// 503: out of order (RFC 5321 4.2.3).
    pub const BAD_SEQUENCE: Self = Self(503);
    /// 504: parameter not implemented (RFC 5321 4.2.3).
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 521: no mail service here (RFC 7504 3).
    pub const NO_MAIL_SERVICE: Self = Self(521);
    /// 530: TLS or authentication comes first (RFC 3207 4, RFC 4954 6).
    pub const AUTHENTICATION_REQUIRED: Self = Self(530);
    /// 534: the mechanism is too weak (RFC 4954 6).
    pub const MECHANISM_TOO_WEAK: Self = Self(534);
    /// 535: wrong credentials (RFC 4954 6).
    pub const AUTHENTICATION_FAILED: Self = Self(535);
    /// 538: the mechanism wants encryption (RFC 4954 6).
    pub const ENCRYPTION_REQUIRED: Self = Self(538);
    /// 550: the mailbox is not available (RFC 5321 4.2.3).
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 552: over a limit of storage or size (RFC 5321 4.2.3).
    pub const TOO_LARGE: Self = Self(552);
    /// 553: the name of the mailbox is not allowed (RFC 5321 4.2.3).
    pub const MAILBOX_NAME_NOT_ALLOWED: Self = Self(553);
    /// 554: the transaction failed, or no service at all (RFC 5321 4.2.3).
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: parameters not recognised (RFC 5321 4.2.3).
    pub const PARAMETERS_NOT_RECOGNISED: Self = Self(555);

    /// Checks that `value` is a reply code.
    ///
    /// # Errors
    ///
    /// Fails unless it is 200 to 599.
    pub const fn new(value: u16) -> Result<Self, SyntaxError> {
        if value < 200 || value > 599 {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
        }
        Ok(Self(value))
    }

    /// Parses the three digits of a reply line.
    #[inline]
    pub(super) const fn from_digits(digits: [u8; 3]) -> Option<Self> {
        let [
            first @ b'2'..=b'5',
            second @ b'0'..=b'9',
            third @ b'0'..=b'9',
        ] = digits
        else {
            return None;
        };
        Some(Self(
            (first.wrapping_sub(b'0') as u16) * 100
                + (second.wrapping_sub(b'0') as u16) * 10
                + third.wrapping_sub(b'0') as u16,
        ))
    }

    /// Returns the three digits.
    pub(super) fn digits(self) -> [u8; 3] {
        [self.0 / 100, self.0 / 10 % 10, self.0 % 10]
            .map(|digit| b'0'.wrapping_add(u8::try_from(digit).unwrap_or_default()))
    }

    /// Returns the code as a number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Returns what the first digit says.
    pub const fn class(self) -> Class {
        match self.0 {
            ..300 => Class::Positive,
            300..400 => Class::Intermediate,
            400..500 => Class::Transient,
            500.. => Class::Permanent,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes what [`new`](Code::new) takes.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u16::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What the first digit of a reply code says (RFC 5321 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 2yz: done.
    Positive,
    /// 3yz: the server waits for more.
    Intermediate,
    /// 4yz: not done; the same may work later.
    Transient,
    /// 5yz: not done; the same will not work.
    Permanent,
}

/// An enhanced status code such as `5.7.1` (RFC 3463 2).
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

/// Writes the code as text, `5.7.1`.
#[cfg(feature = "serde")]
impl serde::Serialize for EnhancedCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Takes what [`parse`](EnhancedCode::parse) takes.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for EnhancedCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
