//! PLAIN: user name and password in one message (RFC 4616).

use alloc::{string::String, vec::Vec};
use core::str;

use super::{credential::Credential, mechanism::Mechanism, secret::Secret};

/// User name and password in one message (RFC 4616).
#[derive(Debug)]
pub struct Plain {
    acting_for: String,
    user: String,
    password: Secret<String>,
}

impl Plain {
    /// Takes a user name and a password. Neither may hold NUL: the server would reject it.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            acting_for: String::new(),
            user: user.into(),
            password: Secret::new(password.into()),
        }
    }

    /// Acts for another user than the one who proves who he is.
    #[must_use]
    pub fn acting_for(mut self, user: impl Into<String>) -> Self {
        self.acting_for = user.into();
        self
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self {
            acting_for,
            user,
            password,
        } = self;
        // In one piece: what grows leaves copies behind.
        Some(
            [acting_for, "\0", user, "\0", &**password]
                .concat()
                .into_bytes(),
        )
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.initial_response()
    }
}

/// Reads what a client sends (4616-2-a): two NULs, and neither user nor password empty (4616-2-b).
pub(super) fn read(message: &[u8]) -> Option<Credential<'_>> {
    let mut parts = str::from_utf8(message).ok()?.split('\0');
    let credential = Credential::Password {
        acting_for: parts.next()?,
        user: parts.next().filter(|user| !user.is_empty())?,
        password: parts.next().filter(|password| !password.is_empty())?,
    };
    parts.next().is_none().then_some(credential)
}
