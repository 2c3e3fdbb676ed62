//! One message on its way, over as many connections as it takes.

use std::sync::Arc;

use smtp_proto::{
    client::Envelope,
    delivery::{Next, Report, Resending},
    syntax::ForwardPath,
};

use super::{message::Message, options::Options, outcome::Fate};

/// A message that is not finished.
pub(super) struct Errand<'m> {
    message: &'m Message,
    /// What the journal knows it by.
    id: String,
    recipients: Vec<ForwardPath<'static>>,
    resending: Resending,
}

impl<'m> Errand<'m> {
    pub(super) fn new(
        message: &'m Message,
        id: String,
        recipients: Vec<ForwardPath<'static>>,
        options: &Options,
    ) -> Self {
        let envelope = message.envelope(options, &recipients);
        Self {
            message,
            id,
            recipients,
            // It ends because a connection leads nowhere, not because it was one too many.
            resending: Resending::new(envelope, u32::MAX),
        }
    }

    pub(super) fn message(&self) -> &'m Message {
        self.message
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns to whom it was to go.
    pub(super) fn recipients(&self) -> &[ForwardPath<'static>] {
        &self.recipients
    }

    /// Returns the envelope for those who are to have it yet.
    pub(super) fn envelope(&self) -> &Envelope<'static> {
        self.resending.envelope()
    }

    pub(super) fn content(&self) -> Arc<[u8]> {
        Arc::clone(&self.message.content)
    }

    /// Takes note of what became of it over one connection, and returns whether that was all.
    pub(super) fn is_over(&mut self, report: Report) -> bool {
        let next = match self.resending.observe(report) {
            // Whoever may have it does not get it again by itself.
            Next::Ask => self.resending.resolve(false),
            next => next,
        };
        matches!(next, Next::Nothing)
    }

    /// Returns what became of it for each recipient; if it was never submitted, that this is why.
    pub(super) fn into_fates(self, why: &str) -> Vec<Fate> {
        match self.resending.into_report() {
            Some(report) => report.recipients.iter().map(Fate::from).collect(),
            None => vec![Fate::not_sent(why); self.recipients.len()],
        }
    }
}
