//! What notifications a sender wants: the parameters of RFC 3461.

use alloc::{borrow::Cow, string::String};
use core::fmt::{self, Write};

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    grammar::{self, ATEXT, VALUE},
    path::ForwardPath,
    text::kept_text,
    xtext,
};

/// The longest value of ENVID in characters, as it is written (RFC 3461 5.4).
pub const MAX_ENVELOPE_ID: usize = 100;

/// How much of the message a notification of failure returns: the values of RET (RFC 3461
/// 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    /// `FULL`: all of it.
    Full,
    /// `HDRS`: its headers.
    Headers,
}

impl Return {
    /// Parses the value of RET, in any case.
    ///
    /// # Errors
    ///
    /// Fails on any other value.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        [Self::Full, Self::Headers]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(value))
            .ok_or(SyntaxError::unexpected(value.as_bytes(), 0))
    }

    /// Returns the value of RET.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identifier that notifications repeat: the value of ENVID (RFC 3461 4.4).
///
/// A relay passes it on as it was written (RFC 3461 5.2.1).
///
/// ```
/// use smtp_proto::syntax::EnvelopeId;
///
/// let id = EnvelopeId::parse("a+20b")?;
/// assert_eq!((id.as_str(), &*id.decoded()), ("a+20b", "a b"));
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId<'a>(Cow<'a, str>);

kept_text!(EnvelopeId);

impl<'a> EnvelopeId<'a> {
    /// Parses the value of ENVID.
    ///
    /// # Errors
    ///
    /// Fails if `value` is empty, exceeds [`MAX_ENVELOPE_ID`] or is not the xtext of printable
    /// ASCII (RFC 3461 4.4).
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        if value.is_empty() {
            return Err(SyntaxError::unexpected(value.as_bytes(), 0));
        }
        if value.len() > MAX_ENVELOPE_ID {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_ENVELOPE_ID));
        }
        xtext::decode_ascii(value)?;
        Ok(Self(Cow::Borrowed(value)))
    }

    /// Returns the identifier itself.
    pub fn decoded(&self) -> Cow<'_, str> {
        // It was checked when it was parsed.
        xtext::decode(&self.0).unwrap_or_default()
    }
}

impl EnvelopeId<'static> {
    /// Composes the value of an identifier, which should be unique and of 38 characters at most
    /// (RFC 3461 5.4).
    ///
    /// # Errors
    ///
    /// Fails like [`parse`](EnvelopeId::parse) on the encoded identifier.
    pub fn new(identifier: &str) -> Result<Self, SyntaxError> {
        let value = xtext::encode(identifier);
        EnvelopeId::parse(&value).map(EnvelopeId::into_owned)
    }
}

/// What a recipient's sender wants to hear of: the value of NOTIFY (RFC 3461 4.1).
///
/// ```
/// use smtp_proto::syntax::Notify;
///
/// let notify = Notify::parse("failure,DELAY")?;
/// assert_eq!(notify, Notify::DELAY.and(Notify::FAILURE));
/// assert!(!notify.contains(Notify::SUCCESS));
/// assert_eq!(notify.to_string(), "FAILURE,DELAY");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// Nothing at all: `NEVER`.
    pub const NEVER: Self = Self(0);
    /// Delivery: `SUCCESS`.
    pub const SUCCESS: Self = Self(1);
    /// That delivery is impossible: `FAILURE`.
    pub const FAILURE: Self = Self(2);
    /// That delivery takes its time: `DELAY`.
    pub const DELAY: Self = Self(4);

    const NAMES: [(&'static str, Self); 3] = [
        ("SUCCESS", Self::SUCCESS),
        ("FAILURE", Self::FAILURE),
        ("DELAY", Self::DELAY),
    ];

    /// Parses the value of NOTIFY, in any case. What is listed twice counts once.
    ///
    /// # Errors
    ///
    /// Fails unless `value` is `NEVER` or a list of the others without empty elements.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut wanted = Self::NEVER;
        let mut at: usize = 0;
        for element in value.split(',') {
            let (_, each) = Self::NAMES
                .into_iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(element))
                .ok_or(SyntaxError::unexpected(value.as_bytes(), at))?;
            wanted = wanted.and(each);
            at = at.saturating_add(element.len()).saturating_add(1);
        }
        Ok(wanted)
    }

    /// Returns what is wanted here or there.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all that `other` wants is wanted; all contain [`NEVER`](Self::NEVER).
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let wanted = Self::NAMES
            .into_iter()
            .filter(|(_, each)| self.contains(*each));
        for (position, (name, _)) in wanted.enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The longest value of ORCPT in bytes, as it is written (RFC 3461 5.4).
