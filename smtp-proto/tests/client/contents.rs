//! A content that is presented whole is looked at before anything of its message is sent.

use smtp_proto::{
    client::{Body, Cancellation, MessageId, NotSentReason, Outcome, Pipelining, Unpermitted},
    framing::LineBreaks,
    machine::{Fault, Misuse, Step, limits},
    syntax::{BodyType, Extension},
};

use crate::dialogue::{
    CONTENT, Dialogue, GROUP, ONE, STUFFED, config, connection_ended, delivered, envelope,
    finished, not_sent, of_recipient, present, refused,
};

const EIGHT_BIT: &str = "Subject: caf\u{e9}\r\n";

/// A server that takes everything: what it says to what was written.
fn answers(wire: &str) -> String {
    let (mut answers, mut rest) = (String::new(), wire);
    while let Some((line, after)) = rest.split_once("\r\n") {
        rest = after;
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        answers += match verb {
            "MAIL" | "RCPT" | "RSET" => "250 ok\r\n",
            "DATA" => "354 go\r\n",
            "." => "250 taken\r\n",
            "BDAT" => {
                let size = argument.split(' ').next().unwrap();
                rest = &rest[size.parse().unwrap()..];
                match size {
                    // The proof of a stream.
                    "3" => "503 nobody\r\n",
                    _ => "250 taken\r\n",
                }
            }
            _ => "",
        };
    }
    answers
}

/// Lets the client and that server talk until nothing moves, and returns what was written.
fn talk(d: &mut Dialogue) -> String {
    let mut all = String::new();
    loop {
        let wire = d.written();
        if wire.is_empty() {
            return all;
        }
        d.says(&answers(&wire));
        all += &wire;
    }
}

/// EOD-13, 5321-2.3.8-b: a bare CR or LF costs its message, for good, and nothing else. Nothing of that
/// message is sent, and the reason names the way out.
#[test]
fn a_bare_line_break_costs_its_message_alone() {
    let policies = [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 9 },
    ];
    let contents = [
        (&b"a\r\n.\nb\r\n"[..], 4),
        (b"a\rb\r\n", 1),
        (b"\n", 0),
        (b"a\r", 1),
    ];
    for (content, at) in contents {
        for policy in policies {
            // What is to be kept is kept only where it is no text.
            for line_breaks in [LineBreaks::Refuse, LineBreaks::Keep] {
                let config = config(policy).line_breaks(line_breaks);
                let offer = ["PIPELINING", "CHUNKING", "SIZE 1000"];
                let mut d = Dialogue::begin_with(config, &offer);
                let m = [CONTENT, content, content, CONTENT, content, CONTENT]
                    .map(|content| (content, d.submit_with("a@example.org", &ONE, content)));
                let wire = talk(&mut d);
                let sent = wire.matches("RCPT TO").count();
                assert_eq!(sent, 3, "{policy:?} {wire}");
                let mut events = d.take_events();
                events.retain(|event| format!("{event:?}").starts_with("Finished"));
                for (content, message) in m {
                    let outcome = match content {
                        CONTENT => delivered("250 taken\r\n"),
                        _ => not_sent(NotSentReason::BareLineBreak { at }),
                    };
                    let finished = crate::dialogue::finished(message, outcome);
                    assert!(events.contains(&finished), "{policy:?} {events:?}");
                }
                assert_eq!((events.len(), d.error.clone()), (6, None));
            }
        }
    }
    let reason = NotSentReason::BareLineBreak { at: 4 };
    assert!(reason.to_string().contains("LineBreaks::Normalize"));
}

