//! The end of a message in LMTP.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use smtp_proto::server::{Ticket, TransactionId};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use super::{
    super::{
        deliveries::Deliveries,
        guard::Guard,
        handler::{Handler, local_error},
    },
    Answered, Dispatch, Session,
};

/// Messages that are being delivered, recipient by recipient.
#[derive(Default)]
pub(super) struct Delivering {
    /// The right to decide about the message that has just ended, as far as it was given.
    tickets: Vec<Option<Ticket>>,
    tasks: JoinSet<()>,
    answers: Option<(UnboundedSender<Answered>, UnboundedReceiver<Answered>)>,
}

impl Delivering {
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

impl<H: Handler> Dispatch<H> {
    /// Takes the right to decide for one more recipient of the message that has ended. With the last
    /// one, the sink is asked.
    pub(super) fn deliver(
        &mut self,
        ticket: Ticket,
        transaction: TransactionId,
        session: Arc<Session<H>>,
    ) {
        let recipients = self.transaction.as_ref().map(|it| it.envelope());
        let recipients = recipients.map_or(0, |envelope| envelope.recipients().len());
        self.delivering.tickets.push(Some(ticket));
        if self.delivering.tickets.len() < recipients {
            return;
        }
        if self.intake.is_none() {
            self.open(None, session);
        }
        self.transaction = None;
        let (sender, _) = self
            .delivering
            .answers
            .get_or_insert_with(unbounded_channel);
        let deliveries = Deliveries {
            transaction,
            tickets: std::mem::take(&mut self.delivering.tickets),
            answers: sender.clone(),
        };
        match self.intake.take() {
            Some(intake) => {
                // If it panics, whoever is left is answered by the end of `deliveries`.
                let delivery = Guard::new(intake.deliver(deliveries));
                self.delivering
                    .tasks
                    .spawn(async { delivery.await.unwrap_or_default() });
            }
            None => deliveries.decide_rest(&local_error().into()),
        }
    }
}
