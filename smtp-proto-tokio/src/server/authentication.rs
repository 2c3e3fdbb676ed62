//! Who a client is: SASL mechanisms, as a server takes part in them (RFC 4422).

use std::{fmt, pin::Pin, str};

use smtp_proto::{
    server::{PlainCredentials, SaslResponse},
    syntax::Reply,
};

use super::handler::{Handler, fixed};
use crate::TlsInfo;

/// Holds what a client says to prove who it is, as a built-in mechanism brought it.
///
/// [`Debug`](fmt::Debug) shows neither passwords nor tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// A user and a password: PLAIN (RFC 4616) and LOGIN.
    Password {
        /// The user.
        user: &'a str,
        /// The password.
        password: &'a str,
        /// Whom the user wants to act for; empty: for himself.
        acting_for: &'a str,
    },
    /// An OAuth 2 bearer token: OAUTHBEARER (RFC 7628) and XOAUTH2.
    Token {
        /// Whom the client names; empty if the token alone tells.
        user: &'a str,
        /// The token.
        token: &'a str,
    },
    /// What is known by other means, as by the TLS certificate: EXTERNAL (RFC 4422 A).
    External {
        /// Whom the client wants to act for; empty: for whom the other means show.
        acting_for: &'a str,
        /// What the TLS handshake came to.
        tls: Option<&'a TlsInfo>,
    },
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password {
                user, acting_for, ..
            } => f
                .debug_struct("Password")
                .field("user", user)
                .field("acting_for", acting_for)
                .finish_non_exhaustive(),
            Self::Token { user, .. } => f
                .debug_struct("Token")
                .field("user", user)
                .finish_non_exhaustive(),
            Self::External { acting_for, .. } => f
                .debug_struct("External")
                .field("acting_for", acting_for)
                .finish_non_exhaustive(),
        }
    }
}

/// Takes a server's part in one exchange of a mechanism that is not built in.
pub trait Exchange: Send {
    /// Goes on with what the client says: first with the initial response, if it sent one, then
    /// with its answer to each challenge. Neither is encoded.
    fn respond<'a>(
        &'a mut self,
        response: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Step> + Send + 'a>>;
}

/// Says how an [`Exchange`] goes on.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Asks the client for more (334). Empty where the client begins and has not.
    Challenge(Vec<u8>),
    /// Lets it in (235) under this name.
    Accept(String),
    /// Turns it down, 535 mostly.
    Reject(Reply<'static>),
}

/// Shows no challenge: what it proves may be a secret.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(...)"),
            Self::Accept(name) => f.debug_tuple("Accept").field(name).finish(),
            Self::Reject(reply) => f.debug_tuple("Reject").field(reply).finish(),
        }
    }
}

/// Returns the reply to credentials that are not right, whatever is wrong with them: 535 5.7.8.
pub fn invalid_credentials() -> Reply<'static> {
    fixed(b"535 5.7.8 Authentication credentials invalid\r\n")
}

/// An exchange that is under way.
pub(super) enum Authentication {
    Plain,
    /// With the user, once it is known.
    Login(Option<SaslResponse>),
    External,
    XOAuth2,
    OAuthBearer,
    /// The client was told why, and has to say that it has heard it.
    Failed(Reply<'static>),
    Other(Box<dyn Exchange>),
}

impl Authentication {
    /// Begins an exchange, unless neither the handler nor anything here knows the mechanism.
    pub(super) fn begin<H: Handler>(handler: &H, state: &H::Session, name: &str) -> Option<Self> {
        if let Some(exchange) = handler.exchange(state, name) {
            return Some(Self::Other(exchange));
        }
        Some(match name.to_ascii_uppercase().as_str() {
            "PLAIN" => Self::Plain,
            "LOGIN" => Self::Login(None),
            "EXTERNAL" => Self::External,
            "XOAUTH2" => Self::XOAuth2,
            "OAUTHBEARER" => Self::OAuthBearer,
            _ => return None,
        })
    }

