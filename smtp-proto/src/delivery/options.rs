//! What it takes to open sessions with one server.

use alloc::{string::String, sync::Arc};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::{ffi::OsString, io, sync::OnceLock};
#[cfg(feature = "auth")]
use {
    crate::client::mechanism::Mechanism,
    alloc::{boxed::Box, vec, vec::Vec},
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
    client::{Client, Config, Duplex, Learned, Observation, Tls},
    syntax::Host,
};

/// How long to wait for a connection to each address of a host, unless set.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Says how clients are to behave, where their server is, and as whom they come.
///
/// A [URL](ServerUrl) alone is enough for most servers. `T` is what does TLS, and `D` what a connection
/// made by [`connect_with`](Self::connect_with) is, as the adapter has them.
pub struct Options<T, D> {
    config: Config,
    /// The configuration has a name for EHLO; else it is known when there is a connection.
    is_named: bool,
    server: Option<Server>,
    /// What a URL says of TLS.
    url_tls: Option<Tls>,
    tls: OnceLock<T>,
    /// How to do TLS was said, and is not made of the URL.
    is_own_tls: bool,
    connect_timeout: Duration,
    local_address: Option<IpAddr>,
    dial: Option<Dial<D>>,
    pace: Pace,
    watcher: Option<Watcher>,
    #[cfg(feature = "auth")]
    mechanisms: Vec<Identity>,
}

/// Makes a connection to an address.
type Dial<D> = Arc<dyn Fn(SocketAddr) -> D + Send + Sync>;

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
type MakeMechanisms =
    Arc<dyn Fn(Option<Entropy>) -> io::Result<Vec<Box<dyn Mechanism>>> + Send + Sync>;

/// Fills a buffer with what nobody can foretell.
pub type Entropy = fn(&mut [u8]) -> io::Result<()>;

/// Tells what a driver gets from where it runs.
#[derive(Clone, Debug)]
pub struct Surroundings<T> {
    /// The machine's name.
    pub host_name: OsString,
    /// Draws from the system's entropy, where that is built in.
    pub entropy: Option<Entropy>,
    /// Makes what a URL means that asks for TLS with a host, where TLS is built in.
    pub trust: Option<fn(&str, Tls) -> io::Result<T>>,
    /// How the driver reads and writes, if that is not the configuration's to say.
    pub duplex: Option<Duplex>,
}

