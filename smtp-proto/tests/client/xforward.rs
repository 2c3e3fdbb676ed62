//! XFORWARD: whom a message is from, told before its MAIL.

use std::time::Duration;

use smtp_proto::{
    client::{
        Cancellation, Config, Duplex, Envelope, Event, NotSentReason, Observed, Pipelining,
        Timeouts,
    },
    machine::Step,
    syntax::{Attribute, AttributeName, ForwardPath, Reply},
};

use crate::dialogue::{
    CONTENT, Dialogue, STUFFED, config, connection_ended, delivered, envelope, finished, not_sent,
    not_sent_after, recipient, reply,
};

const OFFER: [&str; 2] = ["PIPELINING", "XFORWARD NAME ADDR PROTO HELO SOURCE"];
const FORWARD: &str =
    "XFORWARD PROTO=[UNAVAILABLE] HELO=x+2By NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1\r\n";
const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const RCPT: &str = "RCPT TO:<b@example.net>\r\n";
const CHUNK: &str = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";
const POLICIES: [Pipelining; 4] = [
    Pipelining::LockStep,
    Pipelining::Group,
    Pipelining::LookAhead,
    Pipelining::Stream { window: 9 },
];

/// From a client whose address and HELO are known, and its port, which the server does not want.
fn forwarded(envelope: Envelope<'static>) -> Envelope<'static> {
    envelope.xforward([
        Attribute::address(AttributeName::Addr, "2001:db8::1".parse().unwrap()).unwrap(),
        Attribute::new(AttributeName::Port, "1025").unwrap(),
        Attribute::new(AttributeName::Helo, "x+y").unwrap(),
    ])
}

fn to_one() -> Envelope<'static> {
    envelope("a@example.org", &["b@example.net"])
}

fn begin(policy: Pipelining) -> Dialogue {
    let offer: &[&str] = match policy {
        Pipelining::Stream { .. } => &[OFFER[0], OFFER[1], "CHUNKING"],
        _ => &OFFER,
    };
    Dialogue::begin(policy, offer)
}

/// XFORWARD-a, XFORWARD-c: before MAIL and in its group, as far as the server takes it; what is not known
/// is said to be so. A source that is not known is left out, as Postfix takes it for LOCAL.
#[test]
fn it_goes_before_mail_in_its_group() {
    for policy in POLICIES {
        let mut d = begin(policy);
        let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
        match policy {
            Pipelining::LockStep => {
                for command in [FORWARD, MAIL, RCPT] {
                    d.sends(command);
                    d.says("250 ok\r\n");
                }
                d.sends("DATA\r\n");
                d.says("354 go\r\n");
                d.sends(STUFFED);
            }
            Pipelining::Stream { .. } => {
                d.sends(&format!("{FORWARD}{MAIL}{RCPT}{CHUNK}"));
                d.says("250 x\r\n250 a\r\n250 ok\r\n");
            }
            _ => {
                d.sends(&format!("{FORWARD}{MAIL}{RCPT}DATA\r\n"));
                d.says("250 x\r\n250 a\r\n250 ok\r\n354 go\r\n");
                d.sends(STUFFED);
            }
        }
        d.says("250 taken\r\n");
        d.reports(&[
            recipient(m, 0, "250 ok\r\n"),
            finished(m, delivered("250 taken\r\n")),
        ]);
    }
}

/// Each message has its own, ahead of the verdict on the one before as well; who has none tells nothing.
#[test]
fn each_message_tells_its_own() {
    for policy in [Pipelining::LookAhead, Pipelining::Stream { window: 9 }] {
        let mut d = begin(policy);
        let other = Attribute::new(AttributeName::Name, "n.example").unwrap();
        d.submit_envelope(&to_one(), CONTENT);
        d.submit_envelope(&forwarded(to_one()), CONTENT);
        d.submit_envelope(&to_one().xforward([other]), CONTENT);
        d.submit_envelope(&to_one(), CONTENT);
        let then = "XFORWARD PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE] NAME=n.example \
                    ADDR=[UNAVAILABLE]\r\n";
        if policy != Pipelining::LookAhead {
            let each = format!("{MAIL}{RCPT}{CHUNK}RSET\r\n");
            let all = format!("{each}{FORWARD}{each}{then}{each}{MAIL}{RCPT}{CHUNK}");
            d.sends(&all);
            continue;
        }
        d.sends(&format!("{MAIL}{RCPT}DATA\r\n"));
        d.says("250 a\r\n250 b\r\n354 go\r\n");
        for before in [FORWARD, then, ""] {
            d.sends(&format!("{STUFFED}RSET\r\n{before}{MAIL}{RCPT}DATA\r\n"));
            let told = if before.is_empty() { "" } else { "250 x\r\n" };
            d.says(&format!(
                "250 taken\r\n250 reset\r\n{told}250 a\r\n250 b\r\n354 go\r\n"
            ));
        }
        d.sends(STUFFED);
    }
}

