//! What each policy puts into a flight.

use smtp_proto::{
    client::{Duplex, NotSentReason, Pipelining},
    delivery::Reports,
    machine::Step,
    syntax::{BodyType, Extension, ForwardPath, MailParameters, RcptParameters},
};

use crate::dialogue::{
    Dialogue, STUFFED, config, delivered, envelope, finished, not_sent, of_recipient, present,
    recipient, refused,
};

const TWO: [&str; 2] = ["b@example.net", "c@example.net"];
const ENVELOPE: &str =
    "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n";

/// 5321-4.3.1-a, 2920-3-a, 5321-3.3-k: without PIPELINING each reply is awaited, whatever was asked
/// for.
#[test]
fn lock_step_waits_for_every_reply() {
    for policy in [
        Pipelining::LookAhead,
        Pipelining::Stream { window: 9 },
        Pipelining::LockStep,
    ] {
        let keywords: &[&str] = if policy == Pipelining::LockStep {
            &["PIPELINING", "CHUNKING"]
        } else {
            &["CHUNKING"]
        };
        let mut d = Dialogue::begin(policy, keywords);
        let m = d.submit("a@example.org", &TWO);
        d.submit("a@example.org", &TWO);
        for (sends, says) in [
            ("MAIL FROM:<a@example.org>\r\n", "250 2.1.0 ok\r\n"),
            ("RCPT TO:<b@example.net>\r\n", "250 2.1.5 ok\r\n"),
            ("RCPT TO:<c@example.net>\r\n", "550 5.1.1 no\r\n"),
            ("DATA\r\n", "354 go\r\n"),
            (STUFFED, "250 2.0.0 taken\r\n"),
        ] {
            d.sends(sends);
            d.sends("");
            d.says(says);
        }
        d.reports(&[
            recipient(m, 0, "250 2.1.5 ok\r\n"),
            recipient(m, 1, "550 5.1.1 no\r\n"),
            of_recipient(m, 1, refused(Step::Recipient, "550 5.1.1 no\r\n")),
            finished(m, delivered("250 2.0.0 taken\r\n")),
        ]);
        // The 2xx was read, so no RSET is due.
        d.sends("MAIL FROM:<a@example.org>\r\n");
    }
}

/// 2920-3.1-a, 2920-3.1-c, 5321-4.5.4-b: MAIL, RCPT and DATA in one flight; content in the next;
/// nothing beside it.
#[test]
fn a_group_ends_at_data_and_at_the_dot() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let m = d.submit("a@example.org", &TWO);
    d.submit("a@example.org", &TWO);
    d.sends(&format!("{ENVELOPE}DATA\r\n"));
    d.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
    d.sends(&format!("{ENVELOPE}DATA\r\n"));
    assert_eq!(d.client.round_trips(), 4);
}

