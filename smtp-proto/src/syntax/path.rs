//! Paths: mailboxes in angle brackets, as MAIL and RCPT take them.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{
    error::{AddressError, SyntaxError, SyntaxErrorKind},
    grammar::{self, Grammar},
    local_part::LocalPart,
    mailbox::{MAX_MAILBOX, Mailbox},
    text::from_text,
};

/// The longest path in bytes, brackets and source route included (RFC 5321 4.5.3.1.3).
pub const MAX_PATH: usize = 256;

const POSTMASTER: &str = "<Postmaster>";
const POSTMASTER_NAME: &str = "Postmaster";

/// Whom a message comes from and who hears of its fate: the argument of MAIL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'a> {
    /// `<>`: nobody, as notifications have it.
    Null,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
}

from_text!(ReversePath);

impl<'a> ReversePath<'a> {
    /// Parses a mailbox, with or without angle brackets, or `<>`. A source route is accepted in
    /// brackets, and dropped (RFC 5321 4.1.1.3).
    ///
    /// # Errors
    ///
    /// Fails if `text` is neither, as the empty one is not, or exceeds [`MAX_PATH`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        whole(text, Self::parse_prefix).map_err(|error| {
            AddressError::new("a mailbox such as user@example.org, or <>", text, error)
        })
    }

    /// Parses the path at the beginning of `text`; returns it and where it ends. Tolerates an
    /// address without brackets.
    #[inline(always)]
    pub(super) fn parse_prefix(
        text: &'a str,
        grammar: Grammar,
    ) -> Result<(Self, usize), SyntaxError> {
        if text.as_bytes().starts_with(b"<>") {
            return Ok((Self::Null, 2));
        }
        let (mailbox, end) = parse_path(text, grammar)?;
        Ok((Self::Mailbox(mailbox), end))
    }

    /// Returns the mailbox, if there is one.
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Returns whether the path can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Appends the path in angle brackets.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"<>"),
            Self::Mailbox(mailbox) => write_path(mailbox.as_str(), out),
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

impl TryFrom<String> for ReversePath<'_> {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl<'a> From<Mailbox<'a>> for ReversePath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
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

/// Whom a message goes to: the argument of RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>` in any case: the postmaster of the server itself (RFC 5321 4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
    /// Another recipient that the server knows without a domain, as mailbox stores have them behind LMTP.
    Local(LocalPart<'a>),
}

from_text!(ForwardPath);

impl<'a> ForwardPath<'a> {
    /// Parses a mailbox, or `Postmaster` in any case, with or without angle brackets. A source route
    /// is accepted in brackets, and dropped (RFC 5321 4.1.1.3).
    ///
    /// # Errors
    ///
    /// Fails if `text` is neither, as `<>` is not, or exceeds [`MAX_PATH`]; also if it is another
    /// [name without a domain](Self::local), where that may just be missing.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let qualified = |text: &'a str, grammar| match Self::parse_prefix(text, grammar)? {
            (Self::Local(name), _) => {
                let start = usize::from(text.starts_with('<'));
                let end = start.saturating_add(name.as_str().len());
                Err(SyntaxError::unexpected(text.as_bytes(), end))
            }
            parsed => Ok(parsed),
        };
        whole(text, qualified).map_err(|error| {
            let expected = "a mailbox such as user@example.org, or Postmaster";
            AddressError::new(expected, text, error)
        })
    }

    /// Parses a name without a domain, with or without angle brackets, quoted where it has to be: `bob`,
    /// `"john doe"`; or `Postmaster`.
    ///
    /// Servers that relay take no such recipient (5321-2.3.5-a); many stores behind LMTP do.
    ///
    /// ```
    /// use smtp_proto::{client::Envelope, syntax::ForwardPath};
    ///
    /// let envelope = Envelope::new("alice@example.net")?.to(ForwardPath::local("bob")?)?;
    /// assert_eq!(envelope.recipients()[0].to_string(), "<bob>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if `text` is anything else, an address with a domain for one, or exceeds [`MAX_MAILBOX`].
    pub fn local(text: &'a str) -> Result<Self, AddressError> {
        let parsed = grammar::check_address(text).and_then(|()| {
            let (path, end) = parse_local(text)?;
            match end < text.len() {
                true => Err(SyntaxError::unexpected(text.as_bytes(), end)),
                false => Ok(path),
            }
        });
        parsed
            .map_err(|error| AddressError::new("a name without a domain, such as bob", text, error))
    }

    /// Parses the path at the beginning of `text`; returns it and where it ends. Tolerates an
    /// address without brackets, and one without a domain.
    #[inline(always)]
    pub(super) fn parse_prefix(
        text: &'a str,
        grammar: Grammar,
    ) -> Result<(Self, usize), SyntaxError> {
        if let Some(path) = text.as_bytes().first_chunk::<{ POSTMASTER.len() }>()
            && path.ends_with(b">")
            && path.eq_ignore_ascii_case(POSTMASTER.as_bytes())
        {
            return Ok((Self::Postmaster, POSTMASTER.len()));
        }
        let error = match parse_path(text, grammar) {
            Ok((mailbox, end)) => return Ok((Self::Mailbox(mailbox), end)),
            Err(error) => error,
        };
        match grammar {
            Grammar::Tolerant => parse_local(text).map_err(|_| error),
            Grammar::Strict => Err(error),
        }
    }

    /// Returns the mailbox, if it has a domain.
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Postmaster | Self::Local(_) => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Returns whether it is of this domain, in letters of any case; the server's own postmaster, and who
    /// else has none, is of every domain that it has (RFC 5321 4.5.1).
    ///
    /// ```
    /// use smtp_proto::syntax::ForwardPath;
    ///
    /// assert!(ForwardPath::parse("bob@EXAMPLE.org")?.is_of("example.org"));
    /// # Ok::<(), smtp_proto::syntax::AddressError>(())
    /// ```
    pub fn is_of(&self, domain: &str) -> bool {
        self.mailbox()
            .is_none_or(|mailbox| mailbox.host().as_str().eq_ignore_ascii_case(domain))
    }

    /// Returns whether the path can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Postmaster => true,
            Self::Mailbox(mailbox) => mailbox.is_ascii(),
            Self::Local(name) => name.is_ascii(),
        }
    }

    /// Appends the path in angle brackets.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Postmaster => out.extend_from_slice(POSTMASTER.as_bytes()),
            Self::Mailbox(mailbox) => write_path(mailbox.as_str(), out),
            Self::Local(name) => write_path(name.as_str(), out),
        }
    }

    /// Copies the text, so that the path outlives the line it came from.
    pub fn into_owned(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_owned()),
            Self::Local(name) => ForwardPath::Local(name.into_owned()),
        }
    }
}

