//! What a server holds of a password.

use alloc::vec::Vec;

use super::{
    error::ScramError,
    hash::{Key, ScramHash},
    prepare::prepare,
};
use crate::{machine::limits, sasl::secret::Secret};

/// Holds what a server knows of a user's password: enough to check it, not enough to be the user,
/// unless the password is weak.
///
/// [`Debug`](core::fmt::Debug) does not show the keys, and their memory is overwritten in the end.
#[derive(Clone, Debug)]
pub struct ScramKeys {
    hash: ScramHash,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Key,
    server_key: Key,
}

impl ScramKeys {
    /// How many bytes the salt of a [decoy](Self::decoy) has, and of others should have.
    pub const SALT: usize = 16;

    /// Takes keys as they were stored.
    ///
    /// # Errors
    ///
    /// [`ScramError::Salt`], [`ScramError::Iterations`], [`ScramError::KeyLength`].
    pub fn new(
        hash: ScramHash,
        salt: &[u8],
        iterations: u32,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Result<Self, ScramError> {
        check(salt, iterations)?;
        if stored_key.len() != hash.length() || server_key.len() != hash.length() {
            return Err(ScramError::KeyLength);
        }
        Ok(Self {
            hash,
            salt: salt.into(),
            iterations,
            stored_key: Secret::new(stored_key.into()),
            server_key: Secret::new(server_key.into()),
        })
    }

    /// Makes the keys of a password, to be stored.
    ///
    /// The salt is to be drawn at random for each password, of [`SALT`](Self::SALT) bytes. The
    /// iterations make guessing slow, for the user's client as well, each time:
    /// [`limits::SCRAM_ITERATIONS`] unless you know better. This takes as long, so keep the result.
    ///
    /// ```
    /// # #[cfg(feature = "scram")] {
    /// use smtp_proto::{machine::limits, sasl::{ScramHash, ScramKeys}};
    ///
    /// let salt = *b"drawn by lottery"; // in earnest, from the system's source of entropy
    /// let iterations = limits::SCRAM_ITERATIONS;
    /// let keys = ScramKeys::from_password(ScramHash::Sha256, "pencil", &salt, iterations)?;
    /// assert_eq!(keys.stored_key().len(), 32);
    /// # }
    /// # Ok::<(), smtp_proto::sasl::ScramError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScramError::Characters`], [`ScramError::Salt`], [`ScramError::Iterations`].
    pub fn from_password(
        hash: ScramHash,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, ScramError> {
        check(salt, iterations)?;
        let password = Secret::new(prepare(password)?.into_owned());
        let (client_key, server_key) = derive(hash, &password, salt, iterations);
        Ok(Self {
            hash,
            salt: salt.into(),
            iterations,
            stored_key: hash.digest(&client_key),
            server_key,
        })
    }

    /// Makes keys that fit no password, for a user that does not exist.
    ///
    /// Who asks for a user again gets the same salt again, as for one that exists, as long as the
    /// secret is the same: so keep it, of 32 bytes at random, and give nobody else to know it. That
    /// the answers look alike also takes the same iterations and length of salt for all users.
    pub fn decoy(hash: ScramHash, user: &str, secret: &[u8], iterations: u32) -> Self {
        let made = |of: &str| {
            let key = hash.hmac(secret, of.as_bytes());
            hash.hmac(&key, user.as_bytes())
        };
        let mut salt = made("salt").to_vec();
        salt.truncate(Self::SALT);
        Self {
            hash,
            salt,
            iterations,
            stored_key: made("stored key"),
            server_key: made("server key"),
        }
    }

    /// Returns for which hash they are.
    pub fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Returns the salt of the password.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Returns the iteration count.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Returns the key by which the client's proof is checked.
    pub fn stored_key(&self) -> &[u8] {
        &self.stored_key
    }

    /// Returns the key by which the server proves itself.
    pub fn server_key(&self) -> &[u8] {
        &self.server_key
    }
}

/// Tells whether an iteration count is neither so low that it keeps nobody from guessing, nor so
/// high that it wears out the client (7677-4-a, RFC 5802 9).
pub(super) fn is_in_bounds(iterations: u32) -> bool {
    (limits::SCRAM_ITERATIONS_MINIMUM..=limits::SCRAM_ITERATIONS_MAXIMUM).contains(&iterations)
}

fn check(salt: &[u8], iterations: u32) -> Result<(), ScramError> {
    if salt.is_empty() {
        return Err(ScramError::Salt);
    }
    if !is_in_bounds(iterations) {
        return Err(ScramError::Iterations);
    }
    Ok(())
}

/// Returns `ClientKey` and `ServerKey` (RFC 5802 3).
pub(super) fn derive(hash: ScramHash, password: &str, salt: &[u8], iterations: u32) -> (Key, Key) {
    let salted = hash.salted_password(password, salt, iterations);
    (
        hash.hmac(&salted, b"Client Key"),
        hash.hmac(&salted, b"Server Key"),
    )
}
