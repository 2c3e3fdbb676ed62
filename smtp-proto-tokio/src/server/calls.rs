//! Calls of a reception become calls of the handler.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use smtp_proto::{
    driver::Attends,
    machine::TraceEntry,
    reception::{
        Answer, Asked, Call, Deliveries, Notice, Question, Reception, Session, State, Tally,
        Verdict, guarded,
    },
    server::TransactionId,
};
#[cfg(feature = "auth")]
use smtp_proto::{
    reception::Refusal,
    sasl::Step,
    server::{SaslResponse, replies::local_error},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::{handler::Handler, intake::Intake, task::Task};
use crate::Error;

/// A handler, and what it is at on one connection.
pub(super) struct Calls<S: State, H: Handler<S>> {
    handler: Arc<H>,
    #[cfg(feature = "auth")]
    exchange: Option<Box<dyn Exchange>>,
    intake: Option<Intake<H::Sink>>,
    asking: FuturesUnordered<Asking<S>>,
    /// Verdicts for one recipient each, in LMTP.
    delivered: Option<(UnboundedSender<Delivered>, UnboundedReceiver<Delivered>)>,
}

type Delivered = (Asked, Verdict);

/// What a question comes to.
enum Outcome<S: State> {
    Answer(Answer<S>),
    #[cfg(feature = "auth")]
    Exchange(Result<Option<Box<dyn Exchange>>, Refusal>),
    #[cfg(feature = "auth")]
    Step(Box<dyn Exchange>, Step),
    /// All is answered elsewhere.
    Delivered,
}

/// A question that the handler is asked.
struct Asking<S: State> {
    /// None where all is answered elsewhere.
    asked: Option<Asked>,
    outcome: Task<'static, Outcome<S>>,
}

impl<S: State> Future for Asking<S> {
    type Output = (Option<Asked>, Option<Outcome<S>>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.outcome).poll(cx);
        outcome.map(|outcome| (self.asked.take(), outcome))
    }
}

impl<S: State, H: Handler<S>> Calls<S, H> {
    pub(super) fn new(handler: Arc<H>) -> Self {
        Self {
            handler,
            #[cfg(feature = "auth")]
            exchange: None,
            intake: None,
            asking: FuturesUnordered::new(),
            delivered: None,
        }
    }

    /// Has a question answered, at once if the handler need not wait.
    fn ask(
        &mut self,
        reception: &mut Reception<S>,
        asked: Option<Asked>,
        cx: &mut Context<'_>,
        outcome: impl Future<Output = Outcome<S>> + Send + 'static,
    ) {
        let mut asking = Asking {
            asked,
            outcome: Task::new(outcome),
        };
        match Pin::new(&mut asking).poll(cx) {
            Poll::Ready((asked, outcome)) => self.settle(reception, asked, outcome),
            Poll::Pending => self.asking.push(asking),
        }
    }

    /// Drops questions of which the answers are of no use.
    fn retain(&mut self, is_of_use: impl Fn(&Asked) -> bool) {
        let asking = std::mem::take(&mut self.asking).into_iter();
        self.asking = asking
            .filter(|asking| asking.asked.as_ref().is_none_or(&is_of_use))
            .collect();
    }

    fn settle(
        &mut self,
        reception: &mut Reception<S>,
        asked: Option<Asked>,
        outcome: Option<Outcome<S>>,
    ) {
        let Some(asked) = asked else {
            return;
        };
        match outcome {
            Some(Outcome::Answer(answer)) => reception.answer(asked, answer),
            #[cfg(feature = "auth")]
            Some(Outcome::Exchange(exchange)) => {
                let is_own = exchange.map(|exchange| {
                    self.exchange = exchange;
                    self.exchange.is_some()
                });
                reception.answer(asked, Answer::Mechanism(is_own));
            }
            #[cfg(feature = "auth")]
            Some(Outcome::Step(exchange, step)) => {
                self.exchange = Some(exchange);
                reception.answer(asked, Answer::Step(step));
            }
            Some(Outcome::Delivered) | None => reception.fail(asked),
        }
    }

    fn drop_intake(&mut self, transaction: TransactionId) {
        let dropped = self.intake.take_if(|it| it.transaction == transaction);
        guarded(|| drop(dropped));
    }

