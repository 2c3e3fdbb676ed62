//! Every message without an outcome, and what is still to be told.

use alloc::collections::{BTreeMap, VecDeque};

use super::{
    envelope::{Envelope, Written},
    event::{Event, MessageId, NotSentReason, Outcome},
    queue::Queue,
    transaction::Concluded,
};

/// The messages that are unfinished, and the events that need no reply any more.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    messages: Queue<Message>,
    /// How many are unfinished.
    unfinished: usize,
    /// The messages that take several transactions.
    parts: BTreeMap<u64, Parts>,
    /// What became of transactions, and is not told yet.
    telling: VecDeque<Concluded<'static>>,
    /// What became of them is not told for now, as the verdicts may be other messages'.
    is_held: bool,
    /// [`Event::Ready`] is to be told, and [`Event::Closed`].
    is_ready: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Message {
    envelope: Written,
    is_finished: bool,
}

/// What is known of a message that takes several transactions.
#[derive(Debug)]
struct Parts {
    /// How many of them are without an outcome.
    open: usize,
    /// The best outcome of the others.
    best: Option<Outcome<'static>>,
}

impl Ledger {
    /// Enters a message.
    pub(super) fn submit(&mut self, envelope: &Envelope<'_>) -> MessageId {
        let number = self.messages.push(|message| {
            message.envelope.fill(envelope);
            message.is_finished = false;
        });
        self.unfinished = self.unfinished.saturating_add(1);
        MessageId(number)
    }

    /// Returns a message's envelope.
    pub(super) fn envelope(&self, message: u64) -> Option<&Written> {
        self.messages.get(message).map(|message| &message.envelope)
    }

    pub(super) fn envelope_mut(&mut self, message: u64) -> Option<&mut Written> {
        let message = self.messages.get_mut(message)?;
        Some(&mut message.envelope)
    }

    /// Returns how many messages are unfinished.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Expects the outcome of one more transaction of a message.
    pub(super) fn add_part(&mut self, message: u64) {
        let parts = self.parts.entry(message).or_insert(Parts {
            open: 1,
            best: None,
        });
        parts.open = parts.open.saturating_add(1);
    }

    /// Enters what became of a transaction. Returns the event to tell now; others may follow.
    pub(super) fn conclude<'i>(&mut self, concluded: Concluded<'i>) -> Option<Event<'i>> {
        let Concluded {
            message,
            has_end,
            outcome,
            recipients,
        } = concluded;
        let is_alone = self.telling.is_empty() && !self.parts.contains_key(&message);
        if recipients.is_empty() && is_alone && !self.is_held {
            self.finish(message);
            let message = MessageId(message);
            return Some(Event::Finished { message, outcome });
        }
        let outcome = outcome.into_owned();
        self.tell(Concluded {
            message,
            has_end,
            outcome,
            recipients,
        });
        self.next_event()
    }

    /// Enters what became of a transaction, to be told later.
    pub(super) fn tell(&mut self, concluded: Concluded<'static>) {
        self.telling.push_back(concluded);
    }

    /// Holds back what becomes of transactions from now on, as it may be wrong.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Tells what was held back: it is right.
    pub(super) fn release(&mut self) {
        self.is_held = false;
    }

    /// Tells that nothing is known of what was held back, but that what was not sent was not taken.
    pub(super) fn doubt(&mut self) {
        if core::mem::take(&mut self.is_held) {
            for concluded in &mut self.telling {
                match (&mut concluded.outcome, concluded.has_end) {
                    // That was said before any of it could be another command's.
                    (Outcome::NotSent(why), false)
                        if why.reason == NotSentReason::SessionRefused => {}
                    (outcome, true) => *outcome = Outcome::InDoubt,
                    (outcome, false) => {
                        *outcome = Outcome::NotSent(NotSentReason::ConnectionEnded.into());
                    }
                }
                for (_, own) in &mut concluded.recipients {
                    *own = None;
                }
            }
        }
    }

    /// Tells that the session is open.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
    }

    /// Tells that the session has ended in good order.
    pub(super) fn closed(&mut self) {
        self.is_closed = true;
    }

    /// Takes the event that is due next, but for the end of the session.
    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        if core::mem::take(&mut self.is_ready) {
            return Some(Event::Ready);
        }
        while !self.is_held {
            let Concluded {
                message,
                outcome,
                recipients,
                ..
            } = self.telling.front_mut()?;
            let id = MessageId(*message);
            if let Some((recipient, own)) = recipients.pop() {
                return Some(Event::RecipientFinished {
                    message: id,
                    recipient: recipient as usize,
                    outcome: own.unwrap_or_else(|| outcome.clone()),
                });
            }
            let Concluded {
                message, outcome, ..
            } = self.telling.pop_front()?;
            if let Some(outcome) = self.close_part(message, outcome) {
                self.finish(message);
                return Some(Event::Finished {
                    message: id,
                    outcome,
                });
            }
        }
        None
    }

    /// Takes the end of the session, if it is to be told.
    pub(super) fn next_closed(&mut self) -> Option<Event<'static>> {
        core::mem::take(&mut self.is_closed).then_some(Event::Closed)
    }

    /// Returns whether an event is due.
    pub(super) fn has_events(&self) -> bool {
        self.is_ready || self.is_closed || !(self.is_held || self.telling.is_empty())
    }

    /// Accounts for the outcome of a transaction. Returns the message's, if it was the last.
    fn close_part(&mut self, message: u64, outcome: Outcome<'static>) -> Option<Outcome<'static>> {
        let Some(parts) = self.parts.get_mut(&message) else {
            return Some(outcome);
        };
        parts.open = parts.open.saturating_sub(1);
        if parts
            .best
            .as_ref()
            .is_none_or(|best| rank(&outcome) > rank(best))
        {
            parts.best = Some(outcome);
        }
        if parts.open > 0 {
            return None;
        }
        self.parts.remove(&message)?.best
    }

    /// Strikes a message out, and forgets those at the front that are finished.
    fn finish(&mut self, message: u64) {
        if let Some(message) = self.messages.get_mut(message)
            && !core::mem::replace(&mut message.is_finished, true)
        {
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        while self.messages.first().is_some_and(|first| first.is_finished) {
            self.messages.pop();
        }
    }

    pub(super) fn shrink(&mut self) {
        self.messages.shrink();
        self.telling.shrink_to_fit();
    }
}

/// Orders outcomes: what happened for some recipient counts more than what did not.
fn rank(outcome: &Outcome<'_>) -> u8 {
    match outcome {
        Outcome::NotSent(_) => 0,
        Outcome::Refused(_) => 1,
        Outcome::InDoubt => 2,
        Outcome::Delivered(_) => 3,
    }
}
