//! STARTTLS and implicit TLS.

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::{Fault, Misuse, TlsInfo};
use smtp_proto::server::{Event, ImproperPipelining, Tls};
use smtp_proto::syntax::{Capabilities, Extension};

const EARLY: &str = "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n";
const START: &str = "220 2.0.0 Ready to start TLS\r\n";

fn offering() -> Peer {
    Peer::greeted(config().tls(Tls::Offered))
}

/// 3207-2-a, 3207-4.2-a, 3207-4.2-d, X-15, X-16, TLS-4, TLS-5, 2034-4-c
#[test]
fn a_session_starts_afresh_under_tls() {
    let mut peer = Peer::new(config().tls(Tls::Offered));
    assert!(peer.send("EHLO c.example\r\n").contains("STARTTLS\r\n"));
    assert_eq!(&peer.send("STARTTLS x\r\n")[..3], "501");
    peer.send("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(&peer.send("STARTTLS\r\n")[..3], "503");
    peer.send("RSET\r\n");
    assert!(!peer.server.wants_tls());
    peer.events();
    assert_eq!(peer.send("STARTTLS\r\n"), START);
    assert_eq!(peer.events(), ["starttls"]);
    assert!(peer.server.wants_tls() && !peer.server.wants_read());
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    assert!(!peer.server.wants_tls() && peer.server.wants_read());
    assert_eq!(peer.send(""), "");
    assert_eq!(&peer.send("MAIL FROM:<a@b.example>\r\n")[..3], "503");
    let answer = peer.send("EHLO c.example\r\n");
    assert!(answer.starts_with("250-mx.example\r\n") && !answer.contains("STARTTLS"));
    assert_eq!(&peer.send("STARTTLS\r\n")[..3], "503");
    assert_eq!(&peer.send("MAIL FROM:<a@b.example>\r\n")[..3], "250");
    assert_eq!(
        peer.server.tls_established(TlsInfo::default(), peer.now),
        Err(Misuse::NoHandshake)
    );
    peer.server.tls_failed();
    assert_eq!(&peer.send("RSET\r\n")[..3], "250");
}

/// 3207-4-a: the application has no TLS just now, or does not say.
#[test]
fn tls_refused() {
    let mut peer = offering().deciding(|_| Decision::Reply("454 no certificate"));
    assert_eq!(peer.send("STARTTLS\r\n"), "454 4.0.0 no certificate\r\n");
    assert!(!peer.server.wants_tls());
    let mut peer = peer.deciding(|_| Decision::Hold);
    assert_eq!(peer.send("STARTTLS\r\n"), "");
    let ticket = peer.ticket("starttls");
    let refused = peer.server.reply(ticket, crate::peer::reply("220 go"));
    assert_eq!(refused.unwrap_err().misuse, Misuse::WrongReplyClass);
    assert_eq!(
        peer.wait(240),
        "454 4.7.0 TLS not available, try again later\r\n"
    );
    assert_eq!(&peer.send("NOOP\r\n")[..3], "250");
}

/// TLS-1, TLS-3, 3207-4-h, X-14, CVE-2011-0411: in one read, in two, byte by byte; whatever
/// becomes of other clients that do not wait.
#[test]
fn bytes_after_starttls() {
    let policies = [ImproperPipelining::Refuse, ImproperPipelining::Tolerate];
    for command in ["STARTTLS\r\n", "starttls  \r\n"] {
        for policy in policies {
            for trickle in [false, true] {
                let config = config().tls(Tls::Offered).improper_pipelining(policy);
                let mut peer = Peer::greeted(config);
                let wire = format!("{command}EHLO evil.example\r\n");
                let got = if trickle {
                    // What the transport takes, it takes late.
                    for byte in wire.as_bytes() {
                        peer.unconsumed.push(*byte);
                        peer.poll();
                    }
                    peer.read()
                } else {
                    peer.send(&wire)
                };
                assert_eq!(got, EARLY);
                peer.poll();
                assert_eq!(peer.events(), ["starttls"]);
                assert_eq!(peer.fault(), Some(Fault::BytesBeforeTls));
                assert!(peer.server.is_closed() && !peer.server.wants_tls());
            }
        }
    }
}

/// TLS-3: after STARTTLS while its verdict is due.
#[test]
fn bytes_before_the_verdict_over_starttls() {
    let mut peer = offering().deciding(|_| Decision::Hold);
    assert_eq!(peer.send("STARTTLS\r\n"), "");
    assert_eq!(peer.send("R"), EARLY);
    let ticket = peer.ticket("starttls");
    let refused = peer.server.accept(ticket).unwrap_err();
    assert_eq!(refused.misuse, Misuse::Expired);
    assert_eq!(peer.fault(), Some(Fault::BytesBeforeTls));
}

/// TLS-2, design 4.3: bytes in clear while the 220 is on its way, or after it. Nothing is written
/// after what was written of it.
#[test]
fn bytes_before_the_reply_is_written() {
    for written in 0..=START.len() {
        let mut peer = offering().deciding(|_| Decision::Accept);
        peer.unconsumed.extend_from_slice(b"STARTTLS\r\n");
        peer.poll();
        let transmit = peer.server.poll_transmit(peer.now).unwrap();
        assert_eq!(transmit.slices().concat(), START.as_bytes());
        transmit.wrote(written, peer.now);
        assert_eq!(peer.server.wants_tls(), written == START.len());
        peer.unconsumed.extend_from_slice(b"RSET\r\n");
        peer.poll();
        assert_eq!(peer.read(), if written == 0 { EARLY } else { "" });
        assert_eq!(peer.fault(), Some(Fault::BytesBeforeTls));
        assert!(peer.server.is_closed() && !peer.server.wants_tls());
        assert_eq!(peer.events(), ["starttls"]);
    }
}

/// A handshake that fails, takes too long, or comes to an end of the connection says nothing more in
/// clear.
#[test]
fn handshakes_that_fail() {
    let begin = || {
        let mut peer = offering();
        peer.send("STARTTLS\r\n");
        assert!(peer.server.wants_tls());
        peer
    };
    let check = |mut peer: Peer, expected: Fault| {
        peer.poll();
        assert_eq!(peer.read(), "");
        assert_eq!(peer.fault(), Some(expected));
        assert!(peer.server.is_closed() && !peer.server.wants_tls());
        assert_eq!(peer.server.poll_timeout(), None);
        let established = peer.server.tls_established(TlsInfo::default(), peer.now);
        assert_eq!(established, Err(Misuse::NoHandshake));
    };
    let mut peer = begin();
    peer.server.tls_failed();
    check(peer, Fault::TlsFailed);
    let mut peer = begin();
    peer.server.handle_eof();
    check(peer, Fault::ConnectionLost);
    let mut peer = begin();
    let down = crate::peer::reply("421 mx.example down");
    peer.server.shut_down(down).unwrap();
    check(peer, Fault::ShutDown);
    let mut peer = begin();
    assert_eq!(peer.wait(299), "");
    assert!(peer.server.wants_tls());
    assert_eq!(peer.wait(1), "");
    assert!(matches!(peer.fault(), Some(Fault::TimedOut(_))));
}

/// A shutdown between the acceptance and the writing of the 220 takes its place.
#[test]
fn shut_down_instead_of_tls() {
    let mut peer = offering();
    peer.unconsumed.extend_from_slice(b"STARTTLS\r\n");
    peer.poll();
    let down = crate::peer::reply("421 4.3.2 mx.example down");
    peer.server.shut_down(down).unwrap();
    assert_eq!(peer.read(), "421 4.3.2 mx.example down\r\n");
}

/// The verdicts that STARTTLS waits for leave before its reply, and stay if that is taken back.
#[test]
fn starttls_waits_for_all_verdicts() {
    let mut peer = Peer::greeted(config().tls(Tls::Offered)).deciding(|event| match event {
        Event::Message { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 1 LAST\r\nxSTARTTLS\r\n");
    assert!(!peer.events().contains(&"starttls".into()));
    let ticket = peer.ticket("message");
    peer.server.accept(ticket).unwrap();
    peer.poll();
    peer.unconsumed.extend_from_slice(b"x");
    peer.poll();
    assert_eq!(
        peer.read(),
        format!("250 2.0.0 Message accepted\r\n{EARLY}")
    );
}

/// The handshake proves that the client knows of what was accepted before.
#[test]
fn tls_acknowledges_messages() {
    let mut peer = offering();
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 1 LAST\r\nx");
    peer.send("STARTTLS\r\n");
    peer.events();
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    peer.poll();
    assert_eq!(peer.events(), ["acknowledged 1 Confirmed"]);
}

/// 3207-4-d, X-26, X-6, 3207-6-a
#[test]
fn tls_required() {
    let mut peer = Peer::new(config().tls(Tls::Required));
    let refusal = "530 5.7.0 Issue STARTTLS first\r\n";
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), refusal);
    assert_eq!(&peer.send("EHLO c.example\r\n")[..3], "250");
    for command in [
        "HELO c.example\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@b.example>\r\n",
        "DATA\r\n",
        "BDAT 6\r\nQUIT\r\n",
        "RSET\r\n",
        "VRFY x\r\n",
        "HELP\r\n",
    ] {
        assert_eq!(peer.send(command), refusal, "{command}");
    }
    assert_eq!(&peer.send("NOOP\r\n")[..3], "250");
    peer.events();
    assert_eq!(peer.send("STARTTLS\r\n"), START);
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    peer.send("EHLO c.example\r\n");
    assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "250");
    let mut peer = Peer::new(config().tls(Tls::Required));
    assert_eq!(&peer.send("QUIT\r\n")[..3], "221");
}

/// A client that never heeds 530 is cut off; a whole group counts once.
#[test]
fn tls_required_and_ignored() {
    let mut peer = Peer::greeted(config().tls(Tls::Required).max_errors(3));
    let group = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n";
    for _ in 0..2 {
        assert_eq!(peer.send(group).matches("530").count(), 4);
    }
    let got = peer.send(group);
    assert!(
        got.contains("421 4.7.0 mx.example too many errors"),
        "{got}"
    );
}

/// 8314-3.3-a, 8314-3.3-c
#[test]
fn implicit_tls() {
    let mut peer = Peer::silent(config().tls(Tls::Implicit));
    assert!(peer.server.wants_tls() && !peer.server.wants_read());
    assert_eq!(peer.wait(200), "");
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    // The time for the greeting begins only now.
    assert_eq!(peer.wait(100), "220 mx.example ESMTP\r\n");
    assert_eq!(peer.events(), ["connected"]);
    let answer = peer.send("EHLO c.example\r\n");
    assert!(!answer.contains("STARTTLS"));
    assert_eq!(&peer.send("STARTTLS\r\n")[..3], "503");
}

/// Without a handshake there is no word in clear.
#[test]
fn implicit_tls_that_fails() {
    let mut peer = Peer::silent(config().tls(Tls::Implicit));
    assert_eq!(peer.wait(300), "");
    assert!(matches!(peer.fault(), Some(Fault::TimedOut(_))));
    assert!(peer.server.is_closed());
    assert_eq!(peer.events(), [""; 0]);
    let mut peer = Peer::silent(config().tls(Tls::Implicit));
    assert_eq!(peer.send("EHLO c.example\r\n"), "");
    assert_eq!(peer.fault(), Some(Fault::BytesBeforeTls));
    assert!(peer.server.is_closed());
}

/// What was taken back is not in the trace.
#[test]
fn the_trace_of_a_reply_taken_back() {
    let mut peer = Peer::new(config().tls(Tls::Offered).traced());
    peer.send("EHLO c.example\r\n");
    while peer.server.poll_trace().is_some() {}
    peer.send("STARTTLS\r\nAUTH PLAIN secret\r\n");
    let mut lines = Vec::new();
    while let Some(entry) = peer.server.poll_trace() {
        lines.push(entry.what.to_string());
    }
    assert_eq!(lines, ["STARTTLS", EARLY.trim_end()]);
    peer.poll();
    let error = peer.error.unwrap();
    assert_eq!(error.excerpt().as_bytes(), b"AUTH PLAIN");
}

/// 8689-2-c, 3207-4.2-d, 8689-4.1-a: what depends on TLS is not the application's to offer.
#[test]
fn offers_that_depend_on_tls() {
    let offered = Capabilities::new()
        .with(Extension::RequireTls)
        .with(Extension::StartTls)
        .with(Extension::Auth);
    let mut peer = Peer::new(config().offer(offered.clone()).tls(Tls::Offered));
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 STARTTLS\r\n"
    );
    assert_eq!(&peer.send("MAIL FROM:<> REQUIRETLS\r\n")[..3], "555");
    assert_eq!(&peer.send("MAIL FROM:<> AUTH=<>\r\n")[..3], "555");
    peer.send("STARTTLS\r\n");
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    peer.server.offer(offered);
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 REQUIRETLS\r\n"
    );
    assert_eq!(&peer.send("MAIL FROM:<> REQUIRETLS\r\n")[..3], "250");
}
