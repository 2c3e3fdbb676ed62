//! Names and passwords in the form in which they are compared (RFC 4013).

use alloc::borrow::Cow;

use super::error::ScramError;

/// Prepares a name or a password by SASLprep (5802-5.1-a).
pub(super) fn prepare(text: &str) -> Result<Cow<'_, str>, ScramError> {
    saslprep(text)
        .filter(|prepared| !prepared.is_empty())
        .ok_or(ScramError::Characters)
}

#[cfg(feature = "saslprep")]
fn saslprep(text: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(text).ok()
}

/// Of ASCII, SASLprep changes nothing and prohibits what is not printable.
#[cfg(not(feature = "saslprep"))]
fn saslprep(text: &str) -> Option<Cow<'_, str>> {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_printable.then_some(Cow::Borrowed(text))
}
