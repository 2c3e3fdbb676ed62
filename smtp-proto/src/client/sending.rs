//! What is written: commands in their order, content between them, and how much of it has left.

use alloc::vec::Vec;
use core::{mem, time::Duration};

use smallvec::SmallVec;

use super::{
    event::{Body, NotSent},
    pipeline::Expected,
    rules::{Level, Verb},
    session::{Phase, Session},
    transaction::{Stage, Transaction, TransactionId},
};
use crate::{
    framing::{BareLineBreak, DotStuffer, Progress, Slices, Transmit},
    machine::{Origin, Timer, limits},
    syntax::Extension,
};

/// The octets that a client wants written.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Commands, and the ends of contents.
    control: Vec<u8>,
    /// Content that had to be rewritten.
    scratch: Vec<u8>,
}

impl Output {
    pub(super) fn shrink(&mut self, session: &mut Session) {
        session.forget_sent(&mut self.control);
        self.control.shrink_to_fit();
        self.scratch = Vec::new();
    }
}

/// A content, or a chunk of one, that has begun and has not wholly left.
#[derive(Debug)]
struct OpenContent {
    transaction: TransactionId,
    /// Where it stands in the stream of control octets.
    at: u64,
    /// For a chunk (RFC 3030 2), how many octets of the body it announced that have not left.
    announced: Option<usize>,
    /// What the machine adds behind it, once that is known.
    end: Option<&'static [u8]>,
    /// All of it has been offered to the transport once, and what follows it was rendered.
    offered: bool,
}

/// What the last transmission was made of.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    /// Control octets before the content.
    before: usize,
    /// How many slices, and octets, of content follow.
    slices: usize,
    wire: usize,
    /// They reach to the end of the content, or of the chunk.
    whole: bool,
}

/// Positions in the stream of control octets, and the content that stands in it.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The position of the first octet in [`Output::control`].
    base: u64,
    /// How many octets of [`Output::control`] have left.
    sent: usize,
    /// Up to where they have been offered to the transport.
    offered: u64,
    content: Option<OpenContent>,
    /// The ends of messages that were rendered and have not left, as positions.
    ends: SmallVec<[(TransactionId, u64); 1]>,
    plan: Plan,
}

impl Wire {
    /// Tells whether all of a command, and of its content, has been offered to the transport.
    pub(super) fn was_offered(&self, expected: &Expected) -> bool {
        let cut = |open: &OpenContent| open.belongs_to(expected) && !open.offered;
        expected.end <= self.offered && !self.content.as_ref().is_some_and(cut)
    }

    /// Tells whether all of a command, and of its content, has left.
    pub(super) fn is_sent(&self, expected: &Expected) -> bool {
        let cut = |open: &OpenContent| open.belongs_to(expected);
        expected.end <= self.position() && !self.content.as_ref().is_some_and(cut)
    }

    /// Returns the transaction whose content is being sent.
    pub(super) fn content(&self) -> Option<TransactionId> {
        self.content.as_ref().map(|open| open.transaction)
    }

    fn position(&self) -> u64 {
        self.base + self.sent as u64
    }
}

