//! Counts, in tests, what is searched, so that a test can tell linear work from more.

#[cfg(test)]
std::thread_local! {
    static SEARCHED: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// Notes that so many bytes are searched. Does nothing outside of tests.
#[inline]
pub(crate) fn search(bytes: &[u8]) -> &[u8] {
    #[cfg(test)]
    SEARCHED.with(|searched| searched.set(searched.get() + bytes.len() as u64));
    bytes
}

/// Returns how many bytes were searched since the last call.
#[cfg(test)]
pub(crate) fn take() -> u64 {
    SEARCHED.with(|searched| searched.take())
}
