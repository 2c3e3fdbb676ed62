//! Paths: mailboxes in angle brackets, as MAIL and RCPT take them.

use alloc::vec::Vec;
use core::fmt;

use super::{
    bytes,
    error::{SyntaxError, SyntaxErrorKind},
    mailbox::Mailbox,
};

/// The longest path in bytes, brackets and source route included (RFC 5321 4.5.3.1.3).
pub const MAX_PATH: usize = 256;

const POSTMASTER: &str = "<Postmaster>";

/// Names whom a message comes from and who hears of its fate: the argument of MAIL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'a> {
    /// `<>`: nobody, as notifications have it.
    Null,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
}

impl<'a> ReversePath<'a> {
    /// Parses a path in angle brackets. A source route is accepted and dropped (RFC 5321 4.1.1.3).
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a `Reverse-path` (RFC 5321 4.1.2) or exceeds [`MAX_PATH`].
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        bytes::check_non_ascii(text)?;
        whole(text, Self::parse_prefix(text)?)
    }

    /// Parses an address without brackets; the empty one is [`Null`](Self::Null).
    ///
    /// # Errors
    ///
    /// Fails like [`Mailbox::parse`].
    pub fn parse_address(address: &'a str) -> Result<Self, SyntaxError> {
        if address.is_empty() {
            return Ok(Self::Null);
        }
        Mailbox::parse(address).map(Self::Mailbox)
    }

    /// Parses the path at the beginning of `text`; returns it and where it ends.
    #[inline(always)]
    pub(super) fn parse_prefix(text: &'a str) -> Result<(Self, usize), SyntaxError> {
        if text.as_bytes().starts_with(b"<>") {
            return Ok((Self::Null, 2));
        }
        let (mailbox, end) = parse_path(text)?;
        Ok((Self::Mailbox(mailbox), end))
    }

    /// Returns the mailbox, if there is one.
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Tells whether the path can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Appends the path in angle brackets.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"<>"),
            Self::Mailbox(mailbox) => write_path(mailbox, out),
        }
    }

    /// Copies the text, so that the path outlives the line it came from.
    pub fn into_owned(self) -> ReversePath<'static> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.into_owned()),
        }
    }
}

impl<'a> From<Mailbox<'a>> for ReversePath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// Takes an address with or without angle brackets.
impl<'a> TryFrom<&'a str> for ReversePath<'a> {
    type Error = SyntaxError;

    fn try_from(text: &'a str) -> Result<Self, SyntaxError> {
        if text.starts_with('<') {
            Self::parse(text)
        } else {
            Self::parse_address(text)
        }
    }
}

impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// Names whom a message goes to: the argument of RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>` in any case: the postmaster of the server itself (RFC 5321 4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
}

impl<'a> ForwardPath<'a> {
    /// Parses a path in angle brackets. A source route is accepted and dropped (RFC 5321 4.1.1.3).
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a `Forward-path` (RFC 5321 4.1.2), as `<>` is not, or exceeds
    /// [`MAX_PATH`].
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        bytes::check_non_ascii(text)?;
        whole(text, Self::parse_prefix(text)?)
    }

    /// Parses an address without brackets: a mailbox, or `Postmaster` in any case.
    ///
    /// # Errors
    ///
    /// Fails like [`Mailbox::parse`].
    pub fn parse_address(address: &'a str) -> Result<Self, SyntaxError> {
        if address.eq_ignore_ascii_case("Postmaster") {
            return Ok(Self::Postmaster);
        }
        Mailbox::parse(address).map(Self::Mailbox)
    }

    /// Parses the path at the beginning of `text`; returns it and where it ends.
    #[inline(always)]
    pub(super) fn parse_prefix(text: &'a str) -> Result<(Self, usize), SyntaxError> {
        if let Some(path) = text.as_bytes().first_chunk::<{ POSTMASTER.len() }>()
            && path.ends_with(b">")
            && path.eq_ignore_ascii_case(POSTMASTER.as_bytes())
        {
            return Ok((Self::Postmaster, POSTMASTER.len()));
        }
        let (mailbox, end) = parse_path(text)?;
        Ok((Self::Mailbox(mailbox), end))
    }

    /// Returns the mailbox, if it is not the server's postmaster.
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Tells whether the path can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Appends the path in angle brackets.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Postmaster => out.extend_from_slice(POSTMASTER.as_bytes()),
            Self::Mailbox(mailbox) => write_path(mailbox, out),
        }
    }

    /// Copies the text, so that the path outlives the line it came from.
    pub fn into_owned(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_owned()),
        }
    }
}

impl<'a> From<Mailbox<'a>> for ForwardPath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// Takes an address with or without angle brackets.
impl<'a> TryFrom<&'a str> for ForwardPath<'a> {
    type Error = SyntaxError;

    fn try_from(text: &'a str) -> Result<Self, SyntaxError> {
        if text.starts_with('<') {
            Self::parse(text)
        } else {
            Self::parse_address(text)
        }
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str(POSTMASTER),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// Returns what was parsed if that was the whole of `text`.
fn whole<T>(text: &str, (path, end): (T, usize)) -> Result<T, SyntaxError> {
    if end < text.len() {
        return Err(SyntaxError::unexpected(text.as_bytes(), end));
    }
    Ok(path)
}

fn write_path(mailbox: &Mailbox<'_>, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(mailbox.as_str().as_bytes());
    out.push(b'>');
}

/// Parses `"<" [A-d-l ":"] Mailbox ">"` at the beginning of `text` (RFC 5321 4.1.2).
#[inline(always)]
fn parse_path(text: &str) -> Result<(Mailbox<'_>, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let start = match bytes {
        [b'<', b'@', ..] => source_route_end(bytes)?,
        [b'<', ..] => 1,
        _ => return Err(SyntaxError::unexpected(bytes, 0)),
    };
    let (mailbox, end) = Mailbox::parse_at(text, start)?;
    if bytes.get(end) != Some(&b'>') {
        return Err(SyntaxError::unexpected(bytes, end));
    }
    let end = end.saturating_add(1);
    if end > MAX_PATH {
        return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_PATH));
    }
    Ok((mailbox, end))
}

/// Finds where the mailbox begins after `"<" "@" Domain *( ",@" Domain ) ":"`.
fn source_route_end(bytes: &[u8]) -> Result<usize, SyntaxError> {
    let mut end = 1;
    loop {
        if bytes.get(end) != Some(&b'@') {
            return Err(SyntaxError::unexpected(bytes, end));
        }
        end = bytes::domain_end(bytes, end.saturating_add(1))?;
        let separator = bytes.get(end);
        match separator {
            Some(b',') => end = end.saturating_add(1),
            Some(b':') => return Ok(end.saturating_add(1)),
            _ => return Err(SyntaxError::unexpected(bytes, end)),
        }
    }
}
