//! Who a client is: the exchanges of the built-in mechanisms and of a handler's own.

use smtp_proto::{
    sasl::{Channel, ServerExchange, Step, Turn},
    server::{SaslResponse, Ticket, replies::local_error},
};

use super::{exchange::Exchange, guard::Task, handler::Handler};
use crate::TlsInfo;
#[cfg(feature = "scram")]
use crate::entropy::nonce_and_secret;

/// An exchange that is under way.
pub(super) enum Authentication {
    BuiltIn(ServerExchange),
    Other(Box<dyn Exchange>),
}

/// An exchange that the handler has the next word in.
pub(super) struct Authenticating {
    pub(super) ticket: Ticket,
    pub(super) next: Task<Option<(Authentication, Step)>>,
}

impl Authentication {
    /// Begins an exchange, unless neither the handler nor anything here knows the mechanism.
    pub(super) fn begin<H: Handler>(
        handler: &H,
        state: &H::Session,
        name: &str,
        channel: &Channel<'_>,
    ) -> Option<Self> {
        match handler.exchange(state, name) {
            Some(exchange) => Some(Self::Other(exchange)),
            None => ServerExchange::begin(name, channel).map(Self::BuiltIn),
        }
    }

    /// Goes on with what the client says, if it says anything.
    pub(super) async fn advance<H: Handler>(
        &mut self,
        handler: &H,
        state: &H::Session,
        tls: Option<&TlsInfo>,
        response: Option<SaslResponse>,
    ) -> Step {
        let response = response.as_ref().map(SaslResponse::as_bytes);
        let exchange = match self {
            Self::BuiltIn(exchange) => exchange,
            Self::Other(exchange) => return exchange.respond(response).await,
        };
        match exchange.respond(response) {
            Turn::Step(step) => step,
            Turn::Check(credential) => {
                let verdict = handler.authenticate(state, credential, tls).await;
                exchange.decide(verdict)
            }
            #[cfg(feature = "scram")]
            Turn::Keys { user, hash } => {
                let found = handler.scram_keys(state, user, hash).await;
                match (found, nonce_and_secret()) {
                    (Ok(keys), Ok((nonce, secret))) => exchange.keys(keys, &nonce, secret),
                    (Err(reply), _) => Step::Reject(reply),
                    (Ok(_), Err(_)) => Step::Reject(local_error()),
                }
            }
            _ => Step::Reject(local_error()),
        }
    }
}
