//! Mailboxes: `local-part@host`.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::bytes;
use super::error::{SyntaxError, SyntaxErrorKind};
use super::host::{Host, host_end};

/// The longest mailbox in bytes: a path (RFC 5321 4.5.3.1.3) without its brackets.
///
/// The local part has no bound of its own, as real ones exceed the 64 bytes of RFC 5321 4.5.3.1.1.
pub const MAX_MAILBOX: usize = 254;

/// Holds a mailbox as it was written.
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
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone)]
pub struct Mailbox<'a> {
    text: Cow<'a, str>,
    /// Where the `@` stands.
    at: usize,
}

impl<'a> Mailbox<'a> {
    /// Parses `local-part@host`, either part possibly with UTF-8 (RFC 6531 3.3).
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a `Mailbox` (RFC 5321 4.1.2) or exceeds [`MAX_MAILBOX`].
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        bytes::check_non_ascii(text)?;
        let (mailbox, end) = Self::parse_at(text, 0)?;
        if end < text.len() {
            return Err(SyntaxError::unexpected(text.as_bytes(), end));
        }
        Ok(mailbox)
    }

    /// Parses the mailbox that begins at `start`; returns it and where it ends.
    #[inline(always)]
    pub(super) fn parse_at(text: &'a str, start: usize) -> Result<(Self, usize), SyntaxError> {
        let bytes = text.as_bytes();
        let at = bytes::local_part_end(bytes, start)?;
        if bytes.get(at) != Some(&b'@') {
            return Err(SyntaxError::unexpected(bytes, at));
        }
        let end = host_end(text, at.saturating_add(1))?;
        let mailbox = text.get(start..end).unwrap_or_default();
        if mailbox.len() > MAX_MAILBOX {
            return Err(SyntaxError::new(
                SyntaxErrorKind::TooLong,
                start.saturating_add(MAX_MAILBOX),
            ));
        }
        let at = at.saturating_sub(start);
        Ok((
            Self {
                text: Cow::Borrowed(mailbox),
                at,
            },
            end,
        ))
    }

    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the local part as it was written, quotes and all.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// Returns the local part without its quoting: what names the mailbox at its host.
    pub fn unquoted_local_part(&self) -> Cow<'_, str> {
        unquote(self.local_part())
    }

    /// Returns the domain or address literal after the `@`.
    pub fn host(&self) -> Host<'_> {
        Host::trusted(
            self.text
                .get(self.at.saturating_add(1)..)
                .unwrap_or_default(),
        )
    }

    /// Tells whether the mailbox can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// Copies the text, so that the mailbox outlives the line it came from.
    pub fn into_owned(self) -> Mailbox<'static> {
        Mailbox {
            text: Cow::Owned(self.text.into_owned()),
            at: self.at,
        }
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
        if bytes::local_part_end(local_part.as_bytes(), 0) == Ok(local_part.len())
            && !local_part.starts_with('"')
        {
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
        let mailbox = Mailbox::parse(&text)?;
        // The host has no say in where the local part ends.
        let at = text.len().saturating_sub(host.len()).saturating_sub(1);
        if mailbox.at != at {
            return Err(SyntaxError::unexpected(text.as_bytes(), mailbox.at));
        }
        Ok(Self {
            at,
            text: Cow::Owned(text),
        })
    }
}

impl TryFrom<String> for Mailbox<'static> {
    type Error = SyntaxError;

    fn try_from(text: String) -> Result<Self, SyntaxError> {
        let at = Mailbox::parse(&text)?.at;
        Ok(Self {
            text: Cow::Owned(text),
            at,
        })
    }
}

/// Takes the quotes and backslashes off a `Quoted-string`; anything else stays as it is.
pub(super) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(quoted) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return Cow::Borrowed(text);
    };
    if !quoted.contains('\\') {
        return Cow::Borrowed(quoted);
    }
    let mut unquoted = String::with_capacity(quoted.len());
    let mut escaped = false;
    for character in quoted.chars() {
        escaped = character == '\\' && !escaped;
        if !escaped {
            unquoted.push(character);
        }
    }
    Cow::Owned(unquoted)
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
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
