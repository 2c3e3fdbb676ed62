//! Verdicts, on their way from the handler to the machine.

use std::task::{Context, Poll};

use smtp_proto::{
    machine::Misuse,
    server::{Refused, Ticket, replies::local_error},
};

use super::{
    super::{
        answered::{Answered, Subject},
        guard::Guard,
        handler::Handler,
        verdict::Verdict,
    },
    Dispatch, Session,
};

impl<H: Handler> Dispatch<H> {
    /// Runs the handler's future, at once if it needs not wait.
    pub(super) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        subject: Subject,
        verdict: impl Future<Output = Verdict> + Send + 'static,
    ) {
        let guard = Guard::new(verdict);
        let mut task = Box::pin(async move {
            let verdict = guard.await;
            Answered {
                ticket,
                subject,
                verdict: verdict.unwrap_or_else(|| local_error().into()),
            }
        });
        if let Poll::Ready(answered) = task.as_mut().poll(cx) {
            self.answer(answered);
        } else if let Subject::Message(_) = subject {
            self.commits.spawn(task);
        } else {
            self.checks.spawn(task);
        }
    }

    pub(super) fn answer(&mut self, answered: Answered) {
        let Answered {
            ticket,
            subject,
            verdict,
        } = answered;
        let is_positive = verdict.is_positive();
        let taken = self.give(ticket, verdict);
        match subject {
            Subject::Mail(transaction) if !(taken && is_positive) => self.forget(transaction),
            Subject::Recipient(id, position) if taken && is_positive => {
                if let Some(transaction) = self.transaction.as_mut().filter(|it| it.id() == id) {
                    transaction.accept(position);
                }
            }
            Subject::Message(transaction) if !taken && is_positive => {
                if let Some(session) = &self.session {
                    session.handler.expired(&session.state, transaction);
                }
            }
            Subject::Delivery(transaction, recipient) if !taken && is_positive => {
                if let Some(session) = &self.session {
                    let Session { handler, state } = &**session;
                    handler.delivery_expired(state, transaction, recipient);
                }
            }
            _ => {}
        }
    }

    /// Gives a verdict to the machine, and tells whether it was taken.
    pub(super) fn give(&mut self, ticket: Ticket, verdict: Verdict) -> bool {
        let given = match verdict {
            Verdict::Accept => self.machine.accept(ticket),
            Verdict::Reply(reply) => self.machine.reply(ticket, reply),
        };
        match given {
            Ok(()) => true,
            Err(Refused { ticket, misuse }) => {
                if let Misuse::WrongReplyClass | Misuse::NotAscii = misuse {
                    // The handler's mistake counts as its failure.
                    let _ = self.machine.reply(ticket, local_error());
                }
                false
            }
        }
    }

    pub(super) fn poll_verdicts(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Poll::Ready(Some(joined)) = self.checks.poll_join_next(cx) {
            any = true;
            joined.into_iter().for_each(|it| self.answer(it));
        }
        while let Poll::Ready(Some(joined)) = self.commits.poll_join_next(cx) {
            any = true;
            joined.into_iter().for_each(|it| self.answer(it));
        }
        while let Some(answered) = self.delivering.poll_answer(cx) {
            any = true;
            self.answer(answered);
        }
        any
    }
}
