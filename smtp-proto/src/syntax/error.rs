//! What is wrong with a text, and where.

use alloc::boxed::Box;
use alloc::string::String;

use thiserror::Error;

/// What is wrong with a text, and at which byte.
///
/// It holds nothing of the text itself, so that displaying it is safe whatever a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{kind} at byte {at}")]
pub struct SyntaxError {
    kind: SyntaxErrorKind,
    at: usize,
}

impl SyntaxError {
    pub(super) const fn new(kind: SyntaxErrorKind, at: usize) -> Self {
        Self { kind, at }
    }

    /// Blames the byte at `at` for standing there, or the text for ending there.
    pub(super) const fn unexpected(text: &[u8], at: usize) -> Self {
        if at < text.len() {
            Self::new(SyntaxErrorKind::UnexpectedByte, at)
        } else {
            Self::new(SyntaxErrorKind::UnexpectedEnd, at)
        }
    }

    /// Counts from the beginning of a text whose part after `bytes` was parsed.
    pub(super) const fn shifted(self, bytes: usize) -> Self {
        Self::new(self.kind, self.at.saturating_add(bytes))
    }

    /// Returns what is wrong.
    pub const fn kind(&self) -> SyntaxErrorKind {
        self.kind
    }

    /// Returns the offset of the offending byte in the text that was given.
    pub const fn at(&self) -> usize {
        self.at
    }
}

/// What can be wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// The text ends where more has to follow.
    #[error("something is missing")]
    UnexpectedEnd,
    /// A byte or a character that may not stand there.
    #[error("unexpected byte")]
    UnexpectedByte,
    /// Malformed UTF-8 (RFC 3629).
    #[error("malformed UTF-8")]
    InvalidUtf8,
    /// Longer than the protocol allows (RFC 5321 4.5.3.1).
    #[error("too long")]
    TooLong,
    /// A number beyond its range.
    #[error("number out of range")]
    OutOfRange,
    /// A keyword that may be given only once.
    #[error("given twice")]
    Duplicate,
    /// A parameter that cannot stand beside another, or not without one.
    #[error("contradicts the other parameters")]
    Contradiction,
    /// The lines of a reply have different codes, or its enhanced code is of another class.
    #[error("codes contradict each other")]
    ContradictingCodes,
}

/// How many characters of a text are quoted: more than any address has.
const QUOTED: usize = 320;

/// A text that is not the address it should be.
///
/// Displays what was expected, the text (escaped, and cut if it is long) and what is wrong with it.
///
/// ```
/// use smtp_proto::syntax::Mailbox;
///
/// let error = "user.example.org".parse::<Mailbox>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "expected a mailbox such as user@example.org, found \"user.example.org\" \
///      (something is missing at byte 16)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error("expected {expected}, found {found:?} ({error})")]
pub struct AddressError {
    expected: &'static str,
    found: Box<str>,
    error: SyntaxError,
}

impl AddressError {
    #[cold]
    pub(super) fn new(expected: &'static str, found: &str, error: SyntaxError) -> Self {
        let mut quoted: String = found.chars().take(QUOTED).collect();
        if quoted.len() < found.len() {
            quoted.push('…');
        }
        Self {
            expected,
            found: quoted.into(),
            error,
        }
    }

    /// Returns what is wrong.
    pub const fn kind(&self) -> SyntaxErrorKind {
        self.error.kind
    }

    /// Returns the offset of the offending byte in the text that was given.
    pub const fn at(&self) -> usize {
        self.error.at
    }
}

impl From<AddressError> for SyntaxError {
    fn from(error: AddressError) -> Self {
        error.error
    }
}
