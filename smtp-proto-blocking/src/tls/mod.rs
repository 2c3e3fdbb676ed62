//! TLS, by rustls.

mod acceptor;
mod connector;
mod error;
mod session;

use std::{path::Path, sync::Arc};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

pub(crate) use self::session::Session;
pub use self::{acceptor::TlsAcceptor, connector::TlsConnector, error::TlsError};

/// Returns the cryptography that the features name, or else the process's default.
fn provider() -> Result<Arc<CryptoProvider>, TlsError> {
    #[cfg(feature = "aws-lc-rs")]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return CryptoProvider::get_default()
        .cloned()
        .ok_or(TlsError::NoProvider);
}

/// Reads all certificates of a PEM file, of which there is at least one.
fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| TlsError::file(file, error))?;
    match certificates.as_slice() {
        [] => Err(TlsError::file(file, pem::Error::NoItemsFound)),
        _ => Ok(certificates),
    }
}
