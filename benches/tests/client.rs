//! What a client holds for a message whose recipients need a transaction each: no more for each of them,
//! however many there are.

use std::alloc::System;

use smtp_proto::{
    client::{Body, Client, Config, Duplex, Envelope, Event, Pipelining},
    syntax::ForwardPath,
};
use smtp_proto_benches::{NOW, host};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONTENT: &[u8] = b"Subject: x\r\n";

/// Presents what a server says.
fn hear(client: &mut Client, said: &str, held: &mut impl FnMut()) -> bool {
    let (mut input, mut is_finished) = (said.as_bytes(), false);
    while let Some(event) = client.poll_event(&mut input, NOW).unwrap() {
        is_finished |= matches!(event, Event::Finished { .. });
    }
    assert!(input.is_empty());
    held();
    is_finished
}

/// Returns what the client writes.
fn write(client: &mut Client) -> String {
    let mut wire = Vec::new();
    loop {
        let request = client.wants_body();
        let body = request.map(|it| (it, Body::Last(&CONTENT[it.offset as usize..])));
        let Some(transmit) = client.poll_transmit(body, NOW) else {
            return String::from_utf8(wire).unwrap();
        };
        wire.extend(transmit.slices().concat());
        let all = transmit.len();
        transmit.wrote(all, NOW);
    }
}

/// Sends a message to so many recipients, to a server that takes one at a time, and returns the most bytes
/// that were held meanwhile.
fn most_held(recipients: usize) -> usize {
    let sender = Envelope::new("a@example.org").unwrap();
    let paths: Vec<String> = (0..recipients)
        .map(|number| format!("r{number:04}@example.net"))
        .collect();
    let envelope = paths.iter().fold(sender, |envelope, path| {
        envelope.recipient(ForwardPath::parse(path).unwrap())
    });
    let region = Region::new(ALLOCATOR);
    let mut most = 0;
    let mut held = || {
        let stats = region.change();
        let now = stats
            .bytes_allocated
            .saturating_sub(stats.bytes_deallocated);
        most = most.max(now);
    };
    let config = Config::new(host("client.example.org")).pipelining(Pipelining::LookAhead);
    let mut client = Client::new(config.duplex(Duplex::Full), NOW);
    client.submit(&envelope).unwrap();
    let (mut said, mut transactions) = (String::from("220 x\r\n"), 0);
    while !hear(&mut client, &said, &mut held) {
        said.clear();
        for line in write(&mut client).lines() {
            said += match line.split([' ', ':']).next() {
                Some("EHLO") => "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n",
                Some("MAIL" | "RCPT" | "RSET") => "250 ok\r\n",
                Some("DATA") => "354 go\r\n",
                Some(".") => "250 taken\r\n",
                _ => "",
            };
        }
        transactions += said.matches("taken").count();
    }
    assert_eq!(transactions, recipients);
    most
}

/// No harness, so that nothing else allocates meanwhile.
fn main() {
    // Eight times as many, as a list that grows doubles its room.
    let (few, many) = (most_held(500), most_held(4000));
    assert!(many < 9 * few, "{few} and {many} bytes");
    assert!(many / 4000 < 200, "{many} bytes");
}
