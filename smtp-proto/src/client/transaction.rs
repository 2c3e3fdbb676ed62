//! One message on its way: its envelope as it will be written, how far it has been sent, and what
//! the server said.

use alloc::{boxed::Box, vec::Vec};

use super::{
    envelope::Envelope,
    event::{MessageId, NotSent, NotSentReason, Outcome},
};
use crate::machine::{Answer, Step};
use crate::syntax::{BodyType, MailParameters, RcptParameters, Reply};

/// Names a transaction for the life of its client, in the order of sending.
pub(super) type TransactionId = u64;

/// How far a transaction has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was sent.
    #[default]
    Waiting,
    /// MAIL was sent, and so many RCPT.
    Recipients(usize),
    /// DATA was sent.
    Data,
    /// Content may be sent, or is being sent.
    Content,
    /// Some chunks were sent, not the last one.
    Chunks,
    /// DATA was accepted, but there is nobody to send to.
    LoneDot,
    /// Nothing more is to be sent.
    Over,
}

/// What the server said to MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mail {
    #[default]
    None,
    Accepted,
    Refused,
}

/// One message on its way.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) message: u64,
    /// The paths in angle brackets, the sender's first.
    paths: Vec<u8>,
    /// Where the sender's path ends, and then each recipient's.
    ends: Vec<usize>,
    pub(super) size: Option<u64>,
    pub(super) body: Option<BodyType>,
    pub(super) internationalized: bool,
    pub(super) parameters: Option<Box<MailParameters<'static>>>,
    pub(super) recipient_parameters: Vec<(usize, RcptParameters<'static>)>,
    pub(super) stage: Stage,
    pub(super) mail: Mail,
    /// How many recipients were answered.
    pub(super) answered: usize,
    /// Which recipients were accepted.
    accepted: Vec<u32>,
    /// LMTP's best verdict so far.
    verdict: Option<Reply<'static>>,
    /// How many replies are outstanding.
    pub(super) pending: usize,
    /// The refusal that decides the message: of MAIL, DATA or content.
    refusal: Option<Answer<'static>>,
    /// The first refusal of a recipient, which decides the message if all are refused.
    recipient_refusal: Option<Reply<'static>>,
    /// Why it is not going to be sent, if so.
    pub(super) not_sent: Option<NotSent>,
    /// The last byte of its end has been offered to the transport, and not been taken back.
    pub(super) in_doubt: bool,
    /// Its content has begun, and its final reply has not come.
    pub(super) content_begun: bool,
    /// How many bytes of its content were sent.
    pub(super) content_bytes: u64,
    /// Its outcome was reported.
    pub(super) finished: bool,
    /// It carries a part of its message's recipients.
    pub(super) is_part: bool,
    /// The positions of its recipients in the envelope, where these are not 0, 1, 2...
    positions: Vec<usize>,
    /// The recipients that the server may take in another transaction, in the order of the envelope.
    deferred: Vec<u32>,
    /// For how many recipients an LMTP server gave its verdict.
    pub(super) verdicts: usize,
    /// The caller has shown that it can present the content again, if it must.
    pub(super) is_presentable: bool,
    /// What to report for each recipient, and of which is the turn.
    pub(super) report: Option<(Outcome<'static>, usize)>,
}

impl Transaction {
    /// Takes over an envelope, in the memory of an earlier one.
    pub(super) fn fill(&mut self, message: MessageId, envelope: &Envelope<'_>) {
        let (mut paths, mut ends, mut accepted) = (
            core::mem::take(&mut self.paths),
            core::mem::take(&mut self.ends),
            core::mem::take(&mut self.accepted),
        );
        paths.clear();
        ends.clear();
        accepted.clear();
        envelope.sender.write_to(&mut paths);
        ends.push(paths.len());
        for recipient in envelope.recipients() {
            recipient.write_to(&mut paths);
            ends.push(paths.len());
        }
        let declared = envelope
            .parameters
            .as_ref()
            .is_some_and(|given| given.smtp_utf8);
        let internationalized = declared || !paths.is_ascii();
        *self = Self {
            message: message.0,
            paths,
            ends,
            accepted,
            size: envelope.size,
            body: envelope.body,
            internationalized,
            parameters: envelope
                .parameters
                .clone()
                .map(|given| Box::new(given.into_owned())),
            recipient_parameters: envelope
                .recipient_parameters
                .iter()
                .map(|(recipient, given)| (*recipient, given.clone().into_owned()))
                .collect(),
            is_presentable: true,
            ..Self::default()
        };
    }

    /// Takes over some recipients of another transaction of the same message.
    pub(super) fn fill_part(&mut self, other: &Self, recipients: &[usize]) {
        let (mut paths, mut ends) = (Vec::new(), Vec::new());
        paths.extend_from_slice(other.sender());
        ends.push(paths.len());
        for &recipient in recipients {
            paths.extend_from_slice(other.recipient(recipient));
            ends.push(paths.len());
        }
        let own = recipients.iter().enumerate();
        let own = own.filter_map(|(at, &from)| Some((at, other.parameters_of(from)?.clone())));
        *self = Self {
            message: other.message,
            paths,
            ends,
            size: other.size,
            body: other.body,
            internationalized: other.internationalized,
            parameters: other.parameters.clone(),
            recipient_parameters: own.collect(),
            is_part: true,
            positions: recipients
                .iter()
                .map(|&from| other.position(from))
                .collect(),
            ..Self::default()
        };
    }

    /// Keeps only so many recipients.
    pub(super) fn truncate(&mut self, recipients: usize) {
        self.ends.truncate(recipients.saturating_add(1));
        self.paths
            .truncate(self.ends.last().copied().unwrap_or_default());
        self.recipient_parameters
            .retain(|(recipient, _)| *recipient < recipients);
        self.positions.truncate(recipients);
    }

    /// Records that a recipient is to go into another transaction.
    pub(super) fn defer_recipient(&mut self, recipient: u32) {
        self.answered += 1;
        self.deferred.push(recipient);
    }

    /// Tells whether the server may yet put off some of the recipients.
    pub(super) fn may_be_deferred(&self) -> bool {
        self.pending > 0 && self.recipients() > 1 && !self.is_envelope_answered()
    }

    /// Takes the recipients that are to go into another transaction.
    pub(super) fn take_deferred(&mut self) -> Vec<usize> {
        let deferred = core::mem::take(&mut self.deferred);
        deferred.into_iter().map(|number| number as usize).collect()
    }

    /// Tells whether a recipient has, or will have, an outcome of its own in another event.
    pub(super) fn is_reported(&self, recipient: usize) -> bool {
        if recipient >= self.answered || self.mail != Mail::Accepted {
            return false;
        }
        let number = u32::try_from(recipient).unwrap_or(u32::MAX);
        match self.accepted.binary_search(&number) {
            Ok(at) => at < self.verdicts,
            // Refused, or handed on; but those that were put off and not handed on share the fate of
            // the transaction.
            Err(_) => self.deferred.binary_search(&number).is_err(),
        }
    }

    /// Returns where in the envelope a recipient stands.
    pub(super) fn position(&self, recipient: usize) -> usize {
        self.positions.get(recipient).copied().unwrap_or(recipient)
    }

    /// Records a refusal that decides the message; the first one counts.
    pub(super) fn refuse(&mut self, step: Step, reply: Reply<'_>) {
        if !self.is_refused() {
            self.refusal = Some(Answer {
                step,
                reply: reply.into_owned(),
            });
        }
    }

    /// Records the answer to MAIL.
    pub(super) fn answer_mail(&mut self, reply: Reply<'_>) {
        if reply.is_positive() {
            self.mail = Mail::Accepted;
        } else {
            self.mail = Mail::Refused;
            self.refuse(Step::Mail, reply);
        }
    }

    /// Records the answer to one RCPT.
    pub(super) fn answer_recipient(&mut self, recipient: u32, reply: &Reply<'_>) {
        self.answered += 1;
        if reply.is_positive() {
            self.accepted.push(recipient);
        } else if self.recipient_refusal.is_none() {
            self.recipient_refusal = Some(reply.clone().into_owned());
        }
    }

    /// Records LMTP's verdict for one recipient; the first positive one, or else the first one,
    /// stands for the message.
    pub(super) fn answer_content(&mut self, reply: &Reply<'_>) {
        let better = |best: &Reply<'_>| reply.is_positive() && !best.is_positive();
        if self.verdict.as_ref().is_none_or(better) {
            self.verdict = Some(reply.clone().into_owned());
        }
    }

    /// Takes what becomes of the message if the connection ends now, or if it is concluded.
    pub(super) fn take_outcome(&mut self) -> Outcome<'static> {
        if self.in_doubt {
            return Outcome::InDoubt;
        }
        match self.verdict.take() {
            Some(verdict) if verdict.is_positive() => return Outcome::Delivered(verdict),
            Some(verdict) => {
                return Outcome::Refused(Answer {
                    step: Step::Content,
                    reply: verdict,
                });
            }
            None => {}
        }
        if let Some(reason) = self.not_sent.take() {
            return Outcome::NotSent(reason);
        }
        let of_recipients = if self.is_without_recipients() {
            self.recipient_refusal.take().map(|reply| Answer {
                step: Step::Recipient,
                reply,
            })
        } else {
            None
        };
        match self.refusal.take().or(of_recipients) {
            Some(refusal) => Outcome::Refused(refusal),
            None => Outcome::NotSent(NotSentReason::ConnectionEnded.into()),
        }
    }

    /// Stops where the rest would be to no purpose: the sender was refused, or every recipient, or a
    /// chunk.
    pub(super) fn stop_if_hopeless(&mut self) {
        let hopeless = match self.stage {
            Stage::Recipients(_) | Stage::Chunks => self.is_refused(),
            _ => false,
        };
        if hopeless {
            self.stage = Stage::Over;
        }
    }

    /// Tells whether its content goes by BDAT, at whatever level (RFC 3030 3).
    pub(super) fn is_binary(&self) -> bool {
        self.body == Some(BodyType::BinaryMime)
    }

    pub(super) fn message(&self) -> MessageId {
        MessageId(self.message)
    }

    /// Returns the sender's path in angle brackets.
    pub(super) fn sender(&self) -> &[u8] {
        self.ends
            .first()
            .and_then(|&end| self.paths.get(..end))
            .unwrap_or_default()
    }

    /// Returns a recipient's path in angle brackets.
    pub(super) fn recipient(&self, index: usize) -> &[u8] {
        let path = || {
            self.paths
                .get(*self.ends.get(index)?..*self.ends.get(index.checked_add(1)?)?)
        };
        path().unwrap_or_default()
    }

    /// Returns the parameters of a recipient's own.
    pub(super) fn parameters_of(&self, index: usize) -> Option<&RcptParameters<'static>> {
        let given = &self.recipient_parameters;
        let at = given
            .binary_search_by_key(&index, |(recipient, _)| *recipient)
            .ok()?;
        given.get(at).map(|(_, parameters)| parameters)
    }

    pub(super) fn recipients(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    /// Returns which recipients were accepted, in the order of the envelope.
    pub(super) fn accepted(&self) -> &[u32] {
        &self.accepted
    }

    /// Tells whether the server has answered MAIL and every RCPT.
    pub(super) fn is_envelope_answered(&self) -> bool {
        self.mail != Mail::None && self.answered == self.recipients()
    }

    /// Tells whether the server has refused every recipient.
    pub(super) fn is_without_recipients(&self) -> bool {
        self.is_envelope_answered() && self.accepted.is_empty()
    }

    /// Tells whether the server has refused the message, by its sender, all its recipients, or its
    /// content.
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some() || self.is_without_recipients()
    }

    /// Tells whether nothing more is sent and nothing more will be read.
    pub(super) fn is_concluded(&self) -> bool {
        self.stage == Stage::Over && self.pending == 0 && !self.finished
    }
}
