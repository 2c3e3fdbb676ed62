//! What broken, hostile or unlucky servers do, each with its one outcome.

use smtp_proto::{
    client::{Body, BodyError, Cancellation, Event, NotSentReason, Outcome, Pipelining, Tls},
    framing::LineBreaks,
    machine::{Fault, Misuse, Step, limits},
};

use crate::dialogue::{
    CONTENT, Dialogue, PROOF, PROVED, STUFFED, config, delivered, envelope, finished, not_sent,
    not_sent_after, of_recipient, present, recipient, refused, without_body,
};

const ONE: [&str; 1] = ["b@example.net"];
const GROUP: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n";
const BDAT: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n\
                    BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";

fn closed_after(step: Step) -> Outcome<'static> {
    not_sent_after(NotSentReason::ConnectionEnded, step, "421 bye\r\n")
}

fn connection_ended() -> Outcome<'static> {
    not_sent(NotSentReason::ConnectionEnded)
}

fn look_ahead() -> Dialogue {
    Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"])
}

fn stream() -> Dialogue {
    Dialogue::begin(
        Pipelining::Stream { window: 10 },
        &["PIPELINING", "CHUNKING"],
    )
}

/// Begins a session, and brings its first message to the point where its content has been sent,
/// with the second's commands after it.
fn content_sent(mut d: Dialogue) -> (Dialogue, [smtp_proto::client::MessageId; 2]) {
    let messages = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}RSET\r\n{GROUP}"));
    d.reports(&[recipient(messages[0], 0, "250 ok\r\n")]);
    (d, messages)
}

#[track_caller]
fn fails(d: &mut Dialogue, fault: Fault) {
    assert_eq!(d.error.as_ref().map(|error| error.fault()), Some(fault));
    assert!(d.client.is_closed());
    assert_eq!(d.written(), "", "nothing is written after a failure");
}

/// 2920-3.1-i, 2920-3.1-g: all recipients refused, DATA refused: RSET, and the next message goes
/// out.
#[test]
fn refused_recipients_then_look_ahead() {
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &["b@example.net", "c@example.net"]));
    let group = GROUP.replace("DATA", "RCPT TO:<c@example.net>\r\nDATA");
    d.sends(&group);
    d.says("250 ok\r\n550 b\r\n450 c\r\n554 no valid recipients\r\n");
    d.reports(&[
        recipient(m[0], 0, "550 b\r\n"),
        recipient(m[0], 1, "450 c\r\n"),
        of_recipient(m[0], 0, refused(Step::Recipient, "550 b\r\n")),
        of_recipient(m[0], 1, refused(Step::Recipient, "450 c\r\n")),
        finished(m[0], refused(Step::Recipient, "550 b\r\n")),
    ]);
    d.sends(&format!("RSET\r\n{group}"));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m[1], delivered("250 taken\r\n"))]);
}

