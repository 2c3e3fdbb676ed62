//! What a library of TLS is to a connection.

/// Defines an adapter's trait `Handshake`, its method `async` or not, with the documentation of that, and
/// `Tls`, any such.
///
/// `@about` is what is said of all that an adapter has of TLS.
///
/// The adapter's are `Link`, what a handshake is done with, and `Secured`, what it comes to.
#[doc(hidden)]
#[macro_export]
macro_rules! tls {
    (@about) => {
        "TLS by any library, and by rustls: whom a client trusts, and what a server shows.

The machines say when a handshake is due; the connection goes over to TLS then, by the
[`Handshake`] that it was given. With the feature `rustls` that is a `TlsConnector` or a
`TlsAcceptor`.

A client has one connection, with the TLS and the trust that it was made with. Who keeps clients
for later messages must not take one in clear for a message that needs TLS, nor one that trusts
others (TLS-11)."
    };

    ($($async:ident . $await:ident)? $(#[$docs:meta])*) => {
        use std::{any::Any, fmt, io, sync::Arc};

        /// Does the TLS handshakes of one side: what a library of TLS is to this one.
        ///
        /// `smtp-proto/native-tls` in the repository has it done by native-tls.
        pub trait Handshake: Send + Sync + 'static {
            $crate::handler! { @method [$($async)?] [$(#[$docs])*]
                [&self] handshake(link: Link) -> io::Result<Secured>
            }

            /// Returns whether another does the same, so that a connection by the one is as good as by the
            /// other. Unless it says so, only a clone of the same [`Tls`] does.
            fn is_same(&self, _: &Self) -> bool
            where
                Self: Sized,
            {
                false
            }
        }

        /// Any [`Handshake`].
        #[derive(Clone)]
        pub struct Tls(Arc<dyn Erased>);

        trait Erased: Any + Send + Sync {
            fn begin(self: Arc<Self>, link: Link) -> Begun;
            fn is_same_as(&self, other: &dyn Any) -> bool;
        }

        impl<H: Handshake> Erased for H {
            fn begin(self: Arc<Self>, link: Link) -> Begun {
                $crate::tls! { @begin [$($async)?] self.handshake(link) }
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
            pub(crate) fn begin(&self, link: Link) -> Begun {
                Arc::clone(&self.0).begin(link)
            }
        }

        impl PartialEq for Tls {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0.is_same_as(&*other.0)
            }
        }

        impl fmt::Debug for Tls {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Tls")
            }
        }
    };

    (@begin [async] $handshake:expr) => {
        Box::pin(async move { $handshake.await })
    };
    (@begin [] $handshake:expr) => {
        $handshake
    };
}
