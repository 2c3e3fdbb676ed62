//! What is said to the client: composed, asked for or reviewed, put in the order of the commands, and
//! sent.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::departures::{Departures, Turn};
use super::event::{Event, Reason, Ticket, TransactionId};
use super::footing::Footing;
use super::question::{Detail, Question};
use super::replies::{self, Wording};
use super::security;
use super::table::{Place, Verb};
use super::tickets::{Answer, Subject, Tickets};
use crate::framing::Transmit;
use crate::machine::{Misuse, Origin, Timer, Trace, TraceEntry};
use crate::syntax::{Class, Extension, MAX_REPLY_LINE, Reply};

/// Answers every command once, and in order.
#[derive(Debug)]
pub(super) struct Outbox {
    tickets: Tickets,
    departures: Departures,
    trace: Option<Box<Trace>>,
    refusals: Option<Box<Refusals>>,
}

/// What was refused.
#[derive(Debug, Default)]
struct Refusals {
    count: u64,
    last: Vec<u8>,
}

impl Outbox {
    pub(super) fn new(write_timeout: Duration, is_traced: bool) -> Self {
        Self {
            tickets: Tickets::new(),
            departures: Departures::new(write_timeout),
            trace: is_traced.then(Box::default),
            refusals: None,
        }
    }

    // What is to be said.

    /// Queues a command that the application answers.
    pub(super) fn ask(&mut self, footing: &Footing, question: Question) -> Ticket {
        self.expect_wait(footing, question.verb.place());
        self.tickets
            .ask(question, footing.verdict_deadline(question.verb))
    }

    /// Queues a question of which the application is told by [`next_event`](Self::next_event).
    pub(super) fn ask_later(&mut self, footing: &Footing, question: Question) {
        self.expect_wait(footing, question.verb.place());
        self.tickets
            .ask_later(question, footing.verdict_deadline(question.verb));
    }

    /// Answers a command without the application, unless it reviews such answers.
    pub(super) fn say(
        &mut self,
        footing: &Footing,
        reason: Reason,
        place: Place,
        transaction: Option<TransactionId>,
    ) {
        self.expect_wait(footing, place);
        let wording = footing.wording(reason);
        let answer = self.worded(footing, wording);
        match footing.review_deadline(wording) {
            Some(deadline) => self.tickets.review(answer, reason, transaction, deadline),
            None => self.tickets.push(answer),
        }
    }

    /// Answers a content as the application has said.
    pub(super) fn repeat(&mut self, footing: &Footing, answer: &Answer) {
        self.expect_wait(footing, Place::First);
        let again = self
            .tickets
            .compose(|out| out.extend_from_slice(answer.as_bytes()));
        self.tickets.push(again);
    }

    /// Says a last word of the machine's. It takes the place of a reply that the client could not make
    /// use of any more.
    pub(super) fn say_last(&mut self, footing: &Footing, reason: Reason) {
        let Some((serial, _)) = self.tickets.holding() else {
            return self.say(footing, reason, Place::Any, None);
        };
        let wording = footing.wording(reason);
        let answer = self.worded(footing, wording);
        let deadline = footing.review_deadline(wording);
        self.tickets.supersede(serial, answer, reason, deadline);
    }

    /// Says a last word of the application's, likewise.
    pub(super) fn repeat_last(&mut self, footing: &Footing, answer: Answer) {
        match self.tickets.holding() {
            Some((serial, _)) => self.tickets.answer(serial, answer, false),
            None => {
                self.expect_wait(footing, Place::Any);
                self.tickets.push(answer);
            }
        }
    }

    /// Composes a reply of the machine's.
    pub(super) fn worded(&mut self, footing: &Footing, wording: Wording) -> Answer {
        match wording {
            Wording::Fixed(reply) => Answer::Fixed(reply),
            Wording::Named(parts) => self.named(footing, parts),
            Wording::Greeting => self.named(footing, replies::greeting(footing.dialect())),
            Wording::Offer => {
                let hostname = &footing.settings().hostname;
                let offer = footing.next_offer();
                self.tickets.compose(|out| offer.write_reply(hostname, out))
            }
        }
    }

    #[cold]
    fn named(&mut self, footing: &Footing, [before, after]: &[&str; 2]) -> Answer {
        let hostname = footing.settings().hostname.as_str();
        self.tickets.compose(|out| {
            for part in [before, hostname, after] {
                out.extend_from_slice(part.as_bytes());
            }
        })
    }