pub const MAX_ORIGINAL_RECIPIENT: usize = 500;

/// The value of ORCPT, `type;address`, as it was written: a relay changes no byte of it
/// (RFC 3461 5.2.1).
///
/// Only where the next server does not offer SMTPUTF8 an address of the type `utf-8` is
/// [recoded](Self::to_ascii).
///
/// ```
/// use smtp_proto::syntax::{ForwardPath, OriginalRecipient};
///
/// let original = OriginalRecipient::parse("rfc822;Bob+2B1@x.example")?;
/// assert_eq!(original.address_type(), "rfc822");
/// assert_eq!(original.address(), "Bob+1@x.example");
///
/// let recipient = ForwardPath::parse("<δ@x.example>")?;
/// let original = OriginalRecipient::of(&recipient)?;
/// assert_eq!(original.as_str(), "utf-8;δ@x.example");
/// assert_eq!(original.to_ascii()?.as_str(), "utf-8;\\x{3B4}@x.example");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient<'a>(Cow<'a, str>);

kept_text!(OriginalRecipient);

impl<'a> OriginalRecipient<'a> {
    /// Parses the value of ORCPT.
    ///
    /// The address of the type `utf-8` may be UTF-8, and have `\x{HEX}` for what it may not hold;
    /// that of any other type is xtext.
    ///
    /// # Errors
    ///
    /// Fails if the type is not an atom, the address is empty or malformed, or the whole exceeds
    /// [`MAX_ORIGINAL_RECIPIENT`].
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        let bytes = value.as_bytes();
        grammar::check_non_ascii(value)?;
        if bytes.len() > MAX_ORIGINAL_RECIPIENT {
            return Err(SyntaxError::new(
                SyntaxErrorKind::TooLong,
                MAX_ORIGINAL_RECIPIENT,
            ));
        }
        let length = grammar::span(bytes, VALUE);
        if length < bytes.len() {
            return Err(SyntaxError::unexpected(bytes, length));
        }
        let type_length = bytes
            .iter()
            .take_while(|byte| byte.is_ascii() && grammar::class(**byte) & ATEXT != 0)
            .count();
        let (address_type, address) = match value.split_once(';') {
            Some((address_type, address)) if (1..=type_length).contains(&address_type.len()) => {
                (address_type, address)
            }
            _ => return Err(SyntaxError::unexpected(bytes, type_length)),
        };
        let at = address_type.len().saturating_add(1);
        if address.is_empty() {
            return Err(SyntaxError::unexpected(bytes, at));
        }
        decode(address_type, address).map_err(|error| error.shifted(at))?;
        Ok(Self(Cow::Borrowed(value)))
    }

    /// Returns the type of the address, such as `rfc822` or `utf-8`, which is compared without
    /// regard to case.
    pub fn address_type(&self) -> &str {
        self.0.split(';').next().unwrap_or_default()
    }

    /// Returns the address itself.
    pub fn address(&self) -> Cow<'_, str> {
        let (address_type, address) = self.0.split_once(';').unwrap_or_default();
        // It was checked when it was parsed.
        decode(address_type, address).unwrap_or_default()
    }

    /// Returns whether the value can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Returns the value for a server that does not offer SMTPUTF8: `utf-8-addr-xtext` (RFC 6533
    /// 3). Whatever can be sent as it is stays so.
    ///
    /// # Errors
    ///
    /// Fails if the recoded value exceeds [`MAX_ORIGINAL_RECIPIENT`].
    pub fn to_ascii(&self) -> Result<OriginalRecipient<'_>, SyntaxError> {
        if self.is_ascii() {
            return Ok(OriginalRecipient(Cow::Borrowed(&self.0)));
        }
        let (address_type, address) = self.0.split_once(';').unwrap_or_default();
        // The backslash begins what is encoded already.
        let encoded = encode_utf8(address_type, address, |each| {
            each == '+' || !each.is_ascii()
        });
        OriginalRecipient::parse(&encoded).map(OriginalRecipient::into_owned)
    }
}

