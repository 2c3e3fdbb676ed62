//! The verdicts over one message for each of its recipients, as LMTP has them.

use std::task::{Context, Poll};

use smtp_proto::server::{Ticket, TransactionId, replies::local_error};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use super::{
    answered::{Answered, Subject},
    guard::Guard,
    verdict::Verdict,
};

/// Gives the right to decide about a message for each of its recipients.
///
/// Recipients are counted as in [`Envelope::recipients`](super::Envelope::recipients). Each verdict
/// leaves as soon as those before it have been given (2033-5-c). Recipients that are left when it is
/// dropped are answered 451.
#[derive(Debug)]
pub struct Deliveries {
    transaction: TransactionId,
    /// What was decided is given away.
    tickets: Vec<Option<Ticket>>,
    answers: UnboundedSender<Answered>,
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

/// Messages that are being delivered, recipient by recipient.
#[derive(Default)]
pub(super) struct Delivering {
    /// The right to decide about the message that has just ended, as far as it was given.
    tickets: Vec<Option<Ticket>>,
    tasks: JoinSet<()>,
    answers: Option<(UnboundedSender<Answered>, UnboundedReceiver<Answered>)>,
}

impl Delivering {
    /// Takes the right to decide for one more recipient of the message that has ended, and returns
    /// for how many it is there.
    pub(super) fn hold(&mut self, ticket: Ticket) -> usize {
        self.tickets.push(Some(ticket));
        self.tickets.len()
    }

    /// Hands out what was taken.
    pub(super) fn hand_out(&mut self, transaction: TransactionId) -> Deliveries {
        let (sender, _) = self.answers.get_or_insert_with(unbounded_channel);
        Deliveries {
            transaction,
            tickets: std::mem::take(&mut self.tickets),
            answers: sender.clone(),
        }
    }

    /// Has a sink decide.
    pub(super) fn spawn(&mut self, delivery: impl Future<Output = ()> + Send + 'static) {
        // If it panics, whoever is left is answered by the end of its `Deliveries`.
        let delivery = Guard::new(delivery);
        self.tasks
            .spawn(async { delivery.await.unwrap_or_default() });
    }

    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Option<Answered> {
        while let Poll::Ready(Some(_)) = self.tasks.poll_join_next(cx) {}
        let (_, answers) = self.answers.as_mut()?;
        match answers.poll_recv(cx) {
            Poll::Ready(answered) => answered,
            Poll::Pending => None,
        }
    }

    /// Waits until all is decided.
    pub(super) async fn finish(&mut self) -> Vec<Answered> {
        while self.tasks.join_next().await.is_some() {}
        let mut answered = Vec::new();
        if let Some((_, answers)) = &mut self.answers {
            while let Ok(next) = answers.try_recv() {
                answered.push(next);
            }
        }
        answered
    }
}
