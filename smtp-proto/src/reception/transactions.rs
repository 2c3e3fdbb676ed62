//! The transaction that is under way, and what is to be decided at the end of its content.

use alloc::{sync::Arc, vec::Vec};
use core::mem;

use super::call::{Asked, Call, Question, Subject};
use super::current::{Current, NoEnvelope};
use super::envelope::{Recipient, Sender, Transaction};
use super::state::State;
use super::verdict::Refusal;
use crate::server::{Ticket, TransactionId};

/// Holds the transaction that is under way, and what is not handed out of it yet.
#[derive(Debug)]
pub(super) struct Transactions<S: State> {
    current: Current<S>,
    /// Rights to decide about the message that has just ended, of LMTP.
    deliveries: Vec<Asked>,
    /// The end of a message whose beginning was handed out just now.
    end: Option<Call<'static, S>>,
    /// Content that was refused while it came, and why.
    refused: Option<(TransactionId, Refusal)>,
    /// DATA, while questions that are overdue are given up.
    overdue: Option<Ticket>,
}

impl<S: State> Transactions<S> {
    pub(super) fn new() -> Self {
        Self {
            current: Current::None,
            deliveries: Vec::new(),
            end: None,
            refused: None,
            overdue: None,
        }
    }

    /// Returns whether none is under way.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.current, Current::None)
    }

    /// Returns whether all that is known by now was handed out.
    pub(super) fn is_told(&self) -> bool {
        self.end.is_none()
    }

    /// Begins one by MAIL, whose verdict is due.
    pub(super) fn ask(&mut self, id: TransactionId) {
        self.current = Current::Asked(id);
    }

    /// Takes the verdict over MAIL: the state, if it was accepted.
    pub(super) fn open(
        &mut self,
        id: TransactionId,
        sender: Arc<Sender>,
        state: Option<S::Transaction>,
    ) {
        self.current.open(id, sender, state);
    }

    /// Adds a recipient without a verdict, and returns its position.
    pub(super) fn name(
        &mut self,
        recipient: &Arc<Recipient>,
    ) -> Option<(Arc<Transaction<S>>, usize)> {
        self.current.name(recipient)
    }

    /// Takes the verdict over a recipient: the state, if it was accepted.
    pub(super) fn decide(
        &mut self,
        id: TransactionId,
        position: usize,
        state: Option<S::Recipient>,
    ) {
        self.current.decide(id, position, state);
    }

    /// Returns whether it is this one that is under way.
    pub(super) fn is(&self, id: TransactionId) -> bool {
        self.current.is(id)
    }

    /// Ends it, if it is this one.
    pub(super) fn end(&mut self, id: TransactionId) {
        self.current.end(id);
    }

    /// Returns what was left to hand out.
    ///
    /// # Errors
    ///
    /// Gives the right to answer back where there is nothing to be handed out.
    pub(super) fn next(&mut self) -> Option<Result<Call<'static, S>, Asked>> {
        if let Some(end) = self.end.take() {
            return Some(Ok(end));
        }
        let (ticket, id) = (self.overdue.take()?, self.current.id()?);
        Some(self.begin(id, Some(ticket), &[]))
    }

    /// Takes content as it comes. The first of it hands the envelope out, where DATA has not.
    ///
    /// # Errors
    ///
    /// Gives the right to answer back where there is no envelope to be had.
    pub(super) fn content<'i>(
        &mut self,
        transaction: TransactionId,
        bytes: &'i [u8],
    ) -> Result<Call<'i, S>, Asked> {
        match self.current.is_in_content() {
            true => Ok(Call::Content { transaction, bytes }),
            false => self.begin(transaction, None, bytes),
        }
    }

    /// Hands out the envelope, by the first of the content or, with a ticket, by DATA before it.
    ///
    /// # Errors
    ///
    /// Gives the right to answer back where there is no envelope to be had.
    pub(super) fn begin<'i>(
        &mut self,
        transaction: TransactionId,
        ticket: Option<Ticket>,
        bytes: &'i [u8],
    ) -> Result<Call<'i, S>, Asked> {
        if ticket.is_some() && self.current.is(transaction) && self.current.is_undecided() {
            // DATA waits for all verdicts, so what is without one is overdue.
            self.current.give_up_verdicts();
            self.overdue = ticket;
            return Ok(Call::Overdue(transaction));
        }
        let asked = Asked {
            ticket,
            subject: Subject::Content(transaction),
        };
        match self.current.envelope() {
            Ok(envelope) => Ok(Call::Begin {
                asked,
                envelope,
                bytes,
            }),
            Err(NoEnvelope) => Err(asked),
        }
    }

    /// Takes the right to decide about a message, in LMTP for one more recipient; hands it out with
    /// the last one.
    ///
    /// # Errors
    ///
    /// Gives it back where the message is refused already.
    pub(super) fn complete(
        &mut self,
        transaction: TransactionId,
        asked: Asked,
    ) -> Result<Option<Call<'static, S>>, (Asked, Refusal)> {
        if let Some((refused, refusal)) = &self.refused
            && *refused == transaction
        {
            return Err((asked, refusal.clone()));
        }
        // Nothing has come between the envelope and the end.
        let begins = match self.current.is_in_content() {
            true => None,
            false => self.begin(transaction, None, &[]).ok(),
        };
        if !self.current.is_in_content() || !self.current.is(transaction) {
            return Err((asked, Refusal::local_error()));
        }
        let ends = match asked.subject {
            Subject::Delivery(..) => {
                self.deliveries.push(asked);
                if self.deliveries.len() < self.current.recipients() {
                    return Ok(begins);
                }
                let asked = mem::take(&mut self.deliveries);
                Call::Deliver { transaction, asked }
            }
            _ => Call::Question(asked, Question::Message(transaction)),
        };
        self.current.end(transaction);
        match begins {
            Some(_) => {
                self.end = Some(ends);
                Ok(begins)
            }
            None => Ok(Some(ends)),
        }
    }

    /// Refuses the content of a transaction. What comes of it is not handed out any more.
    pub(super) fn refuse(&mut self, transaction: TransactionId, refusal: Refusal) {
        if self.current.is(transaction) {
            self.refused = Some((transaction, refusal));
            self.current.end(transaction);
        }
    }

    /// Takes back the rights to decide about a message, that were not handed out yet.
    pub(super) fn take_ends(&mut self, transaction: TransactionId) -> Vec<Asked> {
        let mut taken = match self.current.is(transaction) {
            true => mem::take(&mut self.deliveries),
            false => Vec::new(),
        };
        match self.end.take() {
            Some(Call::Question(asked, Question::Message(id))) if id == transaction => {
                taken.push(asked);
            }
            Some(Call::Deliver {
                transaction: id,
                asked,
            }) if id == transaction => taken.extend(asked),
            end => self.end = end,
        }
        taken
    }
}
