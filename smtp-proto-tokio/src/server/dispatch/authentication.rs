//! Who the client is.

use std::task::{Context, Poll};

use smtp_proto::{
    sasl::Step,
    server::{SaslResponse, Ticket, replies::local_error},
};

use super::{
    super::{
        authentication::{Authenticating, Authentication},
        guard::Guard,
        handler::Handler,
        verdict::Verdict,
    },
    Dispatch, Session,
};

impl<H: Handler> Dispatch<H> {
    /// Has the handler go on with an exchange.
    pub(super) fn authenticate(
        &mut self,
        ticket: Ticket,
        mut exchange: Authentication,
        response: Option<SaslResponse>,
    ) {
        let Some(session) = self.session.clone() else {
            return;
        };
        let tls = self.client.tls.clone();
        let next = Guard::new(async move {
            let Session { handler, state } = &*session;
            let step = exchange.advance(&**handler, state, tls.as_deref(), response);
            let step = step.await;
            (exchange, step)
        });
        let next = Box::pin(next);
        self.authenticating = Some(Authenticating { ticket, next });
    }

    /// Moves on the exchange, and tells whether anything came of it.
    pub(super) fn poll_authentication(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Authenticating { next, .. }) = &mut self.authenticating else {
            return false;
        };
        let Poll::Ready(outcome) = next.as_mut().poll(cx) else {
            return false;
        };
        let Some(Authenticating { ticket, .. }) = self.authenticating.take() else {
            return false;
        };
        match outcome {
            Some((exchange, Step::Challenge(challenge))) => {
                if self.machine.challenge(ticket, &challenge).is_ok() {
                    self.authentication = Some(exchange);
                }
            }
            Some((_, Step::Accept(name))) => {
                if self.give(ticket, Verdict::Accept) {
                    self.client.identity = Some(name.into());
                }
            }
            Some((_, Step::Reject(reply))) if !reply.is_positive() => {
                self.give(ticket, reply.into());
            }
            // It panicked, or made a mistake.
            Some(_) | None => {
                self.give(ticket, local_error().into());
            }
        }
        true
    }
}
