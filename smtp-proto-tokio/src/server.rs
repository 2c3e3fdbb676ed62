//! The server: a [`Server`] accepts connections, and a [`Handler`] decides about what comes.

mod calls;
mod connection;
#[cfg(feature = "auth")]
mod exchange;
mod handler;
mod intake;
mod options;
mod prepare;
mod room;
mod shutdown;
mod sink;
mod task;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use smtp_proto::reception::guarded;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    time::sleep,
};

use self::room::{Preparation, Room};
use crate::{Socket, tls::Duplex};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    connection::Connection,
    handler::Handler,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
    sink::{InMemory, Sink},
};

/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

smtp_proto::server! {
    async.await
    /// One that the process was started with (socket activation) is a standard one, which is made
    /// [non-blocking](std::net::TcpListener::set_nonblocking) and becomes tokio's by
    /// [`from_std`](TcpListener::from_std).
}

impl Server {
    /// Serves until [`Shutdown`] says otherwise, and then as long as connections need to come to
    /// their ends, within the grace that it gives. Dropping the future ends it at once.
    pub async fn serve_until<S: State, H: Handler<S>>(self, handler: H, shutdown: Shutdown) {
        let Self {
            listener,
            options,
            admission,
            preparation,
        } = self;
        let mut room = Room::new(handler, admission, preparation, shutdown.clone());
        let mut begun = Box::pin(shutdown.clone().begun());
        loop {
            match select(&mut begun, pin!(listener.accept(&options))).await {
                Either::Left(_) => break,
                Either::Right((Ok((socket, options)), _)) => room.welcome(socket, options),
                Either::Right((Err(error), _)) => {
                    guarded(|| room.handler().accept_failed(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Nobody is to connect to whom nobody will speak.
        drop(listener);
        select(pin!(room.empty()), pin!(shutdown.last_moment())).await;
    }
}

/// Serves one client over any stream to the end of its session.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection<S: State, H: Handler<S>>(
    stream: impl Duplex + 'static,
    options: impl Into<Options>,
    handler: H,
) -> Connection<S, H> {
    Connection::new(
        Socket::over(stream),
        options.into(),
        Arc::new(handler),
        None,
    )
}

/// Serves one client as [`serve_connection`] does, until [`Shutdown`] begins: then the transaction
/// that is under way may come to its end, within the grace, and the client is told 421.
///
/// # Errors
///
/// Fails if the session does not end by QUIT. The handler has heard it then.
pub fn serve_connection_until<S: State, H: Handler<S>>(
    stream: impl Duplex + 'static,
    options: impl Into<Options>,
    handler: H,
    shutdown: Shutdown,
) -> Connection<S, H> {
    Connection::new(
        Socket::over(stream),
        options.into(),
        Arc::new(handler),
        Some(shutdown),
    )
}