/// 2920-3.1-i, REP-10, X-3, 2920-3.1-h: 354 without a recipient is met with a lone dot, whose reply
/// says nothing.
#[test]
fn a_lone_dot_where_nobody_was_accepted() {
    for reply in ["554 no\r\n", "250 taken?\r\n"] {
        let mut d = look_ahead();
        let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
        d.sends(GROUP);
        d.says("250 ok\r\n550 no\r\n354 go\r\n");
        d.reports(&[recipient(m[0], 0, "550 no\r\n")]);
        d.sends(&format!(".\r\nRSET\r\n{GROUP}"));
        d.says(reply);
        d.finishes(&[(m[0], refused(Step::Recipient, "550 no\r\n"))]);
        d.says("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        d.sends(STUFFED);
    }
}

/// X-5, 5321-4.5.4-a, 1870-6.2-a: the sender was refused; that refusal is the outcome, not the 503s
/// after it.
#[test]
fn a_refused_sender_is_the_outcome() {
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(GROUP);
    d.says("550 5.1.8 bad sender\r\n503 mail first\r\n503 mail first\r\n");
    d.reports(&[finished(
        m[0],
        refused(Step::Mail, "550 5.1.8 bad sender\r\n"),
    )]);
    d.sends(&format!("RSET\r\n{GROUP}"));
    // Nobody accepted, but 354: the lone dot is safe.
    d.says("250 reset\r\n451 later\r\n503 no\r\n354 go\r\n");
    d.sends(".\r\n");
    d.says("554 no\r\n");
    d.reports(&[finished(m[1], refused(Step::Mail, "451 later\r\n"))]);
}

/// Measured with Postfix and Exim: a dot here would queue an empty message from an old sender.
#[test]
fn no_dot_where_a_sender_was_refused_and_a_recipient_accepted() {
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(GROUP);
    d.says("503 sender already given\r\n250 ok\r\n354 go\r\n");
    // Out of step, a refusal may be another's.
    d.reports(&[
        finished(m[0], connection_ended()),
        finished(m[1], connection_ended()),
    ]);
    fails(&mut d, Fault::RefusedTransactionContinued);
}

/// Measured with Exim: such a message would be delivered from the sender before.
#[test]
fn content_accepted_after_a_refused_sender_is_in_doubt() {
    let mut d = stream();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(&format!("{BDAT}RSET\r\n{BDAT}"));
    d.says("250 ok\r\n550 no\r\n554 none\r\n250 reset\r\n503 sender already given\r\n250 ok\r\n");
    d.reports(&[
        recipient(m[0], 0, "550 no\r\n"),
        of_recipient(m[0], 0, refused(Step::Recipient, "550 no\r\n")),
        finished(m[0], refused(Step::Recipient, "550 no\r\n")),
    ]);
    d.says("250 taken\r\n");
    d.reports(&[finished(m[1], Outcome::InDoubt)]);
    fails(&mut d, Fault::RefusedTransactionContinued);
}

/// A refused RSET leaves the server's transaction unknown.
#[test]
fn a_refused_reset_ends_the_connection() {
    let (mut d, m) = content_sent(look_ahead());
    d.says("250 taken\r\n500 what?\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.reports(&[
        finished(m[0], delivered("250 taken\r\n")),
        finished(m[1], connection_ended()),
    ]);
    fails(&mut d, Fault::ResetRefused);
}

/// X-36, 5321-3.8-c: 421 answers the oldest command; the rest gets nothing.
#[test]
fn closing_in_the_middle_of_a_group() {
    // To RCPT: nothing was accepted, and it is known why.
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &["b@example.net", "c@example.net"]));
    d.written();
    d.says("250 ok\r\n250 ok\r\n421 bye\r\n");
    d.reports(&[
        recipient(m[0], 0, "250 ok\r\n"),
        finished(m[0], closed_after(Step::Recipient)),
        finished(m[1], closed_after(Step::Recipient)),
    ]);
    fails(&mut d, Fault::Closing);
    // To the dot: refused, for now.
    let (mut d, m) = content_sent(look_ahead());
    d.says("421 bye\r\n");
    d.reports(&[
        finished(m[0], refused(Step::Content, "421 bye\r\n")),
        finished(m[1], closed_after(Step::Content)),
    ]);
    fails(&mut d, Fault::Closing);
    // Unasked, between messages.
    let mut d = look_ahead();
    d.says("421 bye\r\n");
    fails(&mut d, Fault::Closing);
    assert_eq!(d.client.submit(&envelope("", &ONE)), Err(Misuse::Ending));
}

/// X-36: In a stream, too, a server takes nothing after the command that it answers by 421. After the
/// end of a message it may have worked ahead: what was offered whole stays in doubt.
#[test]
fn closing_in_the_middle_of_a_stream() {
    for (says, step) in [
        ("", Step::Reset),
        ("250 reset\r\n", Step::Mail),
        ("250 reset\r\n250 ok\r\n", Step::Recipient),
    ] {
        let mut d = stream();
        let m = [(); 3].map(|()| d.submit("a@example.org", &ONE));
        d.written();
        d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
        d.says(&format!("{says}421 bye\r\n"));
        d.finishes(&[
            (m[0], delivered("250 taken\r\n")),
            (m[1], closed_after(step)),
            (m[2], closed_after(step)),
        ]);
        fails(&mut d, Fault::Closing);
    }
    let mut d = stream();
    let m = [(); 3].map(|()| d.submit("a@example.org", &ONE));
    d.written();
    d.says("250 ok\r\n250 ok\r\n421 bye\r\n");
    d.finishes(&[
        (m[0], refused(Step::Content, "421 bye\r\n")),
        (m[1], Outcome::InDoubt),
        (m[2], Outcome::InDoubt),
    ]);
    fails(&mut d, Fault::Closing);
    // A chunk that is not the last.
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    let transmit = present(&mut d.client, Body::Chunk(b"x"), d.now).unwrap();
    let all = transmit.len();
    transmit.wrote(all, d.now);
    d.says("250 ok\r\n250 ok\r\n421 bye\r\n");
    d.finishes(&[(m, closed_after(Step::Content))]);
    // Even where the last one, too, was offered.
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    for body in [Body::Chunk(b"x"), Body::Last(b"y")] {
        let transmit = present(&mut d.client, body, d.now).unwrap();
        let all = transmit.len();
        transmit.wrote(all, d.now);
        d.says("");
        if let Body::Chunk(_) = body {
            d.says("250 ok\r\n250 ok\r\n");
        }
    }
    d.says("421 bye\r\n");
    d.finishes(&[(m, closed_after(Step::Content))]);
}

