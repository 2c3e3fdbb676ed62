//! How clients prove who they are (RFC 4422).

use std::{borrow::Cow, fmt};

use smtp_proto::syntax::{Code, Reply, SyntaxError};

/// Goes through one authentication with a client.
///
/// Made by [`exchange`], or written for mechanisms that are not built in. What is passed and
/// returned is not encoded: the machine does the base64.
pub trait Exchange {
    /// Takes what the client says, and decides what comes next.
    ///
    /// The first call has `None` where the client said nothing with AUTH itself: where the mechanism
    /// has it begin, the step is an empty challenge (4422-5-a).
    fn respond(&mut self, response: Option<&[u8]>) -> Step;
}

/// What comes next in an authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client is to respond to this.
    Challenge(Vec<u8>),
    /// The client has proved to be this user, whom
    /// [`Session::identity`](super::Session::identity) names from now on.
    Accept(String),
    /// It has not.
    Reject(Refusal),
}

/// Tells why an authentication failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The user, the password or the token is wrong: 535 5.7.8 (RFC 4954 6).
    Credentials,
    /// A response is not one of the mechanism's: 501 5.5.2.
    Malformed,
    /// It cannot be found out now: 454 4.7.0 (RFC 4954 6).
    Temporary,
    /// This reply, negative.
    Reply(Reply<'static>),
}

impl Refusal {
    pub(super) fn into_reply(self) -> Result<Reply<'static>, SyntaxError> {
        match self {
            Self::Credentials => Reply::new(
                Code::AUTHENTICATION_FAILED,
                "5.7.8 Authentication credentials invalid",
            ),
            Self::Malformed => Reply::new(Code::ARGUMENT_ERROR, "5.5.2 Malformed response"),
            Self::Temporary => Reply::new(
                Code::TEMPORARY_AUTHENTICATION_FAILURE,
                "4.7.0 Temporary authentication failure",
            ),
            Self::Reply(reply) => Ok(reply),
        }
    }
}

impl From<Reply<'static>> for Refusal {
    fn from(reply: Reply<'static>) -> Self {
        Self::Reply(reply)
    }
}

/// What a client claims, and how it proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim<'a> {
    /// Who the client says it is. Empty where the proof tells: always with EXTERNAL, and maybe with
    /// OAUTHBEARER.
    pub user: &'a str,
    /// Whom it wants to act for, if it says so. Unless the identity that is granted is just this,
    /// the authentication fails.
    pub acting_for: Option<&'a str>,
    /// What is to be verified.
    pub proof: Proof<'a>,
}

/// How a client proves who it is. [`Debug`](fmt::Debug) shows no secret.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof<'a> {
    /// By the user's password (PLAIN, LOGIN).
    Password(&'a str),
    /// By an OAuth 2 bearer token (XOAUTH2, OAUTHBEARER).
    Token(&'a str),
    /// By what is known already (EXTERNAL), as its certificate:
    /// [`Session::peer_certificate`](super::Session::peer_certificate).
    External,
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(***)",
            Self::Token(_) => "Token(***)",
            Self::External => "External",
        })
    }
}

/// Begins PLAIN, LOGIN, EXTERNAL, XOAUTH2 or OAUTHBEARER; `None` for any other mechanism.
///
/// `verify` gets the claim, and returns the user's identity if it is proved. Compare secrets in
/// constant time, or their hashes.
pub fn exchange<'v>(
    mechanism: &str,
    verify: impl FnMut(&Claim<'_>) -> Result<String, Refusal> + 'v,
) -> Option<Box<dyn Exchange + 'v>> {
    let verify = Verify(verify);
    Some(match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Box::new(OneMessage {
            parse: plain,
            verify,
        }),
        "EXTERNAL" => Box::new(OneMessage {
            parse: external,
            verify,
        }),
        "LOGIN" => Box::new(Login { user: None, verify }),
        "XOAUTH2" => Box::new(Bearer {
            parse: xoauth2,
            failure: br#"{"status":"401","schemes":"Bearer"}"#,
            refusal: None,
            verify,
        }),
        "OAUTHBEARER" => Box::new(Bearer {
            parse: oauthbearer,
            failure: br#"{"status":"invalid_token"}"#,
            refusal: None,
            verify,
        }),
        _ => return None,
    })
}

struct Verify<V>(V);

impl<V: FnMut(&Claim<'_>) -> Result<String, Refusal>> Verify<V> {
    fn verify(&mut self, claim: &Claim<'_>) -> Result<String, Refusal> {
        let identity = (self.0)(claim)?;
        // AUT-6: whoever does not look at whom the client acts for must not grant it.
        match claim.acting_for {
            Some(other) if other != identity => Err(Refusal::Credentials),
            _ => Ok(identity),
        }
    }
}

impl From<Result<String, Refusal>> for Step {
    fn from(result: Result<String, Refusal>) -> Self {
        match result {
            Ok(identity) => Self::Accept(identity),
            Err(refusal) => Self::Reject(refusal),
        }
    }
}

/// Mechanisms whose client says all in one message.
struct OneMessage<V> {
    parse: fn(&str) -> Option<Claim<'_>>,
    verify: Verify<V>,
}

