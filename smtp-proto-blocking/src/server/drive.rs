//! One connection, from its greeting to its end.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use smtp_proto::{
    machine::Fault,
    server::{self as machine, Config, Event, Ticket},
    syntax::{Code, Reply},
};

use super::handler::{Envelope, Handler, Session, Sink, Verdict};
use crate::{
    Error, Transport,
    connection::{Connection, GLANCE, MOMENT, Progress},
};

/// How long a client may take to notice that the connection is being closed.
const LINGER: Duration = Duration::from_secs(1);
/// How soon an idle connection notices that the server is stopping.
const WATCH: Duration = Duration::from_millis(256);

/// Serves one client over a connection that was just accepted, until its end.
///
/// # Errors
///
/// Why the session has ended, unless by QUIT.
///
/// ```no_run
/// # use smtp_proto::server::Config;
/// # use smtp_proto_blocking::{Error, server::{self, Handler}};
/// fn serve_inherited(
///     stream: std::net::TcpStream,
///     config: Config,
///     handler: &impl Handler,
/// ) -> Result<(), Error> {
///     let peer = stream.peer_addr().ok();
///     server::serve_connection(stream, peer, config, handler)
/// }
/// ```
pub fn serve_connection<T: Transport, H: Handler>(
    transport: T,
    peer: Option<SocketAddr>,
    config: Config,
    handler: &H,
) -> Result<(), Error> {
    serve_until(transport, peer, config, handler, None)
}

/// Serves one client until its end, or until its transaction's end once `stopping` is set.
pub(super) fn serve_until<T: Transport, H: Handler>(
    transport: T,
    peer: Option<SocketAddr>,
    config: Config,
    handler: &H,
    stopping: Option<&AtomicBool>,
) -> Result<(), Error> {
    let machine = machine::Server::new(config, Duration::ZERO);
    let mut driver = Driver {
        connection: Connection::new(transport, machine.max_unconsumed()),
        machine,
        dialogue: Dialogue {
            handler,
            session: Session {
                peer,
                host: None,
                esmtp: false,
            },
            envelope: None,
            sink: None,
        },
        stopping,
        broken: None,
    };
    let result = driver.run();
    let session = &driver.dialogue.session;
    handler.closed(session, result.as_ref().err());
    result
}

struct Driver<'h, T, H: Handler> {
    machine: machine::Server,
    connection: Connection<T>,
    dialogue: Dialogue<'h, H>,
    stopping: Option<&'h AtomicBool>,
    /// How the transport failed.
    broken: Option<Arc<io::Error>>,
}

/// The application's side of a session.
struct Dialogue<'h, H: Handler> {
    handler: &'h H,
    session: Session,
    /// The transaction under way.
    envelope: Option<Envelope>,
    /// Takes its content.
    sink: Option<H::Sink>,
}

impl<T: Transport, H: Handler> Driver<'_, T, H> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            self.take_events().map_err(|error| {
                self.linger(error.fault());
                let transport = self.broken.take();
                Error::Session { error, transport }
            })?;
            if self.machine.is_closed() {
                return Ok(());
            }
            let blocked = self.write_blocks();
            let deadline = self.machine.poll_timeout().unwrap_or(Duration::MAX);
            let until = deadline.saturating_sub(self.connection.now());
            let idle = if self.machine.wants_read() {
                let patience = match self.stopping {
                    _ if blocked => GLANCE,
                    Some(_) => WATCH,
                    None => Duration::MAX,
                };
                self.read(until.min(patience))
            } else {
                if !blocked {
                    thread::sleep(until.min(GLANCE));
                }
                true
            };
            let now = self.connection.now();
            if idle && now >= deadline {
                self.machine.handle_timeout(now);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping
            .is_some_and(|stopping| stopping.load(Ordering::Relaxed))
    }

    /// Takes note of everything that the client has said, and answers it.
    fn take_events(&mut self) -> Result<(), smtp_proto::machine::Error> {
        let now = self.connection.now();
        let mut input = self.connection.input();
        let result = loop {
            if self.dialogue.envelope.is_none()
                && self.is_stopping()
                && let Ok(reply) = Reply::new(Code::NOT_AVAILABLE, "4.3.2 Shutting down")
            {
                // It is told once; the machine refuses to hear it again.
                let _ = self.machine.shut_down(reply);
            }
            match self.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => self.dialogue.take(event, &mut self.machine),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let remaining = input.len();
        self.connection.keep(remaining);
        result
    }

    /// Writes until there is nothing to write, or tells that the client takes no more for a moment.
    fn write_blocks(&mut self) -> bool {
        loop {
            let transmit = self.machine.poll_transmit(self.connection.now());
            if transmit.is_empty() {
                drop(transmit);
                return match self.connection.flush() {
                    Ok(progress) => matches!(progress, Progress::Blocked),
                    Err(error) => {
                        self.write_failed(error);
                        false
                    }
                };
            }
            let offered = transmit.len();
            let written = match self.connection.write(transmit.slices(), MOMENT) {
                Ok(Progress::Octets(octets)) => octets,
                Ok(Progress::Blocked) => 0,
                Err(error) => {
                    drop(transmit);
                    self.write_failed(error);
                    return false;
                }
            };
            transmit.sent(written, self.connection.now());
            if written < offered {
                return true;
            }
        }
    }

    fn write_failed(&mut self, error: io::Error) {
        self.machine.handle_write_failed();
        self.broken = Some(Arc::new(error));
    }

    /// Reads what has come, and waits for it no longer than `limit`. Tells whether nothing came.
    fn read(&mut self, limit: Duration) -> bool {
        match self.connection.read(limit) {
            Ok(Progress::Octets(0)) => self.machine.handle_eof(),
            Ok(Progress::Octets(_)) => {}
            Ok(Progress::Blocked) => return true,
            Err(error) => {
                self.machine.handle_eof();
                self.broken.get_or_insert(Arc::new(error));
            }
        }
        false
    }

    /// Lets the client read the last reply: a connection that is closed with octets unread is reset,
    /// and what was sent last may be lost with it.
    fn linger(&mut self, fault: Fault) {
        let gone = matches!(fault, Fault::ConnectionLost | Fault::WriteFailed);
        if gone || self.connection.shutdown_write().is_err() {
            return;
        }
        let end = self.connection.now().saturating_add(LINGER);
        while let Some(left) = end.checked_sub(self.connection.now())
            && let Ok(Progress::Octets(1..)) = self.connection.read(left)
        {
            self.connection.keep(0);
        }
    }
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
