//! The loop of the first page, held as somebody holds it who has read nothing else.

use std::{collections::HashMap, time::Duration};

use smtp_proto::{
    client::{
        Body, BodyRequest, Cancellation, Client, MessageId, NotSentReason, Outcome, Pipelining,
    },
    delivery::{Report, Reports},
    machine::{Error, Fault, Misuse, Step, Timer},
    testing::End,
};

use crate::dialogue::{
    CONTENT, Dialogue, GROUP, ONE, PROOF, PROVED, STUFFED, config, connection_ended, delivered,
    envelope, finished, not_sent, of_recipient, present, recipient, refused,
};

/// A peer that says its next words whenever it is waited for; once they are spent it is silent, and
/// the client's timer fires, or it hangs up.
struct Script<'a> {
    says: Vec<&'a str>,
    hangs_up: bool,
}

/// Drives a client as the documentation does, with a content for each message.
fn drive(
    client: Client,
    contents: &HashMap<MessageId, Vec<u8>>,
    mut script: Script<'_>,
) -> (Vec<Report>, Option<Error>, String) {
    let (mut reports, mut done) = (Reports::default(), Vec::new());
    contents.keys().for_each(|id| reports.expect(*id, 2));
    let mut client = End::new(client);
    let (mut wire, mut now) = (Vec::new(), Duration::ZERO);
    script.says.reverse();
    while !client.is_closed() {
        let heard = client.hear(now, |_, event| done.extend(reports.observe(event)));
        if let Err(error) = heard {
            return (done, Some(error), String::from_utf8(wire).unwrap());
        }
        let body = |request: BodyRequest| {
            let content = &contents[&request.message];
            Some(Body::Last(&content[request.offset as usize..]))
        };
        client.speak(now, body, &mut wire);
        if client.wants_read() {
            match script.says.pop() {
                Some(bytes) => client.feed(bytes.as_bytes()),
                None if script.hangs_up => client.handle_eof(),
                None => {
                    now = client.poll_timeout().expect("a timer for what is awaited");
                    client.handle_timeout(now);
                }
            }
        }
    }
    (done, None, String::from_utf8(wire).unwrap())
}

/// A recipient that is put off, by 452 or by a limit, gets the whole content in its own transaction.
#[test]
fn a_content_that_is_sent_twice_is_whole_twice() {
    const EHLO: &str = "250-x\r\n250 PIPELINING\r\n";
    const LIMITED: &str = "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n";
    for (ehlo, put_off) in [(EHLO, "452 4.5.3 too many\r\n"), (LIMITED, "")] {
        let first = format!("250 ok\r\n250 b\r\n{put_off}354 go\r\n");
        let says = [
            "220 x\r\n",
            ehlo,
            &first,
            "250 one\r\n250 reset\r\n250 ok\r\n250 c\r\n354 go\r\n",
            "250 two\r\n",
            "221 bye\r\n",
        ];
        let mut client = Client::new(config(Pipelining::LookAhead), Duration::ZERO);
        let to = ["b@example.net", "c@example.net"];
        let m = client.submit(&envelope("a@example.org", &to)).unwrap();
        client.quit();
        let contents = HashMap::from([(m, CONTENT.to_vec())]);
        let script = Script {
            says: says.to_vec(),
            hangs_up: true,
        };
        let (reports, error, wire) = drive(client, &contents, script);
        assert_eq!(error, None);
        assert_eq!(wire.matches(STUFFED).count(), 2, "{wire}");
        assert_eq!(
            reports[0].recipients,
            [delivered("250 one\r\n"), delivered("250 two\r\n")]
        );
    }
}

/// The end cannot be missed: outcomes and the error are read before the loop ends, whatever ends it.
#[test]
fn the_end_is_not_missed() {
    let says = [
        "220 x\r\n",
        "250-x\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 b\r\n250 c\r\n354 go\r\n",
    ];
    for hangs_up in [false, true] {
        let mut client = Client::new(config(Pipelining::LookAhead), Duration::ZERO);
        let to = ["b@example.net", "c@example.net"];
        let m = client.submit(&envelope("a@example.org", &to)).unwrap();
        let contents = HashMap::from([(m, CONTENT.to_vec())]);
        let script = Script {
            says: says.to_vec(),
            hangs_up,
        };
        let (reports, error, _) = drive(client, &contents, script);
        assert_eq!(reports[0].recipients, [Outcome::InDoubt, Outcome::InDoubt]);
        let expected = match hangs_up {
            true => Fault::ConnectionLost,
            false => Fault::TimedOut(Timer::DataTermination),
        };
        assert_eq!(error.unwrap().fault(), expected);
    }
    let mut client = Client::new(config(Pipelining::LookAhead), Duration::ZERO);
    client.abort();
    assert!(!client.is_closed());
    let error = client
        .poll_event(&mut &b""[..], Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.fault(), Fault::ShutDown);
    assert!(client.is_closed());
}

