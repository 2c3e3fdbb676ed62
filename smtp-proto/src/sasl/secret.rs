//! What must not be shown, and is overwritten in the end.

use core::{fmt, ops::Deref};

use zeroize::{Zeroize, Zeroizing};

/// Holds what must not be shown, and overwrites it in the end.
#[derive(Clone)]
pub(super) struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl<T: Zeroize> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("...")
    }
}
