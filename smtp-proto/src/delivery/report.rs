//! Gathers what the events say about each message.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use crate::{
    client::{Event, MessageId, Outcome},
    syntax::Reply,
};

/// Tells what became of one message and of each of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Report {
    /// The message.
    pub message: MessageId,
    /// The outcome of each recipient, in the order of the envelope.
    pub recipients: Vec<Outcome<'static>>,
    /// What the server answered to each RCPT, in the same order; `None` where it did not.
    pub answers: Vec<Option<Reply<'static>>>,
    /// The outcome of the message, which is that of each recipient that was not refused by itself.
    pub outcome: Outcome<'static>,
}

impl Report {
    /// Returns whether the server took the message for every recipient.
    pub fn is_delivered(&self) -> bool {
        self.recipients
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Delivered(_)))
    }
}

/// Turns the events of a client into one [`Report`] for each message.
///
/// [`Courier`](super::Courier) has it built in; this is for drivers that do the rest by themselves.
#[derive(Debug, Default)]
pub struct Reports {
    open: BTreeMap<MessageId, Vec<Recipient>>,
}

#[derive(Clone, Debug, Default)]
struct Recipient {
    answer: Option<Reply<'static>>,
    outcome: Option<Outcome<'static>>,
}

impl Reports {
    /// Expects the events of a message that was submitted with so many recipients.
    pub fn expect(&mut self, message: MessageId, recipients: usize) {
        self.open
            .insert(message, vec![Recipient::default(); recipients]);
    }

    /// Expects the events of another recipient of a message.
    pub(super) fn add_recipient(&mut self, message: MessageId) {
        if let Some(recipients) = self.open.get_mut(&message) {
            recipients.push(Recipient::default());
        }
    }

    /// Returns what the server has answered to a recipient of an unfinished message.
    pub(super) fn answer(&self, message: MessageId, recipient: usize) -> Option<&Reply<'static>> {
        let recipients = self.open.get(&message)?;
        recipients.get(recipient)?.answer.as_ref()
    }

    /// Returns the first message that is unfinished.
    pub(super) fn first(&self) -> Option<MessageId> {
        self.open.first_key_value().map(|(&message, _)| message)
    }

    /// Returns whether a message is unfinished.
    pub fn is_open(&self, message: MessageId) -> bool {
        self.open.contains_key(&message)
    }

    /// Returns whether every message that was expected is finished.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes note of an event, and returns the report that it completes.
    pub fn observe(&mut self, event: Event<'_>) -> Option<Report> {
        match event {
            Event::RecipientAnswered {
                message,
                recipient,
                reply,
            } => {
                let recipient = self.open.get_mut(&message)?.get_mut(recipient)?;
                recipient.answer = Some(reply.into_owned());
                None
            }
            Event::RecipientFinished {
                message,
                recipient,
                outcome,
            } => {
                let recipient = self.open.get_mut(&message)?.get_mut(recipient)?;
                recipient.outcome = Some(outcome.into_owned());
                None
            }
            Event::Finished { message, outcome } => {
                let outcome = outcome.into_owned();
                let known = self.open.remove(&message).unwrap_or_default();
                let (recipients, answers) = known
                    .into_iter()
                    .map(|own| (own.outcome.unwrap_or_else(|| outcome.clone()), own.answer))
                    .unzip();
                Some(Report {
                    message,
                    recipients,
                    answers,
                    outcome,
                })
            }
            _ => None,
        }
    }
}
