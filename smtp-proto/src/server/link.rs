//! What holds between the two sides: what is said and when it leaves, what protects it, how long it may
//! take, and how it ends.

use core::time::Duration;

use super::config::{Config, Tls};
use super::event::{Event, Reason, Refused, Ticket, TransactionId};
use super::footing::Footing;
use super::outbox::Outbox;
use super::patience::Patience;
use super::replies::{self, Wording};
use super::security::{self, Security};
use super::table::{self, Misplaced, Place, Progress, State, Verb, Waits};
use super::tickets::{Answer, Question, Subject};
use crate::framing::Transmit;
use crate::machine::{Error, Fault, Misuse, Timer, TlsInfo};
use crate::syntax::{Class, Code, Reply};

/// Speaks with the client in the name of the application, and of the table.
#[derive(Debug)]
pub(super) struct Link {
    footing: Footing,
    progress: Progress,
    security: Security,
    outbox: Outbox,
    patience: Patience,
    ending: Option<Ending>,
    is_read_to_end: bool,
}

/// How a session ends that is ending.
#[derive(Debug)]
enum Ending {
    Quit { is_told: bool, is_closed: bool },
    Failed(Error),
}

/// A verdict that was taken, and is to have its effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) question: Question,
    pub(super) is_positive: bool,
    /// Whether it is the application's, and not the machine's in its stead.
    is_given: bool,
}

impl Verdict {
    /// Returns whether the application took too long.
    pub(super) fn is_overdue(self) -> bool {
        !self.is_given
    }
}

