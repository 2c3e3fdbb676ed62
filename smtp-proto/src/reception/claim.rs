//! What a client says to prove who it is.

use alloc::string::String;

use zeroize::Zeroizing;

use crate::sasl::Credential;

/// Holds what a client says to prove who it is. Secrets in it are overwritten in the end.
pub struct Claim {
    kind: Kind,
    user: String,
    secret: Zeroizing<String>,
    acting_for: String,
    host: Option<String>,
    port: Option<u16>,
}

enum Kind {
    Password,
    Token,
    Proven,
    External,
}

impl Claim {
    pub(super) fn new(credential: Credential<'_>) -> Self {
        let (kind, user, secret) = match credential {
            Credential::Password { user, password, .. } => (Kind::Password, user, password),
            Credential::Token { user, token, .. } => (Kind::Token, user, token),
            Credential::Proven { user, .. } => (Kind::Proven, user, ""),
            Credential::External { .. } => (Kind::External, "", ""),
        };
        let (host, port) = match credential {
            Credential::Token { host, port, .. } => (host.map(Into::into), port),
            _ => (None, None),
        };
        Self {
            kind,
            user: user.into(),
            secret: Zeroizing::new(secret.into()),
            acting_for: credential.acting_for().into(),
            host,
            port,
        }
    }

    /// Returns who shows it; empty where the mechanism does not say.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Returns it as the mechanism brought it.
    pub fn credential(&self) -> Credential<'_> {
        let (user, secret, acting_for) = (&*self.user, &**self.secret, &*self.acting_for);
        match self.kind {
            Kind::Password => Credential::Password {
                user,
                password: secret,
                acting_for,
            },
            Kind::Token => Credential::Token {
                user,
                token: secret,
                host: self.host.as_deref(),
                port: self.port,
            },
            Kind::Proven => Credential::Proven { user, acting_for },
            Kind::External => Credential::External { acting_for },
        }
    }
}

/// Shows what [`Credential`] shows.
impl core::fmt::Debug for Claim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.credential().fmt(f)
    }
}
