//! The client's side: which servers are to be believed.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    sign::{CertifiedKey, SingleCertAndKey},
};
use smtp_proto::{
    client,
    machine::{TlsInfo, UnverifiedReason, Verification, VerifiedBy},
};

use crate::{
    Pin, TlsaRecord, crypto_provider,
    dane::Tlsa,
    info,
    pem::{certificates, invalid, private_key, roots},
    reason::look_at,
    trust::{Trust, Verifier},
};

/// Begins TLS as a client, with a server of one name.
///
/// It is the server's certificate that says who it is: [`with_platform_roots`] and [`with_ca_file`]
/// have it vouched for by an authority, for the name given here; [`with_pin`] knows it beforehand;
/// [`with_tlsa`] has the DNS vouch for it. Each demands that; made [`opportunistic`] it looks and goes on
/// whatever it finds, and [`with_any_certificate`] does not look.
///
/// [`with_platform_roots`]: Self::with_platform_roots
/// [`with_ca_file`]: Self::with_ca_file
/// [`with_pin`]: Self::with_pin
/// [`with_tlsa`]: Self::with_tlsa
/// [`opportunistic`]: Self::opportunistic
/// [`with_any_certificate`]: Self::with_any_certificate
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
    /// The trust is of no use for servers of other names.
    is_of_one_server: bool,
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

    /// Trusts whom the DNS vouches for by the TLSA records of a server (DANE, RFC 7672): those that
    /// DNSSEC has proven, for the name `name`. Look-ups are yours. As one of them names a certificate by
    /// its issuer, it may also be for one of the other names: the domain that the server takes mail for,
    /// and what its name is an alias of (RFC 7672 3.2.2).
    ///
    /// If no record can be used, whoever answers passes and counts as unverified: TLS is demanded all
    /// the same (RFC 7672 2.2). Say so by [`Tls::Required`](smtp_proto::client::Tls::Required), and make
    /// another connector once the records' time to live is over.
    ///
    /// # Errors
    ///
    /// Fails if a name is no name of a host, or if there is no record at all.
    pub fn with_tlsa(name: &str, records: &[TlsaRecord], other_names: &[&str]) -> io::Result<Self> {
        if records.is_empty() {
            let message = "without TLSA records there is no DANE";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let other_names = other_names.iter().map(|name| server_name(name));
        let (trust, verification) = match Tlsa::new(records, other_names.collect::<Result<_, _>>()?)
        {
            Some(tlsa) => (Trust::Tlsa(tlsa), Verification::Verified(VerifiedBy::Dane)),
            None => {
                let reason = UnverifiedReason::NoUsableTlsa;
                (Trust::Anyone, Verification::Unverified(reason))
            }
        };
        let verifier = Verifier::new(trust, crypto_provider()?);
        Ok(Self {
            is_of_one_server: true,
            ..Self::with_verifier(name, Arc::new(verifier), verification)?
        })
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

    /// Trusts as the URL of a server means it that says no more than whether to do TLS.
    ///
    /// # Errors
    ///
    /// Those of [`with_platform_roots`](Self::with_platform_roots).
    pub fn of_url(host: &str, tls: client::Tls) -> io::Result<Self> {
        match tls {
            // The alternative is none: RFC 7435.
            client::Tls::Opportunistic => Self::with_any_certificate(host),
            _ => Self::with_platform_roots(host),
        }
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
        Ok(Self {
            config,
            name: server_name(name)?,
            verification: Verification::default(),
            verifier: None,
            is_opportunistic: false,
            is_of_one_server: false,
        })
    }

    /// Trusts the same for a server of another name: what was read of authorities is shared, and so are
    /// the sessions that can be resumed.
    ///
    /// # Errors
    ///
    /// Fails if `name` is no name of a host, or if the trust is in [TLSA records](Self::with_tlsa),
    /// which are of one server.
    pub fn named(&self, name: &str) -> io::Result<Self> {
        if self.is_of_one_server {
            let message = "TLSA records are of one server";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self {
            name: server_name(name)?,
            ..self.clone()
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
        self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> io::Result<Self> {
        self.client_certificate_der(certificates(chain.as_ref())?, private_key(key.as_ref())?)
    }

    /// Shows the server a certificate if it asks for one: its chain and its key, from memory. By
    /// [`PemObject`](rustls::pki_types::pem::PemObject) they are made of PEM.
    ///
    /// # Errors
    ///
    /// Fails if they do not belong together.
    pub fn client_certificate_der(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> io::Result<Self> {
        let provider = Arc::clone(self.config.crypto_provider());
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
                look_at(shown, &self.name, &**verifier)
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

fn server_name(name: &str) -> io::Result<ServerName<'static>> {
    match ServerName::try_from(name) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => {
            let message = format!("no certificate can be for {name:?}, which is no name of a host");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

/// Returns whether they trust the same, and show the same, in a server of one name. What was not cloned,
/// or [named](TlsConnector::named) anew, is not known to.
impl PartialEq for TlsConnector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
            && self.name == other.name
            && self.verification == other.verification
            && self.is_opportunistic == other.is_opportunistic
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsConnector({})", self.name.to_str())
    }
}
