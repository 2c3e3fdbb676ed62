//! XOAUTH2: an OAuth 2 bearer token, in the form of Google and Microsoft.

use alloc::{string::String, vec::Vec};
use core::str;

use super::{credential::Credential, mechanism::Mechanism, secret::Secret};

/// What a client is told whose token is not right, before the reply (XOAUTH2-b).
pub(super) const FAILURE: &[u8] = br#"{"status":"401","schemes":"bearer"}"#;

/// An OAuth 2 bearer token, in the form of Google and Microsoft.
#[derive(Debug)]
pub struct XOAuth2 {
    user: String,
    token: Secret<String>,
}

impl XOAuth2 {
    /// Takes a user name and an access token.
    pub fn new(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            token: Secret::new(token.into()),
        }
    }
}

impl Mechanism for XOAuth2 {
    fn name(&self) -> &str {
        "XOAUTH2"
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self { user, token } = self;
        // In one piece: what grows leaves copies behind.
        let message = ["user=", user, "\x01auth=Bearer ", token, "\x01\x01"].concat();
        Some(message.into_bytes())
    }

    /// A challenge tells of a failure; an empty line has the server say so (XOAUTH2-b).
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        if challenge.is_empty() {
            self.initial_response()
        } else {
            Some(Vec::new())
        }
    }
}

/// Reads `user=` user `^A` `auth=Bearer ` token `^A^A` (XOAUTH2-a).
pub(super) fn read(message: &[u8]) -> Option<Credential<'_>> {
    let fields = str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let (user, auth) = fields.split_once('\x01')?;
    Some(Credential::Token {
        user: user.strip_prefix("user=").filter(|user| !user.is_empty())?,
        token: bearer(auth.strip_prefix("auth=")?)?,
        host: None,
        port: None,
    })
}

/// Reads `Bearer ` token, the scheme in any case (RFC 9110 11.1).
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let is_token = !token.is_empty() && !token.contains('\x01');
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}
