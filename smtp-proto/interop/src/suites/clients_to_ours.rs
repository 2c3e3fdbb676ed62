//! Real clients to our servers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail, ensure};

use crate::{
    Run,
    clients::{
        self, Client, Job, Mode, Way, Wish,
        server::{self, OurServer},
        store::{Store, Stored, refuses},
    },
    matrix::Matrix,
    messages::{self, Message},
    ours::Adapter,
    proxy::{Link, Proxy},
    servers::USER,
    stored,
};

const TITLE: &str = "Real clients to our servers";
/// A link on which round trips can be counted.
const DISTANT: Duration = Duration::from_millis(20);
/// How many chunks of a dialogue a failure shows.
const SHOWN: usize = 40;

/// Tells whether a client is there, and its version.
pub(super) fn introduce(run: &Run, matrix: &mut Matrix, client: &dyn Client) {
    if clients::is_installed(client, &run.tree) {
        matrix.cell("Clients", client.name(), "version", || {
            clients::version(run, client)
        });
        return;
    }
    match client.way() {
        Way::Program(_) => matrix.missing(client.name()),
        Way::Library(..) => matrix.left_out(client.name(), "built without `libraries`"),
    }
}

/// Runs a client that is there.
pub(super) fn run(run: &Run, matrix: &mut Matrix, client: &'static dyn Client, adapter: Adapter) {
    let row = format!("{}, {}", client.name(), adapter.name());
    let mut cell = |column, cell: &dyn Fn() -> Result<String>| {
        matrix.cell(TITLE, &row, column, cell);
    };
    for mode in Mode::ALL {
        if client.can(mode, Wish::Nothing) {
            let exchange = Exchange::new(run, client, adapter, mode);
            cell(mode.name(), &|| tricky(&exchange));
        }
    }
    let exchange = Exchange::new(run, client, adapter, Mode::Clear);
    cell("10 MiB", &|| large(&exchange));
    if client.spoils(&messages::many_recipients()).is_none() {
        cell("100 recipients", &|| many_recipients(&exchange));
    }
    cell("20 messages", &|| numbered(&exchange));
    if client.can(Mode::StartTls, Wish::Nothing) {
        let exchange = Exchange::new(run, client, adapter, Mode::StartTls);
        cell("20 messages by TLS", &|| numbered(&exchange));
    }
    for (column, wish, check) in WISHES {
        if client.can(Mode::Clear, wish) {
            cell(column, &|| check(&exchange.wishing(wish)));
        }
    }
}

