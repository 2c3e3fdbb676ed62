//! What a TLS handshake came to.

use alloc::{string::String, vec::Vec};
use core::fmt;

use thiserror::Error;

/// Tells a machine what a TLS handshake came to.
///
/// Unless it says otherwise the peer was not verified: a client then sends no credentials.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// Whether the peer is known to be who it has to be.
    pub verification: Verification,
    /// The version of the protocol, as it is numbered on the wire: 0x0304 is TLS 1.3.
    pub version: u16,
    /// The cipher suite's number in IANA's registry, as in the `tls` clause of a Received field
    /// (RFC 8314 4.3).
    pub cipher_suite: u16,
    /// The name by which the client called the server, if it did.
    pub server_name: Option<String>,
    /// The peer's certificates in DER, its own first; none if it showed none.
    pub peer_certificates: Vec<Vec<u8>>,
    /// The channel binding `tls-exporter` (RFC 9266), for SCRAM's -PLUS mechanisms; a secret of this
    /// connection. Only where TLS is 1.3, or 1.2 with the extended master secret.
    pub exporter: Option<[u8; 32]>,
}

impl TlsInfo {
    /// Returns whether the peer was verified.
    pub fn is_verified(&self) -> bool {
        matches!(self.verification, Verification::Verified(_))
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("verification", &self.verification)
            .field("version", &format_args!("{:#06x}", self.version))
            .field("cipher_suite", &format_args!("{:#06x}", self.cipher_suite))
            .field("server_name", &self.server_name)
            .field("peer_certificates", &self.peer_certificates.len())
            .finish_non_exhaustive()
    }
}

/// Tells whether a peer's certificate was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verification {
    /// It was, and by what.
    Verified(VerifiedBy),
    /// It was not, and why not.
    Unverified(UnverifiedReason),
}

impl Default for Verification {
    fn default() -> Self {
        Self::Unverified(UnverifiedReason::NotChecked)
    }
}

/// Names what vouches for a peer's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifiedBy {
    /// An authority that is trusted, for the name that was asked for.
    Authority,
    /// A fingerprint that was known before.
    Fingerprint,
    /// A TLSA record (RFC 7672).
    Dane,
}

/// Tells why a peer's certificate is not verified. Its [`result_type`](Self::result_type) is for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum UnverifiedReason {
    /// Nobody looked.
    #[error("the certificate was not checked")]
    NotChecked,
    /// The peer showed none.
    #[error("no certificate was shown")]
    NoCertificate,
    /// It is for another name.
    #[error("the certificate is for another name")]
    HostMismatch,
    /// Its time is over, or has not begun.
    #[error("the certificate is not valid now")]
    Expired,
    /// No authority that is trusted vouches for it.
    #[error("the certificate is not trusted")]
    NotTrusted,
    /// It matches no TLSA record.
    #[error("the certificate matches no TLSA record")]
    NoTlsaMatch,
    /// No TLSA record of the server can be used (RFC 7672 2.2).
    #[error("no TLSA record can be used")]
    NoUsableTlsa,
    /// It is wrong in another way.
    #[error("the certificate is not acceptable")]
    Other,
}

impl UnverifiedReason {
    /// Returns the result type by which a report on TLS tells of it (RFC 8460 4.3); `None` for
    /// [`NotChecked`](Self::NotChecked), which is no failure.
    pub fn result_type(self) -> Option<&'static str> {
        match self {
            Self::NotChecked => None,
            Self::HostMismatch => Some("certificate-host-mismatch"),
            Self::Expired => Some("certificate-expired"),
            Self::NotTrusted => Some("certificate-not-trusted"),
            Self::NoTlsaMatch | Self::NoUsableTlsa => Some("tlsa-invalid"),
            Self::NoCertificate | Self::Other => Some("validation-failure"),
        }
    }

    /// Looks for a reason among the causes of an error, itself included.
    pub fn among_causes(error: &(dyn core::error::Error + 'static)) -> Option<Self> {
        let causes = core::iter::successors(Some(error), |error| error.source());
        causes
            .filter_map(|error| error.downcast_ref())
            .copied()
            .next()
    }
}
