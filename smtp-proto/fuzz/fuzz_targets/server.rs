//! Whatever a client sends, in whatever pieces, a server sees and answers the same.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smtp_proto::{
    server::{Config, Event, ImproperPipelining, Server},
    syntax::{Capabilities, Extension, Host},
};

fn run(octets: &[u8], piece: usize) -> (Vec<String>, Vec<u8>, Vec<u8>) {
    let now = Duration::ZERO;
    let offer = [
        Extension::Pipelining,
        Extension::Chunking,
        Extension::Etrn,
        Extension::XClient,
        Extension::XForward,
    ]
    .into_iter()
    .fold(Capabilities::new(), Capabilities::with);
    // What may be sent together depends on what was answered before it came: tolerated here, so that
    // pieces make no difference.
    let config = Config::new(Host::parse("s.example").expect("a host"))
        .offer(offer)
        .improper_pipelining(ImproperPipelining::Tolerate)
        // Time stands still.
        .slow_down(0, Duration::ZERO);
    let mut server = Server::new(config, now);
    let (mut events, mut content, mut replies) = (Vec::new(), Vec::new(), Vec::new());
    let mut held = Vec::new();
    for octets in [&b""[..]].into_iter().chain(octets.chunks(piece)).chain([&b""[..]]) {
        held.extend_from_slice(octets);
        let mut input = held.as_slice();
        while let Ok(Some(event)) = server.poll_event(&mut input, now) {
            if let Event::Content { octets, .. } = event {
                content.extend_from_slice(octets);
                continue;
            }
            let text = format!("{event:?}");
            events.push(text.split("Ticket").next().unwrap_or_default().to_owned());
            match event {
                Event::Connected { ticket }
                | Event::Hello { ticket, .. }
                | Event::Mail { ticket, .. }
                | Event::Rcpt { ticket, .. }
                | Event::Data { ticket, .. }
                | Event::Vrfy { ticket, .. }
                | Event::Etrn { ticket, .. }
                | Event::XClient { ticket, .. }
                | Event::XForward { ticket, .. }
                | Event::Message { ticket, .. } => server.accept(ticket).expect("an open ticket"),
                _ => {}
            }
        }
        let used = held.len() - input.len();
        held.drain(..used);
        assert!(held.len() <= server.max_unconsumed() || server.is_closed());
        loop {
            let transmit = server.poll_transmit(now);
            if transmit.is_empty() {
                break;
            }
            replies.extend(transmit.slices().concat());
            let written = transmit.len();
            transmit.sent(written, now);
        }
    }
    (events, content, replies)
}

fuzz_target!(|octets: &[u8]| {
    let whole = run(octets, usize::MAX);
    assert_eq!(run(octets, 1), whole);
});
