//! How sessions end.

use super::content::Receiving;
use super::event::{Event, ResetCause};
use super::pipeline::Answer;
use super::sequence::Place;
use super::{Ending, Server};
use crate::machine::{Error, Fault};

impl Server {
    /// Returns the next event of a session that is ending, once everything is answered and written.
    pub(super) fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if !self.closed {
            if !self.is_drained() {
                return Ok(None);
            }
            let sent = self.account.sent_in_all();
            if let Some((transaction, certainty)) = self.receipts.next_of_all(sent) {
                return Ok(Some(Event::Acknowledged {
                    transaction,
                    certainty,
                }));
            }
            self.closed = true;
            if let Some(Ending::Quit) = self.ending {
                return Ok(Some(Event::Closed));
            }
        }
        match &self.ending {
            Some(Ending::Failed(error)) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// Tells whether the client is owed nothing more that could reach it.
    pub(super) fn is_drained(&self) -> bool {
        self.mute || self.pipeline.len() == 0 && self.account.backlog() == 0
    }

    /// Ends the session with a last reply, which takes the place of one that the client could not
    /// make use of any more.
    pub(super) fn say_goodbye(&mut self, answer: Answer) {
        if self.ending.is_some() {
            return;
        }
        if let Some(question) = self.pipeline.holding() {
            self.pipeline.answer(question, answer, None);
            self.depart();
        } else {
            self.answer(answer, Place::Any);
        }
    }

    /// Ends the session in error, once everything is answered and written.
    pub(super) fn fail(&mut self, fault: Fault, octets: &[u8]) {
        let error = Error::new(fault, self.describe(), octets);
        self.end(Ending::Failed(error), ResetCause::Ended);
    }

    /// Ends the session in error at once: the client cannot be reached.
    pub(super) fn fail_mutely(&mut self, fault: Fault) {
        self.fail(fault, &[]);
        self.mute = true;
        self.pipeline.clear();
        self.output.clear();
        self.account.timer.stop();
    }

    pub(super) fn end(&mut self, ending: Ending, cause: ResetCause) {
        if self.ending.is_some() {
            return;
        }
        self.drop_transaction(cause);
        self.receiving = Receiving::Commands;
        self.ending = Some(ending);
        self.read_timer.stop();
    }

    pub(super) fn describe(&self) -> &'static str {
        match self.receiving {
            Receiving::Commands => self.state.describe(),
            Receiving::Data(_) | Receiving::Chunk { .. } => "in content",
        }
    }
}
