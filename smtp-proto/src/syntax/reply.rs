//! Replies: a code and lines of text.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{
    code::{Class, Code, EnhancedCode},
    error::{SyntaxError, SyntaxErrorKind},
    grammar,
};

/// The longest reply line that is written, in bytes with its CR LF (RFC 5321 4.5.3.1.5).
pub const MAX_REPLY_LINE: usize = 512;

/// A complete reply, as bytes of the wire.
///
/// ```
/// use smtp_proto::syntax::{Code, EnhancedCode, Reply};
///
/// let reply = Reply::parse(b"550-5.7.1 Not here\r\n550 5.7.1 nor there\r\n")?;
/// assert_eq!(reply.code(), Code::MAILBOX_UNAVAILABLE);
/// assert_eq!(reply.enhanced(), EnhancedCode::new(5, 7, 1));
/// let text = "5.7.1 Not here\n5.7.1 nor there";
/// assert_eq!(reply, Reply::new(Code::MAILBOX_UNAVAILABLE, text)?);
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reply<'a> {
    code: Code,
    bytes: Cow<'a, [u8]>,
}

impl Reply<'static> {
    /// Composes a reply; each LF in `text` begins a new line of it.
    ///
    /// An enhanced code goes at the beginning of each line (RFC 2034 4). Non-ASCII text is taken, but may be sent only where RFC 6531 3.7.4 lets it:
    /// [`is_ascii`](Reply::is_ascii) tells.
    ///
    /// # Errors
    ///
    /// Fails if `text` has a control character other than LF and HT, a line of more than
    /// [`MAX_REPLY_LINE`] bytes, or at the beginning of a line an enhanced code of another class
    /// than `code`.
    pub fn new(code: Code, text: &str) -> Result<Self, SyntaxError> {
        let mut bytes = Vec::with_capacity(text.len().saturating_add(16));
        let digits = code.digits();
        let mut at: usize = 0;
        let mut lines = text.split('\n').peekable();
        while let Some(line) = lines.next() {
            check_line(code, line).map_err(|error| error.shifted(at))?;
            let start = bytes.len();
            bytes.extend_from_slice(&digits);
            // A last line has its space even without text (RFC 5321 4.2).
            bytes.push(if lines.peek().is_some() { b'-' } else { b' ' });
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            if bytes.len().saturating_sub(start) > MAX_REPLY_LINE {
                return Err(SyntaxError::new(SyntaxErrorKind::TooLong, at));
            }
            at = at.saturating_add(line.len()).saturating_add(1);
        }
        Ok(Self {
            code,
            bytes: Cow::Owned(bytes),
        })
    }

    /// Wraps one of the library's own replies. For constants only, where the compiler refuses
    /// what is not one line of ASCII with a code and CR LF.
    #[expect(
        clippy::panic,
        reason = "evaluated by the compiler, for which it is an error"
    )]
    pub(crate) const fn fixed(line: &'static str) -> Self {
        let bytes = line.as_bytes();
        let [first, second, third, b' ', text @ ..] = bytes else {
            panic!("no reply");
        };
        let Some(code) = Code::from_digits([*first, *second, *third]) else {
            panic!("no reply code");
        };
        let mut rest = text;
        while let [32..=126, tail @ ..] = rest {
            rest = tail;
        }
        assert!(matches!(rest, b"\r\n") && bytes.len() <= MAX_REPLY_LINE);
        Self {
            code,
            bytes: Cow::Borrowed(bytes),
        }
    }
}

impl<'a> Reply<'a> {
    /// Wraps a complete reply whose every line [`parse_reply_line`] has passed with this code.
    pub(crate) fn from_wire(code: Code, bytes: &'a [u8]) -> Self {
        Self {
            code,
            bytes: Cow::Borrowed(bytes),
        }
    }

