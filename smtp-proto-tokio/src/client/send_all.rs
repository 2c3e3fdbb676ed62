//! Many messages, one after the other without waiting.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use smtp_proto::{
    delivery::{IntoMessage, Report},
    driver::Batch,
};

use super::{body::Body, session::Client};
use crate::Error;

impl Client {
    /// Sends messages as fast as the pipelining policy allows, and yields their reports.
    ///
    /// A message is a pair of an envelope and a content, or a [`Result`] of that: a source that may fail
    /// ([`Error::Source`]). Messages are taken from the iterator as they can be sent, two or three in
    /// advance. One that fails, or is refused by [`submit`](Self::submit) ([`Error::Misuse`]), does not
    /// keep the others from being sent. If the session fails, its error comes last, and the rest of the
    /// iterator was not used.
    ///
    /// ```no_run
    /// # use smtp_proto_tokio::{Client, Envelope, Error};
    /// # async fn run(mut client: Client, messages: Vec<(Envelope<'static>, Vec<u8>)>) -> Result<(), Error> {
    /// let mut sending = client.send_all(messages);
    /// while let Some(report) = sending.next().await? {
    ///     println!("{}: {:?}", report.message.index(), report.outcome);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all<I>(&mut self, messages: I) -> SendAll<'_, Iter<I::IntoIter>>
    where
        I: IntoIterator<Item: IntoMessage<Body>, IntoIter: Unpin>,
    {
        self.send_stream(Iter(messages.into_iter()))
    }

    /// Sends messages as they become available, as [`send_all`](Self::send_all) does.
    ///
    /// While the stream is late the connection is kept an eye on: if the server closes it, that is
    /// reported at once, before a message is taken.
    pub fn send_stream<M>(&mut self, messages: M) -> SendAll<'_, M>
    where
        M: Stream<Item: IntoMessage<Body>> + Unpin,
    {
        SendAll {
            client: self,
            batch: Batch::new(messages),
        }
    }
}

/// Sends messages and yields their [`Report`]s; see [`Client::send_all`].
///
/// Nothing moves unless it is polled, and nothing is lost when it is dropped: messages that were
/// taken from the source stay submitted, and [`Client::next_report`] has their reports.
#[must_use = "nothing is sent unless the reports are asked for"]
#[derive(Debug)]
pub struct SendAll<'c, M> {
    client: &'c mut Client,
    batch: Batch<M>,
}

impl<M> SendAll<'_, M> {
    /// Returns the client, for its trace and what else it can tell meanwhile.
    pub fn client(&mut self) -> &mut Client {
        self.client
    }
}

impl<M> SendAll<'_, M>
where
    M: Stream<Item: IntoMessage<Body>> + Unpin,
{
    /// Waits for the next report; `None` once every message of the source has been reported, and
    /// whatever had been submitted before. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] and [`Error::Misuse`] for one message, and it goes on after it;
    /// [`Error::Session`] if the connection has failed, after the reports of all messages that were
    /// taken from the source.
    pub async fn next(&mut self) -> Result<Option<Report>, Error> {
        poll_fn(|cx| self.poll_report(cx)).await
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Report>, Error>> {
        let next = |messages: &mut M, cx: &mut Context<'_>| Pin::new(messages).poll_next(cx);
        let Self { client, batch } = self;
        batch.poll_report(&mut client.driver, next, cx)
    }
}

/// Yields what [`SendAll::next`] returns, and ends after an [`Error::Session`].
impl<M> Stream for SendAll<'_, M>
where
    M: Stream<Item: IntoMessage<Body>> + Unpin,
{
    type Item = Result<Report, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_report(cx).map(Result::transpose)
    }
}

/// Turns an iterator into a source that is never late.
#[derive(Debug)]
pub struct Iter<I>(I);

impl<I: Iterator + Unpin> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }
}
