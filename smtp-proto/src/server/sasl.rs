//! What AUTH carries: mechanisms and responses (RFC 4954, RFC 4422).

use alloc::vec::Vec;
use core::fmt;

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

/// Appends a challenge in base64.
#[cfg(feature = "auth")]
pub(super) fn encode(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(crate::syntax::base64::encode(challenge).as_bytes());
}

#[cfg(not(feature = "auth"))]
pub(super) fn encode(_: &[u8], _: &mut Vec<u8>) {}

/// Tells whether a mechanism may be used in clear, as whoever listens learns no credential from it.
pub(super) fn is_safe_in_clear(mechanism: &str) -> bool {
    let begins = |with: &str| {
        let beginning = mechanism.get(..with.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    [
        "SCRAM-",
        "GS2-",
        "GSSAPI",
        "CRAM-MD5",
        "DIGEST-MD5",
        "EXTERNAL",
    ]
    .into_iter()
    .any(begins)
}

/// Tells whether a line is AUTH, which may bring a credential.
pub(super) fn is_auth(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"))
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
