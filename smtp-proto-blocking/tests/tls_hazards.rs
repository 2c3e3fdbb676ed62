//! TLS where the peer or the transport does not do as it should.

#![cfg(all(unix, feature = "rustls"))]

mod support;

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Duplex, Outcome, Pipelining, Timeouts, Tls},
    machine::{Fault, Timer},
    server,
};
use smtp_proto_blocking::{
    Client, Transport,
    client::Options as ClientOptions,
    server::{Options, serve_connection},
    tls::{TlsConnector, rustls},
};
use smtp_proto_test_support::{Pki, SERVER};
use support::{
    Store, ask, client_config, envelope, hello, narrow_tcp, read_line, server_config, tcp,
    tls::{WAYS, handshake, session_error, with_tls_server},
};

/// 3207-4-h, TLS-1, TLS-3.
#[test]
fn commands_after_starttls_end_the_session() {
    let pki = Pki::new();
    for injection in [
        "STARTTLS\r\nEHLO evil.example\r\n",
        "starttls\r\nMAIL FROM:<evil@example.org>\r\n",
        "StartTLS  \r\nE",
        "STARTTLS\r\n\x16\x03\x01",
    ] {
        let store = with_tls_server(&pki, server::Tls::Offered, |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            let reply = ask(&mut stream, injection);
            assert_eq!(&reply[..4], "554 ");
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        });
        let notes = store.notes();
        assert!(notes[0].contains("in clear where TLS begins"), "{notes:?}");
    }
}

/// TLS-4, TLS-5, 3207-4.2-a: no TLS in a transaction, nothing is left of a session in clear, and
/// there is no TLS under TLS.
#[test]
fn a_session_in_clear_is_forgotten() {
    let pki = Pki::new();
    with_tls_server(&pki, server::Tls::Offered, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        let code = |reply: String| reply[..4].to_owned();
        assert_eq!(code(ask(&mut stream, "STARTTLS x\r\n")), "501 ");
        assert_eq!(code(ask(&mut stream, "MAIL FROM:<>\r\n")), "250 ");
        assert_eq!(code(ask(&mut stream, "STARTTLS\r\n")), "503 ");
        assert_eq!(code(ask(&mut stream, "RSET\r\n")), "250 ");
        assert_eq!(code(ask(&mut stream, "STARTTLS\r\n")), "220 ");
        let mut tls = handshake(&pki, stream);
        assert_eq!(code(ask(&mut tls, "RCPT TO:<a@b.example>\r\n")), "503 ");
        assert_eq!(code(ask(&mut tls, "MAIL FROM:<>\r\n")), "503 ");
        tls.write_all(b"EHLO client.example\r\n").unwrap();
        loop {
            let line = read_line(&mut tls);
            assert!(!line.contains("STARTTLS"), "{line}");
            if line.starts_with("250 ") {
                break;
            }
        }
        assert_eq!(code(ask(&mut tls, "STARTTLS\r\n")), "503 ");
        assert_eq!(code(ask(&mut tls, "MAIL FROM:<>\r\n")), "250 ");
    });
}