impl OriginalRecipient<'static> {
    /// Composes the value of an address: of UTF-8 if its type is `utf-8`, in any case, else of
    /// xtext.
    ///
    /// # Errors
    ///
    /// Fails if the type is not an atom, if the address is empty, has control characters, or is
    /// not ASCII though its type is not `utf-8`, or if the whole exceeds
    /// [`MAX_ORIGINAL_RECIPIENT`].
    pub fn new(address_type: &str, address: &str) -> Result<Self, SyntaxError> {
        let value = if is_utf8(address_type) {
            let special = |each| matches!(each, ' ' | '\\' | '+' | '=');
            encode_utf8(address_type, address, special)
        } else {
            alloc::format!("{address_type};{}", xtext::encode(address))
        };
        let original = OriginalRecipient::parse(&value)?;
        // The type has no say in where the address begins.
        if original.address_type() != address_type {
            return Err(SyntaxError::unexpected(value.as_bytes(), 0));
        }
        Ok(original.into_owned())
    }

    /// Composes the value for the recipient of a new message (RFC 3461 4.2), of the type `rfc822`
    /// or, unless it is ASCII, `utf-8`.
    ///
    /// # Errors
    ///
    /// Fails if the value exceeds [`MAX_ORIGINAL_RECIPIENT`].
    pub fn of(recipient: &ForwardPath<'_>) -> Result<Self, SyntaxError> {
        let address_type = if recipient.is_ascii() {
            "rfc822"
        } else {
            "utf-8"
        };
        match recipient {
            ForwardPath::Postmaster => Self::new(address_type, "Postmaster"),
            ForwardPath::Mailbox(mailbox) => Self::new(address_type, mailbox.as_str()),
            ForwardPath::Local(name) => Self::new(address_type, name.as_str()),
        }
    }
}

fn is_utf8(address_type: &str) -> bool {
    address_type.eq_ignore_ascii_case("utf-8")
}

fn decode<'a>(address_type: &str, address: &'a str) -> Result<Cow<'a, str>, SyntaxError> {
    if is_utf8(address_type) {
        decode_utf8(address)
    } else {
        xtext::decode_ascii(address)
    }
}

/// Writes `type;address` with `\x{HEX}` for the characters that are `special`.
fn encode_utf8(address_type: &str, address: &str, special: impl Fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(address_type.len().saturating_add(address.len()));
    encoded.push_str(address_type);
    encoded.push(';');
    for each in address.chars() {
        if special(each) {
            // Writing to a String does not fail.
            let _ = write!(encoded, "\\x{{{:X}}}", u32::from(each));
        } else {
            encoded.push(each);
        }
    }
    encoded
}

/// Decodes each `EmbeddedUnicodeChar` (RFC 6533 3); every backslash has to begin one.
fn decode_utf8(address: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let mut parts = address.split('\\');
    let plain = parts.next().unwrap_or_default();
    if plain.len() == address.len() {
        return Ok(Cow::Borrowed(address));
    }
    let mut decoded = String::with_capacity(address.len());
    decoded.push_str(plain);
    let mut at = plain.len();
    for part in parts {
        let (character, plain) =
            embedded(part).ok_or(SyntaxError::unexpected(address.as_bytes(), at))?;
        decoded.push(character);
        decoded.push_str(plain);
        at = at.saturating_add(1).saturating_add(part.len());
    }
    Ok(Cow::Owned(decoded))
}

/// Parses `"x{" HEXPOINT "}"`; returns the character and what stands after it.
fn embedded(text: &str) -> Option<(char, &str)> {
    let (digits, rest) = text.strip_prefix("x{")?.split_once('}')?;
    // HEXPOINT has two digits or, without leading zeros, more.
    let minimal = digits.len() == 2 || (3..=6).contains(&digits.len()) && !digits.starts_with('0');
    if !minimal || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let character = u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32)?;
    let allowed = match character {
        // Other controls are in HEXPOINT but in no address (RFC 6531 3.3).
        '\t' | ' ' | '+' | '=' | '\\' => true,
        '\0'..='\x7f' => false,
        _ => grammar::check_non_ascii(character.encode_utf8(&mut [0; 4])).is_ok(),
    };
    allowed.then_some((character, rest))
}
