//! What carries a session.

/// Defines an adapter's `Socket`, whose other streams are whatever implements these traits.
///
/// The adapter's are `TcpStream` and `UnixStream`.
#[doc(hidden)]
#[macro_export]
macro_rules! socket {
    ($($stream:tt)+) => {
        /// A connection over TCP, through a Unix socket, or over any other stream.
        #[non_exhaustive]
        pub enum Socket {
            /// Over TCP.
            Tcp(TcpStream),
            /// Through a Unix socket.
            #[cfg(unix)]
            Unix(UnixStream),
            /// Over another stream, or through TLS.
            Other(Box<dyn $($stream)+>),
        }

        impl Socket {
            pub(crate) fn over(stream: impl $($stream)+ + 'static) -> Self {
                Self::Other(Box::new(stream))
            }

            /// Returns the address of this end, where it has one.
            pub fn local_ip(&self) -> Option<std::net::IpAddr> {
                match self {
                    Self::Tcp(stream) => stream.local_addr().ok().map(|address| address.ip()),
                    _ => None,
                }
            }
        }

        impl From<TcpStream> for Socket {
            fn from(stream: TcpStream) -> Self {
                Self::Tcp(stream)
            }
        }

        #[cfg(unix)]
        impl From<UnixStream> for Socket {
            fn from(stream: UnixStream) -> Self {
                Self::Unix(stream)
            }
        }

        /// Shows nothing of what passes through TLS, which holds keys.
        impl std::fmt::Debug for Socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    Self::Tcp(stream) => stream.fmt(f),
                    #[cfg(unix)]
                    Self::Unix(stream) => stream.fmt(f),
                    Self::Other(_) => f.write_str("Socket"),
                }
            }
        }
    };
}
