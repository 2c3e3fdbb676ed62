//! One session of our clients with a real server, and the judgement on it.

use anyhow::{Context, Result, bail, ensure};
use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::Dialect,
    syntax::{Capabilities, Extension},
};

use crate::{
    messages::Message,
    ours::{self, Adapter, Sending, Session},
    proxy::{Link, Proxy},
    servers::{Running, Server},
    stored,
};

/// How many lines of a dialogue a failure shows.
const SHOWN: usize = 40;

/// What a server offers, and what follows.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) capabilities: Capabilities,
    /// The policies that it permits, of those to be run.
    pub(crate) policies: Vec<Pipelining>,
}

impl Offer {
    /// Asks a server.
    pub(crate) fn of(running: &Running, quick: bool) -> Result<Self> {
        let dialect = running.server.dialect();
        let session = Session::new(dialect, Pipelining::LockStep);
        let sending = ours::send(Adapter::Blocking, running.address, &session, &[])?;
        let capabilities = sending.capabilities;
        Ok(Self {
            policies: permitted(&capabilities, dialect, quick),
            capabilities,
        })
    }
}

fn permitted(offered: &Capabilities, dialect: Dialect, quick: bool) -> Vec<Pipelining> {
    use Pipelining::{Group, LockStep, LookAhead, Stream};
    let can_pipeline = offered.has(Extension::Pipelining);
    let can_stream = can_pipeline && offered.has(Extension::Chunking) && dialect == Dialect::Smtp;
    let all: &[Pipelining] = match (can_pipeline, quick) {
        (false, _) => &[LockStep],
        (true, true) => &[LookAhead, Stream { window: 10 }],
        (true, false) => &[
            LockStep,
            Group,
            LookAhead,
            Stream { window: 1 },
            Stream { window: 10 },
            Stream { window: 100 },
        ],
    };
    let permitted = |policy: &&Pipelining| can_stream || !matches!(policy, Stream { .. });
    all.iter().filter(permitted).copied().collect()
}

/// Sends messages and compares what became of them with what ought to: the outcome of every
/// recipient, and every copy that the server stored.
pub(crate) fn exchange(
    running: &Running,
    adapter: Adapter,
    session: &Session,
    link: Link,
    messages: &[Message],
) -> Result<(Sending, Proxy)> {
    running.forget()?;
    let server = running.server;
    let proxy = Proxy::start(running.address, link)?;
    let sending = ours::send(adapter, proxy.address(), session, messages)?;
    judge(server, messages, &sending)
        .and_then(|()| {
            let in_clear = session.ca.is_none();
            let early = in_clear && proxy.saw_content_too_early();
            ensure!(!early, "content was sent before its 354");
            let stored = running.stored(stored::expected(server, messages))?;
            let by_chunks = matches!(session.policy, Pipelining::Stream { .. });
            stored::compare(server, messages, by_chunks, &stored)
        })
        .with_context(|| format!("the dialogue:\n{}", sending.dialogue(SHOWN)))
        .with_context(|| format!("the wire:\n{}", proxy.dialogue(SHOWN)))?;
    Ok((sending, proxy))
}

/// Checks that every recipient was taken or refused as the server is to do.
fn judge(server: &dyn Server, messages: &[Message], sending: &Sending) -> Result<()> {
    if let Some(failure) = &sending.failure {
        bail!("the session failed: {failure}");
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
