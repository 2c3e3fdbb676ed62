//! Greeting, EHLO, syntax, and the commands around transactions.

use core::time::Duration;

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::{Fault, ForeignProtocol, Origin, limits};
use smtp_proto::server::{Event, ImproperPipelining, Server};
use smtp_proto::syntax::{Capabilities, Extension};
use smtp_proto::testing::End;

const NOW: Duration = Duration::ZERO;
const EHLO: &str = "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n\
                    250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 HELP\r\n";

/// 5321-2.2.1-a, 5321-2.4-h, 2034-4-a, 5321-4.1.1.1-h, 5321-4.2-j, 5321-4.2.4-b, 2920-2-a,
/// 2920-3.2-e, 2920-3.2-j, 1870-7-b, 2034-4-c, X-25
#[test]
fn a_whole_session() {
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("EHLO c.example\r\n"), EHLO);
    assert_eq!(
        peer.send("MAIL FROM:<a@c.example> SIZE=10\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"),
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n"
    );
    assert_eq!(
        peer.send("Hi\r\n..\r\n.\r\nQUIT\r\n"),
        "250 2.0.0 Message accepted\r\n221 2.0.0 mx.example closing connection\r\n"
    );
    assert_eq!(peer.content, b"Hi\r\n.\r\n");
    peer.poll();
    assert_eq!(
        peer.events(),
        [
            "ehlo c.example",
            "mail 1 <a@c.example> SIZE=10",
            "rcpt 1 <b@mx.example>",
            "data 1",
            "content 1",
            "message 1 7",
            "quit",
            "acknowledged 1 Sent",
            "closed",
        ]
    );
    assert!(peer.server.is_closed());
    assert_eq!(peer.error, None);
}

/// 5321-2.2.1-c, 5321-3.2-a, 1870-7-c, 2034-4-f, 5321-4.5.5-a
#[test]
fn helo_brings_no_extensions() {
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("HELO c.example\r\n"), "250 mx.example\r\n");
    assert_eq!(
        peer.send("MAIL FROM:<> SIZE=1\r\n"),
        "555 5.5.4 Parameter not offered\r\n"
    );
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
    assert_eq!(
        peer.events(),
        [
            "helo c.example",
            "rejected 555 MAIL FROM:<> SIZE=1",
            "mail 1 <>"
        ]
    );
}

/// 5321-2.2.1-a: EHLO is answered even if nothing is offered.
#[test]
fn ehlo_without_extensions() {
    let mut peer = Peer::new(config().offer(Capabilities::new()));
    assert_eq!(peer.send("EHLO c.example\r\n"), "250 mx.example\r\n");
}

/// 5321-3.1-a, 5321-3.1-b, X-44
#[test]
fn turned_away_until_quit() {
    let mut peer =
        Peer::silent(config()).deciding(|_| Decision::Reply("554 mx.example no service"));
    assert_eq!(peer.send(""), "554 mx.example no service\r\n");
    for command in [
        "EHLO c.example",
        "MAIL FROM:<>",
        "NOOP",
        "RSET",
        "FOO",
        "MAIL x",
    ] {
        assert_eq!(
            peer.send(&format!("{command}\r\n")),
            "503 5.3.2 No service, QUIT is all that is left\r\n",
            "{command}"
        );
    }
    assert_eq!(
        peer.send("BDAT 4\r\nQUIT"),
        "503 5.3.2 No service, QUIT is all that is left\r\n"
    );
    assert!(!peer.server.is_closed());
    assert_eq!(
        peer.send("QUIT\r\n"),
        "221 2.0.0 mx.example closing connection\r\n"
    );
    peer.poll();
    assert!(peer.server.is_closed());
}