/// The content of the next message is asked for while the one before waits for its 354, and no further
/// ahead than that; so it is known before its commands leave with that content.
#[test]
fn the_next_content_is_asked_for_in_time() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", "8BITMIME"]);
    let m = [(); 3].map(|()| d.client.submit(&envelope("a@example.org", &ONE)).unwrap());
    let wanted = |d: &Dialogue| {
        d.client
            .wants_body()
            .map(|body| (body.message, body.offset))
    };
    assert_eq!(wanted(&d), Some((m[0], 0)));
    // It is not at hand: nothing waits for it.
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    assert_eq!(transmit.slices().concat(), GROUP.as_bytes());
    transmit.wrote(GROUP.len(), d.now);
    assert_eq!(wanted(&d), Some((m[1], 0)));
    d.has(m[1], EIGHT_BIT.as_bytes());
    d.sends("");
    // Once is enough, and the one after it has time.
    assert_eq!(wanted(&d), None);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_eq!(wanted(&d), Some((m[0], 0)));
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let declared = GROUP.replace("g>\r\n", "g> BODY=8BITMIME\r\n");
    let wire = format!("{STUFFED}RSET\r\n{declared}");
    assert_eq!(transmit.slices().concat(), wire.as_bytes());
    transmit.wrote(wire.len(), d.now);
    assert_eq!(wanted(&d), Some((m[2], 0)));
}

/// A content that comes late, or in chunks, is sent all the same; what is seen before DATA costs a RSET,
/// and what is seen later the connection.
#[test]
fn a_content_that_is_not_at_hand_is_not_waited_for() {
    let bad = b"a\nb\r\n";
    let outcome = || not_sent(NotSentReason::BareLineBreak { at: 1 });
    let begin = |policy| {
        let mut d = Dialogue::begin(policy, &["PIPELINING"]);
        let m = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
        (d, m)
    };
    let (mut d, m) = begin(Pipelining::LockStep);
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.has(m, bad);
    let next = d.submit("a@example.org", &ONE);
    d.sends("");
    d.says("250 ok\r\n");
    d.sends("RSET\r\n");
    d.says("250 ok\r\n");
    talk(&mut d);
    d.finishes(&[(m, outcome()), (next, delivered("250 taken\r\n"))]);

    let (mut d, m) = begin(Pipelining::LookAhead);
    d.sends(GROUP);
    d.has(m, bad);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends("a");
    d.says("");
    d.finishes(&[(m, outcome())]);
    assert_eq!(d.error.unwrap().fault(), Fault::ContentAbandoned);

    // A part of it tells nothing of the rest.
    let (mut d, m) = begin(Pipelining::LookAhead);
    let transmit = present(&mut d.client, Body::Chunk(b"a\r\n"), d.now).unwrap();
    assert_eq!(transmit.slices().concat(), GROUP.as_bytes());
    assert_eq!(transmit.wrote(GROUP.len(), d.now), 0);
    d.has(m, b"a\r\nb\r\n");
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends("a\r\nb\r\n.\r\n");

    // Of an open envelope it is asked for at its end, with the sender and the recipients sent.
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = d.client.begin(&envelope("a@example.org", &ONE)).unwrap();
    let (commands, data) = GROUP.split_at(GROUP.len() - "DATA\r\n".len());
    d.sends(commands);
    assert_eq!(d.client.wants_body(), None);
    d.client.end(m).unwrap();
    d.has(m, bad);
    d.sends("");
    d.says("250 ok\r\n250 ok\r\n");
    d.finishes(&[(m, outcome())]);
    let m = d.client.begin(&envelope("a@example.org", &ONE)).unwrap();
    d.sends(&format!("RSET\r\n{commands}"));
    d.client.end(m).unwrap();
    d.sends(data);

    // One that cannot be had is not begun.
    let (mut d, m) = begin(Pipelining::LookAhead);
    assert!(present(&mut d.client, Body::Failed(None), d.now).is_none());
    d.says("");
    d.finishes(&[(m, not_sent(NotSentReason::BodyFailed))]);
    d.submit("a@example.org", &ONE);
    d.sends(GROUP);
}