/// TLS-2: bytes in clear where the handshake is due are none.
#[test]
fn commands_in_place_of_a_handshake_end_the_session() {
    let pki = Pki::new();
    let store = with_tls_server(&pki, server::Tls::Offered, |address| {
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
    let notes = store.notes();
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
fn replies_after_the_220_end_the_session() {
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
    let connector = TlsConnector::with_any_certificate(SERVER).unwrap();
    let mut client =
        Client::with_stream(tcp(address), ClientOptions::new(config).tls(connector)).unwrap();
    let (fault, _) = session_error(client.ready().unwrap_err());
    assert_eq!(fault, Fault::BytesBeforeTls);
    drop(client);
    assert_eq!(server.join().unwrap(), b"");
}

/// TLS-8: STARTTLS is offered and then refused: nothing but a farewell leaves in clear.
#[test]
fn refused_tls_leaves_nothing_in_clear() {
    for (reply, expected, farewell) in [
        ("454 no\r\n", Fault::TlsUnavailable, "QUIT\r\n"),
        ("250 ok\r\n", Fault::ImpossibleReply, ""),
        ("421 bye\r\n", Fault::Closing, ""),
    ] {
        let (address, server) = peer(move |mut stream| {
            stream.write_all(b"220 x\r\n").unwrap();
            read_line(&mut stream);
            stream.write_all(b"250-x\r\n250 STARTTLS\r\n").unwrap();
            assert_eq!(read_line(&mut stream), "STARTTLS\r\n");
            stream.write_all(reply.as_bytes()).unwrap();
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            rest
        });
        let connector = TlsConnector::with_any_certificate(SERVER).unwrap();
        let mut client = Client::with_stream(
            tcp(address),
            ClientOptions::new(client_config().tls(Tls::Required)).tls(connector),
        )
        .unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        assert!(matches!(report.outcome, Outcome::NotSent(_)));
        let (fault, _) = session_error(client.quit().unwrap_err());
        assert_eq!(fault, expected);
        drop(client);
        assert_eq!(server.join().unwrap(), farewell);
    }
}

/// TLS-10, 3207-4.2-a: what was offered in clear counts no more.
#[test]
fn offers_in_clear_are_forgotten() {
    let pki = Pki::new();
    let config = Arc::new(pki.server_config());
    let (address, server) = peer(move |mut stream| {
        let offer = "250-x\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n";
        for reply in ["220 x\r\n", offer, "220 go\r\n"] {
            stream.write_all(reply.as_bytes()).unwrap();
            if !reply.ends_with("go\r\n") {
                read_line(&mut stream);
            }
        }
        let session = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        read_line(&mut tls);
        tls.write_all(b"250-x\r\n250 SIZE 10000\r\n").unwrap();
        assert_eq!(&read_line(&mut tls)[..4], "MAIL");
        tls.write_all(b"250 ok\r\n").unwrap();
        assert_eq!(&read_line(&mut tls)[..4], "RCPT");
        // There may be more only where PIPELINING is offered.
        let quiet = Some(Duration::from_millis(50));
        tls.sock.set_read_timeout(quiet).unwrap();
        let more = tls.read(&mut [0]).unwrap_err();
        assert_eq!(more.kind(), io::ErrorKind::WouldBlock);
    });
    let mut client = Client::with_stream(
        tcp(address),
        ClientOptions::new(client_config().tls(Tls::Required)).tls(pki.connector()),
    )
    .unwrap();
    client.ready().unwrap();
    let offers: Vec<_> = client.capabilities().iter().map(|it| it.0).collect();
    assert_eq!(offers, ["SIZE"]);
    client.send(envelope(&["a"]), "x\r\n").unwrap();
    server.join().unwrap();
}

/// TLS-12: after close_notify nothing more is read, least of all in clear.
#[test]
fn bytes_after_the_end_of_tls_are_not_content() {
    let pki = Pki::new();
    let store = with_tls_server(&pki, server::Tls::Implicit, |address| {
        let mut tls = handshake(&pki, TcpStream::connect(address).unwrap());
        hello(&mut tls);
        ask(&mut tls, "MAIL FROM:<>\r\n");
        assert_eq!(&ask(&mut tls, "RCPT TO:<a@b.example>\r\n")[..4], "250 ");
        tls.write_all(b"BDAT 10 LAST\r\nhalf ").unwrap();
        tls.conn.send_close_notify();
        tls.flush().unwrap();
        let mut stream = tls.sock;
        let _ = stream.write_all(b"full\r\nNOOP\r\n"); // the server may be gone
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // and may say so by a reset
        assert!(!answer.windows(3).any(|it| it == b"250"), "{answer:?}");
    });
    assert!(store.messages().is_empty());
    let notes = store.notes();
    let end = notes.last().unwrap();
    assert!(end.contains("closed by the peer"), "{notes:?}");
}

/// TLS-13: nor is an end of TLS the end of a content.
#[test]
fn the_client_ends_tls_in_the_middle_of_a_content() {
    let pki = Pki::new();
    for says_so in [true, false] {
        let store = with_tls_server(&pki, server::Tls::Implicit, |address| {
            let mut tls = handshake(&pki, TcpStream::connect(address).unwrap());
            hello(&mut tls);
            ask(&mut tls, "MAIL FROM:<>\r\n");
            ask(&mut tls, "RCPT TO:<a@b.example>\r\n");
            assert_eq!(&ask(&mut tls, "DATA\r\n")[..4], "354 ");
            tls.write_all(b"Subject: half\r\n").unwrap();
            if says_so {
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
            tls.sock.shutdown(Shutdown::Write).unwrap();
            tls.sock.read_to_end(&mut Vec::new()).unwrap();
        });
        assert!(store.messages().is_empty());
        let notes = store.notes();
        let end = notes.last().unwrap();
        assert!(end.contains("closed by the peer"), "{notes:?}");
        assert_eq!(end.contains("close_notify"), !says_so, "{notes:?}");
    }
}

/// TLS-13: the end of the transport is not the end of the session.
#[test]
fn without_a_verdict_a_message_is_in_doubt_however_the_session_ends() {
    let pki = Pki::new();
    for (says_so, transport_error) in [(true, ""), (false, "peer closed connection")] {
        let config = Arc::new(pki.server_config());
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
        let mut client = Client::with_stream(
            tcp(address),
            ClientOptions::new(config).tls(pki.connector()),
        )
        .unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        assert_eq!(report.outcome, Outcome::InDoubt);
        let (fault, transport) = session_error(client.next_report().unwrap_err());
        assert_eq!(fault, Fault::ConnectionLost);
        assert!(transport.starts_with(transport_error), "{transport}");
        assert_eq!(transport.is_empty(), transport_error.is_empty());
        drop(client);
        server.join().unwrap();
    }
}

#[test]
fn a_silent_peer_does_not_hold_up_the_handshake_for_ever() {
    let (address, server) = peer(|mut stream| stream.read_to_end(&mut Vec::new()).unwrap());
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_millis(50);
    let config = client_config().tls(Tls::Implicit).timeouts(timeouts);
    let connector = TlsConnector::with_any_certificate(SERVER).unwrap();
    let mut client =
        Client::with_stream(tcp(address), ClientOptions::new(config).tls(connector)).unwrap();
    let (fault, _) = session_error(client.ready().unwrap_err());
    assert_eq!(fault, Fault::TimedOut(Timer::Handshake));
    drop(client);
    assert!(server.join().unwrap() > 0);
}

/// The time of a handshake is that of all of it.
#[test]
fn a_peer_that_trickles_does_not_hold_up_the_handshake_for_ever() {
    let (address, server) = peer(|mut stream| {
        // The beginning of a record of 16 KiB.
        let mut bytes = [22, 3, 3, 64, 0].into_iter().chain(std::iter::repeat(2));
        while stream.write_all(&[bytes.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_millis(300);
    let config = client_config().tls(Tls::Implicit).timeouts(timeouts);
    let connector = TlsConnector::with_any_certificate(SERVER).unwrap();
    let options = ClientOptions::new(config).tls(connector);
    let mut client = Client::with_stream(tcp(address), options).unwrap();
    let begin = Instant::now();
    let (fault, _) = session_error(client.ready().unwrap_err());
    assert_eq!(fault, Fault::TimedOut(Timer::Handshake));
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(client);
    server.join().unwrap();
}

/// A server that ends does not wait for handshakes.
#[test]
fn a_shutdown_ends_a_handshake() {
    let pki = Pki::new();
    for said in [&b""[..], &[22, 3, 3, 64]] {
        let begin = Instant::now();
        let mut kept = None;
        with_tls_server(&pki, server::Tls::Implicit, |address| {
            let stream = kept.insert(tcp(address));
            stream.write_all(said).unwrap();
            thread::sleep(Duration::from_millis(50));
        });
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}

/// Peers whose buffers are full at once go on by reading.
#[test]
fn narrow_sockets_do_not_stop_a_stream() {
    let pki = Pki::new();
    let (near, far) = narrow_tcp();
    let acceptor = pki.acceptor();
    let store = Arc::new(Store::default());
    thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            let config = server_config().tls(server::Tls::Implicit);
            serve_connection(far, Options::new(config).tls(acceptor), Arc::clone(store)).unwrap();
        });
        let config = client_config()
            .tls(Tls::Implicit)
            .duplex(Duplex::Full)
            .queue(600)
            .pipelining(Pipelining::Stream { window: 300 });
        let mut client =
            Client::with_stream(near, ClientOptions::new(config).tls(pki.connector())).unwrap();
        let messages = (0..300).map(|_| (envelope(&["a", "b", "c"]), "x\r\n"));
        let delivered = client.send_all(messages);
        assert_eq!(
            delivered
                .filter(|r| r.as_ref().unwrap().is_delivered())
                .count(),
            300
        );
        client.quit().unwrap();
    });
    assert_eq!(store.messages().len(), 300);
}

/// Reads one byte at a time and writes a few, and every other time nothing.
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
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_blocks = !self.write_blocks;
        if self.write_blocks {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.inner.write(&bytes[..bytes.len().min(97)])
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
fn any_split_of_the_bytes_will_do() {
    let pki = Pki::new();
    let acceptor = pki.acceptor();
    for (tls, server_tls) in WAYS {
        let (near, far) = UnixStream::pair().unwrap();
        let store = Arc::new(Store::default());
        thread::scope(|scope| {
            let (acceptor, store) = (acceptor.clone(), &store);
            scope.spawn(move || {
                let config = server_config().tls(server_tls);
                let far = Trickle::new(far);
                serve_connection(far, Options::new(config).tls(acceptor), Arc::clone(store))
                    .unwrap();
            });
            let mut client = Client::with_stream(
                Trickle::new(near),
                ClientOptions::new(client_config().tls(tls)).tls(pki.connector()),
            )
            .unwrap();
            let report = client.send(envelope(&["a"]), "x\r\n".repeat(300)).unwrap();
            assert!(report.is_delivered());
            client.quit().unwrap();
        });
        assert_eq!(store.messages().len(), 1);
    }
}
