//! Who can authenticate to `receive`.

use std::{error::Error, fmt, hint::black_box};

use sha2::{Digest, Sha256};
use smtp_proto::{
    machine::limits,
    sasl::{Credential, ScramHash, ScramKeys},
};

/// One user, and what the user proves it by: a password, or a token that is just as secret.
#[derive(Clone)]
pub struct Account {
    user: String,
    /// Of the secret, so that comparing takes as long whatever is compared.
    digest: [u8; 32],
    /// Of the secret, for SCRAM-SHA-256.
    keys: ScramKeys,
}

impl Account {
    /// Takes a user's name and secret.
    ///
    /// # Errors
    ///
    /// Fails if the secret cannot be one of SCRAM's, or if the system has no entropy to give.
    pub fn new(user: &str, secret: &str) -> Result<Self, Box<dyn Error>> {
        let mut salt = [0; ScramKeys::SALT];
        getrandom::fill(&mut salt)?;
        let (hash, iterations) = (ScramHash::Sha256, limits::SCRAM_ITERATIONS);
        Ok(Self {
            user: user.to_owned(),
            digest: Sha256::digest(secret).into(),
            keys: ScramKeys::from_password(hash, secret, &salt, iterations)?,
        })
    }

    /// Returns the keys of the user, if it is this one and they are of this hash.
    pub fn scram_keys(&self, user: &str, hash: ScramHash) -> Option<ScramKeys> {
        (user == self.user && hash == self.keys.hash()).then(|| self.keys.clone())
    }

    /// Returns the user's name if somebody is that user, and acts for nobody else.
    pub fn admit(&self, credential: Credential<'_>) -> Option<String> {
        let (user, is_proven) = match credential {
            Credential::Password { user, password, .. } => (user, self.has(password)),
            // The token alone may tell.
            Credential::Token {
                user: "", token, ..
            } => (&*self.user, self.has(token)),
            Credential::Token { user, token, .. } => (user, self.has(token)),
            Credential::Proven { user, .. } => (user, true),
            _ => ("", false),
        };
        let acting_for = credential.acting_for();
        let acts_for_himself = acting_for.is_empty() || acting_for == user;
        (is_proven & (user == self.user) & acts_for_himself).then(|| self.user.clone())
    }

    /// Tells whether that is the secret. How long it takes does not tell how much was right.
    fn has(&self, secret: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let pairs = self.digest.iter().zip(digest);
        pairs.fold(0, |sum, (ours, theirs)| black_box(sum | (ours ^ theirs))) == 0
    }
}

/// Shows no secret.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_secret_must_both_be_right() {
        let account = Account::new("ada", "secret").unwrap();
        let admits = |user, password, acting_for| {
            let credential = Credential::Password {
                user,
                password,
                acting_for,
            };
            account.admit(credential).is_some()
        };
        assert!(admits("ada", "secret", ""));
        assert!(admits("ada", "secret", "ada"));
        assert!(!admits("ada", "Secret", ""));
        assert!(!admits("ada", "", ""));
        assert!(!admits("bob", "secret", ""));
        assert!(!admits("ada", "secret", "bob"));
        assert_eq!(format!("{account:?}"), "Account { user: \"ada\", .. }");
    }

    #[test]
    fn a_token_may_tell_the_user() {
        let account = Account::new("ada", "secret").unwrap();
        let admits = |user, token| {
            let (host, port) = (None, None);
            let credential = Credential::Token {
                user,
                token,
                host,
                port,
            };
            account.admit(credential).is_some()
        };
        assert!(admits("", "secret") && admits("ada", "secret"));
        assert!(!admits("", "wrong") && !admits("bob", "secret"));
    }

    #[test]
    fn keys_are_those_of_the_user() {
        let account = Account::new("ada", "secret").unwrap();
        assert!(account.scram_keys("ada", ScramHash::Sha256).is_some());
        assert!(account.scram_keys("ada", ScramHash::Sha1).is_none());
        assert!(account.scram_keys("bob", ScramHash::Sha256).is_none());
        let (user, acting_for) = ("ada", "");
        let proven = Credential::Proven { user, acting_for };
        assert!(account.admit(proven).is_some());
    }
}
