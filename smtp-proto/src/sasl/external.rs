//! EXTERNAL: who the client is, is known by other means (RFC 4422 A).

use alloc::{string::String, vec::Vec};
use core::str;

use super::{credential::Credential, mechanism::Mechanism};

/// Who the client is, is known by other means, as by its TLS certificate (RFC 4422 A).
#[derive(Debug, Default)]
pub struct External {
    acting_for: String,
}

impl External {
    /// Acts for the user whom the other means show.
    pub fn new() -> Self {
        Self::default()
    }

    /// Acts for another user.
    #[must_use]
    pub fn acting_for(mut self, user: impl Into<String>) -> Self {
        self.acting_for = user.into();
        self
    }
}

impl Mechanism for External {
    fn name(&self) -> &str {
        "EXTERNAL"
    }

    /// What counts has been shown already, or is known otherwise.
    fn exposes_credential(&self) -> bool {
        false
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        Some(self.acting_for.clone().into_bytes())
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.initial_response()
    }
}

/// Reads what a client sends: whom it wants to act for, or nothing (4422-A-a).
pub(super) fn read(message: &[u8]) -> Option<Credential<'_>> {
    let acting_for = str::from_utf8(message).ok()?;
    // RFC 4422 A.1
    (!acting_for.contains('\0')).then_some(Credential::External { acting_for })
}