impl<T, D> Options<T, D> {
    /// Creates those for clients of this configuration.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            is_named: true,
            server: None,
            url_tls: None,
            tls: OnceLock::new(),
            is_own_tls: false,
            connect_timeout: CONNECT_TIMEOUT,
            local_address: None,
            dial: None,
            pace: Pace::default(),
            watcher: None,
            #[cfg(feature = "auth")]
            mechanisms: Vec::new(),
        }
    }

    /// Creates those for the server of a [URL](ServerUrl). It says whether there is TLS and
    /// authentication, and wins over the configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Url`].
    pub fn at<U>(url: U) -> Result<Self, Error>
    where
        U: TryInto<ServerUrl>,
        Error: From<U::Error>,
    {
        Ok(url.try_into()?.into())
    }

    /// Says where the server is.
    #[must_use]
    pub fn server(mut self, server: impl Into<Server>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// Says how to do TLS: by a `TlsConnector`, or by another library's `Handshake`. The
    /// configuration, or the URL, says whether to.
    #[must_use]
    pub fn tls(mut self, connector: impl Into<T>) -> Self {
        self.tls = OnceLock::from(connector.into());
        self.is_own_tls = true;
        self
    }

    /// Sets the name for EHLO. Of a URL it is the machine's host name, if that is a full one, or
    /// else an address literal.
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

    /// Sets how long a message may take in all, once all before it are finished: unbounded unless set.
    /// Past that the connection is given up, with every outcome told.
    #[must_use]
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.pace.message = Some(timeout);
        self
    }

    /// Sets how many bytes of a content in a second the server has to take, on average after ten seconds:
    /// any number unless set. Else the connection is given up, with every outcome told.
    #[must_use]
    pub fn lowest_rate(mut self, bytes_per_second: u32) -> Self {
        self.pace.bytes_per_second = bytes_per_second;
        self
    }

    /// Has somebody told of everything that is sent and heard, as it happens: the greeting, what is
    /// offered, TLS, each command and each reply, with its step, message, recipient and time.
    #[must_use]
    pub fn watch(mut self, watcher: impl Fn(&Observation) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Sets the address that connections come from; the system chooses it unless set. Addresses of the
    /// host that are of another family are passed over.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Has connections made by `dial`, which is called for one address of the host after the other: for
    /// proxies (example `socks5`), a PROXY header, or options of sockets.
    #[must_use]
    pub fn connect_with(mut self, dial: impl Fn(SocketAddr) -> D + Send + Sync + 'static) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Has clients authenticate before any message, each by a mechanism of its own. Of several
    /// mechanisms, the first that the server offers is used.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn authenticate<M: Mechanism + 'static>(
        mut self,
        mechanism: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        self.mechanisms.push(Identity {
            make: Arc::new(move |_| Ok(vec![Box::new(mechanism())])),
            password: None,
        });
        self
    }

    /// Has clients authenticate by a user name and a password, in the best way that the server
    /// offers: SCRAM, with the feature `scram`, by which the server does not get to know the password;
    /// else PLAIN or LOGIN. To verified servers only, unless the configuration says otherwise.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn password(mut self, user: &str, password: &str) -> Self {
        use crate::client::mechanism;
        let identity = Arc::new((String::from(user), Zeroizing::new(String::from(password))));
        let password = Some(Arc::clone(&identity));
        let make = move |entropy: Option<Entropy>| match entropy {
            #[cfg(feature = "scram")]
            Some(fill) => {
                let nonce = mechanism::Nonce::draw(fill)?;
                let (user, password) = &*identity;
                Ok(mechanism::by_scram_or_password(user, password, nonce))
            }
            _ => Ok(mechanism::by_password(&identity.0, &identity.1)),
        };
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

    /// Begins to connect to an address, if that was told [how](Self::connect_with).
    pub fn dial(&self, address: SocketAddr) -> Option<D> {
        self.dial.as_ref().map(|dial| dial(address))
    }

    /// Begins a session over a connection whose own end has this address, with what an earlier one has
    /// found out. Returns what does TLS in it, too, if anything does.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the means for TLS or authentication cannot be had, [`Error::Misuse`] if a
    /// mechanism has no name.
    pub fn begin<B>(
        &self,
        surroundings: &Surroundings<T>,
        local: Option<IpAddr>,
        learned: Option<&Learned>,
    ) -> Result<(Courier<B>, Option<T>), Error>
    where
        T: Clone,
    {
        let mut config = self.config.clone();
        if !self.is_named {
            let host_name = surroundings.host_name.to_string_lossy();
            config = config.name(own_name(&host_name, local));
        }
        if let Some(learned) = learned {
            config = config.learned(learned);
        }
        if self.watcher.is_some() {
            config = config.watched();
        }
        if let Some(duplex) = surroundings.duplex {
            config = config.duplex(duplex);
        }
        let config = self.secure(config, surroundings)?;
        let mut courier = Courier::new(Client::new(config, Duration::ZERO));
        #[cfg(feature = "auth")]
        if !self.mechanisms.is_empty() {
            let mut mechanisms = Vec::new();
            for identity in &self.mechanisms {
                mechanisms.extend((identity.make)(surroundings.entropy).map_err(Error::connect)?);
            }
            courier.machine_mut().authenticate(mechanisms)?;
        }
        courier.set_pace(self.pace);
        if let Some(watcher) = &self.watcher {
            let watcher = Arc::clone(watcher);
            courier.set_watcher(move |observation| watcher(observation));
        }
        Ok((courier, self.tls.get().cloned()))
    }

    /// Returns how to do TLS, if that was said.
    fn own_tls(&self) -> Option<&T> {
        self.tls.get().filter(|_| self.is_own_tls)
    }

    /// Returns the configuration with TLS as a URL means it, if there was one. Whom to trust is made for
    /// the host of the URL, and kept, unless that was said.
    fn secure(&self, config: Config, surroundings: &Surroundings<T>) -> Result<Config, Error> {
        let Some(tls) = self.url_tls else {
            return Ok(config);
        };
        let host = self.server.as_ref().and_then(Server::host);
        if let (None, Some(host)) = (self.tls.get(), host)
            && tls != Tls::Off
        {
            match surroundings.trust {
                // Another thread may have made the same.
                Some(make) => drop(self.tls.set(make(host, tls).map_err(Error::connect)?)),
                None if tls == Tls::Opportunistic => return Ok(config.tls(Tls::Off)),
                None => {
                    let missing = io::Error::new(io::ErrorKind::Unsupported, "TLS is not built in");
                    return Err(Error::connect(missing));
                }
            }
        }
        Ok(config.tls(tls))
    }
}

