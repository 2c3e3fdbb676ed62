//! Messages over as many connections as it takes.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use smtp_proto::{
    client::{Envelope, Outcome},
    delivery::{Backoff, Next, Report, Resending, Retry},
    machine::Misuse,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
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
/// use smtp_proto_tokio::{Client, Envelope, Sender};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let sender = Sender::new(Client::at("smtp://mx.example.net")?);
/// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
/// let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
/// # Ok(())
/// # }
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
    idle: Duration,
    sends_again: Option<Decide>,
}

type Decide = Arc<dyn Fn(&Envelope<'_>) -> bool + Send + Sync>;

#[derive(Debug)]
struct Pool {
    origin: Instant,
    /// One for each connection that may be in use.
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that wait for a message, and since when.
    idle: Vec<(Client, Instant)>,
    backoff: Backoff,
}

impl Sender {
    /// Creates a sender whose connections this builder makes. None is made before there is a message.
    pub fn new(builder: Builder) -> Self {
        Self {
            settings: Arc::new(Settings {
                builder,
                retry: Retry::default(),
                idle: Duration::from_secs(60),
                sends_again: None,
            }),
            pool: Arc::new(Pool::new(1)),
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
        self.pool = Arc::new(Pool::new(connections.max(1)));
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
    /// If the future is dropped so is the connection, and nobody knows what has become of the message.
    ///
    /// # Errors
    ///
    /// Why it could not be submitted even once: no recipient has got it.
    pub async fn send<'e>(
        &self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let envelope = envelope.into().into_owned();
        let mut resending = Resending::new(envelope, self.settings.retry.attempts);
        let mut body = body.into();
        loop {
            let (permit, mut client) = match self.client().await {
                Ok(client) => client,
                Err(error) if error.is_transient() && resending.failed() == Next::Send => continue,
                Err(error) => return resending.into_report().ok_or(error),
            };
            let (report, left) = client.attempt(resending.envelope().clone(), body).await?;
            self.note(&client);
            if is_reusable(&client, &report) {
                self.pool.lock().idle.push((client, Instant::now()));
            }
            drop(permit);
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
    pub async fn quit(&self) {
        let idle = std::mem::take(&mut self.pool.lock().idle);
        for (mut client, _) in idle {
            // It has nothing to lose any more.
            let _ = client.quit().await;
        }
    }

    /// Waits for a place, and returns it with a connection that is known to be good, or a new one.
    async fn client(&self) -> Result<(SemaphorePermit<'_>, Client), Error> {
        let pool = &*self.pool;
        let closed = |_| Error::connect(io::ErrorKind::NotConnected.into());
        let permit = pool.permits.acquire().await.map_err(closed)?;
        loop {
            let Some((mut client, since)) = pool.lock().idle.pop() else {
                break;
            };
            if since.elapsed() < self.settings.idle && client.check().await.is_ok() {
                return Ok((permit, client));
            }
        }
        let wait = pool.lock().backoff.wait(pool.origin.elapsed());
        sleep(wait).await;
        match self.settings.builder.connect().await {
            Ok(client) => Ok((permit, client)),
            Err(error) => {
                let now = pool.origin.elapsed();
                pool.lock().backoff.failed(&self.settings.retry, now);
                Err(error)
            }
        }
    }
}

impl Pool {
    fn new(connections: usize) -> Self {
        Self {
            origin: Instant::now(),
            permits: Semaphore::new(connections.min(Semaphore::MAX_PERMITS)),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
