//! A certificate authority and a server's certificate from it, in files.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use smtp_proto::{
    client,
    machine::Fault,
    server::{Config, Tls},
};
use smtp_proto_blocking::{
    Error, Server,
    server::Options,
    tls::{
        TlsAcceptor, TlsConnector,
        rustls::{
            self,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        },
    },
};

use super::{Store, run_with, server_config};

/// How a client and a server get into TLS.
pub const WAYS: [(client::Tls, Tls); 3] = [
    (client::Tls::Opportunistic, Tls::Offered),
    (client::Tls::Required, Tls::Required),
    (client::Tls::Implicit, Tls::Implicit),
];

/// Takes apart the error that a session has ended with.
pub fn session_error(error: Error) -> (Fault, String) {
    match error {
        Error::Session { error, transport } => {
            let transport = transport.map(|transport| transport.to_string());
            (error.fault(), transport.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

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
        TlsConnector::with_ca_file("server.example", &self.ca_file).unwrap()
    }

    /// Does a client's handshake by rustls alone.
    pub fn handshake(
        &self,
        stream: TcpStream,
    ) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
        let config = Arc::new(self.client_config());
        let name = "server.example".try_into().unwrap();
        let connection = rustls::ClientConnection::new(config, name).unwrap();
        rustls::StreamOwned::new(connection, stream)
    }

    /// Returns a configuration of rustls that trusts the authority.
    pub fn client_config(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&self.ca_file).unwrap();
        roots.add(authority).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Returns a configuration of rustls that shows the server's certificate.
    pub fn server_config(&self) -> rustls::ServerConfig {
        let provider = rustls::crypto::ring::default_provider();
        rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![self.server.clone().into()],
                PrivateKeyDer::from_pem_file(&self.key_file).unwrap(),
            )
            .unwrap()
    }

    /// Runs a client against a server with TLS, and returns what the server's handler kept.
    pub fn with_server(&self, tls: Tls, run: impl FnOnce(SocketAddr)) -> Store {
        let store = Store::default();
        run_with(self.server(server_config().tls(tls)), &&store, run);
        store
    }

    pub fn server(&self, config: Config) -> Server {
        let options = Options::new(config).tls(self.acceptor());
        Server::bind("127.0.0.1:0", options).unwrap()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let directory = self.ca_file.parent().unwrap();
        let _ = fs::remove_dir_all(directory);
    }
}
