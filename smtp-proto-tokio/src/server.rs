//! The server: a [`Server`] accepts connections, and a [`Handler`] decides about what comes.

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

use self::{
    connection::serve,
    room::{Preparation, Room},
};
use crate::{Socket, tls::Duplex};

#[cfg(feature = "auth")]
pub use self::exchange::Exchange;
pub use self::{
    connection::Connection,
    handler::Handler,
    listener::Listener,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
    sink::{InMemory, Sink},
};

/// How long a server waits when it could not accept a connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

smtp_proto::server! { async.await }

smtp_proto::serve_connection! { (Duplex) -> Connection<S, H>; }

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
