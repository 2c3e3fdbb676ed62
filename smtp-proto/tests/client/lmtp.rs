//! LMTP: RFC 2033.

use smtp_proto::{
    client::{Duplex, Envelope, Event, NotSentReason, Outcome, Pipelining},
    delivery::Reports,
    machine::{Dialect, Fault, Step},
    syntax::{BodyType, ForwardPath, ReversePath},
};

use crate::dialogue::{
    Dialogue, STUFFED, config, delivered, envelope, finished, not_sent_after, recipient, refused,
};

const THREE: [&str; 3] = ["a@example.net", "b@example.net", "c@example.net"];
const GROUP: &str = "MAIL FROM:<s@example.org>\r\nRCPT TO:<a@example.net>\r\n\
                     RCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n";

fn begin() -> Dialogue {
    let config = config(Pipelining::Stream { window: 9 }).dialect(Dialect::Lmtp);
    let mut d = Dialogue::with(config);
    d.says("220 x\r\n");
    // 2033-4.1-a
    d.sends("LHLO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    d.take_events();
    d
}

/// A store's own names; and a server that counts domains does not count their absence.
#[test]
fn recipients_without_a_domain() {
    let mut d = Dialogue::with(config(Pipelining::Group).dialect(Dialect::Lmtp));
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTDOMAINMAX=1\r\n");
    let sender = ReversePath::parse("s@example.org").unwrap();
    let envelope = ["bob", "\"a@b\"", "\"c@d\"", "postmaster"]
        .into_iter()
        .fold(Envelope::new(sender).unwrap(), |envelope, name| {
            envelope.to(ForwardPath::local(name).unwrap()).unwrap()
        });
    d.submit_envelope(&envelope.to("x@example.net").unwrap(), b"hi\r\n");
    d.sends(
        "MAIL FROM:<s@example.org>\r\nRCPT TO:<bob>\r\nRCPT TO:<\"a@b\">\r\n\
         RCPT TO:<\"c@d\">\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n",
    );
}

fn verdict(
    message: smtp_proto::client::MessageId,
    recipient: usize,
    outcome: Outcome<'static>,
) -> Event<'static> {
    Event::RecipientFinished {
        message,
        recipient,
        outcome,
    }
}

