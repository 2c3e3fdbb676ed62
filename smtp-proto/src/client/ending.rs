//! The end of a session: with which error, and what becomes of what is unfinished.

use alloc::boxed::Box;

use super::{
    event::{NotSent, NotSentReason},
    link::Link,
    messages::Messages,
    opening::Opening,
    table::{Standing, State, Verb},
};
use crate::{
    machine::{Answer, Error, Fault, Remark, Step},
    syntax::{Class, Reply},
};

/// The parts of a session that end with it. It lasts for one step, and owns nothing.
pub(super) struct Ending<'s> {
    standing: &'s mut Standing,
    opening: &'s mut Opening,
    messages: &'s mut Messages,
    link: &'s mut Link,
    failure: &'s mut Option<Box<Error>>,
}

impl<'s> Ending<'s> {
    pub(super) fn new(
        standing: &'s mut Standing,
        opening: &'s mut Opening,
        messages: &'s mut Messages,
        link: &'s mut Link,
        failure: &'s mut Option<Box<Error>>,
    ) -> Self {
        Self {
            standing,
            opening,
            messages,
            link,
            failure,
        }
    }

    /// Ends the session with an error.
    pub(super) fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        // The server that ends the session, or falls silent, after it has refused EHLO has said why.
        if has_gone(fault)
            && let Some(answer) = self.opening.take_refused_ehlo()
        {
            let error = Error::answered(Fault::SessionRefused, Verb::Ehlo.state(), answer)
                .remarking(Remark::unanswered("HELO", fault));
            return self.fail_by(error, NotSentReason::SessionRefused, 0);
        }
        let error = Error::new(fault, self.state(), bytes);
        self.fail_with(error, self.link.offered());
    }

    /// Ends the session whose connection has ended: for TLS, if nothing has come by that.
    pub(super) fn fail_lost(&mut self, fault: Fault, input: &[u8]) {
        match self.opening.has_been_heard() {
            true => self.fail(fault, input),
            false => self.fail(Fault::TlsFailed, input),
        }
    }

    /// Ends the session for what cannot be read as a reply, of which this much tells.
    pub(super) fn fail_unreadable(&mut self, fault: Fault, bytes: &[u8], input: &[u8]) {
        self.link.leave_unread(input);
        self.messages.outcomes().distrust();
        let error = Error::new(fault, self.state(), bytes);
        let error = error.remarking(self.link.before_unreadable());
        self.fail_with(error, self.link.offered());
    }

    /// Ends the session for a 421 that answers nothing. It may refuse the content that is being sent;
    /// nothing else is known of its cause.
    pub(super) fn fail_closing(&mut self, reply: Reply<'_>) {
        let content = self.link.content();
        let step = content.map_or(Step::Greeting, |_| Step::Content);
        let answer = Answer { step, reply };
        if let Some(id) = content {
            self.messages.refuse(id, answer.clone());
        }
        let error = Error::answered(Fault::Closing, self.state(), answer);
        self.fail_by(error, NotSentReason::ConnectionEnded, self.link.offered());
    }

    /// Ends the session for any other reply that answers nothing.
    pub(super) fn fail_surplus(&mut self, reply: Reply<'_>) {
        let refuses = matches!(reply.class(), Class::Transient | Class::Permanent);
        match self.link.content().filter(|_| refuses) {
            Some(id) => {
                // The server does not want the rest. It cannot be told that there is none.
                let answer = Answer {
                    step: Step::Content,
                    reply,
                };
                self.messages.refuse(id, answer.clone());
                let error = Error::answered(Fault::ContentAbandoned, self.state(), answer);
                self.fail_with(error, self.link.offered());
            }
            None => {
                self.messages.outcomes().distrust();
                self.fail(Fault::SurplusReply, reply.as_bytes());
            }
        }
    }

    /// Ends the session with what a reply has said. What was not offered as far as there, and was not
    /// refused, is not sent.
    pub(super) fn fail_by(&mut self, error: Error, reason: NotSentReason, offered: u64) {
        let reason = NotSent {
            answer: error.answer().cloned().map(Box::new),
            ..reason.into()
        };
        self.fail_with(error, offered);
        self.messages.outcomes().blame(&reason);
    }

    /// Ends the session with an error that a reply has led to.
    pub(super) fn fail_answered(&mut self, fault: Fault, verb: Verb, reply: &Reply<'_>) {
        let answer = Answer {
            step: verb.step(),
            reply: reply.clone(),
        };
        let error = Error::answered(fault, verb.state(), answer);
        self.fail_with(error, self.link.offered());
    }

    /// Ends the session, as replies and commands no longer match.
    pub(super) fn fail_desync(&mut self, fault: Fault, verb: Verb, reply: &Reply<'_>) {
        self.messages.outcomes().distrust();
        self.fail_answered(fault, verb, reply);
    }

    /// Ends the session with this error, unless the server has refused the session before, which tells
    /// more than how it ended after that.
    pub(super) fn fail_with(&mut self, error: Error, offered: u64) {
        if self.standing.state() == State::Closed {
            return;
        }
        let refusal = match error.fault() {
            Fault::ShutDown => None,
            _ => self.opening.take_refusal(),
        };
        *self.failure = refusal.or_else(|| Some(Box::new(error)));
        self.end(offered);
    }

    /// Ends the session in good order, or with the error that was kept for now.
    pub(super) fn close(&mut self) {
        match self.opening.take_refusal() {
            Some(error) => *self.failure = Some(error),
            None => self.messages.closed(),
        }
        self.end(self.link.offered());
    }

    /// Ends the session: what is unfinished is told in order. A message whose end was offered, up to
    /// there, is in doubt.
    fn end(&mut self, offered: u64) {
        self.standing.end();
        let Self { link, messages, .. } = self;
        let mut outcomes = messages.outcomes();
        link.give_up(offered, |id| outcomes.doubt(id));
        outcomes.end();
    }

    /// Returns what the session is doing, as words.
    pub(super) fn state(&self) -> &'static str {
        if let Some(state) = self.link.state() {
            return state;
        }
        match self.standing.state() {
            State::Handshake => "waiting for the TLS handshake",
            State::Connected | State::Due(_) | State::Asked => "opening the session",
            State::Ready => self.messages.state(),
            State::Leaving | State::Closed => "leaving",
        }
    }
}

/// Returns whether a fault says no more than that the server has ended the session, or is silent.
fn has_gone(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ConnectionLost | Fault::WriteFailed | Fault::TimedOut(_)
    )
}