    /// Parses a complete reply, with the CR LF of its last line.
    ///
    /// Takes any text, of any length, whatever the bytes but NUL, CR and LF (RFC 5321 4.2).
    ///
    /// # Errors
    ///
    /// Fails if a line is not one of a reply, if the lines have different codes, or if the last
    /// line is not where `bytes` ends.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        // Most replies are one line, which holds no other CR LF once it is found to be one.
        if let [line @ .., b'\r', b'\n'] = bytes
            && line.get(3) != Some(&b'-')
            && let Ok(line) = parse_reply_line(line)
        {
            return Ok(Self::from_wire(line.code, bytes));
        }
        Self::parse_lines(bytes)
    }

    fn parse_lines(bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        let mut start = 0;
        let mut first = None;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let Some([line @ .., b'\r']) = bytes.get(start..end) else {
                return Err(SyntaxError::unexpected(bytes, end));
            };
            let line = parse_reply_line(line).map_err(|error| error.shifted(start))?;
            // RFC 5321 4.2.1: the same code on each line.
            let code = *first.get_or_insert(line.code);
            if code != line.code {
                return Err(SyntaxError::new(SyntaxErrorKind::ContradictingCodes, start));
            }
            start = end.saturating_add(1);
            if line.is_last {
                if start < bytes.len() {
                    return Err(SyntaxError::unexpected(bytes, start));
                }
                return Ok(Self {
                    code,
                    bytes: Cow::Borrowed(bytes),
                });
            }
        }
        Err(SyntaxError::unexpected(bytes, bytes.len()))
    }

    /// Returns the code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Returns what the first digit of the code says.
    pub const fn class(&self) -> Class {
        self.code.class()
    }

    /// Returns whether the code is 2yz.
    pub const fn is_positive(&self) -> bool {
        matches!(self.class(), Class::Positive)
    }

    /// Returns the enhanced code at the beginning of the first line, if it is of the same class
    /// as the reply's (RFC 2034 4). A `#` may stand before it, as Cisco's mail gateways have it.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        // What is no code ends where the line does.
        let text = self.bytes.get(4..)?;
        leading_code(text.strip_prefix(b"#").unwrap_or(text))
            .filter(|enhanced| agree(self.code, *enhanced))
    }

    /// Returns the text of each line, without code, separator and CR LF.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| {
                // A bare LF ends a line where a client was told to take it.
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                line.get(4..).unwrap_or_default()
            })
    }

    /// Returns the reply as it is written, with each CR LF.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether all of its text is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.bytes.is_ascii()
    }

    /// Returns the reply with a `?` for each character that is not ASCII, for clients to which it may
    /// not be sent otherwise (RFC 6531 3.7.4.2): a verdict is one in whatever bytes another server put it.
    ///
    /// ```
    /// use smtp_proto::syntax::Reply;
    ///
    /// let reply = Reply::parse("550 5.1.1 Empfänger?\r\n".as_bytes())?;
    /// assert_eq!(reply.in_ascii().to_string(), "550 5.1.1 Empf?nger?");
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn in_ascii(self) -> Self {
        if self.is_ascii() {
            return self;
        }
        let plain = |each: char| if each.is_ascii() { each as u8 } else { b'?' };
        let text = String::from_utf8_lossy(&self.bytes);
        Self {
            code: self.code,
            bytes: text.chars().map(plain).collect(),
        }
    }

    /// Appends the reply, with each CR LF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }

    /// Copies the text, so that the reply outlives the buffer it came from.
    pub fn into_owned(self) -> Reply<'static> {
        Reply {
            code: self.code,
            bytes: Cow::Owned(self.bytes.into_owned()),
        }
    }
}

/// Displays the reply in one line, escaped, so that no control character of a peer reaches a log
/// or a terminal.
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for (index, line) in self.lines().enumerate() {
            if index > 0 {
                f.write_str(" /")?;
            }
            if !line.is_empty() {
                write!(f, " {}", line.escape_ascii())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes.escape_ascii())
    }
}

/// Writes the lines as on the wire, with LF between them and nothing after the last: as text, or as
/// bytes where they are not UTF-8 and in formats that are not for people to read.
#[cfg(feature = "serde")]
impl serde::Serialize for Reply<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines = self.bytes.to_vec();
        // No CR is in a text, and a line may have come without.
        lines.retain(|byte| *byte != b'\r');
        lines.pop();
        match core::str::from_utf8(&lines) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ => serializer.serialize_bytes(&lines),
        }
    }
}

/// Takes what [`parse`](Reply::parse) takes.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Reply<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(ReplyVisitor)
        } else {
            deserializer.deserialize_byte_buf(ReplyVisitor)
        }
    }
}

#[cfg(feature = "serde")]
struct ReplyVisitor;

