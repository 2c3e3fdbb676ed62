//! The transaction under way: what was settled for it, and its content as it comes.

use super::event::{Reason, TransactionId};
use super::offer::Terms;
use super::table::Waits;
use super::tickets::Answer;
use crate::framing::{ChunkReader, Content, DotUnstuffer, LineBreaks};
use crate::machine::limits;

/// Takes content apart, and keeps the transaction that it is for.
#[derive(Debug)]
pub(super) struct Intake {
    coming: Coming,
    /// The transaction under way; also one whose MAIL has no verdict yet.
    transaction: Option<Transaction>,
    next_transaction: TransactionId,
    /// How many recipients of the transaction that failed last wait for their verdicts.
    failed_recipients: usize,
    /// The transaction that came to nothing, until the application is told, and why.
    ended: Option<(TransactionId, Reason)>,
}

/// What the next bytes are.
#[derive(Debug)]
enum Coming {
    Commands,
    /// Content that a line of one dot ends.
    Data(DotUnstuffer),
    /// Content of a counted length.
    Chunk {
        chunk: ChunkReader,
        last: bool,
        /// Why no transaction takes it.
        swallowed: Option<Reason>,
    },
}

/// A transaction from its MAIL to the end of its content.
#[derive(Debug)]
struct Transaction {
    id: TransactionId,
    terms: Terms,
    line_breaks: LineBreaks,
    /// Whether MAIL has no verdict yet.
    sender_open: bool,
    /// How many RCPTs came, how many of them have no verdict yet, and how many were accepted.
    recipients_named: usize,
    recipients_open: usize,
    recipients: usize,
    /// How many bytes of content came or were announced, refused ones too.
    bytes: u64,
    /// What is still to come of the content is swallowed if it is refused.
    refusal: Option<Refusal>,
    /// Watches the line breaks of content that comes in chunks.
    chunk_lines: DotUnstuffer,
}

/// What a content is answered that is refused before its end.
#[derive(Debug)]
pub(super) enum Refusal {
    Machine(Reason),
    Application(Answer),
}

/// What came of a content.
#[derive(Debug)]
pub(super) enum Portion<'i> {
    /// Nothing that can be taken.
    None,
    /// What nobody is told of.
    Swallowed,
    Bytes {
        transaction: TransactionId,
        bytes: &'i [u8],
    },
    /// What makes the machine refuse the rest.
    Refused {
        transaction: TransactionId,
        reason: Reason,
    },
    /// More than is put up with.
    Excess,
    /// The end of a chunk with more to come.
    Chunk,
    /// That of such a chunk, of a content that is refused.
    RefusedChunk,
    /// That of a chunk that no transaction takes; for the last one of a message, with the number of
    /// recipients that wait for their verdicts.
    StrayChunk {
        reason: Reason,
        recipients: Option<usize>,
    },
    /// That of a message.
    Message(Message),
    /// That of a message that is refused.
    RefusedMessage { message: Message, refusal: Refusal },
}

/// A message that came to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) transaction: TransactionId,
    /// How many bytes of content there were.
    pub(super) bytes: u64,
    /// How many accepted recipients there are.
    pub(super) recipients: usize,
}

