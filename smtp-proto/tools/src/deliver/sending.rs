//! Messages over as many connections as it takes, one after the other.

use std::{
    cell::RefCell,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use smtp_proto::{
    client::{NotSentReason, Pipelining},
    delivery::{Next, Report, Resending},
    machine::TraceEntry,
    syntax::ForwardPath,
};
use smtp_proto_blocking::Error;

use super::{
    capabilities,
    connection::{Route, Sent},
    journal::{self, Journal},
    message::Message,
    options::Options,
    outcome::{Account, Fate, Kind, Tally, address},
    progress::Progress,
};
use crate::Endpoint;

/// What all connections came to.
#[derive(Debug, Default)]
pub(super) struct Total {
    pub(super) connections: usize,
    /// How many round trips the messages took, and how long, without openings and QUIT.
    pub(super) round_trips: u64,
    pub(super) elapsed: Duration,
    pub(super) trace: Vec<TraceEntry>,
    /// Why the last session failed, if it did.
    pub(super) failure: Option<String>,
}

/// A message that is not finished.
struct Errand<'m> {
    message: &'m Message,
    /// What the journal knows it by.
    id: String,
    recipients: Vec<ForwardPath<'static>>,
    resending: Resending,
}

/// Who is told what became of a message.
struct Teller<'o> {
    options: &'o Options,
    tally: Tally,
    progress: Option<Progress>,
    journal: Option<Journal>,
    /// Why the journal could not be written: no message is begun any more.
    broken: Option<io::Error>,
}

/// Sends messages to a server, or to the relay in front of it, and tells what became of each.
///
/// Where a session ends with messages left it goes on by another one: exactly with what was not sent
/// and may be taken, as long as each of them gets anywhere. What is in doubt stays so.
pub(super) fn send(
    options: &Options,
    server: &Endpoint,
    relay: Option<SocketAddr>,
    policy: Pipelining,
    messages: &[Message],
) -> io::Result<(Tally, Total)> {
    let mut teller = Teller::new(options, messages.len())?;
    let mut errands = teller.errands(messages);
    let mut known = match &options.capabilities {
        Some(file) => capabilities::known(file)?,
        None => None,
    };
    let mut total = Total::default();
    while !errands.is_empty() {
        let route = Route::new(options, server, relay, policy, known.clone())?;
        let before = recipients(&errands);
        let sent = over_one_connection(&route, &mut errands, &mut teller);
        let has_changed = sent.has_changed();
        if let Some(file) = &options.capabilities {
            if has_changed {
                fs::remove_file(file)?;
                known = None;
            } else if sent.failure.is_none() {
                let host = match server {
                    Endpoint::Tcp(target) => target.host.as_str(),
                    Endpoint::Unix(_) => "",
                };
                capabilities::keep(file, &sent.capabilities, host)?;
            }
        }
        total.add(sent);
        let is_getting_anywhere = has_changed || recipients(&errands) < before;
        if !is_getting_anywhere || teller.broken.is_some() {
            break;
        }
    }
    for errand in errands.into_iter().flatten() {
        let reason = match &total.failure {
            Some(failure) => failure.clone(),
            None => NotSentReason::ConnectionEnded.to_string(),
        };
        teller.over(errand, &reason);
    }
    match teller.broken {
        Some(error) => Err(error),
        None => Ok((teller.tally, total)),
    }
}

/// Returns how many recipients are left.
fn recipients(errands: &[Option<Errand<'_>>]) -> usize {
    let left = errands.iter().flatten();
    left.map(|errand| errand.resending.envelope().recipients().len())
        .sum()
}

fn over_one_connection(
    route: &Route,
    errands: &mut Vec<Option<Errand<'_>>>,
    teller: &mut Teller<'_>,
) -> Sent {
    let queue: Vec<_> = errands
        .iter()
        .flatten()
        .map(|errand| {
            let envelope = errand.resending.envelope().clone();
            (errand.id.clone(), envelope, errand.message.content.clone())
        })
        .collect();
    let teller = RefCell::new(teller);
    let messages = queue.into_iter().map_while(|(id, envelope, content)| {
        teller
            .borrow_mut()
            .begins(&id, envelope.recipients())
            .then_some((envelope, content))
    });
    let sent = route.send(messages, |report| {
        let index = usize::try_from(report.message.index()).unwrap_or(usize::MAX);
        if let Some(place) = errands.get_mut(index)
            && let Some(errand) = place
            && errand.is_over(report)
            && let Some(errand) = place.take()
        {
            teller.borrow_mut().over(errand, "");
        }
    });
    errands.retain(Option::is_some);
    sent
}

impl Errand<'_> {
    /// Takes note of what became of it over one connection, and returns whether that was all.
    fn is_over(&mut self, report: Report) -> bool {
        let next = match self.resending.observe(report) {
            // Whoever may have it does not get it again by itself.
            Next::Ask => self.resending.resolve(false),
            next => next,
        };
        matches!(next, Next::Nothing)
    }
}

