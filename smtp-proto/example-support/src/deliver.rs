//! What `deliver` does around the protocol: it says what to send, and tells what became of it.

use std::{
    error::Error,
    fs, io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{
        Config, Envelope, NotSentReason, Outcome, Pipelining,
        mechanism::{Mechanism, Protection},
    },
    machine::{Dialect, TraceEntry},
    syntax::Capabilities,
};

use crate::{
    DeliverOptions, Endpoint, Ladder, Maildir, Message, Progress, Relay, Row, Tally,
    TemporaryDirectory, Trust, capabilities, dialogue, report_to_json, report_to_text, samples,
    svg, table,
};

/// The delay of the link to the example's own server, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// How often the samples are sent under each policy, so that rates mean something.
const REPEATS: usize = 10;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of the Internet.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What an adapter is to send over one connection.
pub struct Job {
    /// Where to.
    pub address: Address,
    /// How.
    pub config: Config,
    /// Which servers to believe, if there is to be TLS.
    pub trust: Option<Trust>,
    /// What to authenticate by, if there is anything.
    pub mechanisms: Vec<Box<dyn Mechanism>>,
    /// The first message may leave before the session is open.
    pub begins_early: bool,
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
    /// What the server offers.
    pub capabilities: Capabilities,
    /// Why the session failed, if it did.
    pub failure: Option<String>,
    /// It failed because the server does not offer any more what it was known to offer.
    pub capabilities_changed: bool,
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
    send: impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
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
        return run(options, &resolve(server, options)?, policy, &messages, send);
    }
    let directory = TemporaryDirectory::new()?;
    let (server, _running) = serve(Maildir::open(directory.path())?)?;
    let relay = Relay::start(server, options.round_trip.unwrap_or(ROUND_TRIP))?;
    let address = Address::Tcp(relay.address());
    run(options, &address, policy, &messages, send)
}

/// Returns where a server is, or the relay that makes the way there longer.
fn resolve(server: &Endpoint, options: &DeliverOptions) -> Result<Address, Box<dyn Error>> {
    let server = match server {
        Endpoint::Unix(path) => return Ok(Address::Unix(path.clone())),
        Endpoint::Tcp(server) => server
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| format!("{server}: no address"))?,
    };
    Ok(Address::Tcp(match options.round_trip {
        Some(round_trip) => Relay::start(server, round_trip)?.address(),
        None => server,
    }))
}

/// Sends messages, and tells what became of each and of all.
fn run(
    options: &DeliverOptions,
    address: &Address,
    policy: Pipelining,
    messages: &[Message],
    mut send: impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut tally = Tally::default();
    let mut progress = options.progress.then(|| Progress::new(messages.len()));
    let mut tell = |message: &Message, outcomes: &[Outcome<'_>]| {
        tally.count(outcomes);
        tell(options, message, outcomes);
        if let Some(progress) = &mut progress {
            progress.show(tally.messages);
        }
    };
    let known = match &options.capabilities {
        Some(file) => capabilities::known(file)?,
        None => None,
    };
    let job = job(options, address, policy, messages, known)?;
    let (mut sent, mut unsent) = attempt(messages, job, &mut send, &mut tell);
    if let Some(file) = &options.capabilities
        && sent.capabilities_changed
    {
        // Nothing of what was sent in advance was taken: it is sent again, in its turn.
        fs::remove_file(file)?;
        let job = self::job(options, address, policy, &unsent, None)?;
        (sent, unsent) = attempt(&unsent, job, &mut send, &mut tell);
    }
    let lost =
        vec![Outcome::NotSent(NotSentReason::ConnectionEnded.into()); options.recipients.len()];
    for message in &unsent {
        tell(message, &lost);
    }
    if let Some(file) = &options.capabilities
        && sent.failure.is_none()
    {
        let host = options.to.as_ref().and_then(Endpoint::host_and_port);
        capabilities::keep(file, &sent.capabilities, host.map_or("", |(host, _)| host))?;
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

/// Sends messages over one connection, and tells what became of them. Returns those that were not
/// sent because the connection ended.
fn attempt(
    messages: &[Message],
    job: Job,
    send: &mut impl FnMut(Job, &mut dyn FnMut(&Report)) -> Sent,
    tell: &mut impl FnMut(&Message, &[Outcome<'_>]),
) -> (Sent, Vec<Message>) {
    // What never comes to be submitted gets no report.
    let mut is_told = vec![false; messages.len()];
    let sent = send(job, &mut |report| {
        let index = usize::try_from(report.message.index()).unwrap_or(usize::MAX);
        let lost = |outcome: &Outcome<'_>| matches!(outcome, Outcome::NotSent(why) if why.reason == NotSentReason::ConnectionEnded);
        if let (Some(message), Some(is_told)) = (messages.get(index), is_told.get_mut(index))
            && !report.recipients.iter().all(lost)
        {
            *is_told = true;
            tell(message, &report.recipients);
        }
    });
    let told = messages.iter().zip(is_told);
    let unsent = told.filter(|(_, is_told)| !is_told);
    let unsent = unsent.map(|(message, _)| message.clone());
    (sent, unsent.collect())
}

/// Tells what became of one message.
fn tell(options: &DeliverOptions, message: &Message, outcomes: &[Outcome<'_>]) {
    let (name, recipients) = (&message.name, &options.recipients);
    let is_delivered = |outcome: &Outcome<'_>| matches!(outcome, Outcome::Delivered(_));
    if options.json {
        println!("{}", report_to_json(name, recipients, outcomes));
    } else if !outcomes.iter().all(is_delivered) {
        print!("{}", report_to_text(name, recipients, outcomes));
    }
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
        let address = Address::Tcp(relay.address());
        let job_of = |messages| job(options, &address, policy, messages, None);
        let sent = send(job_of(&messages)?, &mut |report| {
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
        let mut job = job_of(few)?;
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

/// Makes sure that what was stored is what was sent, byte by byte.
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
    address: &Address,
    policy: Pipelining,
    messages: &[Message],
    known: Option<Capabilities>,
) -> io::Result<Job> {
    let mut config = Config::new(options.helo.clone())
        .pipelining(policy)
        .tls(options.security.tls);
    if options.lmtp {
        config = config.dialect(Dialect::Lmtp);
    }
    if matches!(address, Address::Unix(_)) {
        config = config.credentials_over(Protection::InClear); // nobody listens in between
    }
    if options.trace || options.svg.is_some() {
        config = config.traced();
    }
    let begins_early = known
        .as_ref()
        .is_some_and(|known| known.get("PIPECONNECT").is_some());
    if let Some(known) = known {
        config = config.known_capabilities(known);
    }
    let messages = messages.iter().map(|message| {
        let envelope = message.envelope(options);
        (envelope, Arc::clone(&message.content))
    });
    let (trust, mechanisms) = match &options.to {
        Some(server) => (
            options.security.trust(server),
            options.security.mechanisms(server)?,
        ),
        None => (None, Vec::new()),
    };
    Ok(Job {
        address: address.clone(),
        config,
        trust,
        mechanisms,
        begins_early,
        messages: messages.collect(),
    })
}

fn repeated(messages: &[Message], times: usize) -> Vec<Message> {
    let rounds = std::iter::repeat_n(messages, times);
    rounds.flatten().cloned().collect()
}

#[cfg(test)]
mod tests;
