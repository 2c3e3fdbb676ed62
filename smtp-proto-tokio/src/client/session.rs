//! One session: what is submitted to it, and what it comes to.

use std::{future::poll_fn, pin::Pin, time::Duration};

use smtp_proto::{
    client::{self as machine, Cancellation, Config, Envelope, Learned, MessageId},
    delivery::{Content, Courier, Report},
    machine::{Misuse, TraceEntry},
    syntax::{Capabilities, Command, ForwardPath, RcptParameters, Reply},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use super::{
    body::{Body, Supply},
    drive::Driver,
};
use crate::{Error, Socket, Stream, tls::Begin};

/// How long a stream may take to shut down.
const FAREWELL: Duration = Duration::from_secs(1);

/// One SMTP session over any stream.
///
/// [`send`](Self::send) does everything for one message. For as many as the pipelining policy allows
/// at once, keep several submitted: [`send_all`](Self::send_all), or [`submit`](Self::submit) and
/// [`next_report`](Self::next_report). Nothing is read or written but while a future is awaited.
///
/// Every message that was submitted gets exactly one [`Report`], also when the connection fails;
/// the failure follows after the last of them.
#[derive(Debug)]
pub struct Client<S = Socket> {
    pub(super) driver: Driver<S>,
}

/// What a [`Client`] was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The machine, in the state that the session is in.
    pub machine: machine::Client,
    /// The stream, which speaks TLS if the session does.
    pub stream: Stream<S>,
    /// What was read from the stream and not used up.
    pub unread: Vec<u8>,
    /// When the machine's time began.
    pub origin: Instant,
}

impl<S> Client<S> {
    /// Starts a session over a connection that was just established.
    ///
    /// One that needs more than a configuration begins with [`Client::builder`]. The configuration's
    /// duplex is of no account: this client always reads while it writes.
    pub fn with_stream(stream: S, config: Config) -> Self {
        Self::new(stream, config, None)
    }

    pub(super) fn new(stream: S, config: Config, tls: Option<Begin<S>>) -> Self {
        let driver = Driver::new(stream, config, tls);
        Self { driver }
    }