/// 5321-3.8-d, 1047-b: what the end of the connection leaves unknown is in doubt, and no more.
#[test]
fn the_connection_is_lost_in_the_middle_of_a_group() {
    let (mut d, m) = content_sent(look_ahead());
    d.hangs_up();
    d.reports(&[
        finished(m[0], Outcome::InDoubt),
        finished(m[1], connection_ended()),
    ]);
    fails(&mut d, Fault::ConnectionLost);

    let (mut d, m) = content_sent(look_ahead());
    d.says("250 tak");
    d.hangs_up();
    d.reports(&[
        finished(m[0], Outcome::InDoubt),
        finished(m[1], connection_ended()),
    ]);
    let error = d.error.unwrap();
    assert_eq!(error.excerpt().as_bytes(), b"250 tak");

    // outlook closes after it refused MAIL: the refusal counts.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("550 no\r\n");
    d.hangs_up();
    d.reports(&[finished(m, refused(Step::Mail, "550 no\r\n"))]);
}

/// REP-6, REP-7, REP-9: a reply too many is never taken for a verdict.
#[test]
fn surplus_replies_end_the_connection() {
    let mut d = look_ahead();
    d.says("250 what?\r\n");
    fails(&mut d, Fault::SurplusReply);

    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    d.says("220 x\r\n250 x\r\n");
    fails(&mut d, Fault::SurplusReply);

    // Early: the command is rendered, but was never offered to the transport.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.says("250 ok\r\n");
    d.reports(&[finished(m, connection_ended())]);
    fails(&mut d, Fault::SurplusReply);

    // The 221 of QUIT is not the verdict on the message, whatever shifted it there.
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.client.quit();
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}QUIT\r\n"));
    d.says("221 bye\r\n");
    d.finishes(&[(m, Outcome::InDoubt)]);
    fails(&mut d, Fault::ImpossibleReply);
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
        fails(&mut d, Fault::ImpossibleReply);
    }
    let (mut d, m) = content_sent(look_ahead());
    d.says("354 more?\r\n");
    d.reports(&[
        finished(m[0], Outcome::InDoubt),
        finished(m[1], connection_ended()),
    ]);
    fails(&mut d, Fault::ImpossibleReply);
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
            fails(&mut d, Fault::MalformedReply);
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
    fails(&mut d, Fault::ReplyTooLong);

    let mut d = look_ahead();
    d.submit("a@example.org", &ONE);
    d.written();
    let mut lines = 0;
    while d.error.is_none() {
        d.says(&"250-and another thing\r\n".repeat(100));
        lines += 100;
        assert!(lines <= 60_000);
    }
    fails(&mut d, Fault::ReplyTooLong);

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

/// 5321-3.3-g, X-2: DATA refused: no content, RSET, next.
#[test]
fn data_is_refused() {
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n451 not now\r\n");
    d.reports(&[
        recipient(m[0], 0, "250 ok\r\n"),
        finished(m[0], refused(Step::Data, "451 not now\r\n")),
    ]);
    d.sends(&format!("RSET\r\n{GROUP}"));
}

