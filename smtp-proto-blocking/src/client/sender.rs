//! Messages over as many connections as it takes.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Envelope, Outcome},
    delivery::{Backoff, Next, Report, Resending, Retry},
    machine::Misuse,
};

use super::{body::Body, builder::Builder, session::Client};
use crate::Error;

/// Sends messages to one server, as one identity, over connections that it opens, keeps and opens again.
///
/// What was not sent when a connection was lost is sent again over another, to exactly those recipients
/// who are left and no more often than [`Retry`] says. About recipients in doubt it asks, and leaves them
/// so unless told otherwise. What the server refused, for now or for good, is not tried again.
///
/// Cheap to clone; clones share the connections. As it has one [`Builder`], a message never goes over a
/// connection with another trust or identity.
///
/// ```no_run
/// use smtp_proto_blocking::{Client, Envelope, Sender};
///
/// let sender = Sender::new(Client::at("smtp://mx.example.net")?);
/// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
/// let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    settings: Arc<Settings>,
    pool: Arc<Pool>,
}

#[derive(Clone)]
struct Settings {
    builder: Builder,
    retry: Retry,
    max_connections: usize,
    idle: Duration,
    sends_again: Option<Decide>,
}

type Decide = Arc<dyn Fn(&Envelope<'_>) -> bool + Send + Sync>;

#[derive(Debug)]
struct Pool {
    origin: Instant,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Those that wait for a message, and since when.
    idle: Vec<(Client, Instant)>,
    /// How many there are, idle or not.
    open: usize,
    backoff: Backoff,
}

impl Sender {
    /// Creates a sender whose connections this builder makes. None is made before there is a message.
    pub fn new(builder: Builder) -> Self {
        Self {
            settings: Arc::new(Settings {
                builder,
                retry: Retry::default(),
                max_connections: 1,
                idle: Duration::from_secs(60),
                sends_again: None,
            }),
            pool: Arc::new(Pool {
                origin: Instant::now(),
                state: Mutex::default(),
                freed: Condvar::new(),
            }),
        }
    }

    /// Sets how often and when to try again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        Arc::make_mut(&mut self.settings).retry = retry;
        self
    }

    /// Sets how many connections there are at most: 1 unless set.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        Arc::make_mut(&mut self.settings).max_connections = connections.max(1);
        self
    }

    /// Sets how long a connection waits for the next message: 1 minute unless set.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.settings).idle = timeout;
        self
    }

    /// Decides what becomes of recipients who are in doubt: if `sends_again` returns true for an
    /// envelope with them among its recipients they get the message again, and may get it twice.
    #[must_use]
    pub fn on_doubt(
        mut self,
        sends_again: impl Fn(&Envelope<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.settings).sends_again = Some(Arc::new(sends_again));
        self
    }

    /// Sends a message and waits for what becomes of it, over several connections if need be.
    ///
    /// # Errors
    ///
    /// Why it could not be submitted even once: no recipient has got it.
    pub fn send<'e>(
        &self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let envelope = envelope.into().into_owned();
        let mut resending = Resending::new(envelope, self.settings.retry.attempts);
        let mut body = body.into();
        loop {
            let mut slot = match self.slot() {
                Ok(slot) => slot,
                Err(error) if error.is_transient() && resending.failed() == Next::Send => continue,
                Err(error) => return resending.into_report().ok_or(error),
            };
            let Some(mut client) = slot.client.take() else {
                continue;
            };
            let (report, left) = client.attempt(resending.envelope().clone(), body)?;
            self.note(&client);
            if is_reusable(&client, &report) {
                slot.client = Some(client);
            }
            drop(slot);
            let mut next = resending.observe(report);
            if next == Next::Ask {
                let again = self.settings.sends_again.as_deref();
                next = resending.resolve(again.is_some_and(|again| again(resending.envelope())));
            }
            match left {
                Some(left) if next == Next::Send && left.can_begin_again() => body = left,
                // It was submitted, so there is one.
                _ => return resending.into_report().ok_or(Misuse::UnknownMessage.into()),
            }
        }
    }

    /// Remembers how the server does.
    fn note(&self, client: &Client) {
        let now = self.pool.origin.elapsed();
        let backoff = &mut self.pool.lock().backoff;
        match client.driver.courier.failure() {
            Some(_) => backoff.failed(&self.settings.retry, now),
            None => backoff.succeeded(),
        }
    }

    /// Takes leave on all connections that wait for a message.
    pub fn quit(&self) {
        let idle = std::mem::take(&mut self.pool.lock().idle);
        for (mut client, _) in idle {
            let client_gone = Slot {
                pool: &self.pool,
                client: None,
            };
            // It has nothing to lose any more.
            let _ = client.quit();
            drop(client_gone);
        }
    }

    /// Waits for a place, and returns it with a connection that is known to be good, or a new one.
    fn slot(&self) -> Result<Slot<'_>, Error> {
        let pool = &*self.pool;
        let mut state = pool.lock();
        loop {
            while let Some((mut client, since)) = state.idle.pop() {
                if since.elapsed() < self.settings.idle && client.check().is_ok() {
                    let client = Some(client);
                    return Ok(Slot { pool, client });
                }
                state.open -= 1;
            }
            if state.open < self.settings.max_connections {
                break;
            }
            let freed = pool.freed.wait(state);
            state = freed.unwrap_or_else(PoisonError::into_inner);
        }
        state.open += 1;
        let wait = state.backoff.wait(pool.origin.elapsed());
        drop(state);
        let mut slot = Slot { pool, client: None };
        thread::sleep(wait);
        match self.settings.builder.connect() {
            Ok(client) => {
                slot.client = Some(client);
                Ok(slot)
            }
            Err(error) => {
                let now = pool.origin.elapsed();
                pool.lock().backoff.failed(&self.settings.retry, now);
                Err(error)
            }
        }
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for a connection, which is free again in the end, whatever comes between.
struct Slot<'p> {
    pool: &'p Pool,
    client: Option<Client>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let client = self.client.take();
        let mut state = self.pool.lock();
        match client {
            Some(client) => state.idle.push((client, Instant::now())),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

/// Returns whether a connection is of use for other messages after this one.
fn is_reusable(client: &Client, report: &Report) -> bool {
    let is_unsent = |outcome: &Outcome<'_>| matches!(outcome, Outcome::NotSent(_));
    client.driver.courier.is_idle() && !report.recipients.iter().any(is_unsent)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("builder", &self.builder)
            .field("retry", &self.retry)
            .field("max_connections", &self.max_connections)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
