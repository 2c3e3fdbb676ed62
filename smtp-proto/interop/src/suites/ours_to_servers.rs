//! Our clients to real servers.

use anyhow::{Context, Result, ensure};
use smtp_proto::{
    client::{Outcome, Pipelining, Report},
    syntax::Extension,
};

use crate::{
    Run,
    matrix::Matrix,
    messages::{self, Message},
    ours::{self, Adapter, Sending, Session},
    proxy::{Link, Proxy},
    servers::{self, Running, Server},
    stored,
};

/// How many lines of a dialogue a failure shows.
const SHOWN: usize = 40;

pub(super) fn run(run: &Run, matrix: &mut Matrix) {
    for server in servers::all() {
        if !servers::is_installed(server, &run.tree) {
            matrix.missing(server.name());
            continue;
        }
        let running = match Running::start(run, server) {
            Ok(running) => running,
            Err(error) => {
                matrix.cell("servers", server.name(), "starts", || Err(error));
                continue;
            }
        };
        for adapter in Adapter::ALL {
            let title = "Our clients to real servers";
            let row = format!("{}, {}", server.name(), adapter.name());
            matrix.cell(title, &row, "look-ahead", || {
                let session = Session::new(server.dialect(), Pipelining::LookAhead);
                let messages = messages::tricky();
                exchange(&running, adapter, &session, &messages)?;
                Ok(format!("{} messages", messages.len()))
            });
        }
    }
}

/// Sends messages and compares what became of them with what ought to: the outcome of every
/// recipient, and every copy that the server stored.
fn exchange(
    running: &Running,
    adapter: Adapter,
    session: &Session,
    messages: &[Message],
) -> Result<(Sending, Proxy)> {
    running.forget()?;
    let server = running.server;
    let proxy = Proxy::start(running.address, Link::default())?;
    let sending = ours::send(adapter, proxy.address(), session, messages)?;
    judge(server, messages, &sending)
        .and_then(|()| {
            let stored = running.stored(stored::expected(server, messages))?;
            let by_chunks = matches!(session.policy, Pipelining::Stream { .. })
                && sending.capabilities.has(Extension::Chunking);
            stored::compare(server, messages, by_chunks, &stored)
        })
        .with_context(|| format!("the dialogue:\n{}", sending.dialogue(SHOWN)))
        .with_context(|| format!("the wire:\n{}", proxy.dialogue(SHOWN)))?;
    Ok((sending, proxy))
}

/// Checks that every recipient was taken or refused as the server is to do.
fn judge(server: &dyn Server, messages: &[Message], sending: &Sending) -> Result<()> {
    if let Some(failure) = &sending.failure {
        anyhow::bail!("the session failed: {failure}");
    }
    ensure!(
        sending.reports.len() == messages.len(),
        "reports are missing"
    );
    for (message, report) in messages.iter().zip(&sending.reports) {
        judge_one(server, message, report)?;
    }
    Ok(())
}

fn judge_one(server: &dyn Server, message: &Message, report: &Report) -> Result<()> {
    for (recipient, outcome) in message.recipients.iter().zip(&report.recipients) {
        let as_due = match outcome {
            Outcome::Delivered(_) => !server.refuses(recipient),
            Outcome::Refused(_) => server.refuses(recipient),
            Outcome::NotSent(_) | Outcome::InDoubt => false,
        };
        ensure!(as_due, "{} to {recipient}: {outcome:?}", message.sender);
    }
    Ok(())
}