/// 3030-2-h, 3030-2-i, BDT-13, 3030-2-k, X-7: a refused chunk stops its message, and RSET leads the
/// next one.
#[test]
fn a_chunk_is_refused() {
    let mut d = stream();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    let present = |d: &mut Dialogue, bytes: &'static [u8]| {
        let transmit = present(&mut d.client, Body::Chunk(bytes), d.now).unwrap();
        let written = String::from_utf8(transmit.slices().concat()).unwrap();
        transmit.wrote(written.len(), d.now);
        written
    };
    assert!(present(&mut d, b"one\r\n").ends_with("BDAT 5\r\none\r\n"));
    d.says("250 ok\r\n250 ok\r\n");
    assert_eq!(present(&mut d, b"two\r\n"), "BDAT 5\r\ntwo\r\n");
    d.says("452 full\r\n");
    // That may be another command's refusal: the stream stops until the proof is made again.
    assert_eq!(d.client.wants_body(), None);
    d.sends("");
    d.says("503 no\r\n");
    d.sends("RSET\r\n");
    d.says("250 reset\r\n");
    d.sends(PROOF);
    d.finishes(&[]);
    d.says(PROVED);
    d.finishes(&[(m[0], refused(Step::Content, "452 full\r\n"))]);
    d.sends(BDAT);
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[(m[1], delivered("250 taken\r\n"))]);
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

/// 2920-3.1-m: a refusal in the middle of a content is that message's; the rest cannot be unsaid.
#[test]
fn refused_in_the_middle_of_the_content() {
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
    transmit.wrote(5, d.now);
    d.says("552 too much\r\n");
    d.finishes(&[(m, refused(Step::Content, "552 too much\r\n"))]);
    fails(&mut d, Fault::ContentAbandoned);
}

/// REP-6: any other reply in the middle of a content refuses nothing.
#[test]
fn surplus_replies_in_the_middle_of_the_content() {
    for says in ["250 ok\r\n", "354 go on\r\n", "334 \r\n"] {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
        transmit.wrote(5, d.now);
        d.says(says);
        d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
        fails(&mut d, Fault::SurplusReply);
    }
}

/// REP-6: what answers bytes that a short write took back answers nothing; neither an end nor a
/// command.
#[test]
fn replies_to_what_was_taken_back_end_the_connection() {
    for left in 0..3 {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
        let len = transmit.len();
        transmit.wrote(len - 1 - left, d.now);
        d.says("250 taken\r\n");
        d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
        fails(&mut d, Fault::SurplusReply);
    }
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let len = transmit.len();
    transmit.wrote(len - 1, d.now);
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
    fails(&mut d, Fault::SurplusReply);

    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    transmit.wrote(3, d.now);
    d.says("550 no\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
    fails(&mut d, Fault::SurplusReply);

    // So does what answers bytes that the transport took none of.
    for says in ["550 no\r\n", ""] {
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
        d.says(says);
        d.hangs_up();
        d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);

        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        present(&mut d.client, Body::Last(CONTENT), d.now)
            .unwrap()
            .blocked(d.now);
        d.hangs_up();
        d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
    }
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    transmit.wrote(3, d.now);
    d.says("550 no\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::ConnectionEnded))]);
    fails(&mut d, Fault::SurplusReply);
}

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
    fails(&mut d, Fault::ContentAbandoned);

    // In a stream, with earlier replies outstanding: these are awaited.
    let mut d = stream();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let all = transmit.len();
    transmit.wrote(all, d.now);
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
    fails(&mut d, Fault::ContentAbandoned);

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
    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    assert_eq!(transmit.wrote(3, d.now), 3);
    assert!(present(&mut d.client, Body::Chunk(b"more"), d.now).is_none());
    d.says("");
    d.finishes(&[(m, without_body(CHANGED))]);
    fails(&mut d, Fault::ContentAbandoned);
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
        fails(&mut d, Fault::ContentAbandoned);
    }
}

