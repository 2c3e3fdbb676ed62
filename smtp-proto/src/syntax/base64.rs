//! Base64 as AUTH uses it: RFC 4648 4, with padding, and nothing that does not belong (RFC 4954 4).

use alloc::vec::Vec;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Encodes octets.
pub(crate) fn encode(octets: &[u8]) -> Vec<u8> {
    STANDARD.encode(octets).into_bytes()
}

/// Decodes text, unless it holds any octet or padding that does not belong.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
