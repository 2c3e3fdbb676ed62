//! Who a client is: the exchanges of the built-in mechanisms and of a handler's own.

use smtp_proto::{
    sasl::{Channel, ServerExchange, Step, Turn},
    server::{SaslResponse, replies::local_error},
};

use super::{exchange::Exchange, handler::Handler, session::Session};
#[cfg(feature = "scram")]
use crate::entropy::nonce_and_secret;

/// An exchange that is under way.
pub(super) enum Authentication<'h> {
    BuiltIn(ServerExchange),
    Other(Box<dyn Exchange + 'h>),
}

impl<'h> Authentication<'h> {
    /// Begins an exchange, unless neither the handler nor anything here knows the mechanism.
    pub(super) fn begin<H: Handler>(
        handler: &'h H,
        session: &Session,
        mechanism: &str,
        channel: &Channel<'_>,
    ) -> Option<Self> {
        match handler.exchange(session, mechanism) {
            Some(exchange) => Some(Self::Other(exchange)),
            None => ServerExchange::begin(mechanism, channel).map(Self::BuiltIn),
        }
    }

    /// Goes on with what the client says, if it says anything.
    pub(super) fn advance<H: Handler>(
        &mut self,
        handler: &H,
        session: &Session,
        response: Option<SaslResponse>,
    ) -> Step {
        let response = response.as_ref().map(SaslResponse::as_bytes);
        let exchange = match self {
            Self::BuiltIn(exchange) => exchange,
            Self::Other(exchange) => return exchange.respond(response),
        };
        match exchange.respond(response) {
            Turn::Step(step) => step,
            Turn::Check(credential) => {
                let verdict = handler.authenticate(session, credential);
                exchange.decide(verdict)
            }
            #[cfg(feature = "scram")]
            Turn::Keys { user, hash } => {
                let found = handler.scram_keys(session, user, hash);
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