impl Link {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let footing = Footing::new(config, now);
        let settings = footing.settings();
        Self {
            progress: Progress::new(),
            security: Security::new(settings.tls == Tls::Implicit),
            outbox: Outbox::new(settings.write_timeout, settings.trace),
            patience: Patience::new(now),
            ending: None,
            is_read_to_end: false,
            footing,
        }
    }

    // What it is made of.

    pub(super) fn footing(&self) -> &Footing {
        &self.footing
    }

    pub(super) fn footing_mut(&mut self) -> &mut Footing {
        &mut self.footing
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Goes on to the state that follows on a yes or a no to `verb`.
    pub(super) fn apply(&mut self, verb: Verb, is_positive: bool) {
        self.progress.apply(verb, is_positive);
    }

    /// Goes on to the state that follows on a command out of its place.
    pub(super) fn misplace(&mut self, misplaced: Misplaced) {
        self.progress.misplace(misplaced);
    }

    pub(super) fn security(&self) -> &Security {
        &self.security
    }

    pub(super) fn security_mut(&mut self) -> &mut Security {
        &mut self.security
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(super) fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    pub(super) fn patience_mut(&mut self) -> &mut Patience {
        &mut self.patience
    }

    // What is said.

    /// Asks for the greeting.
    pub(super) fn greet(&mut self) {
        self.ask_later(Question::new(Verb::Connect), Place::Last);
    }

    /// Queues a command that the application answers.
    pub(super) fn ask(&mut self, question: Question, place: Place) -> Ticket {
        self.outbox.ask(&self.footing, question, place)
    }

    /// Queues a question of which the application is told later.
    pub(super) fn ask_later(&mut self, question: Question, place: Place) {
        self.outbox.ask_later(&self.footing, question, place);
    }

    /// Answers a command without the application.
    pub(super) fn say(&mut self, reason: Reason, place: Place, transaction: Option<TransactionId>) {
        self.outbox.say(&self.footing, reason, place, transaction);
        self.depart();
    }

    /// Answers as the application has said.
    pub(super) fn repeat(&mut self, answer: &Answer) {
        self.outbox.repeat(&self.footing, answer);
        self.depart();
    }

    /// Takes over an application's reply.
    pub(super) fn compose(&mut self, reply: &Reply<'_>) -> Answer {
        self.outbox.compose(&self.footing, reply, Verb::Content)
    }

    /// Refuses a command without the application.
    pub(super) fn decline<'i>(
        &mut self,
        reason: Reason,
        line: &'i [u8],
        place: Place,
        transaction: Option<TransactionId>,
    ) -> Event<'i> {
        self.say(reason, place, transaction);
        Event::Rejected {
            code: self.footing.wording(reason).code(),
            reason,
            line: security::without_secret(line),
        }
    }

    /// Sends the replies whose turn it is, unless they are held back for now.
    pub(super) fn depart(&mut self) {
        if !self.is_slow() {
            self.outbox.send_answers();
        }
    }

    /// Returns whether each reply is held back. The last ones of a session leave at once.
    fn is_slow(&self) -> bool {
        self.ending.is_none() && self.patience.is_slow(self.footing.settings())
    }

    /// Returns whether a reply is being held back, so that no further command is handled.
    fn holds_reply_back(&self) -> bool {
        self.is_slow() && self.outbox.has_answer()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.outbox.transmit(self.footing.now())
    }

    // What is answered.

    /// Accepts what the ticket stands for; returns the verdict, if it is one.
    pub(super) fn accept(&mut self, ticket: Ticket) -> Result<Option<Verdict>, Refused> {
        match self.outbox.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) => {
                let wording = question.verb.accepted(self.footing.dialect());
                Ok(Some(self.answer_by(serial, question, wording, true)))
            }
            Ok((serial, Subject::Reply { .. })) => {
                self.let_go(serial);
                Ok(None)
            }
            Err(misuse) => Err(Refused { ticket, misuse }),
        }
    }

    /// Refuses what the ticket stands for, as nobody handles it.
    pub(super) fn decline_ticket(&mut self, ticket: &Ticket) -> Option<Verdict> {
        match self.outbox.look_up(ticket) {
            Ok((serial, Subject::Question(question))) => {
                Some(self.answer_by(serial, question, question.verb.declined(), true))
            }
            Ok((serial, Subject::Reply { .. })) => {
                self.let_go(serial);
                None
            }
            Err(_) => None,
        }
    }

    /// Answers what the ticket stands for.
    pub(super) fn reply(
        &mut self,
        ticket: Ticket,
        reply: &Reply<'_>,
    ) -> Result<Option<Verdict>, Refused> {
        let checked = self.outbox.look_up(&ticket).and_then(|(serial, subject)| {
            subject.check(reply)?;
            Ok((serial, subject.question()))
        });
        let (serial, question) = match checked {
            Ok(checked) => checked,
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let verb = question.map_or(Verb::Content, |it| it.verb);
        let closes = reply.code() == Code::NOT_AVAILABLE
            // 7504-3, X-44
            || verb == Verb::Connect && reply.code() == Code::NO_MAIL_SERVICE;
        if closes {
            return Ok(self.close_after(serial, question, Some(reply)));
        }
        let answer = self.outbox.compose(&self.footing, reply, verb);
        self.outbox.answer(serial, answer, reply.is_positive());
        if question.is_none() {
            self.depart();
        }
        Ok(question.map(|question| Verdict {
            question,
            is_positive: reply.is_positive(),
            is_given: true,
        }))
    }

    /// Answers what the ticket stands for, if by anything, and ends the session.
    pub(super) fn close(
        &mut self,
        ticket: Ticket,
        reply: Option<&Reply<'_>>,
    ) -> Result<Option<Verdict>, Refused> {
        let checked = self.outbox.look_up(&ticket).and_then(|(serial, subject)| {
            reply.map_or(Ok(()), table::check_negative)?;
            Ok((serial, subject.question()))
        });
        match checked {
            Ok((serial, question)) => Ok(self.close_after(serial, question, reply)),
            Err(misuse) => Err(Refused { ticket, misuse }),
        }
    }

    /// Challenges a client that authenticates itself.
    pub(super) fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        let misuse = match self.outbox.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) if question.verb == Verb::Auth => {
                self.security.challenged(true);
                self.outbox.challenge(serial, challenge);
                self.depart();
                return Ok(());
            }
            Ok(_) => Misuse::WrongReplyClass,
            Err(misuse) => misuse,
        };
        Err(Refused { ticket, misuse })
    }

    /// Answers for an application that took too long, for all that is due; returns the next verdict
    /// that this gave.
    pub(super) fn next_overdue(&mut self) -> Option<Verdict> {
        while let Some((serial, subject)) = self.outbox.overdue(self.footing.now()) {
            match subject.question() {
                Some(question) => {
                    let wording = question.verb.overdue();
                    return Some(self.answer_by(serial, question, wording, false));
                }
                None => self.let_go(serial),
            }
        }
        None
    }

    /// Answers a question in words of the machine's.
    fn answer_by(
        &mut self,
        serial: u64,
        question: Question,
        wording: Wording,
        is_given: bool,
    ) -> Verdict {
        // 354 is the yes to DATA.
        let class = wording.code().class();
        let is_positive = matches!(class, Class::Positive | Class::Intermediate);
        let answer = self.outbox.worded(&self.footing, wording);
        self.outbox.answer(serial, answer, is_positive);
        Verdict {
            question,
            is_positive,
            is_given,
        }
    }

    /// Sends a reply of the machine's own as it is.
    fn let_go(&mut self, serial: u64) {
        self.outbox.let_go(serial);
        self.depart();
    }

    /// Ends the session for the application, with the answer to the command of that serial number, or
    /// without any. What came after it is not answered.
    fn close_after(
        &mut self,
        serial: u64,
        question: Option<Question>,
        reply: Option<&Reply<'_>>,
    ) -> Option<Verdict> {
        self.outbox
            .drop_from(serial.saturating_add(u64::from(reply.is_some())));
        self.fail(Fault::ShutDown, &[]);
        if let Some(reply) = reply {
            let verb = question.map_or(Verb::Content, |it| it.verb);
            let answer = self.outbox.compose(&self.footing, reply, verb);
            self.outbox.answer(serial, answer, false);
        }
        self.depart();
        question.map(|question| Verdict {
            question,
            is_positive: false,
            is_given: true,
        })
    }

    // What is counted.

    /// Counts a refusal of the application's, where that is an error of the client's.
    pub(super) fn count_refusal(&mut self, verdict: Verdict) {
        let counts = verdict.question.verb.counts_refusals();
        if counts && verdict.is_given && !verdict.is_positive {
            self.count_error();
        }
    }

    /// Counts an error; too many end the session.
    pub(super) fn count_error(&mut self) {
        if self.patience.count_error(self.footing.settings()) {
            self.close_on_errors();
        }
    }

    /// Counts a command out of place, unless it was sent before the client could know.
    pub(super) fn count_misplaced(&mut self) {
        if self.patience.count_misplaced(self.footing.settings()) {
            self.close_on_errors();
        }
    }

    /// Counts a command if it is one to no purpose; returns whether the session ends by it.
    pub(super) fn count_idle(&mut self, verb: Verb, is_empty: bool) -> bool {
        let is_first = self.progress.state() == State::Greeted;
        let settings = self.footing.settings();
        let is_last = self
            .patience
            .count_idle(verb.idle(), is_first, is_empty, settings);
        if is_last {
            self.close_on_errors();
        }
        is_last
    }

    /// Expects the rest of the transactions that a client may have sent after one that failed.
    pub(super) fn pardon(&mut self) {
        self.patience.pardon(self.footing.settings());
    }

    /// Returns whether the session has lasted as long, or brought as much, as it may.
    pub(super) fn is_exhausted(&self) -> bool {
        self.patience
            .is_exhausted(self.footing.settings(), self.footing.now())
    }

    /// Returns whether another authentication may be tried.
    pub(super) fn allows_authentication(&self) -> bool {
        self.patience.allows_authentication(self.footing.settings())
    }

    /// Begins to wait for content, or a chunk of it.
    pub(super) fn content_begins(&mut self) {
        self.patience.content_begins(self.footing.settings());
    }

    /// Gives the client more time, for `bytes` of content that came.
    pub(super) fn content_came(&mut self, bytes: u64) {
        let now = self.footing.now();
        self.patience
            .content_came(bytes, self.footing.settings(), now);
    }

    // What waits, and for how long.

    /// Returns whether nothing that comes can be taken now, commands or content.
    pub(super) fn is_shut(&self) -> bool {
        self.ending.is_some() || self.security.is_starting()
    }

    /// Returns whether no command can be taken before something is answered, or has left.
    pub(super) fn is_full(&self) -> bool {
        let settings = self.footing.settings();
        self.outbox.is_holding()
            || self.holds_reply_back()
            || self.outbox.unanswered() >= settings.max_unanswered_commands
            || self.outbox.backlog() >= settings.max_output as u64
    }

    /// Returns whether the verdicts are in that a command waits for, as far as they are not its
    /// transaction's.
    pub(super) fn is_clear(&self, waits: Waits) -> bool {
        let most = self.footing.settings().max_undecided_messages;
        match waits {
            Waits::Everything => self.outbox.open() == 0,
            Waits::Envelope => self.outbox.undecided() < most,
            Waits::Nothing | Waits::Sender | Waits::Room => true,
        }
    }

    /// Sees to it that the timers run that should, and no others; `awaited` is what the client is to
    /// send next. Only the bytes of a chunk have to come while replies are owed: after DATA, 354 is one.
    pub(super) fn arm(&mut self, awaited: Timer, is_in_chunk: bool) {
        if self.outbox.is_silent() {
            return;
        }
        let now = self.footing.now();
        self.outbox.arm(now);
        let is_held = self.holds_reply_back();
        let is_its_turn = self.outbox.owes_nothing() || is_in_chunk;
        let awaited = (self.ending.is_none() && is_its_turn).then_some(awaited);
        let settings = self.footing.settings();
        self.patience.hold(is_held, settings, now);
        self.patience.arm(awaited, settings, now);
    }

    /// Returns when the next timer fires; those of whole sessions do only `between` transactions.
    pub(super) fn deadline(&self, between: bool) -> Option<Duration> {
        let deadlines = [
            self.outbox.deadline(),
            self.patience.deadline(),
            self.session_end(between),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Lets the timers fire that are due, but for those of verdicts.
    pub(super) fn fire(&mut self, between: bool) {
        let now = self.footing.now();
        if let Some(timer) = self.outbox.expired(now) {
            self.fail_mutely(Fault::TimedOut(timer));
        }
        if let Some(timer) = self.patience.expired(now) {
            self.close_for(Reason::TimedOut, Fault::TimedOut(timer), &[]);
        }
        if self.session_end(between).is_some_and(|end| end <= now) {
            self.close_for(Reason::SessionLimit, Fault::SessionLimit, &[]);
        }
        if self.patience.releases(now) {
            self.outbox.send_answers();
        }
    }

    fn session_end(&self, between: bool) -> Option<Duration> {
        let is_quiet = between && self.ending.is_none() && self.outbox.unanswered() == 0;
        let end = self.patience.end(self.footing.settings());
        end.filter(|_| is_quiet)
    }

    // TLS.

    /// Returns whether the bytes that come and go are the TLS handshake's.
    pub(super) fn is_handshake(&self) -> bool {
        self.security.is_handshake(self.outbox.sent())
    }

    pub(super) fn wants_tls(&self) -> bool {
        self.ending.is_none() && self.is_handshake()
    }

    /// Takes the verdict over STARTTLS, whose answer is the next: all was answered before.
    pub(super) fn tls_decided(&mut self, is_positive: bool) {
        let length = replies::START_TLS.as_bytes().len();
        self.security
            .tls_decided(is_positive, self.outbox.queued(), length);
    }

    /// Takes note that TLS is there.
    pub(super) fn tls_established(&mut self, info: TlsInfo) {
        // The client has read the 220.
        self.outbox.bytes_came();
        self.patience.disarm();
        // 3207-4.2-a, X-15, X-17: what was said in clear is forgotten.
        self.footing.tls_established(info);
        self.security.tls_established();
        self.progress.apply(Verb::Handshake, true);
        if self.progress.state() == State::Connected {
            self.greet();
        }
    }

    /// Takes back the 220 that begins TLS, so that another reply can follow. Where it is too late
    /// nothing can: the client takes what comes for TLS.
    fn renounce_tls(&mut self) {
        if let Some(kept) = self.security.before_handshake()
            && (self.is_handshake() || !self.outbox.take_back(kept))
        {
            self.silence();
        }
    }

    // How it ends.

    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Returns why a transaction ends with the session, if that is ending.
    pub(super) fn end_reason(&self) -> Option<Reason> {
        Some(match self.ending.as_ref()? {
            Ending::Quit { .. } => Reason::Quit,
            Ending::Failed(_) => Reason::Ended,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_read_to_end
    }

    /// Takes note of QUIT, whose reply is on its way, and of whether the application knows.
    pub(super) fn quit(&mut self, is_told: bool) {
        self.outbox.quit_came();
        self.end(Ending::Quit {
            is_told,
            is_closed: false,
        });
    }

    /// Ends the session for the application, with a last word of its own.
    pub(super) fn shut_down(&mut self, reply: &Reply<'_>) {
        self.renounce_tls();
        if !self.outbox.is_silent() {
            let answer = self.compose(reply);
            self.outbox.repeat_last(&self.footing, answer);
        }
        self.fail(Fault::ShutDown, &[]);
    }

    /// Ends the session in error, with a last reply that says why.
    pub(super) fn close_for(&mut self, reason: Reason, fault: Fault, bytes: &[u8]) {
        if self.ending.is_some() {
            return;
        }
        self.renounce_tls();
        if !self.outbox.is_silent() {
            self.outbox.say_last(&self.footing, reason);
        }
        self.fail(fault, bytes);
    }

    pub(super) fn close_on_errors(&mut self) {
        self.close_for(Reason::TooManyErrors, Fault::TooManyErrors, &[]);
    }

    /// Ends the session in error, once everything is answered and written.
    pub(super) fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        if self.ending.is_none() {
            self.end(Ending::Failed(Error::new(fault, self.describe(), bytes)));
        }
    }

    /// Ends the session in error at once: the client cannot be reached.
    pub(super) fn fail_mutely(&mut self, fault: Fault) {
        self.fail(fault, &[]);
        self.silence();
    }

    /// Ends the session if its last transmission failed.
    pub(super) fn note_failed_write(&mut self) {
        if self.outbox.has_failed() {
            self.fail_mutely(Fault::WriteFailed);
        }
    }

    /// Sends nothing any more.
    fn silence(&mut self) {
        self.patience.disarm();
        self.outbox.silence();
    }

    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        // What was held back leaves with the rest.
        self.depart();
    }

    /// Returns the next event of a session that is ending, once everything is answered and written.
    pub(super) fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if let Some(Ending::Quit { is_told, .. }) = &mut self.ending
            && !core::mem::replace(is_told, true)
        {
            return Ok(Some(Event::Quit));
        }
        if !self.outbox.is_silent() && !self.outbox.owes_nothing() {
            return Ok(None);
        }
        if let Some(event) = self.outbox.last_event() {
            return Ok(Some(event));
        }
        self.is_read_to_end = true;
        match &mut self.ending {
            Some(Ending::Failed(error)) => Err(error.clone()),
            Some(Ending::Quit { is_closed, .. }) => {
                let is_news = !core::mem::replace(is_closed, true);
                Ok(is_news.then_some(Event::Closed))
            }
            None => Ok(None),
        }
    }

    /// Returns what the session was about, for errors.
    fn describe(&self) -> &'static str {
        match self.progress.state() {
            _ if self.is_handshake() => "before the TLS handshake",
            _ if self.security.is_in_exchange() => "in an authentication exchange",
            state => state.describe(),
        }
    }
}
