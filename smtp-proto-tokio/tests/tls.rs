//! TLS: STARTTLS and implicit, whom the client trusts, and what must not pass for TLS.
#![cfg(all(feature = "ring", feature = "rustls"))]

#[path = "support/pki.rs"]
mod pki;
mod support;

use std::{sync::Arc, time::Duration};

use pki::{NAME, Pki};
use smtp_proto::{
    client::{self, NotSent, Outcome, Pipelining, Timeouts},
    machine::{Fault, Timer},
    server,
    syntax::Extension,
};
use smtp_proto_tokio::{
    Client, Error, Server,
    server::{Options, serve_connection},
    tls::{Pin, TlsConnector},
};
use support::{
    POLICIES, Shared, Store, client_config, content, drain, exchange, greet, is_delivered, one,
    read_to_end, script, server_config,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);
const READY: &str = "220 2.0.0 Ready to start TLS\r\n";
const MODES: [(client::Tls, server::Tls); 4] = [
    (client::Tls::Opportunistic, server::Tls::Offered),
    (client::Tls::Required, server::Tls::Offered),
    (client::Tls::Required, server::Tls::Required),
    (client::Tls::Implicit, server::Tls::Implicit),
];

fn look_ahead(tls: client::Tls) -> client::Config {
    client_config(Pipelining::LookAhead).tls(tls)
}

/// Serves one connection of memory.
fn serve(
    store: &Arc<Store>,
    buffer: usize,
    options: Options,
) -> (DuplexStream, JoinHandle<Result<(), Error>>) {
    let (near, far) = tokio::io::duplex(buffer);
    let handler = Arc::new(Shared(Arc::clone(store)));
    let task = tokio::spawn(serve_connection(far, None, options, handler));
    (near, task)
}

