//! What a proxy says of its own client: XCLIENT and XFORWARD, from our clients to Postfix.

use anyhow::{Context, Result, ensure};
use smtp_proto::{
    client::Pipelining,
    syntax::{Attribute, AttributeName, ForwardingCommand},
};

use crate::{
    exchange::exchange,
    matrix::Matrix,
    messages,
    ours::{Adapter, Session},
    proxy::Link,
    servers::Running,
};

const TITLE: &str = "What a proxy says of its client";

pub(super) fn run(matrix: &mut Matrix, running: &Running) {
    if !running.server.logs_clients() {
        return;
    }
    for (column, command) in [
        ("XCLIENT", ForwardingCommand::XClient),
        ("XFORWARD", ForwardingCommand::XForward),
    ] {
        for adapter in Adapter::ALL {
            let row = format!("{}, {}", running.server.name(), adapter.name());
            matrix.cell(TITLE, &row, column, || send(running, adapter, command));
        }
    }
}

/// Sends a message, and looks for what was said of its client where the server keeps that: in its log, and
/// for XCLIENT, which has the client take the proxy's place, in the message.
fn send(running: &Running, adapter: Adapter, command: ForwardingCommand) -> Result<String> {
    // Names that no cell before has.
    let name = format!("{}.spike.test", adapter.name());
    let mut session = Session::new(running.server.dialect(), Pipelining::LookAhead);
    let (said, logged) = match command {
        ForwardingCommand::XClient => (
            &mut session.xclient,
            format!("client={name}[192.0.2.1], sasl_method=XCLIENT, sasl_username=carol"),
        ),
        ForwardingCommand::XForward => (
            &mut session.xforward,
            format!("orig_queue_id=4711, orig_client={name}[192.0.2.1]"),
        ),
    };
    said.push(Attribute::new(AttributeName::Name, &name)?.into_owned());
    said.push(Attribute::address(
        AttributeName::Addr,
        "192.0.2.1".parse()?,
    )?);
    said.push(Attribute::new(AttributeName::Helo, "helo.spike.test")?);
    said.push(match command {
        ForwardingCommand::XClient => Attribute::new(AttributeName::Login, "carol")?,
        ForwardingCommand::XForward => Attribute::new(AttributeName::Ident, "4711")?,
    });
    let messages = messages::numbered(2);
    let (sending, _) = exchange(running, adapter, &session, Link::default(), &messages)?;
    let log = running.log();
    let lines = log.lines().filter(|line| line.contains(&logged)).count();
    ensure!(
        lines == messages.len(),
        "{logged:?} is {lines} times in the log:\n{log}\nthe dialogue:\n{}",
        sending.dialogue(usize::MAX)
    );
    if command == ForwardingCommand::XClient {
        let received = format!("Received: from helo.spike.test ({name} [192.0.2.1])");
        for copy in running.copies()? {
            let copy = String::from_utf8_lossy(&copy).into_owned();
            let field = copy.lines().find(|line| line.starts_with("Received: "));
            let field = field.context("no Received")?;
            ensure!(field == received, "{field:?}, not {received:?}");
        }
    }
    Ok(format!("{lines} / {}", messages.len()))
}
