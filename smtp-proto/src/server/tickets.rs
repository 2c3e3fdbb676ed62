//! What the application is asked, who may answer it, once, and in which order the answers leave.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use super::event::{Reason, Ticket, TransactionId};
use super::question::{Accepted, Detail, Question};
use super::replies;
use super::table::Verb;
use crate::machine::Misuse;
use crate::syntax::Reply;

/// How many buffers of replies that had to wait are kept for the next ones.
const SPARE_BUFFERS: usize = 8;
/// The largest buffer that is kept.
const SPARE_BUFFER: usize = 4096;

/// Tells connections apart, so that a ticket finds its own only: no ticket outlives the next 2^32 of
/// them.
static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// Queues one slot for every command that came and whose reply has not left for the output.
///
/// A reply leaves once those of all earlier commands have (2920-3.2-a). Serial numbers count slots
/// from the beginning of the session.
#[derive(Debug)]
pub(super) struct Tickets {
    connection: u32,
    slots: VecDeque<Slot>,
    /// The serial number of the first slot.
    first: u64,
    /// What is awaited for all slots together.
    awaited: Awaited,
    /// No slot of an earlier serial number is one that the application has not been told of.
    untold_from: u64,
    /// No open slot is due before.
    next_deadline: Option<Duration>,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Slot {
    /// The application is asked.
    Open {
        question: Question,
        deadline: Duration,
        is_told: bool,
    },
    /// The application is asked whether a reply of the machine's own may go.
    Reviewed {
        answer: Answer,
        reason: Reason,
        transaction: Option<TransactionId>,
        deadline: Duration,
        is_told: bool,
    },
    /// The reply is known.
    Answered {
        answer: Answer,
        /// What the reply accepts.
        accepts: Option<Accepted>,
    },
}

/// What is awaited of the application.
#[derive(Clone, Copy, Debug, Default)]
struct Awaited {
    /// How many slots are open.
    open: usize,
    /// How many of them are verdicts over messages.
    messages: usize,
    /// How many of them the application has not been told of.
    untold: usize,
}

/// A reply.
#[derive(Debug)]
pub(super) enum Answer {
    Fixed(&'static Reply<'static>),
    Held(Vec<u8>),
}

impl Answer {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Fixed(reply) => reply.as_bytes(),
            Self::Held(bytes) => bytes,
        }
    }

    /// Returns it as a reply.
    pub(super) fn to_reply(&self) -> Reply<'static> {
        match self {
            Self::Fixed(reply) => (*reply).clone(),
            // The machine's replies are well formed.
            Self::Held(bytes) => {
                Reply::parse(bytes).map_or_else(|_| replies::local_error(), Reply::into_owned)
            }
        }
    }
}

/// What an open ticket is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Question(&'a Question),
    /// A reply of the machine's own.
    Reply {
        answer: &'a Answer,
        reason: Reason,
        transaction: Option<TransactionId>,
    },
}

impl Subject<'_> {
    /// Returns the question, if it is one.
    pub(super) fn question(&self) -> Option<Question> {
        match self {
            Self::Question(question) => Some(**question),
            Self::Reply { .. } => None,
        }
    }

    /// Returns whether it is a reply of the machine's own.
    fn is_reply(&self) -> bool {
        matches!(self, Self::Reply { .. })
    }

    /// Checks that an application may answer so. A reply in the place of one of the machine's own has to
    /// be of the same class, and of the same code where that says that the connection closes.
    pub(super) fn check(&self, reply: &Reply<'_>) -> Result<(), Misuse> {
        let own = match self {
            Self::Question(question) => {
                return question
                    .verb
                    .check(reply, question.detail == Detail::Utf8(true));
            }
            Self::Reply { answer, .. } => answer.as_bytes(),
        };
        let is_closing = own.starts_with(b"221") || own.starts_with(b"421");
        let same = if is_closing { 3 } else { 1 };
        match reply.is_ascii() {
            _ if own.get(..same) != reply.as_bytes().get(..same) => Err(Misuse::WrongReplyClass),
            true => Ok(()),
            false => Err(Misuse::NotAscii),
        }
    }
}

