//! Finds the end of each reply in what has arrived, without scanning anything twice.

use crate::{
    framing::{find_control, work},
    machine::{Fault, limits},
    syntax::{Code, Reply, ReplyLine},
};

/// Reads replies from the front of a caller's buffer.
///
/// A reply that has not wholly arrived stays there, but is not scanned again.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    /// How many bytes from the beginning of the reply have been searched for a line end.
    scanned: usize,
    /// Where the line begins that has not ended.
    line: usize,
    /// That line has a byte that must not be in one.
    is_malformed: bool,
    /// What the lines so far have said.
    code: Option<Code>,
    /// How many bytes of this reply were dropped.
    dropped: u64,
}

/// What ends a line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    CrLf,
    /// CR LF, or an LF without CR.
    BareLf,
}

/// Why a reply cannot be read, and the bytes at fault.
pub(super) type Unreadable<'i> = (Fault, &'i [u8]);

impl ReplyReader {
    /// Takes the next reply off the front of `input`, if it has wholly arrived.
    pub(super) fn next<'i>(
        &mut self,
        input: &mut &'i [u8],
        line_end: LineEnd,
    ) -> Result<Option<Reply<'i>>, Unreadable<'i>> {
        let buffer = *input;
        loop {
            let Some((text, rest)) = self.next_line(buffer, line_end) else {
                let unfinished = buffer.get(self.line..).unwrap_or_default();
                if unfinished.len() > limits::REPLY_LINE {
                    return Err((Fault::ReplyTooLong, unfinished));
                }
                return Ok(None);
            };
            let end = buffer.len().saturating_sub(rest.len());
            let line = || buffer.get(self.line..end).unwrap_or_default();
            if end.saturating_sub(self.line) > limits::REPLY_LINE {
                return Err((Fault::ReplyTooLong, line()));
            }
            let parsed = match ReplyLine::split(text) {
                // RFC 5321 4.2.1: the same code on every line.
                Ok(parsed)
                    if !self.is_malformed && self.code.is_none_or(|it| it == parsed.code) =>
                {
                    parsed
                }
                _ => return Err((Fault::MalformedReply, line())),
            };
            if parsed.is_last {
                *self = Self::default();
                *input = rest;
                let reply = buffer.get(..end).unwrap_or_default();
                return Ok(Some(Reply::from_wire(parsed.code, reply)));
            }
            self.code = Some(parsed.code);
            (self.scanned, self.line) = (end, end);
            if end > limits::REPLY {
                self.drop_lines(input)?;
                return self.next(input, line_end);
            }
        }
    }

    /// Finds the line that is next, without what ends it, and what follows. RFC 5321 2.3.8: only CR LF ends a
    /// line.
    fn next_line<'i>(
        &mut self,
        buffer: &'i [u8],
        line_end: LineEnd,
    ) -> Option<(&'i [u8], &'i [u8])> {
        loop {
            let unsearched = buffer.get(self.scanned..).unwrap_or_default();
            let Some(found) = find_control(work::search(unsearched)) else {
                self.scanned = buffer.len();
                return None;
            };
            let at = self.scanned + found;
            let rest = match unsearched.get(found..) {
                Some([b'\r', b'\n', rest @ ..]) => rest,
                Some([b'\r']) => {
                    self.scanned = at;
                    return None;
                }
                Some([b'\n', rest @ ..]) => {
                    self.is_malformed |= line_end == LineEnd::CrLf;
                    rest
                }
                from_there => {
                    let byte = from_there.and_then(<[u8]>::first);
                    self.is_malformed |= byte.is_some_and(|byte| ReplyLine::forbids(*byte));
                    self.scanned = at + 1;
                    continue;
                }
            };
            return Some((buffer.get(self.line..at).unwrap_or_default(), rest));
        }
    }

    /// Parts what has arrived into the lines of a reply that has not come to its end, and what cannot be
    /// read after them.
    pub(super) fn part<'i>(&self, input: &'i [u8]) -> (&'i [u8], &'i [u8]) {
        input.split_at_checked(self.line).unwrap_or((&[], input))
    }

    /// Returns what those lines have said.
    pub(super) fn code(&self) -> Option<Code> {
        self.code
    }

    /// Drops the lines that have ended, so that the caller's buffer has room for the rest.
    fn drop_lines<'i>(&mut self, input: &mut &'i [u8]) -> Result<(), Unreadable<'i>> {
        let (dropped, rest) = input.split_at_checked(self.line).unwrap_or((input, &[]));
        self.dropped = self.dropped.saturating_add(dropped.len() as u64);
        (self.scanned, self.line) = (0, 0);
        if self.dropped > limits::REPLY_TOTAL {
            return Err((Fault::ReplyTooLong, dropped));
        }
        *input = rest;
        Ok(())
    }
}
