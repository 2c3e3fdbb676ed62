//! The client's side: which servers are to be believed.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use smtp_proto::machine::{TlsInfo, Verification, VerifiedBy};

use crate::{
    Pin, crypto_provider, info,
    pem::{certificates, invalid, private_key, roots},
    trust::{self, Trust, Verifier},
};

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
    /// What a server is that passes.
    verification: Verification,
    /// What decided that, unless rustls was told by hand.
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    /// Servers pass that do not.
    is_opportunistic: bool,
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
        let verifier = Verifier::new(Trust::Pinned(pin.into()), crypto_provider()?);
        let verification = Verification::Verified(VerifiedBy::Fingerprint);
        Self::with_verifier(name, Arc::new(verifier), verification)
    }

    /// Trusts whoever answers: it keeps listeners out, and no attacker (RFC 7435). For
    /// [opportunistic](smtp_proto::client::Tls::Opportunistic) TLS between relays, where the
    /// alternative is no TLS.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host.
    pub fn with_any_certificate(name: &str) -> io::Result<Self> {
        let verifier = Verifier::new(Trust::Anyone, crypto_provider()?);
        Self::with_verifier(name, Arc::new(verifier), Verification::default())
    }

    /// Lets whoever answers pass, as [`with_any_certificate`](Self::with_any_certificate) does, and
    /// still looks: [`info`](Self::info) says whether the server is one of those that are trusted,
    /// who may have credentials, and if not, why.
    ///
    /// # Errors
    ///
    /// Fails if the process has no cryptography.
    pub fn opportunistic(mut self) -> io::Result<Self> {
        let anyone = Verifier::new(Trust::Anyone, crypto_provider()?);
        let config = Arc::make_mut(&mut self.config);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(anyone));
        // A session that is resumed is not verified again: what is begun here must not go on there.
        config.resumption = Resumption::default();
        self.is_opportunistic = true;
        Ok(self)
    }

    /// Does as rustls is told. Say by what it verifies servers: [`verified_by`](Self::verified_by).
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host.
    pub fn with_config(name: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let name = name.to_owned();
        Ok(Self {
            config,
            name,
            verification: Verification::default(),
            verifier: None,
            is_opportunistic: false,
        })
    }

    /// Says what vouches for every server that the [configuration](Self::with_config) lets pass.
    /// Otherwise they count as unverified, and get no credentials.
    #[must_use]
    pub fn verified_by(mut self, by: VerifiedBy) -> Self {
        self.verification = Verification::Verified(by);
        self
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
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto_provider()?)
                .build()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let verification = Verification::Verified(VerifiedBy::Authority);
        Self::with_verifier(name, verifier, verification)
    }

    fn with_verifier(
        name: &str,
        verifier: Arc<dyn ServerCertVerifier>,
        verification: Verification,
    ) -> io::Result<Self> {
        let config = ClientConfig::builder_with_provider(crypto_provider()?)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier))
            .with_no_client_auth();
        Ok(Self {
            verification,
            verifier: Some(verifier),
            ..Self::with_config(name, Arc::new(config))?
        })
    }

    /// Returns what a handshake that this has begun came to, once it is complete.
    pub fn info(&self, connection: &ClientConnection) -> TlsInfo {
        let verification = match &self.verifier {
            _ if !self.is_opportunistic => self.verification,
            Some(verifier) => {
                let shown = connection.peer_certificates().unwrap_or_default();
                trust::look_at(shown, &self.name, &**verifier)
                    .map_or_else(Verification::Unverified, |()| self.verification)
            }
            None => Verification::default(),
        };
        info::of_client(connection, verification)
    }

    /// Returns what rustls is told.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Returns whom the certificate has to name, and how the server is called (RFC 6066 3).
    pub fn server_name(&self) -> &ServerName<'static> {
        &self.name
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsConnector({})", self.name.to_str())
    }
}
