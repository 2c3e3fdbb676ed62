//! What makes one exchange unlike all others.

use alloc::string::String;

use super::error::ScramError;
use crate::syntax::base64;

/// Makes one exchange unlike all others. Draw a new one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

/// How many bytes of entropy a nonce is made of: 144 bits.
const ENTROPY: usize = 18;

impl Nonce {
    /// Makes a nonce of what `fill` draws from the system: bytes that nobody can foretell.
    ///
    /// # Errors
    ///
    /// That of `fill`.
    pub fn draw<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = [0; ENTROPY];
        fill(&mut bytes)?;
        Ok(Self(base64::encode(&bytes).as_str().into()))
    }

    /// Takes a nonce as it is.
    ///
    /// # Errors
    ///
    /// [`ScramError::Nonce`] if it is empty, or holds anything but printable ASCII, or a comma.
    pub fn parse(text: impl Into<String>) -> Result<Self, ScramError> {
        let text = text.into();
        if is_nonce(&text) {
            Ok(Self(text))
        } else {
            Err(ScramError::Nonce)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells whether a nonce is of the form that RFC 5802 7 gives it.
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
}