/// A reply that leaves.
pub(super) struct Departure {
    pub(super) serial: u64,
    pub(super) answer: Answer,
    /// What the reply accepts.
    pub(super) accepts: Option<Accepted>,
}

impl Tickets {
    pub(super) fn new() -> Self {
        Self {
            connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            slots: VecDeque::new(),
            first: 0,
            awaited: Awaited::default(),
            untold_from: 0,
            next_deadline: None,
            spare: Vec::new(),
        }
    }

    /// Queues a command that the application answers.
    pub(super) fn ask(&mut self, question: Question, deadline: Duration) -> Ticket {
        let serial = self.next_serial();
        self.queue(Slot::Open {
            question,
            deadline,
            is_told: true,
        });
        Ticket::new(self.connection, serial, false)
    }

    /// Queues a question of which the application is told by [`next_untold`](Self::next_untold).
    pub(super) fn ask_later(&mut self, question: Question, deadline: Duration) {
        self.queue(Slot::Open {
            question,
            deadline,
            is_told: false,
        });
    }

    /// Queues a reply of the machine's own, of which the application is told likewise.
    pub(super) fn review(
        &mut self,
        answer: Answer,
        reason: Reason,
        transaction: Option<TransactionId>,
        deadline: Duration,
    ) {
        self.queue(Slot::Reviewed {
            answer,
            reason,
            transaction,
            deadline,
            is_told: false,
        });
    }

    /// Queues a command that is answered already.
    pub(super) fn push(&mut self, answer: Answer) {
        self.slots.push_back(Slot::Answered {
            answer,
            accepts: None,
        });
    }

    /// Returns what the application is to be told of next, and its ticket.
    pub(super) fn next_untold(&mut self) -> Option<(Ticket, Subject<'_>)> {
        if self.awaited.untold == 0 {
            return None;
        }
        // No slot is passed twice: those before are told, or answered. A review that takes the place of an
        // earlier question moves the mark back.
        let from = self.index(self.untold_from.max(self.first))?;
        let at = self.slots.iter().skip(from).position(Slot::is_untold)?;
        let at = from.saturating_add(at);
        let serial = self.first.saturating_add(at as u64);
        self.awaited.untold = self.awaited.untold.saturating_sub(1);
        self.untold_from = serial.saturating_add(1);
        let slot = self.slots.get_mut(at)?;
        if let Slot::Open { is_told, .. } | Slot::Reviewed { is_told, .. } = slot {
            *is_told = true;
        }
        let subject = slot.subject()?;
        let ticket = Ticket::new(self.connection, serial, subject.is_reply());
        Some((ticket, subject))
    }

    /// Returns what `ticket` is for, if it is of this connection and still open.
    pub(super) fn look_up(&self, ticket: &Ticket) -> Result<(u64, Subject<'_>), Misuse> {
        let Some(serial) = ticket.serial(self.connection) else {
            return Err(Misuse::UnknownTicket);
        };
        match self.slot(serial).and_then(Slot::subject) {
            Some(subject) if subject.is_reply() == ticket.is_review() => Ok((serial, subject)),
            _ if serial >= self.next_serial() => Err(Misuse::UnknownTicket),
            // Tickets cannot be used twice: the machine answered in the application's stead.
            _ => Err(Misuse::Expired),
        }
    }

    /// Answers a question; `accepts` tells whether that accepts the message, if it is over one.
    pub(super) fn answer(&mut self, serial: u64, answer: Answer, accepts: bool) {
        let Some(slot) = self.slot_mut(serial) else {
            return;
        };
        let accepts = match slot {
            Slot::Open { question, .. } if accepts => question.accepts(),
            _ => None,
        };
        let closed = slot.awaited();
        *slot = Slot::Answered { answer, accepts };
        self.awaited = self.awaited.less(closed);
        if self.awaited.open == 0 {
            self.next_deadline = None;
        }
    }

