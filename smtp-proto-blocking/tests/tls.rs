//! STARTTLS and implicit TLS over loopback.

#![cfg(all(unix, feature = "rustls"))]

mod support;

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use smtp_proto::{
    client::{Duplex, NotSent, Outcome, Pipelining, Report, Timeouts, Tls},
    machine::{Fault, Timer},
    server,
};
use smtp_proto_blocking::{
    Client, Error, Server, TlsConnector, TlsError, Transport, rustls,
    server::{serve_connection, serve_tls_connection},
};
use support::{
    Store, ask, certificates::Certificates, client_config, envelope, hello, narrow_tcp, read_line,
    run_with, server_config, with_server,
};

const WAYS: [(Tls, server::Tls); 3] = [
    (Tls::Opportunistic, server::Tls::Offered),
    (Tls::Required, server::Tls::Required),
    (Tls::Implicit, server::Tls::Implicit),
];

/// Takes apart the error that a session has ended with.
fn session_error(error: Error) -> (Fault, String) {
    match error {
        Error::Session { error, transport } => {
            let transport = transport.map(|transport| transport.to_string());
            (error.fault(), transport.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

/// 3207-4.2-a, 3207-4.2-b.
#[test]
fn every_way_and_policy_delivers_unchanged() {
    let certificates = Certificates::new();
    let contents = |n: usize| match n % 3 {
        0 => format!("Subject: {n}\r\n\r\n.\r\n..\r\n"),
        1 => "x: 0123456789abcdef\r\n".repeat(20_000),
        _ => String::new(),
    };
    for (tls, server_tls) in WAYS {
        for pipelining in [
            Pipelining::LockStep,
            Pipelining::LookAhead,
            Pipelining::Stream { window: 10 },
        ] {
            let store = certificates.with_server(server_tls, |address| {
                let config = client_config().tls(tls).pipelining(pipelining);
                let mut client = Client::connect(address, config)
                    .unwrap()
                    .tls(certificates.connector());
                let messages = (0..9).map(|n| (envelope(&["one"]), contents(n)));
                let reports: Vec<Report> = client.send_all(messages).map(Result::unwrap).collect();
                assert!(reports.iter().all(Report::is_delivered), "{reports:?}");
                assert!(client.stream().is_encrypted());
                let shown = client.stream().peer_certificate();
                assert_eq!(shown.as_deref(), Some(&certificates.server[..]));
                client.quit().unwrap();
            });
            let messages = store.messages.into_inner().unwrap();
            let kept: Vec<_> = messages.into_iter().map(|stored| stored.content).collect();
            let sent: Vec<_> = (0..9).map(|n| contents(n).into_bytes()).collect();
            assert!(kept == sent, "{tls:?} {pipelining:?}");
            let notes = store.notes.into_inner().unwrap();
            assert_eq!(notes.last().map(String::as_str), Some("closed"));
        }
    }
}

/// TLS-15: certificates that prove nothing, and those that do.
#[test]
fn nothing_is_sent_to_a_server_that_cannot_prove_what_it_is() {
    let certificates = Certificates::new();
    let stranger = Certificates::new();
    let fingerprint = |der: &[u8]| {
        let digest = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256
            .tls13()
            .unwrap()
            .common
            .hash_provider
            .hash(der);
        <[u8; 32]>::try_from(digest.as_ref()).unwrap()
    };
    let (own, other) = (&certificates.server, &stranger.server);
    let with_ca = TlsConnector::with_ca_file;
    let pinned = |der: &[u8]| TlsConnector::pinned(fingerprint(der), "any.example");
    let pinned_certificate =
        |der: &[u8]| TlsConnector::pinned_certificate(der, "any.example").unwrap();
    let cases = [
        (certificates.connector(), None),
        (pinned(own).unwrap(), None),
        (pinned_certificate(own), None),
        (TlsConnector::unauthenticated("any.example").unwrap(), None),
        (
            with_ca(&certificates.ca_file, "other.example").unwrap(),
            Some("not valid for name"),
        ),
        (
            with_ca(&certificates.ca_file, "127.0.0.1").unwrap(),
            Some("not valid for name"),
        ),
        (stranger.connector(), Some("UnknownIssuer")),
        (
            pinned(other).unwrap(),
            Some("ApplicationVerificationFailure"),
        ),
        (
            pinned_certificate(other),
            Some("ApplicationVerificationFailure"),
        ),
    ];
    for (tls, server_tls) in WAYS {
        for (connector, refusal) in cases.clone() {
            let store = certificates.with_server(server_tls, |address| {
                let config = client_config().tls(tls);
                let mut client = Client::connect(address, config).unwrap().tls(connector);
                let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
                let Some(refusal) = refusal else {
                    assert!(report.is_delivered());
                    return;
                };
                assert_eq!(report.outcome, Outcome::NotSent(NotSent::ConnectionEnded));
                let (fault, transport) = session_error(client.quit().unwrap_err());
                assert_eq!(fault, Fault::TlsFailed);
                assert!(transport.contains(refusal), "{transport}");
            });
            let delivered = usize::from(refusal.is_none());
            assert_eq!(store.messages.into_inner().unwrap().len(), delivered);
        }
    }
}

/// TLS-7: what is required and not offered, and what is not required.
#[test]
fn without_an_offer_only_required_tls_fails() {
    let connector = || TlsConnector::unauthenticated("server.example").unwrap();
    let store = with_server(server_config(), |address| {
        let config = client_config().tls(Tls::Required);
        let mut client = Client::connect(address, config).unwrap().tls(connector());
        let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
        assert_eq!(report.outcome, Outcome::NotSent(NotSent::TlsUnavailable));
        let (fault, _) = session_error(client.quit().unwrap_err());
        assert_eq!(fault, Fault::TlsUnavailable);

        let config = client_config().tls(Tls::Opportunistic);
        let mut client = Client::connect(address, config).unwrap().tls(connector());
        let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
        assert!(report.is_delivered());
        assert!(!client.stream().is_encrypted());
    });
    assert_eq!(store.messages.into_inner().unwrap().len(), 1);
}

/// 3207-4-a, 3207-4-b.
#[test]
fn who_lacks_certificates_says_so() {
    let without = |tls, run: &dyn Fn(std::net::SocketAddr)| {
        let config = server_config().tls(tls);
        run_with(
            Server::bind("127.0.0.1:0", config).unwrap(),
            &&Store::default(),
            run,
        );
    };
    without(server::Tls::Offered, &|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        let reply = ask(&mut stream, "STARTTLS\r\n");
        assert_eq!(reply, "454 4.7.0 TLS not available\r\n");
        let config = client_config().tls(Tls::Opportunistic);
        let mut client = Client::connect(address, config).unwrap();
        let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
        assert!(report.is_delivered());
    });
    without(server::Tls::Implicit, &|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let certificates = Certificates::new();
    certificates.with_server(server::Tls::Offered, |address| {
        let config = client_config().tls(Tls::Required);
        let mut client = Client::connect(address, config).unwrap();
        let (fault, transport) = session_error(client.ready().unwrap_err());
        assert_eq!(fault, Fault::TlsFailed);
        assert_eq!(transport, "the client has no TlsConnector");
    });
}

/// 3207-4-h, TLS-1.
#[test]
fn commands_behind_starttls_end_the_session() {
    let certificates = Certificates::new();
    let store = certificates.with_server(server::Tls::Offered, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        let injection = "STARTTLS\r\nEHLO evil.example\r\n";
        let reply = ask(&mut stream, injection);
        assert_eq!(&reply[..4], "554 ");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let notes = store.notes.into_inner().unwrap();
    assert!(notes[0].contains("in clear where TLS begins"), "{notes:?}");
}

/// TLS-2: octets in clear where the handshake is due are none.
#[test]
fn commands_in_place_of_a_handshake_end_the_session() {
    let certificates = Certificates::new();
    let store = certificates.with_server(server::Tls::Offered, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        assert_eq!(&ask(&mut stream, "STARTTLS\r\n")[..4], "220 ");
        stream.write_all(b"EHLO evil.example\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(
            !answer.windows(3).any(|reply| reply == b"250"),
            "{answer:?}"
        );
    });
    let notes = store.notes.into_inner().unwrap();
    assert!(notes[0].contains("handshake failed"), "{notes:?}");
}

/// Serves one connection by a function, and returns its address.
fn peer<R: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> R + Send + 'static,
) -> (std::net::SocketAddr, thread::JoinHandle<R>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || serve(listener.accept().unwrap().0));
    (address, served)
}

/// 3207-4-i, TLS-6: nothing leaves any more.
#[test]
fn replies_behind_the_220_end_the_session() {
    let (address, server) = peer(|mut stream| {
        stream.write_all(b"220 x\r\n").unwrap();
        assert_eq!(read_line(&mut stream), "EHLO client.example\r\n");
        stream.write_all(b"250-x\r\n250 STARTTLS\r\n").unwrap();
        assert_eq!(read_line(&mut stream), "STARTTLS\r\n");
        stream.write_all(b"220 go\r\n250 evil\r\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let config = client_config().tls(Tls::Opportunistic);
    let connector = TlsConnector::unauthenticated("server.example").unwrap();
    let mut client = Client::connect(address, config).unwrap().tls(connector);
    let (fault, _) = session_error(client.ready().unwrap_err());
    assert_eq!(fault, Fault::OctetsBeforeTls);
    drop(client);
    assert_eq!(server.join().unwrap(), b"");
}

/// TLS-13: the end of the transport is not the end of the session.
#[test]
fn without_a_verdict_a_message_is_in_doubt_however_the_session_ends() {
    let certificates = Certificates::new();
    for (says_so, transport_error) in [(true, ""), (false, "peer closed connection")] {
        let (chain, key) = (&certificates.chain_file, &certificates.key_file);
        let config = rustls_server_config(chain, key);
        let (address, server) = peer(move |mut stream| {
            let session = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream.try_clone().unwrap());
            tls.write_all(b"220 x\r\n").unwrap();
            read_line(&mut tls);
            tls.write_all(b"250 x\r\n").unwrap();
            for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
                read_line(&mut tls);
                tls.write_all(reply.as_bytes()).unwrap();
            }
            while read_line(&mut tls) != ".\r\n" {}
            if says_so {
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let config = client_config().tls(Tls::Implicit);
        let mut client = Client::connect(address, config)
            .unwrap()
            .tls(certificates.connector());
        let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
        assert_eq!(report.outcome, Outcome::InDoubt);
        let (fault, transport) = session_error(client.next_report().unwrap_err());
        assert_eq!(fault, Fault::ConnectionLost);
        assert!(transport.starts_with(transport_error), "{transport}");
        assert_eq!(transport.is_empty(), transport_error.is_empty());
        drop(client);
        server.join().unwrap();
    }
}

fn rustls_server_config(
    chain: &std::path::Path,
    key: &std::path::Path,
) -> std::sync::Arc<rustls::ServerConfig> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(chain).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        );
    config.unwrap().into()
}

#[test]
fn a_silent_peer_does_not_hold_up_the_handshake_for_ever() {
    let (address, server) = peer(|mut stream| stream.read_to_end(&mut Vec::new()).unwrap());
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_millis(50);
    let config = client_config().tls(Tls::Implicit).timeouts(timeouts);
    let connector = TlsConnector::unauthenticated("server.example").unwrap();
    let mut client = Client::connect(address, config).unwrap().tls(connector);
    let (fault, _) = session_error(client.ready().unwrap_err());
    assert_eq!(fault, Fault::TimedOut(Timer::Handshake));
    drop(client);
    assert!(server.join().unwrap() > 0);
}

/// Peers whose buffers are full at once go on by reading.
#[test]
fn narrow_sockets_do_not_stop_a_stream() {
    let certificates = Certificates::new();
    let (near, far) = narrow_tcp();
    let acceptor = certificates.acceptor();
    let store = Store::default();
    thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            let config = server_config().tls(server::Tls::Implicit);
            serve_tls_connection(far, None, config, &acceptor, &store).unwrap();
        });
        let config = client_config()
            .tls(Tls::Implicit)
            .duplex(Duplex::Full)
            .queue(2_000)
            .pipelining(Pipelining::Stream { window: 1_000 });
        let mut client = Client::with_stream(near, config).tls(certificates.connector());
        let messages = (0..1_000).map(|_| (envelope(&["a", "b", "c"]), "x\r\n"));
        let delivered = client.send_all(messages);
        assert_eq!(
            delivered
                .filter(|r| r.as_ref().unwrap().is_delivered())
                .count(),
            1_000
        );
        client.quit().unwrap();
    });
    assert_eq!(store.messages.into_inner().unwrap().len(), 1_000);
}

