//! The messages: what is sent of them next (the schedule) and what is kept and told of them (the
//! ledger), and what both decide together.

use alloc::vec::Vec;

use super::{
    action::{Action, Said},
    config::Config,
    contents::Contents,
    envelope::{Envelope, Written},
    event::{BodyRequest, CommandId, Event, MessageId, NotSentReason, Outcome},
    ledger::Ledger,
    outcomes::Outcomes,
    outstanding::Expected,
    proof::Shown,
    resets::RefusedReset,
    schedule::Schedule,
    table::{Level, Stage, Turn, Verb},
    terms::Terms,
    transaction::{Heard, Transaction, TransactionId},
    watch::Whose,
};
use crate::{
    machine::{Answer, Dialect, Fault, Misuse},
    syntax::{Capabilities, Code, Command, ForwardPath, RcptParameters, Reply},
};

/// Every message without an outcome, in the order of submission, and what is to be told of them.
#[derive(Debug)]
pub(super) struct Messages {
    schedule: Schedule,
    ledger: Ledger,
    /// The memory of a content that was kept.
    spare: Vec<u8>,
}

/// What the answer to one of a transaction's commands has led to.
#[derive(Debug)]
pub(super) enum Answered<'i> {
    Told(Option<Event<'i>>),
    /// The session cannot go on, as this reply shows.
    Failed(Fault, Reply<'i>),
    /// Replies and commands no longer match, as this reply shows.
    Desync(Fault, Reply<'i>),
}

impl Messages {
    pub(super) fn new() -> Self {
        Self {
            schedule: Schedule::new(),
            ledger: Ledger::default(),
            spare: Vec::new(),
        }
    }

    // What the application asks for.

    /// Takes a message, and fits it to the server if that is known.
    pub(super) fn submit(
        &mut self,
        envelope: &Envelope<'_>,
        terms: Option<Terms<'_>>,
    ) -> Result<MessageId, Misuse> {
        if envelope.recipients().is_empty() {
            return Err(Misuse::NoRecipient);
        }
        let (message, id) = self.enter(envelope);
        self.fit_to(id, terms);
        Ok(message)
    }

    /// Takes a message whose recipients are still to come.
    pub(super) fn begin(&mut self, envelope: &Envelope<'_>, terms: Option<Terms<'_>>) -> MessageId {
        let (message, id) = self.enter(envelope);
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.open_envelope();
        }
        self.fit_to(id, terms);
        message
    }

    fn enter(&mut self, envelope: &Envelope<'_>) -> (MessageId, TransactionId) {
        let message = self.ledger.submit(envelope);
        let written = self.ledger.envelope(message.0);
        let is_binary = written.is_some_and(|written| written.is_binary());
        let recipients = u32::try_from(envelope.recipients().len()).unwrap_or(u32::MAX);
        let id = self
            .schedule
            .submit(message.0, recipients, is_binary, envelope.aim());
        (message, id)
    }

    fn fit_to(&mut self, id: TransactionId, terms: Option<Terms<'_>>) {
        if let Some(terms) = terms {
            self.fit(id, terms);
        }
    }

    pub(super) fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: &ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
        terms: Option<Terms<'_>>,
    ) -> Result<usize, Misuse> {
        let id = self.schedule.open_envelope(message.0);
        let id = id.ok_or(Misuse::UnknownMessage)?;
        if !self.schedule.has_room(id) {
            return Err(Misuse::RecipientLimit);
        }
        let offered = terms.map(|terms| terms.offered);
        let stage = self.schedule.get(id).map(Transaction::stage);
        let envelope = self.ledger.envelope_mut(message.0);
        let envelope = envelope.ok_or(Misuse::UnknownMessage)?;
        let is_said = stage > Some(Stage::Forwarded);
        let position = envelope.add(recipient, parameters, offered, is_said)?;
        if !self.schedule.admits_domain(envelope.domain(position)) {
            envelope.remove_last();
            return Err(Misuse::RecipientLimit);
        }
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.add_recipient();
        }
        Ok(position)
    }

    /// Ends an envelope that is open.
    pub(super) fn end_envelope(&mut self, message: MessageId) -> Result<(), Misuse> {
        let id = self.schedule.open_envelope(message.0);
        let id = id.ok_or(Misuse::UnknownMessage)?;
        let transaction = self.schedule.get_mut(id).ok_or(Misuse::UnknownMessage)?;
        if transaction.recipients() == 0 {
            return Err(Misuse::NoRecipient);
        }
        transaction.close_envelope();
        self.outcomes().go_on(id);
        Ok(())
    }

    /// Queues a command of the application's after the messages so far.
    pub(super) fn command(
        &mut self,
        command: &Command<'_>,
        offered: &Capabilities,
    ) -> Result<CommandId, Misuse> {
        let before = self.schedule.ids().end;
        self.schedule.own().submit(command, before, offered)
    }

    /// Sends nothing but what is submitted, and then QUIT.
    pub(super) fn quit(&mut self) {
        self.schedule.quit();
    }

    pub(super) fn is_quitting(&self) -> bool {
        self.schedule.is_quitting()
    }

    /// Returns how many messages are unfinished.
    pub(super) fn unfinished(&self) -> usize {
        self.ledger.unfinished()
    }

    pub(super) fn shrink(&mut self) {
        self.schedule.shrink();
        self.ledger.shrink();
        self.spare = Vec::new();
    }

    // What is told.

    /// Returns whether an event is due.
    pub(super) fn has_events(&self) -> bool {
        self.ledger.has_events()
    }

    /// Takes the event that is due next while the session goes on.
    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        self.ledger.next_event()
    }

    /// Takes the event that is due next once the session is over, which finishes all that is not.
    pub(super) fn next_last_event(&mut self) -> Option<Event<'static>> {
        loop {
            if let Some(event) = self.ledger.next_event() {
                return Some(event);
            }
            if let Some(event) = self.schedule.next_unanswered() {
                return Some(event);
            }
            let Some(id) = self.schedule.first_unfinished() else {
                return self.ledger.next_closed();
            };
            self.outcomes().finish(id);
        }
    }

    /// Tells that the session is open.
    pub(super) fn ready(&mut self) {
        self.ledger.ready();
    }

    /// Tells that the session has ended in good order.
    pub(super) fn closed(&mut self) {
        self.ledger.closed();
    }

    /// Tells what was held back: every reply came in its turn.
    pub(super) fn release(&mut self) {
        self.ledger.release();
    }

    // The server, as it shows itself.

    /// Goes by what the server offers.
    pub(super) fn open(&mut self, terms: Terms<'_>) {
        let Terms {
            offered, config, ..
        } = terms;
        let pipelining = config.pipelining;
        let level = pipelining.level(offered, config.dialect);
        self.schedule
            .open(level, pipelining.window(), offered.limits()); // 9422-3.6-a
        for id in self.schedule.ids() {
            self.fit(id, terms);
        }
    }

    /// Fails a message that needs what the server does not offer, and leaves out of the others what
    /// may be left out.
    fn fit(&mut self, id: TransactionId, terms: Terms<'_>) {
        let Terms {
            offered,
            is_verified,
            config,
        } = terms;
        let Some(transaction) = self.schedule.get(id) else {
            return;
        };
        if transaction.is_finished() || transaction.stage() != Stage::Waiting {
            return;
        }
        let envelope = self.ledger.envelope_mut(transaction.message());
        let Some(envelope) = envelope else {
            return;
        };
        let fits = envelope.fit(offered, is_verified, config);
        let is_for_nobody = match transaction.is_open() {
            true => None,
            false => envelope.is_for_nobody(offered),
        };
        match (fits, is_for_nobody) {
            (Err(reason), _) | (Ok(_), Some(reason)) => self.outcomes().withdraw(id, reason),
            (Ok(unfit), None) => self.outcomes().leave_out_unfit(id, unfit),
        }
    }

    /// Accounts for the answer to a command of the application's.
    pub(super) fn answer_own<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        self.schedule.own().answer(reply)
    }

    /// Accounts for the answer to RSET. Returns the fault that it shows.
    pub(super) fn answer_reset(&mut self, reply: &Reply<'_>) -> Option<Fault> {
        if reply.is_positive() {
            self.schedule.reset();
            return None;
        }
        match self.schedule.refused_reset() {
            RefusedReset::Suspicion => {
                self.step_down();
                None
            }
            RefusedReset::Desync => Some(Fault::ResetRefused),
        }
    }

    /// Accounts for the answer to a command of a proof. Returns the fault that it shows.
    pub(super) fn answer_proof(&mut self, turn: Turn) -> Option<Fault> {
        let is_again = self.schedule.is_suspicious();
        match self.schedule.prove(turn) {
            Shown::Swallows => {
                self.ledger.release();
                None
            }
            Shown::Otherwise if is_again => Some(Fault::ChunkExecuted),
            Shown::Nothing | Shown::Otherwise => None,
            Shown::Unclean => Some(Fault::ResetRefused),
        }
    }

    /// Accounts for the answer to one of a transaction's commands.
    pub(super) fn answer<'i>(
        &mut self,
        expected: &Expected,
        reply: Reply<'i>,
        config: &Config,
    ) -> Answered<'i> {
        let Expected {
            verb,
            transaction: id,
            recipient: place,
            ..
        } = *expected;
        let turn = Turn::of(reply.code());
        if self.schedule.is_suspicious_of(id) {
            if turn != Turn::No {
                return Answered::Desync(Fault::ResetRefused, reply);
            }
            if let Some(transaction) = self.schedule.get_mut(id) {
                transaction.hear_nothing(verb);
            }
            self.step_down();
            return Answered::Told(None);
        }
        if turn == Turn::No
            && let Some(fault) = self.suspect(verb, id, reply.code(), config.dialect)
        {
            return Answered::Desync(fault, reply);
        }
        let Self {
            schedule, ledger, ..
        } = self;
        let Some(transaction) = schedule.get_mut(id) else {
            return Answered::Told(None);
        };
        let message = MessageId(transaction.message());
        let has_size = || ledger.envelope(message.0).is_some_and(Written::has_size);
        let event = match transaction.hear(verb, place, reply, config, has_size) {
            Heard::Nothing => None,
            Heard::ForwardingRefused(reply) => Some(Event::ForwardingRefused { message, reply }),
            Heard::Recipient(recipient, reply) => Some(Event::RecipientAnswered {
                message,
                recipient: recipient as usize,
                reply,
            }),
            Heard::Verdict(None, outcome) => {
                let is_taken = matches!(outcome, Some(Outcome::Delivered(_)));
                self.schedule.ended(id, is_taken);
                return Answered::Told(self.outcomes().finish_with(id, outcome));
            }
            Heard::Verdict(Some(recipient), outcome) => {
                if transaction.is_answered() {
                    let is_taken = matches!(outcome, Some(Outcome::Delivered(_)));
                    self.schedule.ended(id, is_taken);
                }
                self.outcomes().conclude(id);
                return Answered::Told(outcome.map(|outcome| Event::RecipientFinished {
                    message,
                    recipient: recipient as usize,
                    outcome,
                }));
            }
            Heard::Unwanted(fault, reply) => return Answered::Failed(fault, reply),
            Heard::Contradiction(reply) => {
                return Answered::Desync(Fault::RefusedTransactionContinued, reply);
            }
        };
        let handed_on = match verb {
            Verb::Recipient => transaction.hand_on(),
            _ => None,
        };
        // Most replies end nothing, which is seen here without another look-up.
        let is_concluded = transaction.is_concluded();
        if let Some(rest) = handed_on {
            let part = self.schedule.push_part(rest);
            self.outcomes().add_part(part);
        }
        if verb == Verb::LoneDot {
            self.schedule.ended(id, false);
        }
        if is_concluded {
            self.outcomes().conclude(id);
        }
        Answered::Told(event)
    }

    /// Accounts for the refusal of a MAIL, or of a chunk, that may be no refusal at all: a server that
    /// takes content for commands answers other commands than those that were sent. Returns the fault,
    /// if it does so beyond doubt.
    fn suspect(
        &mut self,
        verb: Verb,
        id: TransactionId,
        code: Code,
        dialect: Dialect,
    ) -> Option<Fault> {
        let is_early = match verb {
            Verb::Mail => self.schedule.level() == Level::Stream,
            _ if verb.is_chunk() => {
                let transaction = self.schedule.get_mut(id)?;
                let is_for_somebody = !transaction.accepted().is_empty();
                if is_for_somebody && matches!(code.value(), 500..=502) {
                    // The server does not know the command that it answers (or knows no chunks any
                    // more).
                    transaction.give_up(verb.is_end_of_message());
                    return Some(Fault::ChunkExecuted);
                }
                is_for_somebody
            }
            _ => false,
        };
        if is_early && code != Code::NOT_AVAILABLE && dialect == Dialect::Smtp {
            self.schedule.suspect();
            self.ledger.hold();
        }
        None
    }

    fn step_down(&mut self) {
        if let Some(given_up) = self.schedule.step_down() {
            self.outcomes().conclude(given_up);
        }
    }

    /// Accounts for the refusal of a content that is being sent.
    pub(super) fn refuse(&mut self, id: TransactionId, answer: Answer<'_>) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.refuse(answer);
        }
    }

    // Commands.

    /// Returns which message a command of a transaction is about, and which recipient of it.
    pub(super) fn whose(&self, said: &Said) -> Option<Whose> {
        use Verb::{
            Chunk, Content, Data, LastChunk, LoneDot, Mail, Recipient, RecipientContent, XForward,
        };
        let is_of_one = match said.verb {
            Recipient | RecipientContent => true,
            XForward | Mail | Data | Content | LoneDot | Chunk | LastChunk => false,
            _ => return None,
        };
        let transaction = self.schedule.get(said.transaction)?;
        let position = is_of_one.then(|| transaction.position_of(said.recipient) as usize);
        Some((MessageId(transaction.message()), position))
    }

    /// Returns whether the session has stepped down, as the server takes no look-ahead.
    pub(super) fn refuses_look_ahead(&self) -> bool {
        self.schedule.has_stepped_down()
    }

    /// Returns from which policy on more may be sent.
    pub(super) fn level(&self) -> Level {
        self.schedule.level()
    }

    /// Returns what is waited for while nothing is unanswered, as words.
    pub(super) fn state(&self) -> &'static str {
        self.schedule.state()
    }

    /// Passes what is over.
    pub(super) fn advance(&mut self) {
        self.schedule.advance();
    }

    /// Returns what is to be sent next, at whatever time it may be. `is_quiet` says whether all is
    /// answered, and no content is under way.
    pub(super) fn next_action(&mut self, is_quiet: impl Fn() -> bool) -> Option<Action> {
        loop {
            match self.schedule.next(&is_quiet)? {
                Action::Split(id) => {
                    if self.schedule.get(id).is_some_and(Transaction::is_for_all) {
                        self.outcomes().withdraw(id, NotSentReason::NotForAll);
                    } else if let Some(part) = self.schedule.split(id) {
                        self.outcomes().add_part(part);
                    }
                }
                Action::Mail(id) if !self.admits(id) => {
                    let part = self.leave_out_domains(id);
                    let reason = NotSentReason::LimitReached;
                    self.outcomes().part_with(id, part, reason);
                }
                Action::Mail(id) => return Some(self.mail_or_forward(id)),
                action => return Some(action),
            }
        }
    }

    /// Returns MAIL, or what goes before it.
    fn mail_or_forward(&self, id: TransactionId) -> Action {
        let transaction = self.schedule.get(id);
        let sent = transaction.map_or(0, Transaction::forwarded);
        let envelope = transaction.and_then(|it| self.ledger.envelope(it.message()));
        match envelope.and_then(|envelope| envelope.origin_line(sent as usize)) {
            Some(_) => Action::XForward(id, sent),
            None => Action::Mail(id),
        }
    }

    /// Returns whether the server takes the domains of a transaction's recipients in this session.
    fn admits(&mut self, id: TransactionId) -> bool {
        let message = self.schedule.get(id).map(Transaction::message);
        let envelope = message.and_then(|message| self.ledger.envelope(message));
        self.schedule
            .admits(id, |position| envelope?.domain(position as usize))
    }

    fn leave_out_domains(&mut self, id: TransactionId) -> Option<TransactionId> {
        let message = self.schedule.get(id)?.message();
        let envelope = self.ledger.envelope(message)?;
        self.schedule
            .leave_out_domains(id, |position| envelope.domain(position as usize))
    }

    /// Writes a command, and returns what it is. A message whose MAIL cannot be said within the server's
    /// limit is not sent.
    pub(super) fn write(
        &mut self,
        action: Action,
        offered: &Capabilities,
        out: &mut Vec<u8>,
    ) -> Option<Said> {
        let transaction = action.transaction().and_then(|id| self.schedule.get(id));
        let envelope = transaction.and_then(|it| self.ledger.envelope(it.message()));
        let start = out.len();
        let said = action.write(envelope, self.schedule.own_line(), offered, out);
        let bytes = out.len().saturating_sub(start);
        if let Some(limit) = said.verb.exceeded(bytes, offered) {
            out.truncate(start);
            self.outcomes()
                .withdraw(said.transaction, NotSentReason::CommandTooLong { limit });
            return None;
        }
        Some(said)
    }

    /// Returns a transaction and its envelope, whose recipients are to be said.
    pub(super) fn envelope_of(
        &mut self,
        id: TransactionId,
    ) -> Option<(&mut Transaction, &Written)> {
        let transaction = self.schedule.get_mut(id)?;
        let envelope = self.ledger.envelope(transaction.message())?;
        Some((transaction, envelope))
    }

    /// Leaves out the recipient that is next in an envelope, whose RCPT would be longer than this.
    pub(super) fn leave_out_recipient(&mut self, id: TransactionId, limit: usize) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.leave_out(limit);
            self.outcomes().go_on(id);
        }
    }

    /// Accounts for a command that was rendered, with or without something unanswered before it.
    pub(super) fn sent(&mut self, action: Action, verb: Verb, is_ahead: bool) {
        match action {
            // Recipients are accounted for as they are said.
            Action::Quit | Action::Split(_) | Action::Recipients(_) => {}
            Action::Own => self.schedule.own().sent(),
            Action::Reset => self.schedule.sent_reset(is_ahead),
            Action::Proof(verb) => self.schedule.sent_proof(verb),
            Action::XForward(id, _) | Action::Mail(id) | Action::Data(id) | Action::LoneDot(id) => {
                if let Some(transaction) = self.schedule.get_mut(id) {
                    transaction.sent(verb);
                }
                match verb {
                    Verb::XForward => self.schedule.sent_forward(id),
                    Verb::Mail if self.schedule.sent_mail(id) => self.outcomes().abandon_waiting(),
                    _ => {}
                }
            }
        }
    }

    // Contents and outcomes.

    /// Returns the transaction whose content can be used now; `open` is that which is being sent.
    pub(super) fn wanted(&self, open: Option<TransactionId>) -> Option<TransactionId> {
        self.schedule.wanted(open)
    }

    /// Returns which part of which content a transaction needs next.
    pub(super) fn request(&self, id: TransactionId) -> Option<BodyRequest> {
        let transaction = self.schedule.get(id)?;
        Some(BodyRequest {
            message: MessageId(transaction.message()),
            offset: transaction.content().position(),
        })
    }

    /// Returns the outcomes, for what is given up and what is over.
    pub(super) fn outcomes(&mut self) -> Outcomes<'_> {
        Outcomes::new(&mut self.schedule, &mut self.ledger)
    }

    /// Returns the contents, for what is presented and written of them.
    pub(super) fn contents(&mut self) -> Contents<'_> {
        Contents::new(&mut self.schedule, &mut self.ledger, &mut self.spare)
    }
}
