//! The functions that SCRAM is made of (RFC 5802 2.2).

use alloc::{vec, vec::Vec};

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::super::secret::Secret;

/// Names the hash that a SCRAM mechanism uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802): for servers that have nothing better.
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// A key, or what is made of one.
pub(super) type Key = Secret<Vec<u8>>;

impl ScramHash {
    /// Returns the name of the mechanism that binds no channel.
    pub const fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// Returns the name of the mechanism that binds the channel.
    pub const fn binding_mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1-PLUS",
            Self::Sha256 => "SCRAM-SHA-256-PLUS",
        }
    }

    /// Returns how many bytes the hash, and each key, has.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// `H(text)`
    pub(super) fn digest(self, text: &[u8]) -> Key {
        Secret::new(match self {
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
        })
    }

    /// `HMAC(key, text)`
    pub(super) fn hmac(self, key: &[u8], text: &[u8]) -> Key {
        match self {
            Self::Sha1 => hmac::<Sha1>(key, text),
            Self::Sha256 => hmac::<Sha256>(key, text),
        }
    }

    /// `Hi(password, salt, iterations)`
    pub(super) fn salted_password(self, password: &str, salt: &[u8], iterations: u32) -> Key {
        match self {
            Self::Sha1 => salted_password::<Sha1>(password, salt, iterations, self.length()),
            Self::Sha256 => salted_password::<Sha256>(password, salt, iterations, self.length()),
        }
    }
}

/// `left XOR right`
pub(super) fn xor(left: &[u8], right: &[u8]) -> Key {
    Secret::new(
        left.iter()
            .zip(right)
            .map(|(one, other)| one ^ other)
            .collect(),
    )
}

#[expect(clippy::expect_used, reason = "RFC 2104 2: keys are of any length")]
fn hmac<D: EagerHash>(key: &[u8], text: &[u8]) -> Key {
    let mac = Hmac::<D>::new_from_slice(key).expect("a key of any length");
    Secret::new(mac.chain_update(text).finalize().into_bytes().to_vec())
}

#[expect(clippy::expect_used, reason = "RFC 2104 2: keys are of any length")]
fn salted_password<D: EagerHash>(
    password: &str,
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Key {
    let mut salted = vec![0; length];
    pbkdf2::pbkdf2::<Hmac<D>>(password.as_bytes(), salt, iterations, &mut salted)
        .expect("a key of any length");
    Secret::new(salted)
}
