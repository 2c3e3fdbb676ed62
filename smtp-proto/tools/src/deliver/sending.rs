//! Messages over as many connections as it takes, one after the other.

use std::{
    cell::RefCell, collections::VecDeque, fs, io, iter, net::SocketAddr, sync::Arc, time::Duration,
};

use smtp_proto::{
    client::{Envelope, NotSentReason, Pipelining},
    delivery::Report,
    machine::TraceEntry,
};
use smtp_proto_blocking::Error;

use super::{
    capabilities,
    connection::{Route, Sent},
    errand::Errand,
    message::Message,
    options::Options,
    outcome::Tally,
    teller::Teller,
};
use crate::{Endpoint, arguments::about};

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
    /// What went wrong with a file of this side's.
    pub(super) trouble: Option<io::Error>,
}

/// Sends messages to a server, or to the relay in front of it, and tells what became of each.
///
/// Where a session ends with messages left it goes on by another one: exactly with what was not sent
/// and may be taken, as long as each of them gets anywhere. What is in doubt stays so.
///
/// # Errors
///
/// Those of files, before anything is sent.
pub(super) fn send(
    options: &Options,
    server: &Endpoint,
    relay: Option<SocketAddr>,
    policy: Pipelining,
    messages: &[Message],
) -> io::Result<(Tally, Total)> {
    let known = match &options.capabilities {
        Some(file) => about(file.display(), capabilities::known(file))?,
        None => None,
    };
    let route = Route::new(options, server, relay, policy, known)?;
    let mut teller = Teller::new(options, messages.len())?;
    let mut work = Work {
        waiting: teller.errands(messages),
        teller,
        under_way: Vec::new(),
        has_moved: false,
        is_ending: false,
    };
    let mut total = Total::default();
    let again = || Route::new(options, server, relay, policy, None);
    let done = work.connect(route, again, options, server, &mut total);
    let why = match &total.failure {
        Some(failure) => failure.clone(),
        None => NotSentReason::ConnectionEnded.to_string(),
    };
    for errand in work.waiting {
        work.teller.ends(errand, &why);
    }
    let (tally, broken) = work.teller.finish();
    total.trouble = done.err().or(broken);
    Ok((tally, total))
}

/// What there is to do, and what one connection does of it.
struct Work<'m, 'o> {
    teller: Teller<'o>,
    /// What is not begun.
    waiting: VecDeque<Errand<'m>>,
    /// What was begun over this connection, by its number there, and is not over.
    under_way: Vec<Option<Errand<'m>>>,
    /// Something has come to its end over this connection, for a recipient at least.
    has_moved: bool,
    /// Something has to be sent again: over this connection, nothing more is begun.
    is_ending: bool,
}

impl Work<'_, '_> {
    /// Goes from one connection to the next as long as that leads anywhere; `again` says how once
    /// nothing is known of the server any more.
    fn connect(
        &mut self,
        mut route: Route,
        again: impl Fn() -> io::Result<Route>,
        options: &Options,
        server: &Endpoint,
        total: &mut Total,
    ) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let sent = self.send_over(&route);
            let has_changed = sent.has_changed();
            let offered = sent.failure.is_none().then(|| sent.capabilities.clone());
            total.add(sent);
            if let Some(file) = &options.capabilities {
                if has_changed {
                    about(file.display(), fs::remove_file(file))?;
                    route = again()?;
                } else if let Some(offered) = offered {
                    let host = server.host().unwrap_or_default();
                    let kept = capabilities::keep(file, &offered, host);
                    about(file.display(), kept)?;
                }
            }
            if !has_changed && !self.has_moved {
                break;
            }
        }
        Ok(())
    }

    fn send_over(&mut self, route: &Route) -> Sent {
        (self.has_moved, self.is_ending) = (false, false);
        let work = RefCell::new(&mut *self);
        let messages = iter::from_fn(|| work.borrow_mut().begin());
        let sent = route.send(messages, |report| work.borrow_mut().observe(report));
        for errand in self.under_way.drain(..).rev().flatten() {
            self.waiting.push_front(errand);
        }
        sent
    }

    /// Begins with the next message.
    fn begin(&mut self) -> Option<(Envelope<'static>, Arc<[u8]>)> {
        if self.is_ending || !self.teller.begins(self.waiting.front()?) {
            return None;
        }
        let errand = self.waiting.pop_front()?;
        let message = (errand.envelope().clone(), errand.content());
        self.under_way.push(Some(errand));
        Some(message)
    }

    fn observe(&mut self, report: Report) {
        let index = usize::try_from(report.message.index()).unwrap_or(usize::MAX);
        let Some(place) = self.under_way.get_mut(index) else {
            return;
        };
        let Some(mut errand) = place.take() else {
            return;
        };
        let before = errand.envelope().recipients().len();
        if errand.is_over(report) {
            self.has_moved = true;
            self.teller.ends(errand, "");
        } else {
            self.has_moved |= errand.envelope().recipients().len() < before;
            self.is_ending = true;
            *place = Some(errand);
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
