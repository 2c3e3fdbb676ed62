//! Streams of many messages, some of which are refused in part or as a whole: no message may come
//! from another's sender or go to another's recipient.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use smtp_proto::client::{Outcome, Pipelining};

use super::policy_name;
use crate::{
    Run,
    exchange::{Offer, exchange},
    matrix::Matrix,
    messages::{self, Message},
    ours::{self, Adapter, Session},
    proxy::{Link, Proxy},
    servers::Running,
    stored,
};

const REFUSED: &str = "30 messages that nobody may have, then one: the outcomes";
const STREAMS: &str = "Streams with refused recipients in the middle: messages / copies compared";

/// Who is refused everywhere.
const NOBODY: &str = "nobody@interop.test";
/// How many chunks of a dialogue a failure shows.
const SHOWN: usize = 20;

pub(super) fn run(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    for adapter in Adapter::ALL {
        let row = format!("{}, {}", running.server.name(), adapter.name());
        for policy in [Pipelining::LookAhead, Pipelining::Stream { window: 10 }] {
            let is_offered = offer.policies.contains(&policy);
            if is_offered && !run.quick && running.server.refuses(NOBODY) {
                matrix.cell(REFUSED, &row, &policy_name(policy), || {
                    refused(running, adapter, policy)
                });
            }
        }
    }
    let streams = |policy: &Pipelining| matches!(policy, Pipelining::Stream { .. });
    if !offer.policies.iter().any(streams) {
        return;
    }
    let (number, windows): (_, &[usize]) = match run.quick {
        true => (200, &[100]),
        false => (1000, &[1, 10, 100, 1000]),
    };
    let messages = with_refusals(number);
    for adapter in Adapter::ALL {
        let row = format!("{}, {}", running.server.name(), adapter.name());
        for &window in windows {
            let policy = Pipelining::Stream { window };
            matrix.cell(STREAMS, &row, &policy_name(policy), || {
                let session = Session::new(running.server.dialect(), policy);
                exchange(running, adapter, &session, Link::default(), &messages)?;
                let copies = stored::expected(running.server, &messages);
                Ok(format!("{number} / {copies}"))
            });
        }
    }
}

/// Sends more messages that are refused than servers put up with on one connection. Whatever they do
/// about it, what the client says has to be what they did.
fn refused(running: &Running, adapter: Adapter, policy: Pipelining) -> Result<String> {
    running.forget()?;
    let mut messages = messages::numbered(31);
    for message in &mut messages[..30] {
        message.recipients = vec![NOBODY.to_owned()];
    }
    let session = Session::new(running.server.dialect(), policy);
    let proxy = Proxy::start(running.address, Link::default())?;
    let sending = ours::send(adapter, proxy.address(), &session, &messages)?;
    let mut outcomes = BTreeMap::new();
    for report in &sending.reports {
        let word = match report.outcome {
            Outcome::Delivered(_) => "delivered",
            Outcome::Refused(_) => "refused",
            Outcome::NotSent(_) => "not sent",
            Outcome::InDoubt => "in doubt",
        };
        *outcomes.entry(word).or_insert(0) += 1;
    }
    // The adapters take no more messages once a session has failed.
    let not_taken = messages.len() - sending.reports.len();
    if not_taken > 0 {
        outcomes.insert("not taken", not_taken);
    }
    let delivered = outcomes.get("delivered").copied().unwrap_or(0);
    let stored = running.stored(delivered)?.len();
    ensure!(
        delivered == stored,
        "{outcomes:?}, stored: {stored}\n{}",
        proxy.dialogue(SHOWN)
    );
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    // What the server said in the end.
    let failure = sending.failure.as_deref().unwrap_or_default();
    let last = failure.split('"').nth(1).unwrap_or_default();
    Ok(format!(
        "{}; {}",
        outcomes.join(", "),
        last.trim_end_matches("\\r\\n")
    ))
}

/// Returns messages of which every 100th has only recipients who are refused, and of the others
/// every 5th one between two who are not.
///
/// No more than ten of a thousand: Exim counts the RSET that a client needs after each, and ends
/// a session that has more of them (`smtp_accept_max_nonmail`).
fn with_refusals(number: usize) -> Vec<Message> {
    let mut messages = messages::numbered(number);
    for (number, message) in messages.iter_mut().enumerate() {
        let recipients: &[&str] = match (number % 5, number % 100) {
            (_, 3) => &[NOBODY, "x@elsewhere.test"],
            (2, _) => &[
                "one@interop.test",
                "nobody@interop.test",
                "two@interop.test",
            ],
            _ => &["one@interop.test"],
        };
        message.recipients = recipients.iter().map(|&it| it.to_owned()).collect();
    }
    messages
}