    /// Takes over an application's reply, with an enhanced code where one is due (2034-4-a).
    pub(super) fn compose(&mut self, footing: &Footing, reply: &Reply<'_>, verb: Verb) -> Answer {
        let offers_codes = footing.offered().has(Extension::EnhancedStatusCodes);
        let is_exempt = verb.is_bare(reply.class()) || reply.enhanced().is_some() || !offers_codes;
        let enhanced: &[u8] = match reply.class() {
            _ if is_exempt => b"",
            Class::Positive => b"2.0.0 ",
            Class::Intermediate => b"",
            Class::Transient => b"4.0.0 ",
            Class::Permanent => b"5.0.0 ",
        };
        let room = MAX_REPLY_LINE.saturating_sub(enhanced.len());
        self.tickets.compose(|out| {
            for line in reply.as_bytes().split_inclusive(|byte| *byte == b'\n') {
                match line.split_at_checked(4) {
                    Some((code, text)) if line.len() <= room => {
                        out.extend_from_slice(code);
                        out.extend_from_slice(enhanced);
                        out.extend_from_slice(text);
                    }
                    // Without room for a code: a client may refuse a longer line (RFC 5321 4.5.3.1.5).
                    _ => out.extend_from_slice(line),
                }
            }
        })
    }

    /// Returns what a ticket is for, and the serial number of its command.
    pub(super) fn look_up(&self, ticket: &Ticket) -> Result<(u64, Subject<'_>), Misuse> {
        let subject = self.tickets.look_up(ticket);
        match self.departures.is_silent() {
            true => subject.map_err(|_| Misuse::Ending),
            false => subject,
        }
    }

    /// Answers the command of that serial number; `accepts` tells whether that accepts the message, if
    /// it is the end of one.
    pub(super) fn answer(&mut self, serial: u64, answer: Answer, accepts: bool) {
        self.tickets.answer(serial, answer, accepts);
    }

    /// Answers AUTH by a challenge.
    pub(super) fn challenge(&mut self, serial: u64, challenge: &[u8]) {
        let answer = self
            .tickets
            .compose(|out| security::write_challenge(challenge, out));
        // What came after an initial response was not meant for this.
        self.departures.expect_wait(serial);
        self.tickets.answer(serial, answer, false);
    }

    /// Lets a reply of the machine's own go as it is.
    pub(super) fn let_go(&mut self, serial: u64) {
        self.tickets.let_go(serial);
    }

    /// Leaves all commands from that serial number on without an answer.
    pub(super) fn drop_from(&mut self, serial: u64) {
        let departures = &mut self.departures;
        self.tickets
            .drop_from(serial, |accepted| departures.unsent(accepted));
    }