/// X-44, 7504-3-a, 7504-3-b: 421 and 521 close at once.
#[test]
fn refused_and_closed() {
    for line in ["421 mx.example later", "521 mx.example never"] {
        let mut peer = Peer::silent(config()).deciding(move |_| Decision::Reply(line));
        assert_eq!(peer.send(""), format!("{line}\r\n"));
        peer.poll();
        assert_eq!(
            peer.error.as_ref().map(|it| it.fault()),
            Some(Fault::ShutDown)
        );
        assert!(peer.server.is_closed());
    }
}

/// 5321-3.3-e, 5321-4.1.2-f: what cannot be misread is taken unless the configuration says otherwise;
/// what no server takes is refused.
#[test]
fn syntax_that_every_server_takes() {
    let dialogue = [
        ("EHLO DESKTOP_7\r\n", "250-", "501 "),
        ("EHLO John's MacBook Pro\r\n", "250-", "501 "),
        ("EHLO host.example:25\r\n", "250-", "501 "),
        ("EHLO host.example.\r\n", "250-", "501 "),
        ("EHLO [2001:db8::1]\r\n", "250-", "501 "),
        ("EHLO a\tb\r\n", "501 ", "501 "),
        ("EHLO host.example\r\n", "250-", "250-"),
        ("MAIL FROM:\r\n", "501 ", "501 "),
        ("MAIL FROM:<a@b.example>SIZE=1\r\n", "501 ", "501 "),
        (
            "MAIL FROM:<a\u{200b}@b.example> SMTPUTF8\r\n",
            "501 ",
            "501 ",
        ),
        ("MAIL FROM: <a@b.example>   SIZE=1\r\n", "250 ", "501 "),
        ("RCPT TO:<c@d.example\r\n", "501 ", "501 "),
        ("RCPT TO:c@d.example\r\n", "250 ", "501 "),
        ("RCPT TO:<a..b@c_d.example.>\r\n", "250 ", "501 "),
    ];
    let offer = Capabilities::new()
        .with(Extension::Size)
        .with(Extension::SmtpUtf8);
    let mut tolerant = Peer::new(config().offer(offer.clone()));
    let mut strict = Peer::new(config().offer(offer).strict_syntax());
    for (line, tolerantly, strictly) in dialogue {
        assert_eq!(&tolerant.send(line)[..4], tolerantly, "{line}");
        assert_eq!(&strict.send(line)[..4], strictly, "{line}");
    }
    let told = tolerant.events();
    for event in [
        "ehlo John's MacBook Pro",
        "ehlo [2001:db8::1]",
        "mail 1 <a@b.example> SIZE=1",
        "rcpt 1 <c@d.example>",
        "rcpt 1 <a..b@c_d.example.>",
    ] {
        assert!(
            told.iter().any(|it| it.trim_end() == event),
            "{event}: {told:?}"
        );
    }
}

/// 5321-2.3.8-a, CMD-2, CMD-3, 5321-2.4-j, 5321-3.3-e, 5321-4.1.5-a, 5321-4.2.4-a, 5321-4.2.4-b,
/// 2033-4.1-c, 5321-F.1-a, 5321-F.6-a, 2920-3.2-f
#[test]
fn lines_that_are_no_commands() {
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("RSET\r\n"), "250 2.0.0 OK\r\n");
    for (line, answer) in [
        (&b"NOOP\rRSET\r\n"[..], "500"),
        (b"NOOP \x00\r\n", "501"),
        (b"MAIL\x0bFROM:<>\r\n", "500"),
        (b"MAIL FROM:\x0c<a@b>\r\n", "501"),
        (b"XYZZY\r\n", "500"),
        (b"RSETx\r\n", "500"),
        (b"DATA_\r\n", "500"),
        (b"NOOP_x y\r\n", "500"),
        (b"STARTTLS!\r\n", "500"),
        (b"MAIL:FROM:<>\r\n", "500"),
        (b"\r\n", "500"),
        (b"\x80\xff\r\n", "500"),
        (b"LHLO c.example\r\n", "500"),
        (b"SEND FROM:<a@b>\r\n", "500"),
        (b"TURN\r\n", "500"),
        (b"EXPN list\r\n", "502"),
        (b"STARTTLS\r\n", "502"),
        (b"AUTH PLAIN\r\n", "502"),
        (b"ETRN x\r\n", "502"),
        (b"DATA x\r\n", "501"),
        (b"QUIT now\r\n", "501"),
        (b"EHLO a\tb\r\n", "501"),
    ] {
        let got = peer.send_bytes(line);
        assert_eq!(&got[..3], answer, "{}", line.escape_ascii());
        assert_eq!(got.matches("\r\n").count(), 1, "{}", line.escape_ascii());
        let event = format!(
            "rejected {answer} {}",
            line[..line.len() - 2].escape_ascii()
        );
        assert_eq!(peer.events(), [event]);
    }
}

