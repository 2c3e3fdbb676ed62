//! What a library of TLS is to a connection.

use std::{any::Any, fmt, io, pin::Pin, sync::Arc};

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

    /// Returns whether another does the same, so that a connection by the one is as good as by the other.
    /// Unless it says so, only a clone of the same [`Tls`] does.
    fn is_same(&self, _: &Self) -> bool
    where
        Self: Sized,
    {
        false
    }
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
pub struct Tls(Arc<dyn Erased>);

trait Erased: Any + Send + Sync {
    fn begin(self: Arc<Self>, link: Link) -> Handshaking;
    fn is_same_as(&self, other: &dyn Any) -> bool;
}

impl<H: Handshake> Erased for H {
    fn begin(self: Arc<Self>, link: Link) -> Handshaking {
        Handshaking(Box::pin(async move { self.handshake(link).await }))
    }

    fn is_same_as(&self, other: &dyn Any) -> bool {
        let other = other.downcast_ref::<H>();
        other.is_some_and(|other| self.is_same(other))
    }
}

impl<H: Handshake> From<H> for Tls {
    fn from(handshake: H) -> Self {
        Self(Arc::new(handshake))
    }
}

impl Tls {
    pub(crate) fn begin(&self, link: Link) -> Handshaking {
        Arc::clone(&self.0).begin(link)
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.is_same_as(&*other.0)
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
