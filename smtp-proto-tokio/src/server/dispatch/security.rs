//! Who the client is, and who can listen.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use smtp_proto::server::{SaslResponse, Ticket};

use super::{
    super::{
        authentication::{Authentication, Step},
        guard::{Guard, Task},
        handler::{Client, Handler, Verdict, fixed, local_error},
    },
    Dispatch, Session, Subject,
};
use crate::TlsInfo;

/// An exchange that the handler has the next word in.
pub(super) struct Authenticating {
    ticket: Ticket,
    next: Task<Option<(Authentication, Step)>>,
}

impl<H: Handler> Dispatch<H> {
    pub(super) fn start_tls(
        &mut self,
        ticket: Ticket,
        session: Arc<Session<H>>,
        cx: &mut Context<'_>,
    ) {
        if self.has_tls {
            self.ask(cx, ticket, Subject::Command, async move {
                session.handler.start_tls(&session.state).await
            });
        } else {
            let reply = fixed(b"454 4.7.0 TLS not available, try again later\r\n");
            self.give(ticket, reply.into());
        }
    }

    /// Takes note that TLS is there. Who the client was in clear is forgotten (3207-4.2-a).
    pub(in super::super) fn secured(&mut self, info: Option<TlsInfo>, now: Duration) {
        self.client = Client {
            identity: None,
            tls: info.map(Arc::new),
        };
        self.authentication = None;
        // It can only fail if no handshake was due.
        let _ = self.machine.tls_established(now);
    }

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
