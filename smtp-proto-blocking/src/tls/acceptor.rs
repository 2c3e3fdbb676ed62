//! The server's side of TLS: how it proves what it is.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    Error, ServerConfig, ServerConnection,
    pki_types::{PrivateKeyDer, pem::PemObject},
};

use super::{Session, TlsError, provider, read_certificates};

/// Makes a server's connections secure. Cheap to clone.
///
/// Give it to [`Server::tls`](crate::Server::tls).
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
}

impl TlsAcceptor {
    /// Uses a chain of certificates, the server's own first, and its private key, each in a PEM
    /// file. Clients are not asked for certificates.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read, if the key is not that of the certificate, or with
    /// [`TlsError::NoProvider`].
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let chain = read_certificates(chain.as_ref())?;
        let key_file = key.as_ref();
        let key = PrivateKeyDer::from_pem_file(key_file)
            .map_err(|error| TlsError::file(key_file, error))?;
        let mut config = ServerConfig::builder_with_provider(provider()?)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // Who asks for another protocol by ALPN, as a browser does, was led astray (ALPACA, TLS-14).
        config.alpn_protocols = [&b"smtp"[..], b"esmtp", b"lmtp"].map(Vec::from).into();
        Ok(Self::from_config(Arc::new(config)))
    }

    /// Does as a configuration of rustls says, for instance asks clients for certificates.
    pub fn from_config(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }

    /// Begins a handshake.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let connection = ServerConnection::new(Arc::clone(&self.config))?;
        Ok(Session::new(connection.into()))
    }
}

/// Shows nothing: there is a private key in it.
impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").finish_non_exhaustive()
    }
}