/// 2920-3.1-f, 2920-3.1-b, X-38: content, dot, and the next transaction up to DATA in one flight.
#[test]
fn look_ahead_makes_one_round_trip_a_message() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let messages: Vec<_> = (0..10).map(|_| d.submit("a@example.org", &TWO)).collect();
    d.client.quit();
    let before = d.client.round_trips();
    d.sends(&format!("{ENVELOPE}DATA\r\n"));
    d.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    for (index, message) in messages.iter().enumerate() {
        let last = index == 9;
        let next = if last {
            "QUIT\r\n".to_owned()
        } else {
            format!("RSET\r\n{ENVELOPE}DATA\r\n")
        };
        d.sends(&format!("{STUFFED}{next}"));
        d.says("250 taken\r\n");
        d.finishes(&[(*message, delivered("250 taken\r\n"))]);
        if last {
            d.says("221 bye\r\n");
        } else {
            d.says("250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        }
    }
    assert!(d.client.is_closed());
    assert_eq!(d.client.round_trips() - before, 11);
}

/// 3030-2-c, 2920-3.1-e, 5321-4.2.5-b: transactions back to back; the window bounds what may be in
/// doubt.
#[test]
fn a_stream_waits_for_nothing_but_its_window() {
    let chunk = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";
    let mut d = Dialogue::begin(
        Pipelining::Stream { window: 2 },
        &["PIPELINING", "CHUNKING"],
    );
    let before = d.client.round_trips();
    let m: Vec<_> = (0..4).map(|_| d.submit("a@example.org", &TWO)).collect();
    d.sends(&format!(
        "{ENVELOPE}{chunk}RSET\r\n{ENVELOPE}{chunk}RSET\r\n{ENVELOPE}"
    ));
    d.says("250 ok\r\n250 ok\r\n250 ok\r\n250 1\r\n");
    d.finishes(&[(m[0], delivered("250 1\r\n"))]);
    d.sends(&format!("{chunk}RSET\r\n{ENVELOPE}"));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 2\r\n250 reset\r\n250 ok\r\n");
    d.finishes(&[(m[1], delivered("250 2\r\n"))]);
    d.sends(chunk);
    d.says("250 ok\r\n250 ok\r\n250 3\r\n250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 4\r\n");
    d.finishes(&[
        (m[2], delivered("250 3\r\n")),
        (m[3], delivered("250 4\r\n")),
    ]);
    assert!(d.client.is_idle());
    // What waited for the replies to the first flight.
    assert_eq!(d.client.round_trips() - before, 2);
}

/// A stream at a server without CHUNKING looks ahead.
#[test]
fn a_stream_without_chunking_looks_ahead() {
    let mut d = Dialogue::begin(Pipelining::Stream { window: 9 }, &["PIPELINING"]);
    d.submit("a@example.org", &TWO);
    d.sends(&format!("{ENVELOPE}DATA\r\n"));
}

/// 3030-2-d: only a message's first chunk precedes the replies to its recipients; 3030-2-k, BDT-13.
#[test]
fn later_chunks_wait_for_the_recipients() {
    use smtp_proto::client::Body;
    let mut d = Dialogue::begin(
        Pipelining::Stream { window: 9 },
        &["PIPELINING", "CHUNKING"],
    );
    let m = d.submit("a@example.org", &TWO);
    let sent = |d: &mut Dialogue, body: Body<'_>| {
        let Some(transmit) = present(&mut d.client, body, d.now) else {
            return String::new();
        };
        let bytes = String::from_utf8(transmit.slices().concat()).unwrap();
        transmit.wrote(bytes.len(), d.now);
        bytes
    };
    assert_eq!(
        sent(&mut d, Body::Chunk(b"one\r\n")),
        format!("{ENVELOPE}BDAT 5\r\none\r\n")
    );
    assert_eq!(d.client.wants_body(), None);
    assert_eq!(sent(&mut d, Body::Chunk(b"two\r\n")), "");
    d.says("250 ok\r\n250 ok\r\n550 no\r\n");
    assert_eq!(d.client.wants_body().unwrap().message, m);
    assert_eq!(sent(&mut d, Body::Chunk(b"two\r\n")), "BDAT 5\r\ntwo\r\n");
    assert_eq!(sent(&mut d, Body::Last(b"")), "BDAT 0 LAST\r\n");
    d.says("250 1\r\n250 2\r\n250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
}

/// RES-4, 2920-3.1-n: a driver that does not read while it writes leaves no more unanswered than allowed.
#[test]
fn half_duplex_bounds_what_is_unanswered() {
    let recipients: Vec<String> = (0..300).map(|n| format!("r{n:03}@example.net")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for (duplex, most, first) in [
        (
            Duplex::Half {
                bytes: 4096,
                replies: 10,
            },
            10,
            10,
        ),
        (
            Duplex::Half {
                bytes: 400,
                replies: 1000,
            },
            14,
            14,
        ),
    ] {
        let mut d = Dialogue::begin_with(
            config(Pipelining::LookAhead).duplex(duplex),
            &["PIPELINING"],
        );
        let m = d.submit("a@example.org", &recipients);
        let mut answered = 0;
        let mut flights = Vec::new();
        while answered < 302 {
            let flight = d.written();
            let commands = flight.matches("\r\n").count();
            assert!((1..=most).contains(&commands), "{commands} commands");
            if let Duplex::Half { bytes, .. } = duplex {
                assert!(flight.len() <= bytes);
            }
            flights.push(commands);
            answered += commands;
            let data = flight.ends_with("DATA\r\n");
            d.says(&"250 ok\r\n".repeat(commands - usize::from(data)));
            d.says(if data { "354 go\r\n" } else { "" });
        }
        assert_eq!(flights[0], first);
        d.sends(STUFFED);
        d.says("250 taken\r\n");
        d.finishes(&[(m, delivered("250 taken\r\n"))]);
    }
}

/// RES-4: the command of a last chunk counts as others do.
#[test]
fn half_duplex_counts_last_chunks() {
    let mail = "MAIL FROM:<a@example.org>\r\n";
    let rcpt = "RCPT TO:<b@example.net>\r\n";
    let command = "BDAT 20 LAST\r\n";
    let chunk = format!("{command}Subject: x\r\n\r\n.dot\r\n");
    let first = format!("{mail}{rcpt}{chunk}RSET\r\n{mail}");
    let unanswered = 2 * (mail.len() + rcpt.len()) + command.len() + "RSET\r\n".len();
    for (bytes, sent) in [
        (unanswered - 1, first.clone()),
        (unanswered, format!("{first}{rcpt}")),
        (unanswered + command.len() - 1, format!("{first}{rcpt}")),
        (unanswered + command.len(), format!("{first}{rcpt}{chunk}")),
    ] {
        let half = Duplex::Half {
            bytes,
            replies: 100,
        };
        let config = config(Pipelining::Stream { window: 9 }).duplex(half);
        let mut d = Dialogue::begin_stream(config, &["PIPELINING", "CHUNKING"]);
        let _ = [(); 2].map(|()| d.submit("a@example.org", &TWO[..1]));
        d.sends(&sent);
    }
}

/// 5321-4.1.1.3-d, 1870-6.2, 6152-2-a, 1870-7-a, 6152-3-f: parameters only where they were offered.
#[test]
fn parameters_follow_the_offer() {
    let eight = || {
        envelope("a@example.org", &TWO[..1])
            .size(7)
            .body(BodyType::EightBitMime)
    };
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "SIZE 10", "8BITMIME"]);
    d.client.submit(&eight()).unwrap();
    d.sends(
        "MAIL FROM:<a@example.org> SIZE=7 BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
    );
    let large = d.client.submit(&eight().size(11)).unwrap();
    d.says("");
    d.finishes(&[(large, not_sent(NotSentReason::TooLarge { maximum: 10 }))]);

    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let m = d.client.submit(&eight()).unwrap();
    d.says("");
    let missing = NotSentReason::ExtensionMissing(Extension::EightBitMime);
    d.finishes(&[(m, not_sent(missing))]);
    // 6531-3.2-d, INJ-4: a non-ASCII address needs SMTPUTF8.
    let m = d.client.submit(&envelope("δ@example.org", &TWO)).unwrap();
    d.says("");
    let missing = NotSentReason::ExtensionMissing(Extension::SmtpUtf8);
    d.finishes(&[(m, not_sent(missing))]);
    d.client
        .submit(&envelope("a@example.org", &TWO[..1]).size(7))
        .unwrap();
    d.sends("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
}

/// 3030-3-c, 3030-3-d, 3030-2-d: binary content goes by BDAT at every level, raw, and where there is
/// no stream only after the replies to the recipients.
#[test]
fn binary_content_goes_by_chunks() {
    use smtp_proto::client::Body;
    let content = b"\n.\r\0\xff";
    for policy in [
        Pipelining::LockStep,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 3 },
    ] {
        let keywords = ["PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME"];
        let mut d = Dialogue::begin(policy, &keywords);
        let envelope = envelope("", &TWO[..1]).body(BodyType::BinaryMime);
        let m = [(); 2].map(|()| d.client.submit(&envelope).unwrap());
        let mut wire = Vec::new();
        for says in ["250 ok\r\n", "250 ok\r\n", "250 taken\r\n"] {
            d.client
                .speak(d.now, |_| Some(Body::Last(content)), &mut wire);
            d.says(says);
        }
        d.finishes(&[(m[0], delivered("250 taken\r\n"))]);
        let chunk = b"MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n\
                      BDAT 5 LAST\r\n\n.\r\0\xff";
        assert!(wire.starts_with(chunk), "{}", wire.escape_ascii());
    }
}

