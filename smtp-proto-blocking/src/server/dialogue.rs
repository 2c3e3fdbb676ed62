//! The application's side of a session: events become calls of its handler.

use std::{net::SocketAddr, sync::Arc};

use smtp_proto::{
    server::{self as machine, Event, Ticket},
    syntax::{Code, Reply},
};

use super::handler::{Envelope, Handler, Session, Sink, Verdict};

/// The application's side of a session.
struct Dialogue<'h, H: Handler> {
    handler: &'h H,
    session: Session,
    /// The transaction under way.
    envelope: Option<Envelope>,
    /// Takes its content.
    sink: Option<H::Sink>,
}

impl<H: Handler> Dialogue<'_, H> {
    /// Hands an event to the handler, and its verdict to the machine.
    fn take(&mut self, event: Event<'_>, machine: &mut machine::Server) {
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
                answer(machine, ticket, handler.hello(session));
            }
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
                }
            }
            Event::Data { ticket, .. } => {
                let verdict = match self.open_sink() {
                    Ok(()) => Verdict::Accept,
                    Err(reply) => Verdict::Reply(reply),
                };
                answer(machine, ticket, verdict);
            }
            Event::Content {
                transaction,
                octets,
            } => {
                let taken = self.open_sink().and_then(|()| match &mut self.sink {
                    Some(sink) => sink.write(octets),
                    None => Ok(()),
                });
                if let Err(reply) = taken {
                    self.sink = None;
                    self.envelope = None;
                    if machine.refuse_content(transaction, reply).is_err()
                        && let Some(reply) = local_error()
                    {
                        // It is not refused yet, so this is taken.
                        let _ = machine.refuse_content(transaction, reply);
                    }
                }
            }
            Event::Message { ticket, .. } => {
                let opened = self.open_sink();
                let verdict = match (opened, self.sink.take()) {
                    (Ok(()), Some(sink)) => sink.finish(),
                    (Err(reply), _) => Verdict::Reply(reply),
                    (Ok(()), None) => local_error().map_or(Verdict::Accept, Verdict::Reply),
                };
                self.envelope = None;
                answer(machine, ticket, verdict);
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
            Event::Vrfy { ticket, .. }
            | Event::Expn { ticket, .. }
            | Event::Help { ticket, .. } => {
                answer(machine, ticket, Verdict::Accept);
            }
            _ => {}
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
fn answer(machine: &mut machine::Server, ticket: Ticket, verdict: Verdict) -> bool {
    let (positive, taken) = match verdict {
        Verdict::Accept => (true, machine.accept(ticket)),
        Verdict::Reply(reply) => (reply.is_positive(), machine.reply(ticket, reply)),
    };
    let Err(refused) = taken else {
        return positive;
    };
    if let Some(reply) = local_error() {
        // If this is refused too, the client cannot be answered any more.
        let _ = machine.reply(refused.ticket, reply);
    }
    false
}

/// Returns the reply for what is nobody's fault but the server's.
fn local_error() -> Option<Reply<'static>> {
    Reply::new(Code::LOCAL_ERROR, "4.3.0 Local error").ok()
}
