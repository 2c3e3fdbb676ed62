//! Mail goes over TLS that native-tls does at both ends, through both adapters.

use std::{io::Write, net::TcpListener, sync::mpsc, thread};

use native_tls::{Certificate, Identity, TlsAcceptor, TlsConnector};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use smtp_proto_native_tls::{Acceptor, Connector};
use smtp_proto_tokio::smtp_proto::{
    client::{self, Outcome, Timeouts},
    machine::{Fault, UnverifiedReason, Verification, VerifiedBy},
    server,
    syntax::Host,
};

const SERVER: &str = "mx.example.net";
/// STARTTLS, and TLS from the first byte on.
const WAYS: [(client::Tls, server::Tls); 2] = [
    (client::Tls::Required, server::Tls::Offered),
    (client::Tls::Implicit, server::Tls::Implicit),
];

/// Returns a server's means for TLS, and the certificate that vouches for it.
fn server() -> (Acceptor, Certificate) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // By its name, it is not taken for the server.
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([SERVER.to_owned()]).unwrap();
    let chain = params.signed_by(&key, &ca).unwrap().pem();
    let identity = Identity::from_pkcs8(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let acceptor = Acceptor::new(TlsAcceptor::new(identity).unwrap());
    (acceptor, Certificate::from_der(ca.der()).unwrap())
}

/// Returns what trusts an authority.
fn trusting(authority: &Certificate, name: &str) -> Connector {
    let mut library = TlsConnector::builder();
    library.disable_built_in_roots(true);
    library.add_root_certificate(authority.clone());
    Connector::new(library.build().unwrap(), name)
}

/// Returns what lets every server pass.
fn credulous() -> Connector {
    let mut library = TlsConnector::builder();
    library.danger_accept_invalid_certs(true);
    Connector::new(library.build().unwrap(), SERVER).unverified()
}

fn client_config(tls: client::Tls) -> client::Config {
    client::Config::new(Host::parse("client.example").unwrap()).tls(tls)
}

fn server_config(tls: server::Tls) -> server::Config {
    server::Config::new(Host::parse(SERVER).unwrap()).tls(tls)
}

/// Returns a content that takes several records.
fn content() -> Vec<u8> {
    let mut content = b"Subject: large\r\n\r\n".to_vec();
    for line in 0..20_000 {
        write!(content, "{line}\r\n").unwrap();
    }
    content
}

/// Keeps what it is sent.
#[derive(Clone)]
struct Inbox(mpsc::Sender<Vec<u8>>);

mod over_tokio {
    use smtp_proto_tokio::{
        Client, Envelope, Error,
        server::{
            Handler, InMemory, Options, Recipient, Refusal, Session, Transaction, Verdict, accept,
            serve_connection,
        },
    };
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    impl Handler for Inbox {
        type Sink = InMemory;

        async fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        async fn content(
            &self,
            _: &Session,
            _: smtp_proto_tokio::server::Envelope,
        ) -> Result<InMemory, Refusal> {
            let inbox = self.0.clone();
            Ok(InMemory::then(async move |content| {
                inbox.send(content.to_vec()).unwrap();
                accept()
            }))
        }
    }

    /// Sends a message to a server of its own, and returns what the client knows of it.
    async fn deliver(
        way: (client::Tls, server::Tls),
        connector: Connector,
        acceptor: Acceptor,
        inbox: &Inbox,
    ) -> Result<Verification, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(connecting, listener.accept());
        let options = Options::new(server_config(way.1)).tls(acceptor);
        let serving = tokio::spawn(serve_connection(far.unwrap().0, options, inbox.clone()));
        let options = smtp_proto_tokio::client::Options::new(client_config(way.0)).tls(connector);
        let mut client = Client::with_stream(near.unwrap(), options)?;
        client.ready().await?;
        let envelope = Envelope::new("a@example.org")
            .unwrap()
            .to("b@example.net")
            .unwrap();
        assert!(client.send(envelope, content()).await?.is_delivered());
        let info = client.tls_info().unwrap().clone();
        assert_eq!(info.peer_certificates.len(), 1);
        client.quit().await?;
        serving.await.unwrap().unwrap();
        Ok(info.verification)
    }

    #[tokio::test]
    async fn mail_goes_over_native_tls() {
        let (acceptor, authority) = server();
        let (sender, receiver) = mpsc::channel();
        let inbox = Inbox(sender);
        for way in WAYS {
            let by_name = |name| trusting(&authority, name);
            let verified = deliver(way, by_name(SERVER), acceptor.clone(), &inbox).await;
            let by_authority = Verification::Verified(VerifiedBy::Authority);
            assert_eq!(verified.unwrap(), by_authority);
            let anyone = deliver(way, credulous(), acceptor.clone(), &inbox).await;
            let not_checked = Verification::Unverified(UnverifiedReason::NotChecked);
            assert_eq!(anyone.unwrap(), not_checked);
            let other = deliver(way, by_name("other.example"), acceptor.clone(), &inbox).await;
            assert_eq!(
                other.unwrap_err().machine().unwrap().fault(),
                Fault::TlsFailed
            );
        }
        let received: Vec<_> = receiver.try_iter().collect();
        assert_eq!(received, vec![content(); 2 * WAYS.len()]);
    }
}

