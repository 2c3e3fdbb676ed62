//! Domains and address literals.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::{AddressError, SyntaxError, SyntaxErrorKind};
use super::grammar::{self, DCONTENT, Grammar, KEYWORD};
use super::text::{Argument, from_text};

/// The longest domain or address literal in bytes (RFC 5321 4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;

/// A domain or an address literal, as EHLO takes it and as it stands after the `@` of a mailbox.
///
/// What a client introduced itself with may be text of another form, as real clients write it:
/// [`conforms`](Self::conforms) tells. Compares without regard to ASCII case (RFC 5321 2.4).
///
/// ```
/// use smtp_proto::syntax::{Command, Host};
///
/// let host = Host::parse("mail.example.org")?;
/// assert_eq!(host, Host::parse("MAIL.example.ORG")?);
/// assert!(Host::parse("John's PC").is_err());
///
/// let Command::Ehlo(host) = Command::parse(b"EHLO John's PC")? else { unreachable!() };
/// assert_eq!((host.as_str(), host.conforms()), ("John's PC", false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Host<'a> {
    text: Cow<'a, str>,
}

from_text!(Host);

impl<'a> Host<'a> {
    /// Parses an ASCII domain (letters, digits, hyphens; A-labels for anything else) or an
    /// address literal.
    ///
    /// This is the form that EHLO and its answer allow even with SMTPUTF8 (RFC 6531 3.7.1).
    ///
    /// # Errors
    ///
    /// Fails if `text` is neither (RFC 5321 4.1.2, 4.1.3), or exceeds [`MAX_DOMAIN`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        Self::parse_by(text, Grammar::Strict).map_err(|error| {
            const EXPECTED: &str =
                "a domain such as mail.example.org or an address such as [192.0.2.1]";
            AddressError::new(EXPECTED, text, error)
        })
    }

    /// Parses what [`parse`](Self::parse) takes; tolerates any text, which may have blanks inside
    /// but no control characters.
    #[inline]
    pub(super) fn parse_by(text: &'a str, grammar: Grammar) -> Result<Self, SyntaxError> {
        match (check(text), grammar) {
            (Ok(()), _) => {}
            (Err(error), Grammar::Strict) => return Err(error),
            (Err(_), Grammar::Tolerant) => {
                Argument::parse(text)?;
                grammar::check_address(text)?;
            }
        }
        if text.len() > MAX_DOMAIN {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_DOMAIN));
        }
        Ok(Self::trusted(text))
    }

    /// Wraps a text that was checked.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self {
            text: Cow::Borrowed(text),
        }
    }

    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether this is a domain or an address literal as RFC 5321 4.1.2 has them in ASCII,
    /// rather than text of another form.
    pub fn conforms(&self) -> bool {
        check(&self.text).is_ok()
    }

    /// Returns the address if this is an address literal, or an IPv6 address in brackets without
    /// its tag.
    pub fn literal(&self) -> Option<AddressLiteral<'_>> {
        let content = self.text.strip_prefix('[')?.strip_suffix(']')?;
        let untagged = || content.parse().ok().map(AddressLiteral::Ipv6);
        AddressLiteral::parse(content).ok().or_else(untagged)
    }

    /// Returns whether the host can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// Copies the text, so that the host outlives the line it came from.
    pub fn into_owned(self) -> Host<'static> {
        Host {
            text: Cow::Owned(self.text.into_owned()),
        }
    }
}

impl From<Ipv4Addr> for Host<'static> {
    fn from(address: Ipv4Addr) -> Self {
        Self {
            text: Cow::Owned(alloc::format!("[{address}]")),
        }
    }
}

impl From<Ipv6Addr> for Host<'static> {
    fn from(address: Ipv6Addr) -> Self {
        Self {
            text: Cow::Owned(alloc::format!("[IPv6:{address}]")),
        }
    }
}

impl TryFrom<String> for Host<'static> {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Host::parse(&text)?;
        Ok(Self {
            text: Cow::Owned(text),
        })
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for Host<'_> {}

