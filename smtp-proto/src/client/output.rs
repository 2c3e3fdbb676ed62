//! What is written next, and the account of what was.

use alloc::vec::Vec;
use core::{mem, time::Duration};

use super::{
    event::{Body, BodyRequest},
    session::Session,
    wire::Plan,
};
use crate::{
    framing::{Progress, Slices, Transmit},
    machine::{Timer, limits},
};

/// The bytes that a client wants written.
#[derive(Default)]
pub(super) struct Output {
    /// Commands, and the ends of contents.
    control: Vec<u8>,
    /// Content that had to be rewritten.
    scratch: Vec<u8>,
}

/// Shows no bytes: there may be credentials among them.
impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bytes = self.control.len();
        f.debug_struct("Output")
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Output {
    pub(super) fn shrink(&mut self, session: &mut Session) {
        session.forget_sent(&mut self.control);
        self.control.shrink_to_fit();
        self.scratch = Vec::new();
    }
}

impl Session {
    pub(super) fn transmit<'a>(
        &'a mut self,
        output: &'a mut Output,
        body: Option<(BodyRequest, Body<'a>)>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        let Output { control, scratch } = output;
        self.forget_sent(control);
        self.wire.plan = Plan::default();
        let mut slices = Slices::new();
        let wanted = self.wanted().map(|(id, _)| id);
        // What answers another request than the one in force is another message's, or another part.
        let request = self.body_request();
        let body = body.and_then(|(answered, body)| (Some(answered) == request).then_some(body));
        self.render(control);
        if let Some(id) = wanted {
            self.plan_content(id, body, control, scratch, &mut slices);
        }
        if self.is_over() || self.write_failed {
            return Transmit::new(Slices::new(), self);
        }
        let unsent: &'a [u8] = control.get(self.wire.sent..).unwrap_or_default();
        let before = match &self.wire.content {
            Some(open) => usize::try_from(open.at - self.wire.position()).unwrap_or(usize::MAX),
            None => unsent.len(),
        };
        let (before, after) = unsent.split_at_checked(before).unwrap_or((unsent, &[]));
        self.wire.plan.before = before.len();
        if !before.is_empty() {
            slices.insert(0, before);
        }
        if self.wire.plan.whole && !after.is_empty() {
            slices.push(after);
        }
        self.mark_offered(before.len(), after.len());
        if !slices.is_empty() && !self.write_deadline.is_running() {
            self.write_deadline
                .start(Timer::Write, self.config.timeouts.write, now);
        }
        Transmit::new(slices, self)
    }

    /// Notes what the transport is about to be offered, and which messages that puts in doubt.
    fn mark_offered(&mut self, before: usize, after: usize) {
        let wire = &mut self.wire;
        let whole = wire.plan.whole;
        let mut until = wire.position() + before as u64;
        if whole || wire.content.is_none() {
            until += after as u64;
        }
        wire.offered = wire.offered.max(until);
        let mut cut = None;
        if let Some(open) = &mut wire.content {
            open.offered |= whole;
            cut = (!whole).then_some(open.transaction);
        }
        for &(id, end) in &wire.ends {
            if end <= until
                && cut != Some(id)
                && let Some(transaction) = self.transactions.get_mut(id)
            {
                transaction.in_doubt = true;
            }
        }
    }

    /// Drops the control bytes that have left.
    pub(super) fn forget_sent(&mut self, control: &mut Vec<u8>) {
        let wire = &mut self.wire;
        if wire.sent == control.len() || wire.sent > limits::RENDERED_BYTES {
            wire.base += wire.sent as u64;
            if mem::take(&mut wire.secret)
                && let Some(left) = control.get_mut(..wire.sent)
            {
                left.fill(0);
            }
            control.drain(..wire.sent.min(control.len()));
            wire.sent = 0;
        }
    }
}

impl Progress for Session {
    fn wrote(&mut self, bytes: usize, slices: &[&[u8]], now: Duration) -> usize {
        if self.write_failed {
            // What a failed write has carried out nobody knows: no doubt is taken back.
            return 0;
        }
        let plan = mem::take(&mut self.wire.plan);
        let before = bytes.min(plan.before);
        let wire = (bytes - before).min(plan.wire);
        let after = bytes - before - wire;
        self.wire.sent += before + after;
        let mut consumed = 0;
        if before == plan.before && self.wire.content.is_some() {
            let skip = usize::from(plan.before > 0);
            let planned = slices.get(skip..skip + plan.slices).unwrap_or_default();
            self.wire.plan = plan;
            consumed = self.content_sent(planned, wire);
            self.wire.plan = Plan::default();
        }
        let position = self.wire.position();
        // A short write takes back what was offered, and doubt with it.
        self.wire.offered = position;
        let open = self.wire.content();
        let transactions = &mut self.transactions;
        self.wire.ends.retain(|&mut (id, end)| {
            let left = end <= position && open != Some(id);
            if let Some(transaction) = transactions.get_mut(id) {
                transaction.in_doubt = left;
            }
            !left
        });
        if bytes > 0 {
            self.write_deadline.stop();
        }
        self.start_reply_deadline(now);
        consumed
    }

    fn blocked(&mut self, now: Duration) {
        self.wrote(0, &[], now);
    }

    fn failed(&mut self) {
        self.write_failed();
    }
}
