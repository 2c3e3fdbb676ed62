//! What comes next: transactions in order, the application's commands between them, and further
//! transactions for recipients that a server takes only so many of (RFC 9422, RFC 5321 4.5.3.1.10).

use alloc::boxed::Box;

use super::{
    action::Action,
    aim::Aim,
    event::{Event, NotSent, NotSentReason},
    own_commands::OwnCommands,
    proof::{Proof, Shown},
    queue::Queue,
    quota::Quota,
    resets::{Cleanup, RefusedReset, Resets},
    table::{Level, Stage, Turn, Verb},
    transaction::{Transaction, TransactionId},
};
use crate::syntax::Limits;

/// How many MAIL of a session a proof may take without leaving too few for messages.
const PROOFS: u32 = 3;

/// What giving a transaction up costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// Nothing more of it is sent.
    Stopped,
    /// The reply to DATA decides: only after 354 does the server wait for content.
    Undecided,
    /// The connection: the server would take a part for the whole.
    Cut,
}

/// The transactions that are unfinished, in the order of sending.
#[derive(Debug)]
pub(super) struct Schedule {
    queue: Queue<Transaction>,
    /// The id of the one that is being sent.
    current: TransactionId,
    /// There for those who give any.
    own: Option<Box<OwnCommands>>,
    level: Level,
    /// How many messages may have begun their content and be without a final reply.
    window: usize,
    /// How many are so.
    begun_contents: usize,
    resets: Resets,
    proof: Proof,
    is_quitting: bool,
    quota: Quota,
}

impl Schedule {
    pub(super) fn new() -> Self {
        Self {
            queue: Queue::default(),
            current: 0,
            own: None,
            level: Level::LockStep,
            window: 1,
            begun_contents: 0,
            resets: Resets::new(),
            proof: Proof::default(),
            is_quitting: false,
            quota: Quota::default(),
        }
    }

    /// Adds a message's transaction.
    pub(super) fn submit(
        &mut self,
        message: u64,
        recipients: u32,
        is_binary: bool,
        aim: Aim,
    ) -> TransactionId {
        self.queue
            .push(|transaction| transaction.fill(message, recipients, is_binary, aim))
    }

    /// Goes by what the server offers.
    pub(super) fn open(&mut self, level: Level, window: usize, limits: Limits) {
        (self.level, self.window) = (level, window);
        if level == Level::Stream {
            // Not before it is proved that the server can cope with it; that takes a MAIL.
            self.level = Level::LookAhead;
            if limits.mail_max().is_none_or(|most| most > PROOFS) {
                self.proof.want();
            }
        }
        self.quota = Quota::new(limits);
    }

    /// Returns whether it looks ahead no more.
    pub(super) fn has_stepped_down(&self) -> bool {
        self.resets.has_stepped_down()
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Takes a command of the application's that will not be answered any more.
    pub(super) fn next_unanswered(&mut self) -> Option<Event<'static>> {
        self.own.as_mut()?.next_unanswered()
    }

    /// Returns the application's command that is next.
    pub(super) fn own_line(&self) -> &[u8] {
        self.own.as_ref().map_or(&[], |own| own.line())
    }

    pub(super) fn own(&mut self) -> &mut OwnCommands {
        self.own.get_or_insert_default()
    }

    /// Sends nothing but what is submitted, and then QUIT.
    pub(super) fn quit(&mut self) {
        self.is_quitting = true;
    }

    pub(super) fn is_quitting(&self) -> bool {
        self.is_quitting
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.queue.get(id)
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.queue.get_mut(id)
    }

    pub(super) fn ids(&self) -> core::ops::Range<TransactionId> {
        self.queue.numbers()
    }

    /// Returns the transactions without an outcome.
    pub(super) fn unfinished(&mut self) -> impl Iterator<Item = &mut Transaction> {
        let queue = self.queue.iter_mut();
        queue.filter(|transaction| !transaction.is_finished())
    }

