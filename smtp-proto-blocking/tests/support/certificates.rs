//! A certificate authority and a server's certificate from it, in files.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use smtp_proto::server::{Config, Tls};
use smtp_proto_blocking::{Server, TlsAcceptor, TlsConnector};

use super::{Store, run_with, server_config};

/// Certifies `server.example`.
pub struct Certificates {
    pub ca_file: PathBuf,
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    /// The server's certificate.
    pub server: Vec<u8>,
}

impl Certificates {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("certificates-{}-{number}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).unwrap();

        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("authority {number}");
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let authority = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["server.example".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();

        let file = |name: &str, content: String| {
            let path = directory.join(name);
            fs::write(&path, content).unwrap();
            path
        };
        Self {
            ca_file: file("ca.pem", authority_certificate.pem()),
            chain_file: file("chain.pem", certificate.pem()),
            key_file: file("key.pem", key.serialize_pem()),
            server: certificate.der().to_vec(),
        }
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(&self.chain_file, &self.key_file).unwrap()
    }

    pub fn connector(&self) -> TlsConnector {
        TlsConnector::with_ca_file(&self.ca_file, "server.example").unwrap()
    }

    /// Runs a client against a server with TLS, and returns what the server's handler kept.
    pub fn with_server(&self, tls: Tls, run: impl FnOnce(SocketAddr)) -> Store {
        let store = Store::default();
        run_with(self.server(server_config().tls(tls)), &&store, run);
        store
    }

    pub fn server(&self, config: Config) -> Server {
        Server::bind("127.0.0.1:0", config)
            .unwrap()
            .tls(self.acceptor())
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let directory = self.ca_file.parent().unwrap();
        let _ = fs::remove_dir_all(directory);
    }
}
