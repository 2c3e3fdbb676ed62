//! The loop around the client machine.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use smtp_proto::{
    client as machine,
    client::{Event, MessageId, Report, Reports},
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Body;
use crate::{
    Error,
    transport::{Alarm, Clock, ReadBuffer, poll_write},
};

/// A machine, its stream, and the contents that it will ask for.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) machine: machine::Client,
    /// `tls.rs` has its place here: once the machine wants TLS, the stream is swapped for one that
    /// speaks it.
    pub(super) stream: S,
    pub(super) clock: Clock,
    pub(super) received: ReadBuffer,
    alarm: Alarm,
    reports: Reports,
    contents: BTreeMap<MessageId, Content>,
    /// How many contents were not taken to their end.
    unsent: usize,
    /// Octets were written and not flushed.
    unflushed: bool,
    eof: bool,
    write_failed: bool,
    transport: Option<Arc<io::Error>>,
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
    /// The session is over.
    Closed,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, config: machine::Config) -> Self {
        let clock = Clock::start();
        let config = config.duplex(machine::Duplex::Full);
        let machine = machine::Client::new(config, clock.now());
        Self {
            received: ReadBuffer::new(machine.max_unconsumed()),
            machine,
            stream,
            clock,
            alarm: Alarm::default(),
            reports: Reports::default(),
            contents: BTreeMap::new(),
            unsent: 0,
            unflushed: false,
            eof: false,
            write_failed: false,
            transport: None,
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

    fn next_event(&mut self) -> Result<Option<Progress>, Error> {
        let now = self.clock.now();
        let mut input = self.received.unread();
        let mut progress = None;
        while progress.is_none() {
            let event = match self.machine.poll_event(&mut input, now) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    let transport = self.transport.clone();
                    return Err(Error::Session { error, transport });
                }
            };
            progress = match event {
                Event::Ready => Some(Progress::Ready),
                Event::Closed => Some(Progress::Closed),
                event => self.reports.observe(event).map(Progress::Finished),
            };
        }
        let left = input.len();
        self.received.keep(left);
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
            let read = self.poll_read(cx);
            if wrote.is_ready() || read.is_ready() {
                continue;
            }
            let deadline = self.machine.poll_timeout();
            if self.alarm.poll(cx, self.clock, deadline).is_pending() {
                return Poll::Pending;
            }
            self.machine.handle_timeout(self.clock.now());
        }
    }

    /// Writes or flushes once. Is pending also when there is nothing to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        if self.write_failed {
            return Poll::Pending;
        }
        let now = self.clock.now();
        let wanted = self.machine.wants_body();
        let content = wanted.and_then(|wanted| self.contents.get_mut(&wanted.message));
        let body = match (wanted, content) {
            (Some(wanted), Some(content)) => content.body.poll(wanted.pass, cx),
            _ => machine::Body::Pending,
        };
        let transmit = self.machine.poll_transmit(body, now);
        if transmit.is_empty() {
            drop(transmit);
            return self.poll_flush(cx);
        }
        match poll_write(&mut self.stream, cx, transmit.slices()) {
            Poll::Ready(Ok(octets)) => {
                let taken = transmit.sent(octets, self.clock.now());
                self.unflushed = true;
                Poll::Ready(wanted.and_then(|wanted| self.take(wanted.message, taken)))
            }
            Poll::Ready(Err(error)) => {
                drop(transmit);
                self.fail_writing(error);
                Poll::Ready(None)
            }
            Poll::Pending => {
                transmit.sent(0, now); // nothing was taken, so that nothing is in doubt
                Poll::Pending
            }
        }
    }

    /// Takes note that so many octets of a content were sent.
    fn take(&mut self, message: MessageId, octets: usize) -> Option<Progress> {
        let content = self.contents.get_mut(&message)?;
        let sent = octets > 0 && content.body.take(octets);
        sent.then(|| {
            content.sent = true;
            self.unsent -= 1;
            Progress::Sent
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        if !self.unflushed {
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => self.fail_writing(error),
        }
        Poll::Ready(None)
    }

    fn fail_writing(&mut self, error: io::Error) {
        self.transport.get_or_insert(Arc::new(error));
        self.write_failed = true;
        self.machine.handle_write_failed();
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.eof || self.received.is_full() {
            return Poll::Pending;
        }
        match self.received.poll_read(&mut self.stream, cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(octets)) if octets > 0 => return Poll::Ready(()),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                self.transport.get_or_insert(Arc::new(error));
            }
        }
        self.eof = true;
        self.machine.handle_eof();
        Poll::Ready(())
    }
}