/// CMD-3, CMD-16, 5321-2.3.8-a: a bare LF in a command line, in any state: 500 that says so, then the
/// end. Nothing of the line is executed, and nothing after it.
#[test]
fn a_bare_lf_ends_the_session() {
    const REFUSAL: &str = "500 5.5.2 Line has a bare LF, closing connection\r\n";
    let group = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    let chunk = format!("{group}BDAT 1\r\nx");
    let failed = format!("{chunk}DATA\r\n");
    for before in ["", "EHLO c.example\r\n"] {
        for state in ["", group, &chunk, &failed] {
            for line in ["NOOP\n", "NOOP\nRSET\r\n", "MAIL FROM:<>\n\r\n", "\n"] {
                for bytewise in [false, true] {
                    let mut peer = Peer::new(config());
                    peer.send(before);
                    let state = if before.is_empty() { "" } else { state };
                    peer.send(state);
                    peer.events();
                    let got = match bytewise {
                        false => peer.send(line),
                        true => peer.trickle(line),
                    };
                    let told = line
                        .trim_start_matches("\r\r\n")
                        .split('\n')
                        .next()
                        .unwrap();
                    assert!(got.ends_with(REFUSAL), "{line:?}: {got}");
                    peer.poll();
                    let events = peer.events();
                    let rejected = format!("rejected 500 {told}");
                    assert!(events.contains(&rejected), "{line:?}: {events:?}");
                    assert!(!events.iter().any(|event| event.starts_with("mail")));
                    assert!(peer.server.is_closed());
                    assert_eq!(peer.error.unwrap().fault(), Fault::BareLineFeed);
                }
            }
        }
    }
}

/// The same within an authentication exchange; nothing of the response is shown (AUT-10).
#[cfg(feature = "auth")]
#[test]
fn a_bare_lf_in_a_response() {
    let config = config()
        .mechanisms(["PLAIN"])
        .unwrap()
        .allow_plain_text_auth();
    for line in ["c2VjcmV0\n", "c2VjcmV0\nRSET\r\n", "*\n\r\n"] {
        let mut peer = Peer::greeted(config.clone()).deciding(|event| match event {
            Event::Auth { .. } => Decision::Challenge(b""),
            _ => Decision::Accept,
        });
        assert_eq!(peer.send("AUTH PLAIN\r\n"), "334 \r\n");
        peer.events();
        assert_eq!(
            peer.send(line),
            "500 5.5.2 Line has a bare LF, closing connection\r\n"
        );
        peer.poll();
        assert_eq!(peer.events(), ["rejected 500 "], "{line:?}");
        let error = peer.error.unwrap();
        assert_eq!(error.fault(), Fault::BareLineFeed);
        assert_eq!(error.excerpt().as_bytes(), b"");
    }
}

/// A command that waits for a verdict is answered before, and no more of the line is told than its
/// limit.
#[test]
fn a_bare_lf_after_what_waits() {
    let mut peer = Peer::greeted(config()).deciding(|_| Decision::Hold);
    assert_eq!(peer.send("MAIL FROM:<>\r\nNOOP\n"), "");
    assert!(
        peer.accept("mail")
            .starts_with("250 2.1.0 Sender OK\r\n500 5.5.2 ")
    );
    let long = format!("{}\n", "x".repeat(5000));
    for pieces in [1, 5001] {
        let mut peer = Peer::greeted(config());
        for piece in long.as_bytes().chunks(long.len() / pieces) {
            peer.send_bytes(piece);
        }
        assert_eq!(peer.events(), ["rejected 500 "]);
    }
}