impl Hash for Host<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.text.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

/// What stands between the brackets of an address literal (RFC 5321 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressLiteral<'a> {
    /// An IPv4 address, `[192.0.2.1]`.
    Ipv4(Ipv4Addr),
    /// An IPv6 address, `[IPv6:2001:db8::1]`.
    Ipv6(Ipv6Addr),
    /// An address of another kind, `[tag:content]`.
    General {
        /// The registered name of the kind.
        tag: &'a str,
        /// The address.
        content: &'a str,
    },
}

impl<'a> AddressLiteral<'a> {
    /// Parses what stands between the brackets.
    ///
    /// # Errors
    ///
    /// Fails if `text` has none of the three forms.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let Some((tag, content)) = text.split_once(':') else {
            return parse_ipv4(text).map(Self::Ipv4);
        };
        let content_at = tag.len().saturating_add(1);
        if tag.eq_ignore_ascii_case("IPv6") {
            return match content.parse() {
                Ok(address) => Ok(Self::Ipv6(address)),
                Err(_) => Err(SyntaxError::unexpected(text.as_bytes(), content_at)),
            };
        }
        let tag_length = grammar::span(tag.as_bytes(), KEYWORD);
        if tag_length < tag.len() || !tag.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            return Err(SyntaxError::unexpected(text.as_bytes(), tag_length));
        }
        let length = grammar::span(content.as_bytes(), DCONTENT);
        if content.is_empty() || length < content.len() {
            return Err(SyntaxError::unexpected(
                text.as_bytes(),
                content_at.saturating_add(length),
            ));
        }
        // An IPv6 address without its tag is a mistake, not an address of the kind "2001".
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(SyntaxError::unexpected(text.as_bytes(), 0));
        }
        Ok(Self::General { tag, content })
    }
}

/// Parses `Snum 3("." Snum)`: unlike the standard library this takes leading zeros, as decimals.
fn parse_ipv4(text: &str) -> Result<Ipv4Addr, SyntaxError> {
    let mut address = [0; 4];
    let mut at: usize = 0;
    let mut parts = text.split('.');
    for byte in &mut address {
        let part = parts.next().unwrap_or_default();
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits < part.len() || part.is_empty() {
            return Err(SyntaxError::unexpected(
                text.as_bytes(),
                at.saturating_add(digits),
            ));
        }
        *byte = match part.parse() {
            Ok(number) if digits <= 3 => number,
            _ => return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, at)),
        };
        at = at.saturating_add(part.len()).saturating_add(1);
    }
    match parts.next() {
        None => Ok(Ipv4Addr::from(address)),
        Some(_) => Err(SyntaxError::unexpected(
            text.as_bytes(),
            at.saturating_sub(1),
        )),
    }
}

/// Checks that the whole is a domain or an address literal in ASCII.
#[inline]
fn check(text: &str) -> Result<(), SyntaxError> {
    let end = match text.is_ascii() {
        true => host_end(text, 0, Grammar::Strict)?,
        false => text.bytes().take_while(u8::is_ascii).count(),
    };
    match end < text.len() {
        true => Err(SyntaxError::unexpected(text.as_bytes(), end)),
        false => Ok(()),
    }
}

/// Finds the end of the domain or address literal that begins at `start`.
#[inline(always)]
pub(super) fn host_end(text: &str, start: usize, grammar: Grammar) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'[') {
        return grammar::domain_end(bytes, start, grammar);
    }
    literal_end(text, start)
}

/// Finds the end of the address literal whose bracket stands at `start`.
fn literal_end(text: &str, start: usize) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    let content_at = start.saturating_add(1);
    let content = text.get(content_at..).unwrap_or_default();
    let (content, _) = content
        .split_once(']')
        .ok_or(SyntaxError::unexpected(bytes, bytes.len()))?;
    AddressLiteral::parse(content).map_err(|error| error.shifted(content_at))?;
    Ok(content_at.saturating_add(content.len()).saturating_add(1))
}