    /// Lets a reply of the machine's own go as it is.
    pub(super) fn let_go(&mut self, serial: u64) {
        if let Some(Slot::Reviewed { answer, .. }) = self.slot_mut(serial) {
            let answer = core::mem::replace(answer, Answer::Held(Vec::new()));
            self.answer(serial, answer, false);
        }
    }

    /// Puts a reply of the machine's own in the place of a question that is still open, for review if
    /// there is a time for it.
    pub(super) fn supersede(
        &mut self,
        serial: u64,
        answer: Answer,
        reason: Reason,
        deadline: Option<Duration>,
    ) {
        self.answer(serial, answer, false);
        if let (Some(deadline), Some(slot)) = (deadline, self.slot_mut(serial))
            && let Slot::Answered { answer, .. } = slot
        {
            *slot = Slot::Reviewed {
                answer: core::mem::replace(answer, Answer::Held(Vec::new())),
                reason,
                transaction: None,
                deadline,
                is_told: false,
            };
            let opened = slot.awaited();
            self.opened(opened, deadline);
            self.untold_from = self.untold_from.min(serial);
        }
    }

    /// Takes the next reply whose turn it is. [`recycle`](Self::recycle) it once it is on its way.
    pub(super) fn next_answer(&mut self) -> Option<Departure> {
        if !self.has_answer() {
            return None;
        }
        let serial = self.first;
        self.first = serial.saturating_add(1);
        match self.slots.pop_front()? {
            Slot::Answered { answer, accepts } => Some(Departure {
                serial,
                answer,
                accepts,
            }),
            Slot::Open { .. } | Slot::Reviewed { .. } => None,
        }
    }

    /// Keeps the buffer of a reply for the next one that has to wait.
    pub(super) fn recycle(&mut self, answer: Answer) {
        if let Answer::Held(mut bytes) = answer
            // A long reply must not be paid for with memory for the rest of the session.
            && self.spare.len() < SPARE_BUFFERS
            && bytes.capacity() <= SPARE_BUFFER
        {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Returns whether there is a reply whose turn it is.
    pub(super) fn has_answer(&self) -> bool {
        matches!(self.slots.front(), Some(Slot::Answered { .. }))
    }

    /// Returns an answer that `write` composes, in a buffer used before where there is one.
    pub(super) fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
        let mut bytes = self.spare.pop().unwrap_or_default();
        write(&mut bytes);
        Answer::Held(bytes)
    }

    /// Returns the first slot that is due at `now`.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<(u64, Subject<'_>)> {
        if self.next_deadline? > now {
            return None;
        }
        let mut earliest: Option<Duration> = None;
        let mut due = None;
        for (at, slot) in self.slots.iter().enumerate() {
            match slot.deadline() {
                Some(deadline) if deadline <= now => {
                    due = Some(at);
                    break;
                }
                Some(deadline) => {
                    earliest = Some(earliest.map_or(deadline, |at| at.min(deadline)));
                }
                None => {}
            }
        }
        // Slots that were answered may have set the mark: then it is known better now, and nothing is
        // searched again before that.
        let Some(at) = due else {
            self.next_deadline = earliest;
            return None;
        };
        let serial = self.first.saturating_add(at as u64);
        Some((serial, self.slots.get(at)?.subject()?))
    }

