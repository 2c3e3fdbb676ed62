//! What one machine takes from a sender the other passes on, as a proxy does: chunk by chunk.

use std::time::Duration;

use smtp_proto::{
    client::{self, Body, Client, Envelope, Pipelining},
    framing::LineBreaks,
    server::{self, Event, ImproperPipelining, Server},
    syntax::{Capabilities, Extension, ForwardPath, Host},
    testing::End,
};

use crate::random::Random;

const NOW: Duration = Duration::ZERO;
/// What has been taken for the end of a content by some server, and what looks like it.
const RUNS: &[&[u8]] = &[
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n. \r\n",
    b"\r\n..\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b".",
    b"MAIL FROM:<evil@example.org>\r\n",
];

fn name() -> Host<'static> {
    Host::parse("x.example").unwrap()
}

/// Brings a client to where it sends content, by DATA or as a stream.
fn sender(policy: Pipelining, line_breaks: LineBreaks) -> (End<Client>, Vec<u8>) {
    let config = client::Config::new(name());
    let config = config.pipelining(policy).line_breaks(line_breaks);
    let mut client = End::new(Client::new(config, NOW));
    let envelope = Envelope::new("a@example.org").unwrap();
    let recipient = ForwardPath::parse("<b@example.net>").unwrap();
    let envelope = envelope.recipient(recipient);
    client.submit(&envelope).unwrap();
    let mut wire = Vec::new();
    let replies: [&[u8]; 4] = match policy {
        Pipelining::LookAhead => [
            b"220 x\r\n",
            b"250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
            b"250 ok\r\n250 ok\r\n354 go\r\n",
            b"",
        ],
        // The first message of a stream goes by DATA, with the proof that the server swallows chunks.
        _ => [
            b"220 x\r\n",
            b"250-x\r\n250-CHUNKING\r\n250-SIZE 1000000\r\n250 PIPELINING\r\n",
            b"250 ok\r\n503 no\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
            b"250 taken\r\n",
        ],
    };
    let is_stream = policy != Pipelining::LookAhead;
    let first = |_| is_stream.then_some(Body::Last(b"first\r\n"));
    for says in replies {
        client.feed(says);
        client.hear(NOW, |_, _| {}).unwrap();
        client.speak(NOW, first, &mut wire);
    }
    if is_stream {
        client.submit(&envelope).unwrap();
        client.speak(NOW, |_| None, &mut wire);
    }
    (client, wire)
}

fn write(client: &mut Client, body: Option<Body<'_>>, wire: &mut Vec<u8>) -> usize {
    let body = client.wants_body().zip(body);
    let Some(transmit) = client.poll_transmit(body, NOW) else {
        return 0;
    };
    wire.extend(transmit.slices().concat());
    let len = transmit.len();
    transmit.wrote(len, NOW)
}

/// Brings a server to where it takes content, and lets it take `content`. Returns the contents that it
/// hands out, and whether it asks for a verdict on them.
fn receive(content: &[u8], by_data: bool, line_breaks: LineBreaks) -> (Vec<Vec<u8>>, bool) {
    let config = server::Config::new(name())
        .offer(Capabilities::new().with(Extension::Chunking))
        .improper_pipelining(ImproperPipelining::Tolerate)
        .line_breaks(line_breaks);
    let mut server = End::new(Server::new(config, NOW));
    let mut wire =
        b"EHLO c.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n".to_vec();
    match by_data {
        true => wire.extend([b"DATA\r\n", content, b"\r\n.\r\n"].concat()),
        false => wire.extend(
            [
                format!("BDAT {} LAST\r\n", content.len()).as_bytes(),
                content,
            ]
            .concat(),
        ),
    }
    let (mut contents, mut is_message) = (Vec::new(), false);
    for says in [&b""[..], &wire] {
        server.feed(says);
        let heard = server.hear(NOW, |server, event| match event {
            Event::Content { bytes, .. } => contents.push(bytes.to_vec()),
            Event::Message { .. } => is_message = true,
            event => {
                if let Some(ticket) = event.into_ticket() {
                    server.accept(ticket).unwrap();
                }
            }
        });
        heard.unwrap();
        server.speak(NOW, &mut Vec::new());
    }
    (contents, is_message)
}

/// EOD-14: whatever a server takes, with whatever care, its content leaves a client without a bare CR
/// or LF, and with no other end than its own.
#[test]
fn nothing_is_smuggled_through_a_proxy() {
    use LineBreaks::{Normalize, Refuse};
    let policies = [Pipelining::LookAhead, Pipelining::Stream { window: 2 }];
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let by_data = random.one_in(2);
        let policy = policies[random.below(2)];
        let taken = [Refuse, Normalize][random.below(2)];
        let sent = [Refuse, Normalize][random.below(2)];
        let mut content = b"Subject: x\r\n".to_vec();
        for _ in 0..1 + random.below(4) {
            content.extend_from_slice(RUNS[random.below(RUNS.len())]);
            content.extend_from_slice([&b""[..], b"x"][random.below(2)]);
        }
        let (contents, is_message) = receive(&content, by_data, taken);
        let (mut client, mut wire) = sender(policy, sent);
        let start = wire.len();
        let mut held = Vec::new();
        for bytes in &contents {
            held.extend_from_slice(bytes);
            let body = Some(Body::Chunk(&held));
            let used = write(&mut client, body, &mut wire);
            held.drain(..used);
        }
        let ends = is_message && client.wants_body().is_some();
        if ends {
            write(&mut client, Some(Body::Last(&held)), &mut wire);
        }
        let content = &wire[start..];
        let mut before = b' ';
        for &byte in content {
            assert_eq!(
                before == b'\r',
                byte == b'\n',
                "SEED={seed}: {}",
                content.escape_ascii()
            );
            before = byte;
        }
        if policy == Pipelining::LookAhead {
            let end = content.windows(5).position(|bytes| bytes == b"\r\n.\r\n");
            let is_only = end.is_none_or(|end| end + 5 == content.len());
            assert!(is_only, "SEED={seed}: {}", content.escape_ascii());
        }
        passed += usize::from(ends);
        refused += usize::from(!is_message);
    }
    assert!(passed > 500 && refused > 100, "{passed} {refused}");
}