/// Whether a transaction takes another recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// It has as many as it may.
    Full,
    /// And the client has been told so too often.
    Overrun,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self {
            coming: Coming::Commands,
            transaction: None,
            next_transaction: TransactionId::FIRST,
            failed_recipients: 0,
            ended: None,
        }
    }

    /// Begins a transaction, whose MAIL has no verdict yet.
    pub(super) fn begin(&mut self, terms: Terms, line_breaks: LineBreaks) -> TransactionId {
        let id = self.next_transaction;
        self.next_transaction = id.next();
        self.transaction = Some(Transaction {
            id,
            terms,
            line_breaks,
            sender_open: true,
            recipients_named: 0,
            recipients_open: 0,
            recipients: 0,
            bytes: 0,
            refusal: None,
            chunk_lines: DotUnstuffer::plain(line_breaks),
        });
        id
    }

    /// Returns the transaction under way.
    pub(super) fn transaction(&self) -> Option<TransactionId> {
        Some(self.transaction.as_ref()?.id)
    }

    /// Returns what MAIL settled for the transaction under way.
    pub(super) fn terms(&self) -> Option<Terms> {
        Some(self.transaction.as_ref()?.terms)
    }

    /// Takes the verdict over MAIL; returns whether it is that of the transaction under way.
    pub(super) fn sender_decided(&mut self, id: TransactionId, is_positive: bool) -> bool {
        let Some(transaction) = self.current(id) else {
            return false;
        };
        transaction.sender_open = false;
        if !is_positive {
            self.transaction = None;
        }
        true
    }

    /// Takes note of a RCPT; returns whether the transaction takes another recipient. If so, its
    /// verdict is awaited.
    pub(super) fn recipient_came(&mut self, most: usize) -> Room {
        let Some(transaction) = &mut self.transaction else {
            return Room::Full;
        };
        transaction.recipients_named = transaction.recipients_named.saturating_add(1);
        if transaction.recipients_named > most.saturating_add(limits::RECIPIENT_OVERSHOOT) {
            return Room::Overrun;
        }
        if transaction.is_full(most) {
            return Room::Full;
        }
        transaction.recipients_open = transaction.recipients_open.saturating_add(1);
        Room::Free
    }

    /// Takes the verdict over RCPT; returns whether it is one of the transaction under way.
    pub(super) fn recipient_decided(&mut self, id: TransactionId, is_positive: bool) -> bool {
        let Some(transaction) = self.current(id) else {
            return false;
        };
        transaction.recipients_open = transaction.recipients_open.saturating_sub(1);
        if is_positive {
            transaction.recipients = transaction.recipients.saturating_add(1);
        }
        true
    }

    /// Returns whether any RCPT came for the transaction under way.
    pub(super) fn names_recipients(&self) -> bool {
        let transaction = self.transaction.as_ref();
        transaction.is_some_and(|it| it.recipients_named > 0)
    }

    /// Returns whether the verdicts are in that are waited for, as far as they are the transaction's.
    pub(super) fn is_clear(&self, waits: Waits, max_recipients: usize) -> bool {
        let Some(transaction) = &self.transaction else {
            return true;
        };
        let envelope_is_clear = !transaction.sender_open && transaction.recipients_open == 0;
        match waits {
            Waits::Nothing | Waits::Everything => true,
            // Whether it is one too many depends on those before it that are undecided.
            Waits::Room if transaction.is_full(max_recipients) => envelope_is_clear,
            Waits::Sender | Waits::Room => !transaction.sender_open,
            Waits::Envelope => envelope_is_clear,
        }
    }

    /// Forgets the transaction, and owes the application the news unless it knows by a refusal that
    /// this comes to nothing.
    pub(super) fn abandon(&mut self, reason: Reason) {
        self.failed_recipients = 0;
        if let Some(transaction) = self.transaction.take()
            && transaction.refusal.is_none()
        {
            self.ended = Some((transaction.id, reason));
        }
    }

    /// Forgets the transaction likewise, but for the recipients whose verdicts LMTP still asks for.
    /// Returns what its content was refused with.
    pub(super) fn fail(&mut self) -> Option<Refusal> {
        let transaction = self.transaction.take()?;
        self.failed_recipients = transaction.recipients;
        if transaction.refusal.is_none() {
            self.ended = Some((transaction.id, Reason::ChunkFailed));
        }
        transaction.refusal
    }

    /// Takes the news of a transaction that came to nothing.
    pub(super) fn take_ended(&mut self) -> Option<(TransactionId, Reason)> {
        self.ended.take()
    }

    /// Returns whether commands come, and not content.
    pub(super) fn is_at_command(&self) -> bool {
        matches!(self.coming, Coming::Commands)
    }

    /// Returns whether the bytes of a chunk come.
    pub(super) fn is_in_chunk(&self) -> bool {
        matches!(self.coming, Coming::Chunk { .. })
    }

    /// Takes what comes next for the content of the transaction, by DATA.
    pub(super) fn begin_data(&mut self) {
        if let Some(transaction) = &self.transaction {
            self.coming = Coming::Data(DotUnstuffer::new(transaction.line_breaks));
        }
    }

    /// Takes the next `size` bytes for content of the transaction, exactly (3030-2-j).
    pub(super) fn begin_chunk<'i>(&mut self, size: u64, last: bool) -> Portion<'i> {
        let Some(transaction) = &mut self.transaction else {
            return Portion::Swallowed;
        };
        self.coming = Coming::Chunk {
            chunk: ChunkReader::new(size),
            last,
            swallowed: None,
        };
        // Before any of it comes: what is too large in the end is not handed out.
        transaction.count(size)
    }

    /// Takes the next `size` bytes for a chunk that no transaction takes.
    pub(super) fn begin_stray_chunk(&mut self, size: u64, last: bool, reason: Reason) {
        self.coming = Coming::Chunk {
            chunk: ChunkReader::new(size),
            last,
            swallowed: Some(reason),
        };
    }

    /// Returns whether content of that transaction is coming that is not refused yet.
    pub(super) fn can_refuse(&self, id: TransactionId, is_between_chunks: bool) -> bool {
        let is_coming = match &self.coming {
            Coming::Commands => is_between_chunks,
            Coming::Data(_) => true,
            Coming::Chunk { swallowed, .. } => swallowed.is_none(),
        };
        let transaction = self.transaction.as_ref();
        is_coming && transaction.is_some_and(|it| it.id == id && it.refusal.is_none())
    }

    /// Swallows what is still to come of the content, to answer so at its end.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refusal = Some(refusal);
        }
    }

    /// Reads content up to the next thing that is to be told of it.
    pub(super) fn next_content<'i>(&mut self, input: &mut &'i [u8]) -> Portion<'i> {
        match &mut self.coming {
            Coming::Commands => Portion::Swallowed,
            Coming::Data(unstuffer) => {
                let content = unstuffer.next(input);
                let is_bare = unstuffer.bare_line_break().is_some();
                match (content, &mut self.transaction) {
                    (Some(Content::Bytes(bytes)), Some(transaction)) => {
                        transaction.take(bytes, bytes.len(), is_bare)
                    }
                    (Some(Content::Bytes(_)), None) => Portion::Swallowed,
                    (Some(Content::End), _) => self.end_message(),
                    (None, _) => Portion::None,
                }
            }
            Coming::Chunk { .. } => self.next_of_chunk(input),
        }
    }

    fn next_of_chunk<'i>(&mut self, input: &mut &'i [u8]) -> Portion<'i> {
        let Coming::Chunk { chunk, .. } = &mut self.coming else {
            return Portion::Swallowed;
        };
        let presented = chunk.peek(input);
        let mut rest = presented;
        let (bytes, is_bare) = match self.transaction.as_mut().and_then(Transaction::lines) {
            None => (core::mem::take(&mut rest), false),
            // A CR that stands last is kept until it is known what follows, in the next chunk maybe.
            Some(lines) => match lines.next(&mut rest) {
                Some(Content::Bytes(bytes)) => (bytes, lines.bare_line_break().is_some()),
                Some(Content::End) | None => (&[][..], false),
            },
        };
        // Nothing but this moves the input: to the byte where the chunk ends, whatever stands in it, and
        // whether it is taken or swallowed (3030-2-j). One byte off, and content is read as commands.
        let taken = presented.len().saturating_sub(rest.len());
        chunk.advance(taken);
        *input = input.get(taken..).unwrap_or_default();
        let is_complete = chunk.is_complete();
        match &mut self.transaction {
            _ if bytes.is_empty() && is_complete => self.end_chunk(),
            _ if bytes.is_empty() => Portion::None,
            // What came was counted when it was announced, what normalising adds was not.
            Some(transaction) => {
                transaction.take(bytes, bytes.len().saturating_sub(taken), is_bare)
            }
            None => Portion::Swallowed,
        }
    }

    fn end_chunk<'i>(&mut self) -> Portion<'i> {
        let Coming::Chunk {
            last, swallowed, ..
        } = self.coming
        else {
            return Portion::Swallowed;
        };
        if let Some(reason) = swallowed {
            self.coming = Coming::Commands;
            // LMTP's replies are one a recipient that was accepted, though its transaction is gone
            // (2033-4.3-b, X-22); they are given once.
            let recipients = last.then(|| core::mem::take(&mut self.failed_recipients));
            return Portion::StrayChunk { reason, recipients };
        }
        if last {
            // The CR that was kept is the last byte, and so a bare one.
            return match self.transaction.as_mut().and_then(Transaction::finish) {
                Some(portion) => portion,
                None => self.end_message(),
            };
        }
        self.coming = Coming::Commands;
        match &self.transaction {
            Some(transaction) if transaction.refusal.is_some() => Portion::RefusedChunk,
            _ => Portion::Chunk,
        }
    }

    /// Ends a message, and with it the transaction (5321-4.1.1.4-h).
    fn end_message<'i>(&mut self) -> Portion<'i> {
        self.coming = Coming::Commands;
        let Some(transaction) = self.transaction.take() else {
            return Portion::Swallowed;
        };
        let message = Message {
            transaction: transaction.id,
            bytes: transaction.bytes,
            recipients: transaction.recipients,
        };
        match transaction.refusal {
            Some(refusal) => Portion::RefusedMessage { message, refusal },
            None => Portion::Message(message),
        }
    }

    fn current(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.transaction.as_mut().filter(|it| it.id == id)
    }
}