mod over_blocking {
    use std::{
        io::{BufReader, Read},
        net::TcpStream,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use smtp_proto_blocking::{
        Client, Envelope, Error,
        server::{
            Handler, InMemory, Options, Recipient, Refusal, Session, Transaction, Verdict, accept,
            serve_connection,
        },
    };

    use super::*;

    impl Handler for Inbox {
        type Sink = InMemory;

        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(
            &self,
            _: &Session,
            _: smtp_proto_blocking::server::Envelope,
        ) -> Result<InMemory, Refusal> {
            let inbox = self.0.clone();
            Ok(InMemory::then(move |content| {
                inbox.send(content.to_vec()).unwrap();
                accept()
            }))
        }
    }

    /// Sends a message to a server of its own, and returns what the client knows of it.
    fn deliver(
        way: (client::Tls, server::Tls),
        connector: Connector,
        acceptor: Acceptor,
        inbox: &Inbox,
    ) -> Result<Verification, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        let options = Options::new(server_config(way.1)).tls(acceptor);
        let inbox = inbox.clone();
        let serving = thread::spawn(move || serve_connection(far, options, inbox));
        let options =
            smtp_proto_blocking::client::Options::new(client_config(way.0)).tls(connector);
        let mut client = Client::with_stream(near, options)?;
        client.ready()?;
        let envelope = Envelope::new("a@example.org")
            .unwrap()
            .to("b@example.net")
            .unwrap();
        assert!(client.send(envelope, content())?.is_delivered());
        let info = client.tls_info().unwrap().clone();
        assert_eq!(info.peer_certificates.len(), 1);
        client.quit()?;
        serving.join().unwrap().unwrap();
        Ok(info.verification)
    }

    #[test]
    fn mail_goes_over_native_tls() {
        let (acceptor, authority) = server();
        let (sender, receiver) = mpsc::channel();
        let inbox = Inbox(sender);
        for way in WAYS {
            let by_name = |name| trusting(&authority, name);
            let verified = deliver(way, by_name(SERVER), acceptor.clone(), &inbox);
            let by_authority = Verification::Verified(VerifiedBy::Authority);
            assert_eq!(verified.unwrap(), by_authority);
            let anyone = deliver(way, credulous(), acceptor.clone(), &inbox);
            let not_checked = Verification::Unverified(UnverifiedReason::NotChecked);
            assert_eq!(anyone.unwrap(), not_checked);
            let other = deliver(way, by_name("other.example"), acceptor.clone(), &inbox);
            assert_eq!(
                other.unwrap_err().machine().unwrap().fault(),
                Fault::TlsFailed
            );
        }
        let received: Vec<_> = receiver.try_iter().collect();
        assert_eq!(received, vec![content(); 2 * WAYS.len()]);
    }

    /// OpenSSL reads until a record is whole: the link keeps the time all the same.
    #[test]
    fn a_record_that_trickles_outlasts_no_timer() {
        let (acceptor, authority) = server();
        let inbox = Inbox(mpsc::channel().0);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options::new(server_config(server::Tls::Implicit)).tls(acceptor);
        thread::spawn(move || serve_connection(listener.accept().unwrap().0, options, inbox));
        let far = TcpStream::connect(address).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let between = listener.accept().unwrap().0;
        let (mut from, mut to) = (between.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let trickles = Arc::new(AtomicBool::new(false));
        let is_slow = Arc::clone(&trickles);
        thread::spawn(move || {
            for byte in BufReader::new(far).bytes() {
                if is_slow.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(60));
                }
                (&between).write_all(&[byte.unwrap()]).unwrap();
            }
        });
        let mut timeouts = Timeouts::default();
        timeouts.command = Duration::from_secs(1);
        timeouts.data_initiation = timeouts.command;
        let config = client_config(client::Tls::Implicit).timeouts(timeouts);
        let options =
            smtp_proto_blocking::client::Options::new(config).tls(trusting(&authority, SERVER));
        let mut client = Client::with_stream(near, options).unwrap();
        client.ready().unwrap();
        trickles.store(true, Ordering::Relaxed);
        let envelope = Envelope::new("a@example.org")
            .unwrap()
            .to("b@example.net")
            .unwrap();
        let report = client.send(envelope, "x\r\n").unwrap();
        assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
        let fault = client.ready().unwrap_err().machine().unwrap().fault();
        assert!(matches!(fault, Fault::TimedOut(_)), "{fault}");
    }
}
