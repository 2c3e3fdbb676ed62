//! What each reply means.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    event::{Event, NotSent, Outcome},
    pipeline::Expected,
    rules::Verb,
    session::{Phase, Session},
    transaction::{Answer, Stage, TransactionId},
};
use crate::{
    machine::{Error, Fault, Origin},
    syntax::{BodyType, Capabilities, Class, Code, Extension, Reply},
};

impl Session {
    /// Accounts for a reply.
    pub(super) fn on_reply<'i>(&mut self, reply: Reply<'i>, now: Duration) -> Option<Event<'i>> {
        if let Some(trace) = &mut self.trace {
            trace.lines(
                Origin::Remote,
                self.pipeline.round_trips(),
                reply.as_bytes(),
            );
        }
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
            Verb::Ehlo | Verb::Helo => {
                self.on_hello(verb, reply);
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
            Verb::Content | Verb::LastChunk => self.on_verdict(expected.transaction, reply),
            Verb::Mail | Verb::Recipient | Verb::Data | Verb::LoneDot | Verb::Chunk => {
                self.on_step(expected, reply)
            }
        }
    }

    fn on_greeting<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        if reply.is_positive() {
            self.phase = Phase::Hello(Verb::Ehlo); // RFC 5321 2.2.1: EHLO rather than HELO
            return Some(Event::Greeting { reply });
        }
        self.refuse_session(&reply);
        None
    }

    fn on_hello(&mut self, verb: Verb, reply: Reply<'_>) {
        match reply.class() {
            Class::Positive => {
                if verb == Verb::Ehlo {
                    self.capabilities = Capabilities::parse(&reply);
                }
                self.level = self.config.pipelining.level(&self.capabilities);
                self.phase = Phase::Ready;
                self.ready_unreported = true;
                for id in self.transactions.ids() {
                    self.check_requirements(id);
                }
            }
            // RFC 5321 3.2: HELO where EHLO is not understood. Postfix takes any refusal for that.
            _ if verb == Verb::Ehlo => self.phase = Phase::Hello(Verb::Helo),
            _ => self.refuse_session(&reply),
        }
    }

    /// Gives up on a server that does not want the session, with a QUIT.
    fn refuse_session(&mut self, reply: &Reply<'_>) {
        self.refusal = Some(Box::new(Error::new(
            Fault::SessionRefused,
            self.state(),
            reply.as_bytes(),
        )));
        self.phase = Phase::Ready;
        self.quitting = true;
        for id in self.transactions.ids() {
            self.abandon(id, NotSent::SessionRefused(reply.clone().into_owned()));
        }
    }

    /// Fails a message that needs what the server does not offer.
    pub(super) fn check_requirements(&mut self, id: TransactionId) {
        let Some(transaction) = self.transactions.get(id) else {
            return;
        };
        let missing = |needed: bool, extension| {
            (needed && !self.capabilities.has(extension))
                .then_some(NotSent::ExtensionMissing(extension))
        };
        let too_large = self.capabilities.max_size().and_then(|maximum| {
            (transaction.size? > maximum).then_some(NotSent::TooLarge { maximum }) // RFC 1870 7
        });
        // RFC 6152 3, RFC 3030 3, RFC 6531 3.2: none of these may be sent unasked.
        let reason = too_large
            .or_else(|| {
                missing(
                    transaction.body == Some(BodyType::EightBitMime),
                    Extension::EightBitMime,
                )
            })
            .or_else(|| {
                missing(
                    transaction.body == Some(BodyType::BinaryMime),
                    Extension::BinaryMime,
                )
            })
            .or_else(|| missing(transaction.internationalized, Extension::SmtpUtf8));
        if let Some(reason) = reason {
            self.abandon(id, reason);
        }
    }

    /// Accounts for the answer to one of the commands that lead to a verdict.
    fn on_step<'i>(&mut self, expected: Expected, reply: Reply<'i>) -> Option<Event<'i>> {
        let id = expected.transaction;
        let transaction = self.transactions.get_mut(id)?;
        transaction.pending = transaction.pending.saturating_sub(1);
        let mut event = None;
        match expected.verb {
            Verb::Mail => transaction.answer_mail(reply),
            Verb::Recipient => {
                transaction.answer_recipient(&reply);
                // Of a refused sender, the refusal tells; the recipients' 503 tell nothing.
                if transaction.mail == Answer::Accepted {
                    let (message, recipient) = (transaction.message(), expected.recipient as usize);
                    event = Some(Event::Recipient {
                        message,
                        recipient,
                        reply,
                    });
                }
            }
            Verb::Data if reply.class() == Class::Intermediate => {
                let gone = transaction.not_sent.is_some() || transaction.mail == Answer::Refused;
                if transaction.accepted == 0 {
                    transaction.stage = Stage::LoneDot;
                } else if !gone {
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
                transaction.refuse(reply);
                transaction.stage = Stage::Over;
            }
            Verb::LoneDot => {}
            _ if !reply.is_positive() => transaction.refuse(reply),
            _ if transaction.is_refused() => {
                self.fail(Fault::RefusedTransactionContinued, reply.as_bytes());
                return None;
            }
            _ => {}
        }
        self.conclude(id);
        event
    }

    /// Accounts for the answer to the end of a message.
    fn on_verdict<'i>(&mut self, id: TransactionId, reply: Reply<'i>) -> Option<Event<'i>> {
        let transaction = self.transactions.get_mut(id)?;
        let refused = transaction.is_refused();
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
            Outcome::Refused(reply)
        };
        Some(self.finish(id, outcome))
    }

    /// Accounts for a 421, which answers the oldest unanswered command, or none (RFC 5321 3.8).
    fn on_closing<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let answered = self.pipeline.front().copied();
        let awaited = self.awaited().is_some();
        let mut event = None;
        match answered.map(|expected| (expected.verb, expected.transaction)) {
            Some((Verb::Connect | Verb::Ehlo | Verb::Helo, _)) => {
                for id in self.transactions.ids() {
                    self.abandon(id, NotSent::SessionRefused(reply.clone().into_owned()));
                }
            }
            Some((Verb::Quit, _)) => {
                self.close();
                return None;
            }
            Some((Verb::Content | Verb::LastChunk, id)) if awaited => {
                self.fail(Fault::Closing, reply.as_bytes());
                event = self.on_verdict(id, reply);
                return event;
            }
            Some((Verb::Reset, _)) | None => {}
            Some((_, id)) => {
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.refuse(reply.clone());
                }
            }
        }
        self.fail(Fault::Closing, reply.as_bytes());
        event
    }

    /// Accounts for a reply that answers nothing.
    fn on_surplus(&mut self, reply: Reply<'_>) {
        let content = self
            .wire
            .content()
            .and_then(|id| self.transactions.get_mut(id));
        if let Some(transaction) = content
            && !reply.is_positive()
        {
            // The server does not want the rest. It cannot be told that there is none.
            transaction.refuse(reply.clone());
            self.fail(Fault::ContentAbandoned, reply.as_bytes());
        } else {
            self.fail(Fault::SurplusReply, reply.as_bytes());
        }
    }
}
