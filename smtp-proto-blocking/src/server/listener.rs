//! Where connections come from.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use super::options::Options;
use crate::Socket;

smtp_proto::listener! {
    /// It blocks. One that the process was started with (socket activation) serves as any other.
}
