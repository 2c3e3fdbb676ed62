//! The client's side of TLS: whom it trusts.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider,
        hash::{Hash, HashAlgorithm},
        verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{Session, TlsError, provider, read_certificates};

/// Makes a client's connections to one server secure, and knows which certificates prove that it is
/// that server.
///
/// Cheap to clone. Give it to [`Client::tls`](crate::Client::tls).
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl TlsConnector {
    /// Trusts certificates for that host name or address, from those authorities that the platform
    /// trusts.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`], [`TlsError::InvalidName`] and [`TlsError::NoProvider`].
    pub fn platform(server: &str) -> Result<Self, TlsError> {
        // Some certificate of many is always one that cannot be read.
        let certificates = rustls_native_certs::load_native_certs().certs;
        let mut roots = RootCertStore::empty();
        match roots.add_parsable_certificates(certificates) {
            (0, _) => Err(TlsError::NoRoots),
            _ => Self::trusting(roots, server),
        }
    }

    /// Trusts certificates for that host name or address, from the authorities in a PEM file.
    ///
    /// # Errors
    ///
    /// Any [`TlsError`] but [`NoRoots`](TlsError::NoRoots).
    pub fn with_ca_file(file: impl AsRef<Path>, server: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(file.as_ref())? {
            roots.add(certificate)?;
        }
        Self::trusting(roots, server)
    }

    /// Trusts the one certificate, whatever names it, that has this SHA-256 fingerprint, of its DER
    /// form.
    ///
    /// Neither its names nor its dates matter, as with DANE-EE (RFC 7672 3.1.1). `server` is the name
    /// that is asked for.
    ///
    /// # Errors
    ///
    /// [`TlsError::InvalidName`] and [`TlsError::NoProvider`].
    pub fn pinned(fingerprint: [u8; 32], server: &str) -> Result<Self, TlsError> {
        Self::verifying(Trusted::Fingerprint(fingerprint), server)
    }

    /// Trusts this certificate, in its DER form, and no other; else as [`pinned`](Self::pinned).
    ///
    /// # Errors
    ///
    /// [`TlsError::InvalidName`] and [`TlsError::NoProvider`].
    pub fn pinned_certificate(der: impl Into<Vec<u8>>, server: &str) -> Result<Self, TlsError> {
        Self::verifying(Trusted::Certificate(der.into().into()), server)
    }

    /// Trusts any certificate: whoever listens is kept out, whoever stands in the way is not.
    ///
    /// Only for [`Opportunistic`](smtp_proto::client::Tls::Opportunistic) TLS, where anything else
    /// would be in clear (RFC 7435): that is what relays do.
    ///
    /// # Errors
    ///
    /// [`TlsError::InvalidName`] and [`TlsError::NoProvider`].
    pub fn unauthenticated(server: &str) -> Result<Self, TlsError> {
        Self::verifying(Trusted::Any, server)
    }

    /// Does as a configuration of rustls says, for instance with a certificate of the client's own.
    ///
    /// # Errors
    ///
    /// [`TlsError::InvalidName`].
    pub fn from_config(config: Arc<ClientConfig>, server: &str) -> Result<Self, TlsError> {
        let server = ServerName::try_from(server).map_err(|_| TlsError::InvalidName)?;
        Ok(Self {
            config,
            server: server.to_owned(),
        })
    }

    fn trusting(roots: RootCertStore, server: &str) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider()?)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::from_config(Arc::new(config), server)
    }

    fn verifying(trusted: Trusted, server: &str) -> Result<Self, TlsError> {
        let provider = provider()?;
        let verifier = Arc::new(Verifier {
            trusted,
            provider: Arc::clone(&provider),
        });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Self::from_config(Arc::new(config), server)
    }

    /// Begins a handshake.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.server.clone())?;
        Ok(Session::new(connection.into()))
    }
}

/// Shows the server's name, and nothing of the configuration.
impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Which certificates are trusted without an authority.
#[derive(Debug)]
enum Trusted {
    Certificate(CertificateDer<'static>),
    Fingerprint([u8; 32]),
    Any,
}

/// Compares certificates in place of following their chains. That the server holds the key is
/// verified all the same.
#[derive(Debug)]
struct Verifier {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn sha256(&self) -> Result<&'static dyn Hash, Error> {
        self.provider
            .cipher_suites
            .iter()
            .filter_map(|suite| suite.tls13())
            .map(|suite| suite.common.hash_provider)
            .find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
            .ok_or_else(|| Error::General("the provider has no SHA-256".to_owned()))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let matches = match &self.trusted {
            Trusted::Certificate(trusted) => certificate == trusted,
            Trusted::Fingerprint(trusted) => self.sha256()?.hash(certificate).as_ref() == trusted,
            Trusted::Any => true,
        };
        match matches {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
