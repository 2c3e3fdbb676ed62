//! Certificates for the tests, in files.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use smtp_proto_tokio::tls::{TlsAcceptor, TlsConnector};

/// The server's name, which its certificate holds.
pub(crate) const NAME: &str = "mx.example.net";

/// An authority, and what it has issued.
pub(crate) struct Pki {
    directory: PathBuf,
    pub certificate: CertificateDer<'static>,
}

impl Pki {
    /// Creates everything anew, in a directory that no other test uses.
    pub(crate) fn new(test: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        fs::create_dir_all(&directory).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(directory.join("ca.pem"), ca.pem()).unwrap();
        let issue = |who: &str, name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &ca).unwrap();
            fs::write(directory.join(format!("{who}.pem")), certificate.pem()).unwrap();
            fs::write(directory.join(format!("{who}.key")), key.serialize_pem()).unwrap();
            certificate.der().clone()
        };
        issue("client", "client.example");
        let certificate = issue("server", NAME);
        Self {
            directory,
            certificate,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(self.file("server.pem"), self.file("server.key")).unwrap()
    }

    /// Asks clients for certificates.
    pub(crate) fn asking_acceptor(&self) -> TlsAcceptor {
        let (chain, key) = (self.file("server.pem"), self.file("server.key"));
        TlsAcceptor::from_pem_files_and_client_ca(chain, key, self.file("ca.pem")).unwrap()
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::with_ca_file(NAME, self.file("ca.pem")).unwrap()
    }

    /// Does TLS by hand.
    pub(crate) fn raw_connector(&self, protocols: &[&str]) -> tokio_rustls::TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap())
            .unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Arc::new(config).into()
    }

    /// Does TLS by hand.
    pub(crate) fn raw_acceptor(&self) -> tokio_rustls::TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .unwrap();
        Arc::new(config).into()
    }
}

/// With several built in, rustls leaves the choice to its user.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
