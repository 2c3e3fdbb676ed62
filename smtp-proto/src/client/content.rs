//! Content: whose turn it is, how it is framed, and what ends it.

use alloc::vec::Vec;

use super::{
    commands::write_decimal,
    event::{Body, NotSentReason},
    pipeline::Expected,
    rules::{Level, Verb},
    session::{Phase, Session},
    transaction::{Stage, Transaction, TransactionId},
    wire::{OpenContent, Plan},
};
use crate::{
    framing::{BareLineBreak, DotStuffer, LineBreaks, Slices},
    machine::{Dialect, Origin},
};

impl Session {
    /// Returns the transaction whose content can be used now, and how often it was asked for.
    pub(super) fn wanted(&self) -> Option<(TransactionId, &Transaction)> {
        if self.is_over() || self.write_failed || self.abandoned {
            return None;
        }
        if let Some(id) = self.wire.content() {
            return Some((id, self.transactions.get(id)?));
        }
        if self.phase != Phase::Ready {
            return None;
        }
        let (id, transaction) = self.transactions.current()?;
        let wanted = match transaction.stage {
            Stage::Content => true,
            Stage::Chunks => transaction.is_envelope_answered(),
            // Whoever cannot present the content again must say so before anything is sent.
            Stage::Waiting if !transaction.is_presentable => true,
            Stage::Waiting | Stage::Recipients(_) => self.may_begin_chunks(transaction),
            Stage::Data | Stage::LoneDot | Stage::Over => false,
        };
        wanted.then_some((id, transaction))
    }

    /// Tells whether a content may begin by BDAT: in a stream within the window, otherwise once
    /// there is a recipient (RFC 3030 2).
    fn may_begin_chunks(&self, transaction: &Transaction) -> bool {
        if self.level == Level::Stream {
            return self.open_contents < self.config.pipelining.window();
        }
        transaction.is_binary() && transaction.is_envelope_answered()
    }

