//! Command lines as they come: cut, kept waiting, and known for those of another protocol.

use super::table::Waits;
use crate::framing::{Line, LineReader};
use crate::machine::{ForeignProtocol, limits};

/// With what a header of the PROXY protocol begins in its second version. A proxy has to send it whole,
/// and a server need not put up with pieces (section 2 of that protocol): they are lines like any others.
const PROXY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Cuts lines from what the client sends.
#[derive(Debug)]
pub(super) struct Lines {
    reader: LineReader,
    /// What the command waits for that stands first in the caller's buffer.
    held: Waits,
    /// Whether any command was understood.
    understood: bool,
    /// Whether any line came.
    has_begun: bool,
    /// Whether no more bytes will come.
    is_ended: bool,
}

/// What a line is, or why there is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrived<'i> {
    Line(&'i [u8]),
    /// It is not complete, and has just become too long. So it begins.
    Overlong(&'i [u8]),
    /// It was too long. So it begins, unless that was returned before.
    TooLong(&'i [u8]),
    /// It holds an LF that is no line's end. This is what stands before, if that is not too long.
    BareLineFeed(&'i [u8]),
    /// It is another protocol's, which cuts no lines. So it begins.
    Foreign(ForeignProtocol, &'i [u8]),
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
            has_begun: false,
            is_ended: false,
        }
    }

    /// Returns the next line, of at most `limit` bytes.
    #[inline]
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8], limit: usize) -> Arrived<'i> {
        self.held = Waits::Nothing;
        let presented = *input;
        // No line end may ever come of them.
        if let Some((protocol, beginning)) = self.binary(presented) {
            return Arrived::Foreign(protocol, beginning);
        }
        let is_too_long = self.reader.is_discarding();
        match self.reader.next(input, limit) {
            // 5321-2.3.8-a: what a bare LF parts may be what another server takes for two commands.
            _ if self.reader.has_bare_lf() => {
                let before = presented.split(|byte| *byte == b'\n').next();
                let is_short = |line: &&[u8]| !is_too_long && line.len() < limit;
                Arrived::BareLineFeed(before.filter(is_short).unwrap_or_default())
            }
            Some(line) => {
                self.has_begun = true;
                match line {
                    Line::Complete(line) => Arrived::Line(line),
                    Line::TooLong if is_too_long => Arrived::TooLong(&[]),
                    Line::TooLong => {
                        let length = presented.len().saturating_sub(input.len());
                        Arrived::TooLong(presented.get(..length).unwrap_or_default())
                    }
                }
            }
            None if self.reader.is_discarding() && !is_too_long => Arrived::Overlong(presented),
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
    pub(super) fn foreign(&self, line: &[u8]) -> Option<ForeignProtocol> {
        match line {
            _ if self.understood => None,
            [first, ..] if !first.is_ascii_alphabetic() => Some(ForeignProtocol::Unknown),
            _ => begun_by(line),
        }
    }

    /// Returns which other protocol begins with what came first of all, if one does. Those who speak it
    /// do not wait for a greeting.
    pub(super) fn foreign_beginning(&self, input: &[u8]) -> Option<ForeignProtocol> {
        match self.binary(input) {
            Some((protocol, _)) => Some(protocol),
            None if self.understood => None,
            None => begun_by(input),
        }
    }

    /// Returns whether it takes more bytes to know that: they are less than a word that would tell.
    pub(super) fn is_undecided(&self, input: &[u8]) -> bool {
        let is_part = |word: &[u8]| word.len() > input.len() && word.starts_with(input);
        !self.understood && WORDS.iter().any(|(word, _)| is_part(word))
    }

    /// Returns which protocol that is no text the first bytes belong to, and so much of them as tells.
    fn binary<'i>(&self, input: &'i [u8]) -> Option<(ForeignProtocol, &'i [u8])> {
        let (protocol, length) = match input {
            _ if self.understood => return None,
            // A record of a handshake.
            [0x16, ..] => (ForeignProtocol::Tls, 1),
            _ if !self.has_begun && input.starts_with(PROXY_SIGNATURE) => {
                (ForeignProtocol::Proxy, PROXY_SIGNATURE.len())
            }
            _ => return None,
        };
        Some((protocol, input.get(..length)?))
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

/// The first words of lines of text that belong to other protocols.
const WORDS: [(&[u8], ForeignProtocol); 9] = [
    (b"GET ", ForeignProtocol::Http),
    (b"POST ", ForeignProtocol::Http),
    (b"PUT ", ForeignProtocol::Http),
    (b"HEAD ", ForeignProtocol::Http),
    (b"DELETE ", ForeignProtocol::Http),
    (b"CONNECT ", ForeignProtocol::Http),
    (b"OPTIONS ", ForeignProtocol::Http),
    // HTTP/2 begins so.
    (b"PRI ", ForeignProtocol::Http),
    (b"PROXY ", ForeignProtocol::Proxy),
];

/// Returns which protocol begins a line of text so.
fn begun_by(line: &[u8]) -> Option<ForeignProtocol> {
    let mut words = WORDS.iter();
    words.find_map(|(word, protocol)| line.starts_with(word).then_some(*protocol))
}
