//! Certificates and keys from files, and what is said of those that do not do.

#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

use smtp_proto_rustls::{TlsAcceptor, TlsConnector};
use smtp_proto_test_support::{Pki, SERVER};

#[test]
fn what_cannot_be_used_is_told() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let ca_file = |file: &str| TlsConnector::with_ca_file(SERVER, pki.file(file));
    let missing = ca_file("missing.pem").unwrap_err().to_string();
    assert!(missing.contains("missing.pem: "), "{missing}");
    let not_one = ca_file("server.key").unwrap_err().to_string();
    assert!(not_one.ends_with("holds no certificate"), "{not_one}");
    let nameless = TlsConnector::with_any_certificate("not a name").unwrap_err();
    let nameless = nameless.to_string();
    assert!(nameless.contains("\"not a name\""), "{nameless}");

    let mismatch = "keys may not be consistent: KeyMismatch";
    let acceptor = |key| TlsAcceptor::from_pem_files(pki.file("server.pem"), key);
    let mixed = acceptor(stranger.file("server.key")).unwrap_err();
    assert_eq!(mixed.to_string(), mismatch);
    let keyless = acceptor(pki.file("ca.pem")).unwrap_err().to_string();
    assert!(keyless.contains("ca.pem: "), "{keyless}");
    let (chain, key) = (pki.file("client.pem"), pki.file("server.key"));
    let mixed = pki.connector().client_certificate(chain, key).unwrap_err();
    assert_eq!(mixed.to_string(), mismatch);
}

#[test]
fn nothing_of_a_key_is_shown() {
    let pki = Pki::new();
    assert_eq!(format!("{:?}", pki.asking_acceptor()), "TlsAcceptor");
    let connector = format!("{:?}", pki.showing_connector());
    assert_eq!(connector, "TlsConnector(mx.example.net)");
}
