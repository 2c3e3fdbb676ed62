//! Finds the end of each reply in what has arrived, without scanning anything twice.

use memchr::memchr;

use crate::{
    framing::work,
    machine::{Fault, limits},
    syntax::{Code, Reply, parse_reply_line},
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
            let Some(found) = memchr(
                b'\n',
                work::search(buffer.get(self.scanned..).unwrap_or_default()),
            ) else {
                self.scanned = buffer.len();
                let unfinished = buffer.get(self.line..).unwrap_or_default();
                if unfinished.len() > limits::REPLY_LINE {
                    return Err((Fault::ReplyTooLong, unfinished));
                }
                return Ok(None);
            };
            let end = self.scanned + found + 1;
            let line = buffer.get(self.line..end).unwrap_or_default();
            if line.len() > limits::REPLY_LINE {
                return Err((Fault::ReplyTooLong, line));
            }
            // RFC 5321 2.3.8: only CR LF ends a line.
            let text = match (line.strip_suffix(b"\r\n"), line_end) {
                (Some(text), _) => text,
                (None, LineEnd::BareLf) => line.strip_suffix(b"\n").unwrap_or(line),
                (None, LineEnd::CrLf) => return Err((Fault::MalformedReply, line)),
            };
            let parsed = parse_reply_line(text).map_err(|_| (Fault::MalformedReply, line))?;
            // RFC 5321 4.2.1: the same code on every line.
            if self.code.is_some_and(|code| code != parsed.code) {
                return Err((Fault::MalformedReply, line));
            }
            self.code = Some(parsed.code);
            self.scanned = end;
            self.line = end;
            if parsed.is_last {
                *self = Self::default();
                let (reply, rest) = buffer.split_at_checked(end).unwrap_or((buffer, &[]));
                *input = rest;
                return Ok(Some(Reply::from_wire(parsed.code, reply)));
            }
            if end > limits::REPLY {
                self.drop_lines(input)?;
                return self.next(input, line_end);
            }
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