impl<V: FnMut(&Claim<'_>) -> Result<String, Refusal>> Exchange for OneMessage<V> {
    fn respond(&mut self, response: Option<&[u8]>) -> Step {
        let Some(response) = response else {
            return Step::Challenge(Vec::new());
        };
        let text = std::str::from_utf8(response).ok();
        match text.and_then(self.parse) {
            Some(claim) => self.verify.verify(&claim).into(),
            None => Step::Reject(Refusal::Malformed),
        }
    }
}

/// The mechanism with two prompts (LOGIN-a). An initial response is the user's name (LOGIN-b).
struct Login<V> {
    user: Option<String>,
    verify: Verify<V>,
}

impl<V: FnMut(&Claim<'_>) -> Result<String, Refusal>> Exchange for Login<V> {
    fn respond(&mut self, response: Option<&[u8]>) -> Step {
        let Some(response) = response else {
            return Step::Challenge(b"Username:".to_vec());
        };
        match (std::str::from_utf8(response), &self.user) {
            (Ok(""), _) | (Err(_), _) => Step::Reject(Refusal::Malformed),
            (Ok(user), None) => {
                self.user = Some(user.to_owned());
                Step::Challenge(b"Password:".to_vec())
            }
            (Ok(password), Some(user)) => {
                let claim = Claim {
                    user,
                    acting_for: None,
                    proof: Proof::Password(password),
                };
                self.verify.verify(&claim).into()
            }
        }
    }
}

/// Mechanisms with a token, which tell of a failure by a challenge (7628-3.2-a, XOAUTH2-b).
struct Bearer<V> {
    parse: fn(&str) -> Option<BearerMessage<'_>>,
    failure: &'static [u8],
    /// What follows the client's answer to that challenge.
    refusal: Option<Refusal>,
    verify: Verify<V>,
}

struct BearerMessage<'a> {
    user: Cow<'a, str>,
    token: &'a str,
}

impl<V: FnMut(&Claim<'_>) -> Result<String, Refusal>> Exchange for Bearer<V> {
    fn respond(&mut self, response: Option<&[u8]>) -> Step {
        if let Some(refusal) = self.refusal.take() {
            return Step::Reject(refusal);
        }
        let Some(response) = response else {
            return Step::Challenge(Vec::new());
        };
        let text = std::str::from_utf8(response).ok();
        let result = match text.and_then(self.parse) {
            Some(BearerMessage { user, token }) => self.verify.verify(&Claim {
                user: &user,
                acting_for: None,
                proof: Proof::Token(token),
            }),
            None => Err(Refusal::Malformed),
        };
        match result {
            Ok(identity) => Step::Accept(identity),
            Err(refusal) => {
                self.refusal = Some(refusal);
                Step::Challenge(self.failure.to_vec())
            }
        }
    }
}

/// Reads `[authzid] NUL authcid NUL passwd` (4616-2-a, 4616-2-b).
fn plain(message: &str) -> Option<Claim<'_>> {
    let (acting_for, rest) = message.split_once('\0')?;
    let (user, password) = rest.split_once('\0')?;
    if user.is_empty() || password.is_empty() || password.contains('\0') {
        return None;
    }
    Some(Claim {
        user,
        acting_for: Some(acting_for).filter(|other| !other.is_empty()),
        proof: Proof::Password(password),
    })
}

/// Reads an authorization identity, or nothing (4422-A-a).
fn external(message: &str) -> Option<Claim<'_>> {
    (!message.contains('\0')).then_some(Claim {
        user: "",
        acting_for: Some(message).filter(|other| !other.is_empty()),
        proof: Proof::External,
    })
}

/// Reads `user=U^Aauth=Bearer T^A^A` (XOAUTH2-a).
fn xoauth2(message: &str) -> Option<BearerMessage<'_>> {
    let pairs = message.strip_suffix("\x01\x01")?;
    let user = value_of("user", pairs).filter(|user| !user.is_empty())?;
    Some(BearerMessage {
        user: user.into(),
        token: token_of(pairs)?,
    })
}

/// Reads a GS2 header and pairs of keys and values (7628-3.1-a); keys that are not known are
/// ignored (7628-3.1-b).
fn oauthbearer(message: &str) -> Option<BearerMessage<'_>> {
    let (header, pairs) = message.strip_suffix("\x01\x01")?.split_once('\x01')?;
    // RFC 5801 4: without channel binding, and maybe with an identity, "=" and "," escaped.
    let identity = header
        .strip_prefix("n,")
        .or_else(|| header.strip_prefix("y,"))?
        .strip_suffix(',')?;
    let user = match identity {
        "" => Cow::Borrowed(""),
        _ => Cow::Owned(unescape(identity.strip_prefix("a=")?)?),
    };
    Some(BearerMessage {
        user,
        token: token_of(pairs)?,
    })
}

/// Undoes `=2C` and `=3D`, besides which neither `=` nor `,` may be (RFC 5801 4).
fn unescape(identity: &str) -> Option<String> {
    let mut pieces = identity.split('=');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let (octet, rest) = match piece.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', piece.strip_prefix("3D")?),
        };
        text.push(octet);
        text.push_str(rest);
    }
    (!identity.contains(',')).then_some(text)
}

fn token_of(pairs: &str) -> Option<&str> {
    let (scheme, token) = value_of("auth", pairs)?.split_once(' ')?;
    // RFC 9110 11.1: schemes have no case.
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
}

fn value_of<'a>(key: &str, pairs: &'a str) -> Option<&'a str> {
    let mut pairs = pairs.split('\x01').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests;
