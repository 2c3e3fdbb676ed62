//! What a client does for its user.

/// Defines an adapter's `Client` with its methods, those that wait `async` and with `.await` or without,
/// and its `Parts`.
///
/// The adapter's are `Body`, `Socket`, `Instant`, `poll_fn`, and a `Wire` made of a `socket` at a time that
/// is its `origin`; and the traits of other streams.
#[doc(hidden)]
#[macro_export]
macro_rules! client {
    ($($async:ident . $await:ident)? ($($stream:tt)+) $(#[$docs:meta])*) => {
        use std::{
            net::IpAddr,
            ops::{Deref, DerefMut},
            task::Poll,
            time::Duration,
        };

        use $crate::{
            client::{Client as Machine, Envelope, Learned, MessageId},
            delivery::{Courier, Error, Failures, Report, Server, Session, Surroundings},
            driver::ClientDriver,
            machine::{self, Misuse, TlsInfo},
            syntax::{Capabilities, Command, ForwardPath, RcptParameters, Reply},
        };

        $(#[$docs])*
        ///
        /// [`send`](Self::send) does everything for one message. For as many as the pipelining policy
        /// allows at once, keep several submitted: [`send_all`](Self::send_all), or
        /// [`submit`](Self::submit) and [`next_report`](Self::next_report). Nothing is read or written but
        /// while one of its methods waits.
        ///
        /// Every message that was submitted gets exactly one [`Report`], also when the connection fails;
        /// the failure follows after the last of them.
        ///
        /// What waits for nothing stands in its [`Session`]: what the server offers, round trips, giving up.
        #[derive(Debug)]
        pub struct Client {
            pub(super) driver: ClientDriver<Wire, Body>,
        }

        /// Draws a nonce for one exchange of [`Scram`](smtp_proto::sasl::Scram).
        ///
        /// # Errors
        ///
        /// Fails if the system has no entropy to give.
        #[cfg(feature = "scram")]
        pub fn nonce() -> std::io::Result<$crate::sasl::Nonce> {
            Ok($crate::sasl::Nonce::draw(getrandom::fill)?)
        }

        /// What a [`Client`] was made of.
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct Parts {
            /// The machine, in the state that the session is in.
            pub machine: Machine,
            /// What carries the session, through TLS if it came to that; nothing after a handshake that
            /// failed.
            pub socket: Option<Socket>,
            /// What was read from the socket and not used up.
            pub unread: Vec<u8>,
            /// When the machine's time began.
            pub origin: Instant,
        }

        impl Client {
            /// Starts a session over a connection that was just established.
            ///
            /// # Errors
            ///
            /// [`Error::Connect`] if the means for TLS or authentication cannot be had.
            pub fn with_stream(
                stream: impl $($stream)+ + 'static,
                options: impl Into<Options>,
            ) -> Result<Self, Error> {
                Self::over(Socket::over(stream), &options.into(), None, None)
            }

            /// Waits until the session is open, and returns what the server offers.
            ///
            /// It need not be called: messages wait for it by themselves.
            ///
            /// # Errors
            ///
            /// Why the session could not be opened, or has ended since.
            pub $($async)? fn ready(&mut self) -> Result<&Capabilities, Error> {
                self.wait_for(|courier| courier.opened())$(.$await)??;
                Ok(self.capabilities())
            }

            /// Sends a message and waits for what becomes of it.
            ///
            /// Messages that were submitted before go first; their reports stay for
            /// [`next_report`](Self::next_report). If the session fails the report tells what that means
            /// for the message; why it failed comes with the next call.
            ///
            /// # Errors
            ///
            /// [`Error::Misuse`] as for [`submit`](Self::submit). If the session has failed already, why.
            pub $($async)? fn send<'e>(
                &mut self,
                envelope: impl Into<Envelope<'e>>,
                body: impl Into<Body>,
            ) -> Result<Report, Error> {
                let message = self.post(envelope, body)?;
                let sent = self.finished(message)$(.$await)?;
                sent.map(|(report, _)| report)
            }

            /// Sends a message as [`send`](Self::send) does, and gives the connection up once `limit` is
            /// over, as [`abort`](Session::abort) does: the report is there in any case. Those on other
            /// messages stay for [`next_report`](Self::next_report).
            ///
            /// # Errors
            ///
            /// Those of [`send`](Self::send).
            pub $($async)? fn send_within<'e>(
                &mut self,
                limit: Duration,
                envelope: impl Into<Envelope<'e>>,
                body: impl Into<Body>,
            ) -> Result<Report, Error> {
                let until = self.driver.endpoint().now().saturating_add(limit);
                let message = self.post(envelope, body)?;
                self.driver.courier_mut().finish_by(message, until);
                let sent = self.finished(message)$(.$await)?;
                sent.map(|(report, _)| report)
            }

            /// Queues a message, to be sent while another method waits.
            ///
            /// # Errors
            ///
            /// Those of [`submit`](Machine::submit) of the machine.
            pub fn submit<'e>(
                &mut self,
                envelope: impl Into<Envelope<'e>>,
                body: impl Into<Body>,
            ) -> Result<MessageId, Misuse> {
                self.driver.submit(envelope.into(), body.into())
            }

            /// Waits for the next report; `None` if nothing is unfinished.
            ///
            /// # Errors
            ///
            /// Why the session has failed, once every message's report was returned; from then on always.
            pub $($async)? fn next_report(&mut self) -> Result<Option<Report>, Error> {
                self.wait_for(Courier::next_report)$(.$await)?
            }

            /// Begins a message whose recipients are added as they come, by
            /// [`add_recipient`](Self::add_recipient), and whose content follows by [`end`](Self::end): so a
            /// proxy answers its own client what the server answers.
            ///
            /// What is submitted after it waits for it. [`cancel`](Session::cancel) withdraws it; dropping
            /// the client does so, too. In neither case anything of it is left with the server.
            ///
            /// # Errors
            ///
            /// Those of [`begin`](Machine::begin) of the machine. If the session has failed already, why.
            pub fn begin<'e>(
                &mut self,
                envelope: impl Into<Envelope<'e>>,
            ) -> Result<MessageId, Error> {
                self.alive()?;
                Ok(self.driver.courier_mut().begin(&envelope.into())?)
            }

            /// Adds a recipient to a message that was [begun](Self::begin), and waits for what the server
            /// answers to it, positive or negative; if the server has refused the sender, for that answer.
            ///
            /// # Errors
            ///
            /// [`Error::Misuse`] as for [`add_recipient`](Machine::add_recipient) of the machine, and
            /// [`Misuse::UnknownMessage`] if the message is given up unanswered, as its report tells; why
            /// the session has failed, if it fails before the answer.
            pub $($async)? fn add_recipient(
                &mut self,
                message: MessageId,
                recipient: ForwardPath<'_>,
                parameters: Option<&RcptParameters<'_>>,
            ) -> Result<Reply<'static>, Error> {
                let courier = self.driver.courier_mut();
                let recipient = courier.add_recipient(message, recipient, parameters)?;
                let answer = |courier: &mut Courier<_>| courier.recipient_answer(message, recipient);
                let reply = self.wait_for(answer)$(.$await)??;
                reply.ok_or(Misuse::UnknownMessage.into())
            }

            /// Ends the envelope of a message that was [begun](Self::begin), sends the content, and waits
            /// for what becomes of it.
            ///
            /// # Errors
            ///
            /// [`Error::Misuse`] as for [`end`](Machine::end) of the machine.
            pub $($async)? fn end(
                &mut self,
                message: MessageId,
                body: impl Into<Body>,
            ) -> Result<Report, Error> {
                self.driver.courier_mut().end(message, body.into())?;
                let sent = self.finished(message)$(.$await)?;
                sent.map(|(report, _)| report)
            }

            /// Sends a command of your own after the messages that were submitted, and waits for its reply,
            /// positive or negative: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that the library does
            /// not know. See [`command`](Machine::command) of the machine.
            ///
            /// # Errors
            ///
            /// [`Error::Misuse`] if the command cannot be sent; why the session has failed, if it fails
            /// before the reply.
            pub $($async)? fn command(
                &mut self,
                command: &Command<'_>,
            ) -> Result<Reply<'static>, Error> {
                self.ready()$(.$await)??;
                let id = self.driver.courier_mut().command(command)?;
                let reply = self.wait_for(|courier| courier.answer(id))$(.$await)??;
                reply.ok_or(Misuse::Ending.into())
            }

            /// Returns whether an idle connection is still good, as far as that is known without a round
            /// trip: reads what has arrived, a 421 or the end, and waits for nothing.
            ///
            /// # Errors
            ///
            /// Why the session has ended.
            pub $($async)? fn check(&mut self) -> Result<(), Error> {
                poll_fn(|cx| self.driver.poll_look(cx))$(.$await)?;
                self.alive()?;
                match self.driver.courier().machine().is_closed() {
                    true => Err(Misuse::Ending.into()),
                    false => Ok(()),
                }
            }

            /// Ends the session once everything submitted is finished.
            ///
            /// Reports that were not asked for before are kept for [`next_report`](Self::next_report).
            ///
            /// # Errors
            ///
            /// Why the session has failed.
            pub $($async)? fn quit(&mut self) -> Result<(), Error> {
                self.announce_quit();
                let ended = self.wait_for(|courier| courier.ended())$(.$await)?;
                poll_fn(|cx| self.driver.poll_close(cx))$(.$await)?;
                ended
            }

            /// Returns what carries the session; nothing after a TLS handshake that failed.
            pub fn socket(&self) -> Option<&Socket> {
                self.driver.endpoint().wire().socket.as_ref()
            }

            /// Returns what the TLS handshake came to; `None` in clear.
            pub fn tls_info(&self) -> Option<&TlsInfo> {
                self.driver.endpoint().tls_info()
            }

            /// Hands out the machine and the socket, for those who go on by themselves.
            ///
            /// The content of unfinished messages is lost.
            pub fn into_parts(self) -> Parts {
                let (machine, endpoint) = self.driver.into_parts();
                let unread = endpoint.unread().to_vec();
                let Wire { origin, socket, .. } = endpoint.into_wire();
                Parts { machine, socket, unread, origin }
            }

            /// Connects with what an earlier connection has found out about the server.
            pub(super) $($async)? fn connect_again(
                options: &Options,
                learned: Option<&Learned>,
            ) -> Result<Self, Error> {
                let server = options.destination()?;
                let connected = Self::connect_to(server, options, learned)$(.$await)?;
                connected.map_err(|error| error.naming(server))
            }

            $($async)? fn connect_to(
                server: &Server,
                options: &Options,
                learned: Option<&Learned>,
            ) -> Result<Self, Error> {
                let (host, port) = match server {
                    Server::Tcp { host, port } => (host.as_str(), *port),
                    #[cfg(unix)]
                    Server::Unix { path } => {
                        let stream = UnixStream::connect(path)$(.$await)?;
                        let socket = Socket::Unix(stream.map_err(Error::connect)?);
                        return Self::open(socket, options, learned)$(.$await)?;
                    }
                    _ => return Err(Error::connect(std::io::ErrorKind::Unsupported.into())),
                };
                let addresses = resolve((host, port))$(.$await)?;
                let mut failures = Failures::default();
                for address in addresses.map_err(Error::connect)? {
                    let opened = match dial(address, options)$(.$await)? {
                        Ok(socket) => Self::open(socket, options, learned)$(.$await)?,
                        Err(error) => Err(Error::connect(error)),
                    };
                    match opened {
                        Ok(client) => return Ok(client),
                        Err(error) => failures.note(error)?,
                    }
                }
                Err(failures.into_error())
            }

            $($async)? fn open(
                socket: Socket,
                options: &Options,
                learned: Option<&Learned>,
            ) -> Result<Self, Error> {
                let local = socket.local_ip();
                let mut client = Self::over(socket, options, local, learned)?;
                match client.ready()$(.$await)?.map(drop) {
                    Ok(()) => Ok(client),
                    Err(error) => Err(error.with_trace_of(client.driver.courier_mut().machine_mut())),
                }
            }

            fn over(
                socket: Socket,
                options: &Options,
                local: Option<IpAddr>,
                learned: Option<&Learned>,
            ) -> Result<Self, Error> {
                let surroundings = Surroundings {
                    host_name: gethostname::gethostname(),
                    #[cfg(feature = "scram")]
                    entropy: Some(|bytes| Ok(getrandom::fill(bytes)?)),
                    #[cfg(not(feature = "scram"))]
                    entropy: None,
                    #[cfg(feature = "rustls")]
                    trust: Some(|host, tls| Ok(smtp_proto_rustls::TlsConnector::of_url(host, tls)?.into())),
                    #[cfg(not(feature = "rustls"))]
                    trust: None,
                    duplex: DUPLEX,
                };
                let (courier, tls) = options.begin(&surroundings, local, learned)?;
                let driver = ClientDriver::new(Wire::new(socket), tls, courier);
                Ok(Self { driver })
            }

            /// Submits a message, unless the session has failed.
            pub(super) fn post<'e>(
                &mut self,
                envelope: impl Into<Envelope<'e>>,
                body: impl Into<Body>,
            ) -> Result<MessageId, Error> {
                self.alive()?;
                Ok(self.submit(envelope, body)?)
            }

            /// Waits for what becomes of a message, and for its content as it was left.
            pub(super) $($async)? fn finished(
                &mut self,
                message: MessageId,
            ) -> Result<(Report, Option<Body>), Error> {
                let finished = self.wait(|courier| courier.report(message))$(.$await)?;
                finished.ok_or(Misuse::UnknownMessage.into())
            }

            $($async)? fn wait_for<R>(
                &mut self,
                answer: impl FnMut(&mut Courier<Body>) -> Poll<Result<R, machine::Error>>,
            ) -> Result<R, Error> {
                let answer = self.wait(answer)$(.$await)?;
                answer.map_err(|error| self.driver.endpoint().explain(error))
            }

            $($async)? fn wait<R>(
                &mut self,
                mut answer: impl FnMut(&mut Courier<Body>) -> Poll<R>,
            ) -> R {
                poll_fn(|cx| self.driver.poll_wait(&mut answer, cx))$(.$await)?
            }

            /// Returns how the session has failed, if it has.
            fn alive(&self) -> Result<(), Error> {
                match self.driver.courier().failure() {
                    Some(error) => Err(self.driver.endpoint().explain(error.clone())),
                    None => Ok(()),
                }
            }
        }

        impl Deref for Client {
            type Target = Session<Body>;

            fn deref(&self) -> &Session<Body> {
                self.driver.courier().session()
            }
        }

        impl DerefMut for Client {
            fn deref_mut(&mut self) -> &mut Session<Body> {
                self.driver.courier_mut().session_mut()
            }
        }
    };
}
