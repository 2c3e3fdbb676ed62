//! An authentication that is under way.

use alloc::{string::String, sync::Arc};

use super::call::Answer;
use super::claim::Claim;
#[cfg(feature = "scram")]
use super::found_keys::FoundKeys;
use super::session::Identity;
use super::state::State;
use super::verdict::Refusal;
#[cfg(feature = "scram")]
use crate::sasl::ScramHash;
use crate::sasl::{Channel, ServerExchange, Step, Turn, invalid_credentials};
use crate::server::SaslResponse;
use crate::server::replies::{local_error, mechanism_unknown};

/// Holds the exchange that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Authentications {
    current: Option<Authentication>,
    /// How many were begun: tells this one from earlier ones, whose answers may come late.
    count: u64,
}

/// Holds an exchange from AUTH to its end.
#[derive(Debug)]
struct Authentication {
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
    /// The client is turned down.
    Refuse(Refusal),
    /// The application is asked how its exchange goes on.
    Response(Option<SaslResponse>),
    /// The application is asked whether this is right.
    Credential(Claim),
    #[cfg(feature = "scram")]
    Keys { user: String, hash: ScramHash },
}

impl Authentications {
    /// Returns the number of the exchange that was begun last.
    pub(super) fn number(&self) -> u64 {
        self.count
    }

    /// Takes AUTH.
    pub(super) fn begin(&mut self, mechanism: Arc<str>, initial: Option<SaslResponse>) {
        self.count = self.count.saturating_add(1);
        self.current = Some(Authentication {
            mechanism,
            initial,
            exchange: Exchange::Unknown,
            identity: None,
            user: String::new(),
        });
    }

    /// Goes on with what the client says.
    pub(super) fn respond(&mut self, response: SaslResponse) -> Next {
        match &mut self.current {
            Some(authentication) => authentication.respond(Some(response)),
            None => Next::Refuse(Refusal::local_error()),
        }
    }

    /// Goes on with what the application says about an exchange; nothing if that is over.
    pub(super) fn go_on<S: State>(
        &mut self,
        number: u64,
        answer: Answer<S>,
        channel: &Channel<'_>,
    ) -> Option<Next> {
        let authentication = self.current.as_mut().filter(|_| number == self.count)?;
        Some(match answer {
            Answer::Mechanism(Ok(is_own)) => authentication.begin(is_own, channel),
            Answer::Step(step) => Next::Step(step),
            Answer::Identity(verdict) => Next::Step(authentication.decide(verdict)),
            #[cfg(feature = "scram")]
            Answer::Keys(Ok(found)) => Next::Step(authentication.keys(found)),
            #[cfg(feature = "scram")]
            Answer::Keys(Err(refusal)) => Next::Refuse(refusal),
            Answer::Mechanism(Err(refusal)) => Next::Refuse(refusal),
            _ => Next::Refuse(Refusal::local_error()),
        })
    }

    /// Ends the exchange, and returns who the client is, that goes under this name now.
    pub(super) fn accept(&mut self, name: String) -> Option<Identity> {
        Some(match self.current.take()? {
            Authentication {
                identity: Some(identity),
                ..
            } if identity.name == name => identity,
            Authentication { mechanism, .. } => Identity::from(name).proven("", &mechanism),
        })
    }

    /// Ends the exchange, which came to no good end.
    pub(super) fn break_off(&mut self) {
        self.current = None;
    }
}

impl Authentication {
    /// Begins the exchange, as the application says.
    fn begin(&mut self, is_own: bool, channel: &Channel<'_>) -> Next {
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
    fn respond(&mut self, response: Option<SaslResponse>) -> Next {
        let exchange = match &mut self.exchange {
            Exchange::BuiltIn(exchange) => exchange,
            Exchange::Own => return Next::Response(response),
            Exchange::Unknown => return Next::Step(Step::Reject(local_error())),
        };
        match exchange.respond(response.as_ref().map(SaslResponse::as_bytes)) {
            Turn::Step(step) => Next::Step(step),
            Turn::Check(credential) => {
                let claim = Claim::new(credential);
                self.user = claim.user().into();
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
    fn decide(&mut self, verdict: Result<Identity, Refusal>) -> Step {
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
    fn keys(&mut self, found: FoundKeys) -> Step {
        match &mut self.exchange {
            Exchange::BuiltIn(exchange) => found.hand_to(exchange),
            Exchange::Unknown | Exchange::Own => Step::Reject(local_error()),
        }
    }
}