type Check = fn(&Exchange<'_>) -> Result<String>;

/// What some clients can ask for.
const WISHES: [(&str, Wish, Check); 4] = [
    ("DSN", Wish::Notification, notification),
    ("SMTPUTF8", Wish::Internationalized, internationalized),
    ("XFORWARD", Wish::Forwarding, forwarding),
    ("PIPECONNECT", Wish::EarlyPipelining, early_pipelining),
];

fn tricky(exchange: &Exchange<'_>) -> Result<String> {
    let messages = messages::tricky();
    let sent = exchange.send(&messages)?;
    Ok(format!("{} of {}", sent.messages, messages.len()))
}

fn large(exchange: &Exchange<'_>) -> Result<String> {
    let bytes = if exchange.run.quick { 1 } else { 10 } << 20;
    exchange.send(&[messages::large(bytes)])?;
    Ok("ok".to_owned())
}

fn many_recipients(exchange: &Exchange<'_>) -> Result<String> {
    let message = messages::many_recipients();
    let refused = message.recipients.iter().filter(|it| refuses(it)).count();
    exchange.send(&[message])?;
    Ok(format!("{refused} refused"))
}

fn numbered(exchange: &Exchange<'_>) -> Result<String> {
    let messages = messages::numbered(20);
    let sent = exchange.send_over(DISTANT, &messages)?;
    let connections = sent.store.connections();
    ensure!(
        connections == exchange.client.connections(messages.len()),
        "took {connections} connections"
    );
    let connections = match connections {
        1 => "1 connection".to_owned(),
        _ => format!("{connections} connections"),
    };
    if exchange.mode.is_encrypted() {
        return Ok(connections);
    }
    let verb = match sent.proxy.dialogue(usize::MAX).contains("BDAT ") {
        true => "BDAT",
        false => "DATA",
    };
    let round_trips = sent.proxy.round_trips();
    Ok(format!("{verb}, {connections}, {round_trips} round trips"))
}

/// Its parameters arrive (RFC 3461 4).
fn notification(exchange: &Exchange<'_>) -> Result<String> {
    let sent = exchange.send(&messages::numbered(1))?;
    let commands = sent.store.commands().join("\n");
    for parameter in ["ENVID=interop", "NOTIFY=SUCCESS,FAILURE"] {
        ensure!(
            commands.contains(parameter),
            "{parameter} is missing:\n{commands}"
        );
    }
    Ok("ok".to_owned())
}

/// Its addresses arrive (RFC 6531 3.4).
fn internationalized(exchange: &Exchange<'_>) -> Result<String> {
    let message = Message {
        recipients: vec!["jörg@interop.test".to_owned()],
        sender: "grüße@client.test".to_owned(),
        ..messages::numbered(1).remove(0)
    };
    let sent = exchange.send(&[message])?;
    let commands = sent.store.commands().join("\n");
    ensure!(
        commands.contains(" SMTPUTF8"),
        "SMTPUTF8 is missing:\n{commands}"
    );
    Ok("ok".to_owned())
}

/// What it knows of each message's client arrives, in two commands.
fn forwarding(exchange: &Exchange<'_>) -> Result<String> {
    let messages = messages::numbered(3);
    let sent = exchange.send(&messages)?;
    let commands = sent.store.commands();
    for begin in [
        "XFORWARD PORT=0 NAME=localhost ADDR=127.0.0.1",
        "XFORWARD PROTO=ESMTP HELO=spike.test IDENT=",
    ] {
        let said = commands.iter().filter(|it| it.starts_with(begin)).count();
        ensure!(
            said == messages.len(),
            "{begin} is said {said} times:\n{}",
            commands.join("\n")
        );
    }
    Ok("ok".to_owned())
}

/// It speaks first from the second connection on.
fn early_pipelining(exchange: &Exchange<'_>) -> Result<String> {
    let sent = exchange.send_over(DISTANT, &messages::numbered(3))?;
    // Exim's log: L is PIPELINING, and L* is PIPECONNECT.
    let early = sent.printed.matches(" L* ").count();
    ensure!(
        early == 2,
        "{early} of 2 connections were early:\n{}",
        sent.printed
    );
    Ok(format!(
        "{} round trips, 3 connections",
        sent.proxy.round_trips()
    ))
}

/// One client that sends to one server of ours.
struct Exchange<'a> {
    run: &'a Run,
    client: &'static dyn Client,
    adapter: Adapter,
    mode: Mode,
    wish: Wish,
}

/// What came of it.
struct Sent {
    store: Arc<Store>,
    proxy: Proxy,
    /// How many messages the client was given.
    messages: usize,
    /// What the client printed.
    printed: String,
}

impl<'a> Exchange<'a> {
    fn new(run: &'a Run, client: &'static dyn Client, adapter: Adapter, mode: Mode) -> Self {
        Self {
            run,
            client,
            adapter,
            mode,
            wish: Wish::Nothing,
        }
    }

    fn wishing(&self, wish: Wish) -> Self {
        Self { wish, ..*self }
    }

    /// Has the client send the messages that it does not spoil, and compares what our server
    /// stored.
    fn send(&self, messages: &[Message]) -> Result<Sent> {
        self.send_over(Duration::ZERO, messages)
    }

