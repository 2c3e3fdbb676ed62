//! XCLIENT and XFORWARD.

use crate::peer::{Decision, Peer, config};
use smtp_proto::server::{Config, Event};
use smtp_proto::syntax::{Capabilities, Extension};

const MISPLACED: &str = "503 5.5.1 Bad sequence of commands\r\n";

fn offering() -> Config {
    let offer = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::EnhancedStatusCodes)
        .with_keyword("XCLIENT", "NAME ADDR LOGIN")
        .unwrap()
        .with_keyword("XFORWARD", "NAME ADDR IDENT")
        .unwrap();
    config().offer(offer)
}

/// XCLIENT-c, X-25: 220 without an enhanced code, and the client has to say EHLO again.
#[test]
fn xclient_begins_afresh() {
    let mut peer = Peer::greeted(offering());
    assert_eq!(
        peer.trickle("XCLIENT NAME=a.example ADDR=192.0.2.1\r\n"),
        "220 mx.example ESMTP\r\n"
    );
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), MISPLACED);
    assert!(peer.send("EHLO a.example\r\n").starts_with("250-"));
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
    assert_eq!(peer.send("XCLIENT NAME=x\r\n"), MISPLACED);
    assert_eq!(
        peer.events(),
        [
            "XCLIENT \"NAME=a.example ADDR=192.0.2.1\"",
            "rejected 503 MAIL FROM:<>",
            "ehlo a.example",
            "mail 1 <>",
            "rejected 503 XCLIENT NAME=x"
        ]
    );
}

/// XCLIENT-c: malformed, refused, refused for the client that it speaks for.
#[test]
fn xclient_refused() {
    for line in ["XCLIENT", "XCLIENT NAME", "XCLIENT IDENT=x"] {
        let mut peer = Peer::greeted(offering());
        assert_eq!(
            peer.send(&format!("{line}\r\n")),
            "501 5.5.4 Syntax error in the argument\r\n"
        );
    }
    for (reply, closes) in [("550 5.7.0 Not you", false), ("421 4.3.2 Later", true)] {
        let mut peer = Peer::greeted(offering()).deciding(move |event| match event {
            Event::XClient { .. } => Decision::Reply(reply),
            _ => Decision::Accept,
        });
        assert_eq!(
            peer.send("XCLIENT ADDR=192.0.2.1\r\n"),
            format!("{reply}\r\n")
        );
        peer.poll();
        assert_eq!(peer.server.is_closed(), closes);
        if !closes {
            assert!(peer.send("MAIL FROM:<>\r\n").starts_with("250"));
        }
    }
    // What is no greeting does not answer it.
    let mut peer = Peer::greeted(offering()).deciding(|_| Decision::Hold);
    peer.send("XCLIENT ADDR=192.0.2.1\r\n");
    let ticket = peer.ticket("XCLIENT");
    let refused = peer.server.reply(ticket, crate::peer::reply("250 x"));
    let ticket = refused.unwrap_err().ticket;
    let greeting = crate::peer::reply("220 mx.example hello again");
    peer.server.reply(ticket, greeting).unwrap();
    assert_eq!(peer.read(), "220 mx.example hello again\r\n");
}

/// XCLIENT-e: offered to nobody by default; to one connection by its own offer.
#[test]
fn xclient_for_some() {
    let mut peer = Peer::greeted(config());
    assert!(peer.send("XCLIENT NAME=x\r\n").starts_with("502"));
    let offer = Capabilities::new().with(Extension::XClient);
    peer.server.offer(offer);
    // What was said stands until EHLO comes again.
    assert!(peer.send("XCLIENT NAME=x\r\n").starts_with("502"));
    peer.send("EHLO c.example\r\n");
    assert!(peer.send("XCLIENT NAME=x\r\n").starts_with("220"));
}

/// XCLIENT-c, XCLIENT-d: attributes in several lines come together; LOGIN stands for AUTH.
#[cfg(feature = "auth")]
#[test]
fn xclient_in_several_lines() {
    let mut peer = Peer::greeted(offering().require_auth());
    assert!(peer.send("MAIL FROM:<>\r\n").starts_with("530"));
    assert_eq!(
        peer.send("XCLIENT LOGIN=jo\r\nXCLIENT ADDR=192.0.2.1\r\n"),
        "220 mx.example ESMTP\r\n220 mx.example ESMTP\r\n"
    );
    peer.send("EHLO a.example\r\n");
    assert!(peer.send("MAIL FROM:<>\r\n").starts_with("250"));
    peer.send("RSET\r\n");
    peer.send("XCLIENT LOGIN=[UNAVAILABLE]\r\n");
    peer.send("EHLO a.example\r\n");
    assert!(peer.send("MAIL FROM:<>\r\n").starts_with("530"));
}

/// XFORWARD-b, XFORWARD-c: in the group of the transaction, before it and not inside.
#[test]
fn xforward() {
    let mut peer = Peer::greeted(offering());
    assert_eq!(
        peer.send(
            "XFORWARD NAME=a.example\r\nXFORWARD IDENT=4F3A\r\nMAIL FROM:<>\r\n\
             RCPT TO:<b@c.example>\r\nXFORWARD NAME=x\r\nDATA\r\n"
        ),
        format!(
            "250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 2.1.0 Sender OK\r\n\
             250 2.1.5 Recipient OK\r\n{MISPLACED}354 End content with <CRLF>.<CRLF>\r\n"
        )
    );
    assert_eq!(
        peer.events()[..4],
        [
            "XFORWARD \"NAME=a.example\"",
            "XFORWARD \"IDENT=4F3A\"",
            "mail 1 <>",
            "rcpt 1 <b@c.example>"
        ]
    );
    let mut peer = Peer::greeted(offering()).deciding(|event| match event {
        Event::XForward { .. } => Decision::Reply("550 Not you"),
        _ => Decision::Accept,
    });
    assert_eq!(peer.send("XFORWARD NAME=a\r\n"), "550 5.0.0 Not you\r\n");
    assert_eq!(
        peer.trickle("XFORWARD LOGIN=a\r\n"),
        "501 5.5.4 Syntax error in the argument\r\n"
    );
    let mut peer = Peer::new(offering());
    assert_eq!(peer.send("XFORWARD NAME=a\r\n"), MISPLACED);
}
