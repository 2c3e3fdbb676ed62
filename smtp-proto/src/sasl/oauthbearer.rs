//! OAUTHBEARER: an OAuth 2 bearer token (RFC 7628).

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::str;

use super::{gs2, mechanism::Mechanism, secret::Secret, xoauth2::bearer};

/// What a client is told whose token is not right, before the reply (7628-3.2-a).
pub(super) const FAILURE: &[u8] = br#"{"status":"invalid_token"}"#;

/// An OAuth 2 bearer token (RFC 7628).
#[derive(Debug)]
pub struct OAuthBearer {
    user: String,
    host: String,
    port: Option<u16>,
    token: Secret<String>,
}

impl OAuthBearer {
    /// Takes a user name, empty if the token alone tells; the server's name and port as the client
    /// knows them, a port only where there is one; and a token.
    pub fn new(
        user: impl Into<String>,
        host: impl Into<String>,
        port: impl Into<Option<u16>>,
        token: impl Into<String>,
    ) -> Self {
        Self {
            user: user.into(),
            host: host.into(),
            port: port.into(),
            token: Secret::new(token.into()),
        }
    }
}

impl Mechanism for OAuthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self {
            user,
            host,
            port,
            token,
        } = self;
        let header = gs2::header(gs2::Flag::Unable, user);
        let port = port.map_or_else(String::new, |port| format!("\x01port={port}"));
        let begin = format!("{header}\x01host={host}{port}");
        // In one piece: what grows leaves copies behind.
        let message = [&*begin, "\x01auth=Bearer ", token, "\x01\x01"].concat();
        Some(message.into_bytes())
    }

    /// A challenge tells of a failure; one byte has the server say so (7628-3.2-a).
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        if challenge.is_empty() {
            self.initial_response()
        } else {
            Some(b"\x01".to_vec())
        }
    }
}

/// What a client sends.
pub(super) struct Message<'a> {
    pub(super) user: Cow<'a, str>,
    pub(super) token: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// Reads a GS2 header, `^A`, and keys with their values, each with a `^A` after it (7628-3.1-a).
/// Keys that are not known are ignored (7628-3.1-b); the others come once at most.
pub(super) fn read(message: &[u8]) -> Option<Message<'_>> {
    let (header, after) = gs2::read(str::from_utf8(message).ok()?)?;
    if header.flag == gs2::Flag::Exporter {
        return None; // nothing here could prove it
    }
    let pairs = after.strip_prefix('\x01')?.strip_suffix("\x01\x01")?;
    let (mut token, mut host, mut port) = (None, None, None);
    for pair in pairs.split('\x01') {
        let (key, value) = pair.split_once('=')?;
        let is_again = match key {
            "auth" => token.replace(bearer(value)?).is_some(),
            "host" => host.replace(value).is_some(),
            "port" => port.replace(value.parse().ok()?).is_some(),
            _ => false,
        };
        if is_again {
            return None;
        }
    }
    Some(Message {
        user: header.acting_for,
        token: token?,
        host,
        port,
    })
}
