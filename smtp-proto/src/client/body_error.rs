//! Why the content of a message cannot be had.

use alloc::{boxed::Box, string::ToString, sync::Arc};
use core::{error, fmt};

type Cause = dyn error::Error + Send + Sync;

/// Tells why the content of a message cannot be had: what its source said, an `io::Error` for one.
///
/// Whoever presents [`Body::Failed`](super::Body::Failed) may give it, and finds it again in what became of
/// the message, as the [source](error::Error::source) of [`NotSent`](super::NotSent).
// One pointer, as every outcome has room for it.
#[derive(Clone)]
pub struct BodyError(Arc<Box<Cause>>);

impl BodyError {
    /// Takes an error of any kind, or words.
    pub fn new(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(Arc::new(cause.into()))
    }

    /// Returns what the source said.
    pub fn get(&self) -> &(dyn error::Error + Send + Sync + 'static) {
        &**self.0
    }
}

/// Whether two say the same.
impl PartialEq for BodyError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.to_string() == other.to_string()
    }
}

impl Eq for BodyError {}

impl fmt::Debug for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get(), f)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.get(), f)
    }
}

/// Keeps the words.
#[cfg(feature = "serde")]
impl serde::Serialize for BodyError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for BodyError {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::string::String::deserialize(deserializer).map(Self::new)
    }
}