    /// Returns the unfinished transactions of a message.
    pub(super) fn of_message(&self, message: u64) -> impl Iterator<Item = TransactionId> + '_ {
        let unfinished = self.queue.iter().filter(move |(_, transaction)| {
            transaction.message() == message && !transaction.is_finished()
        });
        unfinished.map(|(id, _)| id)
    }

    /// Returns the first transaction without an outcome.
    pub(super) fn first_unfinished(&self) -> Option<TransactionId> {
        let mut transactions = self.queue.iter();
        transactions.find_map(|(id, transaction)| (!transaction.is_finished()).then_some(id))
    }

    /// Moves on to the first transaction that has something to send, so that what is over is passed but
    /// once.
    pub(super) fn advance(&mut self) {
        let unsent = self.current();
        self.current = unsent.map_or(self.ids().end, |(id, _)| id);
    }

    /// Returns the first transaction that has something to send.
    fn current(&self) -> Option<(TransactionId, &Transaction)> {
        self.unsent_from(self.current.max(self.ids().start))
    }

    /// Returns the first transaction, from this one on, that has something to send.
    fn unsent_from(&self, mut id: TransactionId) -> Option<(TransactionId, &Transaction)> {
        loop {
            let transaction = self.get(id)?;
            if transaction.stage() != Stage::Over {
                return Some((id, transaction));
            }
            id = id.saturating_add(1);
        }
    }

    /// Returns what is to be sent next, at whatever time it may be. `is_quiet` says whether all is
    /// answered, and no content is under way.
    pub(super) fn next(&self, is_quiet: impl Fn() -> bool) -> Option<Action> {
        match self.resets.cleanup() {
            Cleanup::Unneeded => {}
            Cleanup::Due => return Some(Action::Reset),
            Cleanup::UnderWay => return None,
        }
        if self.proof.is_under_way() {
            return self.proof.next().map(Action::Proof);
        }
        let current = self.current();
        if self.proof.is_suspicious() {
            return match current.map(|(id, current)| (id, current.stage())) {
                // The server waits for it.
                Some((id, Stage::LoneDot)) => Some(Action::LoneDot(id)),
                Some((_, Stage::Data | Stage::Content)) => None,
                _ if !is_quiet() => None,
                _ if self.resets.is_due() => Some(Action::Reset),
                _ => self.proof.next().map(Action::Proof),
            };
        }
        let own = self.own.as_ref().and_then(|own| own.goes_before());
        let is_own_due = |before| {
            current.is_none_or(|(id, current)| current.stage() == Stage::Waiting && before <= id)
        };
        if own.is_some_and(is_own_due) {
            // What may be left of a transaction is ended first: ETRN must not be in one.
            return Some(match self.resets.is_due() {
                true => Action::Reset,
                false => Action::Own,
            });
        }
        let Some((id, current)) = current else {
            // A 452 that is still to come makes one more transaction, for which QUIT would be too soon.
            let may_quit =
                self.is_quitting && !self.queue.iter().any(|(_, it)| it.may_be_put_off());
            return may_quit.then_some(Action::Quit);
        };
        match current.stage() {
            // Nothing is begun that could not be completed.
            Stage::Waiting
                if current.content().is_needed_again() || current.must_be_looked_at() =>
            {
                None
            }
            // 9422-4-a: a RCPT beyond the maximum need not be tried.
            Stage::Waiting if current.recipients() > self.most(current) => Some(Action::Split(id)),
            Stage::Waiting if self.resets.is_due() => Some(Action::Reset),
            Stage::Waiting => match self.proof.next() {
                Some(verb) => Some(Action::Proof(verb)),
                None => Some(Action::Mail(id)),
            },
            Stage::Forwarded => Some(Action::Mail(id)),
            Stage::Envelope => match current.next_recipient() {
                Some(_) => Some(Action::Recipients(id)),
                // DATA goes with the RCPTs, unanswered (RFC 2920 3.1); a chunk is opened by its content.
                None => {
                    let may_go_on = !current.must_be_looked_at() && current.takes_content();
                    (may_go_on && !self.goes_by_chunks(current)).then_some(Action::Data(id))
                }
            },
            Stage::LoneDot => Some(Action::LoneDot(id)),
            Stage::Data | Stage::Content | Stage::Chunks | Stage::Over => None,
        }
    }

    /// Returns how many recipients a transaction may have.
    fn most(&self, transaction: &Transaction) -> u32 {
        let limits = [self.quota.recipients(), transaction.lineage().most()];
        limits.into_iter().flatten().min().unwrap_or(u32::MAX)
    }

    pub(super) fn goes_by_chunks(&self, transaction: &Transaction) -> bool {
        self.level == Level::Stream || transaction.content().is_binary()
    }

    /// Moves the recipients beyond the server's limit into a further transaction, which is returned.
    pub(super) fn split(&mut self, id: TransactionId) -> Option<TransactionId> {
        let most = self.most(self.get(id)?);
        let rest = self.get_mut(id)?.split(most);
        Some(self.push_part(rest))
    }

    /// Returns the transaction of a message whose envelope is open.
    pub(super) fn open_envelope(&self, message: u64) -> Option<TransactionId> {
        let mut ids = self.of_message(message);
        ids.find(|&id| self.get(id).is_some_and(Transaction::is_open))
    }

    /// Returns whether a transaction may have one more recipient.
    pub(super) fn has_room(&self, id: TransactionId) -> bool {
        self.get(id).is_some_and(|transaction| {
            !transaction.lineage().is_part() && transaction.recipients() < self.most(transaction)
        })
    }

    /// Returns whether the server takes one more domain in this session.
    pub(super) fn admits_domain(&mut self, domain: Option<&[u8]>) -> bool {
        self.quota.admits(domain.into_iter())
    }

    /// Adds a further transaction of a message.
    pub(super) fn push_part(&mut self, mut part: Transaction) -> TransactionId {
        // A server that takes one recipient at a time would have the content as often as there are
        // recipients, and the RCPTs that it puts off as often as their square.
        if self.quota.is_exhausted() || part.lineage().is_put_off_too_often() {
            part.abandon(NotSentReason::LimitReached.into());
            part.stop();
        }
        self.queue.push(|transaction| *transaction = part)
    }

    /// Returns whether the server takes the domains of a transaction's recipients in this session;
    /// they are looked up by their positions.
    pub(super) fn admits<'a>(
        &mut self,
        id: TransactionId,
        domain_of: impl Fn(u32) -> Option<&'a [u8]>,
    ) -> bool {
        // Lent out for as long as the transaction is looked at.
        let mut quota = core::mem::take(&mut self.quota);
        let is_admitted = self.get(id).is_none_or(|transaction| {
            let positions =
                (0..transaction.recipients()).map(|place| transaction.position_of(place));
            quota.admits(positions.filter_map(domain_of))
        });
        self.quota = quota;
        is_admitted
    }

    /// Leaves out of a transaction the recipients whose domains are too many for this session.
    pub(super) fn leave_out_domains<'a>(
        &mut self,
        id: TransactionId,
        domain_of: impl Fn(u32) -> Option<&'a [u8]>,
    ) -> Option<TransactionId> {
        let mut quota = core::mem::take(&mut self.quota);
        let is_kept = |position| quota.admits(domain_of(position).into_iter());
        let rest = self.leave_out(id, is_kept, NotSentReason::LimitReached);
        self.quota = quota;
        rest
    }

    /// Leaves recipients out of a transaction, those at positions that are not kept. Returns the
    /// transaction that is theirs, and over; `None` if there is nobody without them.
    pub(super) fn leave_out(
        &mut self,
        id: TransactionId,
        is_kept: impl FnMut(u32) -> bool,
        reason: NotSentReason,
    ) -> Option<TransactionId> {
        let mut rest = self.get_mut(id)?.split_by(is_kept)?;
        rest.abandon(reason.into());
        rest.stop();
        Some(self.queue.push(|transaction| *transaction = rest))
    }

    /// Accounts for a XFORWARD that was rendered.
    pub(super) fn sent_forward(&mut self, id: TransactionId) {
        self.resets.begun(id);
    }

    /// Accounts for a MAIL that was rendered, and ends the session in good order with the last one
    /// that the server takes (9422-4-a: failed ones count). Returns whether it was the last.
    pub(super) fn sent_mail(&mut self, id: TransactionId) -> bool {
        self.resets.begun(id);
        self.quota.count_mail();
        self.is_quitting |= self.quota.is_exhausted();
        self.quota.is_exhausted()
    }

    /// Has the server prove again that it swallows chunks, before anything else is sent.
    pub(super) fn suspect(&mut self) {
        self.proof.suspect();
    }

    pub(super) fn is_suspicious(&self) -> bool {
        self.proof.is_suspicious()
    }

    /// Accounts for a command of a proof that was rendered. What has begun, and has not come to its
    /// end, begins again after it.
    pub(super) fn sent_proof(&mut self, verb: Verb) {
        self.proof.sent();
        if verb == Verb::ProofMail {
            self.quota.count_mail();
            let begun = self
                .current()
                .filter(|(_, it)| it.stage() != Stage::Waiting);
            if let Some(id) = begun.map(|(id, _)| id) {
                self.end_content(id);
                if let Some(current) = self.get_mut(id) {
                    current.restart();
                }
            }
        }
    }

    /// Accounts for the answer to a command of a proof; a stream begins with one that is right.
    pub(super) fn prove(&mut self, turn: Turn) -> Shown {
        let was_suspicious = self.proof.is_suspicious();
        let shown = self.proof.hear(turn);
        if shown == Shown::Swallows && !was_suspicious && self.level == Level::LookAhead {
            self.level = Level::Stream;
        }
        shown
    }

    /// Accounts for a RSET that was rendered, with or without something unanswered before it.
    pub(super) fn sent_reset(&mut self, is_ahead: bool) {
        self.resets.sent(is_ahead && self.level == Level::LookAhead);
    }

    /// Accounts for the acceptance of RSET.
    pub(super) fn reset(&mut self) {
        self.resets.accepted();
    }

    /// Accounts for the refusal of RSET, and returns what it means.
    pub(super) fn refused_reset(&mut self) -> RefusedReset {
        self.resets.refused()
    }

    /// Returns whether the commands that were sent ahead are known to be refused, of this transaction
    /// among others.
    pub(super) fn is_suspicious_of(&self, id: TransactionId) -> bool {
        self.resets.is_suspicious_of(id)
    }

    /// Looks ahead no more, once every command is answered that was sent ahead, each by a refusal. The
    /// message is sent again, as no content of it has left.
    ///
    /// Returns the transaction, if it was given up in the meantime.
    pub(super) fn step_down(&mut self) -> Option<TransactionId> {
        let refused = self.resets.refused_ahead()?;
        let transaction = refused.and_then(|id| self.get_mut(id));
        if let Some(transaction) = &transaction
            && !transaction.is_answered()
        {
            return None;
        }
        let given_up = transaction.and_then(|transaction| {
            if transaction.is_abandoned() {
                transaction.stop();
                return refused;
            }
            transaction.restart();
            None
        });
        self.level = self.level.min(Level::Group);
        self.resets.step_down();
        given_up
    }

    /// Accounts for the end of a content, as the final reply to it has come.
    pub(super) fn ended(&mut self, id: TransactionId, is_positive: bool) {
        self.resets.ended(id, is_positive);
        self.end_content(id);
    }

    fn end_content(&mut self, id: TransactionId) {
        if self
            .get_mut(id)
            .is_some_and(|transaction| transaction.content_mut().end())
        {
            self.begun_contents = self.begun_contents.saturating_sub(1);
        }
    }

    /// Accounts for a content that has begun, or goes on.
    pub(super) fn begin_content(&mut self, id: TransactionId) {
        if self
            .get_mut(id)
            .is_some_and(|transaction| transaction.content_mut().begin())
        {
            self.begun_contents = self.begun_contents.saturating_add(1);
        }
    }

    /// Returns the transaction whose content was kept, and is to be sent now.
    pub(super) fn kept(&self) -> Option<TransactionId> {
        let (id, transaction) = self.current()?;
        let is_due = transaction.stage() == Stage::Content && transaction.content().is_kept();
        is_due.then_some(id)
    }

    /// Returns the transaction whose content can be used now; `open` is that which is being sent.
    pub(super) fn wanted(&self, open: Option<TransactionId>) -> Option<TransactionId> {
        if open.is_some() {
            return open;
        }
        let (id, transaction) = self.current()?;
        let is_wanted = match transaction.stage() {
            Stage::Content => !transaction.content().is_kept(),
            _ if self.proof.is_suspicious() => false,
            Stage::Chunks => transaction.is_envelope_answered(),
            // Whoever cannot present the content again must say so before anything is sent.
            Stage::Waiting if transaction.content().is_needed_again() => true,
            Stage::Waiting | Stage::Forwarded | Stage::Envelope => {
                self.may_begin_chunks(transaction)
            }
            Stage::Data | Stage::LoneDot | Stage::Over => false,
        };
        if is_wanted || self.proof.is_suspicious() {
            return is_wanted.then_some(id);
        }
        if transaction.may_be_looked_at() {
            return Some(id);
        }
        // Before this one's content leaves, with the next one's commands, there is time for a look at
        // that.
        if !matches!(transaction.stage(), Stage::Data | Stage::Content) {
            return None;
        }
        let (id, next) = self.unsent_from(id.saturating_add(1))?;
        next.may_be_looked_at().then_some(id)
    }

    /// Returns whether a content, or a chunk of one, may be opened for this transaction, as far as its
    /// own commands go. Under suspicion it is [not wanted](Self::wanted), so none is.
    pub(super) fn may_open_content(&self, transaction: &Transaction) -> bool {
        match transaction.stage() {
            Stage::Content => true,
            Stage::Envelope => {
                transaction.next_recipient().is_none() && self.may_begin_chunks(transaction)
            }
            // Only a message's first chunk may precede the replies to its recipients.
            Stage::Chunks => transaction.is_envelope_answered(),
            Stage::Waiting | Stage::Forwarded | Stage::Data | Stage::LoneDot | Stage::Over => false,
        }
    }

    /// Returns whether a content may begin by BDAT: in a stream within the window, otherwise once
    /// there is a recipient (RFC 3030 2).
    fn may_begin_chunks(&self, transaction: &Transaction) -> bool {
        if self.level == Level::Stream {
            return self.begun_contents < self.window && transaction.takes_content();
        }
        transaction.content().is_binary() && transaction.is_envelope_answered()
    }

    /// Returns what is waited for while nothing is unanswered, as words.
    pub(super) fn state(&self) -> &'static str {
        let mut rest = self.queue.iter().map(|(_, transaction)| transaction);
        let current = rest.find(|transaction| transaction.stage() != Stage::Over);
        match current.map(Transaction::stage) {
            None | Some(Stage::Waiting | Stage::Over) => "between messages",
            Some(Stage::Envelope) if current.is_some_and(Transaction::is_open) => {
                "waiting for recipients"
            }
            Some(_) => "waiting for content",
        }
    }

    /// Takes a transaction out of the way that must not be completed, and returns what that costs;
    /// `open` is that whose content is being sent.
    pub(super) fn abandon(
        &mut self,
        id: TransactionId,
        reason: NotSent,
        open: Option<TransactionId>,
    ) -> Option<Abandoned> {
        let is_suspicious = self.is_suspicious_of(id);
        let transaction = self.get_mut(id)?;
        transaction.abandon(reason);
        Some(match transaction.stage() {
            _ if is_suspicious => Abandoned::Undecided,
            Stage::Waiting | Stage::Forwarded | Stage::Envelope => {
                transaction.stop();
                Abandoned::Stopped
            }
            // Between two chunks RSET is enough, as no last one was announced (RFC 3030 2).
            Stage::Chunks if open != Some(id) => {
                transaction.stop();
                Abandoned::Stopped
            }
            Stage::Data | Stage::LoneDot => Abandoned::Undecided,
            Stage::Content | Stage::Chunks | Stage::Over => Abandoned::Cut,
        })
    }

    /// Returns whether a transaction has come to its end.
    pub(super) fn is_concluded(&mut self, id: TransactionId) -> bool {
        let is_concluded =
            !self.is_suspicious_of(id) && self.get_mut(id).is_some_and(Transaction::is_concluded);
        if is_concluded {
            self.end_content(id);
        }
        is_concluded
    }

    /// Forgets the transactions at the front that are finished.
    pub(super) fn tidy(&mut self) {
        let is_done = |front: &Transaction| front.is_finished() && front.is_answered();
        while self.queue.first().is_some_and(is_done) {
            self.queue.pop();
        }
    }

    pub(super) fn shrink(&mut self) {
        self.queue.shrink();
        if let Some(own) = &mut self.own {
            own.shrink();
        }
    }
}
