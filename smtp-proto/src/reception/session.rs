//! Who is served.

use alloc::{string::String, sync::Arc};
use core::{any::Any, fmt, net::SocketAddr};

use super::attributes::ClientAttributes;
use super::state::State;
use crate::machine::TlsInfo;
use crate::syntax::{AttributeName, AttributeValue, Host};

/// Holds what is known of a client, and what the application remembers of it.
///
/// Clones are cheap, and stay as they are when more becomes known.
pub struct Session<S: State = ()> {
    client: Arc<Client>,
    state: Arc<S::Session>,
}

#[derive(Clone, Debug)]
struct Client {
    id: u64,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    hello: Option<Hello>,
    tls: Option<TlsInfo>,
    identity: Option<Identity>,
}

/// Holds how a client has introduced itself. Nothing vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// What the client calls itself.
    pub name: Host<'static>,
    /// Whether it said EHLO, or LHLO in LMTP: after HELO no extension is at its disposal.
    pub is_esmtp: bool,
}

/// Says who a client is that has authenticated itself.
///
/// ```
/// use smtp_proto::reception::Identity;
///
/// struct Account { quota: u64 }
///
/// let identity = Identity::from("alice").with_value(Account { quota: 10 });
/// assert_eq!(identity.value::<Account>().map(|account| account.quota), Some(10));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Identity {
    /// Under which name it goes.
    pub name: String,
    /// Who showed the credentials, if that is somebody else who may act for it.
    pub authenticated_as: String,
    /// By which mechanism; empty where a proxy says so.
    pub mechanism: Arc<str>,
    value: Option<Arc<dyn Any + Send + Sync>>,
}

impl<S: State> Session<S> {
    /// Begins to know a client. `id` names the connection, `peer` and `local` are the addresses of
    /// both ends, where the transport has such.
    pub fn new(id: u64, peer: Option<SocketAddr>, local: Option<SocketAddr>) -> Self {
        Self {
            client: Arc::new(Client {
                id,
                peer,
                local,
                hello: None,
                tls: None,
                identity: None,
            }),
            state: Arc::default(),
        }
    }

    /// Returns what names the connection; the adapters count them throughout the process.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// Returns the client's address, where its transport has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.client.peer
    }

    /// Returns the address that the client connected to, where its transport has one.
    pub fn local(&self) -> Option<SocketAddr> {
        self.client.local
    }

    /// Returns how the client introduced itself last, once it has.
    pub fn hello(&self) -> Option<&Hello> {
        self.client.hello.as_ref()
    }

    /// Returns what the TLS handshake came to; `None` in clear.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.client.tls.as_ref()
    }

    /// Returns who the client is, if it has authenticated itself.
    pub fn identity(&self) -> Option<&Identity> {
        self.client.identity.as_ref()
    }

    /// Returns what the application remembers; the default before it has taken the connection.
    pub fn state(&self) -> &S::Session {
        &self.state
    }

    pub(super) fn begin(&mut self, state: S::Session) {
        self.state = Arc::new(state);
    }

    /// Returns how it introduced itself before.
    pub(super) fn introduce(&mut self, name: Host<'_>, is_esmtp: bool) -> Option<Hello> {
        let name = name.into_owned();
        let hello = &mut Arc::make_mut(&mut self.client).hello;
        hello.replace(Hello { name, is_esmtp })
    }

    /// Takes an introduction back.
    pub(super) fn restore(&mut self, before: Option<Hello>) {
        Arc::make_mut(&mut self.client).hello = before;
    }

    #[cfg(feature = "auth")]
    pub(super) fn identify(&mut self, identity: Identity) {
        Arc::make_mut(&mut self.client).identity = Some(identity);
    }

    /// Forgets what was said in clear (3207-4.2-a).
    pub(super) fn secure(&mut self, tls: TlsInfo) {
        let client = Arc::make_mut(&mut self.client);
        client.hello = None;
        client.identity = None;
        client.tls = Some(tls);
    }

    /// Makes it the session of the client that a proxy speaks for. What is not said stays as it was.
    pub(super) fn speak_for(&mut self, attributes: &ClientAttributes, is_authenticated: bool) {
        let client = Arc::make_mut(&mut self.client);
        client.hello = None;
        let login = attributes.get(AttributeName::Login);
        match login.map(|login| login.value()) {
            Some(AttributeValue::Text(name)) if is_authenticated => {
                client.identity = Some(Identity::from(&*name));
            }
            _ if !is_authenticated => client.identity = None,
            _ => {}
        }
        let said = |ip, port, before: Option<SocketAddr>| {
            let port = attributes.get(port).and_then(|port| port.port());
            let port = port.or(before.map(|before| before.port()));
            let ip = match attributes.get(ip) {
                Some(ip) => ip.ip_address(),
                None => before.map(|before| before.ip()),
            };
            ip.map(|ip| SocketAddr::new(ip, port.unwrap_or_default()))
        };
        client.peer = said(AttributeName::Addr, AttributeName::Port, client.peer);
        client.local = said(
            AttributeName::DestAddr,
            AttributeName::DestPort,
            client.local,
        );
    }
}

impl<S: State> Clone for Session<S> {
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            state: Arc::clone(&self.state),
        }
    }
}

impl<S: State> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Adds a value of the application's.
    #[must_use]
    pub fn with_value(mut self, value: impl Any + Send + Sync) -> Self {
        self.value = Some(Arc::new(value));
        self
    }

    /// Returns the application's value, if there is one of this type.
    pub fn value<T: Any>(&self) -> Option<&T> {
        self.value.as_deref()?.downcast_ref()
    }

    /// Adds how it came about.
    #[cfg(feature = "auth")]
    pub(super) fn proven(mut self, user: &str, mechanism: &Arc<str>) -> Self {
        if !user.is_empty() {
            self.authenticated_as = user.into();
        }
        self.mechanism = Arc::clone(mechanism);
        self
    }
}

/// Goes under this name.
impl<N: Into<String>> From<N> for Identity {
    fn from(name: N) -> Self {
        let name = name.into();
        Self {
            authenticated_as: name.clone(),
            name,
            mechanism: "".into(),
            value: None,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("authenticated_as", &self.authenticated_as)
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}
