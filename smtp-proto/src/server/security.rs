//! Whether bytes go through TLS, who the client is known to be, and what may be shown of what it said.

use alloc::vec::Vec;
use core::fmt;

/// Knows what protects the session, and whether the client has proved who it is.
#[derive(Debug)]
pub(super) struct Security {
    channel: Channel,
    authentication: Authentication,
    /// A proxy speaks for the client, and has said by XCLIENT who it is.
    is_spoken_for: bool,
}

/// Whether bytes go through TLS.
#[derive(Debug)]
enum Channel {
    Clear,
    /// STARTTLS came: the client must not send anything before the verdict.
    Asked,
    /// The handshake is due once that many bytes of the session are written, of which those after
    /// `kept` ask for it.
    Starting {
        kept: u64,
        end: u64,
    },
    Encrypted,
}

/// Whether the client has proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authentication {
    Missing,
    /// The next line is a response.
    Exchange,
    Done,
}

impl Security {
    /// Begins in clear, or with a handshake before anything else.
    pub(super) fn new(begins_with_handshake: bool) -> Self {
        Self {
            channel: match begins_with_handshake {
                true => Channel::Starting { kept: 0, end: 0 },
                false => Channel::Clear,
            },
            authentication: Authentication::Missing,
            is_spoken_for: false,
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Encrypted)
    }

    /// Returns whether the client may send bytes: neither is STARTTLS undecided nor the handshake due.
    pub(super) fn takes_bytes(&self) -> bool {
        matches!(self.channel, Channel::Clear | Channel::Encrypted)
    }

    /// Takes note of STARTTLS.
    pub(super) fn tls_asked(&mut self) {
        self.channel = Channel::Asked;
    }

    /// Takes note of the verdict over STARTTLS. Where it is positive, `length` bytes after those that
    /// are `queued` begin the handshake.
    pub(super) fn tls_decided(&mut self, is_positive: bool, queued: u64, length: usize) {
        self.channel = match is_positive {
            true => Channel::Starting {
                kept: queued,
                end: queued.saturating_add(length as u64),
            },
            false => Channel::Clear,
        };
    }

    /// Returns whether a handshake is coming.
    pub(super) fn is_starting(&self) -> bool {
        matches!(self.channel, Channel::Starting { .. })
    }

    /// Returns whether the bytes that come and go are the handshake's, when the transport has taken
    /// `sent`.
    pub(super) fn is_handshake(&self, sent: u64) -> bool {
        matches!(self.channel, Channel::Starting { end, .. } if sent >= end)
    }

    /// Returns how many bytes of the output stay if the handshake is not to begin after all.
    pub(super) fn before_handshake(&self) -> Option<u64> {
        match self.channel {
            Channel::Starting { kept, .. } => Some(kept),
            _ => None,
        }
    }

    /// Takes note that TLS is there. What was said in clear is forgotten (3207-4.2-a, X-15, X-17).
    pub(super) fn tls_established(&mut self) {
        self.channel = Channel::Encrypted;
        self.authentication = Authentication::Missing;
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.authentication == Authentication::Done
    }

    /// Returns whether the next line belongs to an authentication exchange.
    pub(super) fn is_in_exchange(&self) -> bool {
        self.authentication == Authentication::Exchange
    }

    /// Takes note that the client is challenged, or that it has responded.
    pub(super) fn challenged(&mut self, awaits_response: bool) {
        self.authentication = match awaits_response {
            true => Authentication::Exchange,
            false => Authentication::Missing,
        };
    }

    /// Takes note that the client has proved who it is.
    pub(super) fn authenticated(&mut self) {
        self.authentication = Authentication::Done;
    }

    /// Takes note that a proxy speaks for a client, which has authenticated itself or not, if that is
    /// said. That the proxy has done so is nothing to its client.
    pub(super) fn spoken_for(&mut self, login: Option<bool>) {
        let is_known = self.is_spoken_for && self.is_authenticated();
        self.is_spoken_for = true;
        self.authentication = match login.unwrap_or(is_known) {
            true => Authentication::Done,
            false => Authentication::Missing,
        };
    }

    /// Returns what an error may quote of bytes that came: no credentials (AUT-10).
    pub(super) fn quotable<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        match self.authentication {
            Authentication::Exchange => &[],
            _ => without_secret(
                input
                    .split_inclusive(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or(input),
            ),
        }
    }
}

/// The bytes of a response, overwritten in the end. Without the feature `auth` there are none.
#[cfg(feature = "auth")]
type Bytes = zeroize::Zeroizing<Vec<u8>>;
#[cfg(not(feature = "auth"))]
type Bytes = Vec<u8>;

/// Holds one response of a client that authenticates itself, decoded.
///
/// It is a credential: [`Debug`](fmt::Debug) shows nothing of it, and its memory is overwritten in
/// the end.
pub struct SaslResponse(Bytes);

impl SaslResponse {
    /// Decodes a response, unless it is not base64 to the letter (4954-4-m, 4954-4-o).
    #[cfg(feature = "auth")]
    pub(super) fn decode(text: &[u8]) -> Option<Self> {
        crate::syntax::base64::decode(text).map(Self)
    }

    #[cfg(not(feature = "auth"))]
    pub(super) fn decode(_: &[u8]) -> Option<Self> {
        None
    }

    /// Decodes an initial response, for which `=` says that it is empty (4954-4-k).
    pub(super) fn decode_initial(text: &str) -> Option<Self> {
        match text {
            "=" => Some(Self(Bytes::default())),
            _ => Self::decode(text.as_bytes()),
        }
    }

    /// Returns the bytes, of which the mechanism knows the meaning.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SaslResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaslResponse(***)")
    }
}

/// Appends a challenge in base64 (4954-4-e, 4954-4-f).
#[cfg(feature = "auth")]
pub(super) fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    out.extend_from_slice(crate::syntax::base64::encode(challenge).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(not(feature = "auth"))]
pub(super) fn write_challenge(_: &[u8], _: &mut Vec<u8>) {}

/// Returns a line as a trace may show it: of AUTH, that it is one.
pub(super) fn traceable(line: &[u8]) -> &[u8] {
    match is_auth(line) {
        true => b"AUTH ***",
        false => line,
    }
}

/// Returns a line up to where a credential may begin: of AUTH, the verb and the mechanism.
pub(super) fn without_secret(line: &[u8]) -> &[u8] {
    if !is_auth(line) {
        return line;
    }
    let is_end = |byte: &u8| !byte.is_ascii_graphic();
    let (verb, rest) = line.split_at_checked(5).unwrap_or((line, &[]));
    let mechanism = rest.iter().position(is_end).unwrap_or(rest.len());
    line.get(..verb.len().saturating_add(mechanism))
        .unwrap_or(verb)
}

/// Returns whether a line is AUTH, which may bring a credential.
fn is_auth(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"))
}