/// X-42, 3461-5.2.2-a, 8689-4.2-a, 2852-4.1.4-b, 7293-5.1.1-a, 6710-4.2-a, 5321-2.2.3-a, 8689-2-b,
/// 7293-5.1.1-c, 4141-b, 4865-4.1-a: what may be left out is left out where it is not offered; what may not
/// keeps the message back.
#[test]
fn extensions_are_dropped_or_demanded() {
    use smtp_proto::client::Envelope;
    let parse = |text: &'static str| MailParameters::parse(text).unwrap();
    let recipient = |text: &'static str| RcptParameters::parse(text).unwrap();
    let path = || ForwardPath::parse("<c@example.net>").unwrap();
    let message = |mail, rcpt| {
        let envelope: Envelope<'static> =
            envelope("a@example.org", &TWO[..1]).parameters(parse(mail));
        envelope.recipient_with(path(), recipient(rcpt))
    };
    let soft = "RET=HDRS ENVID=QQ314159 AUTH=<> BY=120;N MT-PRIORITY=3 X-OWN=1";
    let soft_of = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;C@example.net RRVS=2014-04-03T23:01:00Z;C";
    let begin = |keywords: &[&str]| {
        let all: Vec<&str> = ["PIPELINING"].iter().chain(keywords).copied().collect();
        Dialogue::begin(Pipelining::Group, &all)
    };
    let mut d = begin(&["DSN", "AUTH PLAIN", "DELIVERBY", "MT-PRIORITY", "RRVS"]);
    d.client.submit(&message(soft, soft_of)).unwrap();
    d.sends(
        "MAIL FROM:<a@example.org> AUTH=<> RET=HDRS ENVID=QQ314159 BY=120;N MT-PRIORITY=3 X-OWN=1\r\n\
         RCPT TO:<b@example.net>\r\n\
         RCPT TO:<c@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;C@example.net \
         RRVS=2014-04-03T23:01:00Z;C\r\nDATA\r\n",
    );
    let mut d = begin(&[]);
    d.client.submit(&message(soft, soft_of)).unwrap();
    d.sends(
        "MAIL FROM:<a@example.org> X-OWN=1\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n\
         DATA\r\n",
    );
    // As far as it is offered, and no further.
    let mut d = begin(&["DELIVERBY 240", "FUTURERELEASE 60 2030-01-01T00:00:00Z"]);
    d.client
        .submit(&message("BY=240;R HOLDFOR=60", ""))
        .unwrap();
    let sent = d.written();
    assert!(sent.starts_with("MAIL FROM:<a@example.org> BY=240;R HOLDFOR=60\r\n"));
    for (mail, rcpt, keywords, missing) in [
        ("REQUIRETLS", "", &[][..], Extension::RequireTls),
        ("BY=120;R", "", &[], Extension::DeliverBy),
        ("CONPERM", "", &[], Extension::Conperm),
        ("BY=120;R", "", &["DELIVERBY 240"], Extension::DeliverBy),
        ("HOLDFOR=60", "", &[], Extension::FutureRelease),
        (
            "HOLDFOR=60",
            "",
            &["FUTURERELEASE 59 2030-01-01T00:00:00Z"],
            Extension::FutureRelease,
        ),
        ("SMTPUTF8", "", &["8BITMIME"], Extension::SmtpUtf8),
    ] {
        let mut d = begin(keywords);
        let m = d.client.submit(&message(mail, rcpt)).unwrap();
        d.says("");
        d.finishes(&[(m, not_sent(NotSentReason::ExtensionMissing(missing)))]);
        d.sends("");
    }
}

