//! Many messages, as fast as the policy lets them go.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use smtp_proto::client::Envelope;
use smtp_proto::delivery::Report;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    body::Body,
    session::{Client, Sent},
};
use crate::Error;

/// How many messages are taken from the source whose content has not been sent: the one that is
/// being sent, and the next, whose commands leave together with the end of the first.
const AHEAD: usize = 2;

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Sends messages one after the other and yields their reports as they come.
    ///
    /// Takes from the iterator only what keeps the policy's window full: two messages more than
    /// those whose replies are awaited. Pass `&mut iterator` to go on elsewhere with what is left
    /// after a failure.
    ///
    /// ```no_run
    /// # use smtp_proto::client::Envelope;
    /// # use smtp_proto_tokio::{Client, Error};
    /// # async fn run<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    /// #     mut client: Client<S>, messages: Vec<(Envelope<'static>, Vec<u8>)>) -> Result<(), Error> {
    /// let mut sending = client.send_all(messages);
    /// while let Some(report) = sending.next().await? {
    ///     println!("{}: {:?}", report.message.index(), report.outcome);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all<'e, I, B>(&mut self, messages: I) -> SendAll<'_, S, Iter<I::IntoIter>>
    where
        I: IntoIterator<Item = (Envelope<'e>, B)>,
        I::IntoIter: Unpin,
        B: Into<Body>,
    {
        self.send_stream(Iter(messages.into_iter()))
    }

    /// Sends messages as they become available, as [`send_all`](Self::send_all) does.
    ///
    /// While the stream is late the connection is kept an eye on: if the server closes it, that is
    /// reported at once, before a message is taken.
    pub fn send_stream<'e, M, B>(&mut self, messages: M) -> SendAll<'_, S, M>
    where
        M: Stream<Item = (Envelope<'e>, B)> + Unpin,
        B: Into<Body>,
    {
        SendAll {
            client: self,
            source: Some(messages),
            failed: false,
        }
    }
}

/// Sends the messages of a source and yields their reports; made by [`Client::send_all`] and
/// [`Client::send_stream`].
///
/// Nothing moves unless it is polled, and nothing is lost when it is dropped: messages that were
/// taken from the source stay submitted, and [`Client::next_report`] has their reports.
#[derive(Debug)]
#[must_use = "nothing is sent unless it is polled"]
pub struct SendAll<'c, S, M> {
    client: &'c mut Client<S>,
    source: Option<M>,
    failed: bool,
}

impl<'e, S, M, B> SendAll<'_, S, M>
where
    S: AsyncRead + AsyncWrite + Unpin,
    M: Stream<Item = (Envelope<'e>, B)> + Unpin,
    B: Into<Body>,
{
    /// Waits for the next report; `None` once every message of the source has been reported, and
    /// whatever had been submitted before. Cancel safe.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Misuse`] for a message that has no recipient, and goes on after it. Fails
    /// with [`Error::Session`] if the connection fails, after the reports of all messages that were
    /// taken from the source; what was not taken is still in it.
    pub async fn next(&mut self) -> Result<Option<Report>, Error> {
        poll_fn(|cx| self.poll_report(cx)).await
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Report>, Error>> {
        loop {
            let taken = self.poll_source(cx)?;
            match ready!(self.client.poll_sent(cx))? {
                Sent::Content => {}
                Sent::Finished(report) => return Poll::Ready(Ok(Some(report))),
                // The source is only late: the server may take its leave meanwhile.
                Sent::All if taken.is_pending() => {
                    ready!(self.client.poll_idle(cx))?;
                    return Poll::Ready(Ok(None));
                }
                Sent::All => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Submits as many messages as are needed to keep the connection busy. Is pending while the
    /// source is.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        while let Some(source) = &mut self.source
            && self.client.connection.unsent() < AHEAD
            && self.client.can_submit()
        {
            match Pin::new(source).poll_next(cx) {
                Poll::Ready(Some((envelope, body))) => {
                    self.client.submit(&envelope, body)?;
                }
                Poll::Ready(None) => self.source = None,
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        Ok(Poll::Ready(()))
    }
}

/// Yields what [`SendAll::next`] returns, and ends after an [`Error::Session`].
impl<'e, S, M, B> Stream for SendAll<'_, S, M>
where
    S: AsyncRead + AsyncWrite + Unpin,
    M: Stream<Item = (Envelope<'e>, B)> + Unpin,
    B: Into<Body>,
{
    type Item = Result<Report, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.failed {
            return Poll::Ready(None);
        }
        this.poll_report(cx).map(|result| {
            this.failed = matches!(result, Err(Error::Session { .. }));
            result.transpose()
        })
    }
}

/// Turns an iterator into a source that is never late.
#[derive(Debug)]
pub struct Iter<I>(I);

impl<I: Iterator> Stream for Iter<I>
where
    I: Unpin,
{
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }
}