/// X-24, 2033-4.1-c: the reply names the verb that there is.
#[test]
fn lhlo_in_smtp() {
    let mut peer = Peer::new(config());
    let refusal = "500 5.5.1 This is SMTP, say EHLO\r\n";
    assert_eq!(peer.send("LHLO c.example\r\n"), refusal);
    assert_eq!(peer.send("LHLO\r\n"), refusal);
}

/// 5321-2.4-d, 5321-4.1.1-a, 5321-4.1.1.9-a
#[test]
fn a_line_ends_with_its_crlf() {
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("NOO"), "");
    assert_eq!(peer.send("P blah  \r"), "");
    assert_eq!(peer.send("\n"), "250 2.0.0 OK\r\n");
}

/// 5321-2.3.8-c, 5321-4.3.2-b, 5321-4.5.3-c, CMD-1
#[test]
fn over_long_lines() {
    let mut peer = Peer::new(config().max_command_line(512));
    let longest = format!("NOOP {}\r\n", "x".repeat(505));
    assert_eq!(longest.len(), 512);
    assert_eq!(peer.send(&longest), "250 2.0.0 OK\r\n");
    let longer = format!("NOOP {}\r\n", "x".repeat(506));
    assert_eq!(peer.send(&longer), "500 5.5.2 Line too long\r\n");
    assert_eq!(peer.trickle(&longer), "500 5.5.2 Line too long\r\n");
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(peer.send(&"x".repeat(60_000)), "");
    assert!(peer.unconsumed.is_empty());
    assert_eq!(
        peer.send(&"x".repeat(60_000)),
        "421 4.7.0 mx.example too many errors, closing connection\r\n"
    );
}

/// 5321-4.1.1.6-a, 5321-3.5.3-a, 5321-4.1.1.8-a, 5321-4.1.4-a, 5321-3.5.1-d, 5321-7.3-a, 2034-4-c
#[test]
fn side_questions_leave_the_transaction_alone() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(
        peer.send("VRFY jo@x.example\r\n"),
        "252 2.5.0 Not verified, but mail will be tried\r\n"
    );
    assert_eq!(peer.send("HELP MAIL\r\n"), "214 2.0.0 See RFC 5321\r\n");
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(
        peer.send("RCPT TO:<c@d.example>\r\n"),
        "250 2.1.5 Recipient OK\r\n"
    );
    assert_eq!(
        peer.events(),
        [
            "mail 1 <a@b.example>",
            "vrfy jo@x.example",
            "help Some(\"MAIL\")",
            "rcpt 1 <c@d.example>"
        ]
    );
}

/// 5321-3.5.2-b, 5321-3.5.1-c, 5321-4.1.1.1-h: EXPN goes where it is offered.
#[test]
fn expn_if_offered() {
    let mut peer = Peer::greeted(config().offer(Capabilities::new().with(Extension::Expn)))
        .deciding(|event| match event {
            Event::Expn { .. } => {
                Decision::Reply("250-2.1.0 <a@x.example>\n250 2.1.0 <b@x.example>")
            }
            _ => Decision::Accept,
        });
    assert_eq!(
        peer.send("EXPN list\r\n"),
        "250-2.1.0 <a@x.example>\r\n250 2.1.0 <b@x.example>\r\n"
    );
}

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
            peer.poll();
            let fault = peer.error.map(|it| it.fault());
            assert_eq!(fault, Some(Fault::ForeignProtocol(protocol)));
        }
    }
}

