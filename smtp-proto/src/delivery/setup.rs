//! What it takes to open sessions with one server.

use alloc::sync::Arc;
use core::{fmt, net::IpAddr, time::Duration};
use std::{io, sync::OnceLock};
#[cfg(feature = "auth")]
use {
    crate::client::mechanism::Mechanism,
    alloc::{boxed::Box, string::String, vec, vec::Vec},
    zeroize::Zeroizing,
};

use super::{
    courier::Courier,
    error::Error,
    own_name::own_name,
    pace::Pace,
    resending::tries_next_address,
    url::{Server, ServerUrl},
};
use crate::{
    client::{Config, Learned, Observation, Tls},
    syntax::Host,
};

/// How long to wait for a connection to each address of a host, unless set.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Fills a buffer with what nobody can foretell, from the system.
pub type Entropy = fn(&mut [u8]) -> io::Result<()>;

/// Holds what it takes to open sessions with one server: where it is, how clients are to behave, and as
/// whom they come. What both adapters' `Builder` is made of.
#[derive(Clone)]
pub struct Setup {
    config: Config,
    /// The configuration has a name for EHLO; else it is known when there is a connection.
    is_named: bool,
    server: Option<Server>,
    /// What a URL says of TLS.
    url_tls: Option<Tls>,
    connect_timeout: Duration,
    local_address: Option<IpAddr>,
    pace: Pace,
    watcher: Option<Watcher>,
    #[cfg(feature = "auth")]
    mechanisms: Vec<Identity>,
}

/// Is told of what is sent and heard.
type Watcher = Arc<dyn Fn(&Observation) + Send + Sync>;

/// As whom a client authenticates itself.
#[cfg(feature = "auth")]
#[derive(Clone)]
struct Identity {
    make: MakeMechanisms,
    /// The user and the password, where it rests on these.
    password: Option<Arc<(String, Zeroizing<String>)>>,
}

/// Makes mechanisms for one connection.
#[cfg(feature = "auth")]
type MakeMechanisms = Arc<dyn Fn() -> io::Result<Vec<Box<dyn Mechanism>>> + Send + Sync>;

#[cfg(feature = "auth")]
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let by_password = self.password.is_some() && self.password == other.password;
        by_password || Arc::ptr_eq(&self.make, &other.make)
    }
}

