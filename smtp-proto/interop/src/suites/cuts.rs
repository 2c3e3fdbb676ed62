//! Connections that are cut after the end of a content, before its verdict: the client must not claim
//! to know what became of the message, and nobody but the server does.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use smtp_proto::client::{Outcome, Pipelining};

use super::policy_name;
use crate::{
    exchange::Offer,
    matrix::Matrix,
    messages,
    ours::{self, Adapter, Session},
    proxy::{Cut, Link, Proxy},
    servers::Running,
};

const CUTS: &str = "The connection is cut after a content, before its verdict";
/// How long a server may take to decide about a message that was cut off.
const DECISION: Duration = Duration::from_secs(1);

pub(super) fn run(matrix: &mut Matrix, running: &Running, offer: &Offer) {
    for adapter in Adapter::ALL {
        for &policy in &offer.policies {
            if matches!(policy, Pipelining::Stream { window } if window != 10) {
                continue;
            }
            let row = format!(
                "{}, {}, {}",
                running.server.name(),
                policy_name(policy),
                adapter.name()
            );
            for (column, server_answers) in
                [("at once", false), ("when the server has answered", true)]
            {
                matrix.cell(CUTS, &row, column, || {
                    cut(running, adapter, policy, server_answers)
                });
            }
        }
    }
}

/// Sends three messages, cuts the connection after the second, and compares what the client says
/// about each with what the server stored.
fn cut(
    running: &Running,
    adapter: Adapter,
    policy: Pipelining,
    server_answers: bool,
) -> Result<String> {
    running.forget()?;
    let messages = messages::numbered(3);
    // The end of the second content: a number that the others do not have.
    let after = match policy {
        Pipelining::Stream { .. } => b"\r\n.1\r\n".to_vec(),
        _ => b"\r\n..1\r\n.\r\n".to_vec(),
    };
    let cut = Cut {
        after,
        server_answers,
    };
    // With a delay, so that the whole flight is on its way.
    let link = Link {
        round_trip: Duration::from_millis(20),
        cut: Some(cut),
    };
    let proxy = Proxy::start(running.address, link)?;
    let session = Session::new(running.server.dialect(), policy);
    let sending = ours::send(adapter, proxy.address(), &session, &messages)?;
    thread::sleep(DECISION);
    let stored = running.stored(0)?;
    let is_stored = |number: usize| stored.iter().any(|it| it.sender == messages[number].sender);
    let judge = || {
        ensure!(sending.failure.is_some(), "the client noticed nothing");
        ensure!(
            sending.reports.len() == messages.len(),
            "reports are missing"
        );
        for (number, report) in sending.reports.iter().enumerate() {
            let honest = match &report.outcome {
                Outcome::Delivered(_) => is_stored(number),
                Outcome::InDoubt => true,
                Outcome::NotSent(_) => !is_stored(number),
                Outcome::Refused(_) => false,
            };
            let (outcome, stored) = (&report.outcome, is_stored(number));
            ensure!(honest, "message {number}: {outcome:?}, stored: {stored}");
        }
        let second = &sending.reports[1].outcome;
        ensure!(
            *second == Outcome::InDoubt,
            "the second message: {second:?}"
        );
        let stored = if is_stored(1) { "stored" } else { "not stored" };
        Ok(format!("in doubt, {stored}"))
    };
    judge().with_context(|| format!("the wire:\n{}", proxy.dialogue(20)))
}
