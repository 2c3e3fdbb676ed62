//! What `deliver` does around the protocol: it says what to send, and tells what became of it.

use std::{
    collections::BTreeSet,
    error::Error,
    fs, io,
    net::{SocketAddr, ToSocketAddrs},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use smtp_proto::{
    client::{Config, Envelope, NotSent, Outcome, Pipelining, Report},
    machine::TraceEntry,
};

use crate::{
    DeliverOptions, Ladder, Maildir, Message, Progress, Relay, Row, Tally, TemporaryDirectory,
    dialogue, report_to_json, report_to_text, samples, svg, table,
};

/// The delay of the link to the example's own server, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// How often the samples are sent under each policy, so that rates mean something.
const REPEATS: usize = 10;

/// What an adapter is to send over one connection.
#[derive(Debug)]
pub struct Job {
    /// Where to.
    pub address: SocketAddr,
    /// How.
    pub config: Config,
    /// What, in this order.
    pub messages: Vec<(Envelope<'static>, Arc<[u8]>)>,
}

/// What an adapter found when everything was sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many round trips the messages took, without the session's opening and its QUIT.
    pub round_trips: u64,
    /// How long they took, likewise.
    pub elapsed: Duration,
    /// The trace, if one was kept.
    pub trace: Vec<TraceEntry>,
    /// Why the session failed, if it did.
    pub failure: Option<String>,
}

/// Does what the options say.
///
/// `serve` starts a server that stores into the Maildir; it runs until what it returns is dropped.
/// `send` sends messages and hands each report to the function that it is given.
///
/// # Errors
///
/// Whatever keeps it from sending messages, and what was stored otherwise than it was sent.
pub fn deliver<S>(
    options: &DeliverOptions,
    mut serve: impl FnMut(Arc<Maildir>) -> io::Result<(SocketAddr, S)>,
    mut send: impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
) -> Result<ExitCode, Box<dyn Error>> {
    if options.files.is_empty() && options.policy.is_none() {
        return demonstrate(options, serve, send);
    }
    let messages = match options.files.as_slice() {
        [] => samples(),
        files => {
            let read = files.iter().map(|file| {
                Message::read(file).map_err(|error| format!("{}: {error}", file.display()))
            });
            read.collect::<Result<_, _>>()?
        }
    };
    let messages = repeated(&messages, options.repeat);
    let policy = options.policy.unwrap_or_default();
    if let Some(server) = &options.to {
        let resolved = server.to_socket_addrs()?.next();
        let server = resolved.ok_or_else(|| format!("{server}: no address"))?;
        let address = match options.round_trip {
            Some(round_trip) => Relay::start(server, round_trip)?.address(),
            None => server,
        };
        return run(options, address, policy, &messages, &mut send);
    }
    let directory = TemporaryDirectory::new()?;
    let (server, _running) = serve(Maildir::open(directory.path())?)?;
    let relay = Relay::start(server, options.round_trip.unwrap_or(ROUND_TRIP))?;
    run(options, relay.address(), policy, &messages, &mut send)
}

/// Sends messages, and tells what became of each and of all.
fn run(
    options: &DeliverOptions,
    address: SocketAddr,
    policy: Pipelining,
    messages: &[Message],
    send: &mut impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
) -> Result<ExitCode, Box<dyn Error>> {
    let job = job(options, address, policy, messages);
    let (mut tally, mut done) = (Tally::default(), 0);
    let mut untold: BTreeSet<usize> = (0..messages.len()).collect();
    let mut progress = options.progress.then(|| Progress::new(messages.len()));
    let mut tell = |index: usize, outcomes: &[Outcome<'_>]| {
        let Some(message) = messages.get(index) else {
            return;
        };
        tally.count(outcomes);
        if options.json {
            println!(
                "{}",
                report_to_json(&message.name, &options.recipients, outcomes)
            );
        } else if outcomes
            .iter()
            .any(|outcome| !matches!(outcome, Outcome::Delivered(_)))
        {
            print!(
                "{}",
                report_to_text(&message.name, &options.recipients, outcomes)
            );
        }
    };
    let sent = send(job, &mut |report| {
        let index = usize::try_from(report.message.index()).unwrap_or(usize::MAX);
        untold.remove(&index);
        tell(index, &report.recipients);
        done += 1;
        if let Some(progress) = &mut progress {
            progress.show(done);
        }
    });
    // What never came to be submitted was not sent.
    let unsent = vec![Outcome::NotSent(NotSent::ConnectionEnded); options.recipients.len()];
    for index in untold {
        tell(index, &unsent);
    }
    if options.trace {
        print!("{}", dialogue(&sent.trace));
    }
    if let Some(failure) = &sent.failure {
        eprintln!("the session failed: {failure}");
    }
    if options.json {
        println!("{}", tally.to_json(sent.round_trips, sent.elapsed));
    } else {
        let row = Row {
            policy,
            messages: tally.messages,
            round_trips: sent.round_trips,
            elapsed: sent.elapsed,
        };
        print!("{}", table(&[row]));
    }
    if let Some(file) = &options.svg {
        let round_trip = options.round_trip.unwrap_or_default();
        let ladder = Ladder::new(policy, messages.len(), &sent.trace);
        fs::write(file, svg(&[ladder], round_trip))?;
    }
    Ok(tally.exit_code())
}

/// Shows every policy at work, against a server of the example's own.
fn demonstrate<S>(
    options: &DeliverOptions,
    mut serve: impl FnMut(Arc<Maildir>) -> io::Result<(SocketAddr, S)>,
    mut send: impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
) -> Result<ExitCode, Box<dyn Error>> {
    let round_trip = options.round_trip.unwrap_or(ROUND_TRIP);
    let samples = samples();
    let repeats = if options.repeat > 1 {
        options.repeat
    } else {
        REPEATS
    };
    let messages = repeated(&samples, repeats);
    let few = samples.get(..2).unwrap_or(&samples);
    let (mut rows, mut ladders, mut all) = (Vec::new(), Vec::new(), Tally::default());
    println!(
        "{} messages over one connection, round trip {} ms, each stored durably and compared:\n",
        messages.len(),
        round_trip.as_millis()
    );
    for policy in [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 100 },
    ] {
        let directory = TemporaryDirectory::new()?;
        let maildir = Maildir::open(directory.path())?;
        let (server, _running) = serve(Arc::clone(&maildir))?;
        let relay = Relay::start(server, round_trip)?;
        let mut tally = Tally::default();
        let job_of = |messages| job(options, relay.address(), policy, messages);
        let sent = send(job_of(&messages), &mut |report| {
            tally.count(&report.recipients)
        });
        if let Some(failure) = sent.failure {
            return Err(failure.into());
        }
        compare(
            &messages,
            &maildir,
            matches!(policy, Pipelining::Stream { .. }),
        )?;
        rows.push(Row {
            policy,
            messages: tally.messages,
            round_trips: sent.round_trips,
            elapsed: sent.elapsed,
        });
        let mut job = job_of(few);
        job.config = job.config.traced();
        let traced = send(job, &mut |report| all.count(&report.recipients));
        ladders.push(Ladder::new(policy, few.len(), &traced.trace));
        if options.trace {
            println!("{}", dialogue(&traced.trace));
        }
        all.add(tally);
    }
    println!("{}", table(&rows));
    println!("What goes over the link for the first two of them:");
    for ladder in &ladders {
        print!("\n{}", ladder.to_text(round_trip));
    }
    if let Some(file) = &options.svg {
        fs::write(file, svg(&ladders, round_trip))?;
        println!("The same as a picture: {}", file.display());
    }
    Ok(all.exit_code())
}

/// Makes sure that what was stored is what was sent, octet by octet.
fn compare(messages: &[Message], maildir: &Maildir, by_chunks: bool) -> Result<(), Box<dyn Error>> {
    let stored = maildir.messages()?;
    if stored.len() != messages.len() {
        return Err(format!("{} of {} were stored", stored.len(), messages.len()).into());
    }
    for (message, stored) in messages.iter().zip(stored) {
        if message.as_received(by_chunks) != stored {
            return Err(format!("{} was not stored as it was sent", message.name).into());
        }
    }
    Ok(())
}

fn job(
    options: &DeliverOptions,
    address: SocketAddr,
    policy: Pipelining,
    messages: &[Message],
) -> Job {
    let mut config = Config::new(options.helo.clone()).pipelining(policy);
    if options.trace || options.svg.is_some() {
        config = config.traced();
    }
    let messages = messages.iter().map(|message| {
        let envelope = message.envelope(&options.from, &options.recipients);
        (envelope, Arc::clone(&message.content))
    });
    Job {
        address,
        config,
        messages: messages.collect(),
    }
}

fn repeated(messages: &[Message], times: usize) -> Vec<Message> {
    let rounds = std::iter::repeat_n(messages, times);
    rounds.flatten().cloned().collect()
}
