//! The way to the server: what is written and what is unanswered, with the timers and the trace of
//! both.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    action::Said,
    config::Config,
    content::{Kept, Piece},
    envelope::write_decimal,
    outstanding::{Outstanding, Settled},
    replies::{LineEnd, ReplyReader, Unreadable},
    table::{Level, Verb},
    transaction::TransactionId,
    watch::{Observation, Observed, Watch, Whose},
    writer::{Broken, Buffers, Consumed, Measured, Writer},
};
use crate::{
    framing::{LineBreaks, Slices},
    machine::{Origin, Remark, Timer, Trace, TraceEntry},
    syntax::{Code, Reply},
};

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Link {
    writer: Writer,
    outstanding: Outstanding,
    replies: ReplyReader,
    is_in_handshake: bool,
    /// Since when the server has owed what it owes, if anything.
    owed_since: Duration,
    /// Since when it has not taken what is offered.
    offered_since: Option<Duration>,
    trace: Option<Box<Trace>>,
    watch: Option<Box<Watch>>,
    /// The latest time that the caller has told.
    now: Duration,
    is_at_eof: bool,
}

/// What is to be known of a transaction's content to write it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) transaction: TransactionId,
    /// It goes by DATA, and a dot ends it.
    pub(super) is_by_dot: bool,
    pub(super) is_binary: bool,
    /// Some of it was sent.
    pub(super) has_begun: bool,
    /// How many bytes its chunks have announced.
    pub(super) announced: u64,
    /// How many bytes of it have left.
    pub(super) position: u64,
    pub(super) verdicts: Verdicts<'a>,
}

/// What was opened of a content.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opened {
    /// All of it; a dot ends it.
    Whole,
    /// A chunk of so many bytes, by this verb.
    Chunk(Verb, u64),
}

/// How many replies the end of a content gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdicts<'a> {
    One,
    /// LMTP: one for each of these recipients (RFC 2033 4.2).
    Each(&'a [u32]),
}

impl Link {
    pub(super) fn new(config: &Config, now: Duration) -> Self {
        Self {
            writer: Writer::new(),
            outstanding: Outstanding::default(),
            replies: ReplyReader::default(),
            is_in_handshake: false,
            owed_since: now,
            offered_since: None,
            trace: config.trace.then(Box::default),
            watch: config.is_watched.then(Box::default),
            now,
            is_at_eof: false,
        }
    }

    // Time.

    pub(super) fn set_now(&mut self, now: Duration) {
        self.now = now;
    }

    pub(super) fn deadline(&self, config: &Config) -> Option<Duration> {
        let deadlines = self.deadlines(config).into_iter().flatten();
        deadlines.map(|(_, at)| at).min()
    }

    /// Returns the timer that has fired.
    pub(super) fn expired(&self, config: &Config) -> Option<Timer> {
        let mut deadlines = self.deadlines(config).into_iter().flatten();
        deadlines.find_map(|(timer, at)| (at <= self.now).then_some(timer))
    }

    /// Returns which timers run, for what the server owes and for what it does not take, and when they
    /// fire. They are reckoned when they are asked for: replies come more often.
    fn deadlines(&self, config: &Config) -> [Option<(Timer, Duration)>; 2] {
        let steps = self.outstanding.steps();
        let at = |timer, since: Duration| {
            let patience = config.patience(timer, steps);
            (timer, since.saturating_add(patience))
        };
        let owed = self.owed().map(|timer| at(timer, self.owed_since));
        let untaken = self.offered_since.map(|since| at(Timer::Write, since));
        [owed, untaken]
    }

    /// Returns the timer of what the server owes.
    fn owed(&self) -> Option<Timer> {
        if self.is_in_handshake {
            return Some(Timer::Handshake);
        }
        if !self.writer.has_failed() {
            return self.outstanding.timer(self.writer.left());
        }
        // A reason, or a verdict, may still be on its way, but not for ever.
        let awaited = self.outstanding.timer(self.writer.offered());
        awaited.or(match self.writer.content() {
            Some(_) => Some(Timer::Command),
            None => Some(Timer::Quit),
        })
    }

    /// Ends the wait for the transport, and begins that for the server unless it has begun.
    fn end_offer(&mut self) {
        if self.owed().is_none() {
            self.owed_since = self.now;
        }
        self.offered_since = None;
    }

    pub(super) fn begin_handshake(&mut self) {
        (self.is_in_handshake, self.owed_since) = (true, self.now);
    }

    pub(super) fn end_handshake(&mut self) {
        self.is_in_handshake = false;
    }

    // Reading.

    pub(super) fn await_greeting(&mut self) {
        self.expect(Said::by_session(Verb::Connect), 0, 0);
        self.owed_since = self.now;
    }

    pub(super) fn end_input(&mut self) {
        self.is_at_eof = true;
    }

