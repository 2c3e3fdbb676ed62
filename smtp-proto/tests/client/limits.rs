//! Servers that take so much and no more, announced (RFC 9422) or not.

use smtp_proto::{
    client::{Body, BodyRequest, Event, NotSentReason, Pipelining},
    delivery::{Report, Reports},
    machine::{Misuse, Step, limits::DOMAINS},
};

use crate::dialogue::{
    CONTENT, Dialogue, delivered, envelope, not_sent, not_sent_after, of_recipient, present,
    refused,
};

fn addresses(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("r{number:03}@example.net"))
        .collect()
}

/// A server that takes at most so many recipients in a transaction, and says 452 to the others.
struct Server {
    most: usize,
    sender: bool,
    recipients: Vec<String>,
    /// The recipients of each transaction that was accepted.
    accepted: Vec<Vec<String>>,
    rejecting: bool,
    /// How many RCPT there were.
    asked: usize,
}

impl Server {
    fn new(most: usize) -> Self {
        Self {
            most,
            sender: false,
            recipients: vec![],
            accepted: vec![],
            rejecting: false,
            asked: 0,
        }
    }

    fn answer(&mut self, wire: &str) -> String {
        let mut replies = String::new();
        let mut rest = wire;
        while let Some((line, after)) = rest.split_once("\r\n") {
            rest = after;
            let verb = line.split([' ', ':']).next().unwrap();
            self.asked += usize::from(verb == "RCPT");
            replies += match verb {
                "MAIL" => {
                    self.sender = true;
                    self.recipients.clear();
                    "250 sender\r\n"
                }
                "RSET" => "250 reset\r\n",
                "RCPT" if self.recipients.len() >= self.most => "452 4.5.3 too many\r\n",
                "RCPT" => {
                    self.recipients
                        .push(line["RCPT TO:<".len()..line.len() - 1].to_owned());
                    "250 recipient\r\n"
                }
                "DATA" => "354 go\r\n",
                "BDAT" => {
                    let size: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
                    rest = &rest[size..];
                    self.accepted.push(std::mem::take(&mut self.recipients));
                    "250 taken\r\n"
                }
                "." => {
                    self.accepted.push(std::mem::take(&mut self.recipients));
                    if self.rejecting {
                        "554 no\r\n"
                    } else {
                        "250 taken\r\n"
                    }
                }
                "QUIT" => "221 bye\r\n",
                _ => "", // content
            };
        }
        replies
    }
}

/// Lets both talk until nothing moves; content is presented from its beginning for each pass.
fn talk(d: &mut Dialogue, server: &mut Server, reports: &mut Reports) -> Vec<Report> {
    let mut done = Vec::new();
    loop {
        let mut wire = Vec::new();
        let content = |wanted: BodyRequest| Some(Body::Last(&CONTENT[wanted.offset as usize..]));
        d.client.speak(d.now, content, &mut wire);
        let replies = server.answer(std::str::from_utf8(&wire).unwrap());
        d.says(&replies);
        done.extend(
            d.take_events()
                .into_iter()
                .filter_map(|event| reports.observe(event)),
        );
        if replies.is_empty() && d.client.wants_read() {
            return done;
        }
        if d.client.is_closed() {
            return done;
        }
    }
}

/// 9422-4-c: 250 recipients, RCPTMAX=100: three transactions, each recipient exactly once. The same
/// with a server that says 452 from the 101st on: 5321-4.5.3.1.10-b.
#[test]
fn recipients_beyond_the_limit_go_into_further_transactions() {
    let all = addresses(250);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for policy in [
        Pipelining::LockStep,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 9 },
    ] {
        for offer in [
            &["PIPELINING", "CHUNKING", "LIMITS RCPTMAX=100"][..],
            &["PIPELINING", "CHUNKING"],
        ] {
            let mut d = Dialogue::begin(policy, offer);
            let mut reports = Reports::default();
            let long = d.client.submit(&envelope("a@example.org", &all)).unwrap();
            reports.expect(long, all.len());
            let short = d
                .client
                .submit(&envelope("a@example.org", &all[..1]))
                .unwrap();
            reports.expect(short, 1);
            let mut server = Server::new(100);
            let done = talk(&mut d, &mut server, &mut reports);
            assert_eq!(done.len(), 2, "{policy:?} {offer:?}");
            for report in &done {
                assert!(
                    report.is_delivered(),
                    "{policy:?} {offer:?} {:?}",
                    report.outcome
                );
            }
            let mut sizes: Vec<usize> = server.accepted.iter().map(Vec::len).collect();
            sizes.sort_unstable();
            assert_eq!(sizes, [1, 50, 100, 100], "{policy:?} {offer:?}");
            let mut served: Vec<String> = server
                .accepted
                .into_iter()
                .filter(|part| part.len() > 1)
                .flatten()
                .collect();
            served.sort();
            assert_eq!(served, all, "each recipient once");
        }
    }
}

