//! What a handshake came to.

use rustls::{ClientConnection, ConnectionCommon, ProtocolVersion, ServerConnection, SideData};
use smtp_proto::machine::{TlsInfo, UnverifiedReason, Verification};

/// Returns what a client's handshake came to, which let no server pass that was not verified so.
pub(crate) fn of_client(connection: &ClientConnection, verification: Verification) -> TlsInfo {
    of(connection, verification)
}

/// Returns what a server's handshake came to, which let no certificate pass that was not verified so.
pub(crate) fn of_server(connection: &ServerConnection, verification: Verification) -> TlsInfo {
    let mut info = of(connection, verification);
    info.server_name = connection.server_name().map(String::from);
    info
}

fn of<S: SideData>(connection: &ConnectionCommon<S>, verification: Verification) -> TlsInfo {
    let suite = connection.negotiated_cipher_suite();
    let certificates = connection.peer_certificates().unwrap_or_default();
    let mut info = TlsInfo::default();
    info.verification = match certificates {
        [] => Verification::Unverified(UnverifiedReason::NoCertificate),
        _ => verification,
    };
    info.version = connection.protocol_version().map_or(0, u16::from);
    info.cipher_suite = suite.map_or(0, |suite| suite.suite().into());
    info.peer_certificates = certificates.iter().map(|it| it.to_vec()).collect();
    info.exporter = exporter(connection);
    info
}

/// Returns the channel binding `tls-exporter` (RFC 9266 2).
///
/// TLS 1.2 has it only with the extended master secret (RFC 9266 3), and rustls does not tell whether
/// that was agreed upon: so TLS 1.3 only.
fn exporter<S>(connection: &ConnectionCommon<S>) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None)
        .ok()
}