/// 5321-4.1.1.4-a: whether NUL may be in a message is between those who made it and those who read it.
#[test]
fn nul_is_sent_as_it_is() {
    for (policy, sent) in [
        (Pipelining::LookAhead, "DATA\r\na\0b\r\n\0\r\n.\r\n"),
        (
            Pipelining::Stream { window: 9 },
            "BDAT 8 LAST\r\na\0b\r\n\0\r\n",
        ),
    ] {
        let mut d = Dialogue::begin(policy, &["PIPELINING", "CHUNKING", "SIZE 1000"]);
        d.submit("a@example.org", &ONE);
        talk(&mut d);
        let m = d.submit_with("a@example.org", &ONE, b"a\0b\r\n\0\r\n");
        let wire = talk(&mut d);
        assert!(wire.ends_with(sent), "{wire:?}");
        let outcomes = d.take_events();
        assert!(outcomes.contains(&finished(m, delivered("250 taken\r\n"))));
    }
}

/// 5321-2.4-e, 6152-3-f: 8-bit content is declared where that is on offer, whatever the caller has said
/// of it, and refused or sent where not.
#[test]
fn eight_bit_content_is_declared_or_refused() {
    let missing = || not_sent(NotSentReason::ExtensionMissing(Extension::EightBitMime));
    let declared = GROUP.replace("g>\r\n", "g> BODY=8BITMIME\r\n");
    let cases = [
        (true, Unpermitted::Refuse, Some(&*declared)),
        (true, Unpermitted::Send, Some(&*declared)),
        (false, Unpermitted::Refuse, None),
        (false, Unpermitted::Send, Some(GROUP)),
    ];
    for (is_offered, unpermitted, wire) in cases {
        for body in [None, Some(BodyType::SevenBit), Some(BodyType::EightBitMime)] {
            let offer = if is_offered { "8BITMIME" } else { "HELP" };
            let config = config(Pipelining::LookAhead).eight_bit(unpermitted);
            let mut d = Dialogue::begin_with(config, &["PIPELINING", offer]);
            let envelope = envelope("a@example.org", &ONE);
            let envelope = match body {
                Some(body) => envelope.body(body),
                None => envelope,
            };
            let m = d.submit_envelope(&envelope, EIGHT_BIT.as_bytes());
            d.sends(wire.unwrap_or_default());
            match wire {
                None => d.finishes(&[(m, missing())]),
                Some(_) => {
                    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
                    d.sends(&format!("{EIGHT_BIT}.\r\n"));
                }
            }
        }
    }
    // Content in ASCII is not declared.
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", "8BITMIME"]);
    d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    // Each transaction of a message is told.
    let offer = ["8BITMIME", "LIMITS RCPTMAX=1"];
    let mut d = Dialogue::begin(Pipelining::LockStep, &offer);
    let two = ["b@example.net", "c@example.net"];
    let m = d.submit_with("a@example.org", &two, EIGHT_BIT.as_bytes());
    let wire = talk(&mut d);
    assert_eq!(wire.matches(" BODY=8BITMIME\r\n").count(), 2, "{wire}");
    let events = d.take_events();
    assert!(events.contains(&of_recipient(m, 1, delivered("250 taken\r\n"))));
}

/// 5321-4.5.3.1.6-a: lines of more than 998 bytes are sent, unless they are not to be.
#[test]
fn long_lines_are_sent_unless_they_are_refused() {
    for (length, unpermitted, is_sent) in [
        (998, Unpermitted::Refuse, true),
        (999, Unpermitted::Refuse, false),
        (999, Unpermitted::Send, true),
    ] {
        let mut config = config(Pipelining::LookAhead);
        if unpermitted == Unpermitted::Refuse {
            config = config.long_lines(unpermitted);
        }
        let mut d = Dialogue::begin_with(config, &["PIPELINING"]);
        let content = format!("{}\r\n", "x".repeat(length));
        let m = d.submit_with("a@example.org", &ONE, content.as_bytes());
        d.sends(if is_sent { GROUP } else { "" });
        if !is_sent {
            d.finishes(&[(m, not_sent(NotSentReason::LongLine))]);
        }
    }
}

