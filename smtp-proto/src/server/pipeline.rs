//! The commands that are not wholly answered, and their replies in order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use super::event::{Certainty, Event, Ticket, TransactionId};
use super::sequence::Asked;
use crate::syntax::Reply;

/// How many buffers of replies that had to wait are kept for the next ones.
const SPARE_BUFFERS: usize = 8;
/// The largest buffer that is kept.
const SPARE_BUFFER: usize = 4096;

/// Tells connections apart, so that a ticket finds its own only.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// Queues one slot for every command that came and whose reply has not left for the output.
///
/// A reply leaves once those of all earlier commands have (2920-3.2-a). Serial numbers count slots
/// from the beginning of the session.
#[derive(Debug)]
pub(super) struct Pipeline {
    connection: usize,
    slots: VecDeque<Slot>,
    /// The serial number of the first slot.
    first: u64,
    /// How many slots wait for the application.
    open: usize,
    /// No open slot is due before.
    next_deadline: Option<Duration>,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Slot {
    /// The application is asked.
    Open {
        asked: Asked,
        transaction: TransactionId,
        deadline: Duration,
    },
    /// The reply is known.
    Answered {
        answer: Answer,
        /// What the reply accepts.
        accepts: Option<Accepted>,
    },
}

/// A reply.
#[derive(Debug)]
pub(super) enum Answer {
    Fixed(&'static Reply<'static>),
    Held(Vec<u8>),
}

impl Answer {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Fixed(reply) => reply.as_bytes(),
            Self::Held(bytes) => bytes,
        }
    }
}

/// A command whose verdict is due, or is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) serial: u64,
    pub(super) asked: Asked,
    pub(super) transaction: TransactionId,
}

/// A reply that leaves.
pub(super) struct Departure<'a> {
    pub(super) serial: u64,
    pub(super) bytes: &'a [u8],
    /// What the reply accepts.
    pub(super) accepts: Option<Accepted>,
}

/// A message that a reply accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    pub(super) transaction: TransactionId,
    /// In LMTP, the accepted recipient that it is accepted for.
    pub(super) recipient: Option<u32>,
}

impl Accepted {
    /// Returns the event that tells how sure it is that the client knows.
    pub(super) fn acknowledged(self, certainty: Certainty) -> Event<'static> {
        let transaction = self.transaction;
        match self.recipient {
            None => Event::Acknowledged {
                transaction,
                certainty,
            },
            Some(recipient) => Event::DeliveryAcknowledged {
                transaction,
                recipient: recipient as usize,
                certainty,
            },
        }
    }
}

impl Pipeline {
    pub(super) fn new() -> Self {
        Self {
            connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            slots: VecDeque::new(),
            first: 0,
            open: 0,
            next_deadline: None,
            spare: Vec::new(),
        }
    }

