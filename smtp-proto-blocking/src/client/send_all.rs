//! Many messages, one after the other without waiting.

use std::task::{Context, Poll};

use smtp_proto::{
    delivery::{IntoMessage, Report},
    driver::Batch,
};

use super::{body::Body, session::Client};
use crate::{Error, wire::poll_fn};

impl Client {
    /// Sends messages as fast as the pipelining policy allows, and yields their reports.
    ///
    /// A message is a pair of an envelope and a content, or a [`Result`] of that: a source that may fail
    /// ([`Error::Source`]). Messages are taken from the iterator as they can be sent, two or three in
    /// advance. One that fails, or is refused by [`submit`](Self::submit) ([`Error::Misuse`]), does not
    /// keep the others from being sent. If the session fails, its error comes last, and the rest of the
    /// iterator was not used.
    pub fn send_all<I>(&mut self, messages: I) -> SendAll<'_, I::IntoIter>
    where
        I: IntoIterator<Item: IntoMessage<Body>>,
    {
        SendAll {
            client: self,
            batch: Batch::new(messages.into_iter()),
        }
    }
}

/// Sends messages and yields their [`Report`]s; see [`Client::send_all`].
#[must_use = "nothing is sent unless the reports are asked for"]
#[derive(Debug)]
pub struct SendAll<'c, I> {
    client: &'c mut Client,
    batch: Batch<I>,
}

impl<I> SendAll<'_, I> {
    /// Returns the client, for its trace and what else it can tell meanwhile.
    pub fn client(&mut self) -> &mut Client {
        self.client
    }
}

impl<I> Iterator for SendAll<'_, I>
where
    I: Iterator<Item: IntoMessage<Body>>,
{
    type Item = Result<Report, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = |messages: &mut I, _: &mut Context<'_>| Poll::Ready(messages.next());
        let (driver, batch) = (&mut self.client.driver, &mut self.batch);
        poll_fn(|cx| batch.poll_report(driver, next, cx)).transpose()
    }
}
