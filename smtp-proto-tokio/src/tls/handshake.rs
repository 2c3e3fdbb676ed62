//! What a library of TLS is to a connection.

use std::pin::Pin;

use crate::{TlsInfo, socket::Duplex};

/// The bytes of a connection in both directions: those that a handshake is done with, or those that
/// pass through TLS after it.
pub type Link = Box<dyn Duplex>;

/// The stream that leads through TLS, and what its handshake came to.
pub type Secured = (Link, TlsInfo);

/// A handshake that is under way.
pub(crate) type Begun = Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>;

smtp_proto::tls! {
    async.await
    /// Does a handshake, and returns the stream that leads through TLS with what it came to. The time
    /// that it may take is kept by the caller.
    ///
    /// Credentials depend on [`TlsInfo::verification`], which must not say more than is true. To shut
    /// the stream down tells the peer that nothing more comes (`close_notify`).
    ///
    /// # Errors
    ///
    /// Those of the link and of the library. They end the session. One that has an
    /// [`UnverifiedReason`](smtp_proto::machine::UnverifiedReason) among its causes says that of the peer.
}