    pub(super) fn is_at_eof(&self) -> bool {
        self.is_at_eof
    }

    /// Takes the next reply off the front of `input`, if it has wholly arrived.
    pub(super) fn next_reply<'i>(
        &mut self,
        input: &mut &'i [u8],
        config: &Config,
    ) -> Result<Option<Reply<'i>>, Unreadable<'i>> {
        let line_end = match config.bare_lf_replies {
            true => LineEnd::BareLf,
            false => LineEnd::CrLf,
        };
        self.replies.next(input, line_end)
    }

    /// Returns what is to be known of a line that cannot be read besides itself.
    pub(super) fn before_unreadable(&self) -> Remark {
        self.replies
            .code()
            .map_or_else(Remark::default, Remark::within)
    }

    /// Takes note of what has arrived and cannot be read any more.
    pub(super) fn leave_unread(&mut self, input: &[u8]) {
        let Some(trace) = self.trace.as_mut().filter(|_| !input.is_empty()) else {
            return;
        };
        let round_trips = self.outstanding.round_trips();
        let (lines, rest) = match self.outstanding.oldest() {
            // Of an exchange, only that something came.
            Some(Verb::Auth | Verb::AuthResponse) => (&b""[..], &b"..."[..]),
            _ => self.replies.part(input),
        };
        if !lines.is_empty() {
            trace.lines(Origin::Remote, round_trips, lines);
        }
        if !rest.is_empty() {
            trace.unreadable(Origin::Remote, round_trips, rest);
        }
    }

    /// Matches a reply with its command.
    pub(super) fn settle(&mut self, reply: &Reply<'_>) -> Settled {
        if let Some(trace) = &mut self.trace {
            // Of a challenge, only that it came.
            let lines: &[u8] = match reply.code() {
                Code::CHALLENGE => b"334 ...\r\n",
                _ => reply.as_bytes(),
            };
            trace.lines(Origin::Remote, self.outstanding.round_trips(), lines);
        }
        self.owed_since = self.now;
        self.outstanding.settle(reply.code(), self.writer.offered())
    }

    /// Expects the reply to a command that ends there in the stream of bytes.
    // Done for every command: to call it costs more than it does.
    #[inline(always)]
    fn expect(&mut self, said: Said, end: u64, bytes: usize) {
        self.outstanding.expect(said, end, bytes);
        if let Some(watch) = &mut self.watch {
            watch.sent(self.now);
        }
    }

    /// Forgets what is unanswered, and names each message whose end was offered, if up to there.
    pub(super) fn give_up(&mut self, offered: u64, in_doubt: impl FnMut(TransactionId)) {
        self.outstanding.give_up(offered, in_doubt);
    }

    /// Returns up to where the stream was offered to the transport.
    pub(super) fn offered(&self) -> u64 {
        self.writer.offered()
    }

    /// Returns the verb of the oldest command without a reply, offered or not.
    pub(super) fn oldest(&self) -> Option<Verb> {
        self.outstanding.oldest()
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.outstanding.round_trips()
    }

    /// Returns what is going on, as words.
    pub(super) fn state(&self) -> Option<&'static str> {
        match self.outstanding.awaited(self.writer.offered()) {
            Some(verb) => Some(verb.state()),
            None if self.writer.content().is_some() => Some("sending content"),
            None if self.outstanding.oldest().is_some() => Some("sending commands"),
            None => None,
        }
    }

    /// Returns whether anybody is to be told of what happens.
    pub(super) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// Takes note of the reply to a command, if anybody is to be told.
    pub(super) fn observe_reply(&mut self, verb: Verb, whose: Option<Whose>, reply: &Reply<'_>) {
        if let Some(watch) = &mut self.watch {
            watch.answered(verb.step(), whose, reply, self.now);
        }
    }

    /// Takes note of what happens, if anybody is to be told.
    pub(super) fn observe(&mut self, verb: Verb, whose: Option<Whose>, what: Observed) {
        if let Some(watch) = &mut self.watch {
            watch.note(verb.step(), whose, what, self.now);
        }
    }

    pub(super) fn take_observation(&mut self) -> Option<Observation> {
        self.watch.as_mut()?.take()
    }

    pub(super) fn take_trace(&mut self) -> Option<TraceEntry> {
        self.trace.as_mut()?.take()
    }

    // Writing.

    /// Returns whether anything can be written at all.
    pub(super) fn is_sound(&self) -> bool {
        self.writer.is_sound()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.writer.is_cut()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.writer.has_failed()
    }

    /// Writes no more, as a content cannot be completed.
    pub(super) fn cut(&mut self) {
        self.writer.cut();
    }

    /// Returns whether a content cannot be completed, and no reply to what has left is to come.
    pub(super) fn has_stopped(&self) -> bool {
        self.writer.is_cut() && self.outstanding.awaited(self.writer.left()).is_none()
    }

    /// Writes no more, as the transport has failed.
    pub(super) fn fail(&mut self) {
        self.end_offer();
        self.writer.fail();
    }

    /// Begins a transmission.
    pub(super) fn tidy(&mut self, buffers: &mut Buffers) {
        self.writer.tidy(buffers);
    }

    /// Returns whether commands may be rendered, of which so many bytes are.
    pub(super) fn takes_commands(&self, rendered: usize) -> bool {
        self.writer.takes_commands(rendered)
    }

    /// Returns whether a command may be sent at `level`, by what is unanswered.
    pub(super) fn may_send(&self, level: Level) -> bool {
        self.outstanding.may_send(level)
    }

    /// Returns whether the last command that is unanswered belongs to the opening of a session.
    pub(super) fn is_opening(&self) -> bool {
        self.outstanding.is_opening()
    }

    /// Adds a command that was appended to the commands at `start`, and expects its reply; unless too
    /// much is unanswered, when it is taken off again.
    // Done for every command: to call it costs more than it does.
    #[inline(always)]
    pub(super) fn say(
        &mut self,
        said: Said,
        commands: &mut Vec<u8>,
        start: usize,
        config: &Config,
    ) -> bool {
        let verb = said.verb;
        let bytes = commands.len().saturating_sub(start);
        if !self.outstanding.has_room(config.duplex, bytes) {
            commands.truncate(start);
            return false;
        }
        if let Some(trace) = &mut self.trace {
            // Of credentials, only that they were sent.
            let lines: &[u8] = match verb {
                Verb::Auth => b"AUTH ...\r\n",
                Verb::AuthResponse => b"...\r\n",
                _ => commands.get(start..).unwrap_or_default(),
            };
            trace.lines(Origin::Local, self.outstanding.round_trips(), lines);
        }
        if matches!(verb, Verb::Auth | Verb::AuthResponse) {
            self.writer.guard();
        }
        self.writer.add(bytes);
        let end = self.writer.end();
        self.expect(said, end, bytes);
        true
    }

    /// Returns the transaction whose content has begun and has not wholly left.
    pub(super) fn content(&self) -> Option<TransactionId> {
        self.writer.content()
    }

    /// Returns the same, if the caller has its bytes.
    pub(super) fn body(&self) -> Option<TransactionId> {
        self.writer.body()
    }

    /// Opens a content or a chunk of one, unless one is open or the time has not come; `level` is the
    /// policy in force, and `maximum` the size that the server takes.
    pub(super) fn open(
        &mut self,
        content: &Content<'_>,
        piece: Piece<'_>,
        level: Level,
        maximum: Option<u64>,
        commands: &mut Vec<u8>,
        config: &Config,
    ) -> Result<Option<Opened>, Broken> {
        if self.content().is_some() {
            return Ok(None);
        }
        if !content.has_begun {
            let line_breaks = match content.is_binary {
                true => LineBreaks::Keep, // 3030-3-c
                false => config.line_breaks_of_text(),
            };
            self.writer.begin(line_breaks, !content.is_by_dot);
        }
        if content.is_by_dot {
            self.writer.open_content(content.transaction);
            return Ok(Some(Opened::Whole));
        }
        // An empty chunk says nothing, unless it is the last.
        let has_purpose = !piece.bytes.is_empty() || piece.is_last;
        if !has_purpose || !self.may_send(level) {
            return Ok(None);
        }
        // Where the server says no size each chunk's reply is awaited, which shows whether it had too
        // much.
        if maximum.is_none() && self.oldest().is_some() {
            return Ok(None);
        }
        let last = piece.is_last.then_some(content.verdicts);
        let measured = self.writer.measure(piece)?;
        let size = measured.size() as u64;
        // Servers take what is left of a chunk beyond their size for commands.
        if let Some(maximum) = maximum
            && content.announced.saturating_add(size) > maximum
        {
            return Err(Broken::TooLarge(maximum));
        }
        let is_open = self.open_chunk(content.transaction, measured, last, commands, config);
        let verb = match last {
            Some(_) => Verb::LastChunk,
            None => Verb::Chunk,
        };
        Ok(is_open.then_some(Opened::Chunk(verb, size)))
    }

    /// Announces a chunk and opens it, unless too much is unanswered.
    fn open_chunk(
        &mut self,
        transaction: TransactionId,
        measured: Measured,
        last: Option<Verdicts<'_>>,
        commands: &mut Vec<u8>,
        config: &Config,
    ) -> bool {
        let start = commands.len();
        commands.extend_from_slice(b"BDAT ");
        write_decimal(measured.size() as u64, commands);
        commands.extend_from_slice(match last {
            Some(_) => b" LAST\r\n",
            None => b"\r\n",
        });
        let bytes = commands.len().saturating_sub(start);
        // Several verdicts follow it in LMTP alone, where nothing else is unanswered then.
        if !self.outstanding.has_room(config.duplex, bytes) {
            commands.truncate(start);
            return false;
        }
        if let Some(trace) = &mut self.trace {
            let line = commands.get(start..).unwrap_or_default();
            trace.lines(Origin::Local, self.outstanding.round_trips(), line);
        }
        self.writer.add(bytes);
        let (end, tail) = self.writer.open_chunk(transaction, measured);
        commands.extend_from_slice(tail);
        self.writer.add(tail.len());
        match last {
            Some(verdicts) => {
                self.expect_verdicts(Verb::LastChunk, transaction, verdicts, end, bytes);
            }
            None => {
                let said = Said::of(Verb::Chunk, transaction, 0);
                self.expect(said, end, bytes);
            }
        }
        true
    }

    /// Plans how much of a body is written of a content, if it is open. Returns whether this has
    /// reached its end for the first time: what follows it may be rendered, and its verdicts are
    /// expected, if a dot ends it.
    pub(super) fn write_content<'a>(
        &mut self,
        content: &Content<'_>,
        piece: Piece<'a>,
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<bool, Broken> {
        if self.content() != Some(content.transaction) {
            return Ok(false);
        }
        let Some(end) = self.writer.plan(piece, scratch, slices)? else {
            return Ok(false);
        };
        commands.extend_from_slice(end);
        self.writer.add(end.len());
        let written = content.position.saturating_add(piece.bytes.len() as u64);
        self.trace_content(content, written);
        if content.is_by_dot {
            let Content {
                transaction,
                verdicts,
                ..
            } = *content;
            let at = self.writer.end();
            self.expect_verdicts(Verb::Content, transaction, verdicts, at, end.len());
        }
        Ok(true)
    }

    /// Writes a whole content that was kept, and expects its verdicts. Returns memory that is free.
    pub(super) fn write_kept(
        &mut self,
        content: &Content<'_>,
        kept: Kept,
        commands: &mut Vec<u8>,
    ) -> Vec<u8> {
        let Content {
            transaction,
            verdicts,
            ..
        } = *content;
        let Kept { mut bytes, end } = kept;
        let length = bytes.len();
        match commands.is_empty() {
            true => core::mem::swap(commands, &mut bytes),
            false => commands.extend_from_slice(&bytes),
        }
        self.writer.add_kept(transaction, length);
        self.trace_content(content, length.saturating_sub(end) as u64);
        let at = self.writer.end();
        self.expect_verdicts(Verb::Content, transaction, verdicts, at, end);
        bytes
    }

    /// Takes note of how many bytes of a content are written by now, and of the dot that ends it.
    fn trace_content(&mut self, content: &Content<'_>, bytes: u64) {
        if let Some(trace) = &mut self.trace {
            let round_trips = self.outstanding.round_trips();
            trace.content(Origin::Local, round_trips, bytes);
            if content.is_by_dot {
                trace.lines(Origin::Local, round_trips, b".\r\n");
            }
        }
    }

    /// Expects the verdicts on a content: 2033-4.2-b; 2033-4.3-a of the last chunk.
    fn expect_verdicts(
        &mut self,
        verb: Verb,
        transaction: TransactionId,
        verdicts: Verdicts<'_>,
        end: u64,
        bytes: usize,
    ) {
        let Verdicts::Each(recipients) = verdicts else {
            let said = Said::of(verb, transaction, 0);
            return self.expect(said, end, bytes);
        };
        let mut bytes = bytes;
        for &recipient in recipients {
            let bytes = core::mem::take(&mut bytes);
            let said = Said::of(Verb::RecipientContent, transaction, recipient);
            self.expect(said, end, bytes);
        }
    }

    /// Lays out what is offered to the transport, and starts its timer.
    pub(super) fn offer<'a>(&mut self, commands: &'a [u8], slices: &mut Slices<'a>) {
        self.writer.offer(commands, slices);
        self.offered_since = match slices.is_empty() {
            true => None,
            false => self.offered_since.or(Some(self.now)),
        };
    }

    /// Offers nothing.
    pub(super) fn withhold(&mut self) {
        self.offered_since = None;
    }

    /// Accounts for bytes that have left.
    pub(super) fn wrote(&mut self, bytes: usize, slices: &[&[u8]]) -> Option<Consumed> {
        self.end_offer();
        self.writer.wrote(bytes, slices)
    }

    /// Takes back what was offered.
    pub(super) fn blocked(&mut self) {
        self.writer.blocked();
    }

    pub(super) fn shrink(&mut self, buffers: &mut Buffers) {
        self.writer.shrink(buffers);
        self.outstanding.shrink();
    }
}
