//! Bodies that fail, break their promise, or hold what may not leave.

use crate::dialogue::{
    BDAT, CONTENT, Dialogue, GROUP, ONE, config, connection_ended, content_due, delivered,
    envelope, look_ahead, not_sent, present, stream, without_body,
};
use smtp_proto::{
    client::{Body, BodyError, NotSentReason, Outcome, Pipelining},
    framing::LineBreaks,
    machine::Fault,
};

/// 3030-2-g: an empty last chunk is whole with its command, whatever is presented while that leaves.
#[test]
fn an_empty_last_chunk_ends_with_its_command() {
    let later = [
        None,
        Some(Body::Failed(None)),
        Some(Body::Chunk(b"x")),
        Some(Body::Last(b"")),
    ];
    for (body, fails_before) in later.into_iter().flat_map(|it| [(it, false), (it, true)]) {
        let mut d = stream();
        let m = d.submit("a@example.org", &ONE);
        let transmit = present(&mut d.client, Body::Last(b""), d.now).unwrap();
        let len = transmit.len();
        transmit.wrote(len - 3, d.now);
        let body = d.client.wants_body().zip(body);
        let transmit = d.client.poll_transmit(body, d.now).unwrap();
        assert_eq!(transmit.slices().concat(), b"T\r\n", "{body:?}");
        if fails_before {
            transmit.failed();
        } else {
            transmit.wrote(3, d.now);
            d.sends("");
        }
        d.hangs_up();
        d.finishes(&[(m, Outcome::InDoubt)]);
    }
}

/// A source that fails: before its content nothing is lost but the message.
#[test]
fn a_body_fails() {
    let gone = BodyError::new("it is gone");
    // Under way: the connection must go, so that no part is taken for the whole.
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let transmit = present(&mut d.client, Body::Chunk(b"Subj"), d.now).unwrap();
    assert_eq!(transmit.wrote(4, d.now), 4);
    assert!(present(&mut d.client, Body::Failed(Some(&gone)), d.now).is_none());
    assert!(!d.client.wants_read());
    d.says("");
    d.finishes(&[
        (m[0], without_body("it is gone")),
        (m[1], connection_ended()),
    ]);
    d.fails(Fault::ContentAbandoned);

    // In a stream, with earlier replies outstanding: these are awaited.
    let mut d = stream();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.presents(Body::Last(CONTENT));
    let transmit = present(&mut d.client, Body::Chunk(b"Subj"), d.now).unwrap();
    let all = transmit.len();
    transmit.wrote(all - 1, d.now);
    assert!(present(&mut d.client, Body::Failed(Some(&gone)), d.now).is_none());
    assert!(d.client.wants_read());
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    d.finishes(&[
        (m[0], delivered("250 taken\r\n")),
        (m[1], without_body("it is gone")),
    ]);
    d.fails(Fault::ContentAbandoned);

    // In a stream, before its first byte: RSET is enough.
    let mut d = stream();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    let bytes = transmit.slices().concat();
    let (envelope, _) = BDAT.split_once("BDAT").unwrap();
    assert_eq!(bytes, envelope.as_bytes());
    transmit.wrote(bytes.len(), d.now);
    assert!(present(&mut d.client, Body::Failed(Some(&gone)), d.now).is_none());
    d.says("250 ok\r\n250 ok\r\n");
    d.finishes(&[(m[0], without_body("it is gone"))]);
    d.sends(&format!("RSET\r\n{BDAT}"));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[(m[1], delivered("250 taken\r\n"))]);
}

const CHANGED: &str = "it is not what it was when its size or its end was announced";

/// A body that takes back what it promised is a failed body.
#[test]
fn a_body_breaks_its_promise() {
    let (mut d, m) = content_due(look_ahead());
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    assert_eq!(transmit.wrote(3, d.now), 3);
    assert!(present(&mut d.client, Body::Chunk(b"more"), d.now).is_none());
    d.says("");
    d.finishes(&[(m, without_body(CHANGED))]);
    d.fails(Fault::ContentAbandoned);
}

