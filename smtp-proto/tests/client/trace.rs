//! The trace of the dialogue.

use crate::dialogue::{Dialogue, ONE, config};
use smtp_proto::{
    client::{Pipelining, Tls},
    machine::{Fault, limits},
};

/// The trace shows who said what in which flight, and counts content.
#[test]
fn the_trace_marks_flights() {
    let config = config(Pipelining::LookAhead).traced();
    let mut d = Dialogue::begin_with(config, &["PIPELINING"]);
    d.submit("a@example.org", &ONE);
    d.client.quit();
    d.written();
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.written();
    d.says("250 taken\r\n221 bye\r\n");
    let lines: Vec<_> = std::iter::from_fn(|| d.client.poll_trace())
        .map(|entry| format!("{} {:?} {}", entry.round_trips, entry.origin, entry.what))
        .collect();
    assert_eq!(
        lines,
        [
            "0 Remote 220 server.example",
            "1 Local EHLO client.example",
            "1 Remote 250-server.example",
            "1 Remote 250-PIPELINING",
            "1 Remote 250 HELP",
            "2 Local MAIL FROM:<a@example.org>",
            "2 Local RCPT TO:<b@example.net>",
            "2 Local DATA",
            "2 Remote 250 ok",
            "3 Remote 250 ok",
            "3 Remote 354 go",
            "3 Local [20 bytes of content]",
            "3 Local .",
            "3 Local QUIT",
            "3 Remote 250 taken",
            "4 Remote 221 bye",
        ]
    );
}

/// So it does of what is no reply: escaped, and no more than one sees at a glance.
#[test]
fn the_trace_shows_what_cannot_be_read() {
    let trace_of = |says: &[u8], is_at_end: bool| {
        let mut d = Dialogue::with(config(Pipelining::LookAhead).traced());
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        d.feed(says);
        if is_at_end {
            d.hangs_up();
        }
        assert!(d.error.is_some());
        let entries = std::iter::from_fn(|| d.client.poll_trace()).skip(2);
        let lines: Vec<_> = entries.map(|entry| entry.what.to_string()).collect();
        lines
    };
    let unreadable = |bytes: &str| format!("[unreadable: {bytes}]");
    for (says, before, bytes) in [
        (&b"<html>\r\n"[..], &[][..], "<html>\\r\\n"),
        (
            b"250-x\r\n250-HELP\r\n25\xff \x1b[2J\nmore\r\n",
            &["250-x", "250-HELP"],
            "25\\xff \\x1b[2J\\nmore\\r\\n",
        ),
        (b"250-x\r\n500 x\r\n", &["250-x"], "500 x\\r\\n"),
    ] {
        let mut expected: Vec<_> = before.iter().map(ToString::to_string).collect();
        expected.push(unreadable(bytes));
        assert_eq!(trace_of(says, false), expected);
    }
    // What a closed connection has left unfinished, too.
    let cut = trace_of(b"250-x\r\n250-PIPE", true);
    assert_eq!(cut, ["250-x".to_owned(), unreadable("250-PIPE")]);
    assert_eq!(trace_of(b"", true), [""; 0]);
    // One line without end, and lines without end.
    let endless = trace_of(&[b'x'; 5000], false);
    let shown = "x".repeat(limits::TRACED_UNREADABLE);
    assert_eq!(endless, [unreadable(&format!("{shown}..."))]);
    let endless = trace_of(&b"250-x\r\n".repeat(200_000), false);
    let begin = r"250-x\r\n".repeat(600 / 7);
    assert!(matches!(&*endless, [one] if begin.starts_with(&one["[unreadable: ".len()..][..500])));
}

/// What came where TLS begins is in the trace as well.
#[test]
fn the_trace_shows_what_came_before_tls() {
    let config = config(Pipelining::LookAhead).tls(Tls::Required).traced();
    let mut d = Dialogue::with(config);
    d.says("220 x\r\n");
    d.written();
    d.says("250-x\r\n250 STARTTLS\r\n");
    d.written();
    d.says("220 go\r\n250 injected\r\n");
    assert_eq!(d.error.as_ref().unwrap().fault(), Fault::BytesBeforeTls);
    let last = std::iter::from_fn(|| d.client.poll_trace()).last();
    let shown = last.unwrap().what.to_string();
    assert_eq!(shown, "[unreadable: 250 injected\\r\\n]");
}
