//! What runs out, and what follows then.

use core::time::Duration;

use super::pipeline::{Answer, Question};
use super::replies;
use super::sequence::Asked;
use super::session::Session;
use super::transaction::Receiving;
use crate::machine::{Fault, Timer};

impl Session {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.read_timer.deadline(),
            self.account.timer.deadline(),
            self.pipeline.deadline(),
            self.held_until,
        ];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if let Some(timer) = self.account.timer.expired(now) {
            self.fail_mutely(Fault::TimedOut(timer));
        }
        if let Some(timer) = self.read_timer.expired(now) {
            let answer = self.named(replies::timed_out);
            self.say_goodbye(answer);
            self.fail(Fault::TimedOut(timer), &[]);
        }
        self.release_reply(now);
        while let Some(question) = self.pipeline.overdue(now) {
            self.settle_overdue(question);
        }
        self.arm(now);
    }

    /// Sees to it that the timers run that should, and no others.
    pub(super) fn arm(&mut self, now: Duration) {
        if self.mute {
            return;
        }
        self.account.arm(now);
        self.arm_tarpit(now);
        let settings = self.config.settings();
        let (timer, time) = match self.receiving {
            Receiving::Commands => (Timer::Idle, settings.idle_timeout),
            _ => (Timer::Receive, self.patience),
        };
        // Only the bytes of a chunk have to come while replies are owed: after DATA, 354 is one.
        let in_chunk = matches!(self.receiving, Receiving::Chunk { .. });
        let owed = self.pipeline.len() > 0 || self.account.backlog() > 0;
        if self.ending.is_some() || owed && !in_chunk {
            self.read_timer.stop();
        } else if !self.read_timer.is_running() {
            self.read_timer.start(timer, time, now);
        }
    }

    /// Gives the client more time, for `bytes` that came at `now` (RES-3).
    pub(super) fn reward(&mut self, bytes: u64, now: Duration) {
        if bytes == 0 {
            return;
        }
        let settings = self.config.settings();
        let left = match self.read_timer.deadline() {
            Some(deadline) => deadline.saturating_sub(now),
            None => self.patience,
        };
        let earned = bytes
            .saturating_mul(1_000_000)
            .checked_div(settings.min_content_rate)
            .map_or(settings.receive_timeout, Duration::from_micros);
        self.patience = left.saturating_add(earned).min(settings.receive_timeout);
        self.read_timer.stop();
    }

    /// Answers for an application that took too long.
    fn settle_overdue(&mut self, question: Question) {
        if question.asked == Asked::Greeting {
            let answer = self.named(replies::timed_out);
            self.settle(question, answer, false);
            self.fail(Fault::TimedOut(Timer::Verdict), &[]);
        } else {
            self.settle(question, overdue(question.asked), false);
        }
    }
}

/// Returns what answers for an application that took too long.
fn overdue(asked: Asked) -> Answer {
    Answer::Fixed(match asked {
        Asked::StartTls => &replies::TLS_UNAVAILABLE,
        Asked::Auth => &replies::AUTHENTICATION_UNAVAILABLE,
        _ => &replies::OVERDUE,
    })
}
