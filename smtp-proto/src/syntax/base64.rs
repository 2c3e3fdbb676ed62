//! Base64 as AUTH uses it: RFC 4648 4, with padding, and nothing that does not belong (RFC 4954 4).

use alloc::{string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Encodes bytes.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    STANDARD.encode(bytes).into()
}

/// Decodes text, unless it holds any byte or padding that does not belong. White space at its end, as at
/// that of a command's line (RFC 5321 4.1.1), is dropped.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_ascii_end();
    STANDARD.decode(text).ok().map(Zeroizing::new)
}
