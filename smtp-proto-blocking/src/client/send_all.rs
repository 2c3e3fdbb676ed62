//! Many messages, one after the other without waiting.

use smtp_proto::client::Envelope;
use smtp_proto::delivery::Report;

use super::{body::Body, session::Client};
use crate::{Error, Transport};

impl<T: Transport> Client<T> {
    /// Sends messages as fast as the pipelining policy allows, and yields their reports.
    ///
    /// Messages are taken from the iterator as they can be sent, two of them in advance. One that is
    /// refused by [`submit`](Self::submit) ([`Error::Misuse`]) does not keep the others from being
    /// sent. If the session fails, its error comes last, and the rest of the iterator was not used.
    pub fn send_all<'e, I, B>(&mut self, messages: I) -> SendAll<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = (Envelope<'e>, B)>,
        B: Into<Body>,
    {
        SendAll {
            client: self,
            messages: messages.into_iter(),
            state: State::Submitting,
        }
    }
}

/// Sends messages and yields their [`Report`]s; see [`Client::send_all`].
#[must_use = "nothing is sent unless the reports are asked for"]
#[derive(Debug)]
pub struct SendAll<'c, T, I> {
    client: &'c mut Client<T>,
    messages: I,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Submitting,
    /// There are no more messages to submit.
    Finishing,
    /// The session's error was yielded.
    Failed,
}

impl<'e, T, I, B> Iterator for SendAll<'_, T, I>
where
    T: Transport,
    I: Iterator<Item = (Envelope<'e>, B)>,
    B: Into<Body>,
{
    type Item = Result<Report, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.client.supplied = self.state == State::Submitting;
            while self.client.is_short_of_messages() {
                let Some((envelope, body)) = self.messages.next() else {
                    self.state = State::Finishing;
                    self.client.supplied = false;
                    break;
                };
                if let Err(misuse) = self.client.submit(&envelope, body) {
                    self.client.supplied = false;
                    return Some(Err(misuse.into()));
                }
            }
            if self.state == State::Failed {
                return None;
            }
            let known = self.client.known_report();
            if known.is_none() {
                self.client.turn();
                continue;
            }
            self.client.supplied = false;
            if let Some(Err(_)) = known {
                self.state = State::Failed;
            }
            return known?.transpose();
        }
    }
}