fn with_tls(pki: &Pki, tls: server::Tls) -> Options {
    Options::new(server_config().tls(tls)).tls(pki.acceptor())
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Session { error, .. } => error.fault(),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn every_mode_delivers_by_every_policy_through_buffers_of_every_size() {
    let pki = Pki::new("every_mode");
    for (client_tls, server_tls) in MODES {
        for policy in POLICIES {
            // The 24 octets that end TLS have to fit, as both sides may say them at once.
            for buffer in [32, 64 * 1024] {
                let store = Arc::new(Store::default());
                let (stream, server) = serve(&store, buffer, with_tls(&pki, server_tls));
                let config = client_config(policy).tls(client_tls);
                let builder = Client::builder(config).tls(pki.connector());
                let mut client = builder.with_stream(stream).unwrap();
                let mut sending = client.send_all((0..5).map(|index| (one(), content(index))));
                let mut count = 0;
                while let Some(report) = timeout(PATIENCE, sending.next()).await.unwrap().unwrap() {
                    assert!(is_delivered(&report), "{report:?}");
                    count += 1;
                }
                assert_eq!(count, 5, "{client_tls:?} {policy:?} {buffer}");
                assert_eq!(client.stream().tls_info().unwrap().version, 0x0304);
                // 3207-4.2-d
                assert!(!client.capabilities().has(Extension::StartTls));
                client.quit().await.unwrap();
                server.await.unwrap().unwrap();
                let stored = store.messages.lock().unwrap();
                let contents: Vec<_> = stored.iter().map(|it| it.content.clone()).collect();
                assert_eq!(contents, (0..5).map(content).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test]
async fn a_server_serves_many_clients_over_tls_and_shuts_down() {
    let pki = Pki::new("many_clients");
    let store = Arc::new(Store::default());
    for (client_tls, server_tls) in MODES {
        let server = Server::bind("127.0.0.1:0", with_tls(&pki, server_tls))
            .await
            .unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = Shared(Arc::clone(&store));
        let serving = tokio::spawn(server.serve_until(handler, async {
            let _ = stopped.await;
        }));
        for _ in 0..3 {
            let builder = Client::builder(look_ahead(client_tls)).tls(pki.connector());
            let mut client = builder.connect(address).await.unwrap();
            assert!(is_delivered(
                &client.send(&one(), content(0)).await.unwrap()
            ));
            client.quit().await.unwrap();
        }
        stop.send(()).unwrap();
        timeout(PATIENCE, serving).await.unwrap().unwrap();
    }
    assert_eq!(store.messages.lock().unwrap().len(), 12);
    let closed = store.closed.lock().unwrap();
    assert!(closed.iter().all(Result::is_ok), "{closed:?}");
}

/// TLS-15 and its kin: whom the client does not trust gets nothing.
#[tokio::test]
async fn only_trusted_servers_get_mail() {
    let (pki, other) = (Pki::new("trusted"), Pki::new("trusted_other"));
    let der = pki.certificate.clone();
    let digest = sha256(&der);
    let mut wrong = digest;
    wrong[31] ^= 1;
    let pinned = |name, pin: Pin| TlsConnector::with_pin(name, pin).unwrap();
    let by_ca = |name, pki: &Pki| TlsConnector::with_ca_file(name, pki.file("ca.pem")).unwrap();
    let cases = [
        ("authority", by_ca(NAME, &pki), true),
        ("wrong host", by_ca("mx.example.org", &pki), false),
        ("wrong host", by_ca("127.0.0.1", &pki), false),
        ("unknown authority", by_ca(NAME, &other), false),
        ("pin", pinned(NAME, der.clone().into()), true),
        ("pin of another name", pinned("x.example", der.into()), true),
        (
            "wrong pin",
            pinned(NAME, other.certificate.clone().into()),
            false,
        ),
        ("digest", pinned(NAME, digest.into()), true),
        ("wrong digest", pinned(NAME, wrong.into()), false),
        (
            "anyone",
            TlsConnector::with_any_certificate("x.example").unwrap(),
            true,
        ),
    ];
    for (case, connector, trusted) in cases {
        for (client_tls, server_tls) in MODES {
            let store = Arc::new(Store::default());
            let (stream, server) = serve(&store, 4096, with_tls(&pki, server_tls));
            let builder = Client::builder(look_ahead(client_tls)).tls(connector.clone());
            let mut client = builder.with_stream(stream).unwrap();
            let report = client.send(&one(), content(0)).await.unwrap();
            assert_eq!(is_delivered(&report), trusted, "{case} {report:?}");
            if trusted {
                client.quit().await.unwrap();
                server.await.unwrap().unwrap();
                continue;
            }
            let not_sent = Outcome::NotSent(NotSent::ConnectionEnded);
            assert_eq!(report.outcome, not_sent, "{case}");
            let error = client.ready().await.unwrap_err();
            assert_eq!(fault(&error), Fault::TlsFailed, "{case}");
            assert!(error.to_string().contains("certificate"), "{case}: {error}");
            drop(client);
            let error = timeout(PATIENCE, server)
                .await
                .unwrap()
                .unwrap()
                .unwrap_err();
            assert_eq!(fault(&error), Fault::TlsFailed, "{case}");
            assert!(store.messages.lock().unwrap().is_empty());
        }
    }
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
    let hash = suite.tls13().unwrap().common.hash_provider;
    hash.hash(octets).as_ref().try_into().unwrap()
}

#[tokio::test]
async fn tls_is_wanted_and_nothing_was_given_to_do_it_with() {
    let pki = Pki::new("nothing_given");
    for (client_tls, server_tls) in MODES {
        let store = Arc::new(Store::default());
        let (stream, server) = serve(&store, 4096, with_tls(&pki, server_tls));
        let mut client = Client::with_stream(stream, look_ahead(client_tls));
        let error = client.ready().await.unwrap_err();
        assert_eq!(fault(&error), Fault::TlsFailed);
        assert!(error.to_string().contains("TlsConnector"), "{error}");
        drop(client);
        server.await.unwrap().unwrap_err();
    }

    // 8314-4-a: a server does not begin what it cannot go on with.
    let store = Arc::new(Store::default());
    let options = server_config().tls(server::Tls::Offered).into();
    let (stream, server) = serve(&store, 4096, options);
    let builder = Client::builder(look_ahead(client::Tls::Opportunistic)).tls(pki.connector());
    let mut client = builder.with_stream(stream).unwrap();
    assert!(is_delivered(
        &client.send(&one(), content(0)).await.unwrap()
    ));
    assert_eq!(client.stream().tls_info(), None);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}

/// TLS-7
#[tokio::test]
async fn tls_is_not_offered() {
    let pki = Pki::new("not_offered");
    let client = |tls| {
        let store = Arc::new(Store::default());
        let (stream, _server) = serve(&store, 4096, server_config().into());
        let builder = Client::builder(look_ahead(tls)).tls(pki.connector());
        builder.with_stream(stream).unwrap()
    };
    let mut strict = client(client::Tls::Required);
    let report = strict.send(&one(), content(0)).await.unwrap();
    assert_eq!(report.outcome, Outcome::NotSent(NotSent::TlsUnavailable));
    let error = strict.ready().await.unwrap_err();
    assert_eq!(fault(&error), Fault::TlsUnavailable);

    let mut lax = client(client::Tls::Opportunistic);
    let report = lax.send(&one(), content(0)).await.unwrap();
    assert!(is_delivered(&report));
}

/// TLS-1, TLS-3, 3207-4-h, CVE-2011-0411: what comes behind STARTTLS is never obeyed.
#[tokio::test]
async fn octets_behind_starttls_close_the_connection() {
    let pki = Pki::new("behind_starttls");
    for behind in ["MAIL FROM:<evil@example.org>\r\n", "E", "\x16\x03\x01"] {
        let store = Arc::new(Store::default());
        let (mut stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Offered));
        greet(&mut stream).await;
        let command = format!("starttls\r\n{behind}");
        stream.write_all(command.as_bytes()).await.unwrap();
        let reply = read_to_end(&mut stream).await;
        assert!(reply.starts_with("554 5.5.0 "), "{reply}");
        assert_eq!(reply.lines().count(), 1);
        drop(stream);
        let error = server.await.unwrap().unwrap_err();
        assert_eq!(fault(&error), Fault::OctetsBeforeTls);
    }
}

/// TLS-2: what comes behind the 220 is TLS's, and is none.
#[tokio::test]
async fn commands_in_the_place_of_a_handshake_close_the_connection() {
    let pki = Pki::new("in_place");
    let store = Arc::new(Store::default());
    let (mut stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Offered));
    greet(&mut stream).await;
    exchange(&mut stream, "STARTTLS\r\n", READY).await;
    stream.write_all(b"EHLO evil\r\nNOOP\r\n").await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert!(!received.windows(3).any(|it| it == b"250"), "{received:?}");
    assert_eq!(fault(&server.await.unwrap().unwrap_err()), Fault::TlsFailed);
}

/// TLS-6, 3207-4-i, CVE-2021-38371: the client takes nothing that comes behind the 220 in clear.
#[tokio::test]
async fn octets_behind_the_220_close_the_connection() {
    let pki = Pki::new("behind_220");
    let (near, far) = tokio::io::duplex(4096);
    let server = script(
        far,
        &[
            ("", "220 x\r\n"),
            ("EHLO", "250-x\r\n250 STARTTLS\r\n"),
            ("STARTTLS\r\n", "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"),
        ],
    );
    let builder = Client::builder(look_ahead(client::Tls::Required)).tls(pki.connector());
    let mut client = builder.with_stream(near).unwrap();
    client.submit(&one(), content(0)).unwrap();
    let (reports, result) = drain(&mut client).await;
    let not_sent = Outcome::NotSent(NotSent::ConnectionEnded);
    assert_eq!(reports[0].outcome, not_sent);
    assert_eq!(fault(&result.unwrap_err()), Fault::OctetsBeforeTls);
    let sent = server.await.unwrap();
    assert_eq!(sent, b"EHLO client.example\r\nSTARTTLS\r\n");
}

/// TLS-14: a browser that was led here is turned away.
#[tokio::test]
async fn clients_of_another_protocol_are_turned_away() {
    let pki = Pki::new("alpn");
    for (protocols, welcome) in [(&["http/1.1"][..], false), (&["h2", "smtp"], true)] {
        let store = Arc::new(Store::default());
        let (stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Implicit));
        let connector = pki.raw_connector(protocols);
        let connected = connector.connect(NAME.try_into().unwrap(), stream).await;
        assert_eq!(connected.is_ok(), welcome);
        if let Ok(mut stream) = connected {
            exchange(&mut stream, "", "220 mx.example.net ESMTP\r\n").await;
        }
        let error = server.await.unwrap().unwrap_err();
        assert_eq!(fault(&error) == Fault::TlsFailed, !welcome);
    }
}

/// TLS-13: an end without close_notify is no end of a message, and no verdict.
#[tokio::test]
async fn tls_is_cut_off_without_a_word() {
    let pki = Pki::new("cut_off");
    // The server goes when it has everything.
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = pki.raw_acceptor();
    let server = tokio::spawn(async move {
        let mut stream = acceptor.accept(far).await.unwrap();
        exchange_lines(
            &mut stream,
            &["220 x", "250 x", "250 ok", "250 ok", "354 go"],
        )
        .await;
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n.\r\n") {
            received.push(stream.read_u8().await.unwrap());
        }
    });
    let builder = Client::builder(look_ahead(client::Tls::Implicit)).tls(pki.connector());
    let mut client = builder.with_stream(near).unwrap();
    let report = client.send(&one(), content(0)).await.unwrap();
    assert_eq!(report.outcome, Outcome::InDoubt);
    let error = client.quit().await.unwrap_err();
    assert_eq!(fault(&error), Fault::ConnectionLost);
    assert!(error.to_string().contains("close_notify"), "{error}");
    server.await.unwrap();

    // The client goes in the middle of a content.
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Implicit));
    let connector = pki.raw_connector(&[]);
    let connected = connector.connect(NAME.try_into().unwrap(), stream).await;
    let mut stream = connected.unwrap();
    greet(&mut stream).await;
    support::begin_message(&mut stream).await;
    stream.write_all(b"Subject: half\r\n").await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    let error = server.await.unwrap().unwrap_err();
    assert_eq!(fault(&error), Fault::ConnectionLost);
    assert!(store.messages.lock().unwrap().is_empty());
}

