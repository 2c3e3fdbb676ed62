//! What is known of a transaction before its content.

use std::sync::Arc;

use smtp_proto::server::TransactionId;

use super::envelope::{Envelope, Recipient, Sender};

/// A transaction before its end.
pub(super) struct Transaction {
    sender: Arc<Sender>,
    /// The recipients that were named, and whether they were accepted.
    recipients: Vec<(Arc<Recipient>, bool)>,
    /// How many of them were.
    accepted: usize,
}

impl Transaction {
    pub(super) fn new(sender: Arc<Sender>) -> Self {
        Self {
            sender,
            recipients: Vec::new(),
            accepted: 0,
        }
    }

    pub(super) fn id(&self) -> TransactionId {
        self.sender.transaction
    }

    pub(super) fn sender(&self) -> &Arc<Sender> {
        &self.sender
    }

    /// Adds a recipient that has no verdict yet, and returns its position.
    pub(super) fn name(&mut self, recipient: Arc<Recipient>) -> usize {
        self.recipients.push((recipient, false));
        self.recipients.len() - 1
    }

    /// Takes note that a recipient was accepted.
    pub(super) fn accept(&mut self, position: usize) {
        if let Some((_, accepted)) = self.recipients.get_mut(position)
            && !*accepted
        {
            *accepted = true;
            self.accepted += 1;
        }
    }

    /// Returns how many recipients were accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted
    }

    /// Returns what of it was accepted.
    pub(super) fn envelope(&self) -> Envelope {
        let accepted = |(recipient, accepted): &(_, bool)| accepted.then(|| Arc::clone(recipient));
        Envelope {
            sender: Arc::clone(&self.sender),
            recipients: self.recipients.iter().filter_map(accepted).collect(),
        }
    }
}
