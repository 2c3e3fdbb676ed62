//! STARTTLS and implicit TLS over loopback.

#![cfg(all(unix, feature = "rustls"))]

mod support;

use std::{io::Read, net::TcpStream, os::unix::net::UnixStream, sync::Arc, thread};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{NotSentReason, Outcome, Pipelining, Tls},
    machine::Fault,
    server,
};
use smtp_proto_blocking::{
    Client, Server,
    client::Options,
    server::serve_connection,
    tls::{Pin, TlsConnector},
};
use smtp_proto_test_support::{Pki, SERVER};
use support::{
    Store, ask, client_config, envelope, hello, run_with, server_config, tcp,
    tls::{WAYS, session_error, with_tls_server},
    with_server,
};

/// 3207-4.2-a, 3207-4.2-b.
#[test]
fn every_way_and_policy_delivers_unchanged() {
    let pki = Pki::new();
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
            let store = with_tls_server(&pki, server_tls, |address| {
                let config = client_config().tls(tls).pipelining(pipelining);
                let mut client =
                    Client::with_stream(tcp(address), Options::new(config).tls(pki.connector()))
                        .unwrap();
                let messages = (0..9).map(|n| (envelope(&["one"]), contents(n)));
                let reports: Vec<Report> = client.send_all(messages).map(Result::unwrap).collect();
                assert!(reports.iter().all(Report::is_delivered), "{reports:?}");
                let info = client.tls_info().unwrap();
                assert_eq!(info.version, 0x0304);
                assert!(info.is_verified() && info.exporter.is_some());
                assert_eq!(info.peer_certificates, [pki.certificate.to_vec()]);
                client.quit().unwrap();
            });
            let messages = store.messages();
            let kept: Vec<_> = messages.into_iter().map(|stored| stored.content).collect();
            let sent: Vec<_> = (0..9).map(|n| contents(n).into_bytes()).collect();
            assert!(kept == sent, "{tls:?} {pipelining:?}");
            let notes = store.notes();
            assert_eq!(notes.last().map(String::as_str), Some("closed"));
        }
    }
}

/// TLS-15: certificates that prove nothing, and those that do.
#[test]
fn nothing_is_sent_to_a_server_that_cannot_prove_what_it_is() {
    let pki = Pki::new();
    let stranger = Pki::new();
    let with_ca = |name| TlsConnector::with_ca_file(name, pki.file("ca.pem")).unwrap();
    let pinned = |pin: Pin| TlsConnector::with_pin("any.example", pin).unwrap();
    let cases = [
        (pki.connector(), None),
        (pinned(pki.digest().into()), None),
        (pinned(pki.certificate.clone().into()), None),
        (
            TlsConnector::with_any_certificate("any.example").unwrap(),
            None,
        ),
        (with_ca("other.example"), Some("not valid for name")),
        (with_ca("127.0.0.1"), Some("not valid for name")),
        (stranger.connector(), Some("UnknownIssuer")),
        (
            pinned(stranger.digest().into()),
            Some("ApplicationVerificationFailure"),
        ),
        (
            pinned(stranger.certificate.clone().into()),
            Some("ApplicationVerificationFailure"),
        ),
    ];
    for (tls, server_tls) in WAYS {
        for (connector, refusal) in cases.clone() {
            let store = with_tls_server(&pki, server_tls, |address| {
                let config = client_config().tls(tls);
                let mut client =
                    Client::with_stream(tcp(address), Options::new(config).tls(connector)).unwrap();
                let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
                let Some(refusal) = refusal else {
                    assert!(report.is_delivered());
                    return;
                };
                assert_eq!(
                    report.outcome,
                    Outcome::NotSent(NotSentReason::ConnectionEnded.into())
                );
                let (fault, transport) = session_error(client.quit().unwrap_err());
                assert!(matches!(fault, Fault::Unverified(_)), "{fault}");
                assert!(transport.contains(refusal), "{transport}");
            });
            let delivered = usize::from(refusal.is_none());
            assert_eq!(store.messages().len(), delivered);
        }
    }
}

