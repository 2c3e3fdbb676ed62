//! What this project began with, told by hand: what servers do with content that comes before its
//! 354, and with a content and the next transaction in one flight.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{
    matrix::Matrix,
    messages::{self, Message},
    proxy::{Link, Proxy},
    raw::{Raw, codes},
    servers::Running,
    stored,
};

const EARLY: &str =
    "Content sent before its 354, by hand: the replies, and who sent what is stored";
const AHEAD: &str = "Content and the next RSET MAIL RCPT DATA in one flight, by hand";

/// Long enough for a server to answer a flight meanwhile.
const LONG: Duration = Duration::from_millis(100);

const SOUND: &str = "Subject: early\r\n\r\nearly\r\n.\r\n";
/// Content that is a message of its own to whoever takes it for commands.
const COMMANDS: &str = "RSET\r\nMAIL FROM:<smuggled@client.test>\r\nRCPT TO:<one@interop.test>\r\n\
                        DATA\r\nsmuggled\r\n.\r\n";

/// What is sent early, and what each server does.
struct Early {
    column: &'static str,
    recipient: &'static str,
    content: &'static str,
    postfix: &'static str,
    exim: &'static str,
}

const EARLIES: [Early; 3] = [
    Early {
        column: "recipient taken",
        recipient: "one@interop.test",
        content: SOUND,
        postfix: "250 250 354 250 221; early",
        exim: "250 250 354 250 221; early",
    },
    Early {
        column: "recipient refused",
        recipient: "one@elsewhere.test",
        content: SOUND,
        postfix: "250 554 554 221; nothing",
        exim: "250 550 503 554; nothing",
    },
    Early {
        column: "recipient refused, content like commands",
        recipient: "one@elsewhere.test",
        content: COMMANDS,
        postfix: "250 554 554 250 250 250 354 250 221; smuggled",
        exim: "250 550 503 250 250 250 554; nothing",
    },
];

pub(super) fn run(matrix: &mut Matrix, running: &Running) {
    let name = running.server.name();
    for early in EARLIES {
        let expected = match name {
            "postfix" => early.postfix,
            "exim" => early.exim,
            _ => return,
        };
        matrix.cell(EARLY, name, early.column, || {
            let seen = send_early(running, &early)?;
            ensure!(seen == expected, "seen: {seen}\nexpected: {expected}");
            Ok(seen)
        });
    }
    matrix.cell(AHEAD, name, "10 messages", || {
        look_ahead(running, &messages::numbered(10))
    });
}

fn send_early(running: &Running, early: &Early) -> Result<String> {
    running.forget()?;
    let proxy = Proxy::start(running.address, Link::default())?;
    let mut raw = Raw::connect(proxy.address())?;
    let Early {
        recipient, content, ..
    } = early;
    raw.say(format!(
        "MAIL FROM:<early@client.test>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n{content}QUIT\r\n"
    ))?;
    let replies = raw.hear_rest()?;
    let accepted = replies
        .iter()
        .skip(3)
        .any(|reply| reply.starts_with("250") && is_verdict(reply));
    let stored = running.stored(usize::from(accepted))?;
    let senders: Vec<&str> = stored
        .iter()
        .filter_map(|copy| copy.sender.split('@').next())
        .collect();
    let senders = match senders.is_empty() {
        true => "nothing".to_owned(),
        false => senders.join(" "),
    };
    Ok(format!("{}; {senders}", codes(&replies)))
}

/// Tells whether a reply says that a message was queued.
fn is_verdict(reply: &str) -> bool {
    reply.contains("queued as") || reply.contains("id=")
}

/// Sends each content together with the next transaction's commands, and counts the round trips.
fn look_ahead(running: &Running, messages: &[Message]) -> Result<String> {
    running.forget()?;
    let link = Link {
        round_trip: LONG,
        ..Link::default()
    };
    let proxy = Proxy::start(running.address, link)?;
    let commands = |message: &Message| {
        let (sender, recipient) = (&message.sender, &message.recipients[0]);
        format!("MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n")
    };
    let exchange = || {
        let mut raw = Raw::connect(proxy.address())?;
        let before = proxy.round_trips();
        raw.say(commands(&messages[0]))?;
        ensure!(codes(&raw.hear(3)?) == "250 250 354", "no first 354");
        for (number, message) in messages.iter().enumerate() {
            let content = String::from_utf8(message.content.to_vec())?;
            let stuffed = content.replace("\r\n.", "\r\n..");
            match messages.get(number + 1) {
                Some(next) => {
                    raw.say(format!("{stuffed}.\r\nRSET\r\n{}", commands(next)))?;
                    let heard = codes(&raw.hear(5)?);
                    ensure!(heard == "250 250 250 250 354", "message {number}: {heard}");
                }
                None => {
                    raw.say(format!("{stuffed}.\r\n"))?;
                    ensure!(codes(&raw.hear(1)?) == "250", "the last message");
                }
            }
        }
        let round_trips = proxy.round_trips() - before;
        let expected = messages.len() as u64 + 1;
        ensure!(
            round_trips == expected,
            "{round_trips} round trips, not {expected}"
        );
        let copies = stored::expected(running.server, messages);
        stored::compare(running.server, messages, false, &running.stored(copies)?)?;
        Ok(format!("{round_trips} round trips"))
    };
    exchange().with_context(|| format!("the wire:\n{}", proxy.dialogue(20)))
}
