//! The server: a [`Server`] accepts connections, and a [`Handler`] decides about what comes, one thread for
//! each connection.

mod calls;
mod connection;
#[cfg(feature = "auth")]
mod exchange;
mod handler;
mod intake;
mod listener;
mod options;
mod prepare;
mod room;
mod shutdown;
mod sink;
mod wake;

#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::{
    net::{TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use smtp_proto::reception::{Phase, guarded};

use self::{
    connection::serve,
    room::{Preparation, Room},
    wake::Wake,
};
use crate::{Error, Socket, Transport};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    handler::Handler,
    listener::Listener,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
    sink::{InMemory, Sink},
};

/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

smtp_proto::server! {}

smtp_proto::serve_connection! {
    (Transport + Send) -> Result<(), Error>;
    ///
    /// ```no_run
    /// # use smtp_proto_blocking::{Error, server::{self, Config, Handler, Options}};
    /// fn serve_inherited(
    ///     stream: std::net::TcpStream,
    ///     config: Config,
    ///     handler: impl Handler,
    /// ) -> Result<(), Error> {
    ///     let (peer, local) = (stream.peer_addr().ok(), stream.local_addr().ok());
    ///     let options = Options::new(config).addresses(peer, local);
    ///     server::serve_connection(stream, options, handler)
    /// }
    /// ```
}

impl Server {
    /// Serves until [`Shutdown`] says otherwise, and then as long as connections need to come to
    /// their ends, within the grace that it gives.
    ///
    /// When it returns, connections may still have threads in which a handler is busy with what
    /// cannot be interrupted; they end when it is done.
    pub fn serve_until<S: State, H: Handler<S>>(self, handler: H, shutdown: Shutdown) {
        let Self {
            listener,
            options,
            admission,
            preparation,
        } = self;
        let room = Room::new(handler, admission, preparation, shutdown.clone());
        match Wake::of(&listener) {
            Ok(wake) => shutdown.wakes(wake),
            Err(error) => room.handler().accept_failed(&error),
        }
        while shutdown.phase() == Phase::Serving {
            match listener.accept(&options) {
                Ok(_) if shutdown.phase() != Phase::Serving => break,
                Ok((socket, options)) => room.welcome(socket, options),
                Err(error) => {
                    guarded(|| room.handler().accept_failed(&error));
                    shutdown.wait(ACCEPT_PAUSE);
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        room.empty();
    }
}
