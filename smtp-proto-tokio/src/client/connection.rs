//! The loop around the client machine.

use std::{
    collections::BTreeMap,
    task::{Context, Poll, ready},
};

use smtp_proto::delivery::{Report, Reports};
use smtp_proto::{
    client as machine,
    client::{CommandId, Event, MessageId},
    syntax::Reply,
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Body;
use crate::{
    Error,
    stream::Handshake,
    transport::{Clock, Transport},
};

/// A machine, its stream, and the contents that it will ask for.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) machine: machine::Client,
    pub(super) transport: Transport<S>,
    reports: Reports,
    contents: BTreeMap<MessageId, Content>,
    /// How many contents were not taken to their end.
    unsent: usize,
}

#[derive(Debug)]
struct Content {
    body: Body,
    sent: bool,
}

/// What a round of the loop came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// The session is open.
    Ready,
    /// A content was taken to its end: there is room for another message.
    Sent,
    /// A message is finished.
    Finished(Report),
    /// A command of the caller's own is answered, or will never be.
    Answered(CommandId, Option<Reply<'static>>),
    /// The session is over.
    Closed,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, config: machine::Config, handshake: Handshake) -> Self {
        let clock = Clock::start();
        let config = config.duplex(machine::Duplex::Full);
        let machine = machine::Client::new(config, clock.now());
        Self {
            transport: Transport::new(stream, handshake, clock, machine.max_unconsumed()),
            machine,
            reports: Reports::default(),
            contents: BTreeMap::new(),
            unsent: 0,
        }
    }

    /// Keeps the content of a message that was submitted until the machine asks for it.
    pub(super) fn expect(
        &mut self,
        message: MessageId,
        envelope: &machine::Envelope<'_>,
        body: Body,
    ) {
        self.reports.expect(message, envelope.recipients().len());
        self.contents.insert(message, Content { body, sent: false });
        self.unsent += 1;
    }

    /// Returns how many messages have content that was not taken to its end.
    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Returns what there is to tell without reading or writing.
    pub(super) fn next_event(&mut self) -> Result<Option<Progress>, Error> {
        let now = self.transport.clock.now();
        let mut input = self.transport.received.unread();
        let mut progress = None;
        while progress.is_none() {
            let event = match self.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return Err(self.transport.explain(error)),
            };
            progress = match event {
                Event::Ready => Some(Progress::Ready),
                Event::Closed => Some(Progress::Closed),
                Event::Answered { command, reply } => {
                    Some(Progress::Answered(command, Some(reply.into_owned())))
                }
                Event::Unanswered { command } => Some(Progress::Answered(command, None)),
                event => self.reports.observe(event).map(Progress::Finished),
            };
        }
        let left = input.len();
        self.transport.received.keep(left);
        if let Some(Progress::Finished(report)) = &progress
            && let Some(content) = self.contents.remove(&report.message)
            && !content.sent
        {
            self.unsent -= 1;
        }
        Ok(progress)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Goes on until something has happened. Whatever it does is kept: it may be called again, or
    /// not, at any time.
    ///
    /// Reads and writes in turn, and waits only when it can do neither.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, Error>> {
        loop {
            if let Some(progress) = self.next_event()? {
                return Poll::Ready(Ok(progress));
            }
            if self.machine.is_closed() {
                return Poll::Ready(Ok(Progress::Closed));
            }
            let wrote = self.poll_write(cx);
            if let Poll::Ready(Some(progress)) = wrote {
                return Poll::Ready(Ok(progress));
            }
            let read = if self.machine.wants_tls() {
                self.poll_handshake(cx)
            } else {
                self.poll_read(cx)
            };
            // Presenting a body may have made an event, too.
            if wrote.is_ready() || read.is_ready() || !self.machine.wants_read() {
                continue;
            }
            let deadline = self.machine.poll_timeout();
            ready!(self.transport.poll_deadline(cx, deadline));
            self.machine.handle_timeout(self.transport.clock.now());
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !ready!(self.transport.poll_read(cx)) {
            self.machine.handle_eof();
            if self.transport.write_failed {
                self.machine.write_failed();
            }
        }
        Poll::Ready(())
    }

    /// Goes over to TLS. All that has arrived in clear was presented to the machine before.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.transport.poll_handshake(cx)) {
            // It can only fail if none was due.
            let info = self.transport.stream.tls_info().unwrap_or_default();
            let _ = self
                .machine
                .tls_established(info, self.transport.clock.now());
        } else {
            self.machine.tls_failed();
        }
        Poll::Ready(())
    }

    /// Writes or flushes once. Is pending also when there is nothing to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        if self.transport.write_failed {
            // To report now that nothing was taken would take doubt back.
            return Poll::Pending;
        }
        let now = self.transport.clock.now();
        let wanted = self.machine.wants_body();
        let content = wanted.and_then(|wanted| self.contents.get_mut(&wanted.message));
        let body = match (wanted, content) {
            (Some(wanted), Some(content)) => {
                let body = content.body.poll(wanted.offset, cx);
                body.map(|body| (wanted, body))
            }
            _ => None,
        };
        let Some(transmit) = self.machine.poll_transmit(body, now) else {
            return match ready!(self.transport.poll_flush(cx)) {
                true => Poll::Ready(None),
                false => {
                    self.machine.write_failed();
                    Poll::Ready(None)
                }
            };
        };
        match self.transport.poll_write(cx, transmit.slices()) {
            Poll::Ready(Some(bytes)) => {
                let taken = transmit.wrote(bytes, self.transport.clock.now());
                Poll::Ready(wanted.and_then(|wanted| self.take(wanted.message, taken)))
            }
            Poll::Ready(None) => {
                transmit.failed();
                Poll::Ready(None)
            }
            Poll::Pending => {
                transmit.blocked(now);
                Poll::Pending
            }
        }
    }

    /// Takes note that so many bytes of a content were sent.
    fn take(&mut self, message: MessageId, bytes: usize) -> Option<Progress> {
        let content = self.contents.get_mut(&message)?;
        let ended = content.body.take(bytes);
        // An empty content is at its end from the beginning: it was sent once it is not wanted.
        let wanted = self.machine.wants_body();
        let sent = ended && wanted.is_none_or(|wanted| wanted.message != message) && !content.sent;
        sent.then(|| {
            content.sent = true;
            self.unsent -= 1;
            Progress::Sent
        })
    }
}
