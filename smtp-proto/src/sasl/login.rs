//! LOGIN: user name and password, each when the server asks: not registered, but wide-spread.

use alloc::{string::String, vec::Vec};
use core::str;

use super::{credential::Credential, mechanism::Mechanism, secret::Secret};

/// What the server asks for first (LOGIN-a).
pub(super) const USER: &[u8] = b"Username:";
/// What it asks for then.
pub(super) const PASSWORD: &[u8] = b"Password:";

/// User name and password, each when the server asks: not registered, but wide-spread.
#[derive(Debug)]
pub struct Login {
    user: String,
    password: Secret<String>,
    answered: u8,
}

impl Login {
    /// Takes a user name and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: Secret::new(password.into()),
            answered: 0,
        }
    }
}

impl Mechanism for Login {
    fn name(&self) -> &str {
        "LOGIN"
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.answered = 0;
        None
    }

    /// What the prompts say is of no account (LOGIN-b): there are servers that ask in plain text, or
    /// with nothing.
    fn reads_challenges(&self) -> bool {
        false
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.answered = self.answered.saturating_add(1);
        match self.answered {
            1 => Some(self.user.clone().into_bytes()),
            2 => Some(self.password.as_bytes().to_vec()),
            _ => None,
        }
    }
}

/// Reads the two answers of a client, the first of which was read as text already.
pub(super) fn read<'a>(user: &'a str, password: &'a [u8]) -> Option<Credential<'a>> {
    let password = str::from_utf8(password).ok()?;
    let is_complete = !user.is_empty() && !password.is_empty();
    is_complete.then_some(Credential::Password {
        user,
        password,
        acting_for: "",
    })
}
