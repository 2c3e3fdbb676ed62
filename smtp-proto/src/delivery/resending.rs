//! What is sent again after a lost connection, to whom, how often and when.

use alloc::vec::Vec;
use core::time::Duration;

use super::report::Report;
use crate::{
    client::{Envelope, NotSent, NotSentReason, Outcome},
    machine::{Error, Step},
};

/// Tells how often and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// How often a message is tried in all: 3 times. If its server cannot be reached, that is a try of each
    /// message that waits for it; and the last one, if that server has never answered an adapter's `Sender`: it
    /// may not be one.
    pub attempts: u32,
    /// How long to wait after the first failure of a server: 1 second. It doubles with each.
    pub first_delay: Duration,
    /// How long to wait at most: 1 minute.
    pub longest_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// Returns how long to wait after so many failures in a row.
    pub fn delay(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first_delay
            .saturating_mul(factor)
            .min(self.longest_delay)
    }
}

/// Remembers of one server how long it is to be left alone, from one message to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
    until: Duration,
}

impl Backoff {
    /// Takes note that the server could not be reached, or has ended a session before its time.
    ///
    /// While it is left alone nobody connects to it: what fails then was begun before, and is the same
    /// failure.
    pub fn failed(&mut self, retry: &Retry, now: Duration) {
        if now < self.until {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.until = now.saturating_add(retry.delay(self.failures));
    }

    /// Takes note that the server does its work.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Returns how long to wait before the next connection.
    pub fn wait(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }
}

/// Tells what to do next about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Send it to those in [`Resending::envelope`].
    Send,
    /// Some recipients are in doubt: somebody has to [decide](Resending::resolve), since to send it
    /// again may deliver it to them twice (RFC 1047).
    Ask,
    /// Nothing. [`Resending::into_report`] tells what became of it.
    Nothing,
}

/// Sends one message over as many connections as it takes: exactly what was not sent, and may be
/// taken, is sent again.
///
/// What was delivered or refused is done with, also where the server refused it for now: when to
/// try that again is for a queue to say.
#[derive(Debug)]
pub struct Resending {
    /// For those that are left.
    envelope: Envelope<'static>,
    /// Their positions in the message's own envelope.
    left: Vec<usize>,
    /// Who is in doubt, as positions among those that are left.
    in_doubt: Vec<usize>,
    /// Who is to have it again, likewise.
    again: Vec<usize>,
    report: Option<Report>,
    attempts: u32,
}

impl Resending {
    /// Begins with a message that may be tried so often.
    pub fn new(envelope: Envelope<'static>, attempts: u32) -> Self {
        Self {
            left: (0..envelope.recipients().len()).collect(),
            envelope,
            in_doubt: Vec::new(),
            again: Vec::new(),
            report: None,
            attempts: attempts.max(1),
        }
    }

    /// Returns the envelope for those who are to have the message now.
    pub fn envelope(&self) -> &Envelope<'static> {
        &self.envelope
    }

    /// Takes note that no connection could be had, so that nothing was sent.
    pub fn failed(&mut self) -> Next {
        self.attempts -= 1;
        match self.attempts {
            0 => Next::Nothing,
            _ => Next::Send,
        }
    }

    /// Takes note of what became of it over one connection.
    pub fn observe(&mut self, report: Report) -> Next {
        let is_failed_try = !has_done_all_it_may(&report);
        self.attempts = self.attempts.saturating_sub(u32::from(is_failed_try));
        let positions = |is_one: fn(&Outcome<'_>) -> bool| {
            let outcomes = report.recipients.iter().enumerate();
            outcomes.filter(move |(_, outcome)| is_one(outcome))
        };
        let is_in_doubt = |outcome: &Outcome<'_>| matches!(outcome, Outcome::InDoubt);
        self.in_doubt = positions(is_in_doubt).map(|(at, _)| at).collect();
        self.again = positions(is_worth_another_try).map(|(at, _)| at).collect();
        self.merge(report);
        if self.attempts == 0 {
            Next::Nothing
        } else if self.in_doubt.is_empty() {
            self.narrow()
        } else {
            Next::Ask
        }
    }

    /// Decides whether those who are in doubt are to have it again.
    pub fn resolve(&mut self, again: bool) -> Next {
        let in_doubt = core::mem::take(&mut self.in_doubt);
        if again {
            self.again.extend(in_doubt);
            self.again.sort_unstable();
        }
        self.narrow()
    }

    /// Has the next attempt not count.
    #[cfg(feature = "std")]
    pub(super) fn spare_attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    fn narrow(&mut self) -> Next {
        let again = core::mem::take(&mut self.again);
        if again.is_empty() {
            return Next::Nothing;
        }
        self.envelope = self.envelope.clone().narrowed(&again);
        let left = again.iter().filter_map(|&at| self.left.get(at).copied());
        self.left = left.collect();
        Next::Send
    }

    /// Puts what became of those who were left in its place.
    fn merge(&mut self, report: Report) {
        let Some(whole) = &mut self.report else {
            self.report = Some(report);
            return;
        };
        let news = report.recipients.into_iter().zip(report.answers);
        for (&at, (outcome, answer)) in self.left.iter().zip(news) {
            if let Some(place) = whole.recipients.get_mut(at) {
                *place = outcome;
            }
            if let Some(place) = whole.answers.get_mut(at) {
                *place = answer;
            }
        }
        whole.outcome = report.outcome;
    }

    /// Returns what became of it; `None` if it was never submitted.
    pub fn into_report(self) -> Option<Report> {
        self.report
    }
}

/// Returns whether a recipient can have the message from another connection: it was not sent, and not
/// for a reason that stays.
fn is_worth_another_try(outcome: &Outcome<'_>) -> bool {
    let Outcome::NotSent(why) = outcome else {
        return false;
    };
    let is_ours = matches!(
        why.reason,
        NotSentReason::BodyFailed
            | NotSentReason::Cancelled
            | NotSentReason::NotForAll
            | NotSentReason::OnlyVerified
    );
    !is_ours && !NotSent::is_permanent(why)
}

/// Returns whether a session has come to its end for some recipients, and leaves the others to the next
/// one because the server has said that it takes no more in one session (9422-4-c).
fn has_done_all_it_may(report: &Report) -> bool {
    let is_left = |outcome: &Outcome<'_>| match outcome {
        Outcome::NotSent(why) => why.reason == NotSentReason::LimitReached && why.answer.is_none(),
        _ => false,
    };
    let is_settled =
        |outcome: &Outcome<'_>| matches!(outcome, Outcome::Delivered(_) | Outcome::Refused(_));
    let mut outcomes = report.recipients.iter();
    outcomes.clone().all(|it| is_left(it) || is_settled(it))
        && outcomes.clone().any(is_left)
        && outcomes.any(is_settled)
}

/// Returns whether another address of the same host may do what this one did not.
///
/// A server that refuses who we are, or that what we say, is no reason to ask its twin.
pub fn tries_next_address(error: &Error) -> bool {
    match error.answer() {
        Some(answer) => answer.step == Step::Greeting || error.is_transient(),
        None => error.is_transient(),
    }
}
