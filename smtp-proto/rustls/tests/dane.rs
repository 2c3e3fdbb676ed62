//! Whom TLSA records vouch for: RFC 7672, RFC 7671, RFC 6698.

#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

mod support;

use std::{io, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData,
    date_time_ymd,
};
use sha2::{Digest, Sha256, Sha512};
use smtp_proto::machine::{UnverifiedReason, Verification, VerifiedBy};
use smtp_proto_rustls::{
    TlsAcceptor, TlsConnector, TlsaRecord, crypto_provider, explained,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};
use support::handshake;

const HOST: &str = "mx.example.net";
const DOMAIN: &str = "example.org";

/// A certificate, and what TLSA records compare.
struct Shown {
    certificate: CertificateDer<'static>,
    public_key: Vec<u8>,
}

impl Shown {
    /// Returns every record that vouches for it by this usage.
    fn records(&self, usage: u8) -> Vec<TlsaRecord> {
        let parts: [&[u8]; 2] = [&self.certificate, &self.public_key];
        let of = |selector: u8| {
            let part = parts[usize::from(selector)];
            [
                TlsaRecord::new(usage, selector, 0, part),
                TlsaRecord::new(usage, selector, 1, Sha256::digest(part).to_vec()),
                TlsaRecord::new(usage, selector, 2, Sha512::digest(part).to_vec()),
            ]
        };
        [of(0), of(1)].concat()
    }
}

/// A server whose chain has three certificates: its own, its issuer's, and that one's.
struct Server {
    own: Shown,
    issuer: Shown,
    root: Shown,
    key: PrivateKeyDer<'static>,
}

/// When the server's certificate ends.
const CURRENT: i32 = 4000;
const EXPIRED: i32 = 2001;

