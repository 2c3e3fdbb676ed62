//! TLS: STARTTLS and implicit, whom the client trusts, and what must not pass for TLS.
#![cfg(feature = "rustls")]

mod support;

use std::{sync::Arc, time::Duration};

use smtp_proto::{
    client::{self, NotSentReason, Outcome},
    machine::Fault,
    server,
    syntax::Extension,
};
use smtp_proto_test_support::{Pki, SERVER};
use smtp_proto_tokio::{
    Client, Server,
    client::Options,
    server::Shutdown,
    tls::{Pin, TlsConnector},
};
use support::{
    POLICIES, Shared, Store, client_config, content, is_delivered, one, server_config,
    tls::{fault, look_ahead, serve, with_tls},
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const MODES: [(client::Tls, server::Tls); 4] = [
    (client::Tls::Opportunistic, server::Tls::Offered),
    (client::Tls::Required, server::Tls::Offered),
    (client::Tls::Required, server::Tls::Required),
    (client::Tls::Implicit, server::Tls::Implicit),
];

#[tokio::test]
async fn every_mode_delivers_by_every_policy_through_buffers_of_every_size() {
    let pki = Pki::new();
    for (client_tls, server_tls) in MODES {
        for policy in POLICIES {
            // The 24 bytes that end TLS have to fit, as both sides may say them at once.
            for buffer in [32, 64 * 1024] {
                let store = Arc::new(Store::default());
                let (stream, server) = serve(&store, buffer, with_tls(&pki, server_tls));
                let config = client_config(policy).tls(client_tls);
                let client_options = Options::new(config).tls(pki.connector());
                let mut client = Client::with_stream(stream, client_options).unwrap();
                let mut sending = client.send_all((0..5).map(|index| (one(), content(index))));
                let mut count = 0;
                while let Some(report) = timeout(PATIENCE, sending.next()).await.unwrap().unwrap() {
                    assert!(is_delivered(&report), "{report:?}");
                    count += 1;
                }
                assert_eq!(count, 5, "{client_tls:?} {policy:?} {buffer}");
                let info = client.tls_info().unwrap();
                assert_eq!(info.version, 0x0304);
                assert!(info.is_verified() && info.exporter.is_some());
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
    let pki = Pki::new();
    let store = Arc::new(Store::default());
    for (client_tls, server_tls) in MODES {
        let server = Server::bind("127.0.0.1:0", with_tls(&pki, server_tls))
            .await
            .unwrap();
        let address = server.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let handler = Shared(Arc::clone(&store));
        let serving = tokio::spawn(server.serve_until(handler, shutdown.clone()));
        for _ in 0..3 {
            let client_options = Options::new(look_ahead(client_tls)).tls(pki.connector());
            let mut client = Client::connect(client_options.server(address))
                .await
                .unwrap();
            assert!(is_delivered(
                &client.send(&one(), content(0)).await.unwrap()
            ));
            client.quit().await.unwrap();
        }
        shutdown.begin();
        timeout(PATIENCE, serving).await.unwrap().unwrap();
    }
    assert_eq!(store.messages.lock().unwrap().len(), 12);
    let closed = store.closed.lock().unwrap();
    assert!(closed.iter().all(Result::is_ok), "{closed:?}");
}

/// TLS-15 and its kin: whom the client does not trust gets nothing.
#[tokio::test]
async fn only_trusted_servers_get_mail() {
    let (pki, other) = (Pki::new(), Pki::new());
    let der = pki.certificate.clone();
    let digest = pki.digest();
    let mut wrong = digest;
    wrong[31] ^= 1;
    let pinned = |name, pin: Pin| TlsConnector::with_pin(name, pin).unwrap();
    let by_ca = |name, pki: &Pki| TlsConnector::with_ca_file(name, pki.file("ca.pem")).unwrap();
    let cases = [
        ("authority", by_ca(SERVER, &pki), true),
        ("wrong host", by_ca("mx.example.org", &pki), false),
        ("wrong host", by_ca("127.0.0.1", &pki), false),
        ("unknown authority", by_ca(SERVER, &other), false),
        ("pin", pinned(SERVER, der.clone().into()), true),
        ("pin of another name", pinned("x.example", der.into()), true),
        (
            "wrong pin",
            pinned(SERVER, other.certificate.clone().into()),
            false,
        ),
        ("digest", pinned(SERVER, digest.into()), true),
        ("wrong digest", pinned(SERVER, wrong.into()), false),
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
            let client_options = Options::new(look_ahead(client_tls)).tls(connector.clone());
            let mut client = Client::with_stream(stream, client_options).unwrap();
            let report = client.send(&one(), content(0)).await.unwrap();
            assert_eq!(is_delivered(&report), trusted, "{case} {report:?}");
            if trusted {
                client.quit().await.unwrap();
                server.await.unwrap().unwrap();
                continue;
            }
            let not_sent = Outcome::NotSent(NotSentReason::ConnectionEnded.into());
            assert_eq!(report.outcome, not_sent, "{case}");
            let error = client.ready().await.unwrap_err();
            assert!(matches!(fault(&error), Fault::Unverified(_)), "{case}");
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

#[tokio::test]
async fn tls_is_wanted_and_nothing_was_given_to_do_it_with() {
    let pki = Pki::new();
    for (client_tls, server_tls) in MODES {
        let store = Arc::new(Store::default());
        let (stream, server) = serve(&store, 4096, with_tls(&pki, server_tls));
        let mut client = Client::with_stream(stream, look_ahead(client_tls)).unwrap();
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
    let client_options = Options::new(look_ahead(client::Tls::Opportunistic)).tls(pki.connector());
    let mut client = Client::with_stream(stream, client_options).unwrap();
    assert!(is_delivered(
        &client.send(&one(), content(0)).await.unwrap()
    ));
    assert_eq!(client.tls_info(), None);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}

/// TLS-7
#[tokio::test]
async fn tls_is_not_offered() {
    let pki = Pki::new();
    let client = |tls| {
        let store = Arc::new(Store::default());
        let (stream, _server) = serve(&store, 4096, server_config().into());
        let client_options = Options::new(look_ahead(tls)).tls(pki.connector());
        Client::with_stream(stream, client_options).unwrap()
    };
    let mut strict = client(client::Tls::Required);
    let report = strict.send(&one(), content(0)).await.unwrap();
    let Outcome::NotSent(why) = &report.outcome else {
        panic!("{report:?}");
    };
    assert_eq!(why.reason, NotSentReason::TlsUnavailable);
    let error = strict.ready().await.unwrap_err();
    assert_eq!(fault(&error), Fault::TlsUnavailable);

    let mut lax = client(client::Tls::Opportunistic);
    let report = lax.send(&one(), content(0)).await.unwrap();
    assert!(is_delivered(&report));
}
