//! Whom a client trusts, what it finds, and what it is told where TLS ends badly.
#![cfg(feature = "rustls")]

mod support;

use std::{sync::Arc, time::Duration};

use smtp_proto::{
    client::{self, NotSentReason, Outcome},
    machine::{Fault, UnverifiedReason, Verification, VerifiedBy},
    server,
    syntax::{Capabilities, Extension, MailParameters},
};
use smtp_proto_test_support::{Pki, SERVER, Scripted};
use smtp_proto_tokio::{
    Client, Error,
    client::Options as ClientOptions,
    server::Options,
    tls::{TlsConnector, TlsaRecord},
};
use support::{
    Store, content, is_delivered, one, server_config,
    tls::{fault, look_ahead, serve_loopback},
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const WAYS: [(client::Tls, server::Tls); 2] = [
    (client::Tls::Required, server::Tls::Offered),
    (client::Tls::Implicit, server::Tls::Implicit),
];

/// Opens a session with a server of its own.
async fn open(
    options: Options,
    connector: &TlsConnector,
    tls: client::Tls,
) -> Result<Client, Error> {
    let (stream, _) = serve_loopback(&Arc::new(Store::default()), options).await;
    let client_options = ClientOptions::new(look_ahead(tls)).tls(connector.clone());
    let mut client = Client::with_stream(stream, client_options)?;
    client.ready().await?;
    Ok(client)
}

/// Sends a message to a server that shows its chain, and returns what the client knows of it.
async fn deliver(
    pki: &Pki,
    connector: &TlsConnector,
    (tls, of_server): (client::Tls, server::Tls),
) -> Result<Verification, Error> {
    let options = Options::new(server_config().tls(of_server)).tls(pki.chain_acceptor());
    let mut client = open(options, connector, tls).await?;
    let report = client.send(&one(), content(0)).await?;
    assert!(is_delivered(&report), "{report:?}");
    Ok(client.tls_info().unwrap().verification)
}

/// RFC 7672: the DNS says whom to trust, by the server's certificate or by its authority's.
#[tokio::test]
async fn tlsa_records_vouch_for_a_server() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let own = |pki: &Pki| TlsaRecord::new(3, 0, 1, pki.digest());
    let issuer = |pki: &Pki| TlsaRecord::new(2, 0, 0, pki.authority.as_ref());
    let by_dane = Ok(Verification::Verified(VerifiedBy::Dane));
    let refused = |reason| Err(Fault::Unverified(reason));
    let unusable = Verification::Unverified(UnverifiedReason::NoUsableTlsa);
    for (name, records, others, expected) in [
        (SERVER, vec![own(&pki)], &[][..], by_dane),
        (
            "other.example",
            vec![own(&stranger), own(&pki)],
            &[],
            by_dane,
        ),
        (SERVER, vec![issuer(&pki)], &[], by_dane),
        ("other.example", vec![issuer(&pki)], &[SERVER], by_dane),
        (
            "other.example",
            vec![issuer(&pki)],
            &[],
            refused(UnverifiedReason::HostMismatch),
        ),
        (
            SERVER,
            vec![own(&stranger)],
            &[],
            refused(UnverifiedReason::NoTlsaMatch),
        ),
        (
            SERVER,
            vec![TlsaRecord::new(1, 0, 1, pki.digest())],
            &[],
            Ok(unusable),
        ),
    ] {
        let connector = TlsConnector::with_tlsa(name, &records, others).unwrap();
        for way in WAYS {
            let outcome = deliver(&pki, &connector, way).await;
            assert_eq!(outcome.map_err(|it| fault(&it)), expected, "{records:?}");
        }
    }
}

/// One trust is of use for many names; what is found is told apart from what is demanded.
#[tokio::test]
async fn a_connector_serves_many_names_and_says_what_it_found() {
    let pki = Pki::new();
    let elsewhere = TlsConnector::with_ca_file("other.example", pki.file("ca.pem")).unwrap();
    let reason = UnverifiedReason::HostMismatch;
    for way in WAYS {
        let named = elsewhere.named(SERVER).unwrap();
        let verified = deliver(&pki, &named, way).await.unwrap();
        assert_eq!(verified, Verification::Verified(VerifiedBy::Authority));
        let refused = deliver(&pki, &elsewhere, way).await.unwrap_err();
        assert_eq!(fault(&refused), Fault::Unverified(reason));
        let word = fault(&refused).tls_result_type();
        assert_eq!(word, Some("certificate-host-mismatch"));
        let lax = elsewhere.clone().opportunistic().unwrap();
        let found = deliver(&pki, &lax, way).await.unwrap();
        assert_eq!(found, Verification::Unverified(reason));
    }
}

/// RFC 8446 4.4.2: a server refuses a client's certificate after the client's handshake is complete.
#[tokio::test]
async fn a_server_that_demands_a_certificate_ends_tls() {
    let pki = Pki::new();
    for (tls, of_server) in WAYS {
        let config = server_config().tls(of_server);
        let options = Options::new(config).tls(pki.demanding_acceptor());
        let error = open(options.clone(), &pki.connector(), tls)
            .await
            .unwrap_err();
        assert_eq!(fault(&error), Fault::TlsFailed);
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
        for connector in [pki.showing_connector(), pki.showing_connector_from_memory()] {
            open(options.clone(), &connector, tls).await.unwrap();
        }
    }
}

/// RFC 7435: a client that goes on in clear says that TLS was declined, and how.
#[tokio::test]
async fn a_server_that_declines_tls_is_told_of() {
    let server = Scripted::new([&[
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "454 4.7.0 no certificate today\r\n"),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
    ][..]]);
    let mut client = Client::connect(server.url()).await.unwrap();
    assert!(is_delivered(
        &client.send(&one(), content(0)).await.unwrap()
    ));
    let declined = client.tls_declined().unwrap();
    assert_eq!(declined.to_string(), "454 4.7.0 no certificate today");
    assert_eq!(client.tls_info(), None);
}

/// RFC 8689 4.2.1: REQUIRETLS goes to verified servers only.
#[tokio::test]
async fn a_message_that_requires_tls_needs_a_verified_server() {
    let pki = Pki::new();
    let strict = || one().parameters(MailParameters::parse("REQUIRETLS").unwrap());
    let anyone = TlsConnector::with_any_certificate(SERVER).unwrap();
    for (connector, is_verified) in [(pki.connector(), true), (anyone, false)] {
        let offer = Capabilities::new().with(Extension::RequireTls);
        let config = server_config().offer(offer).tls(server::Tls::Offered);
        let options = Options::new(config).tls(pki.acceptor());
        let mut client = open(options, &connector, client::Tls::Required)
            .await
            .unwrap();
        let sending = client.send(strict(), content(0));
        let report = timeout(PATIENCE, sending).await.unwrap().unwrap();
        match is_verified {
            true => assert!(is_delivered(&report), "{report:?}"),
            false => {
                let not_sent = Outcome::NotSent(NotSentReason::ServerUnverified.into());
                assert_eq!(report.outcome, not_sent);
            }
        }
    }
}
