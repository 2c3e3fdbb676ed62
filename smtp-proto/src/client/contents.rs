//! The contents of messages: what is presented of them, what is kept, and what may be written when.

use alloc::vec::Vec;

use super::{
    content::{Kept, Piece, Presented},
    event::{Body, NotSent, NotSentReason},
    ledger::Ledger,
    link::{Content, Opened, Verdicts},
    schedule::Schedule,
    table::{Stage, Verb},
    terms::Terms,
    transaction::{Transaction, TransactionId},
    writer::Consumed,
};
use crate::{
    framing::{DotStuffer, Inspection, LineBreaks},
    machine::{Dialect, limits},
};

/// The contents of all messages. It lasts for one step, and owns nothing.
pub(super) struct Contents<'m> {
    schedule: &'m mut Schedule,
    ledger: &'m mut Ledger,
    /// The memory of a content that was kept.
    spare: &'m mut Vec<u8>,
}

impl<'m> Contents<'m> {
    pub(super) fn new(
        schedule: &'m mut Schedule,
        ledger: &'m mut Ledger,
        spare: &'m mut Vec<u8>,
    ) -> Self {
        Self {
            schedule,
            ledger,
            spare,
        }
    }

    /// Looks at what is presented before anything of its message is sent, or little. Returns it, or why the
    /// message cannot be sent. A small content that goes by DATA is kept, as it was looked at: what
    /// is presented once the server wants it would have to be searched again.
    pub(super) fn look<'a>(
        &mut self,
        id: TransactionId,
        body: Option<Body<'a>>,
        terms: Terms<'_>,
    ) -> Result<Option<Presented<'a>>, NotSent> {
        let Some(transaction) = self.schedule.get_mut(id) else {
            return Ok(None);
        };
        let Some(body) = body else {
            transaction.content_mut().asked();
            return Ok(None);
        };
        if !transaction.may_be_looked_at() {
            let is_plain = false;
            return Ok(Some(Presented { body, is_plain }));
        }
        transaction.content_mut().looked_at();
        let is_plain = match body {
            Body::Chunk(_) => false,
            Body::Failed(_) if transaction.content().is_needed_again() => {
                return Err(NotSentReason::NeedsBodyAgain.into());
            }
            Body::Failed(why) => return Err(NotSent::without_body(why)),
            Body::Last(content) => {
                let seen = Inspection::of(content);
                if let Some(envelope) = self.ledger.envelope_mut(transaction.message()) {
                    envelope.fit_content(&seen, terms.offered, terms.config)?;
                }
                if seen.is_plain() {
                    self.keep(id, content);
                }
                seen.is_plain()
            }
        };
        Ok(Some(Presented { body, is_plain }))
    }

    /// Keeps a content that goes over the wire as it is, if it is small, and goes by DATA.
    fn keep(&mut self, id: TransactionId, content: &[u8]) {
        let goes_by_data = |it: &Transaction| !self.schedule.goes_by_chunks(it);
        let is_small = content.len() <= limits::KEPT_CONTENT;
        if !is_small || !self.schedule.get(id).is_some_and(goes_by_data) {
            return;
        }
        let Ok(end) = DotStuffer::new(LineBreaks::Refuse).end_after(content) else {
            return;
        };
        if let Some(transaction) = self.schedule.get_mut(id) {
            let mut bytes = core::mem::take(self.spare);
            bytes.extend_from_slice(content);
            bytes.extend_from_slice(end);
            let end = end.len();
            transaction.content_mut().keep(Kept { bytes, end });
        }
    }

    /// Takes the content that was kept and is to be sent now.
    pub(super) fn take_kept(&mut self) -> Option<(TransactionId, Kept)> {
        let id = self.schedule.kept()?;
        let kept = self.schedule.get_mut(id)?.content_mut().take_kept()?;
        Some((id, kept))
    }

    /// Takes the memory of a content that was written.
    pub(super) fn recycle(&mut self, mut memory: Vec<u8>) {
        memory.clear();
        *self.spare = memory;
    }

    /// Takes what is presented of a content. Returns what may be written of it.
    pub(super) fn present<'a>(
        &mut self,
        id: TransactionId,
        presented: Presented<'a>,
    ) -> Result<Option<Piece<'a>>, NotSent> {
        let transaction = self.schedule.get_mut(id);
        transaction.map_or(Ok(None), |transaction| {
            transaction.content_mut().present(presented)
        })
    }

    /// Returns a transaction's content if it, or a chunk of it, may be opened as far as its own commands
    /// go.
    pub(super) fn unopened(&self, id: TransactionId, dialect: Dialect) -> Option<Content<'_>> {
        let transaction = self.schedule.get(id)?;
        self.schedule
            .may_open_content(transaction)
            .then(|| content_of(id, transaction, dialect))
    }

    /// Returns a transaction's content.
    pub(super) fn content(&self, id: TransactionId, dialect: Dialect) -> Option<Content<'_>> {
        Some(content_of(id, self.schedule.get(id)?, dialect))
    }

    /// Accounts for a content, or a chunk of one, that was opened.
    pub(super) fn opened(&mut self, id: TransactionId, opened: Opened, dialect: Dialect) {
        let transaction = self.schedule.get_mut(id);
        if let (Opened::Chunk(verb, size), Some(transaction)) = (opened, transaction) {
            transaction.content_mut().announce(size);
            transaction.sent_content(verb, dialect);
        }
        self.schedule.begin_content(id);
    }

    /// Accounts for a chunk, or the end of a content, whose replies are expected.
    pub(super) fn sent_content(&mut self, id: TransactionId, verb: Verb, dialect: Dialect) {
        if let Some(transaction) = self.schedule.get_mut(id) {
            transaction.sent_content(verb, dialect);
        }
    }

    /// Accounts for bytes of a content that have left.
    pub(super) fn consumed(&mut self, consumed: Consumed) {
        if let Some(transaction) = self.schedule.get_mut(consumed.transaction) {
            transaction.content_mut().consumed(consumed.bytes);
        }
    }
}

/// Returns what is to be known of a transaction's content to write it.
fn content_of(id: TransactionId, transaction: &Transaction, dialect: Dialect) -> Content<'_> {
    let content = transaction.content();
    Content {
        transaction: id,
        is_by_dot: transaction.stage() == Stage::Content,
        is_binary: content.is_binary(),
        has_begun: content.has_begun(),
        announced: content.announced(),
        position: content.position(),
        verdicts: match dialect {
            Dialect::Smtp => Verdicts::One,
            Dialect::Lmtp => Verdicts::Each(transaction.accepted()),
        },
    }
}
