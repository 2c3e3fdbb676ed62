//! How connections are served.

use crate::tls::Tls;

smtp_proto::server_options! {
    /// ```no_run
    /// # #[cfg(feature = "rustls")]
    /// # fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use smtp_proto::{server::{Config, Tls}, syntax::Host};
    /// use smtp_proto_blocking::{Server, server::Options, tls::TlsAcceptor};
    ///
    /// let config = Config::new(Host::parse("mx.example.net")?).tls(Tls::Offered);
    /// let tls = TlsAcceptor::from_pem_files("chain.pem", "key.pem")?;
    /// let server = Server::bind("[::]:25", Options::new(config).tls(tls))?;
    /// # Ok(())
    /// # }
    /// ```
}
