//! What a driver's TLS came to.

use alloc::{string::String, vec::Vec};

/// Tells what a TLS handshake came to.
///
/// A driver fills it in, for its applications: the machines do not look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of the protocol, as it is numbered on the wire: 0x0304 is TLS 1.3.
    pub version: u16,
    /// The cipher suite's number in IANA's registry, as in the `tls` clause of a Received field
    /// (RFC 8314 4.3).
    pub cipher_suite: u16,
    /// The name by which the client called the server, if it did.
    pub server_name: Option<String>,
    /// The peer's certificates in DER, its own first; none if it showed none.
    pub peer_certificates: Vec<Vec<u8>>,
}
