//! What a server's connections share beside their handler.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use smtp_proto::{
    reception::{Session, State},
    server::Config,
};

use crate::tls::Tls;

/// Says how connections are served: a [`Config`], and with what to do TLS.
///
/// A [`Config`] alone is enough where there is no TLS.
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
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) config: Config,
    pub(super) tls: Option<Tls>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
}

impl Options {
    /// Serves by a configuration, without TLS.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            tls: None,
            peer: None,
            local: None,
        }
    }

    /// Says how to do TLS: by a `TlsAcceptor`, or another library's [`Handshake`](crate::tls::Handshake). The configuration
    /// says whether to: [`Config::tls`].
    #[must_use]
    pub fn tls(mut self, acceptor: impl Into<Tls>) -> Self {
        self.tls = Some(acceptor.into());
        self
    }

    /// Says between which addresses a connection is, the client's first, where it is
    /// [served](super::serve_connection) by itself. A [`Server`](super::Server) finds them out.
    #[must_use]
    pub fn addresses(
        mut self,
        peer: impl Into<Option<SocketAddr>>,
        local: impl Into<Option<SocketAddr>>,
    ) -> Self {
        self.peer = peer.into();
        self.local = local.into();
        self
    }

    /// Begins to know the client of a new connection.
    pub(super) fn session<S: State>(&self) -> Session<S> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        Session::new(id, self.peer, self.local)
    }
}

impl From<Config> for Options {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}
