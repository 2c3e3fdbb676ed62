//! The server's part in SCRAM.

use alloc::{format, string::String, vec::Vec};
use core::str;

use subtle::ConstantTimeEq;

use super::{
    super::{
        channel::Channel,
        gs2::{self, Flag},
        secret::Secret,
    },
    hash::{ScramHash, xor},
    keys::ScramKeys,
    message::Attributes,
    nonce::{Nonce, is_nonce},
    prepare::prepare,
};
use crate::syntax::base64;

/// The client has chosen the mechanism.
pub(in super::super) struct Opening {
    hash: ScramHash,
    binding: Binding,
}

/// What a client may say of the channel (RFC 5802 6).
enum Binding {
    /// It has to bind it, as this.
    Required(Secret<[u8; 32]>),
    /// It could have bound it: who says that the server cannot was told so by somebody in between.
    Declined,
    /// It cannot bind it.
    Impossible,
}

/// The client has said who it is.
pub(in super::super) struct WithoutKeys {
    hash: ScramHash,
    /// The header, and what is bound.
    binding_input: Secret<Vec<u8>>,
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

impl Opening {
    /// Begins by the mechanism of this name, if it is one of these, and binds only what can be bound.
    pub(in super::super) fn new(mechanism: &str, channel: &Channel<'_>) -> Option<Self> {
        let is = |name: &str| mechanism.eq_ignore_ascii_case(name);
        [ScramHash::Sha256, ScramHash::Sha1]
            .into_iter()
            .find_map(|hash| {
                let exporter = channel
                    .binding()
                    .filter(|_| channel.offers(hash.binding_mechanism()));
                let binding = match exporter {
                    Some(exporter) if is(hash.binding_mechanism()) => {
                        Binding::Required(Secret::new(*exporter))
                    }
                    Some(_) if is(hash.mechanism()) => Binding::Declined,
                    None if is(hash.mechanism()) => Binding::Impossible,
                    _ => return None,
                };
                Some(Self { hash, binding })
            })
    }

    /// Reads the client's first message: the user, whom he wants to act for, and the rest.
    pub(in super::super) fn read(self, message: &[u8]) -> Option<(String, String, WithoutKeys)> {
        let message = str::from_utf8(message).ok()?;
        let (header, bare) = gs2::read(message)?;
        let header_text = message.strip_suffix(bare)?;
        let exporter: &[u8] = match (&self.binding, header.flag) {
            (Binding::Required(exporter), Flag::Exporter) => &**exporter,
            (Binding::Declined | Binding::Impossible, Flag::Unable)
            | (Binding::Impossible, Flag::NotOffered) => &[],
            // AUT-13: what was offered is bound, and is not said to be missing.
            _ => return None,
        };
        let mut attributes = Attributes::of(bare)?;
        let user = gs2::unescape(attributes.next('n')?)?;
        let user = prepare(&user).ok()?.into_owned();
        let nonce = attributes.next('r').filter(|nonce| is_nonce(nonce))?;
        let exchange = WithoutKeys {
            hash: self.hash,
            binding_input: Secret::new([header_text.as_bytes(), exporter].concat()),
            client_first_bare: bare.into(),
            client_nonce: nonce.into(),
        };
        Some((user, header.acting_for.into_owned(), exchange))
    }
}

impl WithoutKeys {
    pub(in super::super) fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Returns the server's first message.
    pub(in super::super) fn challenge(self, keys: ScramKeys, nonce: &Nonce) -> (Vec<u8>, WithKeys) {
        let nonce = format!("{}{}", self.client_nonce, nonce.as_str());
        let salt = base64::encode(keys.salt());
        let server_first = format!("r={nonce},s={},i={}", *salt, keys.iterations());
        let bound = base64::encode(&self.binding_input);
        let exchange = WithKeys {
            keys,
            client_final_beginning: format!("c={},r={nonce}", *bound),
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
        // 5802-5.1-c, 5802-5.1-d: the same nonce, the same header that came first, and this channel.
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
