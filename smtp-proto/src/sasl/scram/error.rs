//! What SCRAM cannot work with.

use thiserror::Error;

/// Says what SCRAM cannot work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScramError {
    /// A name or a password is empty, or holds characters that SASLprep (RFC 4013) prohibits;
    /// without the feature `saslprep`, any but printable ASCII.
    #[error("a name or a password is empty or holds characters that are not allowed")]
    Characters,
    /// A nonce is empty, or holds anything but printable ASCII without the comma (RFC 5802 7).
    #[error("a nonce is empty or holds characters that are not allowed")]
    Nonce,
    /// A salt is empty.
    #[error("a salt is empty")]
    Salt,
    /// An iteration count is less than
    /// [`SCRAM_ITERATIONS_MINIMUM`](crate::machine::limits::SCRAM_ITERATIONS_MINIMUM) or more than
    /// [`SCRAM_ITERATIONS_MAXIMUM`](crate::machine::limits::SCRAM_ITERATIONS_MAXIMUM).
    #[error("an iteration count is out of bounds")]
    Iterations,
    /// A key is not as long as its hash.
    #[error("a key is not as long as its hash")]
    KeyLength,
}