/// BDT-12: nor may a last chunk, whose size is announced, turn out shorter or longer, or not the last.
#[test]
fn a_last_chunk_keeps_to_its_size() {
    for later in [
        Body::Last(b"bject"),
        Body::Last(b"bject: x\r\n\r\n.dot\r\nmore\r\n"),
        Body::Chunk(b"bject: x\r\n\r\n.dot\r\n"),
    ] {
        let mut d = stream();
        let m = d.submit("a@example.org", &ONE);
        let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
        let len = transmit.len();
        assert_eq!(transmit.wrote(len - 18, d.now), 2);
        assert!(present(&mut d.client, later, d.now).is_none(), "{later:?}");
        d.says("250 ok\r\n250 ok\r\n");
        d.finishes(&[(m, without_body(CHANGED))]);
        d.fails(Fault::ContentAbandoned);
    }
}

/// EOD-13, 5321-2.3.8-b, 3030-2-p: a bare CR or LF never leaves, and no end follows.
#[test]
fn bare_line_breaks_are_refused() {
    for ((content, at), line_breaks) in [
        (&b"a\r\n.\nb\r\n"[..], 4),
        (b"a\rb\r\n", 1),
        (b"\n", 0),
        (b"a\r", 1),
    ]
    .into_iter()
    .flat_map(|case| [LineBreaks::Refuse, LineBreaks::Keep].map(|line_breaks| (case, line_breaks)))
    {
        let config = |policy| config(policy).line_breaks(line_breaks);
        let mut d = Dialogue::begin_with(config(Pipelining::LookAhead), &["PIPELINING"]);
        // It was not at hand when it was asked for.
        let m = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        d.has(m, content);
        let wire = d.written();
        assert!(!wire.contains("\r\n.\r\n") && !wire.replace("\r\n", "").contains(['\r', '\n']));
        d.says("");
        d.finishes(&[(m, not_sent(NotSentReason::BareLineBreak { at }))]);
        d.fails(Fault::ContentAbandoned);

        // A stream looks before it announces the chunk.
        let config = config(Pipelining::Stream { window: 10 });
        let mut d = Dialogue::begin_stream(config, &["PIPELINING", "CHUNKING"]);
        let m = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
        d.sends("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n");
        d.has(m, content);
        d.sends("");
        d.says("250 ok\r\n250 ok\r\n");
        d.finishes(&[(m, not_sent(NotSentReason::BareLineBreak { at }))]);
    }
    // The CR that ends a chunk is the one that is bare.
    let mut d = look_ahead();
    let m = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let transmit = present(&mut d.client, Body::Chunk(b"a\r"), d.now).unwrap();
    assert_eq!(transmit.wrote(2, d.now), 2);
    assert!(present(&mut d.client, Body::Chunk(b"b\r\n"), d.now).is_none());
    d.says("");
    d.finishes(&[(m, not_sent(NotSentReason::BareLineBreak { at: 1 }))]);
    // Or they are made line breaks, if told so.
    for (keywords, wire) in [
        (&["PIPELINING"][..], "a\r\n..\r\n\r\nb\r\n.\r\n"),
        (
            &["PIPELINING", "CHUNKING"],
            "BDAT 9 LAST\r\na\r\n.\r\n\r\nb",
        ),
    ] {
        let config = config(Pipelining::Stream { window: 1 }).line_breaks(LineBreaks::Normalize);
        let mut d = match keywords.len() {
            1 => Dialogue::begin_with(config, keywords),
            _ => Dialogue::begin_stream(config, keywords),
        };
        d.submit_with("a@example.org", &ONE, b"a\n.\r\rb");
        let head = d.written();
        d.says(if keywords.len() == 1 {
            "250 ok\r\n250 ok\r\n354 go\r\n"
        } else {
            ""
        });
        let tail = d.written();
        assert!(format!("{head}{tail}").ends_with(wire), "{head}{tail}");
    }
}