/// No server hears of it that does not offer it, or none of its attributes.
#[test]
fn it_goes_only_where_it_is_offered() {
    for offer in ["HELP", "XFORWARD", "XFORWARD LOGIN", "XFORWARD SOURCE"] {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", offer]);
        d.submit_envelope(&forwarded(to_one()), CONTENT);
        d.sends(&format!("{MAIL}{RCPT}DATA\r\n"));
    }
    let ignoring = config(Pipelining::Group).ignore(smtp_proto::syntax::Extension::XForward);
    let mut d = Dialogue::begin_with(ignoring, &OFFER);
    d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.sends(&format!("{MAIL}{RCPT}DATA\r\n"));
    let mut d = Dialogue::with(config(Pipelining::Group).helo_only());
    d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.says("220 x\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 x\r\n");
    d.sends(MAIL);
}

/// An offer that names an attribute twice has it told once.
#[test]
fn nothing_is_told_twice() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", "XFORWARD HELO HELO"]);
    d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.sends(&format!("XFORWARD HELO=x+2By\r\n{MAIL}{RCPT}DATA\r\n"));
}

/// XFORWARD-a: no line has more than 512 bytes, and each gets its reply.
#[test]
fn long_ones_take_several_lines() {
    let long = "x".repeat(255);
    let [name, helo] =
        [AttributeName::Name, AttributeName::Helo].map(|name| Attribute::new(name, &long).unwrap());
    let said = to_one().xforward([name, helo]);
    let (first, second) = (
        format!("XFORWARD PROTO=[UNAVAILABLE] HELO={long}\r\n"),
        format!("XFORWARD NAME={long} ADDR=[UNAVAILABLE]\r\n"),
    );
    for policy in [Pipelining::LockStep, Pipelining::Group] {
        let mut d = begin(policy);
        let m = d.submit_envelope(&said, CONTENT);
        if policy == Pipelining::LockStep {
            d.sends(&first);
            d.says("250 x\r\n");
            d.sends(&second);
            d.says("501 5.5.4 no\r\n");
            d.sends(MAIL);
        } else {
            d.sends(&format!("{first}{second}{MAIL}{RCPT}DATA\r\n"));
            d.says("250 x\r\n501 5.5.4 no\r\n");
        }
        let reply = reply("501 5.5.4 no\r\n");
        d.reports(&[Event::ForwardingRefused { message: m, reply }]);
    }
}

/// XFORWARD-b: the server's log is all that it is for, so the message goes on without, as Postfix's client
/// has it (`smtp_proto.c`, `SMTP_STATE_XFORWARD_NAME_ADDR`: `msg_warn`, and on to MAIL).
#[test]
fn its_refusal_costs_no_message() {
    for policy in POLICIES {
        for no in ["550 not you\r\n", "451 later\r\n", "503 in one\r\n"] {
            let mut d = begin(policy);
            let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
            let mut said = d.written();
            d.says(no);
            for reply in ["250 a\r\n", "250 ok\r\n"] {
                said += &d.written();
                d.says(reply);
            }
            said += &d.written();
            if !matches!(policy, Pipelining::Stream { .. }) {
                d.says("354 go\r\n");
                said += &d.written();
            }
            assert!(said.starts_with(&format!("{FORWARD}{MAIL}{RCPT}")));
            d.says("250 taken\r\n");
            d.reports(&[
                Event::ForwardingRefused {
                    message: m,
                    reply: reply(no),
                },
                recipient(m, 0, "250 ok\r\n"),
                finished(m, delivered("250 taken\r\n")),
            ]);
            assert_eq!(d.error, None);
        }
    }
}

