//! `deliver`: sends message files, and tells what became of them.

mod capabilities;
mod connection;
mod demonstration;
mod errand;
mod journal;
mod ladder;
mod message;
mod options;
mod outcome;
mod progress;
mod relay;
mod security;
mod sending;
mod svg;
mod table;
mod teller;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use self::{
    demonstration::{OwnServer, demonstrate},
    ladder::Ladder,
    message::{Message, repeated, samples},
    relay::Relay,
    sending::send,
    svg::svg,
    table::{Row, dialogue, table},
};
pub use self::{
    options::Options,
    security::{Login, Security},
};
use crate::{Endpoint, arguments::about, complain};

/// The delay of the link to the program's own server, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// Does what the options say.
///
/// # Errors
///
/// Whatever keeps it from sending messages, and what was stored otherwise than it was sent.
pub fn deliver(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.files.is_empty() && options.policy.is_none() {
        return demonstrate(options);
    }
    let messages = match options.files.as_slice() {
        [] => samples(),
        files => {
            let read = files.iter();
            let read = read.map(|file| about(file.display(), Message::read(file)));
            read.collect::<Result<_, _>>()?
        }
    };
    let messages = repeated(&messages, options.repeat.get());
    let Some(server) = &options.to else {
        let directory = tempfile::tempdir()?;
        let server = OwnServer::start(directory.path())?;
        return run(options, &server.endpoint(), Some(ROUND_TRIP), &messages);
    };
    run(options, server, None, &messages)
}

/// Sends messages, and tells what became of each and of all.
fn run(
    options: &Options,
    server: &Endpoint,
    round_trip: Option<Duration>,
    messages: &[Message],
) -> Result<ExitCode, Box<dyn Error>> {
    let round_trip = options.rtt.or(round_trip);
    let relay = match (server, round_trip) {
        (Endpoint::Tcp(target), Some(round_trip)) => {
            let servers = about(server, target.addresses())?;
            Some(Relay::start(servers, round_trip)?.address())
        }
        _ => None,
    };
    let policy = options.policy.unwrap_or_default();
    let (tally, sent) = send(options, server, relay, policy, messages)?;
    if let Some(failure) = &sent.failure {
        complain(format_args!("{server}: the session failed: {failure}"));
    }
    let mut out = io::stdout();
    if options.trace {
        write!(out, "{}", dialogue(&sent.trace))?;
    }
    if options.json {
        let summary = tally.json(sent.connections, sent.round_trips, sent.elapsed);
        writeln!(out, "{summary}")?;
    } else {
        let row = Row {
            policy,
            messages: tally.messages,
            round_trips: sent.round_trips,
            elapsed: sent.elapsed,
        };
        write!(out, "{}", table(&[row]))?;
    }
    if let Some(file) = &options.svg {
        let ladder = Ladder::new(policy, tally.messages, &sent.trace);
        let drawing = svg(&[ladder], round_trip.unwrap_or_default());
        about(file.display(), fs::write(file, drawing))?;
    }
    match sent.trouble {
        Some(trouble) => Err(trouble.into()),
        None => Ok(tally.exit_code()),
    }
}
