//! Replies that are too many, impossible, malformed or without end, and those that come late or in pieces.

use crate::dialogue::{
    CONTENT, Dialogue, GROUP, ONE, STUFFED, config, connection_ended, content_due, delivered,
    finished, look_ahead, present, recipient, sent_ahead, stream,
};
use smtp_proto::{
    client::{Body, Outcome, Pipelining},
    machine::Fault,
};

/// REP-6, REP-7, REP-9: a reply too many is never taken for a verdict.
#[test]
fn surplus_replies_end_the_connection() {
    let mut d = look_ahead();
    d.says("250 what?\r\n");
    d.fails(Fault::SurplusReply);

    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    d.says("220 x\r\n250 x\r\n");
    d.fails(Fault::SurplusReply);

    // Early: the command is rendered, but was never offered to the transport.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.says("250 ok\r\n");
    d.reports(&[finished(m, connection_ended())]);
    d.fails(Fault::SurplusReply);

    // The 221 of QUIT is not the verdict on the message, whatever shifted it there.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.client.quit();
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}QUIT\r\n"));
    d.says("221 bye\r\n");
    d.finishes(&[(m, Outcome::InDoubt)]);
    d.fails(Fault::ImpossibleReply);
}

/// REP-8: a reply of a class that cannot answer the command.
#[test]
fn impossible_replies_end_the_connection() {
    for replies in [
        "354 go\r\n",
        "250 ok\r\n334 x\r\n",
        "250 ok\r\n250 ok\r\n250 ok\r\n",
        "220 x\r\n",
    ] {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.written();
        d.says(replies);
        d.finishes(&[(m, connection_ended())]);
        d.fails(Fault::ImpossibleReply);
    }
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.says("354 more?\r\n");
    d.reports(&[
        finished(m[0], Outcome::InDoubt),
        finished(m[1], connection_ended()),
    ]);
    d.fails(Fault::ImpossibleReply);
}

/// REP-1, REP-4, REP-5, 5321-2.3.8-a, 5321-4.2-c: what is no reply, at once or byte by byte.
#[test]
fn malformed_replies_end_the_connection() {
    for bytes in [
        "250 a\0b\r\n",
        "250 a\rb\r\n",
        "250 a\r\r\n",
        "250 a\nb\r\n",
        "250-a\r\n250 b\rc\r\n",
        "250-a\r\n251 b\r\n",
        "250 ok\n",
        "25\r\n",
        "2500 x\r\n",
        "250x\r\n",
        "\r\n",
        "099 x\r\n",
        "600 x\r\n",
    ] {
        for piece in [bytes.len(), 1] {
            let mut d = look_ahead();
            let m = d.submit("a@example.org", &ONE);
            d.written();
            bytes
                .as_bytes()
                .chunks(piece)
                .for_each(|piece| d.feed(piece));
            d.finishes(&[(m, connection_ended())]);
            d.fails(Fault::MalformedReply);
        }
    }
    // 5321-4.2-c: without text it is one.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250\r\n");
    d.says("250 \r\n");
    d.reports(&[recipient(m, 0, "250 \r\n")]);
    // Other control characters are somebody's text.
    let text = "250 \u{1}a\tb\u{b}\u{c} and more of it\u{e}\r\n";
    for piece in [text.len(), 1] {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.written();
        let both = format!("{text}{text}");
        both.as_bytes()
            .chunks(piece)
            .for_each(|piece| d.feed(piece));
        d.reports(&[recipient(m, 0, text)]);
    }
}

/// REP-2, REP-3: endless replies are cut, not kept.
#[test]
fn endless_replies_are_bounded() {
    let mut d = look_ahead();
    d.submit("a@example.org", &ONE);
    d.written();
    d.feed(&[b'2'; 4097]);
    d.fails(Fault::ReplyTooLong);

    let mut d = look_ahead();
    d.submit("a@example.org", &ONE);
    d.written();
    let mut lines = 0;
    while d.error.is_none() {
        d.says(&"250-and another thing\r\n".repeat(100));
        lines += 100;
        assert!(lines <= 60_000);
    }
    d.fails(Fault::ReplyTooLong);

    // A long one is handed on without its beginning, and nothing is lost.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n");
    d.says(&"250-and another thing\r\n".repeat(10_000));
    d.says("250 at last\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
}

/// 2920-3.1-j, 2920-3.1-k, 2920-3.1-l, 2920-3.1-o: a server that answers late, in any pieces, and
/// to several flights at once.
#[test]
fn any_timing_gives_the_same_dialogue() {
    let says = [
        "250 ok\r\n250-a\r\n250 ok\r\n354 go\r\n",
        "250 1\r\n250 r\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        "250 2\r\n",
    ];
    let run = |piece: usize, write: usize| {
        let mut d = look_ahead();
        let _ = [(); 2].map(|()| d.submit("a@example.org", &ONE));
        let mut wire = d.written_in(write);
        for flight in says {
            for bytes in flight.as_bytes().chunks(piece) {
                d.feed(bytes);
                wire += &d.written_in(write);
            }
        }
        let mut events = Vec::new();
        d.client.quit();
        wire += &d.written_in(write);
        events.push(format!("{:?}", d.take_events()));
        (wire, events)
    };
    let whole = run(usize::MAX, usize::MAX);
    assert_eq!(
        whole.0,
        format!("{GROUP}{STUFFED}RSET\r\n{GROUP}{STUFFED}QUIT\r\n")
    );
    for (piece, write) in [(1, 1), (1, usize::MAX), (usize::MAX, 1), (3, 2), (7, 5)] {
        assert_eq!(
            run(piece, write),
            whole,
            "reads of {piece}, writes of {write}"
        );
    }
}

/// REP-6: any other reply in the middle of a content refuses nothing.
#[test]
fn surplus_replies_in_the_middle_of_the_content() {
    for says in ["250 ok\r\n", "354 go on\r\n", "334 \r\n"] {
        let (mut d, m) = content_due(look_ahead());
        let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
        transmit.wrote(5, d.now);
        d.says(says);
        d.finishes(&[(m, connection_ended())]);
        d.fails(Fault::SurplusReply);
    }
}

/// REP-6: what answers bytes that a short write took back answers nothing; neither an end nor a
/// command.
#[test]
fn replies_to_what_was_taken_back_end_the_connection() {
    for left in 0..3 {
        let (mut d, m) = content_due(look_ahead());
        let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
        let len = transmit.len();
        transmit.wrote(len - 1 - left, d.now);
        d.says("250 taken\r\n");
        d.finishes(&[(m, connection_ended())]);
        d.fails(Fault::SurplusReply);
    }
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let len = transmit.len();
    transmit.wrote(len - 1, d.now);
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[(m, connection_ended())]);
    d.fails(Fault::SurplusReply);

    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    transmit.wrote(3, d.now);
    d.says("550 no\r\n");
    d.finishes(&[(m, connection_ended())]);
    d.fails(Fault::SurplusReply);

    // So does what answers bytes that the transport took none of.
    for says in ["550 no\r\n", ""] {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
        d.says(says);
        d.hangs_up();
        d.finishes(&[(m, connection_ended())]);

        let (mut d, m) = content_due(look_ahead());
        present(&mut d.client, Body::Last(CONTENT), d.now)
            .unwrap()
            .blocked(d.now);
        d.hangs_up();
        d.finishes(&[(m, connection_ended())]);
    }
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    transmit.wrote(3, d.now);
    d.says("550 no\r\n");
    d.finishes(&[(m, connection_ended())]);
    d.fails(Fault::SurplusReply);
}
