//! Recipients that are put off by 452, and tried again in another transaction (RFC 5321 4.5.3.1.10).

use crate::dialogue::{
    CONTENT, Dialogue, STUFFED, connection_ended, delivered, envelope, finished, not_sent,
    not_sent_after, of_recipient, present, refused,
};
use smtp_proto::{
    client::{Body, Event, NotSentReason, Outcome, Pipelining},
    delivery::{Report, Reports},
    machine::Step,
};

const ALL: [&str; 4] = [
    "r000@example.net",
    "r001@example.net",
    "r002@example.net",
    "r003@example.net",
];

fn put_off(reason: NotSentReason, bytes: &str) -> Outcome<'static> {
    not_sent_after(reason, Step::Recipient, bytes)
}

/// Returns what became of the message that has finished last.
fn last_report(d: &mut Dialogue, reports: &mut Reports) -> Report {
    let events = d.take_events().into_iter();
    let reports = events.filter_map(|event| reports.observe(event));
    reports.last().unwrap()
}

/// recipients that were put off are not forgotten when the connection ends before they could
/// go into another transaction, nor taken for delivered with the others.
#[test]
fn the_connection_ends_before_recipients_are_tried_again() {
    let unsent = connection_ended();
    let mut reports = Reports::default();
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let message = d.submit("s@example.org", &ALL);
    reports.expect(message, 4);
    for replies in [
        "250 ok\r\n250 a\r\n452 not b\r\n452 not c\r\n452 not d\r\n354 go\r\n",
        "250 taken\r\n",
    ] {
        d.written();
        d.says(replies);
    }
    // The content is presented again.
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let group = transmit.slices().concat();
    transmit.wrote(group.len(), d.now);
    // No more than the server took the last time are tried at once.
    assert_eq!(
        group.as_slice(),
        b"MAIL FROM:<s@example.org>\r\nRCPT TO:<r001@example.net>\r\nDATA\r\n"
    );
    d.says("250 ok\r\n250 b\r\n");
    d.hangs_up();
    let report = last_report(&mut d, &mut reports);
    let mut expected = [(); 4].map(|()| unsent.clone());
    expected[0] = delivered("250 taken\r\n");
    assert_eq!(report.recipients, expected);

    let mut d = Dialogue::begin(
        Pipelining::Stream { window: 9 },
        &["PIPELINING", "CHUNKING"],
    );
    let message = d.submit("s@example.org", &ALL[..3]);
    reports.expect(message, 3);
    d.written();
    d.says("250 ok\r\n250 a\r\n452 4.5.3 not b\r\n");
    d.hangs_up();
    let report = last_report(&mut d, &mut reports);
    let expected = [Outcome::InDoubt, unsent, Outcome::InDoubt];
    assert_eq!(report.recipients, expected);
}

/// 9422-4-a: recipients that are put off find no transaction where the server takes no more, and
/// those that were being tried again when the message was cancelled are not forgotten.
#[test]
fn recipients_that_cannot_be_tried_again() {
    let all = &ALL[..3];
    let offer = ["PIPELINING", "LIMITS MAILMAX=1"];
    let mut reports = Reports::default();
    let mut d = Dialogue::begin(Pipelining::LookAhead, &offer);
    let message = d.submit("s@example.org", all);
    reports.expect(message, 3);
    d.written();
    d.says("250 ok\r\n250 a\r\n452 not b\r\n452 not c\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}QUIT\r\n"));
    d.says("250 taken\r\n");
    let report = last_report(&mut d, &mut reports);
    // What the server said to the first whom it put off is the cause.
    let unsent = put_off(NotSentReason::LimitReached, "452 not b\r\n");
    let expected = [delivered("250 taken\r\n"), unsent.clone(), unsent];
    assert_eq!(report.recipients, expected);

    // One that had waited for the last transaction of the session.
    let offer = ["PIPELINING", "LIMITS MAILMAX=2"];
    let mut d = Dialogue::begin(Pipelining::Group, &offer);
    let message = d.submit("s@example.org", all);
    reports.expect(message, 3);
    d.written();
    d.says("250 ok\r\n250 a\r\n452 not b\r\n452 not c\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.sends("MAIL FROM:<s@example.org>\r\nRCPT TO:<r001@example.net>\r\nDATA\r\n");
    d.says("250 ok\r\n250 b\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    let report = last_report(&mut d, &mut reports);
    let unsent = put_off(NotSentReason::LimitReached, "452 not b\r\n");
    let taken = delivered("250 taken\r\n");
    assert_eq!(report.recipients, [taken.clone(), taken, unsent]);

    let mut d = Dialogue::begin(Pipelining::LockStep, &[]);
    let message = d.submit("s@example.org", all);
    reports.expect(message, 3);
    for replies in ["250 ok\r\n", "250 a\r\n", "452 not b\r\n"] {
        d.written();
        d.says(replies);
    }
    d.client.cancel(message).unwrap();
    d.says("");
    let report = last_report(&mut d, &mut reports);
    let cancelled = not_sent(NotSentReason::Cancelled);
    let expected = [(); 3].map(|()| cancelled.clone());
    assert_eq!(report.recipients, expected);
}

/// 5321-4.5.3.1.10-b: QUIT does not ride after a chunk while recipients may yet be put off.
#[test]
fn quit_waits_for_recipients_that_may_be_put_off() {
    let all = &ALL[..2];
    let mut d = Dialogue::begin(
        Pipelining::Stream { window: 9 },
        &["PIPELINING", "CHUNKING"],
    );
    let message = d.submit("s@example.org", all);
    d.client.quit();
    assert!(!d.written().contains("QUIT"));
    d.says("250 ok\r\n250 a\r\n452 not b\r\n250 taken\r\n");
    d.take_events();
    // The content is presented again.
    let group = d.presents(Body::Last(CONTENT));
    assert_eq!(
        group,
        "MAIL FROM:<s@example.org>\r\nRCPT TO:<r001@example.net>\r\n"
    );
    let chunk = d.presents(Body::Last(CONTENT));
    assert!(
        chunk.starts_with("BDAT ") && chunk.ends_with("QUIT\r\n"),
        "{chunk}"
    );
    d.says("250 ok\r\n250 b\r\n250 taken\r\n221 bye\r\n");
    d.finishes(&[(message, delivered("250 taken\r\n"))]);
    assert!(d.client.is_closed());
}

/// A content that cannot be presented again costs its further recipients, and nothing else.
#[test]
fn a_content_that_cannot_be_had_again() {
    let all = ["a@example.net", "b@example.net"];
    let reason = NotSentReason::NeedsBodyAgain;
    let later = "452 4.5.3 later\r\n";
    for (offer, second, unsent) in [
        ("LIMITS RCPTMAX=1", "", not_sent(reason.clone())),
        ("HELP", later, put_off(reason, later)),
    ] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", offer]);
        let m = d.submit("s@example.org", &all);
        d.written();
        d.says(&format!("250 ok\r\n250 a\r\n{second}354 go\r\n"));
        d.presents(Body::Last(CONTENT));
        assert!(present(&mut d.client, Body::Failed(None), d.now).is_none());
        d.take_events();
        d.says("250 taken\r\n");
        let events = d.take_events();
        assert!(events.contains(&of_recipient(m, 1, unsent)), "{events:?}");
        let finished = finished(m, delivered("250 taken\r\n"));
        assert_eq!(events.last(), Some(&finished));
        assert_eq!(d.error, None);
    }
}

