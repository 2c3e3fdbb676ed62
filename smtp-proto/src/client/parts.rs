//! What is kept of messages that take more than one transaction, and of the server's limits.

use alloc::{string::String, vec::Vec};

use super::event::Outcome;
use crate::syntax::Limits;

/// What is known of a message that takes more than one transaction.
#[derive(Debug)]
pub(super) struct Parts {
    /// How many of them are unfinished.
    open: usize,
    /// The best outcome of the finished ones.
    best: Option<Outcome<'static>>,
}

/// What the session has used of the server's limits.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) limits: Limits,
    pub(super) mails: u32,
    /// In lower case.
    pub(super) domains: Vec<String>,
}

impl Usage {
    /// Tells whether the server takes no more transactions in this session (9422-4-a).
    pub(super) fn is_exhausted(&self) -> bool {
        let limit = self.limits.mail_max();
        limit.is_some_and(|limit| self.mails >= limit)
    }
}

impl Parts {
    /// Begins the account of a message in one part.
    pub(super) fn one() -> Self {
        Self {
            open: 1,
            best: None,
        }
    }

    /// Accounts for one more part.
    pub(super) fn add(&mut self) {
        self.open = self.open.saturating_add(1);
    }

    /// Accounts for the end of a part. Returns the message's outcome if it was the last.
    pub(super) fn close(&mut self, outcome: Outcome<'static>) -> Option<Outcome<'static>> {
        self.open = self.open.saturating_sub(1);
        if self
            .best
            .as_ref()
            .is_none_or(|best| rank(&outcome) > rank(best))
        {
            self.best = Some(outcome);
        }
        if self.open > 0 {
            None
        } else {
            self.best.take()
        }
    }
}

/// Orders outcomes: what happened for some recipient counts more than what did not.
fn rank(outcome: &Outcome<'_>) -> u8 {
    match outcome {
        Outcome::NotSent(_) => 0,
        Outcome::Refused(_) => 1,
        Outcome::InDoubt => 2,
        Outcome::Delivered(_) => 3,
    }
}
