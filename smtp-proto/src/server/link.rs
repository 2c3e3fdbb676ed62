//! What holds between the two sides: what is said and when it leaves, what protects it, how long it may
//! take, and how it ends.

use core::time::Duration;

use super::config::{Config, Tls};
use super::ending::Ending;
use super::event::{Event, Reason, Ticket, TransactionId};
use super::footing::Footing;
use super::outbox::Outbox;
use super::patience::Patience;
use super::progress::Progress;
use super::question::Question;
use super::replies::{self, Wording};
use super::security::{self, Security};
use super::table::{Place, State, Verb, Waits};
use super::tickets::{Answer, Subject};
use crate::framing::Transmit;
use crate::machine::{Error, Fault, Timer, TlsInfo};
use crate::syntax::Reply;

/// Speaks with the client in the name of the application, and of the table.
#[derive(Debug)]
pub(super) struct Link {
    footing: Footing,
    progress: Progress,
    security: Security,
    outbox: Outbox,
    patience: Patience,
    ending: Ending,
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
            ending: Ending::new(),
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
        self.ask_later(Question::new(Verb::Connect));
    }

    /// Queues a command that the application answers.
    pub(super) fn ask(&mut self, question: Question) -> Ticket {
        self.outbox.ask(&self.footing, question)
    }

    /// Queues a question of which the application is told later.
    pub(super) fn ask_later(&mut self, question: Question) {
        self.outbox.ask_later(&self.footing, question);
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

    /// Returns what the application is told of a command that is refused without it.
    pub(super) fn rejection<'i>(&mut self, reason: Reason, line: &'i [u8]) -> Event<'i> {
        let wording = self.footing.wording(reason);
        Event::Rejected {
            reply: self.outbox.worded(&self.footing, wording).to_reply(),
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
        !self.ending.has_begun() && self.patience.is_slow(self.footing.settings())
    }

    /// Returns whether a reply is being held back, so that no further command is handled.
    fn holds_reply_back(&self) -> bool {
        self.outbox.has_answer() && self.is_slow()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.outbox.transmit()
    }

    // What is answered.

    /// Answers a command as the application has said.
    pub(super) fn answer(&mut self, serial: u64, verb: Verb, reply: &Reply<'_>) {
        let answer = self.outbox.compose(&self.footing, reply, verb);
        self.outbox.answer(serial, answer, reply.is_positive());
    }

    /// Answers a command in words of the machine's; returns whether they say yes.
    #[inline]
    pub(super) fn answer_in_words(&mut self, serial: u64, wording: Wording) -> bool {
        let is_positive = wording.is_positive();
        let answer = self.outbox.worded(&self.footing, wording);
        self.outbox.answer(serial, answer, is_positive);
        is_positive
    }

    /// Sends a reply of the machine's own as it is.
    pub(super) fn let_go(&mut self, serial: u64) {
        self.outbox.let_go(serial);
        self.depart();
    }

    /// Answers AUTH, or a response, by a challenge.
    pub(super) fn challenge(&mut self, serial: u64, challenge: &[u8]) {
        self.security.challenged(true);
        self.outbox.challenge(serial, challenge);
        self.depart();
    }

    /// Returns the first command that the application should have answered by now.
    pub(super) fn next_overdue(&mut self) -> Option<(u64, Subject<'_>)> {
        self.outbox.overdue(self.footing.now())
    }

    /// Ends the session for the application, with the answer to the command of that serial number, or
    /// without any. What came after it is not answered.
    pub(super) fn close_after(&mut self, serial: u64, verb: Verb, reply: Option<&Reply<'_>>) {
        // What was taken of the commands after it may have been answered already, as they need not wait for
        // this verdict: those answers must not leave either, or each would be read as another's.
        let kept = serial.saturating_add(u64::from(reply.is_some()));
        self.outbox.drop_from(kept);
        // Ending comes first: nothing of what leaves then is held back.
        self.fail(Fault::ShutDown, &[]);
        if let Some(reply) = reply {
            let answer = self.outbox.compose(&self.footing, reply, verb);
            self.outbox.answer(serial, answer, false);
        }
        self.depart();
    }

    // What is counted.

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
        self.ending.has_begun() || self.security.is_starting()
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
            // Content is what costs: without this a client that never waits would have a store keep any
            // number of messages at once.
            Waits::Envelope => self.outbox.undecided() < most,
            Waits::Nothing | Waits::Sender | Waits::Room => true,
        }
    }

    /// Sees to it that the timers run that should, and no others; `awaited` is what the client is to
    /// send next.
    pub(super) fn arm(&mut self, awaited: Timer, is_in_chunk: bool) {
        if self.outbox.is_silent() {
            return;
        }
        let now = self.footing.now();
        self.outbox.arm(now);
        let is_held = self.holds_reply_back();
        // While it is owed anything the client may just be waiting, as it has to after 354's DATA. A chunk
        // comes without being asked for, so that its bytes are due whatever is owed.
        let is_its_turn = self.outbox.owes_nothing() || is_in_chunk;
        let awaited = (!self.ending.has_begun() && is_its_turn).then_some(awaited);
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
        // Whoever reads nothing reads no last word either.
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
        // In mid-transaction the end would cost the client what it has sent (5321-3.8-c).
        let is_quiet = between && !self.ending.has_begun() && self.outbox.unanswered() == 0;
        let end = self.patience.end(self.footing.settings());
        end.filter(|_| is_quiet)
    }

    // TLS.

    /// Returns whether the bytes that come and go are the TLS handshake's.
    pub(super) fn is_handshake(&self) -> bool {
        self.security.is_handshake(self.outbox.sent())
    }

    pub(super) fn wants_tls(&self) -> bool {
        !self.ending.has_begun() && self.is_handshake()
    }

    /// Takes the verdict over STARTTLS, whose answer is the next: all was answered before.
    pub(super) fn tls_decided(&mut self, is_positive: bool) {
        // Counted in bytes of the session, as replies before it may still wait to be written: with the
        // first byte after the 220 the handshake begins, and nothing may come between.
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
        // A part of the 220 that was written is as bad as the whole: the client cannot be told any more.
        if let Some(kept) = self.security.before_handshake()
            && (self.is_handshake() || !self.outbox.take_back(kept))
        {
            self.silence();
        }
    }

    // How it ends.

    pub(super) fn is_ending(&self) -> bool {
        self.ending.has_begun()
    }

    /// Returns why a transaction ends with the session, if that is ending.
    pub(super) fn end_reason(&self) -> Option<Reason> {
        self.ending.reason()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ending.is_read_to_end()
    }

    /// Takes note of QUIT, whose reply is on its way, and of whether the application knows.
    pub(super) fn quit(&mut self, is_told: bool) {
        self.outbox.quit_came();
        self.ending.quit(is_told);
        self.depart();
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
        if self.ending.has_begun() {
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
        if !self.ending.has_begun() {
            self.ending.fail(Error::new(fault, self.describe(), bytes));
            // What was held back leaves with the rest.
            self.depart();
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

    /// Returns the next event of a session that is ending, once everything is answered and written.
    pub(super) fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if let Some(event) = self.ending.take_quit() {
            return Ok(Some(event));
        }
        // Verdicts that are owed may still come, and what is written may still be confirmed.
        if !self.outbox.is_silent() && !self.outbox.owes_nothing() {
            return Ok(None);
        }
        match self.outbox.last_event() {
            Some(event) => Ok(Some(event)),
            None => self.ending.take_last(),
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
