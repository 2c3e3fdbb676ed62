//! One session: what is submitted to it, and what it comes to.

use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{self as machine, Envelope, MessageId},
    delivery::{Courier, Report, Session},
    machine::Misuse,
    syntax::{Capabilities, Command, ForwardPath, RcptParameters, Reply},
};

use super::{body::Body, drive::Driver};
use crate::{Error, Socket, TlsInfo};

/// One SMTP session over one connection.
///
/// [`send`](Self::send) does everything for one message. For as many as the pipelining policy allows
/// at once, keep several submitted: [`send_all`](Self::send_all), or [`submit`](Self::submit) and
/// [`next_report`](Self::next_report). Nothing is read or written but during a call that waits.
///
/// Every message that was submitted gets exactly one [`Report`], also when the connection fails;
/// the failure follows after the last of them.
///
/// What waits for nothing stands in its [`Session`]: what the server offers, round trips, giving up.
#[derive(Debug)]
pub struct Client {
    pub(super) driver: Driver,
}

/// What a [`Client`] was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts {
    /// The machine, in the state that the session is in.
    pub machine: machine::Client,
    /// What carries the session, through TLS if it came to that; nothing after a handshake that failed.
    pub socket: Option<Socket>,
    /// What was read from the stream and not used up.
    pub unread: Vec<u8>,
    /// When the machine's time began.
    pub origin: Instant,
}

impl Client {
    /// Waits until the session is open, and returns what the server offers.
    ///
    /// It need not be called: messages wait for it by themselves.
    ///
    /// # Errors
    ///
    /// Why the session could not be opened, or has ended since.
    pub fn ready(&mut self) -> Result<&Capabilities, Error> {
        self.driver.wait_for(|courier| courier.opened())?;
        Ok(self.capabilities())
    }

    /// Returns whether an idle connection is still good, as far as that is known without a round trip:
    /// reads what has arrived, a 421 or the end, and waits for nothing.
    ///
    /// # Errors
    ///
    /// Why the session has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        self.driver.look();
        self.driver.alive()?;
        match self.driver.courier.machine().is_closed() {
            true => Err(Misuse::Ending.into()),
            false => Ok(()),
        }
    }

    /// Sends a message and waits for what becomes of it.
    ///
    /// Messages that were submitted before go first; their reports stay for
    /// [`next_report`](Self::next_report). If the session fails the report tells what that means for
    /// the message; why it failed comes with the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`submit`](Self::submit). If the session has failed already, why.
    pub fn send<'e>(
        &mut self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let message = self.post(envelope, body)?;
        let sent = self.finished(message);
        sent.map(|(report, _)| report)
    }

    /// Sends a message as [`send`](Self::send) does, and gives the connection up once `limit` is over,
    /// as [`abort`](Self::abort) does: the report is there in any case. Those on other messages stay for
    /// [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_within<'e>(
        &mut self,
        limit: Duration,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<Report, Error> {
        let until = self.driver.connection.now().saturating_add(limit);
        let message = self.post(envelope, body)?;
        self.driver.courier.finish_by(message, until);
        let sent = self.finished(message);
        sent.map(|(report, _)| report)
    }

    /// Submits a message, unless the session has failed.
    pub(super) fn post<'e>(
        &mut self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<MessageId, Error> {
        self.driver.alive()?;
        Ok(self.submit(envelope, body)?)
    }

    /// Waits for what becomes of a message, and for its content as it was left.
    pub(super) fn finished(&mut self, message: MessageId) -> Result<(Report, Option<Body>), Error> {
        let finished = self.driver.wait(|courier| courier.report(message));
        finished.ok_or(Misuse::UnknownMessage.into())
    }

    /// Adds a recipient to a message that was [begun](Self::begin), and waits for what the server answers
    /// to it, positive or negative; if the server has refused the sender, for that answer.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`smtp_proto::client::Client::add_recipient`], and
    /// [`Misuse::UnknownMessage`] if the message is given up unanswered, as its report tells; why the
    /// session has failed, if it fails before the answer.
    pub fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<Reply<'static>, Error> {
        let courier = &mut self.driver.courier;
        let recipient = courier.add_recipient(message, recipient, parameters)?;
        let answer = |courier: &mut Courier<_>| courier.recipient_answer(message, recipient);
        let reply = self.driver.wait_for(answer)?;
        reply.ok_or(Misuse::UnknownMessage.into())
    }

    /// Ends the envelope of a message that was [begun](Self::begin), sends the content, and waits for
    /// what becomes of it.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] as for [`smtp_proto::client::Client::end`].
    pub fn end(&mut self, message: MessageId, body: impl Into<Body>) -> Result<Report, Error> {
        self.driver.courier.end(message, body.into())?;
        let sent = self.finished(message);
        sent.map(|(report, _)| report)
    }

    /// Sends a command of your own after the messages that were submitted, and waits for its reply,
    /// positive or negative: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that the library does not
    /// know. See [`smtp_proto::client::Client::command`].
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the command cannot be sent; why the session has failed, if it fails before
    /// the reply.
    pub fn command(&mut self, command: &Command<'_>) -> Result<Reply<'static>, Error> {
        self.ready()?;
        let id = self.driver.courier.command(command)?;
        let reply = self.driver.wait_for(|courier| courier.answer(id))?;
        reply.ok_or(Misuse::Ending.into())
    }

    /// Queues a message, to be sent during the next calls.
    ///
    /// # Errors
    ///
    /// Those of [`smtp_proto::client::Client::submit`].
    pub fn submit<'e>(
        &mut self,
        envelope: impl Into<Envelope<'e>>,
        body: impl Into<Body>,
    ) -> Result<MessageId, Misuse> {
        let body = body.into();
        let courier = &mut self.driver.courier;
        courier.submit(envelope.into(), body.size(), body)
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
        self.driver.alive()?;
        Ok(self.driver.courier.begin(&envelope.into())?)
    }

    /// Waits for the next report; `None` if nothing is unfinished.
    ///
    /// # Errors
    ///
    /// Why the session has failed, once every message's report was returned; from then on always.
    pub fn next_report(&mut self) -> Result<Option<Report>, Error> {
        self.driver.wait_for(Courier::next_report)
    }

    /// Ends the session once everything submitted is finished.
    ///
    /// Reports that were not asked for before are kept for [`next_report`](Self::next_report).
    ///
    /// # Errors
    ///
    /// Why the session has failed.
    pub fn quit(&mut self) -> Result<(), Error> {
        self.announce_quit();
        let ended = self.driver.wait_for(|courier| courier.ended());
        self.driver.connection.close();
        ended
    }

    /// Returns what carries the session; nothing after a TLS handshake that failed.
    pub fn socket(&self) -> Option<&Socket> {
        self.driver.connection.socket.as_ref()
    }

    /// Returns what the TLS handshake came to; `None` in clear.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.driver.connection.tls_info.as_deref()
    }

    /// Hands out the machine and the stream, for those who go on by themselves.
    ///
    /// The content of unfinished messages is lost.
    pub fn into_parts(self) -> Parts {
        Parts {
            unread: self.driver.connection.received.unread().to_vec(),
            origin: self.driver.connection.origin,
            machine: self.driver.courier.into_machine(),
            socket: self.driver.connection.socket,
        }
    }
}

impl Deref for Client {
    type Target = Session<Body>;

    fn deref(&self) -> &Self::Target {
        self.driver.courier.session()
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.driver.courier.session_mut()
    }
}
