//! What a library of TLS is to a connection.

use std::{fmt, io, pin::Pin, sync::Arc};

use crate::{TlsInfo, socket::Duplex};

/// Does the TLS handshakes of one side: what a library of TLS is to this one.
///
/// `smtp-proto/native-tls` in the repository has it done by native-tls.
pub trait Handshake: Send + Sync + 'static {
    /// Does a handshake, and returns the stream that leads through TLS with what it came to. The time
    /// that it may take is kept by the caller.
    ///
    /// Credentials depend on [`TlsInfo::verification`], which must not say more than is true. To shut
    /// the stream down tells the peer that nothing more comes (`close_notify`). An error that has an
    /// [`UnverifiedReason`](smtp_proto::machine::UnverifiedReason) among its causes says that of the
    /// peer.
    fn handshake(&self, link: Link) -> impl Future<Output = io::Result<(Link, TlsInfo)>> + Send;
}

/// The bytes of a connection in both directions: those that a handshake is done with, or those that
/// pass through TLS after it.
pub type Link = Box<dyn Duplex>;

/// What a handshake comes to.
type Outcome = io::Result<(Link, TlsInfo)>;

/// A handshake that is under way.
pub(crate) struct Handshaking(pub(crate) Pin<Box<dyn Future<Output = Outcome> + Send>>);

/// Any [`Handshake`].
#[derive(Clone)]
pub struct Tls(Arc<dyn Fn(Link) -> Handshaking + Send + Sync>);

impl<H: Handshake> From<H> for Tls {
    fn from(handshake: H) -> Self {
        let handshake = Arc::new(handshake);
        Self(Arc::new(move |link| {
            let handshake = Arc::clone(&handshake);
            Handshaking(Box::pin(async move { handshake.handshake(link).await }))
        }))
    }
}

impl Tls {
    pub(crate) fn begin(&self, link: Link) -> Handshaking {
        (self.0)(link)
    }
}

impl fmt::Debug for Handshaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshaking")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
