//! Command lines: how they end, how long they may be, and what is taken for one.

use crate::peer::{Decision, Peer, WAYS, config};
use smtp_proto::machine::Fault;
use smtp_proto::syntax::{Capabilities, Extension};

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
                for send in WAYS {
                    let mut peer = Peer::new(config());
                    peer.send(before);
                    let state = if before.is_empty() { "" } else { state };
                    peer.send(state);
                    peer.events();
                    let got = send(&mut peer, line);
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
                    assert_eq!(peer.fault(), Some(Fault::BareLineFeed));
                }
            }
        }
    }
}

/// The same within an authentication exchange; nothing of the response is shown (AUT-10).
#[cfg(feature = "auth")]
#[test]
fn a_bare_lf_in_a_response() {
    use smtp_proto::server::Event;
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
