//! What a driver tells a machine of its transport.

use core::{error::Error, time::Duration};

use super::TlsInfo;

/// Takes what a driver tells of its transport, in either role: a driver may be written once for both.
pub trait Driven {
    /// Takes note that nothing more comes.
    fn handle_eof(&mut self);

    /// Takes note that the connection is broken: nothing more comes, and nothing arrives.
    fn handle_reset(&mut self);

    /// Takes note that nothing more can be written.
    fn write_failed(&mut self);

    /// Takes note that the TLS handshake which was due is complete, with what it came to.
    fn tls_established(&mut self, info: TlsInfo, now: Duration);

    /// Takes note that the handshake has failed, and what of. If an
    /// [`UnverifiedReason`](super::UnverifiedReason) is among the causes, it was that of the peer.
    fn tls_failed(&mut self, cause: Option<&(dyn Error + Send + Sync + 'static)>);
}
