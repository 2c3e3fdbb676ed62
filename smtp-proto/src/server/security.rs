//! From clear text to TLS.

use alloc::boxed::Box;
use core::time::Duration;

use super::event::{Event, TransactionId};
use super::pipeline::Answer;
use super::replies;
use super::sequence::{Asked, Place, State};
use super::session::{Authentication, Security, Session, Step};
use crate::framing::LineReader;
use crate::machine::{Fault, Misuse, TlsInfo};

impl Session {
    pub(super) fn start_tls<'i>(&mut self, now: Duration) -> Step<'i> {
        if self.closes_on_idle_command() {
            return Step::Again;
        }
        self.security = Security::Asked;
        Step::Event(Event::StartTls {
            ticket: self.ask(Asked::StartTls, TransactionId(0), Place::Last, now),
        })
    }

    /// Takes the verdict over STARTTLS, whose reply is not in the output yet.
    pub(super) fn settle_start_tls(&mut self, is_positive: bool) {
        self.security = Security::Clear;
        if is_positive {
            // All was answered before, so that this reply is the next.
            let kept = self.account.queued();
            let end = kept.saturating_add(replies::START_TLS.as_bytes().len() as u64);
            self.security = Security::Starting { kept, end };
        }
    }

    pub(super) fn wants_tls(&self) -> bool {
        self.ending.is_none() && self.is_for_tls()
    }

    /// Tells whether the bytes that come and go are TLS's.
    pub(super) fn is_for_tls(&self) -> bool {
        match self.security {
            Security::Starting { end, .. } => self.account.sent_in_all() >= end,
            _ => false,
        }
    }

    /// Ends the session if bytes came in clear where TLS is to begin (3207-4-h, X-14, TLS-1,
    /// TLS-3).
    pub(super) fn bytes_before_tls(&mut self, input: &[u8]) {
        if let Security::Clear | Security::Encrypted = self.security {
            return;
        }
        self.say_goodbye(Answer::Fixed(&replies::EARLY));
        self.fail(Fault::BytesBeforeTls, self.quotable(input));
    }

    /// Takes back the 220 that begins TLS, so that another reply can follow. Where it is too late
    /// nothing can: the client takes what comes for TLS.
    pub(super) fn renounce_tls(&mut self) {
        if let Security::Starting { kept, .. } = self.security {
            if self.is_for_tls() || !self.output.take_back(kept, &mut self.account) {
                self.silence();
            } else if let Some(trace) = &mut self.trace {
                trace.take_back();
            }
        }
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        // The client has read the 220.
        self.receipts.bytes_came(self.account.sent_in_all());
        self.read_timer.stop();
        self.security = Security::Encrypted;
        self.tls = Some(Box::new(info));
        // 3207-4.2-a, X-15, X-17: what was said in clear is forgotten.
        self.lines = LineReader::default();
        self.esmtp = false;
        self.authentication = Authentication::Missing;
        if self.account.queued() == 0 {
            self.greet(now);
        } else {
            self.state = State::Ungreeted;
        }
        Ok(())
    }

    pub(super) fn tls_failed(&mut self) {
        if self.wants_tls() {
            self.fail_mutely(Fault::TlsFailed);
        }
    }
}
