//! The trace of the dialogue.

use crate::peer::{Peer, WAYS, config};
use smtp_proto::machine::{Origin, limits};
use smtp_proto::server::ImproperPipelining;

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
    for send in WAYS {
        let mut peer = Peer::new(tolerant.clone().traced());
        send(&mut peer, &lines);
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
