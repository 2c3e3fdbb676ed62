//! What LMTP's verdicts on one content come to (RFC 2033 4.2).

use alloc::boxed::Box;

use super::event::Outcome;
use crate::{
    machine::{Answer, Step},
    syntax::Reply,
};

/// The verdicts so far, of which one stands for the message: the first positive one, or else the first.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    best: Option<Box<Answer<'static>>>,
    count: usize,
}

impl Verdicts {
    /// Adds that for the next of the recipients who were accepted.
    pub(super) fn add(&mut self, step: Step, reply: &Reply<'_>) {
        let is_better = |best: &Answer<'_>| reply.is_positive() && !best.reply.is_positive();
        if self.best.as_deref().is_none_or(is_better) {
            let reply = reply.clone().into_owned();
            self.best = Some(Box::new(Answer { step, reply }));
        }
        self.count = self.count.saturating_add(1);
    }

    /// Returns for how many recipients there was one.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Takes what becomes of the message by them, if there was any.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome<'static>> {
        let Answer { step, reply } = *self.best.take()?;
        Some(Outcome::by(step, reply))
    }
}