    /// Does so over a link of so long a round trip.
    fn send_over(&self, round_trip: Duration, messages: &[Message]) -> Result<Sent> {
        let fit = |message: &&Message| self.client.spoils(message).is_none();
        let messages: Vec<Message> = messages.iter().filter(fit).cloned().collect();
        let config = server::config(self.mode, self.wish)?;
        let link = Link {
            round_trip,
            ..Link::default()
        };
        let server = OurServer::start(self.adapter, config, &self.run.pki, Store::choosy())?;
        let proxy = Proxy::start(server.address, link)?;
        let job = Job {
            mode: self.mode,
            wish: self.wish,
            port: proxy.address().port(),
        };
        let printed = clients::send(self.run, self.client, &job, &messages);
        let store = server.stop();
        let failures = store.failures();
        let judged = printed.and_then(|printed| {
            self.compare(&messages, &store.messages())
                .and_then(|()| {
                    let left = failures.is_empty() || !self.client.says_quit();
                    ensure!(left, "the client did not leave by QUIT");
                    Ok(())
                })
                .map_err(|error| anyhow!("{error}\nthe client printed:\n{printed}"))?;
            Ok(printed)
        });
        match judged {
            Ok(printed) => Ok(Sent {
                store,
                proxy,
                messages: messages.len(),
                printed,
            }),
            Err(error) => bail!(
                "{error}\nsessions that failed: {failures:?}\nthe wire:\n{}",
                proxy.dialogue(SHOWN)
            ),
        }
    }

    /// Checks that each message is there once for every recipient that exists, byte by byte.
    fn compare(&self, messages: &[Message], stored: &[Stored]) -> Result<()> {
        let mut by_sender: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
        for copy in stored {
            let sender = copy.from.trim_matches(['<', '>']);
            by_sender.entry(sender).or_default().push(copy);
        }
        for message in messages {
            let copies = by_sender
                .remove(message.sender.as_str())
                .unwrap_or_default();
            let found = copies.iter().flat_map(|copy| &copy.to);
            let mut found: Vec<&str> = found.map(|path| path.trim_matches(['<', '>'])).collect();
            let wanted = message.recipients.iter().map(String::as_str);
            let mut wanted: Vec<&str> = wanted.filter(|recipient| !refuses(recipient)).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            ensure!(
                found == wanted,
                "{}: stored for {found:?}, not for {wanted:?}",
                message.sender
            );
            for copy in copies {
                self.compare_one(message, copy)?;
            }
        }
        // Notifications of what was refused come from nobody.
        by_sender.remove("");
        if let Some((sender, _)) = by_sender.first_key_value() {
            bail!("there is a message from {sender:?}, who sent none");
        }
        Ok(())
    }

    fn compare_one(&self, message: &Message, copy: &Stored) -> Result<()> {
        ensure!(
            copy.encrypted == self.mode.is_encrypted(),
            "{}: came under TLS: {}",
            message.sender,
            copy.encrypted
        );
        let user = self.mode.mechanism().map(|_| USER);
        ensure!(
            copy.identity.as_deref() == user,
            "{}: came from {:?}",
            message.sender,
            copy.identity
        );
        let expected = self.client.as_sent(&message.content);
        let mut content = copy.content.as_slice();
        if self.client.adds_fields()
            && let Some(own) = content.len().checked_sub(expected.len())
            && let Some((fields, rest)) = content.split_at_checked(own)
            && is_header(fields)
        {
            content = rest;
        }
        stored::same(&message.sender, &expected, content)
    }
}

/// Tells whether bytes are fields of a header, and maybe the empty line after them.
fn is_header(bytes: &[u8]) -> bool {
    bytes.is_empty()
        || bytes.strip_suffix(b"\r\n").is_some_and(|fields| {
            fields
                .split(|byte| *byte == b'\n')
                .all(|line| line.starts_with(b"\t") || line.contains(&b':') || line == b"")
        })
}
