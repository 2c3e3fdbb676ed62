//! What a handshake in memory comes to, at both ends.

#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

mod support;

use std::sync::Arc;

use rcgen::PublicKeyData;
use smtp_proto::machine::{UnverifiedReason, Verification, VerifiedBy};
use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector, explained,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        sign::{CertifiedKey, SingleCertAndKey},
        version,
    },
};
use smtp_proto_test_support::{Pki, SERVER};
use support::handshake;

/// RFC 9266 2: both ends have the same, each connection its own.
#[test]
fn both_ends_can_bind_the_channel() {
    let pki = Pki::new();
    let [client, server] = handshake(&pki.connector(), &pki.acceptor()).unwrap();
    assert!(client.exporter.is_some());
    assert_eq!(client.exporter, server.exporter);
    let [again, _] = handshake(&pki.connector(), &pki.acceptor()).unwrap();
    assert_ne!(client.exporter, again.exporter);
    for info in [&client, &server] {
        assert_eq!(info.version, 0x0304);
        assert_eq!(info.cipher_suite >> 8, 0x13); // RFC 8446 B.4
    }
    assert_eq!(client.server_name, None);
    assert_eq!(server.server_name.as_deref(), Some(SERVER));
    assert_eq!(client.peer_certificates[0], pki.certificate.as_ref());
}

/// RFC 9266 3: not TLS 1.2, unless its master secret is known to be an extended one.
#[test]
fn tls_1_2_is_not_bound() {
    let pki = Pki::new();
    let provider = Arc::clone(pki.connector().config().crypto_provider());
    let key = PrivateKeyDer::from_pem_file(pki.file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pki.certificate.clone()], key)
        .unwrap();
    for info in handshake(&pki.connector(), &TlsAcceptor::from(Arc::new(config))).unwrap() {
        assert_eq!((info.version, info.exporter), (0x0303, None));
    }
}

/// AUT-11: a client knows whether it knows the server.
#[test]
fn a_server_is_verified_as_it_was_said() {
    let pki = Pki::new();
    let verified = Verification::Verified;
    let unchecked = Verification::Unverified(UnverifiedReason::NotChecked);
    let by_hand =
        |it: TlsConnector| TlsConnector::with_config(SERVER, Arc::clone(it.config())).unwrap();
    for (connector, expected) in [
        (pki.connector(), verified(VerifiedBy::Authority)),
        (
            TlsConnector::with_pin("other.example", pki.certificate.clone()).unwrap(),
            verified(VerifiedBy::Fingerprint),
        ),
        (
            TlsConnector::with_any_certificate(SERVER).unwrap(),
            unchecked,
        ),
        (by_hand(pki.connector()), unchecked),
        (
            by_hand(pki.connector()).verified_by(VerifiedBy::Dane),
            verified(VerifiedBy::Dane),
        ),
    ] {
        let [client, _] = handshake(&connector, &pki.acceptor()).unwrap();
        assert_eq!(client.verification, expected);
        assert_eq!(
            client.is_verified(),
            matches!(expected, Verification::Verified(_))
        );
    }
}

/// RFC 7435, RFC 8460 4.3.1: who is let pass all the same is still told apart.
#[test]
fn an_opportunistic_client_knows_whom_it_has() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let outcome = |connector: TlsConnector, acceptor: &TlsAcceptor| {
        let connector = connector.opportunistic().unwrap();
        let [client, _] = handshake(&connector, acceptor).unwrap();
        client.verification
    };
    let named = |name| TlsConnector::with_ca_file(name, pki.file("ca.pem")).unwrap();
    let pinned = || TlsConnector::with_pin(SERVER, pki.digest()).unwrap();
    let (ours, other) = (pki.acceptor(), stranger.acceptor());
    let expired = pki.expired_acceptor();
    let verified = Verification::Verified;
    assert_eq!(
        outcome(named(SERVER), &ours),
        verified(VerifiedBy::Authority)
    );
    assert_eq!(outcome(pinned(), &ours), verified(VerifiedBy::Fingerprint));
    let by_hand = TlsConnector::with_config(SERVER, Arc::clone(named(SERVER).config())).unwrap();
    let by_hand = by_hand.verified_by(VerifiedBy::Dane);
    for (connector, acceptor, reason) in [
        (named(SERVER), &other, UnverifiedReason::NotTrusted),
        (
            named("other.example"),
            &ours,
            UnverifiedReason::HostMismatch,
        ),
        (pinned(), &other, UnverifiedReason::NotTrusted),
        (named(SERVER), &expired, UnverifiedReason::Expired),
        (by_hand, &ours, UnverifiedReason::NotChecked),
    ] {
        let outcome = outcome(connector, acceptor);
        assert_eq!(outcome, Verification::Unverified(reason));
    }
}

