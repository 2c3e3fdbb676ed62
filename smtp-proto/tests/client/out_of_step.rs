//! Replies that no longer match the commands, and servers that take nothing ahead of a verdict.

use smtp_proto::{
    client::{Cancellation, NotSentReason, Outcome, Pipelining},
    machine::{Fault, Step},
};

use crate::dialogue::{
    Dialogue, GROUP, ONE, STUFFED, config, connection_ended, content_due, delivered, envelope,
    finished, look_ahead, not_sent, not_sent_after, of_recipient, recipient, refused, sent_ahead,
};

/// A dot that is answered twice shifts every reply after it: a valid recipient must not have the
/// refusal of the one before.
#[test]
fn a_shifted_refusal_is_no_verdict() {
    let to = ["bad@example.net", "good@example.net"];
    let (mut d, m) = sent_ahead(look_ahead(), &to);
    d.says("250 \r\n250 Ok id\r\n250 reset\r\n250 ok\r\n550 bad\r\n250 good\r\n354 go\r\n");
    d.reports(&[
        finished(m[0], delivered("250 \r\n")),
        recipient(m[1], 0, "250 ok\r\n"),
        recipient(m[1], 1, "550 bad\r\n"),
        finished(m[1], connection_ended()),
    ]);
    assert_eq!(d.error.unwrap().fault(), Fault::ImpossibleReply);
}

/// However the machine comes to know that it has lost step, no refusal that it read before stands.
#[test]
fn no_refusal_counts_out_of_step() {
    for (says, fault) in [
        ("250 what?\r\n", Fault::SurplusReply),
        ("what?\r\n", Fault::MalformedReply),
        ("250-what?\r\n550 no\r\n", Fault::MalformedReply),
    ] {
        let mut d = Dialogue::begin(Pipelining::LockStep, &[]);
        let m = d.submit("a@example.org", &["b@example.net", "c@example.net"]);
        for says in ["250 ok\r\n", "550 no\r\n"] {
            d.written();
            d.says(says);
        }
        d.says(says);
        d.reports(&[
            recipient(m, 0, "550 no\r\n"),
            finished(m, connection_ended()),
        ]);
        assert_eq!(d.error.unwrap().fault(), fault);
    }
}

/// What was refused in step stays refused when the server then closes, or falls silent.
#[test]
fn refusals_in_step_outlive_the_connection() {
    let closing = "421 bye\r\n";
    let ended = NotSentReason::ConnectionEnded;
    type End = (fn(&mut Dialogue), Outcome<'static>);
    let ends: [End; 4] = [
        (Dialogue::hangs_up, not_sent(ended.clone())),
        (
            |d| d.says("421 bye\r\n"),
            not_sent_after(ended.clone(), Step::Recipient, closing),
        ),
        (
            |d| {
                d.now = d.client.poll_timeout().unwrap();
                d.client.handle_timeout(d.now);
                d.says("");
            },
            not_sent(ended.clone()),
        ),
        (
            |d| {
                d.client.abort();
                d.says("");
            },
            not_sent(ended),
        ),
    ];
    for (end, rest) in ends {
        let refusal = || refused(Step::Recipient, "550 no\r\n");
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &ONE);
        d.written();
        d.says("250 ok\r\n550 no\r\n");
        end(&mut d);
        d.reports(&[
            recipient(m, 0, "550 no\r\n"),
            of_recipient(m, 0, refusal()),
            finished(m, refusal()),
        ]);
        let mut d = look_ahead();
        let m = d.submit("a@example.org", &["b@example.net", "c@example.net"]);
        d.written();
        d.says("250 ok\r\n550 no\r\n");
        end(&mut d);
        d.reports(&[
            recipient(m, 0, "550 no\r\n"),
            of_recipient(m, 0, refusal()),
            finished(m, rest),
        ]);
    }
}

/// Haraka 3 answers each command after the dot by 503: the message is sent again, without looking
/// ahead from then on.
#[test]
fn a_server_takes_nothing_ahead() {
    let refusals = "503 no\r\n".repeat(4);
    for verdict in ["250 taken\r\n", "554 no\r\n", "451 later\r\n"] {
        let (mut d, m) = sent_ahead(look_ahead(), &ONE);
        let third = d.submit("a@example.org", &ONE);
        d.says(&format!("{verdict}{refusals}"));
        let outcome = match verdict.starts_with('2') {
            true => delivered(verdict),
            false => refused(Step::Content, verdict),
        };
        d.reports(&[finished(m[0], outcome)]);
        if !verdict.starts_with('2') {
            d.sends("RSET\r\n");
            d.sends("");
            d.says("250 reset\r\n");
        }
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        // Nothing is sent ahead any more.
        d.sends(STUFFED);
        d.says("250 taken\r\n");
        d.finishes(&[(m[1], delivered("250 taken\r\n"))]);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        d.sends(STUFFED);
        d.says("250 taken\r\n");
        d.finishes(&[(third, delivered("250 taken\r\n"))]);
        assert_eq!(d.error, None);
    }
}

