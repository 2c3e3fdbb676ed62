//! The end of a message in LMTP: one reply for each accepted recipient (RFC 2033 4.2).

use core::time::Duration;

use super::event::Event;
use super::pipeline::Answer;
use super::sequence::{Asked, Place};
use super::session::{Session, Step};
use super::transaction::{Deliveries, Transaction};
use crate::machine::Dialect;

impl Session {
    /// Asks for the verdict over a message that came to its end, for each recipient in LMTP.
    pub(super) fn ask_for_verdict<'i>(&mut self, message: &Transaction, now: Duration) -> Step<'i> {
        let transaction = message.id;
        if self.settings().dialect == Dialect::Smtp {
            self.undecided = self.undecided.saturating_add(1);
            return Step::Event(Event::Message {
                ticket: self.ask(Asked::Message, transaction, Place::Any, now),
                transaction,
                bytes: message.bytes,
            });
        }
        let recipients = u32::try_from(message.recipients).unwrap_or(u32::MAX);
        self.undecided = self.undecided.saturating_add(message.recipients);
        self.deliveries = Deliveries {
            message: Some((transaction, message.bytes)),
            first: self.pipeline.next_serial(),
            next: 0,
            end: recipients,
        };
        // All at once, so that nothing comes between their replies. The tickets follow.
        for recipient in 0..recipients {
            let _ = self.ask(Asked::Delivery(recipient), transaction, Place::Any, now);
        }
        Step::Again
    }

    /// Returns the next verdict that the application is to be asked for.
    pub(super) fn next_delivery(&mut self) -> Option<Event<'static>> {
        let deliveries = &mut self.deliveries;
        let (transaction, bytes) = deliveries.message?;
        let recipient = deliveries.next;
        let serial = deliveries.first.saturating_add(u64::from(recipient));
        deliveries.next = recipient.saturating_add(1);
        if deliveries.next >= deliveries.end {
            deliveries.message = None;
        }
        Some(Event::Delivery {
            ticket: self.pipeline.ticket(serial),
            transaction,
            recipient: recipient as usize,
            bytes,
        })
    }

    /// Answers the end of a message that is refused, for each of so many accepted recipients in
    /// LMTP: none at all if there are none (2033-4.3-b, X-22, BDT-14).
    pub(super) fn refuse_message(&mut self, refusal: Answer, recipients: usize) {
        let further = match self.settings().dialect {
            Dialect::Smtp => 0,
            Dialect::Lmtp => match recipients.checked_sub(1) {
                Some(further) => further,
                None => return,
            },
        };
        for _ in 0..further {
            let again = match &refusal {
                Answer::Fixed(reply) => Answer::Fixed(reply),
                Answer::Held(bytes) => self.pipeline.compose(|out| out.extend_from_slice(bytes)),
            };
            self.answer(again, Place::Any);
        }
        self.answer(refusal, Place::Any);
    }
}
