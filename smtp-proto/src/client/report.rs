//! Gathers what the events say about each message.

use alloc::{collections::BTreeMap, vec::Vec};

use super::event::{Event, MessageId, Outcome};

/// Tells what became of one message and of each of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The message.
    pub message: MessageId,
    /// The outcome of each recipient, in the order of the envelope.
    pub recipients: Vec<Outcome<'static>>,
    /// The outcome of the message, which is that of each recipient that was not refused by itself.
    pub outcome: Outcome<'static>,
}

impl Report {
    /// Tells whether the server took the message for every recipient.
    pub fn is_delivered(&self) -> bool {
        self.recipients
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Delivered(_)))
    }
}

/// Turns the events of a client into one [`Report`] for each message.
///
/// For drivers that want the whole account at once. One that acts on each event needs none of this.
#[derive(Debug, Default)]
pub struct Reports {
    open: BTreeMap<MessageId, Vec<Option<Outcome<'static>>>>,
}

impl Reports {
    /// Expects the events of a message that was submitted with so many recipients.
    pub fn expect(&mut self, message: MessageId, recipients: usize) {
        self.open.insert(message, alloc::vec![None; recipients]);
    }

    /// Takes note of an event, and returns the report that it completes.
    pub fn observe(&mut self, event: Event<'_>) -> Option<Report> {
        match event {
            Event::RecipientFinished {
                message,
                recipient,
                outcome,
            } => {
                *self.open.get_mut(&message)?.get_mut(recipient)? = Some(outcome.into_owned());
                None
            }
            Event::Finished { message, outcome } => {
                let outcome = outcome.into_owned();
                let known = self.open.remove(&message).unwrap_or_default();
                let recipients = known
                    .into_iter()
                    .map(|own| own.unwrap_or_else(|| outcome.clone()))
                    .collect();
                Some(Report {
                    message,
                    recipients,
                    outcome,
                })
            }
            _ => None,
        }
    }
}
