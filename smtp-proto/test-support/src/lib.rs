//! What the adapters' tests share: an authority, and what it has issued; a server that keeps to a script.
//!
//! Everything here panics where it fails, as tests do.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod nodelay;
mod script;

use std::{fs, ops::Range, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use sha2::{Digest, Sha256};
use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector, crypto_provider,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};
use tempfile::TempDir;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
pub use nodelay::without_nodelay;
pub use script::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};

/// The server's name, which its certificate holds.
pub const SERVER: &str = "mx.example.net";
/// The client's name, which its certificate holds.
pub const CLIENT: &str = "client.example";

/// An authority of its own, and a server's and a client's certificate from it.
///
/// In files, in PEM: `ca.pem`, and `.pem` and `.key` of `server`, `client` and `expired`, the
/// server's of which the time is over; in `-chain.pem` the authority's stands after each.
#[derive(Debug)]
pub struct Pki {
    directory: TempDir,
    /// The server's certificate.
    pub certificate: CertificateDer<'static>,
    /// The authority's.
    pub authority: CertificateDer<'static>,
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

impl Pki {
    /// Creates everything anew.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: String| fs::write(directory.path().join(name), pem).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // By its name, no authority is taken for another.
        let name = directory.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        write("ca.pem", ca.pem());
        let issue = |who: &str, name: &str, years: Range<i32>| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.not_before = date_time_ymd(years.start, 1, 1);
            params.not_after = date_time_ymd(years.end, 1, 1);
            let certificate = params.signed_by(&key, &ca).unwrap();
            write(&format!("{who}.pem"), certificate.pem());
            write(&format!("{who}-chain.pem"), certificate.pem() + &ca.pem());
            write(&format!("{who}.key"), key.serialize_pem());
            certificate.der().clone()
        };
        issue("client", CLIENT, 2000..3000);
        issue("expired", SERVER, 2000..2020);
        let certificate = issue("server", SERVER, 2000..3000);
        Self {
            directory,
            certificate,
            authority: ca.der().clone(),
        }
    }

    /// Returns where a file is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the SHA-256 of the server's certificate.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Returns what shows the server's certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(self.file("server.pem"), self.file("server.key")).unwrap()
    }

    /// Returns what shows the authority's certificate, too.
    pub fn chain_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(self.file("server-chain.pem"), self.file("server.key")).unwrap()
    }

    /// Returns what shows a certificate of the server's that was valid once.
    pub fn expired_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(self.file("expired.pem"), self.file("expired.key")).unwrap()
    }

    /// Returns what also asks clients for certificates.
    pub fn asking_acceptor(&self) -> TlsAcceptor {
        let (chain, key) = (self.file("server.pem"), self.file("server.key"));
        TlsAcceptor::from_pem_files_and_client_ca(chain, key, self.file("ca.pem")).unwrap()
    }

    /// Returns what turns clients away that have none.
    pub fn demanding_acceptor(&self) -> TlsAcceptor {
        let roots = Arc::new(self.roots());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, crypto_provider().unwrap());
        let config = ServerConfig::builder_with_provider(crypto_provider().unwrap())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![self.certificate.clone()], self.key("server.key"))
            .unwrap();
        Arc::new(config).into()
    }

    /// Returns what trusts the authority.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::with_ca_file(SERVER, self.file("ca.pem")).unwrap()
    }

    /// Returns what trusts the authority and shows the client's certificate.
    pub fn showing_connector(&self) -> TlsConnector {
        let (chain, key) = (self.file("client.pem"), self.file("client.key"));
        self.connector().client_certificate(chain, key).unwrap()
    }

    /// Does so with what is not in files.
    pub fn showing_connector_from_memory(&self) -> TlsConnector {
        let chain = CertificateDer::from_pem_file(self.file("client.pem")).unwrap();
        let key = self.key("client.key");
        self.connector()
            .client_certificate_der(vec![chain], key)
            .unwrap()
    }

    fn key(&self, name: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(self.file(name)).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        roots
    }

    /// Returns a client's configuration that owes nothing to the crate under test, and asks for
    /// these protocols (RFC 7301).
    pub fn client_config(&self, protocols: &[&str]) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(crypto_provider().unwrap())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    }

    /// Returns a server's configuration that owes nothing to the crate under test.
    pub fn server_config(&self) -> ServerConfig {
        ServerConfig::builder_with_provider(crypto_provider().unwrap())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key("server.key"))
            .unwrap()
    }
}
