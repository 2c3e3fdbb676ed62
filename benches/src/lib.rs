//! What the benchmark suites share: sample content, and what stands above the machines.

use std::time::Duration;

use smtp_proto::{
    client::{self, Body, BodyRequest, Client, Envelope},
    server::{self, Server},
    syntax::{Capabilities, Extension, ForwardPath, Host},
    testing::Sides,
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

/// Returns what presents this content for every message.
pub fn every<'c>(content: &'c [u8]) -> impl FnMut(BodyRequest) -> Option<Body<'c>> {
    move |request| Some(Body::Last(&content[request.offset as usize..]))
}

/// Counts what is delivered, and is content with nothing else.
#[derive(Debug, Default)]
pub struct Delivered<'c> {
    /// Presented for every message.
    pub content: &'c [u8],
    /// How many messages were delivered.
    pub messages: usize,
}

impl Sides for Delivered<'_> {
    fn body(&mut self, request: BodyRequest) -> Option<Body<'_>> {
        every(self.content)(request)
    }

    fn told(&mut self, _: &mut Client, event: client::Event<'_>) {
        if let client::Event::Finished { outcome, .. } = event {
            assert!(
                matches!(outcome, client::Outcome::Delivered(_)),
                "{outcome:?}"
            );
            self.messages += 1;
        }
    }
}
