//! What notifications a sender wants: the parameters of RFC 3461, but for ORCPT.

use alloc::borrow::Cow;
use core::fmt;

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    kept::kept_text,
    xtext,
};

/// The longest value of ENVID in characters, as it is written (RFC 3461 5.4).
pub const MAX_ENVELOPE_ID: usize = 100;

/// Names how much of the message a notification of failure returns: the values of RET (RFC 3461
/// 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    /// `FULL`: all of it.
    Full,
    /// `HDRS`: its headers.
    Headers,
}

impl Return {
    /// Parses the value of RET, in any case.
    ///
    /// # Errors
    ///
    /// Fails on any other value.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        [Self::Full, Self::Headers]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(value))
            .ok_or(SyntaxError::unexpected(value.as_bytes(), 0))
    }

    /// Returns the value of RET.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Holds the identifier that notifications repeat: the value of ENVID (RFC 3461 4.4).
///
/// A relay passes it on as it was written (RFC 3461 5.2.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId<'a>(Cow<'a, str>);

kept_text!(EnvelopeId);

impl<'a> EnvelopeId<'a> {
    /// Parses the value of ENVID.
    ///
    /// # Errors
    ///
    /// Fails if `value` is empty, exceeds [`MAX_ENVELOPE_ID`] or is not the xtext of printable
    /// ASCII (RFC 3461 4.4).
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        if value.is_empty() {
            return Err(SyntaxError::unexpected(value.as_bytes(), 0));
        }
        if value.len() > MAX_ENVELOPE_ID {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_ENVELOPE_ID));
        }
        xtext::decode_ascii(value)?;
        Ok(Self(Cow::Borrowed(value)))
    }

    /// Returns the identifier itself.
    pub fn decoded(&self) -> Cow<'_, str> {
        // It was checked when it was parsed.
        xtext::decode(&self.0).unwrap_or_default()
    }
}

impl EnvelopeId<'static> {
    /// Composes the value of an identifier, which should be unique and of 38 characters at most
    /// (RFC 3461 5.4).
    ///
    /// # Errors
    ///
    /// Fails like [`parse`](EnvelopeId::parse) on the encoded identifier.
    pub fn new(identifier: &str) -> Result<Self, SyntaxError> {
        let value = xtext::encode(identifier);
        EnvelopeId::parse(&value).map(EnvelopeId::into_owned)
    }
}

/// Holds what a recipient's sender wants to hear of: the value of NOTIFY (RFC 3461 4.1).
///
/// ```
/// use smtp_proto::syntax::Notify;
///
/// let notify = Notify::parse("failure,DELAY")?;
/// assert_eq!(notify, Notify::DELAY.and(Notify::FAILURE));
/// assert!(!notify.contains(Notify::SUCCESS));
/// assert_eq!(notify.to_string(), "FAILURE,DELAY");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// Nothing at all: `NEVER`.
    pub const NEVER: Self = Self(0);
    /// Delivery: `SUCCESS`.
    pub const SUCCESS: Self = Self(1);
    /// That delivery is impossible: `FAILURE`.
    pub const FAILURE: Self = Self(2);
    /// That delivery takes its time: `DELAY`.
    pub const DELAY: Self = Self(4);

    const NAMES: [(&'static str, Self); 3] = [
        ("SUCCESS", Self::SUCCESS),
        ("FAILURE", Self::FAILURE),
        ("DELAY", Self::DELAY),
    ];

    /// Parses the value of NOTIFY, in any case. What is listed twice counts once.
    ///
    /// # Errors
    ///
    /// Fails unless `value` is `NEVER` or a list of the others without empty elements.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut wanted = Self::NEVER;
        let mut at: usize = 0;
        for element in value.split(',') {
            let (_, each) = Self::NAMES
                .into_iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(element))
                .ok_or(SyntaxError::unexpected(value.as_bytes(), at))?;
            wanted = wanted.and(each);
            at = at.saturating_add(element.len()).saturating_add(1);
        }
        Ok(wanted)
    }

    /// Returns what is wanted here or there.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Tells whether all that `other` wants is wanted; all contain [`NEVER`](Self::NEVER).
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let wanted = Self::NAMES
            .into_iter()
            .filter(|(_, each)| self.contains(*each));
        for (position, (name, _)) in wanted.enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