/// TLS-7: what is required and not offered, and what is not required.
#[test]
fn without_an_offer_only_required_tls_fails() {
    let connector = || TlsConnector::with_any_certificate(SERVER).unwrap();
    let store = with_server(server_config(), |address| {
        let config = client_config().tls(Tls::Required);
        let mut client =
            Client::with_stream(tcp(address), Options::new(config).tls(connector())).unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        let Outcome::NotSent(why) = &report.outcome else {
            panic!("{report:?}");
        };
        assert_eq!(why.reason, NotSentReason::TlsUnavailable);
        let (fault, _) = session_error(client.quit().unwrap_err());
        assert_eq!(fault, Fault::TlsUnavailable);

        let config = client_config().tls(Tls::Opportunistic);
        let mut client =
            Client::with_stream(tcp(address), Options::new(config).tls(connector())).unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        assert!(report.is_delivered());
        assert_eq!(client.tls_info(), None);
    });
    assert_eq!(store.messages().len(), 1);
}

/// 3207-4-a, 3207-4-b.
#[test]
fn who_lacks_certificates_says_so() {
    let without = |tls, run: &dyn Fn(std::net::SocketAddr)| {
        let config = server_config().tls(tls);
        run_with(
            Server::bind("127.0.0.1:0", config).unwrap(),
            &Arc::new(Store::default()),
            run,
        );
    };
    without(server::Tls::Offered, &|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        let reply = ask(&mut stream, "STARTTLS\r\n");
        assert_eq!(reply, "454 4.7.0 TLS not available, try again later\r\n");
        let config = client_config().tls(Tls::Opportunistic);
        let mut client = Client::with_stream(tcp(address), Options::new(config)).unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        assert!(report.is_delivered());
    });
    without(server::Tls::Implicit, &|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let pki = Pki::new();
    with_tls_server(&pki, server::Tls::Offered, |address| {
        let config = client_config().tls(Tls::Required);
        let mut client = Client::with_stream(tcp(address), Options::new(config)).unwrap();
        let (fault, transport) = session_error(client.ready().unwrap_err());
        assert_eq!(fault, Fault::TlsFailed);
        assert_eq!(
            transport,
            "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given"
        );
    });
}

/// TLS-14: a browser that was led here is turned away, and told why; who asks for nothing is not.
#[test]
fn clients_of_another_protocol_are_turned_away() {
    let pki = Pki::new();
    for (tls, server_tls) in WAYS {
        for (protocols, welcome) in [
            (&["http/1.1"][..], false),
            (&["h2", "smtp"], true),
            (&["lmtp"], true),
            (&[], true),
        ] {
            let config = pki.client_config(protocols).into();
            let connector = TlsConnector::with_config(SERVER, config).unwrap();
            with_tls_server(&pki, server_tls, |address| {
                let config = client_config().tls(tls);
                let mut client =
                    Client::with_stream(tcp(address), Options::new(config).tls(connector)).unwrap();
                match client.ready() {
                    Ok(_) => assert!(welcome),
                    Err(error) => {
                        assert!(!welcome, "{error}");
                        let (fault, alert) = session_error(error);
                        assert_eq!(fault, Fault::TlsFailed);
                        assert!(alert.ends_with("NoApplicationProtocol"), "{alert}");
                    }
                }
            });
        }
    }
}

/// A connection served without an acceptor has none, whatever is configured.
#[test]
fn serving_without_an_acceptor_never_begins_tls() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || {
        let config = server_config().tls(server::Tls::Required);
        serve_connection(far, config, Store::default())
    });
    hello(&mut near);
    assert_eq!(&ask(&mut near, "STARTTLS\r\n")[..4], "454 ");
    assert_eq!(&ask(&mut near, "MAIL FROM:<>\r\n")[..4], "530 ");
    assert_eq!(&ask(&mut near, "QUIT\r\n")[..4], "221 ");
    assert!(served.join().unwrap().is_ok());
}
