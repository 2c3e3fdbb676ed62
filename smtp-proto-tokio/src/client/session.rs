//! One session: what is submitted to it, and what it comes to.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client as machine,
    client::{Cancellation, CommandId, Config, Envelope, MessageId},
    machine::{Misuse, TraceEntry},
    syntax::{Capabilities, Command, Reply},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use super::{
    body::Body,
    connection::{Connection, Progress},
};
use crate::{Error, Stream, stream::Handshake};

/// How long a stream may take to shut down.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client's end of one connection, over any stream.
///
/// ```
/// use smtp_proto::client::{Config, Envelope, Outcome};
/// use smtp_proto::syntax::{ForwardPath, Host, ReversePath};
/// use smtp_proto_tokio::Client;
/// # use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (stream, mut server) = tokio::io::duplex(4096);
/// # server.write_all(b"220 x\r\n").await?;
/// # tokio::spawn(async move {
/// #     use tokio::io::AsyncReadExt;
/// #     let mut bytes = [0; 4096];
/// #     for reply in ["250 x", "250 ok", "250 ok", "354 go", "250 taken", "221 bye"] {
/// #         server.read(&mut bytes).await.unwrap();
/// #         server.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
/// #     }
/// # });
/// let mut client = Client::with_stream(stream, Config::new(Host::parse("client.example")?));
/// let envelope = Envelope::new(ReversePath::parse("<a@example.org>")?)
///     .recipient(ForwardPath::parse("<b@example.net>")?);
/// let report = client.send(&envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
/// assert!(matches!(report.outcome, Outcome::Delivered(_)));
/// client.quit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client<S> {
    pub(super) connection: Connection<S>,
    /// Reports that came while something else was waited for.
    reports: VecDeque<Report>,
    /// What the last command of the caller's own was answered, if it was.
    answer: Option<(CommandId, Option<Reply<'static>>)>,
    /// The session was opened.
    is_ready: bool,
    /// The session ended in good order.
    is_over: bool,
}

/// What [`Client::into_parts`] takes a client apart into.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The machine.
    pub machine: machine::Client,
    /// The stream, which speaks TLS if the session does.
    pub stream: Stream<S>,
    /// What has been read from the stream and the machine has not used up.
    pub unread: Vec<u8>,
    /// When the machine's time began.
    pub origin: Instant,
}

/// What waiting for a report came to.
pub(super) enum Sent {
    /// A content was sent to its end.
    Content,
    Finished(Report),
    /// Everything submitted is finished and reported.
    All,
}

impl<S> Client<S> {
    /// Creates the client's end of a connection that was just established.
    ///
    /// The configuration's duplex is of no account: this client always reads while it writes. A
    /// stream of many small messages gains from tokio's `BufWriter` around the socket: it is
    /// flushed whenever nothing more can be sent.
    pub fn with_stream(stream: S, config: Config) -> Self {
        Self::new(stream, config, Handshake::default())
    }

    pub(super) fn new(stream: S, config: Config, handshake: Handshake) -> Self {
        Self {
            connection: Connection::new(stream, config, handshake),
            reports: VecDeque::new(),
            answer: None,
            is_ready: false,
            is_over: false,
        }
    }

    /// Queues a message; [`next_report`](Self::next_report) will tell what became of it.
    ///
    /// It can be called at any time, also before the session is open. Messages are sent in the
    /// order of their submission; keep two or more submitted, or nothing can be sent ahead.
    ///
    /// # Errors
    ///
    /// [`Misuse::Ending`] if the session is ending or has failed, [`Misuse::QueueFull`],
    /// [`Misuse::NoRecipient`].
    pub fn submit(
        &mut self,
        envelope: &Envelope<'_>,
        body: impl Into<Body>,
    ) -> Result<MessageId, Misuse> {
        let message = self.connection.machine.submit(envelope)?;
        self.connection.expect(message, envelope, body.into());
        Ok(message)
    }