/// 9422-4-c, X-33: a server that takes fewer recipients than it announced. Each transaction's content
/// is another pass, from its beginning.
#[test]
fn every_transaction_has_its_own_pass() {
    let all = addresses(4);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "LIMITS RCPTMAX=2"]);
    let message = d.client.submit(&envelope("a@example.org", &all)).unwrap();
    let mut offsets = Vec::new();
    for (sent, replies) in [
        (
            &all[..2],
            "250 ok\r\n250 ok\r\n452 4.5.3 too many\r\n354 go\r\n",
        ),
        (&all[2..], "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (&all[1..2], "250 ok\r\n250 ok\r\n354 go\r\n"),
    ] {
        // Where the content is presented again, the caller shows first that it can be.
        let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
        let group = String::from_utf8(transmit.slices().concat()).unwrap();
        let all = transmit.len();
        assert_eq!(transmit.wrote(all, d.now), 0);
        let recipients = sent.iter().map(|to| format!("RCPT TO:<{to}>\r\n"));
        let recipients: String = recipients.collect();
        assert!(group.ends_with(&format!("{recipients}DATA\r\n")), "{group}");
        d.says(replies);
        offsets.extend(d.client.wants_body().map(|wanted| wanted.offset));
        let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
        let all = transmit.len();
        assert_eq!(transmit.wrote(all, d.now), CONTENT.len());
        d.says("250 taken\r\n");
    }
    assert_eq!(offsets, [0, 0, 0]);
    d.finishes(&[(message, delivered("250 taken\r\n"))]);
}

/// The outcome of each recipient is that of its own transaction.
#[test]
fn parts_have_outcomes_of_their_own() {
    let all = ["a@example.net", "b@example.net", "c@example.net"];
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "LIMITS RCPTMAX=2"]);
    let m = d.submit("s@example.org", &all);
    let group = |to: &str| format!("MAIL FROM:<s@example.org>\r\n{to}DATA\r\n");
    d.sends(&group(
        "RCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n",
    ));
    d.says("250 ok\r\n250 a\r\n550 b\r\n354 go\r\n");
    d.presents(Body::Last(CONTENT));
    d.take_events();
    d.says("250 taken\r\n");
    d.reports(&[
        of_recipient(m, 0, delivered("250 taken\r\n")),
        of_recipient(m, 1, refused(Step::Recipient, "550 b\r\n")),
    ]);
    assert_eq!(d.client.wants_body().map(|wanted| wanted.offset), Some(0));
    // The caller shows that it can present the content again before anything is said.
    assert!(d.client.poll_transmit(None, d.now).is_none());
    let transmit = present(&mut d.client, Body::Last(CONTENT), d.now).unwrap();
    let wire = String::from_utf8(transmit.slices().concat()).unwrap();
    assert_eq!(wire, group("RCPT TO:<c@example.net>\r\n"));
    let all = transmit.len();
    assert_eq!(transmit.wrote(all, d.now), 0);
    d.says("250 ok\r\n450 c\r\n554 nobody\r\n");
    d.reports(&[
        Event::RecipientAnswered {
            message: m,
            recipient: 2,
            reply: crate::dialogue::reply("450 c\r\n"),
        },
        of_recipient(m, 2, refused(Step::Recipient, "450 c\r\n")),
        Event::Finished {
            message: m,
            outcome: delivered("250 taken\r\n"),
        },
    ]);
    assert!(d.client.is_idle());
}

/// 9422-4-a, X-39: so many MAIL in a session; the rest is not sent, and the session ends.
#[test]
fn the_last_message_ends_the_session() {
    let one = ["b@example.net"];
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", "LIMITS MAILMAX=2"]);
    let m = [(); 3].map(|()| d.submit("s@example.org", &one));
    d.written();
    d.says("250 ok\r\n550 no\r\n554 nobody\r\n");
    d.finishes(&[(m[0], refused(Step::Recipient, "550 no\r\n"))]);
    d.sends("RSET\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    d.says("");
    d.finishes(&[(m[2], not_sent(NotSentReason::LimitReached))]);
    assert_eq!(d.client.submit(&envelope("", &one)), Err(Misuse::Ending));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    assert!(d.written().ends_with(".\r\nQUIT\r\n"));
    d.says("250 taken\r\n221 bye\r\n");
    d.finishes(&[(m[1], delivered("250 taken\r\n"))]);
    assert_eq!(d.error, None);
}

/// 9422-4-a: so many different domains in a session.
#[test]
fn domains_beyond_the_limit_are_not_sent() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "LIMITS RCPTDOMAINMAX=1"]);
    d.submit("s@example.org", &["a@one.example", "b@ONE.example"]);
    let second = d.submit("s@example.org", &["a@one.example", "a@two.example"]);
    let third = d.submit("s@example.org", &["c@One.Example"]);
    d.written();
    d.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.written();
    d.take_events();
    d.says("250 taken\r\n");
    d.take_events();
    d.sends("MAIL FROM:<s@example.org>\r\nRCPT TO:<c@One.Example>\r\nDATA\r\n");
    d.says("");
    d.finishes(&[(second, not_sent(NotSentReason::LimitReached))]);
    assert_eq!(third.index(), 2);
}