#[cfg(feature = "serde")]
impl<'de> serde::de::Visitor<'de> for ReplyVisitor {
    type Value = Reply<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lines of a reply")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_bytes<E: serde::de::Error>(self, lines: &[u8]) -> Result<Self::Value, E> {
        let mut bytes = Vec::with_capacity(lines.len().saturating_add(2));
        for line in lines.split(|byte| *byte == b'\n') {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        Reply::parse(&bytes)
            .map(Reply::into_owned)
            .map_err(E::custom)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::new();
        while let Some(byte) = seq.next_element()? {
            lines.push(byte);
        }
        self.visit_bytes(&lines)
    }
}

/// One line of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyLine<'a> {
    /// The code of this line; the same on each line of a reply.
    pub code: Code,
    /// Whether the reply ends with this line.
    pub is_last: bool,
    /// The text: any bytes but NUL, CR and LF.
    pub text: &'a [u8],
}

impl<'a> ReplyLine<'a> {
    /// Returns whether that byte must not be in a line: NUL, and the halves of what ends it (RFC 5321 4.2).
    #[inline]
    pub(crate) const fn forbids(byte: u8) -> bool {
        matches!(byte, b'\0' | b'\r' | b'\n')
    }

    /// Splits a line that stands without its CR LF, whatever its text has.
    #[inline]
    pub(crate) fn split(line: &'a [u8]) -> Result<Self, SyntaxError> {
        let Some((digits, rest)) = line.split_first_chunk::<3>() else {
            return Err(SyntaxError::unexpected(line, line.len()));
        };
        let Some(code) = Code::from_digits(*digits) else {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
        };
        let (is_last, text) = match rest {
            // A code alone is a whole line (RFC 5321 4.2).
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(SyntaxError::unexpected(line, 3)),
        };
        Ok(Self {
            code,
            is_last,
            text,
        })
    }
}

impl fmt::Debug for ReplyLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.is_last { ' ' } else { '-' };
        write!(
            f,
            "\"{}{separator}{}\"",
            self.code,
            self.text.escape_ascii()
        )
    }
}

/// Parses one line of a reply that stands without its CR LF.
///
/// For readers that take a reply line by line; [`Reply::parse`] takes it whole.
///
/// # Errors
///
/// Fails if the line does not begin with a code and a space, a hyphen or nothing (RFC 5321 4.2),
/// or if its text has NUL, CR or LF.
#[inline]
pub fn parse_reply_line(line: &[u8]) -> Result<ReplyLine<'_>, SyntaxError> {
    let parsed = ReplyLine::split(line)?;
    // The least byte tells of most lines that nothing is to be looked for, and is found in vectors.
    let least = parsed
        .text
        .iter()
        .fold(u8::MAX, |least, byte| least.min(*byte));
    if least <= b'\r'
        && let Some(at) = line.iter().position(|byte| ReplyLine::forbids(*byte))
    {
        return Err(SyntaxError::unexpected(line, at));
    }
    Ok(parsed)
}

/// Checks the text of a line of a reply that is to be written (RFC 5321 4.2: `textstring`).
fn check_line(code: Code, line: &str) -> Result<(), SyntaxError> {
    let control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    if let Some(at) = line.bytes().position(control) {
        return Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at));
    }
    grammar::check_non_ascii(line)?;
    // RFC 2034 4: the first digits of both codes agree.
    if leading_code(line.as_bytes()).is_some_and(|enhanced| !agree(code, enhanced)) {
        return Err(SyntaxError::new(SyntaxErrorKind::ContradictingCodes, 0));
    }
    Ok(())
}

/// Returns the enhanced code that `text` begins with.
fn leading_code(text: &[u8]) -> Option<EnhancedCode> {
    match EnhancedCode::parse_prefix(text)? {
        (enhanced, [] | [b' ' | b'\r', ..]) => Some(enhanced),
        _ => None,
    }
}

fn agree(code: Code, enhanced: EnhancedCode) -> bool {
    code.value() / 100 == u16::from(enhanced.class())
}

#[cfg(test)]
mod tests {
    use super::{Code, EnhancedCode, Reply};

    #[test]
    fn constants_are_replies() {
        const DONE: Reply<'static> = Reply::fixed("250 2.0.0 Done\r\n");
        assert_eq!(DONE.code(), Code::OK);
        assert_eq!(DONE.enhanced(), EnhancedCode::new(2, 0, 0));
        assert_eq!(Reply::parse(DONE.as_bytes()), Ok(DONE));
    }
}
