//! What lettre lets one say about a server.

use std::time::Duration;

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    extension::ClientId,
};
use smtp_proto::{
    client::{
        Config, Timeouts, Tls,
        mechanism::{Login, Plain, XOAuth2},
    },
    delivery::{Retry, Server, ServerUrl, UrlError},
    framing::LineBreaks,
    machine::Dialect,
    syntax::Host,
};

#[cfg(feature = "tokio")]
use crate::AsyncSmtpTransport;
use crate::Error;
#[cfg(feature = "blocking")]
use crate::SmtpTransport;

/// How many connections lettre keeps at most.
const MAX_CONNECTIONS: usize = 10;

/// Holds what there is to know about a server. `T` is what an adapter does TLS by.
///
/// Shows no secret.
#[derive(Clone, Debug)]
#[must_use = "nothing is built yet"]
pub struct TransportBuilder<T> {
    host: String,
    port: u16,
    tls: Tls,
    handshake: Option<T>,
    name: Option<String>,
    credentials: Option<Credentials>,
    mechanisms: Option<Vec<Mechanism>>,
    timeout: Option<Duration>,
}

impl<T> TransportBuilder<T> {
    pub(crate) fn relay(host: &str) -> Result<Self, Error> {
        Self::new(host.into(), 465, Tls::Implicit).checked()
    }

    pub(crate) fn starttls_relay(host: &str) -> Result<Self, Error> {
        Self::new(host.into(), 587, Tls::Required).checked()
    }

    pub(crate) fn dangerous(host: String) -> Self {
        Self::new(host, 25, Tls::Off)
    }

    pub(crate) fn from_url(text: &str) -> Result<Self, Error> {
        let url: ServerUrl = text.parse()?;
        let (Server::Tcp { host, port }, Dialect::Smtp) = (url.server(), url.dialect()) else {
            return Err(UrlError::Scheme.into());
        };
        let mut builder = Self::new(host.clone(), *port, url.tls());
        // Elsewhere such a URL is of a server for everybody.
        if text.ends_with("?tls=opportunistic") && !names_port(text) {
            builder.port = 587;
        }
        builder.name = url.name().map(ToString::to_string);
        let credentials = url.credentials();
        builder.credentials =
            credentials.map(|(user, password)| Credentials::new(user.into(), password.into()));
        Ok(builder)
    }

    fn new(host: String, port: u16, tls: Tls) -> Self {
        Self {
            host,
            port,
            tls,
            handshake: None,
            name: None,
            credentials: None,
            mechanisms: None,
            timeout: None,
        }
    }

    fn checked(self) -> Result<Self, Error> {
        self.url()?;
        Ok(self)
    }

    /// Sets the name for EHLO. It is the machine's host name, if that is a full one, or else an address
    /// literal, unless set.
    pub fn hello_name(mut self, name: ClientId) -> Self {
        self.name = Some(name.to_string());
        self
    }

    /// Sets the user and the password, which are sent to a verified server only.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the mechanisms of authentication, of which the first that the server offers is used. Unless they
    /// are set, it is the best for a password.
    pub fn authentication(mut self, mechanisms: Vec<Mechanism>) -> Self {
        self.mechanisms = Some(mechanisms);
        self
    }

    /// Sets how long each wait for the server may take. `None`, as when it is not set, are the times of RFC
    /// 5321 4.5.3.2: a client that waits for less may send a message twice.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets how to do TLS: the adapter's `TlsConnector`, or another library's `Handshake`. Whether to is said
    /// already.
    pub fn tls(mut self, tls: impl Into<T>) -> Self {
        self.handshake = Some(tls.into());
        self
    }

    /// Returns the server without the credentials.
    fn url(&self) -> Result<ServerUrl, UrlError> {
        let server = Server::from((self.host.as_str(), self.port));
        let (scheme, parameter) = match self.tls {
            Tls::Implicit => ("smtps", "required"),
            Tls::Required => ("smtp", "required"),
            Tls::Opportunistic => ("smtp", "opportunistic"),
            Tls::Off => ("smtp", "none"),
        };
        format!("{scheme}://{server}?tls={parameter}").parse()
    }