/// 9422-4-a: Domains are counted up to a bound of the client's own; a limit beyond that counts as none.
#[test]
fn domains_are_counted_up_to_a_bound() {
    let all: Vec<String> = (0..=DOMAINS)
        .map(|number| format!("b@{number}.example"))
        .collect();
    for (limit, is_kept) in [(DOMAINS, true), (DOMAINS + 1, false)] {
        let offer = format!("LIMITS RCPTDOMAINMAX={limit}");
        let mut d = Dialogue::begin(Pipelining::LockStep, &[&offer]);
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let m = d.submit("s@example.org", &all);
        let more = d.submit("s@example.org", &["b@other.example"]);
        let mail = "MAIL FROM:<s@example.org>\r\n";
        d.sends(mail);
        d.says("");
        if is_kept {
            d.finishes(&[(m, not_sent(NotSentReason::LimitReached))]);
        } else {
            d.finishes(&[]);
            d.says("550 no\r\n");
            d.finishes(&[(m, refused(Step::Mail, "550 no\r\n"))]);
            d.sends("RSET\r\n");
            d.says("250 reset\r\n");
            d.sends(mail);
        }
        d.says("550 no\r\n");
        d.finishes(&[(more, refused(Step::Mail, "550 no\r\n"))]);
    }
}

/// A server that puts off all recipients but one gets each RCPT twice at most, and the content no more
/// than a bounded number of times.
#[test]
fn putting_off_without_end_is_bounded() {
    let all = addresses(300);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let message = d.client.submit(&envelope("a@example.org", &all)).unwrap();
    let mut reports = Reports::default();
    reports.expect(message, all.len());
    let mut server = Server::new(1);
    let done = talk(&mut d, &mut server, &mut reports);
    let recipients = &done[0].recipients;
    let taken = server.accepted.len();
    assert_eq!(taken, 101);
    assert!(
        recipients[..taken]
            .iter()
            .all(|outcome| *outcome == delivered("250 taken\r\n"))
    );
    let rest = not_sent_after(
        NotSentReason::LimitReached,
        Step::Recipient,
        "452 4.5.3 too many\r\n",
    );
    assert!(recipients[taken..].iter().all(|outcome| *outcome == rest));
    assert!(server.asked <= 2 * all.len(), "{} RCPT", server.asked);
}

/// RFC 9422: a small limit and many recipients take memory and time in proportion to their number.
#[test]
fn a_small_limit_costs_no_more_than_its_transactions() {
    let all = addresses(4000);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let offer = ["PIPELINING", "LIMITS RCPTMAX=1 RCPTDOMAINMAX=999999"];
    let mut d = Dialogue::begin(Pipelining::LookAhead, &offer);
    let message = d.client.submit(&envelope("a@example.org", &all)).unwrap();
    let mut reports = Reports::default();
    reports.expect(message, all.len());
    let mut server = Server::new(1);
    let done = talk(&mut d, &mut server, &mut reports);
    assert!(done[0].is_delivered());
    assert_eq!(server.accepted.len(), 4000);
    assert_eq!(server.asked, 4000);
}

/// A server that answers no chunk does not have the client keep account of them without end.
#[test]
fn unanswered_chunks_are_bounded() {
    let stream = Pipelining::Stream { window: 9 };
    let mut d = Dialogue::begin(stream, &["PIPELINING", "CHUNKING"]);
    d.client
        .submit(&envelope("a@example.org", &["b@example.net"]))
        .unwrap();
    d.presents(Body::Chunk(b"x"));
    d.says("250 ok\r\n250 ok\r\n");
    let mut chunks = 1;
    while let Some(transmit) = present(&mut d.client, Body::Chunk(b"x"), d.now) {
        let all = transmit.len();
        transmit.wrote(all, d.now);
        chunks += 1;
        assert!(chunks <= 1000);
    }
    assert_eq!(chunks, 1000);
    d.says("250 x\r\n");
    assert!(present(&mut d.client, Body::Chunk(b"x"), d.now).is_some());
}
