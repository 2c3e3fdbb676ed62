//! The end of a message in LMTP.

use std::sync::Arc;

use smtp_proto::server::{Ticket, TransactionId, replies::local_error};

use super::{
    super::{handler::Handler, transaction::Transaction},
    Dispatch, Session,
};

impl<H: Handler> Dispatch<H> {
    /// Takes the right to decide for one more recipient of the message that has ended. With the last
    /// one, the sink is asked.
    pub(super) fn deliver(
        &mut self,
        ticket: Ticket,
        transaction: TransactionId,
        session: Arc<Session<H>>,
    ) {
        let recipients = self.transaction.as_ref().map_or(0, Transaction::accepted);
        if self.delivering.hold(ticket) < recipients {
            return;
        }
        if self.intake.is_none() {
            self.open(None, session);
        }
        self.transaction = None;
        let deliveries = self.delivering.hand_out(transaction);
        match self.intake.take() {
            Some(intake) => self.delivering.spawn(intake.deliver(deliveries)),
            None => deliveries.decide_rest(&local_error().into()),
        }
    }
}