/// 3030-3-e, X-30, 6152-3-g, 6152-3-c: what was declared goes where it is offered, and CHUNKING offers
/// no 8 bits; 7BIT is what no BODY means; dots are stuffed whatever follows them.
#[test]
fn declared_bodies() {
    let declared = |body| envelope("a@example.org", &TWO[..1]).body(body);
    let stream = Pipelining::Stream { window: 9 };
    for (body, keywords, missing) in [
        (
            BodyType::BinaryMime,
            &["PIPELINING", "CHUNKING", "8BITMIME"][..],
            Extension::BinaryMime,
        ),
        (
            BodyType::EightBitMime,
            &["PIPELINING", "CHUNKING"],
            Extension::EightBitMime,
        ),
    ] {
        let mut d = Dialogue::begin(stream, keywords);
        let m = d.client.submit(&declared(body)).unwrap();
        d.says("");
        d.finishes(&[(m, not_sent(NotSentReason::ExtensionMissing(missing)))]);
        d.sends("");
    }
    for (keywords, parameter) in [(&["8BITMIME"][..], " BODY=7BIT"), (&[], "")] {
        let mut d = Dialogue::begin(Pipelining::LockStep, keywords);
        d.client.submit(&declared(BodyType::SevenBit)).unwrap();
        d.sends(&format!("MAIL FROM:<a@example.org>{parameter}\r\n"));
    }
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "8BITMIME"]);
    d.submit_with("a@example.org", &TWO[..1], ".é\r\n".as_bytes());
    d.written();
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends("..é\r\n.\r\n");
}