/// 3030-3-c: what is no text is not looked at.
#[test]
fn binary_content_holds_what_it_likes() {
    let config = config(Pipelining::LookAhead).long_lines(Unpermitted::Refuse);
    let offer = ["PIPELINING", "CHUNKING", "BINARYMIME", "SIZE 9999"];
    let mut d = Dialogue::begin_with(config, &offer);
    let content = format!("\r\n\n\r{}\n", "x".repeat(2000));
    let binary = envelope("a@example.org", &ONE).body(BodyType::BinaryMime);
    let m = d.submit_envelope(&binary, content.as_bytes());
    let wire = talk(&mut d);
    assert!(wire.ends_with(&content), "{wire}");
    d.finishes(&[(
        m,
        Outcome::Delivered(crate::dialogue::reply("250 taken\r\n")),
    )]);
}

const PLAIN: &[u8] = b"Subject: x\r\n\r\nx\r\n";
const PLAIN_ENDED: &str = "Subject: x\r\n\r\nx\r\n.\r\n";
const ENVELOPE_ANSWERED: &str = "250 ok\r\n250 ok\r\n354 go\r\n";

/// Shows a whole content to a message that has just been submitted, and has its group written.
fn shown(d: &mut Dialogue, content: &[u8]) -> MessageId {
    let m = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
    let transmit = present(&mut d.client, Body::Last(content), d.now).unwrap();
    assert_eq!(transmit.slices().concat(), GROUP.as_bytes());
    assert_eq!(transmit.wrote(GROUP.len(), d.now), 0);
    m
}

/// A small content that goes over the wire as it is, is kept from the look on: it was seen as it is sent,
/// and is not asked for again.
#[test]
fn a_small_content_is_asked_for_once() {
    let most = "x".repeat(70) + "\r\n";
    let most = most.repeat(limits::KEPT_CONTENT.div_ceil(most.len()));
    let most = &most.as_bytes()[most.len() - limits::KEPT_CONTENT..];
    for (content, end) in [
        (PLAIN, ".\r\n"),
        (b"", ".\r\n"),
        (b"x", "\r\n.\r\n"),
        (most, ".\r\n"),
    ] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let m = shown(&mut d, content);
        assert_eq!(d.client.wants_body(), None);
        d.says(ENVELOPE_ANSWERED);
        assert_eq!(d.client.wants_body(), None);
        d.sends(&format!("{}{end}", str::from_utf8(content).unwrap()));
        d.says("250 taken\r\n");
        d.finishes(&[(m, delivered("250 taken\r\n"))]);
    }
    // What is larger, or is changed on its way, is asked for again.
    let large = [most, b"\r\n"].concat();
    for content in [&*large, CONTENT, b".", b"a\r\n.b\r\n"] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let m = shown(&mut d, content);
        d.says(ENVELOPE_ANSWERED);
        let wanted = d.client.wants_body().unwrap();
        assert_eq!((wanted.message, wanted.offset), (m, 0));
    }
}

/// It leaves with the commands of the next message, also where that comes to be known only now.
#[test]
fn what_was_kept_leaves_with_the_next_commands() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    shown(&mut d, PLAIN);
    d.says(ENVELOPE_ANSWERED);
    let next = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
    assert_eq!(d.client.wants_body().unwrap().message, next);
    let transmit = present(&mut d.client, Body::Last(PLAIN), d.now).unwrap();
    let wire = format!("{PLAIN_ENDED}RSET\r\n{GROUP}");
    assert_eq!(transmit.slices(), [wire.as_bytes()]);
    // In pieces, as the transport takes them.
    assert_eq!(transmit.wrote(3, d.now), 0);
    assert_eq!(d.client.wants_body(), None);
    d.sends(&wire[3..]);
    d.says(&format!("250 taken\r\n250 ok\r\n{ENVELOPE_ANSWERED}"));
    d.sends(PLAIN_ENDED);
}

