//! The server, the client and the sender, by the texts that both adapters share.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use smtp_proto_blocking as face;
use smtp_proto_blocking::{
    Server,
    server::{Handler, InMemory, Options, Shutdown, State, Verdict},
};

macro_rules! spelled {
    ($($method:tt)*) => { $($method)* };
}

macro_rules! pause {
    ($duration:expr) => {
        std::thread::sleep($duration)
    };
}

macro_rules! wait {
    ($call:expr) => {
        $call
    };
}

#[cfg(all(feature = "auth", feature = "rustls"))]
#[path = "../../smtp-proto/tests/faces/client.rs"]
mod client;

#[path = "../../smtp-proto/tests/faces/contents.rs"]
mod contents;

#[path = "../../smtp-proto/tests/faces/resending.rs"]
mod resending;

#[path = "../../smtp-proto/tests/faces/sender.rs"]
mod sender;

#[path = "../../smtp-proto/tests/faces/server.rs"]
mod server;

#[path = "../../smtp-proto/tests/faces/session.rs"]
mod session;

#[path = "../../smtp-proto/tests/faces/timeouts.rs"]
mod timeouts;

#[cfg(feature = "rustls")]
#[path = "../../smtp-proto/tests/faces/tls_server.rs"]
mod tls_server;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/proxy_protocol_blocking.rs"]
mod proxy_protocol;

use proxy_protocol::ProxyProtocol;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/proxy_blocking.rs"]
mod proxy_example;

/// Servers of listeners that somebody else has bound.
mod from_outside {
    use smtp_proto_blocking::{Server, server::Options};

    pub(super) fn tcp(listener: std::net::TcpListener, options: Options) -> Server {
        Server::from_listener(listener, options)
    }

    #[cfg(unix)]
    pub(super) fn unix(listener: std::os::unix::net::UnixListener, options: Options) -> Server {
        Server::from_listener(listener, options)
    }
}

fn bind(options: Options) -> Server {
    Server::bind("127.0.0.1:0", options).unwrap()
}

fn run<S: State, H: Handler<S>>(
    server: Server,
    handler: Arc<H>,
    shutdown: Shutdown,
) -> JoinHandle<()> {
    thread::spawn(move || server.serve_until(handler, shutdown))
}

fn kept(decide: impl FnOnce(Vec<u8>) -> Verdict + Send + 'static) -> InMemory {
    InMemory::then(decide)
}
