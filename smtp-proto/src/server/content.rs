//! Content as it comes.

use core::time::Duration;

use super::event::{Event, ResetCause, TransactionId};
use super::pipeline::Answer;
use super::replies;
use super::sequence::{Asked, Place, State};
use super::session::{Session, Step};
use super::transaction::{Receiving, Transaction};
use crate::framing::{ChunkReader, Content, LineBreaks};
use crate::machine::{Fault, Misuse, Origin};
use crate::syntax::Reply;

impl Session {
    pub(super) fn refuse_content(
        &mut self,
        transaction: TransactionId,
        reply: Reply<'_>,
    ) -> Result<(), Misuse> {
        Asked::check_refusal(&reply)?;
        if !self.can_refuse_content(transaction) {
            return Err(Misuse::UnknownMessage);
        }
        let answer = self.compose(&reply, Asked::Message);
        self.refuse_rest(answer);
        Ok(())
    }

    /// Begins to receive a chunk for the transaction.
    pub(super) fn take_chunk<'i>(&mut self, size: u64, last: bool) -> Step<'i> {
        let limit = self.config.settings().max_message_size;
        let Some(transaction) = &mut self.transaction else {
            return Step::Again;
        };
        transaction.bytes = transaction.bytes.saturating_add(size);
        let bytes = transaction.bytes;
        if bytes > ceiling(limit) {
            self.give_up();
            return Step::Again;
        }
        self.expect_chunk(size, last, None);
        if bytes > limit {
            return self.refuse_itself(&replies::TOO_LARGE, ResetCause::TooLarge);
        }
        Step::Again
    }

    /// Begins to swallow a chunk that no transaction takes.
    pub(super) fn swallow_chunk(&mut self, size: u64, last: bool, reply: &'static Reply<'static>) {
        if self.tally.swallow(size) > ceiling(self.config.settings().max_message_size) {
            self.give_up();
        } else {
            self.expect_chunk(size, last, Some(reply));
        }
    }

    /// Takes the next `size` bytes for content, exactly (3030-2-j).
    fn expect_chunk(&mut self, size: u64, last: bool, refusal: Option<&'static Reply<'static>>) {
        self.trace_content(size);
        self.patience = self.config.settings().receive_timeout;
        self.receiving = Receiving::Chunk {
            chunk: ChunkReader::new(size),
            last,
            refusal,
        };
    }

