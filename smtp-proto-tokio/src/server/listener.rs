//! Where connections come from.

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::options::Options;
use crate::Socket;

smtp_proto::listener! {
    async.await
    /// One that the process was started with (socket activation) is a standard one, which is made
    /// [non-blocking](std::net::TcpListener::set_nonblocking) and becomes tokio's by
    /// [`from_std`](TcpListener::from_std).
}
