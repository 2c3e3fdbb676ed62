//! Who a client is: the exchanges of the built-in mechanisms and of a handler's own.

use std::pin::Pin;

use smtp_proto::{
    sasl::{ServerExchange, Step, Turn},
    server::SaslResponse,
};

use super::handler::{Handler, local_error};
use crate::TlsInfo;
#[cfg(feature = "scram")]
use crate::entropy::nonce_and_secret;

/// Takes a server's part in one exchange of a mechanism that is not built in.
pub trait Exchange: Send {
    /// Goes on with what the client says: first with the initial response, if it sent one, then
    /// with its answer to each challenge. Neither is encoded.
    fn respond<'a>(
        &'a mut self,
        response: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Step> + Send + 'a>>;
}

/// An exchange that is under way.
pub(super) enum Authentication {
    BuiltIn(ServerExchange),
    Other(Box<dyn Exchange>),
}

impl Authentication {
    /// Begins an exchange, unless neither the handler nor anything here knows the mechanism.
    pub(super) fn begin<H: Handler>(handler: &H, state: &H::Session, name: &str) -> Option<Self> {
        match handler.exchange(state, name) {
            Some(exchange) => Some(Self::Other(exchange)),
            None => ServerExchange::begin(name).map(Self::BuiltIn),
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
