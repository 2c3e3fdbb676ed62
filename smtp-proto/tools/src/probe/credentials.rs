//! Who authenticates, and by what.

use std::{fmt, io};

use smtp_proto::sasl::{Mechanism, by_scram_or_password};
use smtp_proto_blocking::client::nonce;

use super::options::Options;
use crate::arguments::read_secret;

/// A user's name and password.
pub(super) struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Reads the password, if there is to be a login.
    pub(super) fn read(options: &Options) -> io::Result<Option<Self>> {
        let (Some(user), Some(file)) = (&options.user, &options.password_file) else {
            return Ok(None);
        };
        Ok(Some(Self {
            user: user.clone(),
            password: read_secret(file)?,
        }))
    }

    /// Returns what a password is good for, the best first, for one exchange.
    pub(super) fn mechanisms(&self) -> io::Result<Vec<Box<dyn Mechanism>>> {
        let nonce = nonce()?;
        Ok(by_scram_or_password(&self.user, &self.password, nonce))
    }
}

/// Shows no password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