/// CMD-4, CMD-5: what another protocol sends after a line that is no command is told for what it is, and
/// what only begins as it would is an early talker's; at every split.
#[test]
fn what_was_sent_on_is_known_at_every_split() {
    for (bytes, end) in [
        ("*\r\nPUT a\nPUT b\r\n", "521 5.5.1 This is SMTP"),
        ("HELLO\r\nPUT a\nPUT b\r\n", "521 5.5.1 This is SMTP"),
        ("HELLO\r\nPUTS\r\n", "554 5.5.0 Sent on"),
        ("HELLO\r\nP\r\n", "554 5.5.0 Sent on"),
    ] {
        for size in 1..=bytes.len() {
            let mut server = End::new(Server::new(config(), NOW)).in_pieces(size);
            let mut got = Vec::new();
            for flight in ["", bytes] {
                server.feed(flight.as_bytes());
                let _ = server.hear(NOW, |server, event| {
                    event
                        .into_ticket()
                        .map_or(Ok(()), |it| server.accept(it))
                        .unwrap();
                });
                server.speak(NOW, &mut got);
            }
            let got = String::from_utf8(got).unwrap();
            let last = got.lines().last().unwrap();
            assert!(last.starts_with(end), "{size}: {got}");
        }
    }
}

/// What is told of a refusal is what the client reads.
#[test]
fn refusals_are_told_as_they_are_given() {
    let mut server = Server::new(config().max_session_messages(0), NOW);
    let mut got = Vec::new();
    let mut told = Vec::new();
    for line in [
        "",
        "EHLO c.example\r\n",
        "FOO\r\nRCPT TO:<a@b.example>\r\nMAIL FROM:<>\r\n",
    ] {
        let mut input = line.as_bytes();
        while let Ok(Some(event)) = server.poll_event(&mut input, NOW) {
            match event {
                Event::Rejected { reply, .. } => told.extend_from_slice(reply.as_bytes()),
                event => drop(event.into_ticket().map(|ticket| server.accept(ticket))),
            }
        }
        got.clear();
        while let Some(transmit) = server.poll_transmit(NOW) {
            let (bytes, length) = (transmit.slices().concat(), transmit.len());
            got.extend(bytes);
            transmit.wrote(length, NOW);
        }
    }
    let got = String::from_utf8(got).unwrap();
    assert!(
        got.starts_with("500 ")
            && got.ends_with(" mx.example session limit reached, closing connection\r\n")
    );
    assert_eq!(String::from_utf8(told).unwrap(), got);
}

/// CMD-5, 5321-3.1-c: whoever speaks before the greeting was written hears 554 in its place.
#[test]
fn early_talkers() {
    let mut peer = Peer::silent(config());
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    assert_eq!(peer.events(), ["connected"]);
}