    /// Moves content on its way to the sink, and returns whether anything came of it.
    fn poll_intake(&mut self, reception: &mut Reception<S>, cx: &mut Context<'_>) -> bool {
        let Some(intake) = &mut self.intake else {
            return false;
        };
        let Poll::Ready(result) = intake.poll(cx) else {
            return false;
        };
        let (asked, transaction) = (intake.asked.take(), intake.transaction);
        if result.is_err() {
            self.drop_intake(transaction);
        }
        match (asked, result) {
            (Some(asked), result) => reception.answer(asked, Answer::Content(result)),
            (None, Ok(())) => {}
            (None, Err(refusal)) => reception.refuse_content(transaction, refusal),
        }
        true
    }
}

impl<S: State, H: Handler<S>> Attends<S> for Calls<S, H> {
    fn make(&mut self, reception: &mut Reception<S>, call: Call<'_, S>, cx: &mut Context<'_>) {
        let session = reception.session().clone();
        match call {
            Call::Question(asked, Question::Message(transaction)) => {
                match self.intake.take_if(|it| it.transaction == transaction) {
                    Some(intake) => self.ask(reception, Some(asked), cx, async {
                        Outcome::Answer(Answer::Plain(intake.finish().await))
                    }),
                    None => reception.fail(asked),
                }
            }
            #[cfg(feature = "auth")]
            Call::Question(asked, Question::Response(response)) => match self.exchange.take() {
                Some(mut exchange) => self.ask(reception, Some(asked), cx, async move {
                    let response = response.as_ref().map(SaslResponse::as_bytes);
                    let step = exchange.respond(response).await;
                    Outcome::Step(exchange, step)
                }),
                None => reception.answer(asked, Answer::Step(Step::Reject(local_error()))),
            },
            #[cfg(feature = "auth")]
            Call::Question(asked, Question::Mechanism(mechanism)) => {
                let handler = Arc::clone(&self.handler);
                self.ask(reception, Some(asked), cx, async move {
                    Outcome::Exchange(handler.exchange(&session, &mechanism).await)
                });
            }
            Call::Question(asked, question) => {
                let handler = Arc::clone(&self.handler);
                self.ask(reception, Some(asked), cx, async move {
                    Outcome::Answer(smtp_proto::answer!(&*handler, &session, question, .await))
                });
            }
            Call::Begin {
                asked,
                envelope,
                bytes,
            } => {
                let (handler, transaction) = (Arc::clone(&self.handler), envelope.transaction);
                self.intake = Some(Intake::open(transaction, asked, bytes, async move {
                    handler.content(&session, envelope).await
                }));
            }
            Call::Content { bytes, .. } => {
                if let Some(intake) = &mut self.intake {
                    intake.gather(bytes);
                }
            }
            Call::Deliver { transaction, asked } => {
                let (sender, _) = self.delivered.get_or_insert_with(unbounded_channel);
                let sender = sender.clone();
                let deliveries = Deliveries::new(asked, move |asked, verdict| {
                    // If it fails the connection is gone.
                    let _ = sender.send((asked, verdict));
                });
                if let Some(intake) = self.intake.take_if(|it| it.transaction == transaction) {
                    // If it panics, whoever is left is answered by the end of its `Deliveries`.
                    self.ask(reception, None, cx, async {
                        intake.deliver(deliveries).await;
                        Outcome::Delivered
                    });
                }
            }
            Call::Overdue(transaction) => {
                self.retain(|asked| !asked.is_about(transaction));
            }
            Call::Notice(notice) => {
                if let Notice::Reset { transaction, .. } = notice {
                    self.drop_intake(transaction);
                }
                guarded(|| self.handler.notice(&session, &notice));
            }
            _ => {}
        }
    }

    fn poll(&mut self, reception: &mut Reception<S>, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Poll::Ready(Some((asked, outcome))) = self.asking.poll_next_unpin(cx) {
            any = true;
            self.settle(reception, asked, outcome);
        }
        if let Some((_, delivered)) = &mut self.delivered {
            while let Poll::Ready(Some((asked, verdict))) = delivered.poll_recv(cx) {
                any = true;
                reception.answer(asked, Answer::Plain(verdict));
            }
        }
        any | self.poll_intake(reception, cx)
    }

    fn abandon(&mut self) {
        let intake = self.intake.take();
        guarded(|| drop(intake));
        self.retain(Asked::outlasts_client);
    }

    fn is_idle(&self) -> bool {
        self.asking.is_empty()
    }

    /// Returns whether a sink is so far behind that nothing more can be taken from the client.
    fn is_full(&self) -> bool {
        self.intake.as_ref().is_some_and(Intake::is_full)
    }

    fn trace(&self, session: &Session<S>, entry: &TraceEntry) {
        self.handler.trace(session, entry);
    }

    fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally) {
        self.handler.closed(session, result, tally);
    }
}
