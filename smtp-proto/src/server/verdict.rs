//! Verdicts: the replies that they make, and what they mean for the session.

use alloc::vec::Vec;

use super::event::{Refused, ResetCause, Ticket};
use super::pipeline::{Accepted, Answer, Question};
use super::replies;
use super::sequence::{Asked, State};
use super::session::{Security, Session};
use super::transaction::Receiving;
use crate::framing::DotUnstuffer;
use crate::machine::{Dialect, Fault};
use crate::syntax::{Class, Code, Extension, MAX_REPLY_LINE, Reply};

impl Session {
    pub(super) fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        let question = match self.question(&ticket) {
            Ok(question) => question,
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let answer = self.acceptance(question.asked);
        self.settle(question, answer, true);
        Ok(())
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply<'_>) -> Result<(), Refused> {
        let checked = self.question(&ticket).and_then(|question| {
            question.asked.check(&reply)?;
            Ok(question)
        });
        let question = match checked {
            Ok(question) => question,
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let answer = self.compose(&reply, question.asked);
        let closes = reply.code() == Code::NOT_AVAILABLE
            || question.asked == Asked::Greeting && reply.code() == Code::NO_MAIL_SERVICE;
        if closes {
            let receipts = &mut self.receipts;
            self.pipeline
                .drop_after(question.serial, |accepted| receipts.unsent(accepted));
        }
        self.settle(question, answer, reply.is_positive());
        if closes {
            self.fail(Fault::ShutDown, &[]);
        }
        Ok(())
    }

    /// Composes the reply to a command that the application accepts.
    pub(super) fn acceptance(&mut self, asked: Asked) -> Answer {
        let settings = self.config.settings();
        Answer::Fixed(match asked {
            // After XCLIENT the greeting comes again.
            Asked::Greeting | Asked::XClient { .. } => {
                return self.named(match settings.dialect {
                    Dialect::Smtp => replies::greeting,
                    Dialect::Lmtp => replies::lmtp_greeting,
                });
            }
            Asked::Helo => return self.named(replies::helo),
            Asked::Ehlo => {
                let capabilities = settings.capabilities(self.security == Security::Encrypted);
                return self
                    .pipeline
                    .compose(|out| capabilities.write_reply(&settings.hostname, out));
            }
            Asked::Mail => &replies::SENDER_TAKEN,
            Asked::Rcpt { .. } => &replies::RECIPIENT_TAKEN,
            Asked::Data => &replies::START_CONTENT,
            Asked::Message | Asked::Delivery(_) => &replies::MESSAGE_TAKEN,
            Asked::Name { .. } => &replies::NOT_VERIFIED,
            Asked::Help => &replies::HELP,
            Asked::StartTls => &replies::START_TLS,
            Asked::Auth => &replies::AUTHENTICATED,
            Asked::Etrn => &replies::QUEUE_STARTED,
            Asked::XForward | Asked::Other => &replies::DONE,
        })
    }

    /// Composes a reply that holds the name of the server.
    pub(super) fn named(&mut self, write: fn(&str, &mut Vec<u8>)) -> Answer {
        let hostname = self.config.settings().hostname.as_str();
        self.pipeline.compose(|out| write(hostname, out))
    }

    /// Takes over an application's reply, with an enhanced code where one is due (2034-4-a).
    pub(super) fn compose(&mut self, reply: &Reply<'_>, asked: Asked) -> Answer {
        let offers_codes = self.capabilities().has(Extension::EnhancedStatusCodes);
        let is_greeting = match asked {
            Asked::Greeting | Asked::Ehlo | Asked::Helo => true,
            Asked::XClient { .. } => reply.is_positive(),
            _ => false,
        };
        let is_exempt = is_greeting || reply.enhanced().is_some() || !offers_codes;
        let enhanced: &[u8] = match reply.class() {
            _ if is_exempt => b"",
            Class::Positive => b"2.0.0 ",
            Class::Intermediate => b"",
            Class::Transient => b"4.0.0 ",
            Class::Permanent => b"5.0.0 ",
        };
        let room = MAX_REPLY_LINE.saturating_sub(enhanced.len());
        self.pipeline.compose(|out| {
            for line in reply.as_bytes().split_inclusive(|byte| *byte == b'\n') {
                match line.split_at_checked(4) {
                    Some((code, text)) if line.len() <= room => {
                        out.extend_from_slice(code);
                        out.extend_from_slice(enhanced);
                        out.extend_from_slice(text);
                    }
                    _ => out.extend_from_slice(line),
                }
            }
        })
    }

    /// Takes a verdict.
    pub(super) fn settle(&mut self, question: Question, answer: Answer, is_positive: bool) {
        let accepts = is_positive && question.asked.is_of_message();
        let accepts = accepts.then_some(Accepted {
            transaction: question.transaction,
            recipient: question.asked.recipient(),
        });
        self.pipeline.answer(question, answer, accepts);
        if self.ending.is_none() {
            self.take_effect(question, is_positive);
        } else if question.asked == Asked::Mail && !is_positive {
            // The application ends the transaction that it has not been told to forget yet.
            self.reset_owed
                .take_if(|(id, _)| *id == question.transaction);
        }
        self.depart();
    }

    /// Does what a verdict means for the session.
    fn take_effect(&mut self, question: Question, is_positive: bool) {
        let transaction = self
            .transaction
            .as_mut()
            .filter(|it| it.id == question.transaction);
        match (question.asked, transaction) {
            (Asked::Greeting, _) if !is_positive => self.state = State::TurnedAway,
            (Asked::Ehlo | Asked::Helo, _) if is_positive => {
                self.drop_transaction(ResetCause::Hello);
                self.esmtp = question.asked == Asked::Ehlo;
                self.state = State::Ready;
            }
            (Asked::Mail, Some(transaction)) => {
                transaction.sender_open = false;
                if is_positive {
                    self.state = State::Mail;
                } else {
                    self.transaction = None;
                    self.tally.pardon(self.config.settings());
                }
            }
            (Asked::Rcpt { .. }, Some(transaction)) => {
                transaction.recipients_open = transaction.recipients_open.saturating_sub(1);
                if is_positive {
                    transaction.recipients = transaction.recipients.saturating_add(1);
                    self.state = State::Recipients;
                }
            }
            (Asked::Data, Some(_)) if is_positive => {
                let settings = self.config.settings();
                self.receiving = Receiving::Data(DotUnstuffer::new(settings.line_breaks));
                self.patience = settings.receive_timeout;
            }
            (Asked::StartTls, _) => self.settle_start_tls(is_positive),
            (Asked::Auth, _) => self.settle_authentication(is_positive),
            (Asked::XClient { login }, _) if is_positive => self.begin_afresh(login),
            (Asked::Message | Asked::Delivery(_), _) => {
                self.undecided = self.undecided.saturating_sub(1);
                if is_positive {
                    self.tally.errors = 0;
                    self.tally.idle_commands = 0;
                }
            }
            _ => {}
        }
    }
}
