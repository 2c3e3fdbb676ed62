//! Who a client is: SASL mechanisms, as a server takes part in them (RFC 4422).

use std::{borrow::Cow, fmt, str};

use smtp_proto::{server::SaslResponse, syntax::Reply};

use super::handler::{Handler, Session, fixed};

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
    /// What is known by other means, as by the TLS certificate in [`Session::tls`]: EXTERNAL
    /// (RFC 4422 A).
    External {
        /// Whom the client wants to act for; empty: for whom the other means show.
        acting_for: &'a str,
    },
}

impl Credential<'_> {
    /// Returns whom the client wants to act for, if it says so.
    fn acting_for(&self) -> Option<&str> {
        let (Self::Password { acting_for, .. } | Self::External { acting_for }) = *self else {
            return None;
        };
        Some(acting_for).filter(|name| !name.is_empty())
    }
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
            Self::External { acting_for } => f
                .debug_struct("External")
                .field("acting_for", acting_for)
                .finish(),
        }
    }
}

/// Takes a server's part in one exchange of a mechanism that is not built in.
pub trait Exchange {
    /// Goes on with what the client says: first with the initial response, if it sent one, then
    /// with its answer to each challenge. Neither is encoded.
    fn respond(&mut self, response: Option<&[u8]>) -> Step;
}

/// Says how an [`Exchange`] goes on.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Asks the client for more (334). Empty where the client begins and has not (4422-5-a).
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
pub(super) enum Authentication<'h> {
    Plain,
    /// With the user, once it is known.
    Login(Option<SaslResponse>),
    External,
    XOAuth2,
    OAuthBearer,
    /// The client was told why, and has to say that it has heard it.
    Failed(Reply<'static>),
    Other(Box<dyn Exchange + 'h>),
}

impl<'h> Authentication<'h> {
    /// Begins an exchange, unless neither the handler nor anything here knows the mechanism.
    pub(super) fn begin<H: Handler>(
        handler: &'h H,
        session: &Session,
        mechanism: &str,
    ) -> Option<Self> {
        if let Some(exchange) = handler.exchange(session, mechanism) {
            return Some(Self::Other(exchange));
        }
        Some(match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => Self::Plain,
            "LOGIN" => Self::Login(None),
            "EXTERNAL" => Self::External,
            "XOAUTH2" => Self::XOAuth2,
            "OAUTHBEARER" => Self::OAuthBearer,
            _ => return None,
        })
    }

    /// Goes on with what the client says, if it says anything. `verify` returns the name that a
    /// credential is good for.
    pub(super) fn advance(
        &mut self,
        response: Option<SaslResponse>,
        verify: impl FnOnce(Credential<'_>) -> Result<String, Reply<'static>>,
    ) -> Step {
        let Some(response) = response else {
            return match self {
                Self::Other(exchange) => exchange.respond(None),
                Self::Login(_) => Step::Challenge(b"Username:".to_vec()), // LOGIN-a
                _ => Step::Challenge(Vec::new()),                         // 4422-5-a
            };
        };
        let octets = response.as_bytes();
        let name; // without its escapes
        let (credential, failure) = match self {
            Self::Other(exchange) => return exchange.respond(Some(octets)),
            Self::Failed(reply) => return Step::Reject(reply.clone()),
            // LOGIN-b: an initial response is the user.
            Self::Login(user @ None) => {
                *user = Some(response);
                return Step::Challenge(b"Password:".to_vec());
            }
            Self::Login(Some(user)) => (login(user.as_bytes(), octets), None),
            Self::Plain => (plain(&response), None),
            Self::External => (external(octets), None),
            Self::XOAuth2 => (
                xoauth2(octets),
                Some(r#"{"status":"401","schemes":"bearer"}"#),
            ),
            Self::OAuthBearer => {
                let credential = match oauthbearer(octets) {
                    Some((user, token)) => {
                        name = user;
                        let user = &name;
                        Some(Credential::Token { user, token })
                    }
                    None => None,
                };
                (credential, Some(r#"{"status":"invalid_token"}"#))
            }
        };
        let result = match credential {
            Some(credential) => verify(credential).and_then(|name| match credential.acting_for() {
                // AUT-6: who does not look at whom the client acts for cannot mean to allow it.
                Some(other) if other != name => Err(invalid_credentials()),
                _ => Ok(name),
            }),
            None => Err(invalid_credentials()),
        };
        match (result, failure) {
            (Ok(name), _) => Step::Accept(name),
            (Err(reply), None) => Step::Reject(reply),
            (Err(reply), Some(failure)) => {
                // 7628-3.2-a, XOAUTH2-b
                *self = Self::Failed(reply);
                Step::Challenge(failure.into())
            }
        }
    }
}

fn plain(response: &SaslResponse) -> Option<Credential<'_>> {
    let said = response.as_plain()?;
    Some(Credential::Password {
        user: said.user,
        password: said.password,
        acting_for: said.acting_for,
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

/// Reads an authorization identity, or nothing (4422-A-a).
fn external(message: &[u8]) -> Option<Credential<'_>> {
    let acting_for = str::from_utf8(message).ok()?;
    // RFC 4422 A.1
    (!acting_for.contains('\0')).then_some(Credential::External { acting_for })
}

/// Reads `user=` user `^A` `auth=Bearer ` token `^A^A` (XOAUTH2-a).
fn xoauth2(message: &[u8]) -> Option<Credential<'_>> {
    let fields = str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let (user, auth) = fields.split_once('\x01')?;
    let user = user.strip_prefix("user=").filter(|user| !user.is_empty())?;
    let token = bearer(auth)?;
    Some(Credential::Token { user, token })
}

/// Reads a GS2 header, `^A`, and keys with their values, each with a `^A` behind it (7628-3.1-a);
/// keys that are not known are ignored (7628-3.1-b). Returns the user and the token.
fn oauthbearer(message: &[u8]) -> Option<(Cow<'_, str>, &str)> {
    let message = str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let (header, fields) = message.split_once('\x01')?;
    // RFC 5801 4: no channel is bound, and "," and "=" are escaped in names.
    let user = header
        .strip_prefix("n,")
        .or_else(|| header.strip_prefix("y,"))?
        .strip_suffix(',')?;
    let user = match user {
        "" => Cow::Borrowed(""),
        user => unescape(user.strip_prefix("a=")?)?,
    };
    let token = fields.split('\x01').find_map(bearer)?;
    Some((user, token))
}

/// Undoes `=2C` and `=3D`, besides which neither `=` nor `,` may be (RFC 5801 4).
fn unescape(name: &str) -> Option<Cow<'_, str>> {
    if name.contains(',') {
        return None;
    }
    let mut pieces = name.split('=');
    let mut unescaped = Cow::Borrowed(pieces.next()?);
    for piece in pieces {
        let (octet, rest) = match piece.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', piece.strip_prefix("3D")?),
        };
        let text = unescaped.to_mut();
        text.push(octet);
        text.push_str(rest);
    }
    Some(unescaped)
}

/// Reads `auth=Bearer ` token; the scheme in any case (RFC 9110 11.1).
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.strip_prefix("auth=")?.split_once(' ')?;
    let is_token = !token.is_empty() && !token.contains('\x01');
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests;
