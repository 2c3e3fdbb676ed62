//! Every policy at work, against a server of the program's own.

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use smtp_proto::{client::Pipelining, delivery::Report, server::Config, syntax::Host};
use smtp_proto_tokio::{Server, server::Shutdown};
use tokio::runtime::Runtime;

use super::{
    ROUND_TRIP,
    connection::{Route, Sent},
    ladder::Ladder,
    message::{Message, repeated, samples},
    options::Options,
    outcome::{Fate, Record, Tally},
    relay::Relay,
    svg::svg,
    table::{Row, dialogue, table},
};
use crate::{
    Endpoint,
    receive::{Inbox, Maildir},
};

/// How often the samples are sent under each policy, so that rates mean something.
const REPEATS: usize = 10;

/// A server that stores into a Maildir. It ends when it is dropped.
pub(super) struct OwnServer {
    address: SocketAddr,
    maildir: Arc<Maildir>,
    shutdown: Shutdown,
    _runtime: Runtime,
}

impl OwnServer {
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        let name = Host::parse("server.example").map_err(io::Error::other)?;
        let (config, maildir) = (Config::new(name), Maildir::open(directory)?);
        let inbox = Inbox::new(&config, Some(Arc::clone(&maildir)));
        let runtime = Runtime::new()?;
        let server = runtime.block_on(Server::bind("127.0.0.1:0", config))?;
        let (address, shutdown) = (server.local_addr()?, Shutdown::new());
        runtime.spawn(server.serve_until(inbox, shutdown.clone()));
        Ok(Self {
            address,
            maildir,
            shutdown,
            _runtime: runtime,
        })
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp(self.address.into())
    }

    /// Makes sure that what was stored is what was sent, byte by byte.
    fn compare(&self, messages: &[Message], by_chunks: bool) -> Result<(), Box<dyn Error>> {
        let stored = self.maildir.messages()?;
        if stored.len() != messages.len() {
            return Err(format!("{} of {} were stored", stored.len(), messages.len()).into());
        }
        for (message, stored) in messages.iter().zip(stored) {
            if message.as_received(by_chunks) != without_trace(&stored) {
                return Err(format!("{} was not stored as it was sent", message.name).into());
            }
        }
        Ok(())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// Returns a message without the server's own fields: Return-Path, of one line, and Received.
fn without_trace(stored: &[u8]) -> &[u8] {
    let mut rest = stored;
    for field in ["Return-Path:", "Received:"] {
        if !rest.starts_with(field.as_bytes()) {
            continue;
        }
        // A line that begins with a blank belongs to the field before.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            rest = rest.get(end + 1..).unwrap_or_default();
            if !rest.starts_with(b"\t") {
                break;
            }
        }
    }
    rest
}

/// Shows every policy at work.
pub(super) fn demonstrate(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let round_trip = options.rtt.unwrap_or(ROUND_TRIP);
    let samples = samples();
    let repeats = if options.repeat.get() > 1 {
        options.repeat.get()
    } else {
        REPEATS
    };
    let messages = repeated(&samples, repeats);
    let few = samples.get(..2).unwrap_or(&samples);
    let (mut rows, mut ladders, mut all) = (Vec::new(), Vec::new(), Tally::default());
    let mut out = io::stdout();
    writeln!(
        out,
        "{} messages over one connection, round trip {} ms, each stored durably and compared:\n",
        messages.len(),
        round_trip.as_millis()
    )?;
    for policy in [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 100 },
    ] {
        let directory = tempfile::tempdir()?;
        let server = OwnServer::start(directory.path())?;
        let relay = Relay::start(vec![server.address], round_trip)?.address();
        let send = |options: &Options, messages: &[Message], tally: &mut Tally| {
            let route = Route::new(options, &server.endpoint(), Some(relay), policy, None)?;
            let messages = messages.iter().map(|message| {
                let envelope = message.envelope(options, &options.rcpt);
                (envelope, Arc::clone(&message.content))
            });
            let sent = route.send(messages, |report| count(options, &report, tally));
            match sent.failure {
                Some(failure) => Err(Box::<dyn Error>::from(failure)),
                None => Ok(sent),
            }
        };
        let mut tally = Tally::default();
        let Sent {
            round_trips,
            elapsed,
            ..
        } = send(options, &messages, &mut tally)?;
        server.compare(&messages, matches!(policy, Pipelining::Stream { .. }))?;
        rows.push(Row {
            policy,
            messages: tally.messages,
            round_trips,
            elapsed,
        });
        let traced = Options {
            trace: true,
            ..options.clone()
        };
        let sent = send(&traced, few, &mut all)?;
        ladders.push(Ladder::new(policy, few.len(), &sent.trace));
        if options.trace {
            writeln!(out, "{}", dialogue(&sent.trace))?;
        }
        all.add(tally);
    }
    writeln!(out, "{}", table(&rows))?;
    writeln!(out, "What goes over the link for the first two of them:")?;
    for ladder in &ladders {
        write!(out, "\n{}", ladder.to_text(round_trip))?;
    }
    if let Some(file) = &options.svg {
        fs::write(file, svg(&ladders, round_trip))?;
        writeln!(out, "The same as a picture: {}", file.display())?;
    }
    Ok(all.exit_code())
}

fn count(options: &Options, report: &Report, tally: &mut Tally) {
    let fates: Vec<_> = report.recipients.iter().map(Fate::from).collect();
    let record = Record {
        message: "",
        recipients: &options.rcpt,
        fates: &fates,
    };
    tally.count(record.worst());
}