/// Sends one reply, and each of the others after a line has come.
async fn exchange_lines(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    replies: &[&str],
) {
    for (index, reply) in replies.iter().enumerate() {
        while index > 0 && stream.read_u8().await.unwrap() != b'\n' {}
        let line = format!("{reply}\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_times_out() {
    let pki = Pki::new("times_out");
    let (near, _far) = tokio::io::duplex(4096);
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_secs(7);
    let config = look_ahead(client::Tls::Implicit).timeouts(timeouts);
    let builder = Client::builder(config).tls(pki.connector());
    let mut client = builder.with_stream(near).unwrap();
    let error = client.ready().await.unwrap_err();
    assert_eq!(fault(&error), Fault::TimedOut(Timer::Handshake));

    let store = Arc::new(Store::default());
    let (mut stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Offered));
    greet(&mut stream).await;
    exchange(&mut stream, "STARTTLS\r\n", READY).await;
    let error = server.await.unwrap().unwrap_err();
    assert!(matches!(fault(&error), Fault::TimedOut(_)), "{error}");

    let (_stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Implicit));
    let error = server.await.unwrap().unwrap_err();
    assert!(matches!(fault(&error), Fault::TimedOut(_)), "{error}");
}

#[test]
fn files_that_do_not_do_are_named() {
    let pki = Pki::new("files");
    let missing = pki.file("missing.pem");
    let error = TlsConnector::with_ca_file(NAME, &missing).unwrap_err();
    assert!(error.to_string().contains("missing.pem"), "{error}");
    let error = TlsConnector::with_ca_file(NAME, pki.file("server.key")).unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
    TlsConnector::with_ca_file("not a name", pki.file("ca.pem")).unwrap_err();
    let acceptor = smtp_proto_tokio::tls::TlsAcceptor::from_pem_files;
    acceptor(pki.file("server.pem"), pki.file("client.key")).unwrap_err();
    acceptor(pki.file("server.pem"), pki.file("ca.pem")).unwrap_err();
}