/// BDT-13: of a chunk that is under way when an earlier one is refused just the rest follows, however
/// much of the body is presented.
#[test]
fn a_chunk_that_has_begun_is_completed_though_refused() {
    let body = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    let transmit = present(&mut d.client, Body::Chunk(&body[..10]), d.now).unwrap();
    let bytes = transmit.len();
    assert_eq!(transmit.wrote(bytes, d.now), 10);
    d.says("250 ok\r\n250 ok\r\n");
    let transmit = present(&mut d.client, Body::Chunk(&body[10..20]), d.now).unwrap();
    assert_eq!(transmit.slices().concat(), b"BDAT 10\r\nabcdefghij");
    assert_eq!(transmit.wrote(9 + 4, d.now), 4);
    d.says("554 no viruses\r\n");
    let transmit = present(&mut d.client, Body::Chunk(&body[14..]), d.now).unwrap();
    assert_eq!(transmit.slices().concat(), b"efghij");
    assert_eq!(transmit.wrote(6, d.now), 6);
    d.says("503 no more\r\n");
    d.sends("RSET\r\n");
    d.says("250 reset\r\n");
    d.sends(PROOF);
    d.says(PROVED);
    d.finishes(&[(m, refused(Step::Content, "554 no viruses\r\n"))]);
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
        fails(&mut d, Fault::ContentAbandoned);

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

/// What cancelling costs, by how far the message has gone.
#[test]
fn messages_can_be_cancelled() {
    let cancelled = || not_sent(NotSentReason::Cancelled);
    let mut d = look_ahead();
    let m = [(); 3].map(|()| d.submit("a@example.org", &ONE));
    assert_eq!(d.client.cancel(m[1]), Ok(Cancellation::Unsent));
    d.says("");
    d.reports(&[finished(m[1], cancelled())]);
    d.sends(GROUP);
    assert_eq!(d.client.cancel(m[0]), Ok(Cancellation::EndsConnection));
    d.says("250 ok\r\n250 ok\r\n451 no\r\n");
    d.reports(&[
        recipient(m[0], 0, "250 ok\r\n"),
        finished(m[0], cancelled()),
    ]);
    d.sends(&format!("RSET\r\n{GROUP}"));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(STUFFED);
    assert_eq!(d.client.cancel(m[2]), Err(Misuse::TooLate));

    let mut d = Dialogue::begin(Pipelining::LockStep, &["PIPELINING"]);
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends("MAIL FROM:<a@example.org>\r\n");
    assert_eq!(d.client.cancel(m[0]), Ok(Cancellation::Withdrawn));
    d.sends("");
    d.says("250 ok\r\n");
    d.reports(&[finished(m[0], cancelled())]);
    d.sends("RSET\r\n");

    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n250 ok\r\n");
    assert_eq!(d.client.cancel(m), Ok(Cancellation::EndsConnection));
    d.says("354 go\r\n");
    d.finishes(&[(m, cancelled())]);
    fails(&mut d, Fault::ContentAbandoned);
}

/// After a failed write the verdict is still read.
#[test]
fn a_failed_write_is_followed_by_reading() {
    let (mut d, m) = content_sent(look_ahead());
    d.client.write_failed();
    assert!(d.client.wants_read());
    d.says("554 no\r\n");
    d.reports(&[finished(m[0], refused(Step::Content, "554 no\r\n"))]);
    d.hangs_up();
    d.reports(&[finished(m[1], connection_ended())]);
    fails(&mut d, Fault::WriteFailed);
}

/// What a failed write has carried out nobody knows; a report of nothing sent takes no doubt back.
#[test]
fn a_failed_write_leaves_doubt() {
    let (mut d, m) = content_sent(look_ahead());
    d.client.write_failed();
    assert!(d.client.poll_transmit(None, d.now).is_none());
    d.hangs_up();
    d.finishes(&[(m[0], Outcome::InDoubt), (m[1], connection_ended())]);

    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    drop(present(&mut d.client, Body::Last(CONTENT), d.now));
    assert!(present(&mut d.client, Body::Last(CONTENT), d.now).is_none());
    d.hangs_up();
    d.finishes(&[(m, Outcome::InDoubt)]);
}

/// INJ-6: what a peer says reaches no log unescaped.
#[test]
fn errors_quote_the_peer_escaped() {
    let mut d = look_ahead();
    d.feed(b"250 \x1b[2J\x07\r\n");
    let error = d.error.unwrap();
    assert_eq!(
        error.to_string(),
        "the server sent a reply that answers no command (between messages): \"250 \\x1b[2J\\x07\\r\\n\""
    );
    assert_eq!(
        format!("{:?}", error.excerpt()),
        "\"250 \\x1b[2J\\x07\\r\\n\""
    );
}

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

/// Events come once, in the order of their causes.
#[test]
fn nothing_is_reported_twice() {
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    d.client.quit();
    d.written();
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
    d.written();
    d.says("221 bye\r\n");
    d.says("");
    d.reports(&[
        recipient(m, 0, "250 ok\r\n"),
        finished(m, delivered("250 taken\r\n")),
        Event::Closed,
    ]);
}
