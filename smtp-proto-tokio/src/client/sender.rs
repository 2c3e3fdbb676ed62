//! Messages over as many connections as it takes.

use std::{
    io,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use smtp_proto::{
    client::Envelope,
    delivery::{Policy, Pool, Report, Retry, Sending},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

use super::{body::Body, connect::Options, session::Client};
use crate::Error;

/// Sends messages to one server, as one identity, over connections that it opens, keeps and opens again.
///
/// What was not sent when a connection was lost is sent again over another, to exactly those recipients
/// who are left and no more often than [`Retry`] says. About recipients in doubt it asks, and leaves them
/// so unless told otherwise. What the server refused, for now or for good, is not tried again.
///
/// Cheap to clone; clones share the connections. As they have the same [`Options`], a message never goes over a
/// connection with another trust or identity, of another name, from another address or through another proxy.
///
/// ```no_run
/// use smtp_proto_tokio::{Envelope, Sender};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let sender = Sender::new("smtp://mx.example.net")?;
/// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
/// let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    options: Arc<Options>,
    policy: Arc<Policy>,
    connections: Arc<Connections>,
}

#[derive(Debug)]
struct Connections {
    origin: Instant,
    /// One for each connection that may be in use.
    places: Semaphore,
    pool: Mutex<Pool<Client>>,
}

impl Sender {
    /// Creates a sender whose connections are made so: a URL says it, or [`Options`] do. None is made before
    /// there is a message.
    ///
    /// # Errors
    ///
    /// [`Error::Url`].
    pub fn new<O>(options: O) -> Result<Self, Error>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        Ok(Self {
            options: Arc::new(options.try_into()?),
            policy: Arc::default(),
            connections: Connections::new(1).into(),
        })
    }

    /// Sets how often and when to try again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        Arc::make_mut(&mut self.policy).retry = retry;
        self
    }

    /// Sets how many connections there are at most: 1 unless set.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        let most = connections.clamp(1, Semaphore::MAX_PERMITS);
        self.connections = Connections::new(most).into();
        self
    }

    /// Sets how long a connection waits for the next message: 1 minute unless set.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.policy).idle_timeout = timeout;
        self
    }

    /// Sets how many messages go over one connection, with QUIT in the flight of the last: any number
    /// unless set.
    #[must_use]
    pub fn max_messages(mut self, messages: u64) -> Self {
        Arc::make_mut(&mut self.policy).max_messages = messages;
        self
    }

    /// Decides what becomes of recipients who are in doubt: if `sends_again` returns true for an
    /// envelope with them among its recipients they get the message again, and may get it twice.
    #[must_use]
    pub fn on_doubt(
        mut self,
        sends_again: impl Fn(&Envelope<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.policy).sends_again = Some(Arc::new(sends_again));
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
        let mut sending = Sending::new(&self.policy, envelope, body.into().0);
        loop {
            let next = match self.connected().await {
                Ok((_place, mut client)) => {
                    let (envelope, content) = sending.message();
                    let message = client.post(envelope, Body(content))?;
                    if self.policy.retires(&client.driver.courier) {
                        client.announce_quit();
                    }
                    let (report, left) = client.finished(message).await?;
                    self.give_back(client, &report);
                    sending.observe(&self.policy, report, left.map(|body| body.0))
                }
                Err(error) => sending.failed(error),
            };
            match next {
                ControlFlow::Continue(again) => sending = again,
                ControlFlow::Break(end) => return end,
            }
        }
    }

    /// Takes leave on all connections that wait for a message.
    pub async fn quit(&self) {
        let idle = self.connections.pool().drain();
        for mut client in idle {
            // It has nothing to lose any more.
            let _ = client.quit().await;
        }
    }

    /// Waits for a place, and returns it with a connection that is known to be good, or a new one.
    async fn connected(&self) -> Result<(SemaphorePermit<'_>, Client), Error> {
        let closed = |_| Error::connect(io::ErrorKind::NotConnected.into());
        let place = self.connections.places.acquire().await.map_err(closed)?;
        let now = || self.connections.origin.elapsed();
        loop {
            let kept = self.connections.pool().take(&self.policy, now());
            let Some(mut client) = kept else {
                break;
            };
            if client.check().await.is_ok() {
                return Ok((place, client));
            }
        }
        let wait = self.connections.pool().wait(now());
        sleep(wait).await;
        let learned = self.connections.pool().learned();
        let connected = Client::connect_again(&self.options, learned.as_ref()).await;
        if connected.is_err() {
            self.connections.pool().failed(&self.policy, now());
        }
        connected.map(|client| (place, client))
    }

    /// Keeps the connection, if it is of use for another message.
    fn give_back(&self, client: Client, report: &Report) {
        let now = self.connections.origin.elapsed();
        let mut pool = self.connections.pool();
        if pool.observe(&self.policy, &client.driver.courier, report, now) {
            pool.keep(client, now);
        }
    }
}

impl Connections {
    fn new(most: usize) -> Self {
        Self {
            origin: Instant::now(),
            places: Semaphore::new(most),
            pool: Mutex::default(),
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Client>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
