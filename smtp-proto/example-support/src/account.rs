//! Who can authenticate to `receive`.

use std::{fmt, hint::black_box};

use sha2::{Digest, Sha256};

/// One user, and what the user proves it by: a password, or a token that is just as secret.
#[derive(Clone)]
pub struct Account {
    user: String,
    /// Of the secret, so that comparing takes as long whatever is compared.
    digest: [u8; 32],
}

impl Account {
    /// Takes a user's name and secret.
    pub fn new(user: &str, secret: &str) -> Self {
        Self {
            user: user.to_owned(),
            digest: Sha256::digest(secret).into(),
        }
    }

    /// Returns the user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Tells whether somebody is that user. How long that takes does not tell how much was right.
    pub fn admits(&self, user: &str, secret: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let pairs = self.digest.iter().zip(digest);
        let difference = pairs.fold(0, |sum, (ours, theirs)| black_box(sum | (ours ^ theirs)));
        (difference == 0) & (user == self.user)
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
        let account = Account::new("ada", "secret");
        assert!(account.admits("ada", "secret"));
        assert!(!account.admits("ada", "Secret"));
        assert!(!account.admits("ada", ""));
        assert!(!account.admits("bob", "secret"));
        assert_eq!(format!("{account:?}"), "Account { user: \"ada\", .. }");
    }
}
