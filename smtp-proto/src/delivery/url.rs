//! A server as people write it down.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::SocketAddr, str::FromStr};

use thiserror::Error;

use crate::{
    client::{Config, Tls},
    machine::Dialect,
    syntax::Host,
};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Server {
    /// At a port of a host, which is a name or an address (without brackets).
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a Unix socket.
    Unix {
        /// Its path.
        path: String,
    },
}

impl Server {
    /// Creates the one at a Unix socket.
    pub fn unix(path: impl Into<String>) -> Self {
        Self::Unix { path: path.into() }
    }

    /// Returns the name or address by which its certificate is checked. A Unix socket has none.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix { .. } => None,
        }
    }
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        (address.ip().to_string().as_str(), address.port()).into()
    }
}

impl From<(&str, u16)> for Server {
    fn from((host, port): (&str, u16)) -> Self {
        let host = host.into();
        Self::Tcp { host, port }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => f.write_str(path),
        }
    }
}

/// A server, how to talk to it, and as whom.
///
/// | URL | port | what |
/// |---|---|---|
/// | `smtp://mx.example.net` | 25 | STARTTLS where it is offered; the certificate is not checked |
/// | `smtp://user:password@submit.example.net` | 587 | STARTTLS, and the certificate is checked |
/// | `smtps://submit.example.net` | 465 | TLS from the first byte on, and the certificate is checked |
/// | `lmtp://store.example.net` | 24 | as `smtp` |
/// | `lmtp+unix:/run/lmtp.sock` | | in clear |
///
/// A port that is given counts, and so does `?tls=required` (STARTTLS, and the certificate is checked;
/// port 587), `?tls=opportunistic` or `?tls=none`. A path is the name for EHLO:
/// `smtp://mx.example.net/client.example.org`. User and password are percent-encoded where they hold
/// other characters than letters, digits and `-._~`; nothing shows them.
///
/// ```
/// use smtp_proto::delivery::{Server, ServerUrl};
///
/// # #[cfg(feature = "auth")] {
/// let url: ServerUrl = "smtps://alice%40example.net:se%3Acret@submit.example.net".parse()?;
/// assert_eq!(url.server(), &Server::from(("submit.example.net", 465)));
/// assert_eq!(url.credentials(), Some(("alice@example.net", "se:cret")));
/// # }
/// # Ok::<(), smtp_proto::delivery::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    server: Server,
    dialect: Dialect,
    tls: Tls,
    name: Option<Host<'static>>,
    credentials: Option<Credentials>,
}

/// A user and a password.
#[cfg(feature = "auth")]
#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: zeroize::Zeroizing<String>,
    password: zeroize::Zeroizing<String>,
}

/// There are none where nothing could be done with them.
#[cfg(not(feature = "auth"))]
#[derive(Clone, PartialEq, Eq)]
enum Credentials {}

/// Tells what is wrong with a URL, and nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It does not begin with a scheme that is known.
    #[error("the URL must begin with smtp://, smtps://, lmtp:// or lmtp+unix:")]
    Scheme,
    /// It has no host, or one that is neither a name nor an address. A name is ASCII (`xn--...` stands
    /// for others), and an IPv6 address is in brackets.
    #[error("the URL has no valid host: an ASCII name, an address, or one of IPv6 in [brackets]")]
    Host,
    /// Its port is no number from 1 to 65535.
    #[error("the URL's port is invalid")]
    Port,
    /// It has a user without a `:` and a password after it.
    #[error("the URL has a user and no password")]
    NoPassword,
    /// Its user or password is not percent-encoded as it should be; a `/`, `?`, `#` or `@` in it must be.
    #[error("the URL's user or password is not percent-encoded")]
    Credentials,
    /// It has a user, and this build has no authentication: see the feature `auth`.
    #[error("the URL has a user, and authentication is not built in")]
    NoAuthentication,
    /// The name for EHLO after its `/` is no host.
    #[error("the URL's path is no name of a host")]
    Name,
    /// Something other than `tls=required`, `tls=opportunistic` or `tls=none` follows its `?`.
    #[error(
        "the URL takes no parameter but tls=required and, where TLS can be left out, tls=opportunistic and tls=none"
    )]
    Parameter,
    /// A user's password would go over a connection that is not protected.
    #[error("the URL has a user, whose password is not protected: leave `tls` out, or require it")]
    Unprotected,
    /// It has no path of a socket.
    #[error("the URL has no path of a socket")]
    Path,
}

/// The parts of a URL between `//` and its end.
struct UrlParts<'u> {
    userinfo: Option<&'u str>,
    host: &'u str,
    port: Option<u16>,
    name: Option<Host<'static>>,
    tls: Option<Tls>,
}

impl ServerUrl {
    /// Returns where the server is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the protocol that it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns whether the session is to be encrypted. Where it must be, the certificate must be
    /// checked.
    pub fn tls(&self) -> Tls {
        self.tls
    }