    /// Queues a command that the application answers.
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        transaction: TransactionId,
        deadline: Duration,
    ) -> Ticket {
        let ticket = self.ticket(self.next_serial());
        self.slots.push_back(Slot::Open {
            asked,
            transaction,
            deadline,
        });
        self.open = self.open.saturating_add(1);
        let earliest = self.next_deadline.map_or(deadline, |at| at.min(deadline));
        self.next_deadline = Some(earliest);
        ticket
    }

    /// Returns the right to answer the command of that serial number.
    pub(super) fn ticket(&self, serial: u64) -> Ticket {
        Ticket {
            connection: self.connection,
            serial,
        }
    }

    /// Queues a command that is answered already.
    pub(super) fn push(&mut self, answer: Answer) {
        self.slots.push_back(Slot::Answered {
            answer,
            accepts: None,
        });
    }

    /// Returns what `ticket` answers, if it is of this connection and still open.
    pub(super) fn look_up(&self, ticket: &Ticket) -> Lookup {
        if ticket.connection != self.connection || ticket.serial >= self.next_serial() {
            return Lookup::Unknown;
        }
        let slot = self.index(ticket.serial).and_then(|at| self.slots.get(at));
        match slot.and_then(|slot| Question::of(ticket.serial, slot)) {
            Some(question) => Lookup::Open(question),
            // Tickets cannot be used twice: the machine answered in the application's stead.
            None => Lookup::Expired,
        }
    }

    /// Gives an open slot its answer. `accepts` says that it accepts the message.
    pub(super) fn answer(&mut self, question: Question, answer: Answer, accepts: Option<Accepted>) {
        let index = self.index(question.serial);
        let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else {
            return;
        };
        if let Slot::Open { .. } = slot {
            self.open = self.open.saturating_sub(1);
        }
        *slot = Slot::Answered { answer, accepts };
        if self.open == 0 {
            self.next_deadline = None;
        }
    }

    /// Hands the next reply whose turn it is to `leave`; returns whether there was one.
    pub(super) fn depart(&mut self, leave: impl FnOnce(Departure<'_>)) -> bool {
        if !self.has_answer() {
            return false;
        }
        let Some(Slot::Answered { answer, accepts }) = self.slots.pop_front() else {
            return false;
        };
        leave(Departure {
            serial: self.first,
            bytes: answer.bytes(),
            accepts,
        });
        self.first = self.first.saturating_add(1);
        if let Answer::Held(bytes) = answer {
            self.recycle(bytes);
        }
        true
    }

    /// Tells whether there is a reply whose turn it is.
    pub(super) fn has_answer(&self) -> bool {
        matches!(self.slots.front(), Some(Slot::Answered { .. }))
    }

    /// Returns an answer that `write` composes, in a buffer used before where there is one.
    pub(super) fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
        let mut bytes = self.spare.pop().unwrap_or_default();
        write(&mut bytes);
        Answer::Held(bytes)
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && bytes.capacity() <= SPARE_BUFFER {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Returns the first slot that is due at `now`.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<Question> {
        if self.next_deadline? > now {
            return None;
        }
        let mut earliest: Option<Duration> = None;
        for (serial, slot) in (self.first..).zip(&self.slots) {
            let Slot::Open { deadline, .. } = *slot else {
                continue;
            };
            if deadline <= now {
                return Question::of(serial, slot);
            }
            earliest = Some(earliest.map_or(deadline, |at| at.min(deadline)));
        }
        self.next_deadline = earliest;
        None
    }

    /// Returns when [`overdue`](Self::overdue) is to be asked next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.next_deadline
    }

    /// Returns the last command if no other may be handled before its answer.
    pub(super) fn holding(&self) -> Option<Question> {
        let serial = self.next_serial().checked_sub(1)?;
        let question = Question::of(serial, self.slots.back()?)?;
        question.asked.holds().then_some(question)
    }

    /// Drops all commands after `serial`: they get no reply. Hands the messages among them that
    /// were accepted already to `unsent`.
    pub(super) fn drop_after(&mut self, serial: u64, unsent: impl FnMut(Accepted)) {
        self.drop_from(serial.saturating_add(1), unsent);
    }

    /// Drops all commands, likewise: nothing can be answered any more.
    pub(super) fn clear(&mut self, unsent: impl FnMut(Accepted)) {
        self.drop_from(self.first, unsent);
    }

    fn drop_from(&mut self, serial: u64, unsent: impl FnMut(Accepted)) {
        let kept = self.index(serial).unwrap_or_default();
        self.slots
            .iter()
            .skip(kept)
            .filter_map(|slot| match slot {
                Slot::Answered { accepts, .. } => *accepts,
                Slot::Open { .. } => None,
            })
            .for_each(unsent);
        self.slots.truncate(kept);
        let open = |slot: &&Slot| matches!(slot, Slot::Open { .. });
        self.open = self.slots.iter().filter(open).count();
        if self.open == 0 {
            self.next_deadline = None;
        }
    }

    /// Returns the serial number that the next command gets.
    pub(super) fn next_serial(&self) -> u64 {
        self.first.saturating_add(self.slots.len() as u64)
    }

    /// Returns how many commands are unanswered, or answered and not yet at the turn.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns how many verdicts the application owes.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.slots.shrink_to_fit();
        self.spare = Vec::new();
    }

    fn index(&self, serial: u64) -> Option<usize> {
        usize::try_from(serial.checked_sub(self.first)?).ok()
    }
}

impl Question {
    fn of(serial: u64, slot: &Slot) -> Option<Self> {
        match *slot {
            Slot::Open {
                asked, transaction, ..
            } => Some(Self {
                serial,
                asked,
                transaction,
            }),
            Slot::Answered { .. } => None,
        }
    }
}

/// What became of a ticket's command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lookup {
    Open(Question),
    Expired,
    Unknown,
}
