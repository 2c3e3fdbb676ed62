//! Who can listen.

use std::{sync::Arc, task::Context, time::Duration};

use smtp_proto::server::{Ticket, replies::tls_unavailable};

use super::{
    super::{answered::Subject, envelope::Client, handler::Handler},
    Dispatch, Session,
};
use crate::TlsInfo;

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
            self.give(ticket, tls_unavailable().into());
        }
    }

    /// Takes note that TLS is there. Who the client was in clear is forgotten (3207-4.2-a).
    pub(in super::super) fn secured(&mut self, info: Option<TlsInfo>, now: Duration) {
        let established = info.clone().unwrap_or_default();
        self.client = Client {
            identity: None,
            tls: info.map(Arc::new),
        };
        #[cfg(feature = "auth")]
        {
            self.authentication = None;
        }
        // It can only fail if no handshake was due.
        let _ = self.machine.tls_established(established, now);
    }
}
