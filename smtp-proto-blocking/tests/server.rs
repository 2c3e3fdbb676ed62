//! The server over loopback.

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use smtp_proto::client::Outcome;
use smtp_proto_blocking::{
    Client, Server,
    server::{Session, Verdict, serve_connection},
};
use support::{Store, client_config, envelope, server_config, with_server};

/// Sends `flight` and returns all that comes until the end.
fn converse(mut stream: impl Read + Write, flight: &str) -> String {
    stream.write_all(flight.as_bytes()).unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    replies
}

fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        line.extend(octet);
    }
    String::from_utf8(line).unwrap()
}
