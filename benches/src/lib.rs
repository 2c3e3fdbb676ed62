//! What the benchmark suites share: sample content, and the least that a driver does.

use std::time::Duration;

use smtp_proto::{
    client::{self, Body, Client, Envelope},
    server::{self, Server},
    syntax::{Capabilities, Extension, ForwardPath, Host},
};

/// The time of every call: nothing here waits.
pub const NOW: Duration = Duration::ZERO;

/// Returns so many bytes of text in lines of 72 columns.
pub fn text(bytes: usize) -> Vec<u8> {
    let line = b"The quick brown fox jumps over the lazy dog; then it sleeps until noon.\r\n";
    let mut text: Vec<u8> = line.iter().copied().cycle().take(bytes).collect();
    if let Some(end) = bytes.checked_sub(2) {
        text[end..].copy_from_slice(b"\r\n");
    }
    text
}

/// Returns the envelope that all sessions use: three recipients.
///
/// # Panics
///
/// Never: the addresses are valid.
pub fn envelope() -> Envelope<'static> {
    let recipient = |text| ForwardPath::parse(text).expect("a path");
    Envelope::new("sender@example.org")
        .expect("an address")
        .recipient(recipient("<first.recipient@example.net>"))
        .recipient(recipient("<second.recipient@example.net>"))
        .recipient(recipient("<third.recipient@example.net>"))
        .size(4096)
}

/// Returns a host name.
///
/// # Panics
///
/// If `name` is none.
pub fn host(name: &'static str) -> Host<'static> {
    Host::parse(name).expect("a host name")
}

/// Returns a server that offers all that a stream needs.
pub fn server() -> Server {
    Server::new(server_config(), NOW)
}

/// Returns the configuration of a server that offers all that a stream needs.
pub fn server_config() -> server::Config {
    let offer = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking)
        .with(Extension::EightBitMime)
        .with_size(10_240_000);
    server::Config::new(host("mx.example.net")).offer(offer)
}

/// Writes everything that a client wants written, by copies as a socket would make them. Every
/// message has the same content.
pub fn speak(client: &mut Client, content: &[u8], wire: &mut Vec<u8>) {
    loop {
        let wanted = client.wants_body();
        let body = wanted.map(|request| (request, Body::Last(&content[request.offset as usize..])));
        let Some(transmit) = client.poll_transmit(body, NOW) else {
            return;
        };
        for slice in transmit.slices() {
            wire.extend_from_slice(slice);
        }
        let written = transmit.len();
        transmit.wrote(written, NOW);
    }
}

/// Has a client read replies, and returns how many messages were delivered by them.
///
/// # Panics
///
/// If the session fails, or a message is not delivered.
pub fn hear(client: &mut Client, mut replies: &[u8]) -> usize {
    let mut delivered = 0;
    while let Some(event) = client.poll_event(&mut replies, NOW).expect("a session") {
        if let client::Event::Finished { outcome, .. } = event {
            let is_delivered = matches!(outcome, client::Outcome::Delivered(_));
            assert!(is_delivered, "{outcome:?}");
            delivered += 1;
        }
    }
    assert!(replies.is_empty());
    delivered
}

/// Has a server read what a client wrote, accept it, and write its replies.
///
/// # Panics
///
/// If the session fails.
pub fn serve(server: &mut Server, mut input: &[u8], replies: &mut Vec<u8>) {
    while let Some(event) = server.poll_event(&mut input, NOW).expect("a session") {
        if let Some(ticket) = event.into_ticket() {
            server.accept(ticket).expect("an open ticket");
        }
    }
    assert!(input.is_empty());
    while let Some(transmit) = server.poll_transmit(NOW) {
        for slice in transmit.slices() {
            replies.extend_from_slice(slice);
        }
        let written = transmit.len();
        transmit.wrote(written, NOW);
    }
}
