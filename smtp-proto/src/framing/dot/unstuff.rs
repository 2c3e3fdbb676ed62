//! Receiving: the dot that was added to a line goes, and a line of one dot ends the content.

use super::line_breaks::{BareByte, LineBreaks};
use super::scan::Scan;

/// Finds the bytes of one message's content, and its end, in what a peer sends after 354; or, made
/// by [`plain`](Self::plain), in what BDAT announced.
///
/// The end is CR LF `.` CR LF and nothing else, or `.` CR LF at once (5321-4.1.1.4-b, c, f).
/// Every byte presented is consumed, up to the end, and is looked at once.
///
/// ```
/// use smtp_proto::framing::{Content, DotUnstuffer, LineBreaks};
///
/// let mut unstuffer = DotUnstuffer::new(LineBreaks::Refuse);
/// let mut input: &[u8] = b"one\r\n..two\r\n.\r\nQUIT\r\n";
/// assert_eq!(unstuffer.next(&mut input), Some(Content::Bytes(b"one\r\n")));
/// assert_eq!(unstuffer.next(&mut input), Some(Content::Bytes(b".two\r\n")));
/// assert_eq!(unstuffer.next(&mut input), Some(Content::End));
/// assert_eq!(input, b"QUIT\r\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DotUnstuffer {
    line_breaks: LineBreaks,
    dots: bool,
    state: State,
    bare: Option<BareByte>,
}

/// What [`DotUnstuffer::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'i> {
    /// Holds bytes of the content, never none: a part of the input, or a line break that the input
    /// held only in part.
    Bytes(&'i [u8]),
    /// Stands for the end of the content.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    /// After a dot at the start of a line; the dot was dropped.
    Dot,
    /// After such a dot and a CR, which was not delivered.
    DotCr,
    AfterCr,
    Inside,
    Ended,
}

impl DotUnstuffer {
    /// Begins a message's content.
    ///
    /// Under [`LineBreaks::Refuse`] everything is delivered as under [`LineBreaks::Keep`]; ask
    /// [`bare_line_break`](Self::bare_line_break) before the message is accepted.
    pub fn new(line_breaks: LineBreaks) -> Self {
        Self {
            line_breaks,
            dots: true,
            state: State::LineStart,
            bare: None,
        }
    }

    /// Begins a message's content that a count announces, as BDAT does: line breaks are watched, and
    /// a dot is a byte like any other. [`next`](Self::next) never finds the end of it.
    pub fn plain(line_breaks: LineBreaks) -> Self {
        Self {
            dots: false,
            state: State::Inside,
            ..Self::new(line_breaks)
        }
    }

    /// Returns the next bytes of the content, or its end, and moves `input` past them.
    ///
    /// `None` means that `input` is used up; after the end, that nothing is taken any more.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<Content<'i>> {
        let bytes: &'i [u8] = input;
        if bytes.is_empty() {
            return None;
        }
        let mut scan = Scan::new(bytes);
        let (mut start, mut at) = (0, 0);
        loop {
            if self.state == State::Inside {
                at = scan.plain(at);
                // What a mark in sound content is, without the detour over its states.
                if self.dots
                    && let Some((_, [b'\r', b'\n', b'.', after @ ..])) = bytes.split_at_checked(at)
                {
                    self.state = State::Dot;
                    return self.deliver(bytes.get(start..at + 2)?, after, input);
                }
            }
            // What stands before `at` is content, and delivered before anything else is.
            let (before, ahead) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
            let run = before.get(start..).unwrap_or_default();
            let Some((byte, after)) = ahead.split_first() else {
                return self.deliver(run, ahead, input);
            };
            let normalize = self.line_breaks == LineBreaks::Normalize;
            match (self.state, *byte) {
                (State::Ended, _) => return None,
                // 5321-4.5.2-b
                (State::LineStart, b'.') => {
                    self.state = State::Dot;
                    if !run.is_empty() {
                        return self.deliver(run, after, input);
                    }
                    at += 1;
                    start = at;
                }
                (State::Dot, b'\r') => {
                    self.state = State::DotCr;
                    at += 1;
                    start = at;
                }
                (State::DotCr, b'\n') => {
                    self.state = State::Ended;
                    *input = after;
                    return Some(Content::End);
                }
                (State::DotCr, _) => {
                    self.found(BareByte::Cr);
                    self.state = State::Inside;
                    let held: &[u8] = if normalize { b"\r\n" } else { b"\r" };
                    return self.deliver(held, ahead, input);
                }
                (State::AfterCr, b'\n') => {
                    self.state = match self.dots {
                        true => State::LineStart,
                        false => State::Inside,
                    };
                    at += 1;
                }
                (State::AfterCr, _) if normalize && !run.is_empty() => {
                    return self.deliver(run, ahead, input);
                }
                (State::AfterCr, _) => {
                    self.found(BareByte::Cr);
                    self.state = State::Inside;
                    if normalize {
                        return self.deliver(b"\n", ahead, input);
                    }
                }
                (_, b'\r') => {
                    self.state = State::AfterCr;
                    at += 1;
                }
                (_, b'\n') if normalize && !run.is_empty() => {
                    return self.deliver(run, ahead, input);
                }
                (_, b'\n') => {
                    self.found(BareByte::Lf);
                    self.state = State::Inside;
                    if normalize {
                        return self.deliver(b"\r\n", after, input);
                    }
                    at += 1;
                }
                _ => {
                    self.state = State::Inside;
                    at += 1;
                }
            }
        }
    }

    /// Ends [`plain`](Self::plain) content, of which all bytes were presented. Returns what is still
    /// to be delivered, once: the LF of a CR that stood last and is to become CR LF.
    pub fn finish(&mut self) -> Option<&'static [u8]> {
        if self.dots || self.state != State::AfterCr {
            return None;
        }
        self.found(BareByte::Cr);
        self.state = State::Inside;
        (self.line_breaks == LineBreaks::Normalize).then_some(b"\n")
    }

    /// Returns the first bare CR or bare LF that was met, if any (5321-4.1.1.4-g).
    pub fn bare_line_break(&self) -> Option<BareByte> {
        self.bare
    }

    fn found(&mut self, byte: BareByte) {
        self.bare.get_or_insert(byte);
    }

    fn deliver<'i>(
        &self,
        bytes: &'i [u8],
        rest: &'i [u8],
        input: &mut &'i [u8],
    ) -> Option<Content<'i>> {
        *input = rest;
        (!bytes.is_empty()).then_some(Content::Bytes(bytes))
    }
}