/// 2033-4.2-b, 2033-4.2-c, 2033-5-d, X-21: one verdict for each accepted recipient, in order; the
/// next transaction rides after the dot all the same.
#[test]
fn each_accepted_recipient_has_a_verdict() {
    let mut d = begin();
    let m = [(); 2].map(|()| d.submit("s@example.org", &THREE));
    d.sends(GROUP);
    d.says("250 ok\r\n250 a\r\n550 b\r\n250 c\r\n354 go\r\n");
    d.reports(&[
        recipient(m[0], 0, "250 a\r\n"),
        recipient(m[0], 1, "550 b\r\n"),
        recipient(m[0], 2, "250 c\r\n"),
    ]);
    d.sends(&format!("{STUFFED}RSET\r\n{GROUP}"));
    d.says("250-to\r\n250 a\r\n");
    d.reports(&[verdict(m[0], 0, delivered("250-to\r\n250 a\r\n"))]);
    d.says("452 c is full\r\n");
    d.reports(&[
        verdict(m[0], 2, refused(Step::Content, "452 c is full\r\n")),
        verdict(m[0], 1, refused(Step::Recipient, "550 b\r\n")),
        finished(m[0], delivered("250-to\r\n250 a\r\n")),
    ]);
    d.says("250 reset\r\n250 ok\r\n250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    d.sends(STUFFED);
    d.take_events();
    d.says("452 a\r\n451 b\r\n550 c\r\n");
    d.finishes(&[(m[1], refused(Step::Content, "452 a\r\n"))]);
}

/// 2033-4.3-a, BDT-14: the last chunk has a verdict for each accepted recipient, too.
#[test]
fn the_last_chunk_has_a_verdict_for_each_recipient() {
    let mut d = Dialogue::with(config(Pipelining::LookAhead).dialect(Dialect::Lmtp));
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 BINARYMIME\r\n");
    d.take_events();
    let envelope = envelope("s@example.org", &THREE).body(BodyType::BinaryMime);
    let first = d.submit_envelope(&envelope, b"\0\n.");
    let second = d.submit_envelope(&envelope, b"2");
    let group = GROUP
        .replace("org>", "org> BODY=BINARYMIME")
        .replace("DATA\r\n", "");
    d.sends(&group);
    d.says("250 ok\r\n250 a\r\n550 b\r\n250 c\r\n");
    d.take_events();
    d.sends(&format!("BDAT 3 LAST\r\n\0\n.RSET\r\n{group}"));
    d.says("250 to a\r\n");
    d.reports(&[verdict(first, 0, delivered("250 to a\r\n"))]);
    d.says("452 c is full\r\n");
    d.reports(&[
        verdict(first, 2, refused(Step::Content, "452 c is full\r\n")),
        verdict(first, 1, refused(Step::Recipient, "550 b\r\n")),
        finished(first, delivered("250 to a\r\n")),
    ]);
    d.says("250 reset\r\n250 ok\r\n250 a\r\n250 b\r\n250 c\r\n");
    d.take_events();
    d.sends("BDAT 1 LAST\r\n2");
    d.says("250 to a\r\n");
    d.hangs_up();
    let outcomes = d.take_events();
    assert_eq!(
        outcomes.last(),
        Some(&finished(second, Outcome::InDoubt)),
        "{outcomes:?}"
    );
}

/// 2033-5-e, X-23: the connection ends between the verdicts: those that came stand.
#[test]
fn the_connection_ends_between_verdicts() {
    for last in ["", "421 bye\r\n"] {
        let mut d = begin();
        let m = d.submit("s@example.org", &THREE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
        d.sends(STUFFED);
        d.says(&format!("250 a\r\n{last}"));
        d.hangs_up();
        let mut reports = Reports::default();
        reports.expect(m, 3);
        let report = d
            .take_events()
            .into_iter()
            .find_map(|event| reports.observe(event))
            .unwrap();
        let second = if last.is_empty() {
            Outcome::InDoubt
        } else {
            refused(Step::Content, last)
        };
        assert_eq!(
            report.recipients,
            [delivered("250 a\r\n"), second, Outcome::InDoubt]
        );
    }
}

/// 2033-4.2-a: DATA without recipients is refused; should it not be, there is nothing to synchronise
/// on, so no lone dot is sent.
#[test]
fn no_lone_dot() {
    let mut d = begin();
    let m = d.submit("s@example.org", &THREE[..1]);
    d.written();
    d.says("250 ok\r\n550 a\r\n354 go\r\n");
    d.finishes(&[(m, refused(Step::Recipient, "550 a\r\n"))]);
    assert_eq!(
        d.error.as_ref().unwrap().fault(),
        Fault::RefusedTransactionContinued
    );
    d.sends("");

    let mut d = begin();
    let m = d.submit("s@example.org", &THREE[..1]);
    d.written();
    d.says("250 ok\r\n550 a\r\n503 no\r\n");
    d.finishes(&[(m, refused(Step::Recipient, "550 a\r\n"))]);
    assert_eq!(d.error, None);
}

/// an LMTP client does not fall back to HELO.
#[test]
fn no_helo() {
    let mut d = Dialogue::with(config(Pipelining::Group).dialect(Dialect::Lmtp));
    let m = d.submit("s@example.org", &THREE);
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
    d.says("500 what?\r\n");
    let outcome = not_sent_after(NotSentReason::SessionRefused, Step::Hello, "500 what?\r\n");
    d.finishes(&[(m, outcome)]);
    d.sends("QUIT\r\n");
}

/// 2033-5-e: a 421 in the place of the last verdict leaves nothing in doubt, as each recipient has an
/// outcome.
#[test]
fn closing_in_place_of_the_last_verdict() {
    let mut d = begin();
    let m = d.submit("s@example.org", &THREE[..2]);
    d.written();
    d.says("250 ok\r\n250 a\r\n250 b\r\n354 go\r\n");
    d.written();
    d.take_events();
    d.says("250 a\r\n421 bye\r\n");
    d.reports(&[
        verdict(m, 0, delivered("250 a\r\n")),
        verdict(m, 1, refused(Step::Content, "421 bye\r\n")),
        finished(m, delivered("250 a\r\n")),
    ]);
    assert_eq!(d.error.unwrap().fault(), Fault::Closing);
}

/// RES-4: half duplex counts a verdict for each recipient.
#[test]
fn verdicts_count_as_unanswered() {
    let half = Duplex::Half {
        bytes: 4096,
        replies: 5,
    };
    let config = config(Pipelining::LookAhead)
        .dialect(Dialect::Lmtp)
        .duplex(half);
    let mut d = Dialogue::with(config);
    d.says("220 x\r\n");
    d.written();
    d.says("250-x\r\n250 PIPELINING\r\n");
    let _ = [(); 2].map(|()| d.submit("s@example.org", &THREE));
    d.sends(GROUP);
    d.says("250 ok\r\n250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    // Three verdicts, and two more replies.
    d.sends(&format!("{STUFFED}RSET\r\nMAIL FROM:<s@example.org>\r\n"));
}
