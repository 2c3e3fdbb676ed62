//! Connections that end too soon: by 421, by a close, by a write that fails.

use crate::dialogue::{
    CONTENT, ONE, connection_ended, delivered, envelope, finished, look_ahead, not_sent_after,
    present, recipient, refused, sent_ahead, stream,
};
use smtp_proto::{
    client::{Body, NotSentReason, Outcome},
    machine::{Fault, Misuse, Step},
};

fn closed_after(step: Step) -> Outcome<'static> {
    not_sent_after(NotSentReason::ConnectionEnded, step, "421 bye\r\n")
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
    d.fails(Fault::Closing);
    // To the dot: refused, for now.
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.says("421 bye\r\n");
    d.reports(&[
        finished(m[0], refused(Step::Content, "421 bye\r\n")),
        finished(m[1], closed_after(Step::Content)),
    ]);
    d.fails(Fault::Closing);
    // Unasked, between messages.
    let mut d = look_ahead();
    d.says("421 bye\r\n");
    d.fails(Fault::Closing);
    assert_eq!(d.client.submit(&envelope("", &ONE)), Err(Misuse::Ending));
}

/// In a stream, too, a server takes nothing after the command that it answers by 421. After the
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
        d.fails(Fault::Closing);
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
    d.fails(Fault::Closing);
    // A chunk that is not the last.
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    d.presents(Body::Chunk(b"x"));
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
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.hangs_up();
    d.reports(&[
        finished(m[0], Outcome::InDoubt),
        finished(m[1], connection_ended()),
    ]);
    d.fails(Fault::ConnectionLost);

    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
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

/// After a failed write the verdict is still read.
#[test]
fn a_failed_write_is_followed_by_reading() {
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.client.write_failed();
    assert!(d.client.wants_read());
    d.says("554 no\r\n");
    d.reports(&[finished(m[0], refused(Step::Content, "554 no\r\n"))]);
    d.hangs_up();
    d.reports(&[finished(m[1], connection_ended())]);
    d.fails(Fault::WriteFailed);
}

/// What a failed write has carried out nobody knows; a report of nothing sent takes no doubt back.
#[test]
fn a_failed_write_leaves_doubt() {
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
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
