//! The messages of one connection: the content of each, and what becomes of it.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::task::Poll;

use super::report::{Report, Reports};
use crate::{
    client::{Event, MessageId, Outcome},
    syntax::Reply,
};

/// Holds the contents of messages until they are finished, and then the reports until they are taken.
pub(super) struct Parcels<B> {
    reports: Reports,
    bodies: BTreeMap<MessageId, B>,
    /// Reports that nobody has asked for, each with the content that it is about; without one, if the
    /// envelope was open to the last.
    finished: VecDeque<(Report, Option<B>)>,
}

impl<B> Parcels<B> {
    pub(super) fn new() -> Self {
        Self {
            reports: Reports::default(),
            bodies: BTreeMap::new(),
            finished: VecDeque::new(),
        }
    }

    /// Expects the outcomes of a message that was submitted.
    pub(super) fn expect(&mut self, message: MessageId, recipients: usize) {
        self.reports.expect(message, recipients);
    }

    /// Expects the outcome of another recipient of an unfinished message.
    pub(super) fn add_recipient(&mut self, message: MessageId) {
        self.reports.add_recipient(message);
    }

    /// Adds a recipient to a message that was finished while its envelope was open: it shares its outcome.
    /// Returns its position; `None` if there is no such message.
    pub(super) fn add_late_recipient(&mut self, message: MessageId) -> Option<usize> {
        let (report, _) = self.finished_open(message)?;
        report.recipients.push(report.outcome.clone());
        report.answers.push(None);
        Some(report.recipients.len().saturating_sub(1))
    }

    /// Keeps the content of an unfinished message.
    pub(super) fn add_body(&mut self, message: MessageId, body: B) {
        self.bodies.insert(message, body);
    }

    /// Keeps the content of a message that was finished while its envelope was open, or gives it back if
    /// there is no such message.
    pub(super) fn add_late_body(&mut self, message: MessageId, body: B) -> Option<B> {
        match self.finished_open(message) {
            Some((_, unused)) => {
                *unused = Some(body);
                None
            }
            None => Some(body),
        }
    }

    pub(super) fn body_mut(&mut self, message: MessageId) -> Option<&mut B> {
        self.bodies.get_mut(&message)
    }

    /// Returns how many contents are kept of messages that are unfinished.
    pub(super) fn bodies(&self) -> usize {
        self.bodies.len()
    }

    /// Returns the first message that is unfinished, unless its envelope is open.
    pub(super) fn first_ended(&self) -> Option<MessageId> {
        let first = self.reports.first();
        first.filter(|message| self.bodies.contains_key(message))
    }

    /// Returns whether a message is unfinished.
    pub(super) fn is_open(&self, message: MessageId) -> bool {
        self.reports.is_open(message)
    }

    /// Returns whether every message is finished.
    pub(super) fn are_finished(&self) -> bool {
        self.reports.is_empty()
    }

    /// Takes note of an event, and returns the message that is finished by it.
    pub(super) fn observe(&mut self, event: Event<'_>) -> Option<MessageId> {
        let report = self.reports.observe(event)?;
        let message = report.message;
        let body = self.bodies.remove(&message);
        self.finished.push_back((report, body));
        Some(message)
    }

    /// Waits for the answer to a recipient; to the sender, if that was refused.
    pub(super) fn answer(
        &self,
        message: MessageId,
        recipient: usize,
    ) -> Poll<Option<&Reply<'static>>> {
        if let Some(reply) = self.reports.answer(message, recipient) {
            return Poll::Ready(Some(reply));
        }
        if self.is_open(message) {
            return Poll::Pending;
        }
        let mut finished = self.finished.iter();
        let report = finished.find(|(report, _)| report.message == message);
        Poll::Ready(report.and_then(|(report, _)| {
            match (report.answers.get(recipient)?, &report.outcome) {
                (Some(reply), _) => Some(reply),
                (None, Outcome::Refused(answer)) => Some(&answer.reply),
                (None, _) => None,
            }
        }))
    }

    /// Waits for the report on a message, which comes with its content as it was left; `None` if that was
    /// taken before.
    pub(super) fn take(&mut self, message: MessageId) -> Poll<Option<(Report, Option<B>)>> {
        let mut finished = self.finished.iter();
        let at = finished.position(|(report, _)| report.message == message);
        match at.and_then(|at| self.finished.remove(at)) {
            None if self.is_open(message) => Poll::Pending,
            finished => Poll::Ready(finished),
        }
    }

    /// Takes the report that was finished first.
    pub(super) fn take_next(&mut self) -> Option<Report> {
        self.finished.pop_front().map(|(report, _)| report)
    }

    /// Takes all of them.
    pub(super) fn take_all(&mut self) -> Vec<Report> {
        self.finished.drain(..).map(|(report, _)| report).collect()
    }

    /// Returns what is told of a message that was finished while its envelope was open.
    fn finished_open(&mut self, message: MessageId) -> Option<&mut (Report, Option<B>)> {
        let mut finished = self.finished.iter_mut();
        finished.find(|(report, body)| report.message == message && body.is_none())
    }
}