impl OpenContent {
    /// Tells whether a reply is the one to this chunk. (Of a content that ends with a dot, the reply
    /// is expected behind the dot.)
    fn belongs_to(&self, expected: &Expected) -> bool {
        let chunk = matches!(expected.verb, Verb::Chunk | Verb::LastChunk);
        chunk && self.transaction == expected.transaction && self.at <= expected.end
    }
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Session(Verb),
    Reset,
    Mail(TransactionId),
    Recipient(TransactionId, usize),
    Data(TransactionId),
    LoneDot(TransactionId),
}

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
            // Only a message's first chunk may precede the replies to its recipients.
            Stage::Chunks => transaction.is_envelope_answered(),
            Stage::Waiting | Stage::Recipients(_) => {
                self.level == Level::Stream && self.has_window()
            }
            Stage::Data | Stage::LoneDot | Stage::Over => false,
        };
        wanted.then_some((id, transaction))
    }

    fn has_window(&self) -> bool {
        self.open_contents < self.config.pipelining.window()
    }

    pub(super) fn transmit<'a>(
        &'a mut self,
        output: &'a mut Output,
        body: Body<'a>,
        now: Duration,
    ) -> Transmit<'a> {
        let Output { control, scratch } = output;
        self.forget_sent(control);
        self.wire.plan = Plan::default();
        let mut slices = Slices::new();
        let wanted = self.wanted().map(|(id, _)| id);
        self.render(control);
        if let Some(id) = wanted {
            self.plan_content(id, body, control, scratch, &mut slices);
        }
        if self.is_over() || self.write_failed {
            return Transmit::new(Slices::new(), self);
        }
        let unsent: &'a [u8] = control.get(self.wire.sent..).unwrap_or_default();
        let before = match &self.wire.content {
            Some(open) => usize::try_from(open.at - self.wire.position()).unwrap_or(usize::MAX),
            None => unsent.len(),
        };
        let (before, after) = unsent.split_at_checked(before).unwrap_or((unsent, &[]));
        self.wire.plan.before = before.len();
        if !before.is_empty() {
            slices.insert(0, before);
        }
        if self.wire.plan.whole && !after.is_empty() {
            slices.push(after);
        }
        self.mark_offered(before.len(), after.len());
        if !slices.is_empty() && !self.write_deadline.is_running() {
            self.write_deadline
                .start(Timer::Write, self.config.timeouts.write, now);
        }
        Transmit::new(slices, self)
    }

    /// Notes what the transport is about to be offered, and which messages that puts in doubt.
    fn mark_offered(&mut self, before: usize, after: usize) {
        let wire = &mut self.wire;
        let whole = wire.plan.whole;
        let mut until = wire.position() + before as u64;
        if whole || wire.content.is_none() {
            until += after as u64;
        }
        wire.offered = wire.offered.max(until);
        let mut cut = None;
        if let Some(open) = &mut wire.content {
            open.offered |= whole;
            cut = (!whole).then_some(open.transaction);
        }
        for &(id, end) in &wire.ends {
            if end <= until
                && cut != Some(id)
                && let Some(transaction) = self.transactions.get_mut(id)
            {
                transaction.in_doubt = true;
            }
        }
    }

    /// Drops the control octets that have left.
    pub(super) fn forget_sent(&mut self, control: &mut Vec<u8>) {
        let wire = &mut self.wire;
        if wire.sent == control.len() || wire.sent > limits::RENDERED_OCTETS {
            wire.base += wire.sent as u64;
            control.drain(..wire.sent.min(control.len()));
            wire.sent = 0;
        }
    }

    /// Renders every command that may be sent now.
    fn render(&mut self, control: &mut Vec<u8>) {
        while control.len().saturating_sub(self.wire.sent) < limits::RENDERED_OCTETS
            && let Some(step) = self.next_step()
        {
            let start = control.len();
            self.write(step, control);
            let octets = control.len().saturating_sub(start);
            if !self.pipeline.has_room(self.config.duplex, octets) {
                control.truncate(start);
                return;
            }
            self.trace_from(start, control);
            self.commit(step, control.len(), octets);
        }
    }

    /// Returns what is to be sent next, if it may be sent now.
    fn next_step(&mut self) -> Option<Step> {
        let blocked = self.wire.content.as_ref().is_some_and(|open| !open.offered);
        if blocked || self.is_over() || self.write_failed || self.abandoned {
            return None;
        }
        if !self.pipeline.may_send(self.level) {
            return None;
        }
        match self.phase {
            Phase::Hello(verb) => return Some(Step::Session(verb)),
            Phase::Ready => {}
            Phase::Connected | Phase::Introduced | Phase::Leaving | Phase::Closed => return None,
        }
        let Some((id, transaction)) = self.transactions.advance() else {
            return self.quitting.then_some(Step::Session(Verb::Quit));
        };
        match transaction.stage {
            // A transaction that was not ended by a 2yz already read may have left its sender
            // behind, for whom the next message would be taken (measured with Exim).
            Stage::Waiting if self.reset_due => Some(Step::Reset),
            Stage::Waiting => Some(Step::Mail(id)),
            Stage::Recipients(sent) if sent < transaction.recipients() => {
                Some(Step::Recipient(id, sent))
            }
            Stage::Recipients(_) if self.level < Level::Stream => Some(Step::Data(id)),
            Stage::LoneDot => Some(Step::LoneDot(id)),
            Stage::Recipients(_) | Stage::Data | Stage::Content | Stage::Chunks | Stage::Over => {
                None
            }
        }
    }

    fn write(&self, step: Step, out: &mut Vec<u8>) {
        let command = |out: &mut Vec<u8>, parts: &[&[u8]]| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(b"\r\n");
        };
        let name = self.config.name.as_str().as_bytes();
        match step {
            Step::Session(Verb::Ehlo) => command(out, &[b"EHLO ", name]),
            Step::Session(Verb::Helo) => command(out, &[b"HELO ", name]),
            Step::Session(_) => command(out, &[b"QUIT"]),
            Step::Reset => command(out, &[b"RSET"]),
            Step::Mail(id) => {
                if let Some(transaction) = self.transactions.get(id) {
                    out.extend_from_slice(b"MAIL FROM:");
                    out.extend_from_slice(transaction.sender());
                    self.write_parameters(transaction, out);
                    out.extend_from_slice(b"\r\n");
                }
            }
            Step::Recipient(id, index) => {
                if let Some(transaction) = self.transactions.get(id) {
                    command(out, &[b"RCPT TO:", transaction.recipient(index)]);
                }
            }
            Step::Data(_) => command(out, &[b"DATA"]),
            Step::LoneDot(_) => command(out, &[b"."]),
        }
    }

    /// Writes the parameters of MAIL, each only where it was offered (RFC 5321 4.1.1.3).
    fn write_parameters(&self, transaction: &Transaction, out: &mut Vec<u8>) {
        if let Some(size) = transaction.size
            && self.capabilities.has(Extension::Size)
        {
            out.extend_from_slice(b" SIZE=");
            write_decimal(size, out);
        }
        if let Some(body) = transaction.body
            && self.capabilities.has(Extension::EightBitMime)
        {
            out.extend_from_slice(b" BODY=");
            out.extend_from_slice(body.as_str().as_bytes());
        }
        if transaction.internationalized {
            out.extend_from_slice(b" SMTPUTF8");
        }
    }

    /// Accounts for a step that was rendered; its reply is expected from now on.
    fn commit(&mut self, step: Step, len: usize, octets: usize) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        let end = self.wire.base + len as u64;
        let of = |transaction, verb| Expected {
            transaction,
            ..Expected::session(verb, end, octets)
        };
        let (expected, id, stage) = match step {
            Step::Session(verb) => {
                self.phase = if verb == Verb::Quit {
                    Phase::Leaving
                } else {
                    Phase::Introduced
                };
                self.pipeline.push(Expected::session(verb, end, octets));
                return;
            }
            Step::Reset => {
                self.reset_due = false;
                self.pipeline
                    .push(Expected::session(Verb::Reset, end, octets));
                return;
            }
            Step::Mail(id) => {
                self.reset_due = true;
                self.begun = id;
                (of(id, Verb::Mail), id, Stage::Recipients(0))
            }
            Step::Recipient(id, index) => {
                let expected = Expected {
                    recipient: u32::try_from(index).unwrap_or(u32::MAX),
                    ..of(id, Verb::Recipient)
                };
                (expected, id, Stage::Recipients(index + 1))
            }
            Step::Data(id) => (of(id, Verb::Data), id, Stage::Data),
            Step::LoneDot(id) => (of(id, Verb::LoneDot), id, Stage::Over),
        };
        self.pipeline.push(expected);
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending += 1;
            transaction.stage = stage;
        }
    }

    /// Plans how much of the body presented is written, and opens and ends contents around it.
    fn plan_content<'a>(
        &mut self,
        id: TransactionId,
        body: Body<'a>,
        control: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) {
        let (octets, last) = match body {
            Body::Pending => return,
            Body::Failed => return self.abandon(id, NotSent::BodyFailed),
            Body::Chunk(octets) => (octets, false),
            Body::Last(octets) => (octets, true),
        };
        let planned = match self.open_content(id, octets, last, control) {
            Ok(()) => self.plan_open(id, octets, last, control, scratch, slices),
            Err(broken) => Err(broken),
        };
        if let Err(BareLineBreak { at, .. }) = planned {
            slices.clear();
            self.wire.plan = Plan::default();
            let before = self.transactions.get(id).map_or(0, |t| t.content_octets);
            self.abandon(
                id,
                NotSent::BareLineBreak {
                    at: before.saturating_add(at as u64),
                },
            );
        }
    }

    /// Opens a content or a chunk, unless one is open or the time has not come.
    fn open_content(
        &mut self,
        id: TransactionId,
        octets: &[u8],
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
        let chunk = match transaction.stage {
            Stage::Content => false,
            Stage::Recipients(sent) => sent == transaction.recipients() && self.has_window(),
            Stage::Chunks => transaction.is_envelope_answered(),
            _ => return Ok(()),
        };
        let (mut announced, mut end) = (None, None);
        if transaction.stage == Stage::Content {
            self.stuffer = DotStuffer::new(self.config.line_breaks);
        } else {
            if !chunk || (octets.is_empty() && !last) || !self.pipeline.may_send(self.level) {
                return Ok(());
            }
            if !begun {
                self.stuffer = DotStuffer::plain(self.config.line_breaks);
            }
            end = self.announce_chunk(id, octets, last, control)?;
            if end.is_none() {
                return Ok(());
            }
            announced = Some(octets.len());
        }
        let at = self.wire.base + control.len() as u64;
        self.wire.content = Some(OpenContent {
            transaction: id,
            at,
            announced,
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
        octets: &[u8],
        last: bool,
        control: &mut Vec<u8>,
    ) -> Result<Option<&'static [u8]>, BareLineBreak> {
        let end = if last {
            self.stuffer.end_after(octets)?
        } else {
            &[]
        };
        let size = self.stuffer.measure(octets)?.saturating_add(end.len());
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
        let (verb, stage) = if last {
            (Verb::LastChunk, Stage::Over)
        } else {
            (Verb::Chunk, Stage::Chunks)
        };
        let command_end = control.len().saturating_add(end.len());
        self.expect(id, verb, command_end, header, stage);
        Ok(Some(end))
    }

    /// Plans what is written of the content that is open.
    fn plan_open<'a>(
        &mut self,
        id: TransactionId,
        octets: &'a [u8],
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
        // A chunk is as long as it was announced, whatever is presented now.
        let octets = octets
            .get(..announced.unwrap_or(usize::MAX))
            .unwrap_or(octets);
        let whole = announced.map_or(last, |announced| octets.len() == announced);
        let end = match announced {
            Some(_) => end.unwrap_or_default(),
            None if last => self.stuffer.end_after(octets)?,
            None => &[],
        };
        if offered && (!whole || open.end != Some(end)) {
            // The end was rendered on the caller's word.
            self.abandon(id, NotSent::BodyFailed);
            return Ok(());
        }
        let stuffed = self.stuffer.stuff(octets, scratch, slices)?;
        let whole = whole && stuffed.chunk_octets == octets.len();
        self.wire.plan = Plan {
            before: 0,
            slices: slices.len(),
            wire: stuffed.wire_octets,
            whole,
        };
        if whole && !offered {
            self.end_content(id, octets.len(), end, control);
            self.render(control);
        }
        Ok(())
    }

    /// Renders what follows a content whose rest is being offered, and expects the verdict.
    fn end_content(
        &mut self,
        id: TransactionId,
        octets: usize,
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
            let total = transaction.content_octets.saturating_add(octets as u64);
            let round_trips = self.pipeline.round_trips();
            trace.content(Origin::Local, round_trips, total);
            if by_dot {
                trace.lines(Origin::Local, round_trips, b".\r\n");
            }
        }
        if by_dot {
            self.expect(id, Verb::Content, control.len(), end.len(), Stage::Over);
        }
    }

    /// Expects the reply to a content or a chunk.
    fn expect(&mut self, id: TransactionId, verb: Verb, len: usize, octets: usize, stage: Stage) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        let end = self.wire.base + len as u64;
        if stage == Stage::Over {
            self.wire.ends.push((id, end));
        }
        self.pipeline.push(Expected {
            transaction: id,
            ..Expected::session(verb, end, octets)
        });
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending += 1;
            transaction.stage = stage;
        }
    }

    fn trace_from(&mut self, start: usize, control: &[u8]) {
        if let Some(trace) = &mut self.trace {
            let lines = control.get(start..).unwrap_or_default();
            trace.lines(Origin::Local, self.pipeline.round_trips(), lines);
        }
    }

    /// Accounts for octets of content that have left, and returns how many of the body they were.
    fn content_sent(&mut self, planned: &[&[u8]], wire: usize) -> usize {
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
            transaction.content_octets = transaction.content_octets.saturating_add(consumed as u64);
        }
        consumed
    }
}

impl Progress for Session {
    fn sent(&mut self, octets: usize, slices: &[&[u8]], now: Duration) -> usize {
        let plan = mem::take(&mut self.wire.plan);
        let before = octets.min(plan.before);
        let wire = (octets - before).min(plan.wire);
        let after = octets - before - wire;
        self.wire.sent += before + after;
        let mut consumed = 0;
        if before == plan.before && self.wire.content.is_some() {
            let skip = usize::from(plan.before > 0);
            let planned = slices.get(skip..skip + plan.slices).unwrap_or_default();
            self.wire.plan = plan;
            consumed = self.content_sent(planned, wire);
            self.wire.plan = Plan::default();
        }
        let position = self.wire.position();
        let open = self.wire.content();
        let transactions = &mut self.transactions;
        // A short write takes doubt back.
        self.wire.ends.retain(|&mut (id, end)| {
            let left = end <= position && open != Some(id);
            if let Some(transaction) = transactions.get_mut(id) {
                transaction.in_doubt = left;
            }
            !left
        });
        if octets > 0 {
            self.write_deadline.stop();
        }
        self.start_reply_deadline(now);
        consumed
    }
}

/// Appends a number in decimal digits.
fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}