    /// Has the session authenticate itself before any message, by the first of these mechanisms that
    /// the server offers.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::authenticate`]: call it before anything else.
    #[cfg(feature = "auth")]
    pub fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn machine::mechanism::Mechanism>>,
    ) -> Result<(), Misuse> {
        self.driver.courier.machine_mut().authenticate(mechanisms)
    }

    /// Queues a message, to be sent while something is awaited.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::submit`].
    pub fn submit<'e>(
        &mut self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<MessageId, Misuse> {
        let content = body.into().0;
        let courier = &mut self.driver.courier;
        courier.submit(envelope.into(), content.size(), content)
    }

    /// Begins a message whose recipients are added as they come, by
    /// [`add_recipient`](Self::add_recipient), and whose content follows by [`end`](Self::end): so a proxy
    /// answers its own client what the server answers.
    ///
    /// What is submitted after it waits for it. [`cancel`](Self::cancel) withdraws it; dropping the
    /// client does so, too. In neither case anything of it is left with the server.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::begin`]. If the session has failed already, why.
    pub fn begin<'e>(&mut self, envelope: impl Into<Envelope<'e>>) -> Result<MessageId, Error> {
        if let Some(error) = self.driver.courier.failure() {
            return Err(self.driver.explain(error.clone()));
        }
        Ok(self.driver.courier.begin(&envelope.into())?)
    }

    /// Returns whether [`submit`](Self::submit) would take a message.
    pub fn can_submit(&self) -> bool {
        self.driver.courier.machine().can_submit()
    }

    /// Returns whether everything submitted is finished, though maybe not reported.
    pub fn is_idle(&self) -> bool {
        self.driver.courier.machine().is_idle()
    }

    /// Withdraws a message, and tells what that costs. Its report follows.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::cancel`].
    pub fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        self.driver.courier.machine_mut().cancel(message)
    }

    /// Has QUIT follow the last message that was submitted. No message can be submitted any more.
    ///
    /// It saves [`quit`](Self::quit) a round trip if it is called while messages are under way.
    pub fn announce_quit(&mut self) {
        self.driver.courier.machine_mut().quit();
    }

    /// Gives the connection up at once, and returns the reports on all messages that were not taken,
    /// those that were unfinished among them. From then on there is only the error
    /// ([`Fault::ShutDown`](smtp_proto::machine::Fault::ShutDown)).
    pub fn abort(&mut self) -> Vec<Report> {
        let now = self.driver.transport.clock.now();
        self.driver.courier.abort(now)
    }

    /// Returns what the server announced in answer to EHLO; empty before that.
    pub fn capabilities(&self) -> &Capabilities {
        self.driver.courier.machine().capabilities()
    }

    /// Returns what the session has found out about its server, once it is open: for the
    /// [configuration](Config::learned) of the next. A [`Sender`](super::Sender) does so by itself.
    pub fn learned(&self) -> Option<Learned> {
        self.driver.courier.machine().learned()
    }

    /// Returns how the server refused the TLS that it offers, if the session went on in clear, as
    /// [`Tls::Opportunistic`](machine::Tls::Opportunistic) has it.
    pub fn tls_declined(&self) -> Option<&Reply<'static>> {
        self.driver.courier.tls_declined()
    }

    /// Returns what carries the session.
    pub fn stream(&self) -> &Stream<S> {
        &self.driver.transport.stream
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    pub fn round_trips(&self) -> u64 {
        self.driver.courier.machine().round_trips()
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.driver.courier.machine_mut().poll_trace()
    }

    /// Hands out the machine and the stream, for those who go on by themselves.
    ///
    /// The content of unfinished messages is lost.
    pub fn into_parts(self) -> Parts<S> {
        Parts {
            unread: self.driver.transport.received.unread().to_vec(),
            origin: self.driver.transport.clock.origin,
            machine: self.driver.courier.into_machine(),
            stream: self.driver.transport.stream,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Waits until the session is open, and returns what the server offers. Cancel safe.
    ///
    /// It need not be called: messages wait for it by themselves.
    ///
    /// # Errors
    ///
    /// Why the session could not be opened, or has ended since.
    pub async fn ready(&mut self) -> Result<&Capabilities, Error> {
        let opened = self.driver.wait(|courier| courier.opened()).await;
        opened.map_err(|error| self.driver.explain(error))?;
        Ok(self.capabilities())
    }

    /// Returns whether an idle connection is still good, as far as that is known without a round trip:
    /// reads what has arrived, a 421 or the end, and waits for nothing. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the session has ended.
    pub async fn check(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_look(cx)).await;
        match self.driver.courier.failure() {
            Some(error) => Err(self.driver.explain(error.clone())),
            None if self.driver.courier.machine().is_closed() => Err(Misuse::Ending.into()),
            None => Ok(()),
        }
    }

    /// Sends a message and waits for what becomes of it.
    ///
    /// Messages that were submitted before go first; their reports stay for
    /// [`next_report`](Self::next_report). If the session fails the report tells what that means for
    /// the message; why it failed comes with the next call. If the future is dropped the message
    /// stays submitted.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`submit`](Self::submit). If the session has failed already, why.
    pub async fn send<'e>(
        &mut self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let message = self.post(envelope.into(), body.into().0)?;
        let sent = self.finished(message).await;
        sent.map(|(report, _)| report)
    }

    /// Sends a message as [`send`](Self::send) does, and gives the connection up once `limit` is over,
    /// as [`abort`](Self::abort) does: the report is there in any case. Those on other messages stay for
    /// [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn send_within<'e>(
        &mut self,
        limit: Duration,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let until = self.driver.transport.clock.now().saturating_add(limit);
        let message = self.post(envelope.into(), body.into().0)?;
        self.driver.courier.finish_by(message, until);
        let sent = self.finished(message).await;
        sent.map(|(report, _)| report)
    }

    /// Submits a message, unless the session has failed.
    pub(super) fn post(
        &mut self,
        envelope: Envelope<'_>,
        content: Content<Supply>,
    ) -> Result<MessageId, Error> {
        if let Some(error) = self.driver.courier.failure() {
            return Err(self.driver.explain(error.clone()));
        }
        let courier = &mut self.driver.courier;
        Ok(courier.submit(envelope, content.size(), content)?)
    }

    /// Waits for what becomes of a message, and for its content as it was left.
    pub(super) async fn finished(
        &mut self,
        message: MessageId,
    ) -> Result<(Report, Option<Content<Supply>>), Error> {
        let finished = self.driver.wait(|courier| courier.report(message)).await;
        finished.ok_or(Misuse::UnknownMessage.into())
    }

    /// Adds a recipient to a message that was [begun](Self::begin), and waits for what the server answers
    /// to it, positive or negative; if the server has refused the sender, for that answer.
    ///
    /// If the future is dropped the recipient stays added.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`smtp_proto::client::Client::add_recipient`], and
    /// [`Misuse::UnknownMessage`] if the message is given up unanswered, as its report tells; why the
    /// session has failed, if it fails before the answer.
    pub async fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<Reply<'static>, Error> {
        let courier = &mut self.driver.courier;
        let recipient = courier.add_recipient(message, recipient, parameters)?;
        let answer = |courier: &mut Courier<_>| courier.recipient_answer(message, recipient);
        let answer = self.driver.wait(answer).await;
        let reply = answer.map_err(|error| self.driver.explain(error))?;
        reply.ok_or(Misuse::UnknownMessage.into())
    }

    /// Ends the envelope of a message that was [begun](Self::begin), sends the content, and waits for
    /// what becomes of it. If the future is dropped the message
    /// stays submitted.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`smtp_proto::client::Client::end`].
    pub async fn end(
        &mut self,
        message: MessageId,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        self.driver.courier.end(message, body.into().0)?;
        let sent = self.finished(message).await;
        sent.map(|(report, _)| report)
    }

    /// Sends a command of your own after the messages that were submitted, and waits for its reply,
    /// positive or negative: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that the library does not
    /// know. See [`smtp_proto::client::Client::command`].
    ///
    /// If the future is dropped the command stays queued, and its reply is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the command cannot be sent; why the session has failed, if it fails before
    /// the reply.
    pub async fn command(&mut self, command: &Command<'_>) -> Result<Reply<'static>, Error> {
        self.ready().await?;
        let id = self.driver.courier.command(command)?;
        let answer = self.driver.wait(|courier| courier.answer(id)).await;
        let reply = answer.map_err(|error| self.driver.explain(error))?;
        reply.ok_or(Misuse::Ending.into())
    }

    /// Waits for the next report; `None` if nothing is unfinished. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the session has failed, once every message's report was returned; from then on always.
    pub async fn next_report(&mut self) -> Result<Option<Report>, Error> {
        let report = self.driver.wait(Courier::next_report).await;
        report.map_err(|error| self.driver.explain(error))
    }

    /// Ends the session once everything submitted is finished, and shuts the stream down. Cancel safe.
    ///
    /// Reports that were not asked for before are kept for [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// Why the session has failed.
    pub async fn quit(&mut self) -> Result<(), Error> {
        self.driver.courier.machine_mut().quit();
        let ended = self.driver.wait(|courier| courier.ended()).await;
        // How the stream takes it changes nothing. TLS has something to say to a server that may not
        // listen any more.
        let stream = &mut self.driver.transport.stream;
        let shutdown = poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx));
        let _ = timeout(FAREWELL, shutdown).await;
        ended.map_err(|error| self.driver.explain(error))
    }
}
