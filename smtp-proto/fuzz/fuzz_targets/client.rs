//! Whatever a server says, in whatever pieces, a client reports the same, and one outcome a message.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smtp_proto::{
    client::{Body, Client, Config, Envelope, Event, Pipelining},
    syntax::{ForwardPath, Host, ReversePath},
};

/// Feeds the octets in pieces, and writes whenever a line feed was fed.
fn run(octets: &[u8], piece: usize) -> (Vec<String>, Vec<u8>) {
    let now = Duration::ZERO;
    let config = Config::new(Host::parse("c.example").expect("a host"))
        .pipelining(Pipelining::Stream { window: 2 });
    let mut client = Client::new(config, now);
    let envelope = Envelope::new(ReversePath::Null)
        .recipient(ForwardPath::parse("<a@example.net>").expect("a path"))
        .recipient(ForwardPath::parse("<b@example.net>").expect("a path"));
    for _ in 0..3 {
        client.submit(&envelope).expect("room");
    }
    client.quit();
    let (mut events, mut wire, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let mut finished = 0;
    for line in octets.split_inclusive(|&octet| octet == b'\n').chain([&b""[..]]) {
        let last = line.is_empty();
        for octets in line.chunks(piece).chain([&b""[..]]) {
            held.extend_from_slice(octets);
            if last {
                client.handle_eof();
            }
            let mut input = held.as_slice();
            while let Ok(Some(event)) = client.poll_event(&mut input, now) {
                finished += usize::from(matches!(event, Event::Finished { .. }));
                events.push(format!("{event:?}"));
            }
            let used = held.len() - input.len();
            held.drain(..used);
        }
        loop {
            let body = match client.wants_body() {
                Some(_) => Body::Last(b".\r\n"),
                None => Body::Pending,
            };
            let transmit = client.poll_transmit(body, now);
            if transmit.is_empty() {
                break;
            }
            wire.extend(transmit.slices().concat());
            let written = transmit.len();
            transmit.sent(written, now);
        }
    }
    assert_eq!(finished, 3, "one outcome each");
    (events, wire)
}

fuzz_target!(|octets: &[u8]| {
    let whole = run(octets, usize::MAX);
    assert_eq!(run(octets, 1), whole);
});
