//! Command lines as they come: cut, kept waiting, and known for those of another protocol.

use super::table::Waits;
use crate::framing::{Line, LineReader};
use crate::machine::{ForeignProtocol, limits};

/// With what a header of the PROXY protocol begins in its second version: two empty lines, one of a
/// NUL, and the beginning of a fourth.
const PROXY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Cuts lines from what the client sends.
#[derive(Debug)]
pub(super) struct Lines {
    reader: LineReader,
    /// What the command waits for that stands first in the caller's buffer.
    held: Waits,
    /// Whether any command was understood.
    understood: bool,
    /// How many empty lines came last, before any command was understood.
    empty: usize,
    /// Whether no more bytes will come.
    is_ended: bool,
}

/// What a line is, or why there is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrived<'i> {
    Line(&'i [u8]),
    TooLong,
    /// It holds an LF that is no line's end. This is what stands before, if that is not too long.
    BareLineFeed(&'i [u8]),
    /// It is the beginning of a TLS handshake.
    Handshake(&'i [u8]),
    /// It goes on beyond all limits.
    Endless,
    /// It is not complete.
    Part,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            reader: LineReader::default(),
            held: Waits::Nothing,
            understood: false,
            empty: 0,
            is_ended: false,
        }
    }

    /// Returns the next line, of at most `limit` bytes.
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8], limit: usize) -> Arrived<'i> {
        self.held = Waits::Nothing;
        let presented = *input;
        // TLS waits for an answer before it sends a line end, if ever.
        if self.begins_with_tls(presented) {
            return Arrived::Handshake(presented.get(..1).unwrap_or_default());
        }
        let is_too_long = self.reader.is_discarding();
        match self.reader.next(input, limit) {
            // 5321-2.3.8-a: what a bare LF parts may be what another server takes for two commands.
            _ if self.reader.has_bare_lf() => {
                let before = presented.split(|byte| *byte == b'\n').next();
                let is_short = |line: &&[u8]| !is_too_long && line.len() < limit;
                Arrived::BareLineFeed(before.filter(is_short).unwrap_or_default())
            }
            Some(Line::Complete(line)) => Arrived::Line(line),
            Some(Line::TooLong) => Arrived::TooLong,
            None if self.reader.discarded() > limits::OVERLONG_LINE => Arrived::Endless,
            None => Arrived::Part,
        }
    }

    /// Takes note that the line stays in the caller's buffer until the verdicts are in that it waits
    /// for.
    pub(super) fn hold(&mut self, waits: Waits) {
        self.held = waits;
    }

    /// Returns what the line waits for that stands first in the caller's buffer.
    pub(super) fn held(&self) -> Waits {
        self.held
    }

    /// Takes note that a command was understood: this is SMTP.
    pub(super) fn understood(&mut self) {
        self.understood = true;
    }

    /// Returns which other protocol a line belongs to that is no command, if none before it was
    /// understood (CMD-4; Postfix's `smtpd_forbidden_commands`).
    pub(super) fn foreign(&mut self, line: &[u8]) -> Option<ForeignProtocol> {
        if self.understood {
            return None;
        }
        let empty_before = core::mem::take(&mut self.empty);
        match line {
            [] => {
                self.empty = empty_before.saturating_add(1);
                None
            }
            // PROXY_SIGNATURE, of which the lines before are answered by now.
            b"\0" if empty_before == 2 => Some(ForeignProtocol::Proxy),
            [first, ..] if !first.is_ascii_alphabetic() => Some(ForeignProtocol::Unknown),
            _ => begun_by(line),
        }
    }

    /// Returns which other protocol begins with what came first of all, if one does. Those who speak it
    /// do not wait for a greeting.
    pub(super) fn foreign_beginning(&self, input: &[u8]) -> Option<ForeignProtocol> {
        match self.begins_with_tls(input) {
            _ if self.understood => None,
            true => Some(ForeignProtocol::Tls),
            false if input.starts_with(PROXY_SIGNATURE) => Some(ForeignProtocol::Proxy),
            false => begun_by(input),
        }
    }

    /// Returns whether the first bytes that a client sends are a record of a TLS handshake.
    fn begins_with_tls(&self, input: &[u8]) -> bool {
        !self.understood && input.first() == Some(&0x16)
    }

    /// Forgets the line that was arriving (3207-4.2-a).
    pub(super) fn forget(&mut self) {
        self.reader = LineReader::default();
    }

    /// Takes note that no more bytes will come.
    pub(super) fn ended(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }
}

/// Returns which protocol begins a line of text so.
fn begun_by(line: &[u8]) -> Option<ForeignProtocol> {
    const METHODS: [&[u8]; 8] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"CONNECT ",
        b"OPTIONS ",
        // HTTP/2 begins so.
        b"PRI ",
    ];
    if METHODS.iter().any(|method| line.starts_with(method)) {
        Some(ForeignProtocol::Http)
    } else if line.starts_with(b"PROXY ") {
        Some(ForeignProtocol::Proxy)
    } else {
        None
    }
}
