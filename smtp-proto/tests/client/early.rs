//! Commands before the greeting, on the strength of what the server offered before (PIPECONNECT).

use std::time::Duration;

use smtp_proto::{
    client::{Event, NotSentReason, Pipelining, Tls},
    machine::{Fault, Step},
    server::{self, Server},
    syntax::{Capabilities, Host, Reply},
    testing::End,
};

use crate::dialogue::{
    Dialogue, ONE, PROOF, PROVED, STUFFED, config, connection_ended, delivered, not_sent_after,
    recipient, reply,
};

const ANSWER: &str =
    "250-x\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-SIZE 1000\r\n250 CHUNKING\r\n";
const ENVELOPE: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n";
const EHLO: &str = "EHLO client.example\r\n";
const BDAT: &str = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";

/// What a server says to such a flight that refuses everything but RSET.
const REFUSED_BUT_RSET: [&str; 8] = [
    "503 no\r\n",
    "503 no\r\n",
    "503 no\r\n",
    "250 reset\r\n",
    "250 reset\r\n",
    "503 no\r\n",
    "503 no\r\n",
    "503 no\r\n",
];

fn known(answer: &str) -> Capabilities {
    Capabilities::parse(&Reply::parse(answer.as_bytes()).unwrap())
}

fn begin(policy: Pipelining) -> (Dialogue, smtp_proto::client::MessageId) {
    let mut d = Dialogue::with(config(policy).known_capabilities(known(ANSWER)));
    let m = d.submit("a@example.org", &ONE);
    (d, m)
}

/// The first message takes two round trips, in a stream as well: no chunk leaves before the server has
/// proved that it swallows what it refuses.
#[test]
fn the_first_flight_holds_an_envelope() {
    for (policy, proof, proved) in [
        (Pipelining::Stream { window: 9 }, PROOF, PROVED),
        (Pipelining::LookAhead, "", ""),
    ] {
        let (mut d, m) = begin(policy);
        d.sends(&format!("{EHLO}{proof}{ENVELOPE}DATA\r\n"));
        d.says(&format!(
            "220 x\r\n{ANSWER}{proved}250 ok\r\n250 ok\r\n354 go\r\n"
        ));
        d.sends(STUFFED);
        d.says("250 taken\r\n");
        d.reports(&[
            Event::Greeting {
                reply: reply("220 x\r\n"),
            },
            Event::Ready,
            recipient(m, 0, "250 ok\r\n"),
            Event::Finished {
                message: m,
                outcome: delivered("250 taken\r\n"),
            },
        ]);
        assert_eq!(d.client.round_trips(), 2);
    }
}

/// 5321-4.3.1-b: Without the offer, or where TLS has to come first, the greeting is awaited.
#[test]
fn the_greeting_is_awaited_otherwise() {
    let without = known("250-x\r\n250 PIPELINING\r\n");
    let group = config(Pipelining::Group);
    for config in [
        group.clone().known_capabilities(without),
        group
            .clone()
            .known_capabilities(known(ANSWER))
            .tls(Tls::Opportunistic),
        group.known_capabilities(known(ANSWER)).tls(Tls::Required),
    ] {
        let mut d = Dialogue::with(config);
        d.submit("a@example.org", &ONE);
        d.sends("");
        d.says("220 x\r\n");
        d.sends(EHLO);
    }
}

/// A server that has changed: what was not sent to its end is safe to send again.
#[test]
fn a_changed_server_ends_the_connection() {
    for answer in ["250-x\r\n250 PIPELINING\r\n", "250 x\r\n", "502 what?\r\n"] {
        let (mut d, m) = begin(Pipelining::LookAhead);
        d.written();
        d.says(&format!("220 x\r\n{answer}"));
        d.finishes(&[(m, connection_ended())]);
        let expected = if answer.contains("PIPELINING") {
            "PIPELINING"
        } else {
            ""
        };
        assert_eq!(
            d.error.as_ref().unwrap().fault(),
            Fault::CapabilitiesChanged,
            "{expected}"
        );
        d.sends("");
    }
}

