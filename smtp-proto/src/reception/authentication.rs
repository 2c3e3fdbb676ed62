//! An authentication that is under way.

use alloc::{string::String, sync::Arc};

use zeroize::Zeroizing;

use super::session::Identity;
use super::verdict::Refusal;
use crate::sasl::{Channel, Credential, ServerExchange, Step, Turn, invalid_credentials};
#[cfg(feature = "scram")]
use crate::sasl::{Nonce, ScramHash, ScramKeys};
use crate::server::SaslResponse;
use crate::server::replies::{local_error, mechanism_unknown};

/// Holds an exchange from AUTH to its end.
#[derive(Debug)]
pub(super) struct Authentication {
    /// Tells it from earlier ones, whose answers may come late.
    number: u64,
    mechanism: Arc<str>,
    /// What the client said at once.
    initial: Option<SaslResponse>,
    exchange: Exchange,
    /// Who the client is, if the exchange comes to a good end.
    identity: Option<Identity>,
    user: String,
}

#[derive(Debug)]
enum Exchange {
    /// Whose it is, is not known yet.
    Unknown,
    Own,
    BuiltIn(ServerExchange),
}

/// Says what is to be done next.
pub(super) enum Next {
    /// The client is told so.
    Step(Step),
    /// The application is asked how its exchange goes on.
    Response(Option<SaslResponse>),
    /// The application is asked whether this is right.
    Credential(Claim),
    #[cfg(feature = "scram")]
    Keys { user: String, hash: ScramHash },
}

impl Authentication {
    pub(super) fn new(number: u64, mechanism: Arc<str>, initial: Option<SaslResponse>) -> Self {
        Self {
            number,
            mechanism,
            initial,
            exchange: Exchange::Unknown,
            identity: None,
            user: String::new(),
        }
    }

    pub(super) fn is(&self, number: u64) -> bool {
        self.number == number
    }

    /// Begins the exchange, as the application says.
    pub(super) fn begin(&mut self, is_own: bool, channel: &Channel<'_>) -> Next {
        let initial = self.initial.take();
        if is_own {
            self.exchange = Exchange::Own;
            return Next::Response(initial);
        }
        match ServerExchange::begin(&self.mechanism, channel) {
            Some(exchange) => {
                self.exchange = Exchange::BuiltIn(exchange);
                self.respond(initial)
            }
            None => Next::Step(Step::Reject(mechanism_unknown())),
        }
    }

    /// Goes on with what the client says.
    pub(super) fn respond(&mut self, response: Option<SaslResponse>) -> Next {
        let exchange = match &mut self.exchange {
            Exchange::BuiltIn(exchange) => exchange,
            Exchange::Own => return Next::Response(response),
            Exchange::Unknown => return Next::Step(Step::Reject(local_error())),
        };
        match exchange.respond(response.as_ref().map(SaslResponse::as_bytes)) {
            Turn::Step(step) => Next::Step(step),
            Turn::Check(credential) => {
                let claim = Claim::new(credential);
                self.user.clone_from(&claim.user);
                Next::Credential(claim)
            }
            #[cfg(feature = "scram")]
            Turn::Keys { user, hash } => Next::Keys {
                user: user.into(),
                hash,
            },
        }
    }

    /// Takes the application's verdict over a claim.
    pub(super) fn decide(&mut self, verdict: Result<Identity, Refusal>) -> Step {
        let Exchange::BuiltIn(exchange) = &mut self.exchange else {
            return Step::Reject(local_error());
        };
        match verdict {
            Ok(identity) => {
                let step = exchange.decide(Ok(identity.name.clone()));
                self.identity = Some(identity.proven(&self.user, &self.mechanism));
                step
            }
            Err(refusal) => {
                let reply = refusal.reply().cloned();
                exchange.decide(Err(reply.unwrap_or_else(invalid_credentials)))
            }
        }
    }

    /// Takes the keys that were asked for.
    #[cfg(feature = "scram")]
    pub(super) fn keys(&mut self, found: FoundKeys) -> Step {
        match &mut self.exchange {
            Exchange::BuiltIn(exchange) => exchange.keys(found.keys, &found.nonce, found.secret),
            Exchange::Unknown | Exchange::Own => Step::Reject(local_error()),
        }
    }

    /// Returns who the client is, that goes under this name now.
    pub(super) fn identity(self, name: String) -> Identity {
        match self.identity {
            Some(identity) if identity.name == name => identity,
            _ => Identity::from(name).proven("", &self.mechanism),
        }
    }
}

/// Holds what SCRAM goes on with.
#[cfg(feature = "scram")]
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundKeys {
    keys: Option<ScramKeys>,
    nonce: Nonce,
    secret: &'static [u8],
}

#[cfg(feature = "scram")]
impl FoundKeys {
    /// Goes on with a user's keys, if there is such a user; with a nonce, which must be new each
    /// time; and with a secret of the process's, for [`ScramKeys::decoy`].
    pub fn new(keys: Option<ScramKeys>, nonce: Nonce, secret: &'static [u8]) -> Self {
        Self {
            keys,
            nonce,
            secret,
        }
    }
}

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
    fn new(credential: Credential<'_>) -> Self {
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
