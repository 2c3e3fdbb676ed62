//! Which library of cryptography is used.

use std::{io, sync::Arc};

use rustls::crypto::CryptoProvider;

/// Returns the process's choice of cryptography, or else the one that was built in.
///
/// For who makes a configuration of rustls by hand: with both libraries built in, rustls itself
/// chooses none.
///
/// # Errors
///
/// Fails if the process has installed none, and none is built in.
pub fn crypto_provider() -> io::Result<Arc<CryptoProvider>> {
    let installed = CryptoProvider::get_default().map(Arc::clone);
    #[cfg(feature = "aws-lc-rs")]
    let built_in = Some(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let built_in = Some(rustls::crypto::ring::default_provider());
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    let built_in = None;
    installed
        .or_else(|| built_in.map(Arc::new))
        .ok_or_else(|| io::Error::other("neither `ring` nor `aws-lc-rs` is built in"))
}