    /// Goes on with what the client says, if it says anything.
    pub(super) async fn advance<H: Handler>(
        &mut self,
        handler: &H,
        state: &H::Session,
        tls: Option<&TlsInfo>,
        response: Option<SaslResponse>,
    ) -> Step {
        let Some(response) = response else {
            return match self {
                Self::Other(exchange) => exchange.respond(None).await,
                Self::Login(_) => Step::Challenge(b"Username:".to_vec()),
                _ => Step::Challenge(Vec::new()),
            };
        };
        let octets = response.as_bytes();
        let has_token = matches!(self, Self::XOAuth2 | Self::OAuthBearer);
        let named;
        let credential = match self {
            Self::Other(exchange) => return exchange.respond(Some(octets)).await,
            Self::Failed(reply) => return Step::Reject(reply.clone()),
            // LOGIN-b: an initial response is the user.
            Self::Login(user @ None) => {
                *user = Some(response);
                return Step::Challenge(b"Password:".to_vec());
            }
            Self::Login(Some(user)) => login(user.as_bytes(), octets),
            Self::Plain => plain(&response),
            Self::External => external(octets, tls),
            Self::XOAuth2 => x_oauth2(octets),
            Self::OAuthBearer => match oauth_bearer(octets) {
                Some((user, token)) => {
                    named = user;
                    Some(Credential::Token {
                        user: &named,
                        token,
                    })
                }
                None => None,
            },
        };
        let result = match credential {
            Some(credential) => handler.authenticate(state, credential).await,
            None => Err(invalid_credentials()),
        };
        match result {
            Ok(name) => Step::Accept(name),
            Err(reply) if has_token => {
                // 7628-3.2-a, XOAUTH2-b
                *self = Self::Failed(reply);
                Step::Challenge(br#"{"status":"invalid_token","schemes":"bearer"}"#.to_vec())
            }
            Err(reply) => Step::Reject(reply),
        }
    }
}

fn plain(response: &SaslResponse) -> Option<Credential<'_>> {
    let PlainCredentials {
        acting_for,
        user,
        password,
    } = response.as_plain()?;
    Some(Credential::Password {
        user,
        password,
        acting_for,
    })
}

fn login<'a>(user: &'a [u8], password: &'a [u8]) -> Option<Credential<'a>> {
    let user = str::from_utf8(user).ok()?;
    let password = str::from_utf8(password).ok()?;
    let is_complete = !user.is_empty() && !password.is_empty();
    is_complete.then_some(Credential::Password {
        user,
        password,
        acting_for: "",
    })
}

fn external<'a>(message: &'a [u8], tls: Option<&'a TlsInfo>) -> Option<Credential<'a>> {
    let acting_for = str::from_utf8(message).ok()?;
    // RFC 4422 A.1
    (!acting_for.contains('\0')).then_some(Credential::External { acting_for, tls })
}

/// Reads `user=` user `^A` `auth=Bearer ` token `^A^A` (XOAUTH2-a).
fn x_oauth2(message: &[u8]) -> Option<Credential<'_>> {
    let fields = str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let mut fields = fields.split('\x01');
    let user = fields.next()?.strip_prefix("user=")?;
    let token = bearer(fields.next()?)?;
    fields
        .next()
        .is_none()
        .then_some(Credential::Token { user, token })
}

/// Reads a GS2 header, `^A`, and keys with their values, each with a `^A` behind it
/// (7628-3.1-a, 7628-3.1-b).
fn oauth_bearer(message: &[u8]) -> Option<(String, &str)> {
    let message = str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let (header, fields) = message.split_once('\x01')?;
    // No channel is bound.
    let name = header
        .strip_prefix("n,")
        .or_else(|| header.strip_prefix("y,"))?
        .strip_suffix(',')?;
    let name = match name {
        "" => "",
        name => name.strip_prefix("a=")?,
    };
    // RFC 5801 4
    let is_escape = |rest: &str| rest.starts_with("2C") || rest.starts_with("3D");
    let is_well_formed = !name.contains(',') && name.split('=').skip(1).all(is_escape);
    let user = name.replace("=2C", ",").replace("=3D", "=");
    let token = fields.split('\x01').find_map(bearer)?;
    is_well_formed.then_some((user, token))
}

/// Reads `auth=Bearer ` token; the scheme in any case (RFC 9110 11.1).
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.strip_prefix("auth=")?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
}
