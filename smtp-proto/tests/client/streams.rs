//! Streams, and what they need of a server: that it swallows what it refuses (RFC 3030 2).

use smtp_proto::{
    client::{Body, Cancellation, Event, NotSentReason, Outcome, Pipelining},
    machine::{Fault, Step},
    syntax::BodyType,
};

use crate::dialogue::{
    CONTENT, Dialogue, ONE, PROOF, PROVED, STUFFED, config, connection_ended, delivered, envelope,
    finished, not_sent, of_recipient, present, recipient, refused,
};

const STREAM: Pipelining = Pipelining::Stream { window: 9 };
const OFFER: [&str; 3] = ["PIPELINING", "CHUNKING", "SIZE 1000"];
const ENVELOPE: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n";
const BDAT: &str = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";

fn proved() -> Dialogue {
    Dialogue::begin(STREAM, &["PIPELINING", "CHUNKING"])
}

fn write(d: &mut Dialogue, body: Body<'_>) -> String {
    let Some(transmit) = present(&mut d.client, body, d.now) else {
        return String::new();
    };
    let bytes = String::from_utf8(transmit.slices().concat()).unwrap();
    transmit.wrote(bytes.len(), d.now);
    bytes
}

/// 3030-2-f: A server that reads the three bytes as a command, as go-smtp 0.21 does (its issue 315), or
/// that answers in any other way, gets no stream; nothing is lost by having asked.
#[test]
fn a_stream_needs_proof() {
    for (answers, is_proved) in [
        ("250 ok\r\n503 no\r\n250 ok\r\n250 ok\r\n", true),
        ("550 no\r\n503 no\r\n250 ok\r\n250 ok\r\n", true),
        ("250 ok\r\n503 no\r\n500 xyzRSET?\r\n250 ok\r\n", false),
        ("250 ok\r\n250 queued\r\n250 ok\r\n250 ok\r\n", false),
        ("250 ok\r\n503 no\r\n503 no\r\n250 ok\r\n", false),
    ] {
        let mut d = Dialogue::begin_with(config(STREAM), &OFFER);
        let m = [(); 3].map(|()| d.submit("a@example.org", &ONE));
        d.sends(&format!("{PROOF}{ENVELOPE}DATA\r\n"));
        d.says(answers);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        d.reports(&[recipient(m[0], 0, "250 ok\r\n")]);
        d.sends(&match is_proved {
            true => format!("{STUFFED}RSET\r\n{ENVELOPE}{BDAT}RSET\r\n{ENVELOPE}{BDAT}"),
            false => format!("{STUFFED}RSET\r\n{ENVELOPE}DATA\r\n"),
        });
        assert_eq!(d.error, None);
    }
    // A session that is not clean after it is of no use.
    let mut d = Dialogue::begin_with(config(STREAM), &OFFER);
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n503 no\r\n250 ok\r\n500 what?\r\n");
    d.finishes(&[(m, connection_ended())]);
    assert_eq!(d.error.unwrap().fault(), Fault::ResetRefused);
}

/// A stream goes only where the server says how much it takes.
#[test]
fn a_stream_needs_a_size() {
    for size in ["SIZE", "SIZE 0", "HELP"] {
        let mut d = Dialogue::begin_with(config(STREAM), &["PIPELINING", "CHUNKING", size]);
        d.submit("a@example.org", &ONE);
        d.sends(&format!("{ENVELOPE}DATA\r\n"));
    }
    let few = ["PIPELINING", "CHUNKING", "SIZE 1000", "LIMITS MAILMAX=2"];
    let mut d = Dialogue::begin_with(config(STREAM), &few);
    d.submit("a@example.org", &ONE);
    d.sends(&format!("{ENVELOPE}DATA\r\n"));
}

