//! Carries what a client did to the handler, and its verdicts back to the machine.

#[cfg(feature = "auth")]
mod authentication;
mod content;
mod deliver;
mod further;
mod security;
mod verdicts;

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(feature = "auth")]
use smtp_proto::server::replies::mechanism_unknown;
use smtp_proto::{
    server::{
        Event, Server, Ticket, TransactionId,
        replies::{local_error, shutting_down},
    },
    syntax::Reply,
};
use tokio::task::JoinSet;

#[cfg(feature = "auth")]
use super::authentication::{Authenticating, Authentication};
use super::{
    answered::{Answered, Subject},
    deliveries::Delivering,
    envelope::{Client, Recipient, Sender},
    guard::{Guard, Task},
    handler::Handler,
    intake::Intake,
    transaction::Transaction,
    verdict::Verdict,
};
use crate::Error;

/// A session on its way.
struct Beginning<S> {
    /// Answers the greeting, or XCLIENT.
    ticket: Ticket,
    session: Task<Result<S, Reply<'static>>>,
    /// Under which name the client goes by what a proxy says.
    login: Option<Arc<str>>,
}

/// A machine, and the handler's work for it.
pub(super) struct Dispatch<H: Handler> {
    pub(super) machine: Server,
    handler: Arc<H>,
    peer: Option<SocketAddr>,
    beginning: Option<Beginning<H::Session>>,
    session: Option<Arc<Session<H>>>,
    /// STARTTLS can be accepted.
    has_tls: bool,
    client: Client,
    /// An exchange whose next response is awaited.
    #[cfg(feature = "auth")]
    authentication: Option<Authentication>,
    #[cfg(feature = "auth")]
    authenticating: Option<Authenticating>,
    transaction: Option<Transaction>,
    intake: Option<Intake<H::Sink>>,
    /// Verdicts that are of no use without the connection.
    checks: JoinSet<Answered>,
    /// Verdicts over messages.
    commits: JoinSet<Answered>,
    delivering: Delivering,
    shutting_down: bool,
}

/// What the handler's futures share.
struct Session<H: Handler> {
    handler: Arc<H>,
    state: H::Session,
}

impl<H: Handler> Dispatch<H> {
    pub(super) fn new(
        machine: Server,
        handler: Arc<H>,
        peer: Option<SocketAddr>,
        has_tls: bool,
    ) -> Self {
        Self {
            machine,
            handler,
            peer,
            beginning: None,
            session: None,
            has_tls,
            client: Client::default(),
            #[cfg(feature = "auth")]
            authentication: None,
            #[cfg(feature = "auth")]
            authenticating: None,
            transaction: None,
            intake: None,
            checks: JoinSet::new(),
            commits: JoinSet::new(),
            delivering: Delivering::default(),
            shutting_down: false,
        }
    }