    /// Returns when [`overdue`](Self::overdue) is to be asked next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.next_deadline
    }

    /// Returns the last command if no other may be handled before its answer.
    pub(super) fn holding(&self) -> Option<(u64, Question)> {
        let serial = self.next_serial().checked_sub(1)?;
        // No other slot can be one that holds: nothing is queued after it.
        match self.slots.back()? {
            Slot::Open { question, .. } if question.verb.holds() => Some((serial, *question)),
            _ => None,
        }
    }

    /// Drops all commands from `serial` on: they get no reply. Hands the messages among them that
    /// were accepted already to `unsent`.
    pub(super) fn drop_from(&mut self, serial: u64, unsent: impl FnMut(Accepted)) {
        let kept = self.index(serial).unwrap_or_default();
        self.slots
            .iter()
            .skip(kept)
            .filter_map(|slot| match slot {
                Slot::Answered { accepts, .. } => *accepts,
                Slot::Open { .. } | Slot::Reviewed { .. } => None,
            })
            .for_each(unsent);
        self.slots.truncate(kept);
        // Counted anew, not counted off: this comes once, at the end of a session.
        let awaited = self.slots.iter().map(Slot::awaited);
        self.awaited = awaited.fold(Awaited::default(), Awaited::plus);
        if self.awaited.open == 0 {
            self.next_deadline = None;
        }
    }

    /// Drops all commands, likewise: nothing can be answered any more.
    pub(super) fn clear(&mut self, unsent: impl FnMut(Accepted)) {
        self.drop_from(self.first, unsent);
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
        self.awaited.open
    }

    /// Returns whether one of them is over such a verb.
    pub(super) fn any_open(&self, which: impl Fn(Verb) -> bool) -> bool {
        self.slots.iter().any(|slot| match slot {
            Slot::Open { question, .. } => which(question.verb),
            Slot::Reviewed { .. } | Slot::Answered { .. } => false,
        })
    }

    /// Returns how many of them are over messages; in LMTP each recipient's counts.
    pub(super) fn messages(&self) -> usize {
        self.awaited.messages
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.slots.shrink_to_fit();
        self.spare = Vec::new();
    }

    #[inline]
    fn queue(&mut self, slot: Slot) {
        if let Some(deadline) = slot.deadline() {
            self.opened(slot.awaited(), deadline);
        }
        self.slots.push_back(slot);
    }

    fn opened(&mut self, awaited: Awaited, deadline: Duration) {
        self.awaited = self.awaited.plus(awaited);
        let earliest = self.next_deadline.map_or(deadline, |at| at.min(deadline));
        self.next_deadline = Some(earliest);
    }

    fn index(&self, serial: u64) -> Option<usize> {
        usize::try_from(serial.checked_sub(self.first)?).ok()
    }

    fn slot(&self, serial: u64) -> Option<&Slot> {
        self.slots.get(self.index(serial)?)
    }

    fn slot_mut(&mut self, serial: u64) -> Option<&mut Slot> {
        let at = self.index(serial)?;
        self.slots.get_mut(at)
    }
}

impl Awaited {
    fn plus(self, other: Self) -> Self {
        Self {
            open: self.open.saturating_add(other.open),
            messages: self.messages.saturating_add(other.messages),
            untold: self.untold.saturating_add(other.untold),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            open: self.open.saturating_sub(other.open),
            messages: self.messages.saturating_sub(other.messages),
            untold: self.untold.saturating_sub(other.untold),
        }
    }
}

impl Slot {
    fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Open { deadline, .. } | Self::Reviewed { deadline, .. } => Some(*deadline),
            Self::Answered { .. } => None,
        }
    }

    fn is_untold(&self) -> bool {
        match self {
            Self::Open { is_told, .. } | Self::Reviewed { is_told, .. } => !is_told,
            Self::Answered { .. } => false,
        }
    }

    /// Returns what is awaited for it.
    fn awaited(&self) -> Awaited {
        let (is_of_message, is_told) = match self {
            Self::Open {
                question, is_told, ..
            } => (question.verb.is_of_message(), *is_told),
            Self::Reviewed { is_told, .. } => (false, *is_told),
            Self::Answered { .. } => return Awaited::default(),
        };
        Awaited {
            open: 1,
            messages: usize::from(is_of_message),
            untold: usize::from(!is_told),
        }
    }

    /// Returns what the application is asked by an open slot.
    fn subject(&self) -> Option<Subject<'_>> {
        match self {
            Self::Open { question, .. } => Some(Subject::Question(question)),
            Self::Reviewed {
                answer,
                reason,
                transaction,
                ..
            } => Some(Subject::Reply {
                answer,
                reason: *reason,
                transaction: *transaction,
            }),
            Self::Answered { .. } => None,
        }
    }
}