/// 5321-3.8-a: a server that goes has taken nothing.
#[test]
fn a_421_is_the_end() {
    let mut d = begin(Pipelining::LookAhead);
    let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.written();
    d.says("421 bye\r\n");
    let reason = NotSentReason::ConnectionEnded;
    d.reports(&[finished(
        m,
        not_sent_after(reason, Step::XForward, "421 bye\r\n"),
    )]);
}

/// A reply that cannot answer it shows that nothing matches any more.
#[test]
fn only_2yz_accepts_it() {
    for reply in ["220 x\r\n", "334 x\r\n", "354 x\r\n"] {
        let mut d = begin(Pipelining::LookAhead);
        let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
        d.written();
        d.says(reply);
        d.finishes(&[(m, connection_ended())]);
    }
}

/// An envelope that is open has told it before its recipients come.
#[test]
fn open_envelopes_have_it_first() {
    let mut d = begin(Pipelining::LookAhead);
    let m = d
        .client
        .begin(&forwarded(envelope("a@example.org", &[])))
        .unwrap();
    d.has(m, CONTENT);
    d.sends(&format!("{FORWARD}{MAIL}"));
    d.says("550 not you\r\n250 a\r\n");
    let to = ForwardPath::parse("b@example.net").unwrap();
    d.client.add_recipient(m, to, None).unwrap();
    d.sends(RCPT);
    d.client.end(m).unwrap();
    d.sends("DATA\r\n");
}

/// As long as MAIL is not sent, a recipient may come for whom it says more.
#[test]
fn between_it_and_mail_a_recipient_may_come() {
    let offer = [OFFER[1], "8BITMIME", "SMTPUTF8"];
    let mut d = Dialogue::begin(Pipelining::LockStep, &offer);
    let m = d
        .client
        .begin(&forwarded(envelope("a@example.org", &[])))
        .unwrap();
    d.sends(FORWARD);
    let to = ForwardPath::parse("<δ@example.net>").unwrap();
    d.client.add_recipient(m, to, None).unwrap();
    d.says("250 x\r\n");
    d.sends("MAIL FROM:<a@example.org> SMTPUTF8\r\n");
}

/// XFORWARD-b: RSET takes it back, where its message does not come to MAIL, or not to its end.
#[test]
fn nothing_of_it_is_left_for_the_next_message() {
    let mut d = begin(Pipelining::LockStep);
    let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.sends(FORWARD);
    assert_eq!(d.client.cancel(m), Ok(Cancellation::Withdrawn));
    d.says("250 x\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::Cancelled))]);
    d.submit_envelope(&to_one(), CONTENT);
    d.sends("RSET\r\n");
    d.says("250 reset\r\n");
    d.sends(MAIL);

    let mut d = begin(Pipelining::LookAhead);
    let [first, second] = [to_one(), forwarded(to_one())].map(|it| d.submit_envelope(&it, CONTENT));
    d.written();
    d.says("250 a\r\n250 b\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}RSET\r\n{FORWARD}{MAIL}{RCPT}DATA\r\n"));
    d.says("250 taken\r\n250 reset\r\n250 x\r\n550 a\r\n503 b\r\n503 c\r\n");
    assert!(d.take_events().len() > 2, "{first:?} {second:?}");
    d.submit_envelope(&to_one(), CONTENT);
    d.sends(&format!("RSET\r\n{MAIL}{RCPT}DATA\r\n"));
}

