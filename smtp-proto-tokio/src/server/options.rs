//! How connections are served.

use smtp_proto::reception;

use crate::tls::Tls;

/// Says how connections are served: a [`Config`](super::Config), and with what to do TLS.
///
/// A configuration alone is enough where there is no TLS. What does it is a `TlsAcceptor`, or any other
/// [`Handshake`](crate::tls::Handshake).
///
/// ```no_run
/// # #[cfg(feature = "rustls")]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use smtp_proto::{server::{Config, Tls}, syntax::Host};
/// use smtp_proto_tokio::{Server, server::Options, tls::TlsAcceptor};
///
/// let config = Config::new(Host::parse("mx.example.net")?).tls(Tls::Offered);
/// let tls = TlsAcceptor::from_pem_files("chain.pem", "key.pem")?;
/// let server = Server::bind("[::]:25", Options::new(config).tls(tls)).await?;
/// # Ok(())
/// # }
/// ```
pub type Options = reception::Options<Tls>;
