//! Domains and address literals.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{Ipv4Addr, Ipv6Addr};

use super::bytes::{self, DCONTENT, KEYWORD};
use super::error::{SyntaxError, SyntaxErrorKind};

/// The longest domain or address literal in bytes (RFC 5321 4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;

/// Holds a domain or an address literal, as EHLO takes it and as it stands after the `@` of a
/// mailbox.
///
/// Compares without regard to ASCII case (RFC 5321 2.4).
///
/// ```
/// use smtp_proto::syntax::Host;
///
/// let host = Host::parse("mail.example.org")?;
/// assert_eq!(host, Host::parse("MAIL.example.ORG")?);
/// assert!(Host::parse("a_b.example").is_err());
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone)]
pub struct Host<'a> {
    text: Cow<'a, str>,
}

impl<'a> Host<'a> {
    /// Parses an ASCII domain (letters, digits, hyphens; A-labels for anything else) or an
    /// address literal.
    ///
    /// This is the form that EHLO and its answer allow even with SMTPUTF8 (RFC 6531 3.7.1).
    ///
    /// # Errors
    ///
    /// Fails if `text` is neither (RFC 5321 4.1.2, 4.1.3), or exceeds [`MAX_DOMAIN`].
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        if let Some(at) = first_non_ascii(text) {
            return Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at));
        }
        Self::parse_checked(text)
    }

    /// Parses a domain that may have U-labels, or an address literal.
    ///
    /// This is the form that mailboxes have under SMTPUTF8 (RFC 6531 3.3).
    ///
    /// # Errors
    ///
    /// Fails like [`parse`](Self::parse).
    pub fn parse_internationalized(text: &'a str) -> Result<Self, SyntaxError> {
        bytes::check_non_ascii(text)?;
        Self::parse_checked(text)
    }

    /// Parses a host that [`bytes::check_non_ascii`] went through.
    #[inline]
    fn parse_checked(text: &'a str) -> Result<Self, SyntaxError> {
        let end = host_end(text, 0)?;
        if end < text.len() {
            return Err(SyntaxError::unexpected(text.as_bytes(), end));
        }
        if end > MAX_DOMAIN {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_DOMAIN));
        }
        Ok(Self::trusted(text))
    }

    /// Parses a name that clients have, though it is no domain: labels of letters, digits, hyphens and
    /// underscores.
    pub(super) fn parse_leniently(text: &'a str) -> Option<Self> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_letter);
        let is_name = text.len() <= MAX_DOMAIN && text.split('.').all(is_label);
        is_name.then(|| Self::trusted(text))
    }

    /// Wraps a text that [`host_end`] went through.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self {
            text: Cow::Borrowed(text),
        }
    }

    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address if this is an address literal.
    pub fn literal(&self) -> Option<AddressLiteral<'_>> {
        let content = self.text.strip_prefix('[')?.strip_suffix(']')?;
        AddressLiteral::parse(content).ok()
    }

    /// Tells whether the host can be written without SMTPUTF8.
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
    type Error = SyntaxError;

    fn try_from(text: String) -> Result<Self, SyntaxError> {
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

/// Holds what stands between the brackets of an address literal (RFC 5321 4.1.3).
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
        let tag_length = bytes::span(tag.as_bytes(), KEYWORD);
        if tag_length < tag.len() || !tag.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            return Err(SyntaxError::unexpected(text.as_bytes(), tag_length));
        }
        let length = bytes::span(content.as_bytes(), DCONTENT);
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

#[inline]
fn first_non_ascii(text: &str) -> Option<usize> {
    if text.is_ascii() {
        return None;
    }
    text.bytes().position(|byte| !byte.is_ascii())
}

/// Finds the end of the domain or address literal that begins at `start`.
#[inline(always)]
pub(super) fn host_end(text: &str, start: usize) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'[') {
        return bytes::domain_end(bytes, start);
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