impl<'o> Teller<'o> {
    fn new(options: &'o Options, total: usize) -> io::Result<Self> {
        Ok(Self {
            options,
            tally: Tally::default(),
            progress: options.progress.then(|| Progress::new(total)),
            journal: options.resume.as_deref().map(Journal::open).transpose()?,
            broken: None,
        })
    }

    /// Returns what there is to do. What the journal has in doubt is told again.
    fn errands<'m>(&mut self, messages: &'m [Message]) -> Vec<Option<Errand<'m>>> {
        let mut errands = Vec::new();
        for message in messages {
            let id = self
                .journal
                .as_ref()
                .map_or_else(String::new, |_| journal::id(message));
            let (mut left, mut in_doubt) = (Vec::new(), Vec::new());
            for recipient in &self.options.rcpt {
                let journal = self.journal.as_ref();
                match journal.and_then(|journal| journal.fate(&id, recipient)) {
                    None | Some(Kind::NotSent) => left.push(recipient.clone()),
                    Some(Kind::InDoubt) if self.options.again_in_doubt => {
                        left.push(recipient.clone())
                    }
                    Some(Kind::InDoubt) => in_doubt.push(recipient.clone()),
                    Some(Kind::Delivered | Kind::Refused) => {}
                }
            }
            if !in_doubt.is_empty() {
                let why = "in doubt since an earlier run".to_owned();
                let fate = Fate {
                    kind: Kind::InDoubt,
                    why,
                };
                self.tell(&message.name, &in_doubt, &vec![fate; in_doubt.len()]);
            }
            if !left.is_empty() {
                let envelope = message.envelope(self.options, &left);
                errands.push(Some(Errand {
                    message,
                    id,
                    recipients: left,
                    resending: Resending::new(envelope, u32::MAX),
                }));
            }
        }
        errands
    }

    /// Takes note that a message is under way to these recipients, and returns whether it may be.
    fn begins(&mut self, id: &str, recipients: &[ForwardPath<'_>]) -> bool {
        if let Some(journal) = &mut self.journal {
            let recipients: Vec<_> = recipients.iter().map(address).collect();
            let written = journal.begins(id, &recipients);
            self.note(written);
        }
        self.broken.is_none()
    }

    /// Tells what became of a message; of one that was never submitted, that is this.
    fn over(&mut self, errand: Errand<'_>, reason: &str) {
        let fates = match errand.resending.into_report() {
            Some(report) => report.recipients.iter().map(Fate::from).collect(),
            None => vec![Fate::not_sent(reason); errand.recipients.len()],
        };
        if let Some(journal) = &mut self.journal {
            let account = Account {
                message: &errand.message.name,
                recipients: &errand.recipients,
                fates: &fates,
            };
            let written = journal.ends(&errand.id, &account);
            self.note(written);
        }
        self.tell(&errand.message.name, &errand.recipients, &fates);
    }

    fn tell(&mut self, message: &str, recipients: &[ForwardPath<'static>], fates: &[Fate]) {
        let account = Account {
            message,
            recipients,
            fates,
        };
        self.tally.count(account.worst());
        // It has become of the message what it has, whether anybody reads of it or not.
        let mut out = io::stdout();
        let _ = match self.options.json {
            true => writeln!(out, "{}", account.json()),
            false if account.worst() != Kind::Delivered => write!(out, "{account}"),
            false => Ok(()),
        };
        if let Some(progress) = &mut self.progress {
            progress.show(self.tally.messages);
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

impl Total {
    fn add(&mut self, sent: Sent) {
        self.connections += usize::from(!matches!(sent.failure, Some(Error::Connect(_))));
        self.round_trips += sent.round_trips;
        self.elapsed += sent.elapsed;
        self.trace.extend(sent.trace);
        self.failure = sent.failure.map(|failure| failure.to_string());
    }
}
