//! TLS by rustls: whom a client trusts, and what a server shows.
//!
//! The machines say when a handshake is due; the connection goes over to TLS then.

mod session;
mod trust;

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    client::danger::ServerCertVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

use self::trust::{Trust, Verifier};

pub(crate) use self::session::Session;
pub use self::trust::Pin;
pub use rustls;

/// What clients may ask for by ALPN, as Exim has it. Others believe to speak another protocol
/// (TLS-14).
const PROTOCOLS: [&[u8]; 3] = [b"smtp", b"esmtp", b"lmtp"];

/// Begins TLS as a client, with a server of one name.
///
/// It is the server's certificate that says who it is: [`with_platform_roots`] and [`with_ca_file`]
/// have it vouched for by an authority, for the name given here; [`with_pin`] knows it beforehand.
///
/// [`with_platform_roots`]: Self::with_platform_roots
/// [`with_ca_file`]: Self::with_ca_file
/// [`with_pin`]: Self::with_pin
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnector {
    /// Trusts the authorities that the platform trusts. Reads files, so make one and clone it.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host, or if the platform has no authorities.
    pub fn with_platform_roots(name: &str) -> io::Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reason = found.errors.into_iter().next().map_or_else(
                || io::Error::other("the platform trusts no authority"),
                io::Error::other,
            );
            return Err(reason);
        }
        Self::with_roots(name, roots)
    }

    /// Trusts the authorities whose certificates a file holds, in PEM.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host, or if the file cannot be read or holds no certificate.
    pub fn with_ca_file(name: &str, file: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_roots(name, roots(file.as_ref())?)
    }

    /// Trusts one certificate, whoever it was issued by and for: `name` is only told to the server.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host.
    pub fn with_pin(name: &str, pin: impl Into<Pin>) -> io::Result<Self> {
        Self::with_trust(name, Trust::Pinned(pin.into()))
    }

    /// Trusts whoever answers: it keeps listeners out, and no attacker (RFC 7435). For
    /// [opportunistic](smtp_proto::client::Tls::Opportunistic) TLS between relays, where the
    /// alternative is no TLS.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host.
    pub fn with_any_certificate(name: &str) -> io::Result<Self> {
        Self::with_trust(name, Trust::Anyone)
    }

    /// Does as rustls is told.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host.
    pub fn with_config(name: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let name = name.to_owned();
        Ok(Self { config, name })
    }

    /// Shows the server a certificate if it asks for one: its chain and its key, in files in PEM.
    ///
    /// # Errors
    ///
    /// Fails if the files cannot be read, or do not belong together.
    pub fn client_certificate(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> io::Result<Self> {
        let provider = Arc::clone(self.config.crypto_provider());
        let (chain, key) = (certificates(chain.as_ref())?, private_key(key.as_ref())?);
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(invalid)?;
        Arc::make_mut(&mut self.config).client_auth_cert_resolver =
            Arc::new(SingleCertAndKey::from(certified));
        Ok(self)
    }

    fn with_roots(name: &str, roots: RootCertStore) -> io::Result<Self> {
        let config = ClientConfig::builder_with_provider(provider()?)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::with_config(name, Arc::new(config))
    }

    fn with_trust(name: &str, trust: Trust) -> io::Result<Self> {
        let provider = provider()?;
        let verifier: Arc<dyn ServerCertVerifier> =
            Arc::new(Verifier::new(trust, Arc::clone(&provider)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Self::with_config(name, Arc::new(config))
    }

    /// Begins a session.
    pub(crate) fn session(&self) -> io::Result<Session> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        Ok(Session::new(connection.map_err(invalid)?.into()))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsConnector({})", self.name.to_str())
    }
}

/// Begins TLS as a server, with one certificate.
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
}

impl TlsAcceptor {
    /// Reads the certificate, with those that lead to its authority behind it, and its key from
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
    /// [`peer_certificates`](crate::TlsInfo::peer_certificates).
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
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()?)
            .allow_unauthenticated()
            .build()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Self::new(chain.as_ref(), key.as_ref(), verifier)
    }

    fn new(chain: &Path, key: &Path, verifier: Arc<dyn ClientCertVerifier>) -> io::Result<Self> {
        let mut config = ServerConfig::builder_with_provider(provider()?)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(chain)?, private_key(key)?)
            .map_err(invalid)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Arc::new(config).into())
    }

    /// Begins a session.
    pub(crate) fn session(&self) -> io::Result<Session> {
        let connection = ServerConnection::new(Arc::clone(&self.config));
        Ok(Session::new(connection.map_err(invalid)?.into()))
    }
}

/// Does as rustls is told.
impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// Returns the process's choice of cryptography, or else the one that was built in.
fn provider() -> io::Result<Arc<CryptoProvider>> {
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

fn roots(file: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(invalid)?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(file, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(file, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, reason: &dyn fmt::Display) -> io::Error {
    let message = format!("{}: {reason}", file.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