    /// Moves on whatever the handler is at, and tells whether anything came of it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = self.poll_beginning(cx);
        #[cfg(feature = "auth")]
        {
            any |= self.poll_authentication(cx);
        }
        any |= self.poll_verdicts(cx);
        any |= self.poll_intake(cx);
        self.shut_down_between_transactions();
        any
    }

    /// Tells whether a sink is so far after that nothing more can be taken from the client.
    pub(super) fn is_full(&self) -> bool {
        self.intake.as_ref().is_some_and(Intake::is_full)
    }

    /// Ends the session as soon as no transaction is under way.
    pub(super) fn shut_down(&mut self) {
        self.shutting_down = true;
        self.shut_down_between_transactions();
    }

    fn shut_down_between_transactions(&mut self) {
        if self.shutting_down && self.transaction.is_none() {
            self.shutting_down = false;
            // It may be ending already.
            let _ = self.machine.shut_down(shutting_down());
        }
    }

    /// Hands out one event.
    pub(super) fn handle(&mut self, event: Event<'_>, cx: &mut Context<'_>) {
        self.hand_out(event, cx);
        self.shut_down_between_transactions();
    }

    fn hand_out(&mut self, event: Event<'_>, cx: &mut Context<'_>) {
        if let Event::Connected { ticket } = event {
            let (handler, peer) = (Arc::clone(&self.handler), self.peer);
            let guard = Guard::new(async move { handler.connected(peer).await });
            let greeting = async { guard.await.unwrap_or_else(|| Err(local_error())) };
            self.beginning = Some(Beginning {
                ticket,
                session: Box::pin(greeting),
                login: None,
            });
            return;
        }
        // Without a session the greeting was refused, and the machine takes nothing but QUIT.
        let Some(session) = self.session.clone() else {
            return;
        };
        let Session { handler, state } = &*session;
        match event {
            Event::Hello { ticket, host, .. } => {
                self.machine.offer(handler.offer(state));
                let (session, host) = (Arc::clone(&session), host.into_owned());
                self.ask(cx, ticket, Subject::Command, async move {
                    session.handler.hello(&session.state, &host).await
                });
            }
            Event::StartTls { ticket } => self.start_tls(ticket, session, cx),
            #[cfg(feature = "auth")]
            Event::Auth {
                ticket,
                mechanism,
                initial_response,
            } => {
                let channel = self.machine.channel();
                let exchange = Authentication::begin(&**handler, state, &mechanism, &channel);
                drop(channel);
                match exchange {
                    Some(exchange) => self.authenticate(ticket, exchange, initial_response),
                    None => {
                        self.give(ticket, mechanism_unknown().into());
                    }
                }
            }
            #[cfg(feature = "auth")]
            Event::AuthResponse { ticket, response } => match self.authentication.take() {
                Some(exchange) => self.authenticate(ticket, exchange, Some(response)),
                None => {
                    self.give(ticket, local_error().into());
                }
            },
            Event::Mail {
                ticket,
                transaction,
                from,
                parameters,
            } => {
                let sender = Arc::new(Sender {
                    transaction,
                    path: from.into_owned(),
                    parameters: parameters.into_owned(),
                    client: self.client.clone(),
                });
                self.transaction = Some(Transaction::new(Arc::clone(&sender)));
                let session = Arc::clone(&session);
                self.ask(cx, ticket, Subject::Mail(transaction), async move {
                    session.handler.mail(&session.state, &sender).await
                });
            }
            Event::Rcpt {
                ticket,
                to,
                parameters,
                ..
            } => {
                let Some(transaction) = &mut self.transaction else {
                    self.give(ticket, local_error().into());
                    return;
                };
                let recipient = Arc::new(Recipient {
                    path: to.into_owned(),
                    parameters: parameters.into_owned(),
                });
                let sender = Arc::clone(transaction.sender());
                let position = transaction.name(Arc::clone(&recipient));
                let subject = Subject::Recipient(transaction.id(), position);
                let session = Arc::clone(&session);
                self.ask(cx, ticket, subject, async move {
                    let Session { handler, state } = &*session;
                    handler.recipient(state, &sender, &recipient).await
                });
            }
            Event::Data { ticket, .. } => self.open(Some(ticket), session),
            Event::Content { bytes, .. } => {
                if self.intake.is_none() {
                    self.open(None, session);
                }
                if let Some(intake) = &mut self.intake {
                    intake.gather(bytes);
                }
            }
            Event::Message {
                ticket,
                transaction,
                ..
            } => {
                if self.intake.is_none() {
                    self.open(None, session);
                }
                self.transaction = None;
                match self.intake.take() {
                    Some(intake) => {
                        self.ask(cx, ticket, Subject::Message(transaction), intake.finish());
                    }
                    None => {
                        self.give(ticket, local_error().into());
                    }
                }
            }
            Event::Delivery {
                ticket,
                transaction,
                ..
            } => self.deliver(ticket, transaction, session),
            Event::Reset { transaction, cause } => {
                self.forget(transaction);
                handler.reset(state, transaction, cause);
            }
            Event::Vrfy { .. }
            | Event::Expn { .. }
            | Event::Help { .. }
            | Event::Etrn { .. }
            | Event::XClient { .. }
            | Event::XForward { .. }
            | Event::Command { .. } => self.hand_out_further(event, session, cx),
            Event::Rejected { code, line } => {
                // An exchange that was under way was broken off.
                #[cfg(feature = "auth")]
                {
                    self.authentication = None;
                }
                handler.rejected(state, code, line);
            }
            Event::Acknowledged {
                transaction,
                certainty,
            } => handler.acknowledged(state, transaction, certainty),
            Event::DeliveryAcknowledged {
                transaction,
                recipient,
                certainty,
            } => handler.delivery_acknowledged(state, transaction, recipient, certainty),
            _ => {}
        }
    }

    /// Drops a transaction that ended without a message.
    fn forget(&mut self, transaction: TransactionId) {
        self.transaction.take_if(|it| it.id() == transaction);
        self.intake.take_if(|it| it.transaction == transaction);
    }

    fn poll_beginning(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Beginning { session, .. }) = &mut self.beginning else {
            return false;
        };
        let Poll::Ready(result) = session.as_mut().poll(cx) else {
            return false;
        };
        let Some(Beginning { ticket, login, .. }) = self.beginning.take() else {
            return false;
        };
        match result {
            Ok(state) => {
                let handler = Arc::clone(&self.handler);
                let session = Arc::new(Session { handler, state });
                if self.session.is_none() {
                    self.session = Some(session);
                    self.give(ticket, Verdict::Accept);
                } else if self.give(ticket, Verdict::Accept) {
                    self.session = Some(session);
                    self.spoken_for(login);
                }
            }
            Err(reply) => {
                self.give(ticket, reply.into());
            }
        }
        true
    }

    /// Waits for the decisions about messages, and tells the handler that the session is over.
    pub(super) async fn close(mut self, result: Result<(), &Error>) {
        while let Some(joined) = self.commits.join_next().await {
            joined.into_iter().for_each(|it| self.answer(it));
        }
        for answered in self.delivering.finish().await {
            self.answer(answered);
        }
        if let Some(session) = &self.session {
            session.handler.closed(&session.state, result);
        }
    }

    /// Drops what is of no use without the client.
    pub(super) fn abandon(&mut self) {
        self.checks.abort_all();
        #[cfg(feature = "auth")]
        {
            self.authenticating = None;
        }
        self.intake = None;
    }
}
