//! Tracking (RFC 3885) and solicitation (RFC 3865).

use alloc::borrow::Cow;
use core::{fmt, time::Duration};

use super::error::{SyntaxError, SyntaxErrorKind};
use super::{
    grammar::{NINE_DIGITS, nine_digits},
    text::kept_text,
};

/// The longest list of solicitation classes in characters (RFC 3865 2.2).
pub const MAX_SOLICITATION: usize = 1000;

/// Who may ask after a message, and for how long: the value of MTRK (RFC 3885 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracking<'a> {
    certifier: Cow<'a, str>,
    timeout: Option<u32>,
}

impl<'a> Tracking<'a> {
    /// Composes a demand with the SHA-1 of a secret in base64 without padding, which a value may
    /// not hold, and the seconds for which to keep record.
    ///
    /// # Errors
    ///
    /// Fails if `certifier` is empty or not base64 without padding, or if `timeout` has more than
    /// nine digits.
    pub fn new(certifier: &'a str, timeout: Option<u32>) -> Result<Self, SyntaxError> {
        let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let length = certifier.bytes().take_while(base64).count();
        // Four characters stand for three bytes; one alone stands for nothing.
        if length < certifier.len() || length % 4 == 1 || length == 0 {
            return Err(SyntaxError::unexpected(certifier.as_bytes(), length));
        }
        if timeout.is_some_and(|seconds| seconds > NINE_DIGITS) {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
        }
        Ok(Self {
            certifier: Cow::Borrowed(certifier),
            timeout,
        })
    }

    /// Parses the value of MTRK.
    ///
    /// # Errors
    ///
    /// Fails if `value` has another form (RFC 3885 3.1).
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        let Some((certifier, timeout)) = value.split_once(':') else {
            return Self::new(value, None);
        };
        let at = certifier.len().saturating_add(1);
        let timeout = nine_digits(timeout).map_err(|error| error.shifted(at))?;
        Self::new(certifier, Some(timeout))
    }

    /// Returns the certifier as it was written, in base64 without padding.
    pub fn certifier(&self) -> &str {
        &self.certifier
    }

    /// Returns the seconds for which to keep record, if the sender said so.
    pub const fn timeout(&self) -> Option<u32> {
        self.timeout
    }

    /// Returns what a relay demands that received this demand `elapsed` ago, or `None` if the
    /// time is over and nothing may be passed on (RFC 3885 3.1).
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Option<Self> {
        let elapsed = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX);
        let timeout = self.timeout.map(|seconds| seconds.saturating_sub(elapsed));
        (timeout != Some(0)).then_some(Self { timeout, ..self })
    }

    /// Copies the text, so that the value outlives the line it came from.
    pub fn into_owned(self) -> Tracking<'static> {
        Tracking {
            certifier: Cow::Owned(self.certifier.into_owned()),
            timeout: self.timeout,
        }
    }
}

impl fmt::Display for Tracking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.certifier)?;
        match self.timeout {
            Some(timeout) => write!(f, ":{timeout}"),
            None => Ok(()),
        }
    }
}

/// Classes of solicitation: the value of SOLICIT, and the argument of NO-SOLICITING (RFC
/// 3865 2.2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Solicitation<'a>(Cow<'a, str>);

kept_text!(Solicitation);

impl<'a> Solicitation<'a> {
    /// Parses a list of classes that commas separate.
    ///
    /// # Errors
    ///
    /// Fails if `value` exceeds [`MAX_SOLICITATION`], or if a class is not a letter followed by
    /// letters, digits, `.`, `-`, `_` and `:`.
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        if value.len() > MAX_SOLICITATION {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_SOLICITATION));
        }
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:".contains(byte);
        let mut at: usize = 0;
        for class in value.split(',') {
            let length = match class.as_bytes() {
                [first, ..] if first.is_ascii_alphabetic() => {
                    class.bytes().take_while(letter).count()
                }
                _ => 0,
            };
            if length < class.len() || class.is_empty() {
                return Err(SyntaxError::unexpected(
                    value.as_bytes(),
                    at.saturating_add(length),
                ));
            }
            at = at.saturating_add(length).saturating_add(1);
        }
        Ok(Self(Cow::Borrowed(value)))
    }

    /// Returns the classes, such as `org.example:ADV:ADLT`.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }
}
