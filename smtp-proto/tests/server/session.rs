//! Greeting, EHLO, QUIT, and the commands around transactions.

use core::time::Duration;

use crate::peer::{Decision, OFFER, Peer, config};
use smtp_proto::machine::Fault;
use smtp_proto::server::{Event, Server};
use smtp_proto::syntax::{Capabilities, Extension};

/// 5321-2.2.1-a, 5321-2.4-h, 2034-4-a, 5321-4.1.1.1-h, 5321-4.2-j, 5321-4.2.4-b, 2920-2-a,
/// 2920-3.2-e, 2920-3.2-j, 1870-7-b, 2034-4-c, X-25
#[test]
fn a_whole_session() {
    let mut peer = Peer::new(config());
    assert_eq!(peer.send("EHLO c.example\r\n"), OFFER);
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
        assert_eq!(peer.fault(), Some(Fault::ShutDown));
        assert!(peer.server.is_closed());
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

/// What is told of a refusal is what the client reads.
#[test]
fn refusals_are_told_as_they_are_given() {
    let now = Duration::ZERO;
    let mut server = Server::new(config().max_session_messages(0), now);
    let mut got = Vec::new();
    let mut told = Vec::new();
    for line in [
        "",
        "EHLO c.example\r\n",
        "FOO\r\nRCPT TO:<a@b.example>\r\nMAIL FROM:<>\r\n",
    ] {
        let mut input = line.as_bytes();
        while let Ok(Some(event)) = server.poll_event(&mut input, now) {
            match event {
                Event::Rejected { reply, .. } => told.extend_from_slice(reply.as_bytes()),
                event => drop(event.into_ticket().map(|ticket| server.accept(ticket))),
            }
        }
        got.clear();
        while let Some(transmit) = server.poll_transmit(now) {
            let (bytes, length) = (transmit.slices().concat(), transmit.len());
            got.extend(bytes);
            transmit.wrote(length, now);
        }
    }
    let got = String::from_utf8(got).unwrap();
    assert!(
        got.starts_with("500 ")
            && got.ends_with(" mx.example session limit reached, closing connection\r\n")
    );
    assert_eq!(String::from_utf8(told).unwrap(), got);
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