    /// Has the client authenticate by the first of these mechanisms that the server offers, before
    /// any message. If none of them leads to success nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLate`] once the session is open, [`Misuse::InvalidMechanism`] for a name that
    /// is none.
    #[cfg(feature = "auth")]
    pub fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn machine::mechanism::Mechanism>>,
    ) -> Result<(), Misuse> {
        self.connection.machine.authenticate(mechanisms)
    }

    /// Withdraws a message, and tells what that costs. Its report follows.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownMessage`] if it is finished, [`Misuse::TooLate`] if all of it was sent.
    pub fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        self.connection.machine.cancel(message)
    }

    /// Tells whether [`submit`](Self::submit) would take a message.
    pub fn can_submit(&self) -> bool {
        self.connection.machine.can_submit()
    }

    /// Tells whether everything submitted is finished, though maybe not reported.
    pub fn is_idle(&self) -> bool {
        self.connection.machine.is_idle()
    }

    /// Has QUIT follow the last message that was submitted. No message can be submitted any more.
    ///
    /// It saves [`quit`](Self::quit) a round trip if it is called while messages are under way.
    pub fn announce_quit(&mut self) {
        self.connection.machine.quit();
    }

    /// Returns what the server announced in answer to EHLO.
    pub fn capabilities(&self) -> &Capabilities {
        self.connection.machine.capabilities()
    }

    /// Returns how many round trips the session has waited for so far.
    pub fn round_trips(&self) -> u64 {
        self.connection.machine.round_trips()
    }

    /// Takes the oldest entry of the trace, if the configuration has one kept.
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.connection.machine.poll_trace()
    }

    /// Returns the stream, which tells what TLS came to.
    pub fn stream(&self) -> &Stream<S> {
        &self.connection.transport.stream
    }

    /// Takes the client apart, for those who go on by themselves.
    ///
    /// Reports that were not taken are lost, and so are the contents of unfinished messages: the
    /// machine will ask for them again.
    pub fn into_parts(self) -> Parts<S> {
        Parts {
            unread: self.connection.transport.received.unread().to_vec(),
            origin: self.connection.transport.clock.origin,
            machine: self.connection.machine,
            stream: self.connection.transport.stream,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Waits until the session is open, so that [`capabilities`](Self::capabilities) are known.
    /// Cancel safe. Messages that were submitted are under way meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the connection fails or the server refuses the session.
    pub async fn ready(&mut self) -> Result<(), Error> {
        while !self.is_ready && !self.is_over {
            self.advance().await?;
        }
        Ok(())
    }

    /// Sends a message and waits for its report.
    ///
    /// Other messages may be under way; their reports are kept for
    /// [`next_report`](Self::next_report). If the future is dropped the message stays submitted.
    ///
    /// If the connection fails the report tells what that means for the message; the reason comes
    /// with the next call.
    ///
    /// # Errors
    ///
    /// Fails if the connection had failed before, and with [`Error::Misuse`] if the envelope has no
    /// recipient or the session is ending. Nothing was sent of the message then.
    pub async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let body = body.into();
        self.take_known()?;
        let message = loop {
            match self.connection.machine.submit(envelope) {
                Err(Misuse::QueueFull) if !self.is_idle() => self.advance().await?,
                result => break result?,
            }
        };
        self.connection.expect(message, envelope, body);
        loop {
            if let Some(at) = self.reports.iter().position(|it| it.message == message)
                && let Some(report) = self.reports.remove(at)
            {
                return Ok(report);
            }
            self.advance().await?;
        }
    }

    /// Sends a command of your own after the messages that were submitted, and waits for its reply,
    /// positive or negative: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that the library does not
    /// know. See [`machine::Client::command`].
    ///
    /// If the future is dropped the command stays queued, and its reply is lost.
    ///
    /// # Errors
    ///
    /// Fails if the connection fails before the reply, and with [`Error::Misuse`] if the command
    /// cannot be sent.
    pub async fn command(&mut self, command: &Command<'_>) -> Result<Reply<'static>, Error> {
        self.ready().await?;
        let id = loop {
            match self.connection.machine.command(command) {
                Err(Misuse::QueueFull) => self.advance().await?,
                result => {
                    // Why it ends, if that is an error.
                    self.take_known()?;
                    break result?;
                }
            }
        };
        loop {
            match self.answer.take() {
                Some((answered, Some(reply))) if answered == id => return Ok(reply),
                _ if self.is_over => return Err(Misuse::Ending.into()),
                _ => self.advance().await?,
            }
        }
    }

    /// Waits until a message is finished; `None` once there is none left. Cancel safe.
    ///
    /// # Errors
    ///
    /// Fails if the connection has failed, after the reports of all messages.
    pub async fn next_report(&mut self) -> Result<Option<Report>, Error> {
        poll_fn(|cx| {
            loop {
                match ready!(self.poll_sent(cx))? {
                    Sent::Content => {}
                    Sent::Finished(report) => return Poll::Ready(Ok(Some(report))),
                    Sent::All => return Poll::Ready(Ok(None)),
                }
            }
        })
        .await
    }

    /// Finishes what was submitted, takes leave and shuts the stream down. Cancel safe.
    ///
    /// Reports that were not taken before can be had afterwards.
    ///
    /// # Errors
    ///
    /// Fails if the connection has failed, or fails before everything is finished.
    pub async fn quit(&mut self) -> Result<(), Error> {
        self.announce_quit();
        while !self.is_over {
            self.advance().await?;
        }
        // The session is over: how the stream takes it changes nothing. TLS has something to say to
        // a server that may not listen any more.
        let stream = &mut self.connection.transport.stream;
        let shutdown = poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx));
        let _ = timeout(FAREWELL, shutdown).await;
        Ok(())
    }

    /// Goes one step on, and keeps what it brings.
    async fn advance(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_step(cx)).await.map(drop)
    }

    /// Goes one step on, keeps what it brings, and tells whether that was a content's end.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        let progress = ready!(self.connection.poll(cx))?;
        let sent = matches!(progress, Progress::Sent);
        self.keep(progress);
        Poll::Ready(Ok(sent))
    }

    /// Takes what is known without another step; fails if the session has failed and all reports are
    /// in.
    fn take_known(&mut self) -> Result<(), Error> {
        while let Some(progress) = self.connection.next_event()? {
            self.keep(progress);
        }
        Ok(())
    }

    fn keep(&mut self, progress: Progress) {
        match progress {
            Progress::Finished(report) => self.reports.push_back(report),
            Progress::Answered(command, reply) => self.answer = Some((command, reply)),
            Progress::Ready => self.is_ready = true,
            Progress::Closed => self.is_over = true,
            Progress::Sent => {}
        }
    }

    /// Goes on until there is a report, or room for another message.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sent, Error>> {
        loop {
            let known = self.take_known();
            if let Some(report) = self.reports.pop_front() {
                return Poll::Ready(Ok(Sent::Finished(report)));
            }
            known?;
            if self.is_idle() {
                return Poll::Ready(Ok(Sent::All));
            }
            if ready!(self.poll_step(cx))? {
                return Poll::Ready(Ok(Sent::Content));
            }
        }
    }

    /// Waits for the end of a session that has nothing to do.
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.is_over {
            ready!(self.poll_step(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}
