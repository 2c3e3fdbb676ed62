//! How messages and sessions come to their ends.

use alloc::boxed::Box;

use super::{
    event::{Cancellation, MessageId, NotSent, NotSentReason},
    pipeline::Expected,
    rules::Verb,
    session::{Phase, Session},
    transaction::{Stage, TransactionId},
};
use crate::machine::{Answer, Error, Fault, Misuse};
use crate::syntax::Reply;

impl Session {
    pub(super) fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        let mut cancellation: Result<Cancellation, Misuse> = Err(Misuse::UnknownMessage);
        for id in self.transactions.ids() {
            let Some(transaction) = self.transactions.get(id) else {
                continue;
            };
            if transaction.message() != message || transaction.finished {
                continue;
            }
            let cost = match transaction.stage {
                Stage::Waiting => Cancellation::Unsent,
                Stage::Recipients(_) => Cancellation::Withdrawn,
                Stage::Data | Stage::Content | Stage::Chunks => Cancellation::EndsConnection,
                Stage::LoneDot | Stage::Over => {
                    cancellation = cancellation.or(Err(Misuse::TooLate));
                    continue;
                }
            };
            // Of a message in several parts, the dearest counts.
            cancellation = Ok(cancellation.map_or(cost, |other| other.max(cost)));
            self.abandon(id, NotSentReason::Cancelled);
        }
        cancellation
    }

    /// Takes a transaction out of the way that must not be completed.
    ///
    /// Before DATA that costs a RSET. Later it costs the connection, as the server would take a
    /// part for the whole.
    pub(super) fn abandon(&mut self, id: TransactionId, reason: impl Into<NotSent>) {
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        transaction.not_sent.get_or_insert_with(|| reason.into());
        match transaction.stage {
            Stage::Waiting | Stage::Recipients(_) => {
                transaction.stage = Stage::Over;
                self.conclude(id);
            }
            // The reply to DATA decides: only after 354 does the server wait for content.
            Stage::Data | Stage::LoneDot => {}
            Stage::Content | Stage::Chunks | Stage::Over => self.abandoned = true,
        }
    }

    /// Ends the session with an error.
    pub(super) fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = Some(Box::new(Error::new(fault, self.state(), bytes)));
            self.end();
        }
    }

    /// Ends the session with an error that a reply has led to.
    pub(super) fn fail_answered(&mut self, fault: Fault, verb: Option<Verb>, reply: &Reply<'_>) {
        let Some(verb) = verb else {
            return self.fail(fault, reply.as_bytes());
        };
        if self.failure.is_none() {
            let answer = Answer {
                step: verb.step(),
                reply: reply.clone(),
            };
            self.failure = Some(Box::new(Error::answered(fault, self.state(), answer)));
            self.end();
        }
    }

    /// Ends the session in good order, or with the error that was kept for now.
    pub(super) fn close(&mut self) {
        match self.refusal.take() {
            Some(error) => self.failure = Some(error),
            None => self.closed_unreported = true,
        }
        self.phase = Phase::Closed;
        self.end();
    }

    pub(super) fn end(&mut self) {
        self.pipeline.clear();
        self.reply_deadline.stop();
        self.write_deadline.stop();
        self.decided.clear(); // what is unfinished is reported in order
        for id in self.transactions.ids() {
            self.hand_on_deferred(id);
            if let Some(transaction) = self.transactions.get_mut(id) {
                transaction.pending = 0;
            }
        }
    }

    /// Has a transaction's outcome reported if nothing more is sent or read for it.
    pub(super) fn conclude(&mut self, id: TransactionId) {
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        transaction.stop_if_hopeless();
        if transaction.is_concluded() {
            if core::mem::take(&mut transaction.content_begun) {
                self.open_contents = self.open_contents.saturating_sub(1);
            }
            self.decided.push_back(id);
        }
    }

    /// Accounts for the end of what can be read.
    pub(super) fn on_end(&mut self, input: &[u8]) {
        let quit = matches!(
            self.pipeline.front(),
            Some(Expected {
                verb: Verb::Quit,
                ..
            })
        );
        if quit && self.transactions.unfinished() == 0 {
            self.close();
        } else if self.abandoned {
            self.fail(Fault::ContentAbandoned, &[]);
        } else if self.write_failed {
            self.fail(Fault::WriteFailed, &[]);
        } else {
            self.fail(Fault::ConnectionLost, input);
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.quitting || self.write_failed || self.eof || self.abandoned || self.is_over()
    }

    pub(super) fn is_over(&self) -> bool {
        self.failure.is_some() || self.phase == Phase::Closed
    }

    /// Tells whether nothing can be sent any more, and nothing is to be read.
    pub(super) fn has_stopped(&self) -> bool {
        let unsent = || {
            !self
                .pipeline
                .front()
                .is_some_and(|front| self.wire.is_sent(front))
        };
        (self.abandoned && unsent()) || (self.write_failed && self.awaited().is_none())
    }
}