impl<T, D> From<Config> for Options<T, D> {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}

impl<T, D> From<ServerUrl> for Options<T, D> {
    fn from(url: ServerUrl) -> Self {
        let config = url.config(own_name("", None));
        let options = Self {
            is_named: url.name().is_some(),
            server: Some(url.server().clone()),
            url_tls: Some(url.tls()),
            ..Self::new(config)
        };
        #[cfg(feature = "auth")]
        if let Some((user, password)) = url.credentials() {
            return options.password(user, password);
        }
        options
    }
}

impl<T, D> TryFrom<&str> for Options<T, D> {
    type Error = Error;

    fn try_from(url: &str) -> Result<Self, Error> {
        Self::at(url)
    }
}

impl<T, D> TryFrom<String> for Options<T, D> {
    type Error = Error;

    fn try_from(url: String) -> Result<Self, Error> {
        Self::at(url)
    }
}

impl<T, D> TryFrom<&String> for Options<T, D> {
    type Error = Error;

    fn try_from(url: &String) -> Result<Self, Error> {
        Self::at(url)
    }
}

impl<T: Clone, D> Clone for Options<T, D> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            server: self.server.clone(),
            tls: self.tls.clone(),
            dial: self.dial.clone(),
            watcher: self.watcher.clone(),
            #[cfg(feature = "auth")]
            mechanisms: self.mechanisms.clone(),
            ..*self
        }
    }
}

/// Returns whether a connection by the one is as good as one by the other: it is to the same server, by
/// the same way, with the same trust, as the same client.
///
/// Functions are the same only where they were cloned. So is what does TLS, unless it says more of itself:
/// connectors by rustls do that are [named] anew.
///
/// [named]: https://docs.rs/smtp-engine-rustls/latest/smtp_proto_rustls/struct.TlsConnector.html#method.named
impl<T: PartialEq, D> PartialEq for Options<T, D> {
    fn eq(&self, other: &Self) -> bool {
        // Named one by one, so that none is forgotten that is added: it would have messages go by
        // connections that are not meant for them.
        let Self {
            config,
            is_named,
            server,
            url_tls,
            tls: _,
            is_own_tls: _,
            connect_timeout,
            local_address,
            dial,
            pace,
            watcher,
            #[cfg(feature = "auth")]
            mechanisms,
        } = self;
        #[cfg(feature = "auth")]
        if *mechanisms != other.mechanisms {
            return false;
        }
        *config == other.config
            && *is_named == other.is_named
            && *server == other.server
            && *url_tls == other.url_tls
            && self.own_tls() == other.own_tls()
            && *connect_timeout == other.connect_timeout
            && *local_address == other.local_address
            && is_clone(dial.as_ref(), other.dial.as_ref())
            && *pace == other.pace
            && is_clone(watcher.as_ref(), other.watcher.as_ref())
    }
}

#[cfg(feature = "auth")]
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let by_password = self.password.is_some() && self.password == other.password;
        by_password || Arc::ptr_eq(&self.make, &other.make)
    }
}

fn is_clone<F: ?Sized>(one: Option<&Arc<F>>, other: Option<&Arc<F>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Shows no secret.
impl<T, D> fmt::Debug for Options<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
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