/// 452 that means something else, or that nobody was accepted before, is a refusal.
#[test]
fn other_452_are_refusals() {
    for (reply, accepted) in [("452 4.2.2 full\r\n", true), ("452 too many\r\n", false)] {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
        let m = d.submit("s@example.org", &["a@example.net", "b@example.net"]);
        d.written();
        let first = if accepted { "250 a\r\n" } else { "550 a\r\n" };
        d.says(&format!("250 ok\r\n{first}{reply}"));
        let events = d.take_events();
        let refusal = crate::dialogue::reply(reply);
        assert!(events.contains(&Event::RecipientAnswered {
            message: m,
            recipient: 1,
            reply: refusal
        }));
    }
}

/// X-33, 1870-6.4-a: 552 refuses a recipient where the size was declared, and puts it off where not.
#[test]
fn too_large_for_a_recipient() {
    let to = ["a@example.net", "b@example.net"];
    for declared in [false, true] {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "SIZE 100"]);
        let m = if declared {
            let sized = envelope("s@example.org", &to).size(20);
            d.client.submit(&sized).unwrap()
        } else {
            d.submit("s@example.org", &to)
        };
        d.written();
        d.says("250 ok\r\n250 a\r\n552 b\r\n354 go\r\n");
        let told = d.take_events().contains(&Event::RecipientAnswered {
            message: m,
            recipient: 1,
            reply: crate::dialogue::reply("552 b\r\n"),
        });
        assert_eq!(told, declared);
        if !declared {
            d.written();
            d.says("250 taken\r\n");
            d.sends("MAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        }
    }
}

/// 5321-4.5.3.1.10-b: Only a message that lives hands recipients on: a cancelled one is delivered to
/// nobody, and a refused one has one outcome.
#[test]
fn a_dead_message_hands_nobody_on() {
    let to = ["b@example.net", "c@example.net"];
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let m = d.submit("s@example.org", &to);
    d.written();
    d.client.cancel(m).unwrap();
    d.says("250 ok\r\n250 b\r\n452 4.5.3 c\r\n451 not now\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::Cancelled))]);
    d.sends("");
    assert!(d.client.is_idle());

    // Cancelled between the 452 and the last recipient's answer.
    let mut d = Dialogue::begin(Pipelining::LockStep, &[]);
    let m = d.submit("s@example.org", &[to[0], to[1], "d@example.net"]);
    for says in ["250 ok\r\n", "250 b\r\n", "452 4.5.3 c\r\n"] {
        d.written();
        d.says(says);
    }
    d.sends("RCPT TO:<d@example.net>\r\n");
    d.client.cancel(m).unwrap();
    d.says("250 d\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::Cancelled))]);
    d.sends("");
    assert!(d.client.is_idle());

    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let m = d.submit("s@example.org", &to);
    d.written();
    d.says("451 no\r\n250 b\r\n452 4.5.3 c\r\n503 no\r\n");
    d.reports(&[Event::Finished {
        message: m,
        outcome: refused(Step::Mail, "451 no\r\n"),
    }]);
    d.sends("");
    assert!(d.client.is_idle());
}