/// A value in DER, of less than 256 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    match u8::try_from(content.len()).unwrap() {
        short @ 0..128 => [&[tag, short][..], &content].concat(),
        long => [&[tag, 0x81, long][..], &content].concat(),
    }
}

/// A server whose certificate is of X.509 version 1, as openssl makes them by default, and its certificate.
fn of_version_1() -> (TlsAcceptor, CertificateDer<'static>) {
    const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let key = rcgen::KeyPair::generate().unwrap();
    let time = der(0x17, &[b"260101000000Z"]);
    let signed = [
        &der(0x02, &[b"\x01"])[..],
        ECDSA_WITH_SHA256,
        &der(0x30, &[]),
        &der(0x30, &[&time, &time]),
        &der(0x30, &[]),
        &key.subject_public_key_info(),
    ];
    let signed = der(0x30, &signed);
    let certificate = der(0x30, &[&signed, ECDSA_WITH_SHA256, &der(0x03, &[b"\0\0"])]);
    let certificate = CertificateDer::from(certificate);
    let provider = Arc::clone(Pki::new().connector().config().crypto_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let key = CertifiedKey::new(vec![certificate.clone()], key);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// RFC 7435: what is not looked at cannot be wrong; but nobody is verified by a key that was not seen to be
/// his.
#[test]
fn an_opportunistic_client_takes_certificates_that_cannot_be_read() {
    let (acceptor, certificate) = of_version_1();
    let pinned = TlsConnector::with_pin(SERVER, certificate).unwrap();
    assert!(handshake(&pinned, &acceptor).is_err());
    let any = TlsConnector::with_any_certificate(SERVER).unwrap();
    for (connector, reason) in [
        (any, UnverifiedReason::NotChecked),
        (pinned.opportunistic().unwrap(), UnverifiedReason::Other),
    ] {
        let [client, _] = handshake(&connector, &acceptor).unwrap();
        assert_eq!(client.verification, Verification::Unverified(reason));
    }
}

/// What openssl makes to sign itself is an authority's by default, which no server can have: a pin will do.
#[test]
fn a_certificate_that_signs_itself_is_pinned() {
    let (pki, key) = (Pki::new(), rcgen::KeyPair::generate().unwrap());
    let mut parameters = rcgen::CertificateParams::new([SERVER.to_owned()]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = parameters.self_signed(&key).unwrap();
    std::fs::write(pki.file("own.pem"), own.pem()).unwrap();
    std::fs::write(pki.file("own.key"), key.serialize_pem()).unwrap();
    let acceptor = TlsAcceptor::from_pem_files(pki.file("own.pem"), pki.file("own.key")).unwrap();

    let by_file = TlsConnector::with_ca_file(SERVER, pki.file("own.pem")).unwrap();
    let error = handshake(&by_file, &acceptor).unwrap_err();
    let error = explained(std::io::Error::other(error));
    assert!(
        error.to_string().contains("TlsConnector::with_pin"),
        "{error}"
    );
    let cause = UnverifiedReason::among_causes(error.get_ref().unwrap());
    assert_eq!(cause, Some(UnverifiedReason::NotTrusted));

    let pinned = TlsConnector::with_pin(SERVER, own.der().clone()).unwrap();
    let [client, _] = handshake(&pinned, &acceptor).unwrap();
    assert!(client.is_verified());
}

/// A server knows whether it knows the client, for EXTERNAL.
#[test]
fn a_client_is_verified_if_it_shows_a_certificate() {
    let pki = Pki::new();
    let none = Verification::Unverified(UnverifiedReason::NoCertificate);
    let asked = [
        (pki.connector(), pki.acceptor(), none),
        (pki.connector(), pki.asking_acceptor(), none),
        (
            pki.showing_connector(),
            pki.asking_acceptor(),
            Verification::Verified(VerifiedBy::Authority),
        ),
        (
            pki.showing_connector(),
            TlsAcceptor::from(Arc::clone(pki.asking_acceptor().config())),
            Verification::Unverified(UnverifiedReason::NotChecked),
        ),
    ];
    for (connector, acceptor, expected) in asked {
        let [_, server] = handshake(&connector, &acceptor).unwrap();
        assert_eq!(server.verification, expected);
    }
}
