//! Messages over as many connections as it takes.

/// Defines an adapter's `Sender`, with the documentation that is given.
///
/// The adapter's are `Client`, `Body` and its `Supply`, `Options`, `Instant`, `sleep`, and `poll_fn`.
#[doc(hidden)]
#[macro_export]
macro_rules! sender {
    ($($async:ident . $await:ident)? $(#[$docs:meta])*) => {
        use std::{
            ops::ControlFlow,
            sync::{Arc, Mutex, MutexGuard, PoisonError},
            task::Poll,
            time::Duration,
        };

        use $crate::{
            client::Envelope,
            delivery::{self, Error, Policy, Pool, Report, Retry, Sending, Turn},
            machine::TlsInfo,
        };

        /// Sends messages over connections that it opens, keeps and opens again: to one server, or [to](Self::to)
        /// as many as there are, within common bounds.
        ///
        /// What was not sent when a connection was lost is sent again over another, to exactly those recipients
        /// who are left and no more often than [`Retry`] says. About recipients in doubt it asks, and leaves them
        /// so unless told otherwise. What the server refused, for now or for good, is not tried again.
        /// A connection that turns out to have ended while it waited costs neither a try nor time.
        ///
        /// Only a server that has answered once is waited for. Where one has not, be it down or its name a wrong
        /// one, the message fails at once, and so do those that follow within
        /// [a moment](Retry::first_delay); after that it is tried again.
        ///
        /// Cheap to clone; clones share the connections. A message never goes over a connection with another trust
        /// or identity than its [`Options`] have, of another name, from another address or through another proxy;
        /// and one that [may travel verified only](smtp_proto::syntax::MailParameters::require_tls) over none that
        /// has turned out not to be.
        ///
        $(#[$docs])*
        #[derive(Clone, Debug)]
        pub struct Sender {
            options: Arc<Options>,
            policy: Arc<Policy>,
            connections: Arc<Connections>,
        }

        #[derive(Debug)]
        struct Connections {
            origin: Instant,
            pool: Mutex<Pool<Arc<Options>, Client>>,
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
                    connections: Arc::new(Connections {
                        origin: Instant::now(),
                        pool: Mutex::default(),
                    }),
                })
            }

            /// Returns a sender to another server, or to the same in another way, that has its bounds and its
            /// connections in common with this one.
            ///
            /// A server that is slow or dead takes as many of them as it [may have](Self::max_connections), and keeps
            /// no message to another waiting. Senders have the same connections where their [`Options`] are
            /// [equal](smtp_proto::delivery::Options#impl-PartialEq-for-Options<T,+D>).
            ///
            /// # Errors
            ///
            /// [`Error::Url`].
            pub fn to<O>(&self, options: O) -> Result<Self, Error>
            where
                O: TryInto<Options>,
                Error: From<O::Error>,
            {
                Ok(Self {
                    options: Arc::new(options.try_into()?),
                    ..self.clone()
                })
            }

            /// Sets how often and when to try again.
            #[must_use]
            pub fn retry(mut self, retry: Retry) -> Self {
                Arc::make_mut(&mut self.policy).retry = retry;
                self
            }

            /// Sets how many connections there are at most to one server, however it is reached: 1 unless set.
            #[must_use]
            pub fn max_connections(mut self, connections: usize) -> Self {
                Arc::make_mut(&mut self.policy).max_connections = connections;
                self
            }

            /// Sets how many connections there are at most to all servers, those that wait for a message included:
            /// 100 unless set. Where a message needs another, one that waits for others makes way.
            #[must_use]
            pub fn max_in_all(mut self, connections: usize) -> Self {
                Arc::make_mut(&mut self.policy).max_in_all = connections;
                self
            }

            /// Sets how long a connection waits for the next message: 1 minute unless set. It ends with the next
            /// message to any server after that, or by [`close_idle`](Self::close_idle).
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
            /// # Errors
            ///
            /// Why it could not be submitted even once: no recipient has got it.
            pub $($async)? fn send<'e>(
                &self,
                envelope: impl Into<Envelope<'e>>,
                body: impl Into<Body>,
            ) -> Result<Report, Error> {
                let envelope = envelope.into().into_owned();
                let mut sending = Sending::new(&self.policy, envelope, body.into().0);
                loop {
                    let mut place = self.place(&sending)?;
                    let next = match place.connected()$(.$await)? {
                        Ok(mut client) => {
                            let (envelope, content) = sending.message();
                            let message = client.post(envelope, Body(content))?;
                            if self.policy.retires(client.driver.courier()) {
                                client.announce_quit();
                            }
                            let (report, left) = client.finished(message)$(.$await)??;
                            if client.driver.courier().had_ended_before(&report) {
                                sending.spare_attempt();
                            }
                            place.give_back(client, &report);
                            sending.observe(&self.policy, report, left.map(|body| body.0))
                        }
                        Err(error) => place.place.failed(sending, error),
                    };
                    match next {
                        ControlFlow::Continue(again) => sending = again,
                        ControlFlow::Break(end) => return end,
                    }
                }
            }

            /// Takes leave on the connections that have waited for a message [too long](Self::idle_timeout).
            /// Returns after how long the next of those that wait now will have, if there is one.
            ///
            /// Nothing runs unless it is called: call it now and then, or when it has said, where connections
            /// are not to wait for the next message to end.
            pub $($async)? fn close_idle(&self) -> Option<Duration> {
                let (next, leaving) = {
                    let now = self.connections.now();
                    let mut pool = self.connections.pool();
                    (pool.expire(&self.policy, now), pool.take_leaving())
                };
                take_leave(leaving)$(.$await)?;
                next
            }

            /// Takes leave on all connections that wait for a message.
            pub $($async)? fn quit(&self) {
                let idle = self.connections.pool().drain();
                for mut client in idle {
                    // It has nothing to lose any more.
                    let _ = client.quit()$(.$await)?;
                }
            }

            /// Takes a place for a message.
            fn place(&self, sending: &Sending<Supply>) -> Result<Place<'_>, Error> {
                let server = self.options.destination()?;
                let place = self
                    .connections
                    .pool()
                    .enter(server, &self.options, sending);
                Ok(Place {
                    connections: &self.connections,
                    policy: &self.policy,
                    place,
                })
            }
        }

        impl Connections {
            fn now(&self) -> Duration {
                self.origin.elapsed()
            }

            fn pool(&self) -> MutexGuard<'_, Pool<Arc<Options>, Client>> {
                self.pool.lock().unwrap_or_else(PoisonError::into_inner)
            }
        }

        /// A place for a connection, which is left in the end, whatever comes between.
        struct Place<'s> {
            connections: &'s Connections,
            policy: &'s Policy,
            place: delivery::Place,
        }

        impl Place<'_> {
            /// Waits for its turn.
            $($async)? fn turn(&mut self) -> Turn<Arc<Options>, Client> {
                let is_verified = |it: &Client| it.tls_info().is_some_and(TlsInfo::is_verified);
                let turn = poll_fn(|cx| {
                    let now = self.connections.now();
                    let mut pool = self.connections.pool();
                    pool.poll_turn(&mut self.place, self.policy, is_verified, now, cx.waker())
                })$(.$await)?;
                let leaving = self.connections.pool().take_leaving();
                take_leave(leaving)$(.$await)?;
                turn
            }

            /// Waits for its turn, and returns a connection that is known to be good, or a new one.
            $($async)? fn connected(&mut self) -> Result<Client, Error> {
                loop {
                    match self.turn()$(.$await)? {
                        Turn::Wait(time) => sleep(time)$(.$await)?,
                        Turn::Failed(error) => return Err(error),
                        Turn::Use(mut client) => {
                            if client.check()$(.$await)?.is_ok() {
                                return Ok(client);
                            }
                        }
                        Turn::Open(options, learned) => {
                            let connected = Client::connect_again(&options, learned.as_ref())$(.$await)?;
                            if let Err(error) = &connected {
                                self.failed(error);
                            }
                            return connected;
                        }
                    }
                }
            }

            fn failed(&mut self, error: &Error) {
                let now = self.connections.now();
                let mut pool = self.connections.pool();
                pool.failed(&mut self.place, self.policy, error, now);
            }

            /// Keeps the connection, if it is of use for another message.
            fn give_back(self, client: Client, report: &Report) {
                let now = self.connections.now();
                let mut pool = self.connections.pool();
                let courier = client.driver.courier();
                if pool.observe(&self.place, self.policy, courier, report, now) {
                    pool.keep(&self.place, client, now);
                }
            }
        }

        /// Has QUIT leave on connections, for whose answers nobody waits.
        $($async)? fn take_leave(leaving: Vec<Client>) {
            for mut client in leaving {
                poll_fn(|cx| Poll::Ready(client.driver.take_leave(cx)))$(.$await)?;
            }
        }

        impl Drop for Place<'_> {
            fn drop(&mut self) {
                self.connections.pool().leave(&mut self.place);
            }
        }
    };
}
