//! What a refusal means at each step of a transaction: whose outcome it is, and what follows.

use crate::dialogue::{
    BDAT, CONTENT, Dialogue, GROUP, ONE, PROOF, PROVED, STUFFED, connection_ended, content_due,
    delivered, finished, look_ahead, of_recipient, present, recipient, refused, sent_ahead, stream,
};
use smtp_proto::{
    client::{Body, Outcome},
    machine::{Fault, Step},
};

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
    d.fails(Fault::RefusedTransactionContinued);
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
    d.fails(Fault::RefusedTransactionContinued);
}

/// A refused RSET leaves the server's transaction unknown.
#[test]
fn a_refused_reset_ends_the_connection() {
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.says("250 taken\r\n500 what?\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.reports(&[
        finished(m[0], delivered("250 taken\r\n")),
        finished(m[1], connection_ended()),
    ]);
    d.fails(Fault::ResetRefused);
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

/// 2920-3.1-m: a refusal in the middle of a content is that message's; the rest cannot be unsaid.
#[test]
fn refused_in_the_middle_of_the_content() {
    let (mut d, m) = content_due(look_ahead());
    let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
    transmit.wrote(5, d.now);
    d.says("552 too much\r\n");
    d.finishes(&[(m, refused(Step::Content, "552 too much\r\n"))]);
    d.fails(Fault::ContentAbandoned);
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
