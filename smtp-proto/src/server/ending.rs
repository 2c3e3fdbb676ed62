//! How sessions end.

use super::event::{Event, ResetCause};
use super::pipeline::Answer;
use super::replies;
use super::sequence::{Asked, Place};
use super::session::{Authentication, Ending, Session};
use super::transaction::Receiving;
use crate::machine::{Error, Fault, Misuse};
use crate::syntax::Reply;

impl Session {
    pub(super) fn shut_down(&mut self, reply: Reply<'_>) -> Result<(), Misuse> {
        if self.ending.is_some() {
            return Err(Misuse::Ending);
        }
        Asked::check_refusal(&reply)?;
        let answer = self.compose(&reply, Asked::Message);
        self.say_goodbye(answer);
        self.fail(Fault::ShutDown, &[]);
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.read_to_end
    }

    /// Returns the next event of a session that is ending, once everything is answered and written.
    pub(super) fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if !self.closed {
            if !self.is_drained() {
                return Ok(None);
            }
            let sent = self.account.sent_in_all();
            if let Some((accepted, certainty)) = self.receipts.next_of_all(sent) {
                return Ok(Some(accepted.acknowledged(certainty)));
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
        self.renounce_tls();
        if self.mute {
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
    pub(super) fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        let error = Error::new(fault, self.describe(), bytes);
        self.end(Ending::Failed(error), ResetCause::Ended);
    }

    /// Ends the session if its last transmission failed.
    pub(super) fn note_failed_write(&mut self) {
        if self.account.failed {
            self.fail_mutely(Fault::WriteFailed);
        }
    }

    /// Ends the session in error at once: the client cannot be reached.
    pub(super) fn fail_mutely(&mut self, fault: Fault) {
        self.fail(fault, &[]);
        self.silence();
    }

    /// Sends nothing any more.
    pub(super) fn silence(&mut self) {
        self.mute = true;
        self.read_timer.stop();
        let receipts = &mut self.receipts;
        self.pipeline.clear(|accepted| receipts.unsent(accepted));
        self.output.clear();
        self.account.timer.stop();
    }

    pub(super) fn end(&mut self, ending: Ending, cause: ResetCause) {
        if self.ending.is_some() {
            return;
        }
        self.drop_transaction(cause);
        self.ending = Some(ending);
        // What was held back leaves with the rest.
        self.depart();
    }

    pub(super) fn describe(&self) -> &'static str {
        match self.receiving {
            _ if self.is_for_tls() => "before the TLS handshake",
            _ if self.authentication == Authentication::Exchange => "in an authentication exchange",
            Receiving::Commands => self.state.describe(),
            Receiving::Data(_) | Receiving::Chunk { .. } => "in content",
        }
    }

    /// Counts an error; too many end the session.
    pub(super) fn count_error(&mut self) {
        self.tally.errors = self.tally.errors.saturating_add(1);
        if self.tally.errors >= self.config.settings().max_errors {
            self.close_on_errors();
        }
    }

    /// Counts a command out of place, unless it was sent before the client could know.
    pub(super) fn count_misplaced(&mut self) {
        match self.tally.pardons.checked_sub(1) {
            Some(pardons) => self.tally.pardons = pardons,
            None => self.count_error(),
        }
    }

    /// Counts a command to no purpose. Too many end the session; then 421 answers this one.
    pub(super) fn closes_on_idle_command(&mut self) -> bool {
        self.tally.idle_commands = self.tally.idle_commands.saturating_add(1);
        let closes = self.tally.idle_commands > self.config.settings().max_idle_commands;
        if closes {
            self.close_on_errors();
        }
        closes
    }

    pub(super) fn close_on_errors(&mut self) {
        let answer = self.named(replies::too_many_errors);
        self.say_goodbye(answer);
        self.fail(Fault::TooManyErrors, &[]);
    }
}