/// CMD-5: also while the application still thinks about the greeting; its ticket expires.
#[test]
fn early_talkers_while_the_greeting_is_decided() {
    let mut peer = Peer::silent(config()).deciding(|_| Decision::Hold);
    assert_eq!(peer.send(""), "");
    assert_eq!(
        peer.send("E"),
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    let ticket = peer.ticket("connected");
    assert!(peer.server.accept(ticket).is_err());
    peer.poll();
    assert_eq!(peer.error.map(|it| it.fault()), Some(Fault::EarlyTalker));
}

/// CMD-6, 2920-3.1-c, X-2: nothing may follow EHLO, DATA, NOOP, VRFY, HELP in their group.
#[test]
fn improper_pipelining() {
    for first in [
        "EHLO c.example\r\n",
        "NOOP\r\n",
        "VRFY x\r\n",
        "HELP\r\n",
        "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n",
        "MAIL FROM:<>\r\nDATA\r\n",
    ] {
        let mut alone = Peer::greeted(config());
        let answers = alone.send(first);
        let mut peer = Peer::greeted(config());
        assert_eq!(
            peer.send(&format!("{first}RSET\r\n")),
            format!(
                "{answers}554 5.5.0 Sent on without waiting for the reply, \
                 closing connection\r\n"
            )
        );
        peer.poll();
        let error = peer.error.unwrap();
        assert_eq!(error.fault(), Fault::ImproperPipelining);
        assert_eq!(error.excerpt().as_bytes(), b"RSET\r\n");
    }
}

/// CMD-6: without PIPELINING, nothing may follow anything.
#[test]
fn pipelining_that_is_not_offered() {
    let mut peer = Peer::new(config());
    peer.send("HELO c.example\r\n");
    let got = peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    assert_eq!(
        got,
        "250 2.1.0 Sender OK\r\n\
         554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
}

/// CMD-6: the end of a content is no command. Postfix and Exim take what comes along with it after HELO,
/// too: old programs send QUIT so.
#[test]
fn a_command_along_with_the_end_of_a_content() {
    const QUIT: &str = "221 2.0.0 mx.example closing connection\r\n";
    for (content, verdict) in [
        ("x\r\n.\r\n", "250 2.0.0 Message accepted\r\n"),
        ("x\rx\r\n.\r\n", "550 5.6.0 Content has a bare CR or LF\r\n"),
    ] {
        for (after, replies) in [
            ("QUIT\r\n", QUIT),
            ("MAIL FROM:<>\r\n", "250 2.1.0 Sender OK\r\n"),
            (
                "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n",
                "250 2.1.0 Sender OK\r\n\
                 554 5.5.0 Sent on without waiting for the reply, closing connection\r\n",
            ),
        ] {
            let mut peer = Peer::new(config());
            for line in ["HELO c", "MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA"] {
                peer.send(&format!("{line}\r\n"));
            }
            let got = peer.send(&format!("{content}{after}"));
            assert_eq!(got, format!("{verdict}{replies}"));
        }
    }
}

/// X-40: tolerated, each command gets its turn.
#[test]
fn tolerated_pipelining() {
    let mut peer = Peer::silent(config().improper_pipelining(ImproperPipelining::Tolerate));
    let got = peer.send("EHLO c.example\r\nMAIL FROM:<>\r\nNOOP\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
    assert_eq!(
        got,
        format!(
            "220 mx.example ESMTP\r\n{EHLO}250 2.1.0 Sender OK\r\n250 2.0.0 OK\r\n\
             250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n\
             250 2.0.0 Message accepted\r\n221 2.0.0 mx.example closing connection\r\n"
        )
    );
}

/// CMD-7, 5321-4.1.1.10-a
#[test]
fn nothing_after_quit() {
    let mut peer = Peer::greeted(config());
    assert_eq!(
        peer.send("MAIL FROM:<>\r\nQUIT\r\nMAIL FROM:<>\r\n"),
        "250 2.1.0 Sender OK\r\n221 2.0.0 mx.example closing connection\r\n"
    );
    assert_eq!(peer.send("NOOP\r\n"), "");
    assert_eq!(
        peer.events(),
        ["mail 1 <>", "quit", "reset 1 Quit", "closed"]
    );
}

/// 5321-4.1.1.11-a, CMD-13, 1870-3-b, 1870-6-a, 1870-6.1-a, 6152-2-a, 3030-3-b, 6531-3.1-c, CMD-12,
/// 5321-2.2.2-b, 2920-2-a, 6152-3-a, 6531-3.2-g, 6531-3.5-a, 6531-3.6-a
#[test]
fn parameters() {
    let offered = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking)
        .with(Extension::Size)
        .with(Extension::SmtpUtf8)
        .with(Extension::Dsn)
        .with_keyword("XFOO", "")
        .unwrap();
    let mut peer = Peer::greeted(config().offer(offered).max_message_size(100_000));
    for (line, code) in [
        ("MAIL FROM:<> FOO=1", "555"),
        ("MAIL FROM:<> NOTIFY=NEVER", "555"),
        ("MAIL FROM:<> DSN", "555"),
        ("MAIL FROM:<> PIPELINING", "555"),
        ("MAIL FROM:<> AUTH=<>", "555"),
        ("MAIL FROM:<> BODY=BINARYMIME", "555"),
        ("MAIL FROM:<> BODY=FOO", "501"),
        ("MAIL FROM:<> BODY=7BIT BODY=7BIT", "501"),
        ("MAIL FROM:<> SIZE=", "501"),
        ("MAIL FROM:<> SIZE=-1", "501"),
        ("MAIL FROM:<> SIZE=1 size=2", "501"),
        ("MAIL FROM:<> SIZE=99999999999999999999", "552"),
        ("MAIL FROM:<> SIZE=999999999999999999999", "501"),
        ("MAIL FROM:<> SIZE=100001", "552"),
        ("MAIL FROM:<> SMTPUTF8=1", "501"),
        ("MAIL FROM:<> RET=ALL", "501"),
        ("MAIL FROM:<> RET", "501"),
        ("MAIL FROM:<> ENVID=+0", "501"),
        ("MAIL FROM:<δ@x.example>", "550"),
        (
            "MAIL FROM:<δ@x.example> SMTPUTF8 body=8bitmime RET=HDRS XFOO=1 SIZE=100000",
            "250",
        ),
        ("RCPT TO:<a@b.example> FOO", "555"),
        ("RCPT TO:<a@b.example> RET=HDRS", "555"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER", "501"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501"),
        ("RCPT TO:<a@b.example> ORCPT=rfc822", "501"),
        ("RCPT TO:<a@b.example> ORCPT=;x", "501"),
        (
            "RCPT TO:<δ@b.example> NOTIFY=delay,SUCCESS ORCPT=utf-8;δ@b.example",
            "250",
        ),
    ] {
        assert_eq!(&peer.send(&format!("{line}\r\n"))[..3], code, "{line}");
        // An accepted message clears the count of errors.
        if code == "552" {
            peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 0 LAST\r\n");
            peer.send("RSET\r\n");
        }
    }
}

/// INJ-4, 6531-3.4-b, 5321-2.4-g, 6531-3.5-a, X-27
#[test]
fn recipients_that_need_smtputf8() {
    let mut peer = Peer::greeted(config().offer(Capabilities::new().with(Extension::SmtpUtf8)));
    peer.send("MAIL FROM:<a@x.example>\r\n");
    assert_eq!(
        peer.send("RCPT TO:<δ@x.example>\r\n"),
        "553 5.6.7 Address needs SMTPUTF8\r\n"
    );
}

/// INJ-4: such a sender begins no transaction, and such a recipient leaves the one there is as it was.
#[test]
fn addresses_that_need_smtputf8_change_nothing() {
    for offer in [
        Capabilities::new().with(Extension::Size),
        Capabilities::new().with(Extension::SmtpUtf8),
    ] {
        let mut peer = Peer::greeted(config().offer(offer));
        let reply = peer.send("MAIL FROM:<δ@x.example>\r\n");
        assert!(reply.starts_with("55"), "{reply}");
        assert_eq!(
            peer.send("RCPT TO:<b@x.example>\r\n"),
            "503 5.5.1 Bad sequence of commands\r\n"
        );
        peer.send("MAIL FROM:<a@x.example>\r\n");
        peer.send("RCPT TO:<b@x.example>\r\n");
        let reply = peer.send("RCPT TO:<δ@x.example>\r\n");
        assert!(reply.starts_with("55"), "{reply}");
        peer.events();
        assert_eq!(
            peer.send("DATA\r\n"),
            "354 End content with <CRLF>.<CRLF>\r\n"
        );
        peer.send("x\r\n.\r\n");
        assert_eq!(peer.events(), ["data 1", "content 1", "message 1 3"]);
    }
}

/// 3207-4.2-c, 9422-3.6-b: what is offered may change for one session.
#[test]
fn offers_of_one_session() {
    let mut peer = Peer::new(config());
    peer.server.offer(Capabilities::new().with(Extension::Size));
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 SIZE 10240000\r\n"
    );
    // 1870-6.1-a: a number stands, and what is announced is taken.
    peer.server.offer(Capabilities::new().with_size(99));
    peer.send("MAIL FROM:<> SIZE=100\r\n");
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 SIZE 99\r\n"
    );
    assert_eq!(&peer.send("MAIL FROM:<> SIZE=100\r\n")[..3], "552");
    peer.server.offer(None);
    peer.send("MAIL FROM:<> SIZE=99\r\n");
    peer.send("RCPT TO:<a@b.example>\r\n");
    peer.send("DATA\r\n");
    let content = format!("{}\r\n.\r\n", "x".repeat(98));
    assert_eq!(&peer.send(&content)[..3], "552");
    assert_eq!(peer.send("EHLO c.example\r\n"), EHLO);
}

