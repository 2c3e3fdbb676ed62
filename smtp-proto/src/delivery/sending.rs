//! One message with its content, over as many connections as it takes.

use core::{fmt, mem, ops::ControlFlow};

use super::{
    content::{Content, Supply},
    error::Error,
    policy::Policy,
    report::Report,
    resending::{Next, Resending},
};
use crate::{client::Envelope, machine::Misuse};

/// A message on its way over as many connections as it takes: what was not sent is sent again, as long
/// as its content can be.
pub struct Sending<S> {
    resending: Resending,
    content: Content<S>,
}

impl<S: Supply> Sending<S> {
    /// Begins with a message that was not sent yet.
    pub fn new(policy: &Policy, envelope: Envelope<'static>, content: Content<S>) -> Self {
        Self {
            resending: Resending::new(envelope, policy.retry.attempts),
            content,
        }
    }

    /// Returns what to submit to a connection. What becomes of it must be [observed](Self::observe).
    pub fn message(&mut self) -> (Envelope<'static>, Content<S>) {
        let content = mem::replace(&mut self.content, Content::from(&[][..]));
        (self.resending.envelope().clone(), content)
    }

    /// Has the next attempt not count: its connection [had ended](super::Courier::had_ended_before) before.
    pub fn spare_attempt(&mut self) {
        self.resending.spare_attempt();
    }

    /// Returns whether it may go only over a connection to a server that is verified (RFC 8689 4.2.1).
    pub(super) fn needs_verified_tls(&self) -> bool {
        self.resending.envelope().needs_verified_tls()
    }

    /// Takes note that no connection could be had. Breaks off with what became of the message, if it is
    /// not to be tried over another.
    pub(super) fn failed(mut self, error: Error) -> ControlFlow<Result<Report, Error>, Self> {
        if error.is_transient() && self.resending.failed() == Next::Send {
            return ControlFlow::Continue(self);
        }
        ControlFlow::Break(self.given_up(error))
    }

    /// Returns what became of the message, as no connection is waited for.
    pub(super) fn given_up(self, error: Error) -> Result<Report, Error> {
        self.resending.into_report().ok_or(error)
    }

    /// Takes note of what became of it over one connection, and of its content as it was left. Breaks
    /// off with the whole, if nothing is to be sent again, or nothing can be.
    pub fn observe(
        mut self,
        policy: &Policy,
        report: Report,
        left: Option<Content<S>>,
    ) -> ControlFlow<Result<Report, Error>, Self> {
        let mut next = self.resending.observe(report);
        if next == Next::Ask {
            let decide = policy.sends_again.as_deref();
            let again = decide.is_some_and(|decide| decide(self.resending.envelope()));
            next = self.resending.resolve(again);
        }
        match left {
            Some(left) if next == Next::Send && left.can_begin_again() => {
                self.content = left;
                ControlFlow::Continue(self)
            }
            // It was submitted, so there is a report.
            _ => {
                let report = self.resending.into_report();
                ControlFlow::Break(report.ok_or(Misuse::UnknownMessage.into()))
            }
        }
    }
}

impl<S: Supply> fmt::Debug for Sending<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("resending", &self.resending)
            .field("content", &self.content)
            .finish()
    }
}
