//! The server, the client and the sender, by the texts that both adapters share.

use std::{
    sync::{Arc, LazyLock},
    thread::{self, JoinHandle},
};

use smtp_proto_tokio as face;
use smtp_proto_tokio::{
    Server,
    server::{Handler, InMemory, Options, Shutdown, State, Verdict},
};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

macro_rules! spelled {
    ($(fn $name:ident $arguments:tt -> $output:ty $body:block)*) => {
        $(async fn $name $arguments -> $output $body)*
    };
}

macro_rules! pause {
    ($duration:expr) => {
        tokio::time::sleep($duration).await
    };
}

macro_rules! wait {
    ($call:expr) => {
        crate::RUNTIME.block_on($call)
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
#[path = "../examples/proxy_protocol.rs"]
mod proxy_protocol;

use proxy_protocol::ProxyProtocol;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/proxy.rs"]
mod proxy_example;

/// Servers of listeners that somebody else has bound.
mod from_outside {
    use smtp_proto_tokio::{Server, server::Options};
    use tokio::net::{TcpListener, UnixListener};

    pub(super) fn tcp(listener: std::net::TcpListener, options: Options) -> Server {
        listener.set_nonblocking(true).unwrap();
        let _entered = super::RUNTIME.enter();
        Server::from_listener(TcpListener::from_std(listener).unwrap(), options)
    }

    #[cfg(unix)]
    pub(super) fn unix(listener: std::os::unix::net::UnixListener, options: Options) -> Server {
        listener.set_nonblocking(true).unwrap();
        let _entered = super::RUNTIME.enter();
        Server::from_listener(UnixListener::from_std(listener).unwrap(), options)
    }
}

fn bind(options: Options) -> Server {
    RUNTIME
        .block_on(Server::bind("127.0.0.1:0", options))
        .unwrap()
}

fn run<S: State, H: Handler<S>>(
    server: Server,
    handler: Arc<H>,
    shutdown: Shutdown,
) -> JoinHandle<()> {
    thread::spawn(move || RUNTIME.block_on(server.serve_until(handler, shutdown)))
}

fn kept(decide: impl FnOnce(Vec<u8>) -> Verdict + Send + 'static) -> InMemory {
    InMemory::then(async move |content| decide(content))
}