/// The trace shows lines and counts content; credentials stay out of it (AUT-10).
#[test]
fn a_trace_without_secrets() {
    let mut peer = Peer::new(config().traced());
    peer.send("EHLO c.example\r\n");
    peer.send("auth PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n");
    peer.send("secret\r\n.\r\nBDAT 3\r\nabc");
    let mut lines = Vec::new();
    while let Some(entry) = peer.server.poll_trace() {
        let origin = match entry.origin {
            Origin::Local => "S",
            _ => "C",
        };
        lines.push(format!("{} {origin}: {}", entry.round_trips, entry.what));
    }
    assert_eq!(
        lines,
        [
            "0 S: 220 mx.example ESMTP",
            "1 C: EHLO c.example",
            "1 S: 250-mx.example",
            "1 S: 250-PIPELINING",
            "1 S: 250-SIZE 10240000",
            "1 S: 250-8BITMIME",
            "1 S: 250-ENHANCEDSTATUSCODES",
            "1 S: 250-CHUNKING",
            "1 S: 250 HELP",
            "2 C: AUTH ***",
            "2 S: 502 5.5.1 Command not implemented",
            "3 C: MAIL FROM:<>",
            "3 S: 250 2.1.0 Sender OK",
            "3 C: RCPT TO:<a@b.example>",
            "3 S: 250 2.1.5 Recipient OK",
            "3 C: DATA",
            "3 S: 354 End content with <CRLF>.<CRLF>",
            "4 C: [8 bytes of content]",
            "4 S: 250 2.0.0 Message accepted",
            "4 C: BDAT 3",
            "4 C: [3 bytes of content]",
            "4 S: 503 5.5.1 Bad sequence of commands",
        ]
    );
}

