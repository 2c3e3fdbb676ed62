//! The server's side: what shows who it is.

use std::{
    fmt,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use smtp_proto::machine::{TlsInfo, Verification, VerifiedBy};

use crate::{
    crypto_provider, info,
    pem::{certificates, invalid, private_key, roots},
};

/// What clients may ask for by ALPN, as Exim has it. Others believe to speak another protocol
/// (TLS-14); who asks for nothing, as most do, is welcome.
const PROTOCOLS: [&[u8]; 3] = [b"smtp", b"esmtp", b"lmtp"];

/// Begins TLS as a server, with one certificate.
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    verification: Verification,
}

impl TlsAcceptor {
    /// Reads the certificate, with those that lead to its authority after it, and its key from
    /// files in PEM.
    ///
    /// # Errors
    ///
    /// Fails if the files cannot be read, or do not belong together.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<Self> {
        let verifier = WebPkiClientVerifier::no_client_auth();
        Self::new(chain.as_ref(), key.as_ref(), verifier)
    }

    /// Does so, and asks clients for certificates, which these authorities vouch for. A client may
    /// have none; what the others show is in
    /// [`peer_certificates`](smtp_proto::machine::TlsInfo::peer_certificates).
    ///
    /// # Errors
    ///
    /// Fails if the files cannot be read, or do not belong together.
    pub fn from_pem_files_and_client_ca(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
        client_ca: impl AsRef<Path>,
    ) -> io::Result<Self> {
        let roots = Arc::new(roots(client_ca.as_ref())?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto_provider()?)
            .allow_unauthenticated()
            .build()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Self::new(chain.as_ref(), key.as_ref(), verifier)
    }

    fn new(chain: &Path, key: &Path, verifier: Arc<dyn ClientCertVerifier>) -> io::Result<Self> {
        let mut config = ServerConfig::builder_with_provider(crypto_provider()?)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(chain)?, private_key(key)?)
            .map_err(invalid)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self::from(Arc::new(config)).verified_by(VerifiedBy::Authority))
    }

    /// Says what vouches for every certificate that the configuration lets pass, where rustls was told
    /// how to verify them by hand. Otherwise they count as unverified.
    #[must_use]
    pub fn verified_by(mut self, by: VerifiedBy) -> Self {
        self.verification = Verification::Verified(by);
        self
    }

    /// Does the handshake over a blocking stream, and returns what leads through TLS with what it came to:
    /// for `TestServer::with_tls` of the core, and loops of one's own.
    ///
    /// ```
    /// use smtp_proto::{server::{Config, Tls}, syntax::Host, testing::TestServer};
    /// use smtp_proto_rustls::TlsAcceptor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pki = smtp_proto_test_support::Pki::new();
    /// # let [chain, key] = ["server.pem", "server.key"].map(|name| pki.file(name));
    /// let acceptor = TlsAcceptor::from_pem_files(chain, key)?;
    /// let config = Config::new(Host::parse("mx.example.net")?).tls(Tls::Required);
    /// let server = TestServer::with_tls(config, move |stream| acceptor.accept(stream))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the stream, and of the handshake.
    pub fn accept<S: Read + Write>(
        &self,
        mut stream: S,
    ) -> io::Result<(StreamOwned<ServerConnection, S>, TlsInfo)> {
        let mut connection = ServerConnection::new(Arc::clone(&self.config)).map_err(invalid)?;
        connection.complete_io(&mut stream)?;
        let info = self.info(&connection);
        Ok((StreamOwned::new(connection, stream), info))
    }

    /// Returns what a handshake that this has begun came to, once it is complete.
    pub fn info(&self, connection: &ServerConnection) -> TlsInfo {
        info::of_server(connection, self.verification)
    }

    /// Returns what rustls is told.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

/// Does as rustls is told.
impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            config,
            verification: Verification::default(),
        }
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}
