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
    server::{self as machine, replies::shutting_down},
};

use super::{dialogue::Dialogue, handler::Handler, options::Options};
use crate::{
    Error, Transport,
    connection::{Connection, GLANCE, MOMENT, Progress},
    tls::{Session, TlsAcceptor},
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
    options: impl Into<Options>,
    handler: &H,
) -> Result<(), Error> {
    serve_until(transport, peer, options.into(), handler, None)
}

/// Serves one client until its end, or until its transaction's end once the server is stopping.
pub(super) fn serve_until<T: Transport, H: Handler>(
    transport: T,
    peer: Option<SocketAddr>,
    options: Options,
    handler: &H,
    stopping: Option<&AtomicBool>,
) -> Result<(), Error> {
    let machine = machine::Server::new(options.config, Duration::ZERO);
    let mut driver = Driver {
        connection: Connection::new(transport, machine.max_unconsumed()),
        machine,
        dialogue: Dialogue::new(handler, peer, options.acceptor.is_some()),
        acceptor: options.acceptor,
        stopping,
        broken: None,
    };
    let result = driver.run();
    handler.closed(driver.dialogue.session(), result.as_ref().err());
    result
}

struct Driver<'h, T, H: Handler> {
    machine: machine::Server,
    connection: Connection<T>,
    dialogue: Dialogue<'h, H>,
    /// Does the TLS handshake.
    acceptor: Option<TlsAcceptor>,
    stopping: Option<&'h AtomicBool>,
    /// How the transport failed.
    broken: Option<Arc<io::Error>>,
}

impl<T: Transport, H: Handler> Driver<'_, T, H> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            self.take_events().map_err(|error| {
                self.linger(error.fault());
                let transport = self.broken.take();
                Error::session(error, transport)
            })?;
            if self.machine.is_closed() {
                self.connection.close();
                return Ok(());
            }
            let blocked = self.write_blocks();
            let deadline = self.machine.poll_timeout().unwrap_or(Duration::MAX);
            let until = deadline.saturating_sub(self.connection.now());
            let patience = match self.stopping {
                _ if blocked => GLANCE,
                Some(_) => WATCH,
                None => Duration::MAX,
            };
            let idle = if self.machine.wants_tls() {
                self.handshake(until.min(patience))
            } else if self.machine.wants_read() {
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
            if !self.dialogue.has_transaction() && self.is_stopping() {
                // It is told once; the machine refuses to hear it again.
                let _ = self.machine.shut_down(shutting_down());
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
            let Some(transmit) = self.machine.poll_transmit(self.connection.now()) else {
                return match self.connection.flush() {
                    Ok(progress) => matches!(progress, Progress::Blocked),
                    Err(error) => {
                        self.write_failed(error);
                        false
                    }
                };
            };
            let taken = match self.connection.write(transmit.slices(), MOMENT) {
                Ok(taken) => taken,
                Err(error) => {
                    transmit.failed();
                    self.write_failed(error);
                    return false;
                }
            };
            transmit.wrote(taken.bytes, self.connection.now());
            if taken.blocked {
                return true;
            }
        }
    }

    fn write_failed(&mut self, error: io::Error) {
        self.machine.write_failed();
        self.broken = Some(Arc::new(error));
    }

    /// Reads what has come, and waits for it no longer than `limit`. Tells whether nothing came.
    fn read(&mut self, limit: Duration) -> bool {
        match self.connection.read(limit) {
            Ok(Progress::Bytes(0)) => self.machine.handle_eof(),
            Ok(Progress::Bytes(_)) => {}
            Ok(Progress::Blocked) => return true,
            Err(error) => {
                self.machine.handle_eof();
                self.broken.get_or_insert(Arc::new(error));
            }
        }
        false
    }

    /// Goes on with the TLS handshake, no longer than `limit`. Tells whether it takes longer.
    fn handshake(&mut self, limit: Duration) -> bool {
        let acceptor = self.acceptor.as_ref();
        let begin = || match acceptor {
            Some(acceptor) => Session::accept(acceptor),
            None => Err(io::Error::other(
                "the configuration asks for TLS, and no TlsAcceptor was given",
            )),
        };
        match self.connection.handshake(begin, limit) {
            Ok(true) => {
                let tls = self.connection.stream().tls_info().unwrap_or_default();
                self.dialogue.secure(tls.clone());
                // It was wanted a moment ago, and nothing has happened since.
                let _ = self.machine.tls_established(tls, self.connection.now());
                false
            }
            Ok(false) => true,
            Err(error) => {
                self.broken = Some(Arc::new(error));
                self.machine.tls_failed();
                false
            }
        }
    }

    /// Lets the client read the last reply: a connection that is closed with bytes unread is reset,
    /// and what was sent last may be lost with it.
    fn linger(&mut self, fault: Fault) {
        let gone = matches!(
            fault,
            Fault::ConnectionLost | Fault::WriteFailed | Fault::TlsFailed
        );
        if gone || self.connection.shutdown_write().is_err() {
            return;
        }
        let end = self.connection.now().saturating_add(LINGER);
        while let Some(left) = end.checked_sub(self.connection.now())
            && let Ok(Progress::Bytes(1..)) = self.connection.read(left)
        {
            self.connection.keep(0);
        }
    }
}