impl Setup {
    /// Creates the one for clients of this configuration.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            is_named: true,
            server: None,
            url_tls: None,
            connect_timeout: CONNECT_TIMEOUT,
            local_address: None,
            pace: Pace::default(),
            watcher: None,
            #[cfg(feature = "auth")]
            mechanisms: Vec::new(),
        }
    }

    /// Creates the one for the server of a URL, but for the URL's credentials.
    pub fn of_url(url: &ServerUrl) -> Self {
        let config = url.config(own_name("", None));
        Self {
            is_named: url.name().is_some(),
            server: Some(url.server().clone()),
            url_tls: Some(url.tls()),
            ..Self::new(config)
        }
    }

    /// Sets where the server is.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// Sets the name for EHLO.
    #[must_use]
    pub fn name(mut self, name: Host<'_>) -> Self {
        self.config = self.config.name(name);
        self.is_named = true;
        self
    }

    /// Changes the configuration.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    /// Sets how long to wait for a connection to each address of a host: 30 seconds unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long each message may take.
    #[must_use]
    pub fn pace(mut self, change: impl FnOnce(&mut Pace)) -> Self {
        change(&mut self.pace);
        self
    }

    /// Has somebody told of everything that is sent and heard, as it happens.
    #[must_use]
    pub fn watch(mut self, watcher: impl Fn(&Observation) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Sets the address that connections come from; the system chooses it unless set.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Has clients authenticate before any message, each by a mechanism of its own. Of several
    /// mechanisms, the first that the server offers is used.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn authenticate<M: Mechanism + 'static>(
        self,
        mechanism: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        self.comes_as(move || Ok(vec![Box::new(mechanism())]), None)
    }

    /// Has clients authenticate by a user name and a password, in the best way that the server offers:
    /// SCRAM if there is [`Entropy`] for it and the feature `scram`, else PLAIN or LOGIN.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn password(self, user: &str, password: &str, entropy: Option<Entropy>) -> Self {
        use crate::client::mechanism;
        let identity = Arc::new((String::from(user), Zeroizing::new(String::from(password))));
        let password = Some(Arc::clone(&identity));
        let make = move || match entropy {
            #[cfg(feature = "scram")]
            Some(fill) => {
                let mut bytes = [0; mechanism::Nonce::ENTROPY];
                fill(&mut bytes)?;
                let nonce = mechanism::Nonce::from_entropy(bytes);
                let (user, password) = &*identity;
                Ok(mechanism::by_scram_or_password(user, password, nonce))
            }
            _ => Ok(mechanism::by_password(&identity.0, &identity.1)),
        };
        self.comes_as(make, password)
    }

    #[cfg(feature = "auth")]
    fn comes_as<F>(mut self, make: F, password: Option<Arc<(String, Zeroizing<String>)>>) -> Self
    where
        F: Fn() -> io::Result<Vec<Box<dyn Mechanism>>> + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        self.mechanisms.push(Identity { make, password });
        self
    }

    /// Returns where the server is.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if nobody has said so.
    pub fn destination(&self) -> Result<&Server, Error> {
        self.server.as_ref().ok_or_else(|| {
            let unnamed = "no server was named that can be connected to";
            Error::connect(io::Error::new(io::ErrorKind::InvalidInput, unnamed))
        })
    }

    /// Returns how long to wait for a connection to each address.
    pub fn patience(&self) -> Duration {
        self.connect_timeout
    }

    /// Returns the address that connections are to come from, unless the system chooses it.
    pub fn origin(&self) -> Option<IpAddr> {
        self.local_address
    }

    /// Returns the configuration of a client on a machine of this name, over a connection whose own end
    /// has this address, that knows what an earlier one has found out.
    pub fn config(
        &self,
        host_name: &str,
        local: Option<IpAddr>,
        learned: Option<&Learned>,
    ) -> Config {
        let mut config = self.config.clone();
        if !self.is_named {
            config = config.name(own_name(host_name, local));
        }
        if let Some(learned) = learned {
            config = config.learned(learned);
        }
        match self.watcher {
            Some(_) => config.watched(),
            None => config,
        }
    }

    /// Returns the configuration with TLS as a URL means it, if there was one.
    ///
    /// Whom to trust is made for the host of the URL, and kept in `trust`, unless that was said. If
    /// nothing is made, there is no TLS.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if it cannot be made.
    pub fn secure<T>(
        &self,
        config: Config,
        trust: &OnceLock<T>,
        make: impl FnOnce(&str, Tls) -> io::Result<Option<T>>,
    ) -> Result<Config, Error> {
        let Some(tls) = self.url_tls else {
            return Ok(config);
        };
        let host = self.server.as_ref().and_then(Server::host);
        if let (None, Some(host)) = (trust.get(), host)
            && tls != Tls::Off
        {
            match make(host, tls).map_err(Error::connect)? {
                // Another thread may have made the same.
                Some(made) => drop(trust.set(made)),
                None => return Ok(config.tls(Tls::Off)),
            }
        }
        Ok(config.tls(tls))
    }

    /// Has a courier that was just created keep the pace, and authenticate itself, if that was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if a mechanism cannot be made, [`Error::Misuse`] if its name is none.
    pub fn prepare<B>(&self, courier: &mut Courier<B>) -> Result<(), Error> {
        #[cfg(feature = "auth")]
        if !self.mechanisms.is_empty() {
            let mut mechanisms = Vec::new();
            for identity in &self.mechanisms {
                mechanisms.extend((identity.make)().map_err(Error::connect)?);
            }
            courier.machine_mut().authenticate(mechanisms)?;
        }
        courier.set_pace(self.pace);
        if let Some(watcher) = &self.watcher {
            let watcher = Arc::clone(watcher);
            courier.set_watcher(move |observation| watcher(observation));
        }
        Ok(())
    }
}

/// Returns whether a connection of the one is as good as one of the other. What was given as a function
/// is the same only where it was cloned.
impl PartialEq for Setup {
    fn eq(&self, other: &Self) -> bool {
        let common = |it: &Self| {
            let times = (it.connect_timeout, it.pace);
            (it.is_named, it.url_tls, it.local_address, times)
        };
        #[cfg(feature = "auth")]
        if self.mechanisms != other.mechanisms {
            return false;
        }
        common(self) == common(other)
            && self.server == other.server
            && self.config == other.config
            && match (&self.watcher, &other.watcher) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }
}

/// Shows no secret.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("config", &self.config)
            .field("server", &self.server)
            .field("local_address", &self.local_address)
            .finish_non_exhaustive()
    }
}

/// Remembers, while the addresses of a host are tried in turn, the failure that tells most.
#[derive(Debug, Default)]
pub struct Failures {
    told: Option<Error>,
}

impl Failures {
    /// Takes note of what came of one address.
    ///
    /// # Errors
    ///
    /// Returns it, if no other address is worth a try.
    pub fn note(&mut self, error: Error) -> Result<(), Error> {
        let has_answered = |error: &Error| error.machine().is_some();
        match error.machine() {
            Some(refusal) if !tries_next_address(refusal) => return Err(error),
            // What a server said tells more than that another could not be reached.
            None if self.told.as_ref().is_some_and(has_answered) => {}
            _ => self.told = Some(error),
        }
        Ok(())
    }

    /// Returns that failure, once there is no other address.
    pub fn into_error(self) -> Error {
        let nowhere = || Error::connect(io::ErrorKind::NotFound.into());
        self.told.unwrap_or_else(nowhere)
    }
}