impl Transaction {
    /// Returns whether there is room for another recipient only if some are refused.
    fn is_full(&self, most: usize) -> bool {
        self.recipients.saturating_add(self.recipients_open) >= most
    }

    /// Returns what watches the line breaks of chunks, unless their content is not lines (RFC 3030 3)
    /// or refused.
    fn lines(&mut self) -> Option<&mut DotUnstuffer> {
        let is_watched = !self.terms.binary && self.refusal.is_none();
        is_watched.then_some(&mut self.chunk_lines)
    }

    /// Counts bytes that came or were announced.
    fn count<'i>(&mut self, bytes: u64) -> Portion<'i> {
        let limit = self.terms.max_message_size;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > ceiling(limit) {
            Portion::Excess
        } else if self.bytes > limit && self.refusal.is_none() {
            self.refuse(Reason::TooLarge)
        } else {
            Portion::Swallowed
        }
    }

    /// Takes bytes of content, of which so many were not counted before.
    fn take<'i>(&mut self, bytes: &'i [u8], uncounted: usize, is_bare: bool) -> Portion<'i> {
        // Only lines that end in CR LF may come by BDAT too, but for BINARYMIME (3030-2-p).
        let is_bare = is_bare && self.line_breaks == LineBreaks::Refuse;
        if is_bare && self.refusal.is_none() {
            let counted = self.count(uncounted as u64);
            return match counted {
                Portion::Excess => counted,
                _ => self.refuse(Reason::BareLineBreak),
            };
        }
        match self.count(uncounted as u64) {
            Portion::Swallowed if self.refusal.is_none() => Portion::Bytes {
                transaction: self.id,
                bytes,
            },
            other => other,
        }
    }

    /// Ends content in chunks; returns what is still to be told of it.
    fn finish<'i>(&mut self) -> Option<Portion<'i>> {
        let lines = self.lines()?;
        if let Some(bytes) = lines.finish() {
            return Some(self.take(bytes, bytes.len(), true));
        }
        let is_bare = lines.bare_line_break().is_some();
        (is_bare && self.line_breaks == LineBreaks::Refuse)
            .then(|| self.refuse(Reason::BareLineBreak))
    }

    fn refuse<'i>(&mut self, reason: Reason) -> Portion<'i> {
        self.refusal = Some(Refusal::Machine(reason));
        Portion::Refused {
            transaction: self.id,
            reason,
        }
    }
}

/// Returns how many bytes of a message are read before the connection is closed, given how many
/// are taken: half as many again, as Postfix does.
pub(super) fn ceiling(limit: u64) -> u64 {
    limit.saturating_add(limit / 2)
}