/// A server that refuses all that is sent ahead hears it again with its message.
#[test]
fn it_is_told_again_with_a_message_that_is_sent_again() {
    let mut d = begin(Pipelining::LookAhead);
    d.submit_envelope(&to_one(), CONTENT);
    let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.written();
    d.says("250 a\r\n250 b\r\n354 go\r\n");
    d.written();
    d.take_events();
    d.says(&format!("250 taken\r\n{}", "503 no\r\n".repeat(5)));
    d.sends(&format!("{FORWARD}{MAIL}{RCPT}DATA\r\n"));
    d.take_events();
    d.says("250 x\r\n250 a\r\n250 b\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
}

/// So it is where nothing but XFORWARD had room to be sent ahead.
#[test]
fn it_is_told_again_where_it_was_all_that_was_sent_ahead() {
    let half = Duplex::Half {
        bytes: 4096,
        replies: 3,
    };
    let config = config(Pipelining::LookAhead).duplex(half);
    let mut d = Dialogue::begin_with(config, &OFFER);
    d.submit_envelope(&to_one(), CONTENT);
    let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.written();
    d.says("250 a\r\n250 b\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}RSET\r\n{FORWARD}"));
    d.take_events();
    d.says("250 taken\r\n503 no\r\n");
    d.sends("");
    d.says("503 no\r\n");
    d.sends(&format!("{FORWARD}{MAIL}{RCPT}"));
    d.says("250 x\r\n250 a\r\n250 b\r\n");
    d.sends("DATA\r\n");
    let told = d.take_events();
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::ForwardingRefused { .. })),
        "{m:?}"
    );
}

/// Nobody knows what such a server holds.
#[test]
fn a_server_that_takes_it_after_refusing_rset_is_out_of_step() {
    let mut d = begin(Pipelining::LookAhead);
    d.submit_envelope(&to_one(), CONTENT);
    d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.written();
    d.says("250 a\r\n250 b\r\n354 go\r\n");
    d.written();
    d.says("250 taken\r\n503 no\r\n250 x\r\n");
    assert!(d.error.is_some());
}

/// Each transaction of a message tells it: a server forgets it at the dot.
#[test]
fn every_transaction_of_a_message_tells_it() {
    let offer = ["PIPELINING", OFFER[1], "LIMITS RCPTMAX=1"];
    let mut d = Dialogue::begin(Pipelining::Group, &offer);
    let two = envelope("a@example.org", &["b@example.net", "c@example.net"]);
    d.submit_envelope(&forwarded(two), CONTENT);
    d.sends(&format!("{FORWARD}{MAIL}{RCPT}DATA\r\n"));
    d.says("250 x\r\n250 a\r\n250 b\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.sends(&format!(
        "{FORWARD}{MAIL}RCPT TO:<c@example.net>\r\nDATA\r\n"
    ));
}

/// A command like others: its time is theirs, and who watches sees whose it is.
#[test]
fn it_is_timed_and_watched() {
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_secs(7);
    for time in [&mut timeouts.mail, &mut timeouts.recipient] {
        *time = Some(Duration::from_secs(1));
    }
    timeouts.data_initiation = Duration::from_secs(1);
    let config = config(Pipelining::Group).timeouts(timeouts).watched();
    let mut d = Dialogue::begin_with(config, &OFFER);
    while d.client.poll_observation().is_some() {}
    let m = d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.written();
    assert_eq!(d.client.poll_timeout(), Some(Duration::from_secs(7)));
    d.says("550 no\r\n");
    let mut seen = std::iter::from_fn(|| d.client.poll_observation());
    let command = seen.next().unwrap();
    assert_eq!((command.step, command.message), (Step::XForward, Some(m)));
    let answer = seen.last().unwrap();
    assert_eq!((answer.step, answer.message), (Step::XForward, Some(m)));
    assert!(matches!(answer.what, Observed::Reply { .. }));
}

/// PIPECONNECT: it goes ahead of the greeting with all else.
#[test]
fn it_goes_ahead_of_the_greeting() {
    let answer = "250-x\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250 XFORWARD HELO\r\n";
    let known = Reply::parse(answer.as_bytes()).unwrap();
    let known = smtp_proto::syntax::Capabilities::parse(&known);
    let config: Config = config(Pipelining::LookAhead).known_capabilities(known);
    let mut d = Dialogue::with(config);
    d.submit_envelope(&forwarded(to_one()), CONTENT);
    d.sends(&format!(
        "EHLO client.example\r\nXFORWARD HELO=x+2By\r\n{MAIL}{RCPT}DATA\r\n"
    ));
    d.says(&format!(
        "220 x\r\n{answer}250 x\r\n250 a\r\n250 b\r\n354 go\r\n"
    ));
    d.sends(STUFFED);
}