/// 6531-3.4-a: the parameter comes with the addresses that need it, and no others.
#[test]
fn addresses_that_need_smtputf8() {
    for (sender, recipient, parameter) in [
        ("δ@example.org", "b@example.net", " SMTPUTF8"),
        ("a@example.org", "δ@example.net", " SMTPUTF8"),
        ("a@example.org", "b@xn--e1afmkfd.example", ""),
    ] {
        let keywords = ["PIPELINING", "8BITMIME", "SMTPUTF8"];
        let mut d = Dialogue::begin(Pipelining::Group, &keywords);
        d.submit(sender, &[recipient]);
        d.sends(&format!(
            "MAIL FROM:<{sender}>{parameter}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
        ));
    }
}

/// 5321-3.3-e: what real addresses have against the grammar can be sent to.
#[test]
fn addresses_against_the_grammar() {
    let (sender, recipient) = ("first..last@host_1.example", ".tel.@carrier.example.");
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    d.submit(sender, &[recipient]);
    d.sends(&format!(
        "MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
    ));
}

/// 6531-3.2-d, 7293-5.1.1-a: What one recipient needs, and the server does not offer, keeps the message from
/// no other.
#[test]
fn what_a_recipient_needs_is_missing_for_that_recipient() {
    let envelope = |since: &'static str| {
        let since = RcptParameters::parse(since).unwrap();
        let to = ["a@example.net", "δ@example.net", "b@example.net"];
        envelope("s@example.org", &to).recipient_with("c@example.net".try_into().unwrap(), since)
    };
    let missing = |extension| not_sent(NotSentReason::ExtensionMissing(extension));
    for (since, is_early) in [
        ("RRVS=2014-04-03T23:01:00Z", false),
        ("RRVS=2014-04-03T23:01:00Z;R", true),
    ] {
        let mut d = Dialogue::with(config(Pipelining::Group));
        let submit = |d: &mut Dialogue| d.submit_envelope(&envelope(since), b"hi\r\n");
        let early = is_early.then(|| submit(&mut d));
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        d.says("250-x\r\n250 PIPELINING\r\n");
        let m = early.unwrap_or_else(|| submit(&mut d));
        d.sends(
            "MAIL FROM:<s@example.org>\r\nRCPT TO:<a@example.net>\r\n\
             RCPT TO:<b@example.net>\r\nDATA\r\n",
        );
        d.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        d.sends("hi\r\n.\r\n");
        d.says("250 taken\r\n");
        let mut reports = Reports::default();
        reports.expect(m, 4);
        let told = d.take_events().into_iter();
        let told: Vec<_> = told.filter_map(|event| reports.observe(event)).collect();
        let taken = delivered("250 taken\r\n");
        let (utf8, since) = (missing(Extension::SmtpUtf8), missing(Extension::Rrvs));
        assert_eq!(told[0].recipients[..], [taken.clone(), utf8, taken, since]);
    }
}

/// Where it has to be for all, is for nobody else, or needs it itself, it is not sent.
#[test]
fn what_all_recipients_need_is_missing_for_the_message() {
    let since = RcptParameters::parse("RRVS=2014-04-03T23:01:00Z").unwrap();
    for envelope in [
        envelope("s@example.org", &["a@example.net", "δ@example.net"]).all_or_none(),
        envelope("s@example.org", &["δ@example.net"])
            .recipient_with("c@example.net".try_into().unwrap(), since)
            .all_or_none(),
        envelope("s@example.org", &["δ@example.net", "ε@example.net"]),
        envelope("δ@example.org", &["a@example.net", "ε@example.net"]),
    ] {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
        let m = d.client.submit(&envelope).unwrap();
        d.says("");
        let missing = NotSentReason::ExtensionMissing(Extension::SmtpUtf8);
        d.finishes(&[(m, not_sent(missing))]);
        d.sends("");
    }
}
