//! Calls of a reception become calls of the handler.

use std::{sync::mpsc, task::Context};

use smtp_proto::{
    driver::Attends,
    machine::TraceEntry,
    reception::{
        Answer, Asked, Call, Deliveries, Notice, Question, Reception, Refusal, Session, State,
        Tally, Verdict, guarded,
    },
    server::TransactionId,
};
#[cfg(feature = "auth")]
use smtp_proto::{
    sasl::Step,
    server::{SaslResponse, replies::local_error},
};

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::{handler::Handler, intake::Intake};
use crate::Error;

/// A handler, and what it is in the middle of on one connection.
pub(super) struct Calls<'h, S, H: Handler<S>>
where
    S: State,
{
    handler: &'h H,
    #[cfg(feature = "auth")]
    exchange: Option<Box<dyn Exchange>>,
    intake: Option<Intake<H::Sink>>,
}

impl<'h, S: State, H: Handler<S>> Calls<'h, S, H> {
    pub(super) fn new(handler: &'h H) -> Self {
        Self {
            handler,
            #[cfg(feature = "auth")]
            exchange: None,
            intake: None,
        }
    }

    fn answer(&mut self, session: &Session<S>, question: Question<S>) -> Answer<S> {
        match question {
            #[cfg(feature = "auth")]
            Question::Mechanism(mechanism) => {
                let exchange = self.handler.exchange(session, &mechanism);
                Answer::Mechanism(exchange.map(|exchange| {
                    self.exchange = exchange;
                    self.exchange.is_some()
                }))
            }
            #[cfg(feature = "auth")]
            Question::Response(response) => Answer::Step(self.respond(response)),
            Question::Message(transaction) => Answer::Plain(match self.take(transaction) {
                Some(intake) => intake.finish(),
                None => Err(Refusal::local_error()),
            }),
            question => smtp_proto::answer!(self.handler, session, question),
        }
    }

    #[cfg(feature = "auth")]
    fn respond(&mut self, response: Option<SaslResponse>) -> Step {
        let response = response.as_ref().map(SaslResponse::as_bytes);
        match &mut self.exchange {
            Some(exchange) => exchange.respond(response),
            None => Step::Reject(local_error()),
        }
    }

    fn write(&mut self, reception: &mut Reception<S>, transaction: TransactionId, bytes: &[u8]) {
        let Some(mut intake) = self.take(transaction) else {
            return;
        };
        let written = guarded(|| intake.write(bytes));
        match written.unwrap_or_else(|| Err(Refusal::local_error())) {
            Ok(()) => self.intake = Some(intake),
            Err(refusal) => {
                guarded(|| drop(intake));
                reception.refuse_content(transaction, refusal);
            }
        }
    }

    /// Takes the content that has come of a transaction.
    fn take(&mut self, transaction: TransactionId) -> Option<Intake<H::Sink>> {
        self.intake.take_if(|it| it.transaction == transaction)
    }

    /// Returns the verdict over a message for each recipient.
    fn deliver(&mut self, transaction: TransactionId, asked: Vec<Asked>) -> Vec<(Asked, Verdict)> {
        let (sender, decided) = mpsc::channel();
        let deliveries = Deliveries::new(asked, move |asked, verdict| {
            // The other end is here.
            let _ = sender.send((asked, verdict));
        });
        match self.take(transaction) {
            Some(intake) => {
                // If it panics, whoever is left is answered by the end of its `Deliveries`.
                guarded(|| intake.deliver(deliveries));
            }
            None => drop(deliveries),
        }
        decided.try_iter().collect()
    }
}

impl<S: State, H: Handler<S>> Attends<S> for Calls<'_, S, H> {
    fn make(&mut self, reception: &mut Reception<S>, call: Call<'_, S>, _: &mut Context<'_>) {
        let session = reception.session().clone();
        match call {
            Call::Question(asked, question) => match guarded(|| self.answer(&session, question)) {
                Some(answer) => reception.answer(asked, answer),
                None => reception.fail(asked),
            },
            Call::Begin {
                asked,
                envelope,
                bytes,
            } => {
                let transaction = envelope.transaction;
                match guarded(|| self.handler.content(&session, envelope)) {
                    Some(Ok(sink)) => {
                        self.intake = Some(Intake::new(transaction, sink));
                        reception.answer(asked, Answer::Content(Ok(())));
                        self.write(reception, transaction, bytes);
                    }
                    Some(Err(refusal)) => reception.answer(asked, Answer::Content(Err(refusal))),
                    None => reception.fail(asked),
                }
            }
            Call::Content { transaction, bytes } => self.write(reception, transaction, bytes),
            Call::Deliver { transaction, asked } => {
                for (asked, verdict) in self.deliver(transaction, asked) {
                    reception.answer(asked, Answer::Plain(verdict));
                }
            }
            Call::Notice(notice) => {
                if let Notice::Reset { transaction, .. } = &notice {
                    let dropped = self.take(*transaction);
                    guarded(|| drop(dropped));
                }
                guarded(|| self.handler.notice(&session, &notice));
            }
            _ => {}
        }
    }

    fn trace(&self, session: &Session<S>, entry: &TraceEntry) {
        self.handler.trace(session, entry);
    }

    fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally) {
        self.handler.closed(session, result, tally);
    }
}
