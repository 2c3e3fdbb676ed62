//! Mailboxes: `local-part@host`.

use alloc::borrow::Cow;
use alloc::string::String;
use core::hash::{Hash, Hasher};

use super::error::{AddressError, SyntaxError, SyntaxErrorKind};
use super::grammar::{self, Grammar};
use super::host::{Host, host_end};
use super::text::{from_text, kept_text};

/// The longest mailbox in bytes: a path (RFC 5321 4.5.3.1.3) without its brackets.
///
/// The local part has no bound of its own, as real ones exceed the 64 bytes of RFC 5321 4.5.3.1.1.
pub const MAX_MAILBOX: usize = 254;

/// A mailbox as it was written.
///
/// Takes what servers take of addresses that are against the grammar: dots that stand together or
/// at either end of the local part, underscores and a final dot in the domain. It can be sent to.
///
/// Compares local parts unquoted and with regard to case, hosts without regard to ASCII case
/// (RFC 5321 2.4, 4.1.2).
///
/// ```
/// use smtp_proto::syntax::Mailbox;
///
/// let mailbox = Mailbox::parse("\"john doe\"@example.org")?;
/// assert_eq!(mailbox.local_part(), "\"john doe\"");
/// assert_eq!(mailbox.unquoted_local_part(), "john doe");
/// assert_eq!(mailbox.host().as_str(), "example.org");
/// # Ok::<(), smtp_proto::syntax::AddressError>(())
/// ```
#[derive(Clone)]
pub struct Mailbox<'a>(Cow<'a, str>);

kept_text!(Mailbox);
from_text!(Mailbox);

impl<'a> Mailbox<'a> {
    /// Parses `local-part@host`, either part possibly with UTF-8 (RFC 6531 3.3), with or without
    /// angle brackets.
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a `Mailbox` (RFC 5321 4.1.2), has characters that cannot be seen, or
    /// exceeds [`MAX_MAILBOX`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let parsed = match text.strip_prefix('<') {
            None => Self::parse_bare(text),
            Some(rest) => match rest.strip_suffix('>') {
                Some(bare) => Self::parse_bare(bare).map_err(|error| error.shifted(1)),
                None => Err(SyntaxError::unexpected(text.as_bytes(), text.len())),
            },
        };
        parsed.map_err(|error| AddressError::new("a mailbox such as user@example.org", text, error))
    }

    /// Parses `local-part@host`.
    pub(super) fn parse_bare(text: &'a str) -> Result<Self, SyntaxError> {
        grammar::check_address(text)?;
        let (mailbox, end) = Self::parse_at(text, 0, Grammar::Tolerant)?;
        if end < text.len() {
            return Err(SyntaxError::unexpected(text.as_bytes(), end));
        }
        Ok(mailbox)
    }

    /// Parses the mailbox that begins at `start` in a text that [`grammar::check_address`] went
    /// through; returns it and where it ends.
    #[inline(always)]
    pub(super) fn parse_at(
        text: &'a str,
        start: usize,
        grammar: Grammar,
    ) -> Result<(Self, usize), SyntaxError> {
        let bytes = text.as_bytes();
        let at = grammar::local_part_end(bytes, start, grammar)?;
        if bytes.get(at) != Some(&b'@') {
            return Err(SyntaxError::unexpected(bytes, at));
        }
        let end = host_end(text, at.saturating_add(1), grammar)?;
        let mailbox = text.get(start..end).unwrap_or_default();
        if mailbox.len() > MAX_MAILBOX {
            return Err(SyntaxError::new(
                SyntaxErrorKind::TooLong,
                start.saturating_add(MAX_MAILBOX),
            ));
        }
        Ok((Self(Cow::Borrowed(mailbox)), end))
    }

    /// Returns the local part as it was written, quotes and all.
    pub fn local_part(&self) -> &str {
        self.parts().0
    }

    /// Returns the local part without its quoting: what names the mailbox at its host.
    pub fn unquoted_local_part(&self) -> Cow<'_, str> {
        grammar::unquote(self.local_part())
    }

    /// Returns the domain or address literal after the `@`.
    pub fn host(&self) -> Host<'_> {
        Host::trusted(self.parts().1)
    }

    /// Returns what stands before the `@`, and after it. The first one need not be it: it may be quoted.
    fn parts(&self) -> (&str, &str) {
        let at = grammar::local_part_end(self.0.as_bytes(), 0, Grammar::Tolerant);
        let (local_part, host) = self
            .0
            .split_at_checked(at.unwrap_or_default())
            .unwrap_or_default();
        (local_part, host.get(1..).unwrap_or_default())
    }

    /// Returns whether the mailbox can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl Mailbox<'static> {
    /// Composes a mailbox of an unquoted local part and a host, with as little quoting as
    /// possible (RFC 5321 4.1.2).
    ///
    /// # Errors
    ///
    /// Fails if `local_part` holds what cannot be quoted (control characters), `host` is neither
    /// a domain nor an address literal, or both together exceed [`MAX_MAILBOX`].
    pub fn new(local_part: &str, host: &str) -> Result<Self, SyntaxError> {
        let mut text = String::new();
        let end = grammar::local_part_end(local_part.as_bytes(), 0, Grammar::Strict);
        if end == Ok(local_part.len()) && !local_part.starts_with('"') {
            text.push_str(local_part);
        } else {
            text.push('"');
            for character in local_part.chars() {
                if matches!(character, '"' | '\\') {
                    text.push('\\');
                }
                text.push(character);
            }
            text.push('"');
        }
        text.push('@');
        text.push_str(host);
        // The host has no say in where the local part ends.
        let written = Mailbox::parse_bare(&text)?.host().as_str().len();
        if written != host.len() {
            let at = text.len().saturating_sub(written).saturating_sub(1);
            return Err(SyntaxError::unexpected(text.as_bytes(), at));
        }
        Ok(Self(Cow::Owned(text)))
    }
}

impl TryFrom<String> for Mailbox<'static> {
    type Error = SyntaxError;

    fn try_from(text: String) -> Result<Self, SyntaxError> {
        Mailbox::parse_bare(&text)?;
        Ok(Self(Cow::Owned(text)))
    }
}

impl PartialEq for Mailbox<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.unquoted_local_part() == other.unquoted_local_part() && self.host() == other.host()
    }
}

impl Eq for Mailbox<'_> {}

impl Hash for Mailbox<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.unquoted_local_part().hash(state);
        self.host().hash(state);
    }
}