impl TryFrom<String> for ForwardPath<'_> {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl<'a> From<Mailbox<'a>> for ForwardPath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str(POSTMASTER),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Local(name) => write!(f, "<{name}>"),
        }
    }
}

/// Parses the whole of `text`.
fn whole<'a, T>(
    text: &'a str,
    parse_prefix: impl FnOnce(&'a str, Grammar) -> Result<(T, usize), SyntaxError>,
) -> Result<T, SyntaxError> {
    grammar::check_address(text)?;
    let (path, end) = parse_prefix(text, Grammar::Tolerant)?;
    if end < text.len() {
        return Err(SyntaxError::unexpected(text.as_bytes(), end));
    }
    Ok(path)
}

fn write_path(address: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(address.as_bytes());
    out.push(b'>');
}

/// Parses `"<" [A-d-l ":"] Mailbox ">"` at the beginning of `text` (RFC 5321 4.1.2). Tolerates a
/// mailbox without the rest.
#[inline(always)]
fn parse_path(text: &str, grammar: Grammar) -> Result<(Mailbox<'_>, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let start = match (bytes, grammar) {
        ([b'<', b'@', ..], _) => source_route_end(bytes, grammar)?,
        ([b'<', ..], _) => 1,
        (_, Grammar::Tolerant) => return Mailbox::parse_at(text, 0, grammar),
        (_, Grammar::Strict) => return Err(SyntaxError::unexpected(bytes, 0)),
    };
    let (mailbox, end) = Mailbox::parse_at(text, start, grammar)?;
    if bytes.get(end) != Some(&b'>') {
        return Err(SyntaxError::unexpected(bytes, end));
    }
    let end = end.saturating_add(1);
    if end > MAX_PATH {
        return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_PATH));
    }
    Ok((mailbox, end))
}

/// Parses a local part at the beginning of `text`, with or without angle brackets; returns it and where it
/// ends.
#[cold]
fn parse_local(text: &str) -> Result<(ForwardPath<'_>, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let start = usize::from(bytes.starts_with(b"<"));
    let end = grammar::local_part_end(bytes, start, Grammar::Tolerant)?;
    let name = text.get(start..end).unwrap_or_default();
    if name.len() > MAX_MAILBOX {
        let at = start.saturating_add(MAX_MAILBOX);
        return Err(SyntaxError::new(SyntaxErrorKind::TooLong, at));
    }
    let end = match (start, bytes.get(end)) {
        (0, None | Some(b' ' | b'\t')) => end,
        (1, Some(b'>')) => end.saturating_add(1),
        _ => return Err(SyntaxError::unexpected(bytes, end)),
    };
    // 5321-4.5.1-a
    let is_postmaster = grammar::unquote(name).eq_ignore_ascii_case(POSTMASTER_NAME);
    Ok(match is_postmaster {
        true => (ForwardPath::Postmaster, end),
        false => (ForwardPath::Local(LocalPart::trusted(name)), end),
    })
}

/// Finds where the mailbox begins after `"<" "@" Domain *( ",@" Domain ) ":"`.
fn source_route_end(bytes: &[u8], grammar: Grammar) -> Result<usize, SyntaxError> {
    let mut end = 1;
    loop {
        if bytes.get(end) != Some(&b'@') {
            return Err(SyntaxError::unexpected(bytes, end));
        }
        end = grammar::domain_end(bytes, end.saturating_add(1), grammar)?;
        let separator = bytes.get(end);
        match separator {
            Some(b',') => end = end.saturating_add(1),
            Some(b':') => return Ok(end.saturating_add(1)),
            _ => return Err(SyntaxError::unexpected(bytes, end)),
        }
    }
}
