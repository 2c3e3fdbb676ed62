//! How connections are served.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::session::Session;
use super::state::State;
use crate::server::Config;

/// Says how a connection is served: by which [`Config`], with what to do TLS, and between which
/// addresses it is.
///
/// A [`Config`] alone is enough where there is no TLS. `T` is what does TLS, as the driver has it.
#[derive(Clone, Debug)]
pub struct Options<T> {
    config: Config,
    tls: Option<T>,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

impl<T> Options<T> {
    /// Serves by a configuration, without TLS.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            tls: None,
            peer: None,
            local: None,
        }
    }

    /// Says how to do TLS. The configuration says whether to: [`Config::tls`].
    #[must_use]
    pub fn tls(mut self, acceptor: impl Into<T>) -> Self {
        self.tls = Some(acceptor.into());
        self
    }

    /// Says between which addresses the connection is, the client's first. A server finds them out,
    /// unless whoever prepares the connection knows better.
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

    /// Changes the configuration.
    #[must_use]
    pub fn configure(mut self, configure: impl FnOnce(Config) -> Config) -> Self {
        self.config = configure(self.config);
        self
    }

    /// Returns the client's address, where the connection has such.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns the address that the client connected to, where the connection has such.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Returns what does TLS, if anything does.
    pub fn into_tls(self) -> Option<T> {
        self.tls
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Begins to know the client. Connections are counted throughout the process, which names them.
    pub(super) fn session<S: State>(&self) -> Session<S> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = u64::try_from(id).unwrap_or(u64::MAX);
        Session::new(id, self.peer, self.local)
    }
}

impl<T> From<Config> for Options<T> {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}