/// A body belongs to its request: fetched for a message that is refused meanwhile, it goes nowhere.
#[test]
fn no_message_gets_anothers_body() {
    let stream = Pipelining::Stream { window: 9 };
    let mut d = Dialogue::begin(stream, &["PIPELINING", "CHUNKING"]);
    let m = [(); 2].map(|()| d.client.submit(&envelope("a@example.org", &ONE)).unwrap());
    let request = d.client.wants_body().unwrap();
    assert_eq!(request.message, m[0]);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    let all = transmit.len();
    transmit.wrote(all, d.now);
    d.says("550 no\r\n503 no\r\n");
    // The body of the first arrives now.
    let late = Some((request, Body::Last(b"Subject: for the first\r\n")));
    let mut wire = String::new();
    for says in ["250 reset\r\n", PROVED, ""] {
        while let Some(transmit) = d.client.poll_transmit(late, d.now) {
            wire += str::from_utf8(&transmit.slices().concat()).unwrap();
            let all = transmit.len();
            transmit.wrote(all, d.now);
        }
        d.says(says);
    }
    d.finishes(&[(m[0], refused(Step::Mail, "550 no\r\n"))]);
    let next = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n";
    assert_eq!(wire, format!("RSET\r\n{PROOF}{next}"));
    assert_eq!(d.client.wants_body().unwrap().message, m[1]);
}

/// A write that failed is followed by reading, and that by a timer; also in the middle of a content.
#[test]
fn nothing_is_waited_for_without_a_timer() {
    for sent in [0, 5, CONTENT.len()] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let m = d.submit("a@example.org", &ONE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
        let used = transmit.wrote(sent, d.now);
        present(&mut d.client, Body::Chunk(&CONTENT[used..]), d.now)
            .unwrap()
            .failed();
        d.says("");
        assert!(d.client.wants_read() && d.error.is_none());
        d.now = d.client.poll_timeout().expect("a timer");
        d.client.handle_timeout(d.now);
        d.says("");
        d.finishes(&[(m, connection_ended())]);
        assert_eq!(d.error.unwrap().fault(), Fault::WriteFailed);
    }
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    d.client.write_failed();
    assert!(d.client.poll_timeout().is_some() && d.client.wants_read());
    // Replies still come to what may have left: the timer begins anew after each, the last as well.
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    d.submit("a@example.org", &ONE);
    d.client.poll_transmit(None, d.now).unwrap().failed();
    for says in ["250 ok\r\n", "250 ok\r\n", "503 no\r\n"] {
        d.says(says);
        assert!(d.client.poll_timeout().is_some(), "{says}");
    }
    // An offer that is not repeated has no timer.
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    present(&mut d.client, Body::Chunk(CONTENT), d.now)
        .unwrap()
        .blocked(d.now);
    assert!(d.client.poll_timeout().is_some());
    assert!(d.client.poll_transmit(None, d.now).is_none());
    assert_eq!(d.client.poll_timeout(), None);
    // Nor has one that is not repeated as its content has failed: the verdict before it is awaited.
    let stream = Pipelining::Stream { window: 9 };
    let mut d = Dialogue::begin(stream, &["PIPELINING", "CHUNKING"]);
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n250 ok\r\n");
    let second = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
    let transmit = present(&mut d.client, Body::Chunk(b"x"), d.now).unwrap();
    let all_but_one = transmit.len() - 1;
    transmit.wrote(all_but_one, d.now);
    present(&mut d.client, Body::Chunk(b"x"), d.now)
        .unwrap()
        .blocked(d.now);
    let write = Duration::from_secs(180);
    assert_eq!(d.client.poll_timeout(), Some(write));
    assert!(present(&mut d.client, Body::Failed(None), d.now).is_none());
    assert_eq!(d.client.poll_timeout(), Some(Duration::from_secs(600)));
    d.says("250 taken\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    d.finishes(&[
        (m, delivered("250 taken\r\n")),
        (second, not_sent(NotSentReason::BodyFailed)),
    ]);
}

/// A refusal in the middle of a content is its outcome, also when the write has failed meanwhile.
#[test]
fn a_refusal_is_read_after_a_failed_write() {
    for (reply, fault) in [
        ("552 too much\r\n", Fault::ContentAbandoned),
        ("421 bye\r\n", Fault::Closing),
    ] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let m = d.submit("a@example.org", &ONE);
        d.sends(GROUP);
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        let transmit = present(&mut d.client, Body::Chunk(CONTENT), d.now).unwrap();
        transmit.wrote(5, d.now);
        drop(present(&mut d.client, Body::Chunk(&CONTENT[5..]), d.now));
        assert!(present(&mut d.client, Body::Chunk(CONTENT), d.now).is_none());
        d.says("");
        d.says(reply);
        d.finishes(&[(m, refused(Step::Content, reply))]);
        assert_eq!(d.error.as_ref().unwrap().fault(), fault);
        d.hangs_up();
    }
}