    /// Reads content up to the next event.
    pub(super) fn next_content<'i>(&mut self, input: &mut &'i [u8], now: Duration) -> Step<'i> {
        let before = input.len();
        let step = match &mut self.receiving {
            Receiving::Commands => return Step::Again,
            Receiving::Data(unstuffer) => {
                let content = unstuffer.next(input);
                let is_bare = unstuffer.bare_line_break().is_some();
                match content {
                    Some(Content::Bytes(bytes)) => self.content_bytes(bytes, bytes.len(), is_bare),
                    Some(Content::End) => self.end_of_message(now),
                    None => Step::Starved,
                }
            }
            Receiving::Chunk {
                chunk,
                last,
                refusal,
            } => {
                let presented = chunk.peek(input);
                let mut rest = presented;
                let lines = self
                    .transaction
                    .as_mut()
                    .and_then(Transaction::watched_lines);
                let (bytes, is_bare) = match lines {
                    Some(lines) => match lines.next(&mut rest) {
                        Some(Content::Bytes(bytes)) => (bytes, lines.bare_line_break().is_some()),
                        _ => (&[][..], false),
                    },
                    None => (core::mem::take(&mut rest), false),
                };
                let taken = presented.len().saturating_sub(rest.len());
                chunk.advance(taken);
                *input = input.get(taken..).unwrap_or_default();
                let (is_complete, last, refusal) = (chunk.is_complete(), *last, *refusal);
                if !bytes.is_empty() {
                    // 3030-2-j: the bytes that came were counted when they were announced.
                    self.content_bytes(bytes, bytes.len().saturating_sub(taken), is_bare)
                } else if !is_complete {
                    Step::Starved
                } else if let Some(refusal) = refusal {
                    self.receiving = Receiving::Commands;
                    if last {
                        let recipients = core::mem::take(&mut self.failed_recipients);
                        self.refuse_message(Answer::Fixed(refusal), recipients);
                    } else {
                        self.answer(Answer::Fixed(refusal), Place::Any);
                    }
                    Step::Again
                } else if last {
                    self.end_of_last_chunk(now)
                } else {
                    self.end_of_chunk()
                }
            }
        };
        self.reward(before.saturating_sub(input.len()) as u64, now);
        step
    }

    /// Handles bytes of content, of which so many were not counted before.
    fn content_bytes<'i>(&mut self, bytes: &'i [u8], uncounted: usize, is_bare: bool) -> Step<'i> {
        let settings = self.config.settings();
        let limit = settings.max_message_size;
        // Only lines that end in CR LF may come by BDAT too, but for BINARYMIME (3030-2-p).
        let is_bare = is_bare && settings.line_breaks == LineBreaks::Refuse;
        let Some(transaction) = &mut self.transaction else {
            return Step::Again;
        };
        transaction.bytes = transaction.bytes.saturating_add(uncounted as u64);
        if transaction.bytes > ceiling(limit) {
            self.give_up();
            return Step::Again;
        }
        if transaction.refusal.is_some() {
            return Step::Again;
        }
        if is_bare {
            return self.refuse_itself(&replies::BARE_LINE_BREAK, ResetCause::BareLineBreak);
        }
        if transaction.bytes > limit {
            return self.refuse_itself(&replies::TOO_LARGE, ResetCause::TooLarge);
        }
        Step::Event(Event::Content {
            transaction: transaction.id,
            bytes,
        })
    }

    /// Ends a chunk that is not the last of its message.
    fn end_of_chunk<'i>(&mut self) -> Step<'i> {
        self.receiving = Receiving::Commands;
        let is_refused = |it: &Transaction| it.refusal.is_some();
        if self.transaction.as_ref().is_some_and(is_refused) {
            // 3030-2-i: what follows of the message is refused until RSET.
            if let Some(refusal) = self.fail_transaction() {
                self.answer(refusal, Place::Any);
            }
        } else {
            self.state = State::Chunks;
            self.answer(Answer::Fixed(&replies::CHUNK_TAKEN), Place::Any);
        }
        Step::Again
    }

    /// Ends the last chunk of a message, in which a CR may stand last.
    fn end_of_last_chunk<'i>(&mut self, now: Duration) -> Step<'i> {
        let lines = self
            .transaction
            .as_mut()
            .and_then(Transaction::watched_lines);
        if let Some(lines) = lines {
            if let Some(bytes) = lines.finish() {
                return self.content_bytes(bytes, bytes.len(), true);
            }
            let is_bare = lines.bare_line_break().is_some();
            if is_bare && self.settings().line_breaks == LineBreaks::Refuse {
                return self.refuse_itself(&replies::BARE_LINE_BREAK, ResetCause::BareLineBreak);
            }
        }
        self.end_of_message(now)
    }

    /// Ends a message: only the verdict over it is left to give. The transaction is over
    /// (5321-4.1.1.4-h).
    fn end_of_message<'i>(&mut self, now: Duration) -> Step<'i> {
        let by_chunk = matches!(self.receiving, Receiving::Chunk { .. });
        self.receiving = Receiving::Commands;
        self.state = State::Ready;
        let Some(mut transaction) = self.transaction.take() else {
            return Step::Again;
        };
        if !by_chunk {
            self.trace_content(transaction.bytes);
        }
        if let Some(refusal) = transaction.refusal.take() {
            self.refuse_message(refusal, transaction.recipients);
            return Step::Again;
        }
        self.ask_for_verdict(&transaction, now)
    }

    /// Tells whether content of that transaction is coming that is not refused yet.
    pub(super) fn can_refuse_content(&self, id: TransactionId) -> bool {
        let is_coming = match &self.receiving {
            Receiving::Commands => self.state == State::Chunks,
            Receiving::Data(_) => true,
            Receiving::Chunk { refusal, .. } => refusal.is_none(),
        };
        let transaction = self.transaction.as_ref();
        is_coming && transaction.is_some_and(|it| it.id == id && it.refusal.is_none())
    }

    /// Swallows what is still to come of the content, to answer so at its end.
    pub(super) fn refuse_rest(&mut self, answer: Answer) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refusal = Some(answer);
        }
    }

    /// Refuses the content without the application.
    fn refuse_itself<'i>(&mut self, reply: &'static Reply<'static>, cause: ResetCause) -> Step<'i> {
        self.refuse_rest(Answer::Fixed(reply));
        match &self.transaction {
            Some(transaction) => Step::Event(Event::Reset {
                transaction: transaction.id,
                cause,
            }),
            None => Step::Again,
        }
    }

    /// Gives the transaction up until RSET, if there is one; returns what its content was refused
    /// with.
    pub(super) fn fail_transaction(&mut self) -> Option<Answer> {
        let transaction = self.transaction.take()?;
        self.state = State::Failed;
        self.failed_recipients = transaction.recipients;
        self.tally.pardon(self.config.settings());
        if transaction.refusal.is_none() {
            self.reset_owed = Some((transaction.id, ResetCause::ChunkFailed));
        }
        transaction.refusal
    }

    /// Forgets the transaction, if there is one, and owes the application the news.
    pub(super) fn drop_transaction(&mut self, cause: ResetCause) {
        self.failed_recipients = 0;
        let Some(transaction) = self.transaction.take() else {
            return;
        };
        if transaction.refusal.is_none() {
            self.reset_owed = Some((transaction.id, cause));
        }
    }

    fn trace_content(&mut self, bytes: u64) {
        if let Some(trace) = &mut self.trace {
            trace.content(Origin::Remote, self.round_trips, bytes);
        }
    }

    /// Closes the connection on a client that goes on sending what is refused.
    fn give_up(&mut self) {
        let answer = self.named(replies::too_much_refused);
        self.say_goodbye(answer);
        self.fail(Fault::TooMuchRefused, &[]);
    }
}

/// Returns how many bytes of a message are read before the connection is closed, given how many
/// are taken: half as many again, as Postfix does.
fn ceiling(limit: u64) -> u64 {
    limit.saturating_add(limit / 2)
}
