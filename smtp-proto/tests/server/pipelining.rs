//! Clients that do not wait where they must (RFC 2920 3.1), before the greeting and after it.

use crate::peer::{Decision, OFFER, Peer, config};
use smtp_proto::machine::Fault;
use smtp_proto::server::ImproperPipelining;

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
    assert_eq!(peer.fault(), Some(Fault::EarlyTalker));
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

/// tolerated, each command gets its turn.
#[test]
fn tolerated_pipelining() {
    let mut peer = Peer::silent(config().improper_pipelining(ImproperPipelining::Tolerate));
    let got = peer.send("EHLO c.example\r\nMAIL FROM:<>\r\nNOOP\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
    assert_eq!(
        got,
        format!(
            "220 mx.example ESMTP\r\n{OFFER}250 2.1.0 Sender OK\r\n250 2.0.0 OK\r\n\
             250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n\
             250 2.0.0 Message accepted\r\n221 2.0.0 mx.example closing connection\r\n"
        )
    );
}
