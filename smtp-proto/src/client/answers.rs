//! What each reply means.

use core::time::Duration;

use super::{
    event::{Event, NotSent, NotSentReason, Outcome},
    pipeline::Expected,
    rules::Verb,
    session::Session,
    transaction::{Mail, Stage, TransactionId},
};
use crate::{
    machine::{Answer, Dialect, Fault, Step},
    syntax::{Class, Code, Reply},
};

impl Session {
    /// Accounts for a reply.
    pub(super) fn on_reply<'i>(&mut self, reply: Reply<'i>, now: Duration) -> Option<Event<'i>> {
        self.trace_reply(&reply);
        if reply.code() == Code::NOT_AVAILABLE {
            return self.on_closing(reply);
        }
        let Some(verb) = self.awaited().map(|awaited| awaited.verb) else {
            self.on_surplus(reply);
            return None;
        };
        if !verb.may_be_answered(reply.code()) {
            self.fail(Fault::ImpossibleReply, reply.as_bytes());
            return None;
        }
        let expected = self.pipeline.pop()?;
        self.restart_reply_deadline(now);
        match verb {
            Verb::Connect => self.on_greeting(reply),
            Verb::Ehlo | Verb::Helo | Verb::Lhlo => {
                self.on_hello(verb, &reply);
                None
            }
            Verb::Quit => {
                self.close();
                None
            }
            Verb::Reset => {
                if !reply.is_positive() {
                    self.fail(Fault::ResetRefused, reply.as_bytes());
                }
                None
            }
            Verb::Own => self.own_commands.answer(reply),
            Verb::Content | Verb::LastChunk => self.on_verdict(expected.transaction, reply),
            Verb::RecipientContent => self.on_recipient_verdict(expected, reply),
            Verb::StartTls => {
                self.on_start_tls(&expected, &reply, now);
                None
            }
            Verb::Auth | Verb::AuthResponse => {
                self.on_auth(&reply);
                None
            }
            Verb::Mail | Verb::Recipient | Verb::Data | Verb::LoneDot | Verb::Chunk => {
                self.on_step(expected, reply)
            }
        }
    }

    /// Accounts for the answer to one of the commands that lead to a verdict.
    fn on_step<'i>(&mut self, expected: Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let id = expected.transaction;
        let deferrable = expected.verb == Verb::Recipient && self.is_deferrable(id, &reply);
        let transaction = self.transactions.get_mut(id)?;
        transaction.pending = transaction.pending.saturating_sub(1);
        let mut event = None;
        match expected.verb {
            Verb::Mail => transaction.answer_mail(reply),
            Verb::Recipient if deferrable => transaction.defer_recipient(expected.recipient),
            Verb::Recipient => {
                transaction.answer_recipient(expected.recipient, &reply);
                // Of a refused sender, the refusal tells; the recipients' 503 tell nothing.
                if transaction.mail == Mail::Accepted {
                    let message = transaction.message();
                    let recipient = transaction.position(expected.recipient as usize);
                    event = Some(Event::RecipientAnswered {
                        message,
                        recipient,
                        reply,
                    });
                }
            }
            Verb::Data if reply.class() == Class::Intermediate => {
                let gone = transaction.not_sent.is_some() || transaction.mail == Mail::Refused;
                if transaction.accepted().is_empty() && self.config.dialect == Dialect::Smtp {
                    transaction.stage = Stage::LoneDot;
                } else if !gone && !transaction.accepted().is_empty() {
                    transaction.stage = Stage::Content;
                } else {
                    // A dot now would have the server deliver an empty message, to somebody, from
                    // somebody (measured with Postfix and Exim).
                    let fault = match transaction.not_sent {
                        Some(_) => Fault::ContentAbandoned,
                        None => Fault::RefusedTransactionContinued,
                    };
                    self.fail(fault, reply.as_bytes());
                    return None;
                }
            }
            Verb::Data => {
                transaction.refuse(Step::Data, reply);
                transaction.stage = Stage::Over;
            }
            Verb::LoneDot => {}
            _ if !reply.is_positive() => transaction.refuse(Step::Content, reply),
            _ if transaction.is_refused() => {
                self.fail(Fault::RefusedTransactionContinued, reply.as_bytes());
                return None;
            }
            _ => {}
        }
        if expected.verb == Verb::Recipient {
            self.retry_deferred(id);
        }
        self.conclude(id);
        event
    }

    /// Accounts for the answer to the end of a message.
    fn on_verdict<'i>(&mut self, id: TransactionId, reply: Reply<'i>) -> Option<Event<'i>> {
        let transaction = self.transactions.get_mut(id)?;
        let refused = transaction.is_refused() || transaction.not_sent.is_some();
        if reply.is_positive() && refused {
            // Whatever was accepted, it was not this envelope: the outcome stays in doubt.
            self.fail(Fault::RefusedTransactionContinued, reply.as_bytes());
            return None;
        }
        transaction.pending = transaction.pending.saturating_sub(1);
        transaction.in_doubt = false;
        transaction.content_begun = false;
        self.open_contents = self.open_contents.saturating_sub(1);
        let outcome = if reply.is_positive() {
            if self.begun == id {
                self.reset_due = false;
            }
            Outcome::Delivered(reply)
        } else if refused {
            transaction.take_outcome()
        } else {
            Outcome::Refused(Answer {
                step: Step::Content,
                reply,
            })
        };
        self.finish(id, outcome)
    }

    /// Accounts for LMTP's verdict on a content for one recipient.
    fn on_recipient_verdict<'i>(
        &mut self,
        expected: Expected,
        reply: Reply<'i>,
    ) -> Option<Event<'i>> {
        let id = expected.transaction;
        let transaction = self.transactions.get_mut(id)?;
        let message = transaction.message();
        transaction.pending = transaction.pending.saturating_sub(1);
        transaction.answer_content(&reply);
        transaction.verdicts += 1;
        let recipient = transaction.position(expected.recipient as usize);
        if transaction.pending == 0 {
            transaction.in_doubt = false;
            if self.begun == id && reply.is_positive() {
                self.reset_due = false;
            }
        }
        self.conclude(id);
        let outcome = if reply.is_positive() {
            Outcome::Delivered(reply)
        } else {
            Outcome::Refused(Answer {
                step: Step::Content,
                reply,
            })
        };
        Some(Event::RecipientFinished {
            message,
            recipient,
            outcome,
        })
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let answered = self.pipeline.front().copied();
        let awaited = self.awaited().is_some();
        let mut event = None;
        match answered.map(|expected| (expected.verb, expected.transaction)) {
            Some((verb, _)) if verb.is_preliminary() => {
                for id in self.transactions.ids() {
                    self.abandon(
                        id,
                        NotSent::answered(
                            NotSentReason::SessionRefused,
                            Answer {
                                step: verb.step(),
                                reply: reply.clone(),
                            },
                        ),
                    );
                }
            }
            Some((Verb::Quit, _)) => {
                self.close();
                return None;
            }
            Some((Verb::Content | Verb::LastChunk, id)) if awaited => {
                self.fail_answered(Fault::Closing, answered.map(|it| it.verb), &reply);
                event = self.on_verdict(id, reply);
                return event;
            }
            Some((Verb::RecipientContent, id)) if awaited => {
                let local = answered.map_or(0, |expected| expected.recipient as usize);
                let transaction = self.transactions.get_mut(id)?;
                let (message, recipient) = (transaction.message(), transaction.position(local));
                transaction.verdicts += 1;
                self.fail_answered(Fault::Closing, answered.map(|it| it.verb), &reply);
                let outcome = Outcome::Refused(Answer {
                    step: Step::Content,
                    reply,
                });
                return Some(Event::RecipientFinished {
                    message,
                    recipient,
                    outcome,
                });
            }
            Some((Verb::Own, _)) if awaited => {
                event = self.own_commands.answer(reply.clone());
            }
            Some((Verb::Reset | Verb::Own, _)) | None => {}
            Some((verb, id)) => {
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.refuse(verb.step(), reply.clone());
                }
            }
        }
        self.fail_answered(Fault::Closing, answered.map(|it| it.verb), &reply);
        event
    }

    /// Accounts for a reply that answers nothing.
    fn on_surplus(&mut self, reply: Reply<'_>) {
        let content = self
            .wire
            .content()
            .and_then(|id| self.transactions.get_mut(id));
        let refuses = matches!(reply.class(), Class::Transient | Class::Permanent);
        if let Some(transaction) = content
            && refuses
        {
            // The server does not want the rest. It cannot be told that there is none.
            transaction.refuse(Step::Content, reply.clone());
            self.fail(Fault::ContentAbandoned, reply.as_bytes());
        } else {
            self.fail(Fault::SurplusReply, reply.as_bytes());
        }
    }
}