    /// Plans how much of the body presented is written, and opens and ends contents around it.
    pub(super) fn plan_content<'a>(
        &mut self,
        id: TransactionId,
        body: Option<Body<'a>>,
        control: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) {
        let again = self
            .transactions
            .get_mut(id)
            .filter(|transaction| !transaction.is_presentable);
        if let Some(transaction) = again {
            match body {
                None => {}
                Some(Body::Failed) => self.abandon(id, NotSentReason::NeedsBodyAgain),
                Some(_) => transaction.is_presentable = true,
            }
            return self.render(control);
        }
        // What is presented now changes nothing any more.
        if self.wire.is_complete() {
            self.wire.plan.whole = true;
            return;
        }
        let (bytes, last) = match body {
            None => return,
            Some(Body::Failed) => return self.abandon(id, NotSentReason::BodyFailed),
            Some(Body::Chunk(bytes)) => (bytes, false),
            Some(Body::Last(bytes)) => (bytes, true),
        };
        let planned = match self.open_content(id, bytes, last, control) {
            Ok(()) => self.plan_open(id, bytes, last, control, scratch, slices),
            Err(broken) => Err(broken),
        };
        if let Err(BareLineBreak { at, .. }) = planned {
            slices.clear();
            self.wire.plan = Plan::default();
            self.abandon(id, NotSentReason::BareLineBreak { at });
        }
    }

    /// Opens a content or a chunk, unless one is open or the time has not come.
    fn open_content(
        &mut self,
        id: TransactionId,
        bytes: &[u8],
        last: bool,
        control: &mut Vec<u8>,
    ) -> Result<(), BareLineBreak> {
        let Some(transaction) = self.transactions.get(id) else {
            return Ok(());
        };
        if self.wire.content.is_some() {
            return Ok(());
        }
        let begun = transaction.content_begun;
        let by_dot = transaction.stage == Stage::Content;
        let due = match transaction.stage {
            Stage::Content => true,
            Stage::Recipients(sent) => {
                sent == transaction.recipients() && self.may_begin_chunks(transaction)
            }
            // Only a message's first chunk may precede the replies to its recipients.
            Stage::Chunks => transaction.is_envelope_answered(),
            Stage::Waiting | Stage::Data | Stage::LoneDot | Stage::Over => false,
        };
        // An empty chunk says nothing, unless it is the last.
        let chunk = (!bytes.is_empty() || last) && self.pipeline.may_send(self.level);
        if !due || !(by_dot || chunk) {
            return Ok(());
        }
        if !begun {
            self.stuffer = match (by_dot, transaction.is_binary()) {
                (true, _) => DotStuffer::new(self.config.line_breaks),
                (false, false) => DotStuffer::plain(self.config.line_breaks),
                (false, true) => DotStuffer::plain(LineBreaks::Keep), // 3030-3-c
            };
        }
        let (mut announced, mut end) = (None, None);
        if !by_dot {
            end = self.announce_chunk(id, bytes, last, control)?;
            if end.is_none() {
                return Ok(());
            }
            announced = Some(bytes.len());
        }
        let at = self.wire.base + control.len() as u64;
        self.wire.content = Some(OpenContent {
            transaction: id,
            at,
            announced,
            is_last_chunk: !by_dot && last,
            end,
            offered: false,
        });
        if !begun {
            self.open_contents += 1;
            if let Some(transaction) = self.transactions.get_mut(id) {
                transaction.content_begun = true;
            }
        }
        Ok(())
    }

    /// Renders the BDAT command for a chunk, if it may be sent now, and returns what the machine adds
    /// to the chunk.
    fn announce_chunk(
        &mut self,
        id: TransactionId,
        bytes: &[u8],
        last: bool,
        control: &mut Vec<u8>,
    ) -> Result<Option<&'static [u8]>, BareLineBreak> {
        let end = if last {
            self.stuffer.end_after(bytes)?
        } else {
            &[]
        };
        let size = self.stuffer.measure(bytes)?.saturating_add(end.len());
        let start = control.len();
        control.extend_from_slice(b"BDAT ");
        write_decimal(size as u64, control);
        control.extend_from_slice(if last { b" LAST\r\n" } else { b"\r\n" });
        let header = control.len().saturating_sub(start);
        if !self.pipeline.has_room(self.config.duplex, header) {
            control.truncate(start);
            return Ok(None);
        }
        self.trace_from(start, control);
        let command_end = control.len().saturating_add(end.len());
        if last {
            self.expect_verdict(id, Verb::LastChunk, command_end, header);
        } else {
            self.expect(id, Verb::Chunk, command_end, header, Stage::Chunks);
        }
        Ok(Some(end))
    }

    /// Plans what is written of the content that is open.
    fn plan_open<'a>(
        &mut self,
        id: TransactionId,
        bytes: &'a [u8],
        last: bool,
        control: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<(), BareLineBreak> {
        let Some(open) = self
            .wire
            .content
            .as_ref()
            .filter(|open| open.transaction == id)
        else {
            return Ok(());
        };
        let (announced, end, offered) = (open.announced, open.end, open.offered);
        // The size, and that it is the last, were announced on the caller's word (BDT-12).
        if open.is_last_chunk && (!last || announced.is_some_and(|size| bytes.len() > size)) {
            self.abandon(id, NotSentReason::BodyFailed);
            return Ok(());
        }
        // A chunk is as long as it was announced, whatever is presented now.
        let bytes = bytes
            .get(..announced.unwrap_or(usize::MAX))
            .unwrap_or(bytes);
        let whole = announced.map_or(last, |announced| bytes.len() == announced);
        let end = match announced {
            Some(_) => end.unwrap_or_default(),
            None if last => self.stuffer.end_after(bytes)?,
            None => &[],
        };
        if offered && (!whole || open.end != Some(end)) {
            // The end was rendered on the caller's word.
            self.abandon(id, NotSentReason::BodyFailed);
            return Ok(());
        }
        let stuffed = self.stuffer.stuff(bytes, scratch, slices)?;
        let whole = whole && stuffed.chunk_bytes == bytes.len();
        self.wire.plan = Plan {
            before: 0,
            slices: slices.len(),
            wire: stuffed.wire_bytes,
            whole,
        };
        if whole && !offered {
            self.end_content(id, bytes.len(), end, control);
            self.render(control);
        }
        Ok(())
    }

    /// Renders what follows a content whose rest is being offered, and expects the verdict.
    fn end_content(
        &mut self,
        id: TransactionId,
        bytes: usize,
        end: &'static [u8],
        control: &mut Vec<u8>,
    ) {
        let Some(open) = &mut self.wire.content else {
            return;
        };
        open.offered = true;
        open.end = Some(end);
        let by_dot = open.announced.is_none();
        control.extend_from_slice(end);
        if let (Some(trace), Some(transaction)) = (&mut self.trace, self.transactions.get(id)) {
            let total = transaction.content_bytes.saturating_add(bytes as u64);
            let round_trips = self.pipeline.round_trips();
            trace.content(Origin::Local, round_trips, total);
            if by_dot {
                trace.lines(Origin::Local, round_trips, b".\r\n");
            }
        }
        if by_dot {
            self.expect_verdict(id, Verb::Content, control.len(), end.len());
        }
    }

    /// Expects the verdict on a content, or LMTP's verdicts: one for each accepted recipient.
    fn expect_verdict(&mut self, id: TransactionId, verb: Verb, len: usize, bytes: usize) {
        if self.config.dialect == Dialect::Smtp {
            return self.expect(id, verb, len, bytes, Stage::Over);
        }
        // 2033-4.2-b; 2033-4.3-a of the last chunk
        let end = self.wire.base + len as u64;
        self.wire.ends.push((id, end));
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        for &recipient in transaction.accepted() {
            let expected = Expected::session(Verb::RecipientContent, end, 0);
            self.pipeline.push(Expected {
                transaction: id,
                recipient,
                ..expected
            });
        }
        transaction.pending += transaction.accepted().len();
        transaction.stage = Stage::Over;
    }

    /// Expects the reply to a content or a chunk.
    fn expect(&mut self, id: TransactionId, verb: Verb, len: usize, bytes: usize, stage: Stage) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let end = self.wire.base + len as u64;
        if stage == Stage::Over {
            self.wire.ends.push((id, end));
        }
        self.pipeline.push(Expected {
            transaction: id,
            ..Expected::session(verb, end, bytes)
        });
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending += 1;
            transaction.stage = stage;
        }
    }

    /// Accounts for bytes of content that have left, and returns how many of the body they were.
    pub(super) fn content_sent(&mut self, planned: &[&[u8]], wire: usize) -> usize {
        let whole = self.wire.plan.whole && wire == self.wire.plan.wire;
        let consumed = self.stuffer.advance(planned, wire);
        let Some(open) = &mut self.wire.content else {
            return 0;
        };
        if let Some(announced) = &mut open.announced {
            *announced = announced.saturating_sub(consumed);
        }
        let id = open.transaction;
        if whole {
            self.wire.content = None;
        }
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.content_bytes = transaction.content_bytes.saturating_add(consumed as u64);
        }
        consumed
    }
}