/// The same where the commands leave in several flights, of which only the first were sent; where the
/// message is cancelled meanwhile; and where no message follows.
#[test]
fn a_server_takes_nothing_ahead_of_several_flights() {
    use smtp_proto::client::Duplex;
    let half = Duplex::Half {
        bytes: 4096,
        replies: 4,
    };
    let begin = || {
        let config = config(Pipelining::LookAhead).duplex(half);
        Dialogue::begin_with(config, &["PIPELINING"])
    };
    let many: Vec<String> = (0..9).map(|n| format!("r{n}@example.net")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for is_cancelled in [false, true] {
        let mut d = begin();
        let first = d.submit("a@example.org", &ONE);
        let second = d.submit("a@example.org", &many);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        d.take_events();
        d.sends(&format!(
            "{STUFFED}RSET\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.net>\r\n"
        ));
        d.says("250 taken\r\n503 no\r\n");
        d.reports(&[finished(first, delivered("250 taken\r\n"))]);
        if is_cancelled {
            assert_eq!(d.client.cancel(second), Ok(Cancellation::Withdrawn));
        }
        d.sends("");
        d.says("503 no\r\n503 no\r\n");
        if is_cancelled {
            d.finishes(&[(second, not_sent(NotSentReason::Cancelled))]);
            d.sends("");
        } else {
            let flight = d.written();
            assert!(
                flight.starts_with("MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.net>\r\n")
            );
        }
        assert_eq!(d.error, None);
    }
}

/// One command that is taken shows that the others were no such refusals, and a RSET that is refused
/// where nothing was sent ahead leaves nothing known.
#[test]
fn other_refusals_of_rset_are_a_desync() {
    for says in [
        "250 taken\r\n503 no\r\n250 ok\r\n",
        "250 taken\r\n503 no\r\n503 no\r\n250 ok\r\n",
        "250 taken\r\n503 no\r\n503 no\r\n503 no\r\n354 go\r\n",
    ] {
        let (mut d, m) = sent_ahead(look_ahead(), &ONE);
        d.says(says);
        d.reports(&[
            finished(m[0], delivered("250 taken\r\n")),
            finished(m[1], connection_ended()),
        ]);
        assert_eq!(d.error.unwrap().fault(), Fault::ResetRefused, "{says}");
    }
    let mut d = look_ahead();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.written();
    d.says("550 no\r\n503 no\r\n503 no\r\n");
    d.written();
    d.says("500 what?\r\n");
    d.finishes(&[
        (m[0], refused(Step::Mail, "550 no\r\n")),
        (m[1], connection_ended()),
    ]);
    assert_eq!(d.error.unwrap().fault(), Fault::ResetRefused);
    // In a stream the contents have left as well, so that nothing can be sent again.
    let stream = Pipelining::Stream { window: 9 };
    let mut d = Dialogue::begin(stream, &["PIPELINING", "CHUNKING"]);
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.written();
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n503 no\r\n");
    d.finishes(&[(m[0], delivered("250 taken\r\n")), (m[1], Outcome::InDoubt)]);
    assert_eq!(d.error.unwrap().fault(), Fault::ResetRefused);
    // The lone RSET, too.
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.says(&format!("554 no\r\n{}", "503 no\r\n".repeat(4)));
    d.sends("RSET\r\n");
    d.says("503 no\r\n");
    d.finishes(&[
        (m[0], refused(Step::Content, "554 no\r\n")),
        (m[1], connection_ended()),
    ]);
    assert_eq!(d.error.unwrap().fault(), Fault::ResetRefused);
    // 421 is none of these refusals.
    let (mut d, m) = sent_ahead(look_ahead(), &ONE);
    d.says("250 taken\r\n503 no\r\n421 bye\r\n");
    let events = d.take_events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0], finished(m[0], delivered("250 taken\r\n")));
    assert!(!events.contains(&finished(m[1], Outcome::InDoubt)));
    assert_eq!(d.error.unwrap().fault(), Fault::Closing);
}

/// What was cancelled in the meantime was sent ahead as well: the server may have taken its sender, for
/// whom it would take the next message.
#[test]
fn what_was_cancelled_was_sent_ahead_as_well() {
    for is_taken in [false, true] {
        let (mut d, _) = content_due(look_ahead());
        let open = d.client.begin(&envelope("b@example.org", &[])).unwrap();
        d.sends(&format!("{STUFFED}RSET\r\nMAIL FROM:<b@example.org>\r\n"));
        assert_eq!(d.client.cancel(open), Ok(Cancellation::Withdrawn));
        d.says("250 taken\r\n503 not yet\r\n");
        let next = d.submit("a@example.org", &ONE);
        d.sends("");
        d.take_events();
        let cancelled = finished(open, not_sent(NotSentReason::Cancelled));
        if is_taken {
            d.says("250 ok\r\n");
            d.reports(&[cancelled, finished(next, connection_ended())]);
            d.fails(Fault::ResetRefused);
        } else {
            d.says("503 not yet\r\n");
            d.reports(&[cancelled]);
            d.sends(GROUP);
        }
    }
}