/// What the server says in the middle of it refuses it; what fails then, or is given up, is as with any
/// other content.
#[test]
fn what_was_kept_is_a_content_while_it_leaves() {
    let begin = |written| {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let m = shown(&mut d, PLAIN);
        d.says(ENVELOPE_ANSWERED);
        d.client
            .poll_transmit(None, d.now)
            .unwrap()
            .wrote(written, d.now);
        (d, m)
    };
    for (reply, fault) in [
        ("552 too much\r\n", Fault::ContentAbandoned),
        ("421 bye\r\n", Fault::Closing),
    ] {
        let (mut d, m) = begin(5);
        d.says(reply);
        d.finishes(&[(m, refused(Step::Content, reply))]);
        assert_eq!(d.error.unwrap().fault(), fault);
    }
    let (mut d, m) = begin(5);
    d.hangs_up();
    d.finishes(&[(m, connection_ended())]);
    let (mut d, m) = begin(PLAIN_ENDED.len());
    d.hangs_up();
    d.finishes(&[(m, Outcome::InDoubt)]);
    // Before it has begun it can be given up at the cost of the connection, after its end no more.
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = shown(&mut d, PLAIN);
    d.says(ENVELOPE_ANSWERED);
    assert_eq!(d.client.cancel(m), Ok(Cancellation::EndsConnection));
    assert!(d.client.poll_transmit(None, d.now).is_none());
    let (mut d, m) = begin(PLAIN_ENDED.len());
    assert_eq!(d.client.cancel(m), Err(Misuse::TooLate));
}

/// A message's second transaction asks for it again, and a stream takes it in its own way.
#[test]
fn what_was_kept_is_used_once() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "LIMITS RCPTMAX=1"]);
    let two = ["b@example.net", "c@example.net"];
    let m = d.submit_with("a@example.org", &two, PLAIN);
    let wire = talk(&mut d);
    assert_eq!(wire.matches(PLAIN_ENDED).count(), 2, "{wire}");
    let events = d.take_events();
    let finished = crate::dialogue::finished(m, delivered("250 taken\r\n"));
    assert_eq!(events.last(), Some(&finished));

    let stream = config(Pipelining::Stream { window: 9 });
    let mut d = Dialogue::begin_with(stream, &["PIPELINING", "CHUNKING", "SIZE 1000"]);
    let m = [(); 3].map(|()| d.submit_with("a@example.org", &ONE, PLAIN));
    let wire = talk(&mut d);
    assert_eq!(wire.matches("DATA\r\n").count(), 1, "{wire}");
    let chunk = format!(
        "BDAT {} LAST\r\n{}",
        PLAIN.len(),
        str::from_utf8(PLAIN).unwrap()
    );
    assert_eq!(wire.matches(&chunk).count(), 2, "{wire}");
    d.finishes(&m.map(|m| (m, delivered("250 taken\r\n"))));
}

/// Nothing of a message is shown to whoever prints a client.
#[test]
fn what_was_kept_is_not_shown() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = shown(&mut d, PLAIN);
    let bytes = format!("{:?}", &PLAIN[..4]);
    let bytes = bytes.trim_matches(['[', ']']);
    let shows = |d: &Dialogue| format!("{:?}", *d.client).contains(bytes);
    assert!(!shows(&d));
    d.says(ENVELOPE_ANSWERED);
    d.sends(PLAIN_ENDED);
    assert!(!shows(&d));
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
    assert!(!shows(&d));
}

/// The trace counts what was kept as any other content.
#[test]
fn what_was_kept_is_traced() {
    let config = config(Pipelining::LookAhead).traced();
    let mut d = Dialogue::begin_with(config, &["PIPELINING"]);
    shown(&mut d, PLAIN);
    d.says(ENVELOPE_ANSWERED);
    d.sends(PLAIN_ENDED);
    let trace = std::iter::from_fn(|| d.client.poll_trace());
    let trace: Vec<_> = trace.map(|entry| entry.what.to_string()).collect();
    assert_eq!(trace[trace.len() - 2..], ["[17 bytes of content]", "."]);
}
