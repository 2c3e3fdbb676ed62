//! The content of a message, from its beginning.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use smtp_proto::{
    machine::Misuse,
    server::{Ticket, replies::local_error},
};

use super::{
    super::{handler::Handler, intake::Intake, verdict::Verdict},
    Dispatch, Session,
};

impl<H: Handler> Dispatch<H> {
    /// Opens a sink for the content of the transaction, which `asked` answers by DATA.
    pub(super) fn open(&mut self, asked: Option<Ticket>, session: Arc<Session<H>>) {
        let Some(transaction) = &self.transaction else {
            return;
        };
        let (id, envelope) = (transaction.id(), Arc::new(transaction.envelope()));
        self.intake = Some(Intake::open(id, asked, async move {
            session.handler.content(&session.state, envelope).await
        }));
    }

    /// Moves on its way to the sink, and tells whether anything came of it.
    pub(super) fn poll_intake(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(intake) = &mut self.intake else {
            return false;
        };
        let Poll::Ready(result) = intake.poll(cx) else {
            return false;
        };
        let (asked, id) = (intake.asked.take(), intake.transaction);
        match (asked, result) {
            (None, Ok(())) => {}
            (Some(ticket), Ok(())) => {
                if !self.give(ticket, Verdict::Accept) {
                    self.intake = None;
                }
            }
            (Some(ticket), Err(reply)) => {
                self.give(ticket, Verdict::Reply(reply));
                self.intake = None;
            }
            (None, Err(reply)) => {
                if let Err(Misuse::WrongReplyClass | Misuse::NotAscii) =
                    self.machine.refuse_content(id, reply)
                {
                    let _ = self.machine.refuse_content(id, local_error());
                }
                self.forget(id);
            }
        }
        true
    }
}
