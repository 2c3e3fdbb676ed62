//! One transaction: whom it is for, how far it has been sent, and what the server said to it.

use alloc::{boxed::Box, vec::Vec};

use super::{
    aim::Aim,
    config::Config,
    content::ContentState,
    event::{NotSent, NotSentReason, Outcome},
    lineage::Lineage,
    recipients::Recipients,
    setbacks::{Fared, Setbacks, says_too_many},
    table::{Stage, Turn, Verb},
    verdicts::Verdicts,
};
use crate::{
    machine::{Answer, Dialect, Fault, Step},
    syntax::Reply,
};

/// Names a transaction for the life of its client, in the order of sending.
pub(super) type TransactionId = u64;

/// One transaction, which carries a message to all of its recipients or to some.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    message: u64,
    recipients: Recipients,
    aim: Aim,
    /// More recipients may come.
    is_open: bool,
    content: ContentState,
    lineage: Lineage,
    stage: Stage,
    /// How many XFORWARD were sent.
    forwarded: u32,
    /// How many RCPT were sent, and answered.
    sent: u32,
    answered: u32,
    /// How many replies are outstanding.
    pending: u32,
    mail: Option<Turn>,
    /// Which recipients were accepted, by their place in this transaction, in its order.
    accepted: Vec<u32>,
    /// There if anything went wrong.
    setbacks: Option<Box<Setbacks>>,
    verdicts: Verdicts,
    /// The end of the content was offered, and no verdict will be read.
    is_in_doubt: bool,
    is_finished: bool,
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) struct Concluded<'i> {
    pub(super) message: u64,
    /// Its content was sent to its end: the server may have taken it, whatever it said.
    pub(super) has_end: bool,
    /// What became of it for every recipient that has no outcome of its own.
    pub(super) outcome: Outcome<'i>,
    /// Those who have one, by position, or who share that of the transaction where it is not the
    /// message's; in the order of the envelope, the last first.
    pub(super) recipients: Vec<(u32, Option<Outcome<'static>>)>,
}

