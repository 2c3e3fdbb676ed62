//! The verdicts over one message for each of its recipients, as LMTP has them.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::call::Asked;
use super::verdict::{Refusal, Verdict};

/// Gives the right to decide about a message for each of its recipients.
///
/// Recipients are counted as in [`Envelope::recipients`](super::Envelope::recipients). Each verdict
/// leaves as soon as those before it have been given (2033-5-c). Recipients that are left when it is
/// dropped are answered 451.
pub struct Deliveries {
    /// What was decided is given away.
    asked: Vec<Option<Asked>>,
    decided: Box<dyn FnMut(Asked, Verdict) + Send>,
}

impl Deliveries {
    /// Has what is decided about [these](super::Call::Deliver) handed on, to be
    /// [answered](super::Reception::answer).
    pub fn new(
        asked: impl IntoIterator<Item = Asked>,
        decided: impl FnMut(Asked, Verdict) + Send + 'static,
    ) -> Self {
        Self {
            asked: asked.into_iter().map(Some).collect(),
            decided: Box::new(decided),
        }
    }

    /// Returns how many recipients there are, decided or not.
    pub fn count(&self) -> usize {
        self.asked.len()
    }

    /// Decides for one recipient. Does nothing if there is none such, or if it was decided before.
    pub fn decide(&mut self, recipient: usize, verdict: Verdict) {
        if let Some(asked) = self.asked.get_mut(recipient).and_then(Option::take) {
            (self.decided)(asked, verdict);
        }
    }

    /// Decides alike for all recipients that are left.
    pub fn decide_rest(mut self, verdict: &Verdict) {
        self.decide_all(verdict);
    }

    fn decide_all(&mut self, verdict: &Verdict) {
        for asked in self.asked.iter_mut().filter_map(Option::take) {
            (self.decided)(asked, verdict.clone());
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.decide_all(&Err(Refusal::local_error()));
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
