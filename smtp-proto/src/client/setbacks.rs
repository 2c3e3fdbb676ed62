//! What went wrong with a transaction.

use alloc::{boxed::Box, vec::Vec};

use super::event::{NotSent, NotSentReason, Outcome};
use crate::{
    machine::{Answer, Step},
    syntax::{Code, EnhancedCode, Reply},
};

/// What went wrong with a transaction. Recipients are named by their place in it, and kept in its order.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    refused: Vec<(u32, Reply<'static>)>,
    put_off: Vec<u32>,
    /// What the server said to the first of those put off; or, if there are none, to the first of those
    /// in the transaction before who were left for this one.
    put_off_by: Option<Answer<'static>>,
    /// Those who were put off are in another transaction.
    has_handed_on: bool,
    /// Those whose RCPT would be longer than the server takes, and that limit.
    left_out: Vec<(u32, usize)>,
    /// The refusal that decides the message: of MAIL, DATA or content.
    refusal: Option<Answer<'static>>,
    /// Why it is not going to be sent, if so.
    not_sent: Option<NotSent>,
}

/// How one recipient fared.
#[derive(Debug)]
pub(super) enum Fared {
    /// As the transaction did.
    WithTheOthers,
    Alone(Outcome<'static>),
    /// He is in another transaction.
    Elsewhere,
}

impl Setbacks {
    /// What a sound transaction has.
    pub(super) const NONE: &'static Self = &Self {
        refused: Vec::new(),
        put_off: Vec::new(),
        put_off_by: None,
        has_handed_on: false,
        left_out: Vec::new(),
        refusal: None,
        not_sent: None,
    };

    /// Returns those that a further transaction of the same message begins with.
    pub(super) fn of_part(&self) -> Option<Box<Self>> {
        let put_off_by = self.put_off_by.clone()?;
        Some(Box::new(Self {
            put_off_by: Some(put_off_by),
            ..Self::default()
        }))
    }

    pub(super) fn refuse_recipient(&mut self, place: u32, reply: Reply<'static>) {
        self.refused.push((place, reply));
    }

    /// Puts a recipient off, to whom the server said that it takes no more of them.
    pub(super) fn put_off(&mut self, place: u32, answer: Answer<'_>) {
        if self.put_off.is_empty() {
            self.put_off_by = Some(answer.into_owned());
        }
        self.put_off.push(place);
    }

    /// Returns those who were put off, once: they are in another transaction from now on.
    pub(super) fn hand_on(&mut self) -> &[u32] {
        match core::mem::replace(&mut self.has_handed_on, true) {
            true => &[],
            false => &self.put_off,
        }
    }

    /// Returns whether recipients were put off that are in no other transaction.
    pub(super) fn must_hand_on(&self) -> bool {
        !(self.has_handed_on || self.put_off.is_empty())
    }

    pub(super) fn leave_out(&mut self, place: u32, limit: usize) {
        self.left_out.push((place, limit));
    }

    /// Records a refusal that decides the message; the first one counts.
    pub(super) fn refuse(&mut self, answer: Answer<'_>) {
        if self.refusal.is_none() {
            self.refusal = Some(answer.into_owned());
        }
    }

    /// Records why it is not going to be sent; the first reason counts.
    pub(super) fn abandon(&mut self, reason: NotSent) {
        self.not_sent.get_or_insert(reason);
    }

    /// Takes back every refusal.
    pub(super) fn distrust(&mut self) {
        self.refused.clear();
        self.refusal = None;
    }

    /// Forgets what the server said, but not that it is given up. Returns those who are in another
    /// transaction, and stay there.
    pub(super) fn restart(&mut self) -> Vec<u32> {
        self.distrust();
        self.left_out.clear();
        let put_off = core::mem::take(&mut self.put_off);
        match core::mem::take(&mut self.has_handed_on) {
            true => put_off,
            false => Vec::new(),
        }
    }

    /// Returns whether the message was refused, recipients apart.
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Returns whether it was given up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.not_sent.is_some()
    }

    /// Returns what the first recipient who was refused was told.
    pub(super) fn first_refused(&self) -> Option<Answer<'static>> {
        let (_, reply) = self.refused.first()?;
        Some(Answer {
            step: Step::Recipient,
            reply: reply.clone(),
        })
    }

    pub(super) fn put_off_by(&self) -> Option<&Answer<'static>> {
        self.put_off_by.as_ref()
    }

    /// Returns how many recipients were left out, and the limit for the last of them.
    pub(super) fn left_out(&self) -> (usize, Option<usize>) {
        let last = self.left_out.last();
        (self.left_out.len(), last.map(|(_, limit)| *limit))
    }

    /// Returns why nobody gets what is for all or nobody, if somebody does not.
    pub(super) fn not_for_all(&self) -> Option<NotSent> {
        let reason = NotSentReason::NotForAll;
        match self.first_refused() {
            Some(answer) => Some(NotSent::answered(reason, answer)),
            None => (!self.left_out.is_empty()).then(|| reason.into()),
        }
    }

    /// Takes what decides the message, recipients apart.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome<'static>> {
        let not_sent = self.not_sent.take().map(Outcome::NotSent);
        not_sent.or_else(|| self.refusal.take().map(Outcome::Refused))
    }

    /// Returns whether some recipient fared otherwise than the others.
    pub(super) fn is_about_recipients(&self) -> bool {
        !(self.refused.is_empty() && self.put_off.is_empty() && self.left_out.is_empty())
    }

    /// Returns how each of so many recipients fared. `is_unsent` says that the others get nothing.
    pub(super) fn fared(self, count: u32, is_unsent: bool) -> impl Iterator<Item = Fared> {
        let mut refused = self.refused.into_iter().peekable();
        let mut put_off = self.put_off.into_iter().peekable();
        let mut left_out = self.left_out.into_iter().peekable();
        let not_sent = |reason: NotSentReason| Fared::Alone(Outcome::NotSent(reason.into()));
        (0..count).map(move |place| {
            if let Some((_, reply)) = refused.next_if(|(refused, _)| *refused == place) {
                let step = Step::Recipient;
                return Fared::Alone(Outcome::Refused(Answer { step, reply }));
            }
            if let Some((_, limit)) = left_out.next_if(|(left_out, _)| *left_out == place) {
                return not_sent(NotSentReason::CommandTooLong { limit });
            }
            match put_off.next_if_eq(&place) {
                Some(_) if self.has_handed_on => Fared::Elsewhere,
                // Of him nothing was sent but his address.
                Some(_) if !is_unsent => not_sent(NotSentReason::ConnectionEnded),
                _ => Fared::WithTheOthers,
            }
        })
    }
}

/// Returns whether a refusal of a recipient says that there are too many. `has_size` tells whether the
/// server knows the size of the message, of which the code may speak as well.
pub(super) fn says_too_many(reply: &Reply<'_>, has_size: impl FnOnce() -> bool) -> bool {
    let code = match reply.code() {
        Code::INSUFFICIENT_STORAGE => true,
        Code::TOO_LARGE => !has_size(),
        _ => false,
    };
    // X.5.3 is "too many recipients"; other subjects mean other troubles.
    let is_of_number = |given: EnhancedCode| (given.subject(), given.detail()) == (5, 3);
    code && reply.enhanced().is_none_or(is_of_number)
}