/// RFC 1870 7: The bytes of chunks are counted; before they pass the server's maximum the transaction
/// ends, and no other suffers.
#[test]
fn chunks_stay_within_the_announced_size() {
    let mut d = Dialogue::begin_with(config(STREAM), &["PIPELINING", "CHUNKING", "SIZE 25"]);
    let m = [(); 4].map(|()| d.submit("a@example.org", &ONE));
    d.written();
    d.says(PROVED);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let first = write(&mut d, Body::Last(CONTENT));
    assert!(first.ends_with(&format!("RSET\r\n{ENVELOPE}")), "{first}");
    // At once too large.
    assert_eq!(write(&mut d, Body::Last(&[b'x'; 26])), "");
    // Too large with the second chunk.
    assert_eq!(
        write(&mut d, Body::Chunk(b"twenty bytes, or so\r\n")),
        format!("RSET\r\n{ENVELOPE}BDAT 21\r\ntwenty bytes, or so\r\n")
    );
    d.says("250 taken\r\n250 reset\r\n250 ok\r\n250 ok\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    d.finishes(&[
        (m[0], delivered("250 taken\r\n")),
        (m[1], not_sent(NotSentReason::TooLarge { maximum: 25 })),
    ]);
    assert_eq!(d.client.wants_body().map(|wanted| wanted.offset), Some(21));
    assert_eq!(write(&mut d, Body::Last(b"more\r\n")), "");
    d.says("250 21 bytes\r\n");
    d.finishes(&[(m[2], not_sent(NotSentReason::TooLarge { maximum: 25 }))]);
    assert_eq!(
        write(&mut d, Body::Last(CONTENT)),
        format!("RSET\r\n{ENVELOPE}{BDAT}")
    );
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[(m[3], delivered("250 taken\r\n"))]);
}

/// Where something looks as if content had become commands, nothing new leaves, and nothing is told,
/// before the proof is made again.
#[test]
fn verdicts_are_held_back_under_suspicion() {
    let rest = "250 reset\r\n250 ok\r\n250 ok\r\n250 third\r\n";
    for (says, first) in [
        // A refused sender: its content may have been carried out.
        (
            "550 no\r\n503 no\r\n503 no\r\n",
            refused(Step::Mail, "550 no\r\n"),
        ),
        // A refused content.
        (
            "250 ok\r\n250 ok\r\n554 spam\r\n",
            refused(Step::Content, "554 spam\r\n"),
        ),
    ] {
        for proof in ["right", "wrong", "cut"] {
            let mut d = proved();
            let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
            d.sends(&format!("{ENVELOPE}{BDAT}RSET\r\n{ENVELOPE}{BDAT}"));
            let third = d.submit("a@example.org", &ONE);
            d.says(says);
            d.sends("");
            d.says(rest);
            d.finishes(&[]);
            d.sends(PROOF);
            match proof {
                "right" => {
                    d.says(PROVED);
                    d.finishes(&[(m[0], first.clone()), (m[1], delivered("250 third\r\n"))]);
                    d.sends(&format!("{ENVELOPE}{BDAT}"));
                    continue;
                }
                "wrong" => d.says("250 ok\r\n503 no\r\n500 xyzRSET?\r\n250 ok\r\n"),
                _ => d.hangs_up(),
            }
            d.finishes(&[
                (m[0], Outcome::InDoubt),
                (m[1], Outcome::InDoubt),
                (third, connection_ended()),
            ]);
            let fault = match proof {
                "wrong" => Fault::ChunkExecuted,
                _ => Fault::ConnectionLost,
            };
            assert_eq!(d.error.as_ref().unwrap().fault(), fault);
        }
    }
}

/// The refusals of recipients, too, that came under suspicion may be another command's.
#[test]
fn refused_recipients_are_in_doubt_under_suspicion() {
    let mut d = proved();
    let first = d.submit("a@example.org", &ONE);
    let second = d.submit("a@example.org", &["b@example.net", "c@example.net"]);
    d.written();
    d.says("250 ok\r\n250 ok\r\n554 spam\r\n");
    d.says("250 reset\r\n250 ok\r\n550 b\r\n250 c\r\n250 taken\r\n");
    d.take_events();
    d.sends(PROOF);
    d.hangs_up();
    d.reports(&[
        finished(first, Outcome::InDoubt),
        of_recipient(second, 0, Outcome::InDoubt),
        finished(second, Outcome::InDoubt),
    ]);
}