/// What is too long to be a command, or has not come to its end, is in the trace by its beginning, however
/// it comes.
#[test]
fn a_trace_shows_what_is_no_line() {
    let remote = |peer: &mut Peer| -> Vec<String> {
        let trace = std::iter::from_fn(|| peer.server.poll_trace());
        let remote = trace.filter(|it| it.origin == Origin::Remote);
        remote.map(|it| it.what.to_string()).collect()
    };
    let long = "x".repeat(5000);
    let shown = &long[..limits::TRACED_UNREADABLE - 5];
    let lines = format!("NOOP {long}\r\nNOOP\r\nAUTH PLAIN {long}\r\nRSE");
    let tolerant = config().improper_pipelining(ImproperPipelining::Tolerate);
    for bytewise in [false, true] {
        let mut peer = Peer::new(tolerant.clone().traced());
        match bytewise {
            true => peer.trickle(&lines),
            false => peer.send(&lines),
        };
        peer.server.handle_eof();
        peer.poll();
        assert_eq!(
            remote(&mut peer),
            [
                &format!("[unreadable: NOOP {shown}...]"),
                "NOOP",
                "[unreadable: AUTH ***]",
                "[unreadable: RSE]",
            ]
        );
    }
    // It is there before its end comes.
    let mut peer = Peer::new(config().traced());
    peer.send(&long);
    let shown = &long[..limits::TRACED_UNREADABLE];
    assert_eq!(remote(&mut peer), [format!("[unreadable: {shown}...]")]);
}
