//! Trust that the DNS vouches for: TLSA records, as RFC 7672 has SMTP use them.

use std::sync::Arc;

use rustls::{
    CertificateError, Error, OtherError, RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256, Sha512};
use smtp_proto::machine::UnverifiedReason;

/// A TLSA record (RFC 6698 2.1), which DNSSEC has proven.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    usage: u8,
    selector: u8,
    matching: u8,
    data: Vec<u8>,
}

impl TlsaRecord {
    /// Takes a record as it stands in the DNS: certificate usage, selector, matching type and
    /// association data.
    pub fn new(usage: u8, selector: u8, matching: u8, data: impl Into<Vec<u8>>) -> Self {
        Self {
            usage,
            selector,
            matching,
            data: data.into(),
        }
    }

    /// Returns what can be done with it; `None` if that is nothing.
    ///
    /// PKIX-TA(0) and PKIX-EE(1) are of no use among servers (RFC 7672 3.1.3).
    fn usable(&self) -> Option<Association> {
        let usage = match self.usage {
            2 => Usage::TrustAnchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let selector = match self.selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let matching = match (self.matching, self.data.len()) {
            (0, 1..) => Matching::Exact,
            (1, 32) => Matching::Sha256,
            (2, 64) => Matching::Sha512,
            _ => return None,
        };
        Some(Association {
            usage,
            selector,
            matching,
            data: self.data.clone(),
        })
    }
}

/// Whose certificate it is (RFC 7218 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    TrustAnchor,
    EndEntity,
}

/// Which part of the certificate is compared (RFC 7218 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Certificate,
    PublicKey,
}

/// How it is compared (RFC 7218 2.3), the weakest digest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Matching {
    Exact,
    Sha256,
    Sha512,
}

/// A record that can be used.
#[derive(Debug)]
struct Association {
    usage: Usage,
    selector: Selector,
    matching: Matching,
    data: Vec<u8>,
}

impl Association {
    fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        let public_key;
        let selected: &[u8] = match self.selector {
            Selector::Certificate => certificate,
            Selector::PublicKey => match ParsedCertificate::try_from(certificate) {
                Ok(parsed) => {
                    public_key = parsed.subject_public_key_info();
                    &public_key
                }
                Err(_) => return false,
            },
        };
        match self.matching {
            Matching::Exact => self.data == selected,
            Matching::Sha256 => self.data == Sha256::digest(selected)[..],
            Matching::Sha512 => self.data == Sha512::digest(selected)[..],
        }
    }

    /// Returns whether a stronger digest of the same is known, so that this one is of no account
    /// (RFC 7671 9).
    fn is_outdone(&self, all: &[Self]) -> bool {
        self.matching != Matching::Exact
            && all.iter().any(|other| {
                (other.usage, other.selector) == (self.usage, self.selector)
                    && other.matching > self.matching
            })
    }
}

/// The usable records for one server, and the names that a certificate may be for.
#[derive(Debug)]
pub(crate) struct Tlsa {
    associations: Vec<Association>,
    other_names: Vec<ServerName<'static>>,
}

impl Tlsa {
    /// Returns `None` if no record can be used.
    pub(crate) fn new(
        records: &[TlsaRecord],
        other_names: Vec<ServerName<'static>>,
    ) -> Option<Self> {
        let associations: Vec<_> = records.iter().filter_map(TlsaRecord::usable).collect();
        (!associations.is_empty()).then_some(Self {
            associations,
            other_names,
        })
    }

    fn of(&self, usage: Usage) -> impl Iterator<Item = &Association> {
        let of_usage = move |it: &&Association| it.usage == usage;
        let counts = |it: &&Association| !it.is_outdone(&self.associations);
        self.associations.iter().filter(of_usage).filter(counts)
    }

    /// Returns whether a record vouches for what a server shows, its own certificate first.
    pub(crate) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        // RFC 7671 5.1: neither its names nor its time is of account; the record binds the key.
        if self.of(Usage::EndEntity).any(|it| it.matches(end_entity)) {
            return Ok(());
        }
        // What cannot be read is no anchor.
        let mut anchors = RootCertStore::empty();
        for association in self.of(Usage::TrustAnchor) {
            // RFC 7671 5.2.2: the record itself may hold what the server leaves out.
            if (association.selector, association.matching)
                == (Selector::Certificate, Matching::Exact)
            {
                let _ = anchors.add(association.data.clone().into());
            }
            for issuer in intermediates.iter().filter(|it| association.matches(it)) {
                let _ = anchors.add(issuer.clone().into_owned());
            }
        }
        if anchors.is_empty() {
            let reason = Arc::new(UnverifiedReason::NoTlsaMatch);
            return Err(CertificateError::Other(OtherError(reason)).into());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &anchors,
            intermediates,
            now,
            algorithms.all,
        )?;
        // RFC 7672 3.2.2: the host's name, and the domain that it serves.
        let is_named = |name| verify_server_name(&certificate, name);
        match is_named(name) {
            Err(_) if self.other_names.iter().any(|it| is_named(it).is_ok()) => Ok(()),
            result => result,
        }
    }
}