/// Refused recipients alone are what the proof has shown the server to cope with.
#[test]
fn refused_recipients_raise_no_suspicion() {
    let mut d = proved();
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.written();
    d.says("250 ok\r\n550 b\r\n554 nobody\r\n250 reset\r\n250 ok\r\n250 ok\r\n250 taken\r\n");
    d.finishes(&[
        (m[0], refused(Step::Recipient, "550 b\r\n")),
        (m[1], delivered("250 taken\r\n")),
    ]);
}

/// What was begun and not sent to its end begins again after the proof, which resets the server.
#[test]
fn an_envelope_begins_again_after_the_proof() {
    let mut d = proved();
    let first = d.submit("a@example.org", &ONE);
    d.written();
    let second = d.client.submit(&envelope("s@example.org", &ONE)).unwrap();
    d.sends("RSET\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\n");
    assert_eq!(write(&mut d, Body::Chunk(b"one\r\n")), "BDAT 5\r\none\r\n");
    d.says("250 ok\r\n250 ok\r\n554 spam\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    d.sends("");
    d.says("250 5 bytes\r\n");
    d.sends("RSET\r\n");
    d.says("250 reset\r\n");
    d.sends(PROOF);
    d.says(PROVED);
    d.finishes(&[(first, refused(Step::Content, "554 spam\r\n"))]);
    d.sends("MAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\n");
    let request = d.client.wants_body().unwrap();
    assert_eq!((request.message, request.offset), (second, 0));
    assert_eq!(d.client.cancel(second), Ok(Cancellation::Withdrawn));
}

/// 5321-4.5.3.1.10-a: Who was put off before the envelope begins again is in another transaction by then, and
/// gets the message by that one alone.
#[test]
fn whoever_was_put_off_is_left_out_when_the_envelope_begins_again() {
    let mut d = proved();
    d.submit("a@example.org", &ONE);
    d.written();
    let all = ["b@example.net", "c@example.net", "d@example.net"];
    let second = d.client.submit(&envelope("s@example.org", &all)).unwrap();
    d.sends(
        "RSET\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n\
         RCPT TO:<d@example.net>\r\n",
    );
    assert_eq!(write(&mut d, Body::Chunk(b"one\r\n")), "BDAT 5\r\none\r\n");
    d.says("250 ok\r\n250 ok\r\n554 spam\r\n250 reset\r\n");
    d.says("250 ok\r\n250 ok\r\n452 too many\r\n250 ok\r\n250 5 bytes\r\n");
    d.sends("RSET\r\n");
    d.says("250 reset\r\n");
    d.sends(PROOF);
    d.says(PROVED);
    d.sends("MAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<d@example.net>\r\n");
    d.says("250 ok\r\n250 ok\r\n250 ok\r\n");
    d.has(second, b"one\r\n");
    d.sends(
        "BDAT 5 LAST\r\none\r\nRSET\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<c@example.net>\r\n\
         BDAT 5 LAST\r\none\r\n",
    );
    d.says("250 taken\r\n250 reset\r\n250 ok\r\n250 ok\r\n250 taken, too\r\n");
    let told = d.take_events();
    let told = told.iter().filter(
        |event| matches!(event, Event::RecipientFinished { message, .. } if *message == second),
    );
    assert!(told.eq(&[
        of_recipient(second, 0, delivered("250 taken\r\n")),
        of_recipient(second, 2, delivered("250 taken\r\n")),
        of_recipient(second, 1, delivered("250 taken, too\r\n")),
    ]));
    d.sends("");
}

/// A server that does not know the command of a chunk that it should have taken has lost step.
#[test]
fn an_unknown_chunk_is_a_desync() {
    for reply in ["500 what?\r\n", "501 what?\r\n", "502 what?\r\n"] {
        let mut d = proved();
        let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
        d.written();
        d.says("250 ok\r\n250 ok\r\n");
        d.says(reply);
        d.finishes(&[(m[0], Outcome::InDoubt), (m[1], Outcome::InDoubt)]);
        assert_eq!(d.error.unwrap().fault(), Fault::ChunkExecuted);
    }
}

/// The same of content that is no text, which goes by chunks under every policy: it stays within the
/// server's size, and a refusal of it raises suspicion.
#[test]
fn chunks_are_no_safer_under_other_policies() {
    let begin = |size: &str| {
        let offer = ["PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", size];
        let mut d = Dialogue::begin_with(config(Pipelining::LookAhead), &offer);
        let binary = envelope("a@example.org", &ONE).body(BodyType::BinaryMime);
        let m = d.client.submit(&binary).unwrap();
        let mail = "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n";
        d.sends(mail);
        d.says("250 ok\r\n250 ok\r\n");
        (d, m)
    };
    let (mut d, m) = begin("SIZE 25");
    assert_eq!(write(&mut d, Body::Chunk(&[0; 5])), "BDAT 5\r\n\0\0\0\0\0");
    d.says("250 5 bytes\r\n");
    assert_eq!(write(&mut d, Body::Last(&[0; 21])), "");
    d.says("");
    d.finishes(&[(m, not_sent(NotSentReason::TooLarge { maximum: 25 }))]);
    d.submit("a@example.org", &ONE);
    d.sends(&format!("RSET\r\n{ENVELOPE}DATA\r\n"));

    for body in [Body::Chunk(b"\0"), Body::Last(b"\0")] {
        let (mut d, m) = begin("SIZE 1000");
        assert!(write(&mut d, body).ends_with("\r\n\0"));
        d.says("554 spam\r\n");
        d.finishes(&[]);
        let next = d.submit("a@example.org", &ONE);
        d.sends("RSET\r\n");
        d.says("250 reset\r\n");
        d.sends(PROOF);
        d.says(PROVED);
        d.finishes(&[(m, refused(Step::Content, "554 spam\r\n"))]);
        d.sends(&format!("{ENVELOPE}DATA\r\n"));
        d.says("550 no\r\n503 no\r\n503 no\r\n");
        d.finishes(&[(next, refused(Step::Mail, "550 no\r\n"))]);

        let (mut d, m) = begin("SIZE 1000");
        write(&mut d, body);
        d.says("500 what?\r\n");
        let outcome = match body {
            Body::Last(_) => Outcome::InDoubt,
            _ => connection_ended(),
        };
        d.finishes(&[(m, outcome)]);
        assert_eq!(d.error.unwrap().fault(), Fault::ChunkExecuted);
    }
}

/// QUIT rides along; its 221 in its place shows that no reply was too many.
#[test]
fn the_farewell_settles_a_suspicion() {
    for (farewell, is_settled) in [("221 bye\r\n", true), ("500 what?\r\n", false)] {
        let mut d = proved();
        let m = d.submit("a@example.org", &ONE);
        d.client.quit();
        d.sends(&format!("{ENVELOPE}{BDAT}QUIT\r\n"));
        d.says("250 ok\r\n250 ok\r\n554 spam\r\n");
        d.finishes(&[]);
        d.says(farewell);
        let outcome = match is_settled {
            true => refused(Step::Content, "554 spam\r\n"),
            false => Outcome::InDoubt,
        };
        let told = d.take_events();
        assert!(told.contains(&finished(m, outcome)), "{told:?}");
    }
}

/// BINARYMIME goes by chunks under every policy; where the server says no size each chunk's reply is
/// awaited.
#[test]
fn chunks_to_a_server_without_a_size_are_awaited() {
    for size in ["SIZE", "SIZE 1000"] {
        let offer = ["PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", size];
        let mut d = Dialogue::begin_with(config(Pipelining::LookAhead), &offer);
        let binary = envelope("a@example.org", &ONE).body(BodyType::BinaryMime);
        let m = d.client.submit(&binary).unwrap();
        d.written();
        d.says("250 ok\r\n250 ok\r\n");
        assert_eq!(write(&mut d, Body::Chunk(b"\0")), "BDAT 1\r\n\0");
        let more = write(&mut d, Body::Last(b"\0"));
        // Without a stream, too, a chunk ends its group.
        assert_eq!(more, "");
        d.says("250 1 byte\r\n");
        assert_eq!(write(&mut d, Body::Last(b"\0")), "BDAT 1 LAST\r\n\0");
        d.says("250 taken\r\n");
        d.finishes(&[(m, delivered("250 taken\r\n"))]);
    }
}