impl Server {
    fn new(names: &[&str], ends: i32) -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::new([]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let shown = |certificate: &CertificateDer<'static>, key: &KeyPair| Shown {
            certificate: certificate.clone(),
            public_key: key.subject_public_key_info(),
        };
        let root = CertifiedIssuer::self_signed(ca("root"), KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(ca("issuer"), key, &root).unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            own: shown(certificate.der(), &key),
            issuer: shown(issuer.der(), issuer.key()),
            root: shown(root.der(), root.key()),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// Shows so many certificates of the chain.
    fn acceptor(&self, shows: usize) -> TlsAcceptor {
        let chain = [&self.own, &self.issuer, &self.root];
        let chain = chain[..shows].iter().map(|it| it.certificate.clone());
        let config = ServerConfig::builder_with_provider(crypto_provider().unwrap())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect(), self.key.clone_key())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Returns what a client with these records makes of it: one that demands that they match, which is
    /// also what one finds that goes on.
    fn outcome(&self, shows: usize, records: &[TlsaRecord], others: &[&str]) -> Verification {
        let connector = TlsConnector::with_tlsa(HOST, records, others).unwrap();
        let acceptor = self.acceptor(shows);
        let lax = connector.clone().opportunistic().unwrap();
        let found = handshake(&lax, &acceptor).unwrap()[0].verification;
        match handshake(&connector, &acceptor) {
            Ok([client, _]) => assert_eq!(client.verification, found),
            Err(error) => {
                let error = explained(io::Error::other(error));
                let reason = UnverifiedReason::among_causes(error.get_ref().unwrap());
                assert_eq!(Verification::Unverified(reason.unwrap()), found);
            }
        }
        found
    }
}

const BY_DANE: Verification = Verification::Verified(VerifiedBy::Dane);

fn unverified(reason: UnverifiedReason) -> Verification {
    Verification::Unverified(reason)
}

/// RFC 6698 2.1, RFC 7671 5.1: the whole certificate or its key, as it is or by a digest. DANE-EE(3) asks
/// neither for a name nor for the time.
#[test]
fn the_servers_own_certificate_is_known_whatever_it_says() {
    let other = Server::new(&[HOST], CURRENT);
    for server in [
        Server::new(&[HOST], CURRENT),
        Server::new(&["other.example"], EXPIRED),
    ] {
        for record in server.own.records(3) {
            let outcome = server.outcome(1, std::slice::from_ref(&record), &[]);
            assert_eq!(outcome, BY_DANE, "{record:?}");
        }
        for record in other.own.records(3) {
            let outcome = server.outcome(3, &[record], &[]);
            assert_eq!(outcome, unverified(UnverifiedReason::NoTlsaMatch));
        }
        // An issuer's record is none of the server itself, nor the other way round.
        for record in [server.issuer.records(3), server.own.records(2)].concat() {
            let outcome = server.outcome(3, std::slice::from_ref(&record), &[]);
            assert_ne!(outcome, BY_DANE, "{record:?}");
        }
        // RFC 7672 3.1: one of several is enough.
        let both = [
            other.own.records(3)[4].clone(),
            server.own.records(3)[4].clone(),
        ];
        assert_eq!(server.outcome(1, &both, &[]), BY_DANE);
    }
}

/// RFC 7671 5.2, RFC 7672 3.1.2: a DANE-TA(2) record names any issuer that the server shows, and whatever
/// holds of authorities holds of it.
#[test]
fn an_issuer_vouches_for_names_and_times() {
    let server = Server::new(&[HOST], CURRENT);
    for (index, record) in [server.issuer.records(2), server.root.records(2)]
        .concat()
        .into_iter()
        .enumerate()
    {
        let records = std::slice::from_ref(&record);
        assert_eq!(server.outcome(3, records, &[]), BY_DANE, "{record:?}");
        // RFC 7671 5.2.2: where the record is the certificate, that of an issuer need not be shown.
        let is_root = index >= 6;
        let expected = match index % 6 {
            0 => BY_DANE,
            _ if is_root => unverified(UnverifiedReason::NoTlsaMatch),
            _ => BY_DANE,
        };
        assert_eq!(server.outcome(2, records, &[]), expected, "{record:?}");
        let stranger = Server::new(&[HOST], CURRENT);
        let outcome = stranger.outcome(3, records, &[]);
        assert_ne!(outcome, BY_DANE);

        let expired = Server::new(&[HOST], EXPIRED);
        let by_issuer = expired.issuer.records(2);
        let outcome = expired.outcome(3, &by_issuer[..1], &[]);
        assert_eq!(outcome, unverified(UnverifiedReason::Expired));
    }
}

/// RFC 7672 3.2.2, 3.2.3: the names are the host's and those that led to it.
#[test]
fn an_issuers_record_asks_for_a_name() {
    for (names, others, expected) in [
        (&[HOST][..], &[][..], BY_DANE),
        (&["*.example.net"], &[], BY_DANE),
        (&[DOMAIN], &[DOMAIN], BY_DANE),
        (&["x.example", DOMAIN], &["y.example", DOMAIN], BY_DANE),
        (&[DOMAIN], &[], unverified(UnverifiedReason::HostMismatch)),
        (
            &["mx.example.com"],
            &[DOMAIN],
            unverified(UnverifiedReason::HostMismatch),
        ),
    ] {
        let server = Server::new(names, CURRENT);
        let record = server.issuer.records(2).remove(4);
        assert_eq!(server.outcome(2, &[record], others), expected, "{names:?}");
        // That of the server's own does not.
        let record = server.own.records(3).remove(4);
        assert_eq!(server.outcome(2, &[record], &[]), BY_DANE);
    }
}

/// RFC 7672 2.2, 3.1.3: with records of which none can be used TLS is demanded, and nobody verified;
/// beside others they are of no account.
#[test]
fn records_that_cannot_be_used_vouch_for_nobody() {
    let server = Server::new(&[HOST], CURRENT);
    let digest = |length| vec![0; length];
    let unusable = [
        server.own.records(1).remove(4),    // PKIX-EE
        server.issuer.records(0).remove(4), // PKIX-TA
        TlsaRecord::new(4, 1, 1, digest(32)),
        TlsaRecord::new(255, 1, 1, digest(32)),
        TlsaRecord::new(3, 2, 1, digest(32)),
        TlsaRecord::new(3, 1, 3, digest(48)),
        TlsaRecord::new(3, 1, 1, digest(31)),
        TlsaRecord::new(3, 1, 2, digest(32)),
        TlsaRecord::new(3, 0, 0, digest(0)),
    ];
    for record in &unusable {
        let outcome = server.outcome(3, std::slice::from_ref(record), &[]);
        assert_eq!(
            outcome,
            unverified(UnverifiedReason::NoUsableTlsa),
            "{record:?}"
        );
    }
    let mut records = unusable.to_vec();
    records.push(server.own.records(3).remove(5));
    assert_eq!(server.outcome(1, &records, &[]), BY_DANE);
    let stranger = Server::new(&[HOST], CURRENT);
    let outcome = stranger.outcome(1, &records, &[]);
    assert_eq!(outcome, unverified(UnverifiedReason::NoTlsaMatch));

    let none = TlsConnector::with_tlsa(HOST, &[], &[]).unwrap_err();
    assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
    let record = server.own.records(3).remove(4);
    let connector = TlsConnector::with_tlsa(HOST, &[record], &[]).unwrap();
    assert!(connector.named("other.example").is_err());
}

/// RFC 7671 9: of several digests of the same only the strongest counts; what is no digest always does.
#[test]
fn the_strongest_digest_counts() {
    let (server, other) = (Server::new(&[HOST], CURRENT), Server::new(&[HOST], CURRENT));
    let (own, strange) = (server.own.records(3), other.own.records(3));
    let outcome = |records: &[&TlsaRecord]| {
        let records: Vec<_> = records.iter().copied().cloned().collect();
        server.outcome(1, &records, &[])
    };
    let no_match = unverified(UnverifiedReason::NoTlsaMatch);
    assert_eq!(outcome(&[&own[4], &strange[5]]), no_match);
    assert_eq!(outcome(&[&own[5], &strange[4]]), BY_DANE);
    // Of another selector, or none.
    assert_eq!(outcome(&[&own[4], &strange[2]]), BY_DANE);
    assert_eq!(outcome(&[&own[3], &strange[5]]), BY_DANE);
}

/// Returns the bytes of a record as zone files have them.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// RFC 6698 2.1.2, 2.1.3: records that were made by `openssl x509 -outform DER`, and for the key by
/// `openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER`, by its `dgst` if need be.
#[test]
fn records_that_others_have_made_match() {
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tlsa");
    let [certificate, key] = ["pem", "key"].map(|it| format!("{DATA}.{it}"));
    let acceptor = TlsAcceptor::from_pem_files(certificate, key).unwrap();
    for (selector, matching, data) in [
        (
            0,
            1,
            "286ea453ac1e870223ce4f9d2028031d418a466559fd51ff97fda83f14149e41",
        ),
        (
            0,
            2,
            "cd5c3da9892f985e46110fa5949b41e860bdc7e76101e8ffb8563e2ab878f38e\
             42dfe1580fe38e4eb5634c91eb7f74cdcd8b5084389db14b77353a4267af11c8",
        ),
        (
            1,
            0,
            "3059301306072a8648ce3d020106082a8648ce3d03010703420004f9a62b024cc4a160eb909afda18706972e84cf28\
             f67a2517d448bc8d65ebb938b9a4520c0525ad9e50c989ddd1b20a201825dc507f8e309574b42b682d8e8be8",
        ),
        (
            1,
            1,
            "c90ce0369ca0cdf6fa231e4ed77aca835154dfc5e39e033ebad911909c1ecd24",
        ),
        (
            1,
            2,
            "1f9f6b9154ed0de2eb4a51a7f84079489af99cf36f637f160f596640e124c80d\
             ceb45490f2851793d10749fa157eb26a66d19d976746fea4d6bd02238d7b0e2c",
        ),
    ] {
        let record = TlsaRecord::new(3, selector, matching, bytes(data));
        let connector = TlsConnector::with_tlsa(HOST, &[record], &[]).unwrap();
        let [client, _] = handshake(&connector, &acceptor).unwrap();
        assert_eq!(client.verification, BY_DANE, "{selector} {matching}");
        let other = TlsaRecord::new(3, 1 - selector, matching, bytes(data));
        let connector = TlsConnector::with_tlsa(HOST, &[other], &[]).unwrap();
        assert!(
            handshake(&connector, &acceptor).is_err(),
            "{selector} {matching}"
        );
    }
}
