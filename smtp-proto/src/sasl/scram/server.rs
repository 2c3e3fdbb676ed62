//! The server's part in SCRAM.

use alloc::{format, string::String, vec::Vec};
use core::str;

use subtle::ConstantTimeEq;

use super::{
    super::gs2,
    hash::{ScramHash, xor},
    keys::ScramKeys,
    message::Attributes,
    nonce::{Nonce, is_nonce},
    prepare::prepare,
};
use crate::syntax::base64;

/// The client has said who it is.
pub(in super::super) struct WithoutKeys {
    hash: ScramHash,
    header: String,
    client_first_bare: String,
    client_nonce: String,
}

/// The client has to prove it.
pub(in super::super) struct WithKeys {
    keys: ScramKeys,
    /// What the client's last message has to begin with.
    client_final_beginning: String,
    /// What both sides prove that they have seen, up to that message.
    auth_message: String,
}

impl WithoutKeys {
    /// Reads the client's first message: the user, whom he wants to act for, and the rest.
    pub(in super::super) fn read(
        hash: ScramHash,
        message: &[u8],
    ) -> Option<(String, String, Self)> {
        let message = str::from_utf8(message).ok()?;
        let (header, acting_for, bare) = gs2::read(message)?;
        let mut attributes = Attributes::of(bare)?;
        let user = gs2::unescape(attributes.next('n')?)?;
        let user = prepare(&user).ok()?.into_owned();
        let nonce = attributes.next('r').filter(|nonce| is_nonce(nonce))?;
        let exchange = Self {
            hash,
            header: header.into(),
            client_first_bare: bare.into(),
            client_nonce: nonce.into(),
        };
        Some((user, acting_for.into_owned(), exchange))
    }

    pub(in super::super) fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Returns the server's first message.
    pub(in super::super) fn challenge(self, keys: ScramKeys, nonce: &Nonce) -> (Vec<u8>, WithKeys) {
        let nonce = format!("{}{}", self.client_nonce, nonce.as_str());
        let salt = base64::encode(keys.salt());
        let server_first = format!("r={nonce},s={},i={}", *salt, keys.iterations());
        let header = base64::encode(self.header.as_bytes());
        let exchange = WithKeys {
            keys,
            client_final_beginning: format!("c={},r={nonce}", *header),
            auth_message: format!("{},{server_first},", self.client_first_bare),
        };
        (server_first.into_bytes(), exchange)
    }
}

impl WithKeys {
    /// Checks the client's last message, and returns the server's, which proves that it has the
    /// keys.
    pub(in super::super) fn verify(mut self, message: &[u8]) -> Option<Vec<u8>> {
        let message = str::from_utf8(message).ok()?;
        Attributes::of(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        // 5802-5.1-c, 5802-5.1-d: the same nonce, and the same header that came first.
        let extensions = without_proof.strip_prefix(&*self.client_final_beginning)?;
        if !extensions.is_empty() && !extensions.starts_with(',') {
            return None;
        }
        let proof = base64::decode(proof.as_bytes())?;
        self.auth_message.push_str(without_proof);
        let (keys, auth_message) = (&self.keys, self.auth_message.as_bytes());
        let hash = keys.hash();
        let client_signature = hash.hmac(keys.stored_key(), auth_message);
        let client_key = xor(&proof, &client_signature);
        // 5802-3-a: in constant time, as it is about a secret.
        let is_right = hash.digest(&client_key).ct_eq(keys.stored_key());
        if proof.len() != hash.length() || !bool::from(is_right) {
            return None;
        }
        let server_signature = hash.hmac(keys.server_key(), auth_message);
        let verifier = base64::encode(&server_signature);
        Some(format!("v={}", *verifier).into_bytes())
    }
}
