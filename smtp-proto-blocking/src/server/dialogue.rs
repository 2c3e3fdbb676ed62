//! The application's side of a session: events become calls of its handler.

use std::net::SocketAddr;

#[cfg(feature = "auth")]
use smtp_proto::{
    sasl::Step,
    server::{SaslResponse, replies::mechanism_unknown},
};
use smtp_proto::{
    server::{
        self as machine, Event, Ticket,
        replies::{local_error, tls_unavailable},
    },
    syntax::Reply,
};

#[cfg(feature = "auth")]
use super::authentication::Authentication;
use super::{
    handler::{Handler, Sink},
    session::{Envelope, Session},
    verdict::Verdict,
};
use crate::TlsInfo;

/// The application's side of a session.
pub(super) struct Dialogue<'h, H: Handler> {
    pub(super) handler: &'h H,
    pub(super) session: Session,
    /// There is somebody to do the TLS handshake.
    can_encrypt: bool,
    #[cfg(feature = "auth")]
    authentication: Option<Authentication<'h>>,
    /// The transaction under way.
    envelope: Option<Envelope>,
    /// Takes its content.
    sink: Option<H::Sink>,
    /// The verdicts over a message, for its next recipients.
    verdicts: std::vec::IntoIter<Verdict>,
}

impl<'h, H: Handler> Dialogue<'h, H> {
    pub(super) fn new(handler: &'h H, peer: Option<SocketAddr>, can_encrypt: bool) -> Self {
        Self {
            handler,
            session: Session {
                peer,
                host: None,
                esmtp: false,
                tls: None,
                identity: None,
            },
            can_encrypt,
            #[cfg(feature = "auth")]
            authentication: None,
            envelope: None,
            sink: None,
            verdicts: Vec::new().into_iter(),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn has_transaction(&self) -> bool {
        self.envelope.is_some()
    }

    /// Takes note that TLS has begun, by which all that was said before is forgotten
    /// (3207-4.2-a).
    pub(super) fn secure(&mut self, tls: TlsInfo) {
        self.session = Session {
            peer: self.session.peer,
            host: None,
            esmtp: false,
            tls: Some(tls),
            identity: None,
        };
    }

    /// Hands an event to the handler, and its verdict to the machine.
    pub(super) fn take(&mut self, event: Event<'_>, machine: &mut machine::Server) {
        let (handler, session) = (self.handler, &mut self.session);
        match event {
            Event::Connected { ticket } => {
                answer(machine, ticket, handler.connected(session));
            }
            Event::Hello {
                ticket,
                host,
                esmtp,
            } => {
                session.host = Some(host.into_owned());
                session.esmtp = esmtp;
                machine.offer(handler.offer(session));
                answer(machine, ticket, handler.hello(session));
            }
            Event::StartTls { ticket } => {
                if self.can_encrypt {
                    answer(machine, ticket, handler.start_tls(session));
                } else {
                    refuse(machine, ticket, tls_unavailable());
                }
            }
            #[cfg(feature = "auth")]
            Event::Auth {
                ticket,
                mechanism,
                initial_response,
            } => {
                self.authentication =
                    Authentication::begin(handler, session, &mechanism, &machine.channel());
                self.authenticate(machine, ticket, initial_response);
            }
            #[cfg(feature = "auth")]
            Event::AuthResponse { ticket, response } => {
                self.authenticate(machine, ticket, Some(response));
            }
            // It may be the client that broke off.
            #[cfg(feature = "auth")]
            Event::Rejected { .. } => self.authentication = None,
            Event::Mail {
                ticket,
                transaction,
                from,
                parameters,
            } => {
                let verdict = handler.mail(session, &from, &parameters);
                if answer(machine, ticket, verdict) {
                    self.envelope = Some(Envelope {
                        transaction,
                        from: from.into_owned(),
                        recipients: Vec::new(),
                        parameters: parameters.into_owned(),
                        recipient_parameters: Vec::new(),
                    });
                }
            }
            Event::Rcpt {
                ticket,
                to,
                parameters,
                ..
            } => {
                let Some(envelope) = &mut self.envelope else {
                    return;
                };
                let verdict = handler.recipient(session, envelope, &to, &parameters);
                if answer(machine, ticket, verdict) {
                    envelope.recipients.push(to.into_owned());
                    let parameters = parameters.into_owned();
                    envelope.recipient_parameters.push(parameters);
                }
            }
            Event::Data { ticket, .. } => {
                let verdict = match self.open_sink() {
                    Ok(()) => Verdict::Accept,
                    Err(reply) => Verdict::Reply(reply),
                };
                answer(machine, ticket, verdict);
            }
            Event::Content { transaction, bytes } => {
                let taken = self.open_sink().and_then(|()| match &mut self.sink {
                    Some(sink) => sink.write(bytes),
                    None => Ok(()),
                });
                if let Err(reply) = taken {
                    self.sink = None;
                    self.envelope = None;
                    if machine.refuse_content(transaction, reply).is_err() {
                        // It is not refused yet, so this is taken.
                        let _ = machine.refuse_content(transaction, local_error());
                    }
                }
            }
            Event::Message { ticket, .. } => match self.finish(Sink::finish) {
                Ok(verdict) => {
                    answer(machine, ticket, verdict);
                }
                Err(reply) => refuse(machine, ticket, reply),
            },
            Event::Delivery {
                ticket, recipient, ..
            } => {
                if recipient == 0 {
                    self.decide_for_each();
                }
                match self.verdicts.next() {
                    Some(verdict) => {
                        answer(machine, ticket, verdict);
                    }
                    None => refuse(machine, ticket, local_error()),
                }
            }
            Event::Reset { cause, .. } => {
                self.sink = None;
                if let Some(envelope) = self.envelope.take() {
                    handler.reset(session, &envelope, cause);
                }
            }
            Event::Acknowledged {
                transaction,
                certainty,
            } => handler.acknowledged(session, transaction, certainty),
            Event::DeliveryAcknowledged {
                transaction,
                recipient,
                certainty,
            } => handler.delivery_acknowledged(session, transaction, recipient, certainty),
            event => self.take_further(event, machine),
        }
    }

    /// Decides over a message whose content is complete; an error if it cannot be taken.
    fn finish<V>(&mut self, decide: impl FnOnce(H::Sink) -> V) -> Result<V, Reply<'static>> {
        let opened = self.open_sink();
        self.envelope = None;
        match (opened, self.sink.take()) {
            (Ok(()), Some(sink)) => Ok(decide(sink)),
            (Err(reply), _) => Err(reply),
            (Ok(()), None) => Err(local_error()),
        }
    }

    fn decide_for_each(&mut self) {
        let recipients = match &self.envelope {
            Some(envelope) => envelope.recipients.len(),
            None => 0,
        };
        self.verdicts = match self.finish(|sink| sink.deliver(recipients)) {
            Ok(verdicts) => verdicts,
            Err(reply) => vec![Verdict::Reply(reply); recipients],
        }
        .into_iter();
    }

    /// Goes on with the authentication under way.
    #[cfg(feature = "auth")]
    fn authenticate(
        &mut self,
        machine: &mut machine::Server,
        ticket: Ticket,
        response: Option<SaslResponse>,
    ) {
        let Some(authentication) = &mut self.authentication else {
            return refuse(machine, ticket, mechanism_unknown());
        };
        let step = authentication.advance(self.handler, &self.session, response);
        if !matches!(step, Step::Challenge(_)) {
            self.authentication = None;
        }
        match step {
            Step::Challenge(challenge) => {
                if let Err(refused) = machine.challenge(ticket, &challenge) {
                    refuse(machine, refused.ticket, local_error());
                }
            }
            Step::Accept(name) => {
                if answer(machine, ticket, Verdict::Accept) {
                    self.session.identity = Some(name);
                }
            }
            Step::Reject(reply) if !reply.is_positive() => refuse(machine, ticket, reply),
            // A mechanism of the handler's made a mistake.
            Step::Reject(_) => refuse(machine, ticket, local_error()),
        }
    }

    /// Has the handler take the content that begins, unless it does already.
    fn open_sink(&mut self) -> Result<(), Reply<'static>> {
        if self.sink.is_none()
            && let Some(envelope) = &self.envelope
        {
            self.sink = Some(self.handler.content(&self.session, envelope)?);
        }
        Ok(())
    }
}

/// Gives the verdict to the machine, and tells whether it was positive.
pub(super) fn answer(machine: &mut machine::Server, ticket: Ticket, verdict: Verdict) -> bool {
    let (positive, taken) = match verdict {
        Verdict::Accept => (true, machine.accept(ticket)),
        Verdict::Reply(reply) => (reply.is_positive(), machine.reply(ticket, reply)),
    };
    match taken {
        Ok(()) => positive,
        Err(refused) => {
            refuse(machine, refused.ticket, local_error());
            false
        }
    }
}

/// Gives a negative reply to the machine.
fn refuse(machine: &mut machine::Server, ticket: Ticket, reply: Reply<'static>) {
    if let Err(refused) = machine.reply(ticket, reply) {
        // If this is refused too, the client cannot be answered any more.
        let _ = machine.reply(refused.ticket, local_error());
    }
}
