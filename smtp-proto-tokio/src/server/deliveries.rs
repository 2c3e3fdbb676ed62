//! The verdicts over one message for each of its recipients, as LMTP has them.

use smtp_proto::server::{Ticket, TransactionId};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    dispatch::{Answered, Subject},
    handler::{Verdict, local_error},
};

/// Gives the right to decide about a message for each of its recipients.
///
/// Recipients are counted as in [`Envelope::recipients`](super::Envelope::recipients). Each verdict
/// leaves as soon as those before it have been given (2033-5-c). Recipients that are left when it is
/// dropped are answered 451.
#[derive(Debug)]
pub struct Deliveries {
    pub(super) transaction: TransactionId,
    /// What was decided is given away.
    pub(super) tickets: Vec<Option<Ticket>>,
    pub(super) answers: UnboundedSender<Answered>,
}

impl Deliveries {
    /// Returns how many recipients there are, decided or not.
    pub fn count(&self) -> usize {
        self.tickets.len()
    }

    /// Decides for one recipient. Does nothing if there is none such, or if it was decided before.
    pub fn decide(&mut self, recipient: usize, verdict: Verdict) {
        if let Some(ticket) = self.tickets.get_mut(recipient).and_then(Option::take) {
            // If it fails the connection is gone.
            let _ = self.answers.send(Answered {
                ticket,
                subject: Subject::Delivery(self.transaction, recipient),
                verdict,
            });
        }
    }

    /// Decides alike for all recipients that are left.
    pub fn decide_rest(mut self, verdict: &Verdict) {
        self.decide_all(verdict);
    }

    fn decide_all(&mut self, verdict: &Verdict) {
        for recipient in 0..self.tickets.len() {
            self.decide(recipient, verdict.clone());
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.decide_all(&local_error().into());
    }
}
