//! Many messages, one after the other without waiting.

use std::task::Poll;

use smtp_proto::delivery::{IntoMessage, Report};

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
            messages: Some(messages.into_iter()),
            has_failed: false,
        }
    }
}

/// Sends messages and yields their [`Report`]s; see [`Client::send_all`].
#[must_use = "nothing is sent unless the reports are asked for"]
#[derive(Debug)]
pub struct SendAll<'c, I> {
    client: &'c mut Client,
    /// Those that were not taken, until there are no more.
    messages: Option<I>,
    /// The session's error was yielded.
    has_failed: bool,
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
        let result = self.next_report();
        self.client.driver.set_supplied(false);
        result.transpose()
    }
}

impl<I> SendAll<'_, I>
where
    I: Iterator<Item: IntoMessage<Body>>,
{
    fn next_report(&mut self) -> Result<Option<Report>, Error> {
        while !self.has_failed {
            self.client.driver.set_supplied(self.messages.is_some());
            while let Some(messages) = &mut self.messages
                && self.client.driver.courier().wants_message()
            {
                match messages.next() {
                    Some(message) => {
                        message
                            .submit_to(|envelope, body| self.client.submit(envelope, body))??;
                    }
                    None => {
                        self.messages = None;
                        self.client.driver.set_supplied(false);
                    }
                }
            }
            if let Poll::Ready(report) = self.client.driver.courier_mut().next_report() {
                self.has_failed = report.is_err();
                return report.map_err(|error| self.client.driver.endpoint().explain(error));
            }
            poll_fn(|cx| self.client.driver.poll_turn(cx));
        }
        Ok(None)
    }
}