/// A size that the server has ceased to announce is relied on no more: each chunk's reply is awaited.
#[test]
fn no_chunk_follows_another_where_the_size_was_taken_back() {
    use smtp_proto::client::Body;
    let (mut d, _) = begin(Pipelining::Stream { window: 9 });
    let second = d.submit("a@example.org", &ONE);
    d.written();
    let answer = ANSWER.replace("SIZE 1000", "SIZE");
    d.says(&format!(
        "220 x\r\n{answer}{PROVED}250 ok\r\n250 ok\r\n354 go\r\n"
    ));
    d.sends(&format!("{STUFFED}RSET\r\n{ENVELOPE}"));
    d.says("250 taken\r\n250 reset\r\n250 ok\r\n");
    d.sends("");
    d.says("250 ok\r\n");
    let chunk = |d: &mut Dialogue, body| {
        let transmit = crate::dialogue::present(&mut d.client, body, d.now)?;
        let bytes = String::from_utf8(transmit.slices().concat()).unwrap();
        transmit.wrote(bytes.len(), d.now);
        Some(bytes)
    };
    let sent = chunk(&mut d, Body::Chunk(b"x"));
    assert_eq!(sent.as_deref(), Some("BDAT 1\r\nx"));
    assert_eq!(chunk(&mut d, Body::Last(b"y")), None);
    d.says("250 x\r\n");
    let sent = chunk(&mut d, Body::Last(b"y"));
    assert_eq!(sent.as_deref(), Some("BDAT 1 LAST\r\ny"));
    d.take_events();
    d.says("250 taken\r\n");
    d.finishes(&[(second, delivered("250 taken\r\n"))]);
}

/// A server that refuses the session refuses what was sent ahead of it.
#[test]
fn a_refused_session_refuses_the_first_flight() {
    let (mut d, m) = begin(Pipelining::LookAhead);
    d.sends(&format!("{EHLO}{ENVELOPE}DATA\r\n"));
    d.says(&format!("554 no\r\n{}", "503 no\r\n".repeat(4)));
    let refusal = not_sent_after(NotSentReason::SessionRefused, Step::Greeting, "554 no\r\n");
    d.finishes(&[(m, refusal)]);
    d.sends("QUIT\r\n");
    d.says("221 bye\r\n");
    assert_eq!(d.error.unwrap().fault(), Fault::SessionRefused);
    // That it waits for the content all the same, cannot be helped.
    let (mut d, m) = begin(Pipelining::LookAhead);
    d.written();
    d.says("554 no\r\n503 no\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    let refusal = not_sent_after(NotSentReason::SessionRefused, Step::Greeting, "554 no\r\n");
    d.finishes(&[(m, refusal)]);
    assert_eq!(d.error.unwrap().fault(), Fault::SessionRefused);
}

/// So it is however much of that it answers, and whether it answers QUIT, and where what it answers could
/// be another command's.
#[test]
fn a_refused_session_is_why_the_first_flight_is_not_sent() {
    for policy in [Pipelining::Stream { window: 9 }, Pipelining::LookAhead] {
        for answers in [["503 no\r\n"; 8], REFUSED_BUT_RSET] {
            for answered in 0..=answers.len() {
                let (mut d, m) = begin(policy);
                let sent = d.written().lines().count();
                let answers = answers.iter().take(answered.min(sent)).copied();
                d.says(&format!("521 no\r\n{}", answers.collect::<String>()));
                d.written();
                d.hangs_up();
                let refusal =
                    not_sent_after(NotSentReason::SessionRefused, Step::Greeting, "521 no\r\n");
                d.finishes(&[(m, refusal)]);
                assert_eq!(d.error.unwrap().fault(), Fault::SessionRefused);
            }
        }
    }
}

/// The server machine lets it happen, if it offers it, and only up to the first content.
#[test]
fn the_server_takes_what_it_offered() {
    for offered in [true, false] {
        let now = Duration::ZERO;
        let mut offer = known("250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
        if offered {
            offer = offer.with_keyword("PIPECONNECT", "").unwrap();
        }
        let config = server::Config::new(Host::parse("mx.example").unwrap()).offer(offer);
        let mut server = End::new(Server::new(config, now));
        server.feed(format!("{EHLO}{ENVELOPE}{BDAT}").as_bytes());
        let (mut messages, mut replies) = (0, Vec::new());
        let failed = loop {
            let heard = server.hear(now, |server, event| {
                messages += usize::from(matches!(event, server::Event::Message { .. }));
                if let Some(ticket) = event.into_ticket() {
                    server.accept(ticket).unwrap();
                }
            });
            if let Err(error) = heard {
                assert_eq!(error.fault(), Fault::EarlyTalker);
                break true;
            }
            let before = replies.len();
            server.speak(now, &mut replies);
            if replies.len() == before {
                break false;
            }
        };
        assert_eq!((failed, messages), (!offered, usize::from(offered)));
    }
}