    /// Returns the name for EHLO, if it has one.
    pub fn name(&self) -> Option<&Host<'static>> {
        self.name.as_ref()
    }

    /// Returns the user and the password, which are to be sent to a verified server only.
    #[cfg(feature = "auth")]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        let credentials = self.credentials.as_ref()?;
        Some((&credentials.user, &credentials.password))
    }

    /// Returns the configuration of a client for it, which calls itself `name` unless the URL says
    /// otherwise.
    pub fn config(&self, name: Host<'_>) -> Config {
        let name = self.name.clone().unwrap_or_else(|| name.into_owned());
        Config::new(name).dialect(self.dialect).tls(self.tls)
    }

    fn unix(path: &str) -> Result<Self, UrlError> {
        // `lmtp+unix:///run/x` is the same with an empty authority (RFC 3986 3.2).
        let path = match path.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(UrlError::Path),
            None => path,
        };
        let path = decoded(path).ok_or(UrlError::Path)?;
        if path.is_empty() || path.contains('\0') {
            return Err(UrlError::Path);
        }
        Ok(Self {
            server: Server::Unix { path },
            dialect: Dialect::Lmtp,
            tls: Tls::Off,
            name: None,
            credentials: None,
        })
    }

    fn internet(scheme: Scheme, parts: &UrlParts<'_>) -> Result<Self, UrlError> {
        let credentials = parts.userinfo.map(Credentials::parse).transpose()?;
        let tls = match (scheme, parts.tls) {
            // TLS cannot be left out of a scheme that means it.
            (Scheme::Smtps, None | Some(Tls::Required)) => Tls::Implicit,
            (Scheme::Smtps, Some(_)) => return Err(UrlError::Parameter),
            (_, Some(Tls::Required)) => Tls::Required,
            (_, None) if credentials.is_some() => Tls::Required,
            (_, Some(_)) if credentials.is_some() => return Err(UrlError::Unprotected),
            (_, given) => given.unwrap_or(Tls::Opportunistic),
        };
        let port = parts.port.unwrap_or(match (scheme, tls) {
            (Scheme::Smtps, _) => 465,
            (Scheme::Lmtp, _) => 24,
            (Scheme::Smtp, Tls::Required) => 587,
            (Scheme::Smtp, _) => 25,
        });
        Ok(Self {
            server: (parts.host, port).into(),
            dialect: match scheme {
                Scheme::Lmtp => Dialect::Lmtp,
                Scheme::Smtp | Scheme::Smtps => Dialect::Smtp,
            },
            tls,
            name: parts.name.clone(),
            credentials,
        })
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Smtp,
    Smtps,
    Lmtp,
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "smtp" => Scheme::Smtp,
            "smtps" => Scheme::Smtps,
            "lmtp" => Scheme::Lmtp,
            "lmtp+unix" => return Self::unix(rest),
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.strip_prefix("//").ok_or(UrlError::Scheme)?;
        Self::internet(scheme, &UrlParts::parse(rest)?)
    }
}

impl TryFrom<&str> for ServerUrl {
    type Error = UrlError;

    fn try_from(url: &str) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl TryFrom<&String> for ServerUrl {
    type Error = UrlError;

    fn try_from(url: &String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl<'u> UrlParts<'u> {
    fn parse(text: &'u str) -> Result<Self, UrlError> {
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query)),
            None => (text, None),
        };
        let (authority, name) = match text.split_once('/') {
            Some((authority, name)) => (authority, name),
            None => (text, ""),
        };
        // A password with a `/` or `?` in it: what comes before that must not pass for a host.
        if name.contains('@') || query.is_some_and(|query| query.contains('@')) {
            return Err(UrlError::Credentials);
        }
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self {
            userinfo,
            host,
            port,
            name: match name {
                "" => None,
                name => {
                    let name = decoded(name).ok_or(UrlError::Name)?;
                    Some(Host::try_from(name).map_err(|_| UrlError::Name)?)
                }
            },
            tls: match query {
                None | Some("") => None,
                Some("tls=required") => Some(Tls::Required),
                Some("tls=opportunistic") => Some(Tls::Opportunistic),
                Some("tls=none") => Some(Tls::Off),
                Some(_) => return Err(UrlError::Parameter),
            },
        })
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<core::net::Ipv6Addr>()
            .map_err(|_| UrlError::Host)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return Err(UrlError::Host),
        };
        (host, port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_letter) {
            return Err(UrlError::Host);
        }
        (host, port)
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = digits.parse().ok().filter(|&port| port != 0);
            Some(port.ok_or(UrlError::Port)?)
        }
        Some(_) => return Err(UrlError::Port),
    };
    Ok((host, port))
}

#[cfg(feature = "auth")]
impl Credentials {
    fn parse(userinfo: &str) -> Result<Self, UrlError> {
        let (user, password) = userinfo.split_once(':').ok_or(UrlError::NoPassword)?;
        let part = |text: &str| decoded(text).ok_or(UrlError::Credentials);
        Ok(Self {
            user: part(user)?.into(),
            password: part(password)?.into(),
        })
    }
}

#[cfg(not(feature = "auth"))]
impl Credentials {
    fn parse(_: &str) -> Result<Self, UrlError> {
        Err(UrlError::NoAuthentication)
    }
}

/// Undoes percent-encoding (RFC 3986 2.1); `None` if it is none, or not of UTF-8.
fn decoded(text: &str) -> Option<String> {
    // As large as it becomes: what grows leaves copies of secrets in memory.
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(16 * high + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Shows neither user nor password.
impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerUrl")
            .field("server", &self.server)
            .field("dialect", &self.dialect)
            .field("tls", &self.tls)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
