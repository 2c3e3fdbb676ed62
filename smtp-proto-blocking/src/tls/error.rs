//! Why TLS could not be set up.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::pki_types::pem;

/// Tells why a [`TlsConnector`](super::TlsConnector) or a [`TlsAcceptor`](super::TlsAcceptor) could
/// not be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read, or does not hold what it should as PEM (RFC 7468).
    File {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        error: Arc<pem::Error>,
    },
    /// The platform has no certificate of any authority.
    NoRoots,
    /// The server's name is neither a host name nor an address.
    InvalidName,
    /// Neither the feature `ring` nor `aws-lc-rs` is on, and the process has no default provider.
    NoProvider,
    /// A certificate or key cannot be used.
    Unusable(rustls::Error),
}

impl TlsError {
    pub(super) fn file(path: &Path, error: pem::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            error: Arc::new(error),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Unusable(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoRoots => f.write_str("the platform trusts no certificate authority"),
            Self::InvalidName => f.write_str("not the name of a TLS server"),
            Self::NoProvider => f.write_str("no cryptography for TLS is chosen"),
            Self::Unusable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TlsError {}