    /// Returns the first command that the application should have answered by now.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<(u64, Subject<'_>)> {
        self.tickets.overdue(now)
    }

    /// Returns what the application is to be told of replies: of one that it is to give, or of one that
    /// arrived.
    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        let Some((ticket, subject)) = self.tickets.next_untold() else {
            return self.departures.next_settled();
        };
        Some(match subject {
            Subject::Reply {
                answer,
                reason,
                transaction,
            } => Event::Reply {
                ticket,
                reply: answer.to_reply(),
                reason,
                transaction,
            },
            Subject::Question(question) => match (question.detail, question.transaction) {
                (Detail::Recipient { recipient, bytes }, Some(transaction)) => Event::Delivery {
                    ticket,
                    transaction,
                    recipient: recipient as usize,
                    bytes,
                },
                _ => Event::Connected { ticket },
            },
        })
    }

    /// Returns what the application is to be told at the end of the session.
    pub(super) fn last_event(&mut self) -> Option<Event<'static>> {
        self.departures.next_of_all()
    }

    // How far it is.

    /// Returns whether no further command is handled before the last one is answered.
    pub(super) fn is_holding(&self) -> bool {
        self.tickets.holding().is_some()
    }

    /// Returns whether there is a reply whose turn it is.
    pub(super) fn has_answer(&self) -> bool {
        self.tickets.has_answer()
    }

    /// Returns how many commands are unanswered, or answered and not yet at the turn.
    pub(super) fn unanswered(&self) -> usize {
        self.tickets.len()
    }

    /// Returns how many verdicts the application owes.
    pub(super) fn open(&self) -> usize {
        self.tickets.open()
    }

    /// Returns whether one of them is over such a verb.
    pub(super) fn any_open(&self, which: impl Fn(Verb) -> bool) -> bool {
        self.tickets.any_open(which)
    }

    /// Returns how many of them are over messages; in LMTP each recipient's counts.
    pub(super) fn undecided(&self) -> usize {
        self.tickets.messages()
    }

    /// Returns how many bytes wait to be written.
    pub(super) fn backlog(&self) -> u64 {
        self.departures.backlog()
    }

    /// Returns whether the client is owed nothing.
    pub(super) fn owes_nothing(&self) -> bool {
        self.tickets.len() == 0 && self.departures.backlog() == 0
    }

    /// Returns how many bytes were queued since the session began.
    pub(super) fn queued(&self) -> u64 {
        self.departures.queued()
    }

    /// Returns how many bytes the transport took since the session began.
    pub(super) fn sent(&self) -> u64 {
        self.departures.sent()
    }

    // What leaves.

    /// Moves the replies whose turn it is to what is sent. Every reply that a client gets passes here.
    pub(super) fn send_answers(&mut self) {
        while let Some(reply) = self.tickets.next_answer() {
            let bytes = reply.answer.as_bytes();
            if let Some(trace) = &mut self.trace {
                trace.lines(Origin::Local, self.departures.round_trips(), bytes);
            }
            if let [b'4' | b'5', ..] = bytes {
                let refusals = self.refusals.get_or_insert_default();
                refusals.count = refusals.count.saturating_add(1);
                refusals.last.clear();
                refusals.last.extend_from_slice(bytes);
            }
            self.departures.push(&reply);
            self.tickets.recycle(reply.answer);
        }
    }

    /// Returns how many replies were refusals, and the last of them.
    pub(super) fn refusals(&self) -> (u64, Option<Reply<'static>>) {
        let Some(refusals) = &self.refusals else {
            return (0, None);
        };
        let last = Reply::parse(&refusals.last).ok();
        (refusals.count, last.map(Reply::into_owned))
    }

    /// Takes back what was queued after that many bytes of the session; returns whether none of
    /// it was written.
    pub(super) fn take_back(&mut self, kept: u64) -> bool {
        let is_unwritten = self.departures.take_back(kept);
        if let Some(trace) = self.trace.as_mut().filter(|_| is_unwritten) {
            trace.take_back();
        }
        is_unwritten
    }

    /// Returns what is to be written next.
    pub(super) fn transmit(&mut self) -> Option<Transmit<'_>> {
        self.departures.transmit()
    }

    /// Returns whether a transmission failed.
    pub(super) fn has_failed(&self) -> bool {
        self.departures.has_failed()
    }

    /// Sends nothing any more.
    pub(super) fn silence(&mut self) {
        self.departures.silence();
        let departures = &mut self.departures;
        self.tickets.clear(|accepted| departures.unsent(accepted));
    }

    /// Returns whether nothing is sent any more.
    pub(super) fn is_silent(&self) -> bool {
        self.departures.is_silent()
    }

    /// Starts the timer if bytes wait and none runs.
    pub(super) fn arm(&mut self, now: Duration) {
        self.departures.arm(now);
    }

    /// Returns the timer that has fired.
    pub(super) fn expired(&mut self, now: Duration) -> Option<Timer> {
        self.departures.expired(now)
    }

    /// Returns when the client has to have read something, or the application to have answered.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let deadlines = [self.departures.deadline(), self.tickets.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.tickets.shrink();
        self.departures.shrink();
    }

    // What comes.

    /// Takes note that the client sent something, which may prove that it has read something.
    pub(super) fn bytes_came(&mut self) -> Turn {
        self.departures.bytes_came()
    }

    /// Takes note that the client sent QUIT.
    pub(super) fn quit_came(&mut self) {
        self.departures.quit_came();
    }

    /// Records a line of the client's, without the secrets that it may bring.
    pub(super) fn trace_line(&mut self, line: &[u8]) {
        if let Some(trace) = &mut self.trace {
            let shown = security::traceable(line);
            trace.lines(Origin::Remote, self.departures.round_trips(), shown);
        }
    }

    /// Records the beginning of what is no line, without the secrets that it may bring.
    pub(super) fn trace_unreadable(&mut self, bytes: &[u8]) {
        if let Some(trace) = self.trace.as_mut().filter(|_| !bytes.is_empty()) {
            let shown = security::traceable(bytes);
            trace.unreadable(Origin::Remote, self.departures.round_trips(), shown);
        }
    }

    /// Records content of the client's.
    pub(super) fn trace_content(&mut self, bytes: u64) {
        if let Some(trace) = &mut self.trace {
            trace.content(Origin::Remote, self.departures.round_trips(), bytes);
        }
    }

    /// Takes the oldest entry of the trace.
    pub(super) fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.trace.as_mut()?.take()
    }

    /// Takes note that the client must not send on before the answer to the next command, if it is the
    /// last of its group, or if the client has not been told that it may send groups (2920-3.1-c).
    fn expect_wait(&mut self, footing: &Footing, place: Place) {
        let serial = self.tickets.next_serial();
        match place {
            Place::First | Place::Any if footing.may_pipeline() => {}
            Place::First => self.departures.expect_reading(serial),
            Place::Any | Place::Last => self.departures.expect_wait(serial),
        }
    }
}