/// Reads one octet at a time and writes a few, and every other time nothing.
struct Trickle<T> {
    inner: T,
    read_blocks: bool,
    write_blocks: bool,
}

impl<T> Trickle<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            read_blocks: false,
            write_blocks: false,
        }
    }
}

impl<T: Read> Read for Trickle<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_blocks = !self.read_blocks;
        if self.read_blocks {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(1);
        self.inner.read(&mut buffer[..most])
    }
}

impl<T: Write> Write for Trickle<T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_blocks = !self.write_blocks;
        if self.write_blocks {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.inner.write(&octets[..octets.len().min(97)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Transport> Transport for Trickle<T> {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.inner.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.inner.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.inner.shutdown_write()
    }
}

#[test]
fn any_split_of_the_octets_will_do() {
    let certificates = Certificates::new();
    let acceptor = certificates.acceptor();
    for (tls, server_tls) in WAYS {
        let (near, far) = UnixStream::pair().unwrap();
        let store = Store::default();
        thread::scope(|scope| {
            let (acceptor, store) = (&acceptor, &store);
            scope.spawn(move || {
                let config = server_config().tls(server_tls);
                let far = Trickle::new(far);
                serve_tls_connection(far, None, config, acceptor, &store).unwrap();
            });
            let mut client = Client::with_stream(Trickle::new(near), client_config().tls(tls))
                .tls(certificates.connector());
            let report = client.send(&envelope(&["a"]), "x\r\n".repeat(300)).unwrap();
            assert!(report.is_delivered());
            client.quit().unwrap();
        });
        assert_eq!(store.messages.into_inner().unwrap().len(), 1);
    }
}

/// TLS-14.
#[test]
fn clients_of_another_protocol_are_refused() {
    let certificates = Certificates::new();
    let roots = {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&certificates.ca_file).unwrap();
        roots.add(authority).unwrap();
        roots
    };
    let provider = rustls::crypto::ring::default_provider();
    let mut config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for (protocol, is_served) in [("smtp", true), ("http/1.1", false)] {
        config.alpn_protocols = vec![protocol.into()];
        let connector = TlsConnector::from_config(config.clone().into(), "server.example").unwrap();
        certificates.with_server(server::Tls::Implicit, |address| {
            let config = client_config().tls(Tls::Implicit);
            let mut client = Client::connect(address, config).unwrap().tls(connector);
            assert_eq!(client.ready().is_ok(), is_served);
        });
    }
}

#[test]
fn what_cannot_be_used_is_told() {
    let certificates = Certificates::new();
    let missing = TlsConnector::with_ca_file("no/such/file", "server.example");
    assert!(matches!(missing, Err(TlsError::File { .. })), "{missing:?}");
    let not_one = TlsConnector::with_ca_file(&certificates.key_file, "server.example");
    assert!(matches!(not_one, Err(TlsError::File { .. })), "{not_one:?}");
    let nameless = TlsConnector::unauthenticated("not a name");
    assert!(matches!(nameless, Err(TlsError::InvalidName)));
    let stranger = Certificates::new();
    let mixed = smtp_proto_blocking::TlsAcceptor::from_pem_files(
        &certificates.chain_file,
        &stranger.key_file,
    );
    assert!(matches!(mixed, Err(TlsError::Unusable(_))), "{mixed:?}");
    assert_eq!(
        format!("{:?}", certificates.acceptor()),
        "TlsAcceptor { .. }"
    );
}

/// A connection served without an acceptor has none, whatever is configured.
#[test]
fn serving_without_an_acceptor_never_begins_tls() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || {
        let config = server_config().tls(server::Tls::Required);
        serve_connection(far, None, config, &&Store::default())
    });
    hello(&mut near);
    assert_eq!(&ask(&mut near, "STARTTLS\r\n")[..4], "454 ");
    assert_eq!(&ask(&mut near, "MAIL FROM:<>\r\n")[..4], "530 ");
    assert_eq!(&ask(&mut near, "QUIT\r\n")[..4], "221 ");
    assert!(served.join().unwrap().is_ok());
}