    fn configure(&self, config: Config) -> Config {
        // lettre sends what it is given, and some give it lines that end in LF.
        let config = config.line_breaks(LineBreaks::Normalize);
        let Some(timeout) = self.timeout else {
            return config;
        };
        let mut timeouts = Timeouts::default();
        timeouts.greeting = timeout;
        timeouts.command = timeout;
        timeouts.data_initiation = timeout;
        timeouts.write = timeout;
        timeouts.data_termination = timeout;
        config.timeouts(timeouts)
    }
}

/// Makes a `Sender` of one of the adapters, which spell it alike.
macro_rules! sender {
    ($adapter:ident, $settings:expr) => {{
        let settings = $settings;
        let mut options = $adapter::client::Options::at(settings.url()?)?
            .configure(|config| settings.configure(config));
        if let Some(name) = settings.name {
            options = options.name(Host::try_from(name)?);
        }
        if let Some(tls) = settings.handshake {
            options = options.tls(tls);
        }
        if let Some(timeout) = settings.timeout {
            options = options.connect_timeout(timeout);
        }
        if let Some(credentials) = settings.credentials {
            let (user, password) = pair(&credentials);
            options = match settings.mechanisms {
                None => options.password(&user, &password),
                Some(mechanisms) => mechanisms.into_iter().fold(options, |options, mechanism| {
                    let (user, password) = (user.clone(), password.clone());
                    match mechanism {
                        Mechanism::Plain => {
                            options.authenticate(move || Plain::new(&*user, &*password))
                        }
                        Mechanism::Login => {
                            options.authenticate(move || Login::new(&*user, &*password))
                        }
                        Mechanism::Xoauth2 => {
                            options.authenticate(move || XOAuth2::new(&*user, &*password))
                        }
                    }
                }),
            };
        }
        Ok($adapter::Sender::new(options)?
            .retry(once_more())
            .max_connections(MAX_CONNECTIONS))
    }};
}

#[cfg(feature = "blocking")]
impl TransportBuilder<smtp_proto_blocking::tls::Tls> {
    /// Builds the transport. Nothing is connected before there is a message.
    pub fn build(self) -> SmtpTransport {
        let sender = || -> Result<_, Error> { sender!(smtp_proto_blocking, self) };
        SmtpTransport::new(sender())
    }
}

#[cfg(feature = "tokio")]
impl TransportBuilder<smtp_proto_tokio::tls::Tls> {
    /// Builds the transport. Nothing is connected before there is a message.
    pub fn build(self) -> AsyncSmtpTransport {
        let sender = || -> Result<_, Error> { sender!(smtp_proto_tokio, self) };
        AsyncSmtpTransport::new(sender())
    }
}

/// Returns the user and the password, which lettre gives away in the message of PLAIN only (RFC 4616 2).
fn pair(credentials: &Credentials) -> (String, String) {
    let message = Mechanism::Plain.response(credentials, None);
    let message = message.unwrap_or_default();
    let mut parts = message.splitn(3, '\0').skip(1).map(String::from);
    let user = parts.next().unwrap_or_default();
    (user, parts.next().unwrap_or_default())
}

/// Returns whether the URL says which port.
fn names_port(url: &str) -> bool {
    let place = url.split(['/', '?']).nth(2).unwrap_or_default();
    let after_host = place.rsplit([']', '@']).next().unwrap_or_default();
    after_host.contains(':')
}

/// Tries a message again at once if a connection is lost before the message is sent. A server that cannot
/// be reached fails the message at once, as a caller of lettre expects.
fn once_more() -> Retry {
    let mut retry = Retry::default();
    retry.attempts = 2;
    retry.first_delay = Duration::ZERO;
    retry
}
