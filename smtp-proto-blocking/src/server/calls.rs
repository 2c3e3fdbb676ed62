//! Calls of a reception become calls of the handler.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

#[cfg(feature = "scram")]
use smtp_proto::reception::FoundKeys;
use smtp_proto::{
    reception::{
        Answer, Asked, Call, Deliveries, Notice, Question, Reception, Refusal, Session, State,
        Verdict,
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
use super::{handler::Handler, sink::Sink};
#[cfg(feature = "scram")]
use crate::entropy::nonce_and_secret;

/// A handler, and what it is in the middle of on one connection.
pub(super) struct Calls<'h, S, H: Handler<S>>
where
    S: State,
{
    handler: &'h H,
    #[cfg(feature = "auth")]
    exchange: Option<Box<dyn Exchange>>,
    sink: Option<(TransactionId, H::Sink)>,
}

impl<'h, S: State, H: Handler<S>> Calls<'h, S, H> {
    pub(super) fn new(handler: &'h H) -> Self {
        Self {
            handler,
            #[cfg(feature = "auth")]
            exchange: None,
            sink: None,
        }
    }

    /// Makes a call, and gives what it returns to the reception.
    pub(super) fn make(&mut self, reception: &mut Reception<S>, call: Call<'_, S>) {
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
                        self.sink = Some((transaction, sink));
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
                    let dropped = self.sink.take_if(|(of, _)| of == transaction);
                    guarded(|| drop(dropped));
                }
                guarded(|| self.handler.notice(&session, &notice));
            }
            _ => {}
        }
    }

    fn answer(&mut self, session: &Session<S>, question: Question<S>) -> Answer<S> {
        let handler = self.handler;
        Answer::Plain(match question {
            Question::Connected => return Answer::Session(handler.connected(session)),
            Question::XClient(attributes) => {
                return Answer::Session(handler.xclient(session, &attributes));
            }
            Question::Mail(sender) => return Answer::Transaction(handler.mail(session, &sender)),
            Question::Recipient(transaction, recipient) => {
                return Answer::Recipient(handler.recipient(session, &transaction, &recipient));
            }
            #[cfg(feature = "auth")]
            Question::Mechanism(mechanism) => {
                return Answer::Mechanism(handler.exchange(session, &mechanism).map(|exchange| {
                    self.exchange = exchange;
                    self.exchange.is_some()
                }));
            }
            #[cfg(feature = "auth")]
            Question::Response(response) => return Answer::Step(self.respond(response)),
            #[cfg(feature = "auth")]
            Question::Credential(claim) => {
                return Answer::Identity(handler.authenticate(session, claim.credential()));
            }
            #[cfg(feature = "scram")]
            Question::Keys { user, hash } => {
                let keys = handler.scram_keys(session, &user, hash);
                return Answer::Keys(keys.and_then(|keys| match nonce_and_secret() {
                    Ok((nonce, secret)) => Ok(FoundKeys::new(keys, nonce, secret)),
                    Err(_) => Err(Refusal::local_error()),
                }));
            }
            Question::Reply { reply, reason, .. } => {
                return Answer::Reply(handler.review(session, &reply, reason));
            }
            Question::Hello => handler.hello(session),
            Question::StartTls => handler.start_tls(session),
            Question::Message(transaction) => match self.sink.take() {
                Some((of, sink)) if of == transaction => sink.finish(),
                _ => Err(Refusal::local_error()),
            },
            Question::Verify(name) => handler.verify(session, &name),
            Question::Expand(name) => handler.expand(session, &name),
            Question::Help(topic) => handler.help(session, topic.as_deref()),
            Question::Etrn(node) => handler.etrn(session, &node),
            Question::XForward(attributes) => handler.xforward(session, &attributes),
            Question::Command { verb, argument } => {
                handler.command(session, &verb, argument.as_deref())
            }
            _ => Err(Refusal::local_error()),
        })
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
        let Some((_, sink)) = self.sink.as_mut().filter(|(of, _)| *of == transaction) else {
            return;
        };
        if bytes.is_empty() {
            return;
        }
        let written = guarded(|| sink.write(bytes));
        if let Err(refusal) = written.unwrap_or_else(|| Err(Refusal::local_error())) {
            let dropped = self.sink.take();
            guarded(|| drop(dropped));
            reception.refuse_content(transaction, refusal);
        }
    }

    /// Returns the verdict over a message for each recipient.
    fn deliver(&mut self, transaction: TransactionId, asked: Vec<Asked>) -> Vec<(Asked, Verdict)> {
        let (sender, decided) = mpsc::channel();
        let deliveries = Deliveries::new(asked, move |asked, verdict| {
            // The other end is here.
            let _ = sender.send((asked, verdict));
        });
        match self.sink.take() {
            Some((of, sink)) if of == transaction => {
                // If it panics, whoever is left is answered by the end of its `Deliveries`.
                guarded(|| sink.deliver(deliveries));
            }
            _ => drop(deliveries),
        }
        decided.try_iter().collect()
    }
}

/// Returns what a call of the application's returns; nothing if it panics.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves broken is the application's own.
    catch_unwind(AssertUnwindSafe(call)).ok()
}