/// Bytes that were offered, and reported as not taken, are offered again.
#[test]
fn what_was_not_taken_is_offered_again() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = d.submit("a@example.org", &ONE);
    d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
    let transmit = d.client.poll_transmit(None, d.now).unwrap();
    assert_eq!(transmit.wrote(0, d.now), 0);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    transmit.blocked(d.now);
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
}

/// Cancelling before the session is open costs the others nothing.
#[test]
fn a_message_is_cancelled_before_the_session_is_open() {
    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    let m = [(); 5].map(|()| d.submit("a@example.org", &ONE));
    // One with others before and after it, which stays in the queue.
    assert_eq!(d.client.cancel(m[3]), Ok(Cancellation::Unsent));
    assert_eq!(d.client.cancel(m[0]), Ok(Cancellation::Unsent));
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    assert_eq!(d.client.cancel(m[1]), Ok(Cancellation::Unsent));
    assert_eq!(d.client.cancel(m[1]), Err(Misuse::UnknownMessage));
    d.says("250-x\r\n250 PIPELINING\r\n");
    let cancelled = || not_sent(NotSentReason::Cancelled);
    d.finishes(&[
        (m[3], cancelled()),
        (m[0], cancelled()),
        (m[1], cancelled()),
    ]);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}RSET\r\n{GROUP}"));
    d.says("250 taken\r\n");
    d.finishes(&[(m[2], delivered("250 taken\r\n"))]);
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m[4], delivered("250 taken\r\n"))]);
}

/// An open envelope: the sender goes out at once and each recipient as it comes, answered at once;
/// DATA waits for the end.
#[test]
fn an_envelope_is_sent_as_it_comes() {
    use smtp_proto::syntax::{ForwardPath, RcptParameters};
    let path = |text| ForwardPath::parse(text).unwrap();
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let first = d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    let m = d.client.begin(&envelope("s@example.org", &[])).unwrap();
    assert_eq!(d.client.end(m), Err(Misuse::NoRecipient));
    d.sends(&format!("{STUFFED}RSET\r\nMAIL FROM:<s@example.org>\r\n"));
    d.says("250 taken\r\n250 reset\r\n250 ok\r\n");
    d.take_events();
    let add = |d: &mut Dialogue, text| d.client.add_recipient(m, path(text), None);
    assert_eq!(add(&mut d, "<b@example.net>"), Ok(0));
    assert_eq!(add(&mut d, "<c@example.net>"), Ok(1));
    d.sends("RCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n");
    d.says("250 b\r\n452 4.5.3 c\r\n");
    d.reports(&[
        recipient(m, 0, "250 b\r\n"),
        recipient(m, 1, "452 4.5.3 c\r\n"),
    ]);
    assert_eq!(
        add(&mut d, "<\u{3b4}@example.net>"),
        Err(Misuse::NotOffered)
    );
    let plain = RcptParameters::default();
    let added = d
        .client
        .add_recipient(m, path("<d@example.net>"), Some(&plain));
    assert_eq!(added, Ok(2));
    d.client.end(m).unwrap();
    assert_eq!(d.client.end(m), Err(Misuse::UnknownMessage));
    assert_eq!(add(&mut d, "<e@example.net>"), Err(Misuse::UnknownMessage));
    assert_eq!(d.client.end(first), Err(Misuse::UnknownMessage));
    d.sends("RCPT TO:<d@example.net>\r\nDATA\r\n");
    d.says("250 d\r\n354 go\r\n");
    d.presents(Body::Last(CONTENT));
    d.says("250 taken\r\n");
    d.reports(&[
        recipient(m, 2, "250 d\r\n"),
        of_recipient(m, 1, refused(Step::Recipient, "452 4.5.3 c\r\n")),
        finished(m, delivered("250 taken\r\n")),
    ]);
    // A refused sender ends it, whatever is added.
    let m = d.client.begin(&envelope("s@example.org", &[])).unwrap();
    d.sends("MAIL FROM:<s@example.org>\r\n");
    d.says("550 no\r\n");
    d.reports(&[finished(m, refused(Step::Mail, "550 no\r\n"))]);
    let added = d.client.add_recipient(m, path("<b@example.net>"), None);
    assert_eq!(added, Err(Misuse::UnknownMessage));
    // All recipients refused, and then the end: no DATA.
    let m = d.client.begin(&envelope("s@example.org", &ONE)).unwrap();
    d.sends("RSET\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\n");
    d.says("250 reset\r\n250 ok\r\n550 b\r\n");
    d.client.end(m).unwrap();
    d.says("");
    d.finishes(&[(m, refused(Step::Recipient, "550 b\r\n"))]);
    // As many as the server takes.
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "LIMITS RCPTMAX=1"]);
    let m = d.client.begin(&envelope("s@example.org", &ONE)).unwrap();
    let added = d.client.add_recipient(m, path("<c@example.net>"), None);
    assert_eq!(added, Err(Misuse::RecipientLimit));
    assert_eq!(d.client.cancel(m), Ok(Cancellation::Unsent));
}