/// What a reply to one of a transaction's commands has led to, but for what is kept.
#[derive(Debug)]
pub(super) enum Heard<'i> {
    /// Nothing.
    Nothing,
    /// The server does not want to be told whom it is from.
    ForwardingRefused(Reply<'i>),
    /// A recipient was answered, who is at this position in the envelope.
    Recipient(u32, Reply<'i>),
    /// There is a verdict; for this recipient, in LMTP. `None` where the outcome was known.
    Verdict(Option<u32>, Option<Outcome<'i>>),
    /// The server waits for a content that is not to be had.
    Unwanted(Fault, Reply<'i>),
    /// The reply contradicts an earlier one: they do not belong together.
    Contradiction(Reply<'i>),
}

impl Transaction {
    /// Begins one for all the recipients of a message, in the memory of an earlier one.
    pub(super) fn fill(&mut self, message: u64, recipients: u32, is_binary: bool, aim: Aim) {
        let mut accepted = core::mem::take(&mut self.accepted);
        accepted.clear();
        *self = Self {
            message,
            recipients: Recipients::first(recipients),
            aim,
            content: match aim {
                Aim::Any | Aim::All => ContentState::new(is_binary),
                Aim::Replies => ContentState::none(),
            },
            accepted,
            ..Self::default()
        };
    }

    /// Leaves itself the first recipients, and puts the others into a transaction of their own.
    pub(super) fn split(&mut self, most: u32) -> Self {
        let lineage = self.lineage.split();
        Self {
            recipients: self.recipients.split_off(most),
            ..self.part(lineage)
        }
    }

    /// Leaves itself the recipients at positions that are kept, and puts the others into a transaction of
    /// their own, unless that leaves nobody, or it has to be for all.
    pub(super) fn split_by(&mut self, is_kept: impl FnMut(u32) -> bool) -> Option<Self> {
        if self.is_for_all() || self.is_open {
            return None;
        }
        let mut kept = self.recipients.clone();
        let recipients = kept.split_by(is_kept);
        if kept.len() == 0 {
            return None;
        }
        self.recipients = kept;
        let lineage = self.lineage.split();
        Some(Self {
            recipients,
            ..self.part(lineage)
        })
    }

    /// Puts the recipients that were put off into a transaction of their own, once it is known that
    /// no more of them will be. Only a transaction that goes on hands recipients on.
    pub(super) fn hand_on(&mut self) -> Option<Self> {
        let is_due = self.is_envelope_answered() && self.is_alive();
        if !is_due || !self.setbacks().must_hand_on() {
            return None;
        }
        let places = self.setbacks.as_mut()?.hand_on().iter();
        let positions = places.map(|place| self.recipients.position(*place));
        let recipients = Recipients::at(positions.collect());
        let lineage = self.lineage.put_off(self.accepted.len());
        Some(Self {
            recipients,
            ..self.part(lineage)
        })
    }

    fn part(&self, lineage: Lineage) -> Self {
        Self {
            message: self.message,
            lineage,
            aim: self.aim,
            content: match self.aim {
                Aim::Any | Aim::All => self.content.again(),
                Aim::Replies => ContentState::none(),
            },
            setbacks: self.setbacks().of_part(),
            ..Self::default()
        }
    }

    /// Has the envelope wait for more recipients.
    pub(super) fn open_envelope(&mut self) {
        self.is_open = true;
    }

    /// Adds the next recipient of an envelope that is open.
    pub(super) fn add_recipient(&mut self) {
        self.recipients.add_next();
    }

    /// Takes note that no more recipients come.
    pub(super) fn close_envelope(&mut self) {
        self.is_open = false;
    }

    /// Begins again, as nothing of it counts that was sent.
    pub(super) fn restart(&mut self) {
        self.accepted.clear();
        if let Some(setbacks) = &mut self.setbacks {
            self.recipients.leave_out(&setbacks.restart());
        }
        self.content.restart();
        (self.sent, self.answered, self.mail) = (0, 0, None);
        self.forwarded = 0;
        self.stage = Stage::Waiting;
    }

    pub(super) fn message(&self) -> u64 {
        self.message
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn content(&self) -> &ContentState {
        &self.content
    }

    pub(super) fn content_mut(&mut self) -> &mut ContentState {
        &mut self.content
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Returns how many recipients it is for.
    pub(super) fn recipients(&self) -> u32 {
        self.recipients.len()
    }

    /// Returns where in the envelope a recipient stands.
    pub(super) fn position_of(&self, place: u32) -> u32 {
        self.recipients.position(place)
    }

    /// Returns how many XFORWARD were sent.
    pub(super) fn forwarded(&self) -> u32 {
        self.forwarded
    }

    /// Returns whose RCPT is next.
    pub(super) fn next_recipient(&self) -> Option<u32> {
        (self.sent < self.recipients.len()).then_some(self.sent)
    }

    /// Returns which of the transactions of its message it is.
    pub(super) fn lineage(&self) -> Lineage {
        self.lineage
    }

    /// Returns whether it goes to all of its recipients or to none.
    pub(super) fn is_for_all(&self) -> bool {
        self.aim == Aim::All
    }

    /// Returns whether its content may follow what was sent of it, be that answered or not.
    pub(super) fn takes_content(&self) -> bool {
        match self.aim {
            Aim::Any => !self.is_open,
            Aim::All => {
                let accepted = self.accepted.len();
                self.is_envelope_answered() && accepted == self.recipients.len() as usize
            }
            Aim::Replies => false,
        }
    }

    /// Returns why nobody gets the content, though somebody may have been accepted, by what the server
    /// said to the recipients.
    fn held_back_by(&self) -> Option<NotSent> {
        match self.aim {
            Aim::All => self.setbacks().not_for_all(),
            Aim::Replies if self.is_envelope_answered() => Some(NotSentReason::OnlyVerified.into()),
            Aim::Any | Aim::Replies => None,
        }
    }

    /// Returns whether its content has to be asked for, before it goes on.
    pub(super) fn must_be_looked_at(&self) -> bool {
        self.content.must_be_looked_at() && !self.is_open
    }

    /// Returns whether its content can be looked at: it has come to be known, and is not asked for by
    /// DATA.
    pub(super) fn may_be_looked_at(&self) -> bool {
        let is_early = self.stage <= Stage::Envelope;
        is_early && !self.content.was_looked_at() && !self.is_open && !self.is_abandoned()
    }

    /// Accounts for a chunk, or the end of a content, whose replies are expected: LMTP's is answered for
    /// each recipient that was accepted (RFC 2033 4.2).
    pub(super) fn sent_content(&mut self, verb: Verb, dialect: Dialect) {
        match dialect {
            Dialect::Lmtp if verb.is_end_of_message() => {
                for _ in 0..self.accepted.len() {
                    self.sent(Verb::RecipientContent);
                }
            }
            _ => self.sent(verb),
        }
    }

    /// Accounts for a command that was rendered.
    pub(super) fn sent(&mut self, verb: Verb) {
        self.pending = self.pending.saturating_add(1);
        self.sent = self.sent.saturating_add(u32::from(verb == Verb::Recipient));
        let forwarded = u32::from(verb == Verb::XForward);
        self.forwarded = self.forwarded.saturating_add(forwarded);
        if verb.is_end_of_message() {
            self.content.finish();
        }
        self.turn(verb, Turn::Sent);
    }

    /// Leaves the next recipient out, whose RCPT would be longer than this.
    pub(super) fn leave_out(&mut self, limit: usize) {
        let place = self.sent;
        self.setbacks_mut().leave_out(place, limit);
        self.sent = self.sent.saturating_add(1);
        self.answered = self.answered.saturating_add(1);
    }

    /// Returns why it is for nobody, if all its recipients were left out.
    pub(super) fn is_for_nobody(&self) -> Option<NotSentReason> {
        let (left_out, limit) = self.setbacks().left_out();
        let limit = limit?;
        let is_for_nobody = left_out == self.recipients.len() as usize;
        (is_for_nobody && !self.is_open).then_some(NotSentReason::CommandTooLong { limit })
    }

    /// Accounts for the reply to one of its commands, of the recipient at that place if to RCPT.
    pub(super) fn hear<'i>(
        &mut self,
        verb: Verb,
        place: u32,
        reply: Reply<'i>,
        config: &Config,
        has_size: impl FnOnce() -> bool,
    ) -> Heard<'i> {
        let turn = Turn::of(reply.code());
        let step = verb.step();
        self.answered(verb, turn);
        match verb {
            Verb::Recipient => return self.answer_recipient(place, reply, config, has_size),
            Verb::Content | Verb::LastChunk => return self.answer_content(step, reply),
            Verb::RecipientContent => return self.answer_content_for(place, step, reply),
            Verb::Mail => {
                self.mail = Some(turn);
                if turn == Turn::No {
                    self.refuse(Answer { step, reply });
                }
            }
            Verb::Data if turn == Turn::Yes => {
                let is_for_nobody = self.accepted.is_empty();
                if is_for_nobody && config.dialect == Dialect::Lmtp {
                    // There is nothing to synchronise on (2033-4.2-a).
                    return Heard::Unwanted(Fault::RefusedTransactionContinued, reply);
                }
                // A dot now would have the server deliver an empty message, to somebody, from
                // somebody (measured with Postfix and Exim).
                if self.is_abandoned() && !is_for_nobody {
                    return Heard::Unwanted(Fault::ContentAbandoned, reply);
                }
                if self.mail != Some(Turn::Yes) && !is_for_nobody {
                    return Heard::Contradiction(reply);
                }
            }
            Verb::XForward if turn == Turn::No => return Heard::ForwardingRefused(reply),
            Verb::XForward | Verb::LoneDot => {}
            _ if turn == Turn::No => self.refuse(Answer { step, reply }),
            _ if self.is_refused() => return Heard::Contradiction(reply),
            _ => {}
        }
        Heard::Nothing
    }

    /// Accounts for a refusal of a command that was sent ahead of a verdict, and counts for nothing.
    pub(super) fn hear_nothing(&mut self, verb: Verb) {
        self.answered(verb, Turn::No);
    }

    fn answered(&mut self, verb: Verb, turn: Turn) {
        self.pending = self.pending.saturating_sub(1);
        self.turn(verb, turn);
    }

    fn turn(&mut self, verb: Verb, turn: Turn) {
        self.stage = self.stage.after(verb, turn, !self.accepted.is_empty());
    }

    /// Sends nothing more of it.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Over;
    }

    /// Forgets the replies that will not come.
    pub(super) fn give_up(&mut self, is_in_doubt: bool) {
        self.pending = 0;
        self.is_in_doubt |= is_in_doubt;
    }

    /// Records the answer to one RCPT.
    fn answer_recipient<'i>(
        &mut self,
        place: u32,
        reply: Reply<'i>,
        config: &Config,
        has_size: impl FnOnce() -> bool,
    ) -> Heard<'i> {
        self.answered = self.answered.saturating_add(1);
        if reply.is_positive() {
            self.accepted.push(place);
        } else if !config.reports_put_off && self.is_put_off(&reply, has_size) {
            let step = Verb::Recipient.step();
            self.setbacks_mut().put_off(place, Answer { step, reply });
            return Heard::Nothing;
        } else if self.has_sender() {
            let reply = reply.clone().into_owned();
            self.setbacks_mut().refuse_recipient(place, reply);
        }
        match self.has_sender() {
            true => Heard::Recipient(self.recipients.position(place), reply),
            // Of a refused sender, the refusal tells; the recipients' 503 tell nothing.
            false => Heard::Nothing,
        }
    }

    /// Records the answer to the end of the content.
    fn answer_content<'i>(&mut self, step: Step, reply: Reply<'i>) -> Heard<'i> {
        let is_known = self.is_refused() || self.is_abandoned();
        if is_known && reply.is_positive() {
            // Whatever was accepted, it was not this envelope: the outcome stays in doubt.
            self.give_up(true);
            return Heard::Contradiction(reply);
        }
        match is_known {
            true => Heard::Verdict(None, None),
            false => Heard::Verdict(None, Some(Outcome::by(step, reply))),
        }
    }

    /// Records LMTP's verdict for one of the accepted recipients.
    fn answer_content_for<'i>(&mut self, place: u32, step: Step, reply: Reply<'i>) -> Heard<'i> {
        self.verdicts.add(step, &reply);
        let position = self.recipients.position(place);
        Heard::Verdict(Some(position), Some(Outcome::by(step, reply)))
    }

    /// Returns whether a refusal of a recipient means that there are too many in the transaction, so
    /// that another one may take it: 5321-4.5.3.1.10-a, -b, X-33.
    fn is_put_off(&self, reply: &Reply<'_>, has_size: impl FnOnce() -> bool) -> bool {
        let is_exempt = self.is_open || self.is_for_all() || self.accepted.is_empty();
        says_too_many(reply, has_size) && !is_exempt && self.is_alive()
    }

    /// Records a refusal that decides the message; the first one counts.
    pub(super) fn refuse(&mut self, answer: Answer<'_>) {
        if !self.is_refused() {
            self.setbacks_mut().refuse(answer);
        }
    }

    /// Gives it up for this reason, unless there is one already. Of a further transaction that does not
    /// come about, the cause is what the server said to those whom it put off.
    pub(super) fn abandon(&mut self, mut reason: NotSent) {
        let needs_further = matches!(
            reason.reason,
            NotSentReason::LimitReached | NotSentReason::NeedsBodyAgain
        );
        if needs_further && self.lineage.is_part() {
            let put_off_by = || self.setbacks().put_off_by().cloned().map(Box::new);
            reason.answer = reason.answer.or_else(put_off_by);
        }
        self.setbacks_mut().abandon(reason);
    }

    /// Takes back what the server refused of it, as the replies may be another transaction's.
    pub(super) fn distrust(&mut self) {
        if let Some(setbacks) = &mut self.setbacks {
            setbacks.distrust();
        }
    }

    fn setbacks(&self) -> &Setbacks {
        self.setbacks.as_deref().unwrap_or(Setbacks::NONE)
    }

    fn setbacks_mut(&mut self) -> &mut Setbacks {
        self.setbacks.get_or_insert_default()
    }

    /// Returns which recipients were accepted.
    pub(super) fn accepted(&self) -> &[u32] {
        &self.accepted
    }

    /// Returns whether MAIL was accepted, as far as is known.
    fn has_sender(&self) -> bool {
        self.mail == Some(Turn::Yes)
    }

    /// Returns whether it goes on: its sender was accepted, and nothing has ended it.
    fn is_alive(&self) -> bool {
        let setbacks = self.setbacks();
        self.has_sender() && !setbacks.is_refused() && !setbacks.is_abandoned()
    }

    /// Returns whether it was given up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.setbacks().is_abandoned()
    }

    /// Returns whether the server has answered MAIL and every RCPT.
    pub(super) fn is_envelope_answered(&self) -> bool {
        self.mail.is_some() && self.answered == self.recipients.len() && !self.is_open
    }

    /// Returns whether the server may yet put off some of the recipients.
    pub(super) fn may_be_put_off(&self) -> bool {
        self.pending > 0 && self.recipients.len() > 1 && !self.is_envelope_answered()
    }

    /// Returns whether the server has refused the message, by its sender, all its recipients, or its
    /// content.
    pub(super) fn is_refused(&self) -> bool {
        self.setbacks().is_refused() || (self.is_envelope_answered() && self.accepted.is_empty())
    }

    /// Returns whether nothing more is sent and nothing more will be read, and stops where the rest
    /// would be to no purpose: the sender was refused, or every recipient, or a chunk; or some recipient,
    /// where it is for all.
    pub(super) fn is_concluded(&mut self) -> bool {
        let is_purposeless = match self.stage {
            Stage::Envelope => {
                self.is_refused() || (self.is_envelope_answered() && self.held_back_by().is_some())
            }
            Stage::Chunks => self.is_refused(),
            _ => false,
        };
        if is_purposeless {
            self.stop();
        }
        self.stage == Stage::Over && self.pending == 0 && !self.is_finished
    }

    /// Returns whether every reply is in.
    pub(super) fn is_answered(&self) -> bool {
        self.pending == 0
    }

    /// Ends it: with a verdict, or by what is known.
    pub(super) fn conclude<'i>(&mut self, verdict: Option<Outcome<'i>>) -> Concluded<'i> {
        self.is_finished = true;
        self.stage = Stage::Over;
        self.content.take_kept();
        let outcome = verdict.unwrap_or_else(|| self.outcome());
        Concluded {
            message: self.message,
            has_end: self.content.has_end(),
            recipients: self.shares(&outcome),
            outcome,
        }
    }

    /// Returns what becomes of it if nothing more is sent or read.
    fn outcome(&mut self) -> Outcome<'static> {
        if self.is_in_doubt {
            return Outcome::InDoubt;
        }
        if let Some(outcome) = self.verdicts.take_outcome() {
            return outcome;
        }
        if !self.is_refused()
            && let Some(reason) = self.held_back_by()
        {
            return Outcome::NotSent(reason);
        }
        if let Some(setbacks) = &mut self.setbacks
            && let Some(outcome) = setbacks.take_outcome()
        {
            return outcome;
        }
        match self.setbacks().first_refused() {
            Some(answer) if self.is_refused() => Outcome::Refused(answer),
            _ => Outcome::NotSent(NotSentReason::ConnectionEnded.into()),
        }
    }

    /// Returns who has an outcome of his own, or shares this transaction's where that is not the
    /// message's.
    fn shares(&mut self, outcome: &Outcome<'_>) -> Vec<(u32, Option<Outcome<'static>>)> {
        let mut shares = Vec::new();
        if !self.lineage.is_part() && !self.setbacks().is_about_recipients() {
            return shares;
        }
        let setbacks = self.setbacks.take().unwrap_or_default();
        let told = self.accepted.get(..self.verdicts.len()).unwrap_or_default();
        let is_unsent = matches!(outcome, Outcome::NotSent(_));
        let fared = setbacks.fared(self.recipients.len(), is_unsent);
        for (place, fared) in (0..).zip(fared) {
            let share = match fared {
                Fared::Alone(own) => Some(own),
                Fared::WithTheOthers
                    if self.lineage.is_part() && told.binary_search(&place).is_err() =>
                {
                    None
                }
                Fared::WithTheOthers | Fared::Elsewhere => continue,
            };
            shares.push((self.recipients.position(place), share));
        }
        shares.reverse();
        shares
    }
}
