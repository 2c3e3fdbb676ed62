//! Clients that speak another protocol, before the greeting and after it.

use crate::peer::{Decision, Peer, config};
use core::time::Duration;
use smtp_proto::machine::{Fault, ForeignProtocol, Origin};
use smtp_proto::server::Server;
use smtp_proto::testing::End;

/// CMD-4: one answer, and the end, which says what it was; at every split.
#[test]
fn other_protocols() {
    for (bytes, protocol) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n"[..], ForeignProtocol::Http),
        (b"POST / HTTP/1.1\r\n", ForeignProtocol::Http),
        (b"CONNECT x:25 HTTP/1.1\r\n", ForeignProtocol::Http),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", ForeignProtocol::Http),
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 25000 25\r\n",
            ForeignProtocol::Proxy,
        ),
        (b"\x16\x03\x01\x02\0\x01\0", ForeignProtocol::Tls),
        (b"\x16\x03\r\nEHLO c.example\r\n", ForeignProtocol::Tls),
        (b"\0\r\n", ForeignProtocol::Unknown),
        (b"{\"jsonrpc\"}\r\n", ForeignProtocol::Unknown),
    ] {
        for bytewise in [false, true] {
            let mut peer = Peer::new(config().traced());
            let size = if bytewise { 1 } else { bytes.len() };
            let got: String = bytes.chunks(size).map(|it| peer.send_bytes(it)).collect();
            assert_eq!(got, "521 5.5.1 This is SMTP, closing connection\r\n");
            let line = match protocol {
                ForeignProtocol::Tls => &[][..],
                _ => bytes.split(|byte| *byte == b'\r').next().unwrap(),
            };
            let event = format!("rejected 521 {}", line.escape_ascii());
            assert_eq!(peer.events(), [event]);
            peer.poll();
            assert!(peer.server.is_closed());
            let mut trace = std::iter::from_fn(|| peer.server.poll_trace());
            let heard = trace.find(|it| it.origin == Origin::Remote).unwrap();
            let all = bytes.escape_ascii().to_string();
            assert!(all.starts_with(&heard.what.to_string()), "{heard:?}");
            let error = peer.error.unwrap();
            assert_eq!(error.fault(), Fault::ForeignProtocol(protocol));
            assert!(bytes.starts_with(error.excerpt().as_bytes()));
        }
    }
    let fault = Fault::ForeignProtocol(ForeignProtocol::Http);
    assert_eq!(fault.to_string(), "the client speaks HTTP in place of SMTP");
    // An empty line is nobody's, and what is said later a mistake like any other.
    assert!(Peer::new(config()).send("\r\n").starts_with("500"));
    let mut peer = Peer::greeted(config());
    assert!(peer.send("GET / HTTP/1.1\r\n").starts_with("500"));
    assert!(peer.send("\u{16}\u{3}\r\n").starts_with("500"));
    assert!(peer.send("NOOP\r\n").starts_with("250"));
}

/// The header of a proxy, in the second version of the PROXY protocol.
const PROXY_HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x61\xa8\0\x19";

/// CMD-4: a proxy sends it whole, and first of all; else it is lines like any others.
#[test]
fn the_header_of_a_proxy() {
    let mut peer = Peer::new(config());
    let got = peer.send_bytes(PROXY_HEADER);
    assert_eq!(got, "521 5.5.1 This is SMTP, closing connection\r\n");
    assert_eq!(peer.events(), ["rejected 521 "]);
    peer.poll();
    let error = peer.error.unwrap();
    let proxy = ForeignProtocol::Proxy;
    assert_eq!(error.fault(), Fault::ForeignProtocol(proxy));
    assert_eq!(error.excerpt().as_bytes(), &PROXY_HEADER[..12]);

    let unknown = "500 5.5.2 Command not recognised\r\n";
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("\r\n"), unknown);
    assert_eq!(peer.send_bytes(&PROXY_HEADER[..2]), unknown);
    let mut peer = Peer::greeted(config());
    assert!(
        peer.send_bytes(PROXY_HEADER)
            .starts_with(&unknown.repeat(3))
    );
}

/// CMD-4, CMD-5: whoever begins with another protocol waits for no greeting.
#[test]
fn other_protocols_before_the_greeting() {
    for (bytes, protocol) in [
        (&b"\x16\x03\x01"[..], ForeignProtocol::Tls),
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 25000 25\r\nEHLO c.example\r\n",
            ForeignProtocol::Proxy,
        ),
        (PROXY_HEADER, ForeignProtocol::Proxy),
        (b"GET / HTTP/1.1\r\n", ForeignProtocol::Http),
        (b"PUT a\nPUT b\r\n", ForeignProtocol::Http),
    ] {
        for (greeted, bytewise) in [(false, false), (true, false), (false, true), (true, true)] {
            if bytewise && bytes == PROXY_HEADER {
                continue;
            }
            let mut peer = Peer::silent(config()).deciding(move |_| match greeted {
                false => Decision::Hold,
                true => Decision::Accept,
            });
            peer.poll();
            let size = if bytewise { 1 } else { bytes.len() };
            let got: String = bytes.chunks(size).map(|it| peer.send_bytes(it)).collect();
            assert!(
                got.ends_with("521 5.5.1 This is SMTP, closing connection\r\n"),
                "{got}"
            );
            assert_eq!(peer.fault(), Some(Fault::ForeignProtocol(protocol)));
        }
    }
}

/// CMD-4, CMD-5: what another protocol sends after a line that is no command is told for what it is, and
/// what only begins as it would is an early talker's; at every split.
#[test]
fn what_was_sent_on_is_known_at_every_split() {
    let now = Duration::ZERO;
    for (bytes, end) in [
        ("*\r\nPUT a\nPUT b\r\n", "521 5.5.1 This is SMTP"),
        ("HELLO\r\nPUT a\nPUT b\r\n", "521 5.5.1 This is SMTP"),
        ("HELLO\r\nPUTS\r\n", "554 5.5.0 Sent on"),
        ("HELLO\r\nP\r\n", "554 5.5.0 Sent on"),
    ] {
        for size in 1..=bytes.len() {
            let mut server = End::new(Server::new(config(), now)).in_pieces(size);
            let mut got = Vec::new();
            for flight in ["", bytes] {
                server.feed(flight.as_bytes());
                let _ = server.hear(now, |server, event| {
                    event
                        .into_ticket()
                        .map_or(Ok(()), |it| server.accept(it))
                        .unwrap();
                });
                server.speak(now, &mut got);
            }
            let got = String::from_utf8(got).unwrap();
            let last = got.lines().last().unwrap();
            assert!(last.starts_with(end), "{size}: {got}");
        }
    }
}
