//! What a proxy or a filter says about the client it speaks for: XCLIENT and XFORWARD, as Postfix
//! defines them.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    xtext,
};

/// The longest value of an attribute in bytes, as it is written.
pub const MAX_ATTRIBUTE: usize = 255;

/// The longest command line in bytes, CR LF included.
const MAX_LINE: usize = 512;

const UNAVAILABLE: &str = "[UNAVAILABLE]";
const TEMPORARILY_UNAVAILABLE: &str = "[TEMPUNAVAIL]";

/// A command that tells about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardingCommand {
    /// `XCLIENT`: the server is to act as if that client had connected.
    XClient,
    /// `XFORWARD`: the server is to log that client.
    XForward,
}

impl ForwardingCommand {
    /// Returns the verb, which is the keyword of EHLO too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XClient => "XCLIENT",
            Self::XForward => "XFORWARD",
        }
    }

    /// Returns the attributes that the command can have.
    pub const fn attributes(self) -> &'static [AttributeName] {
        use AttributeName::{
            Addr, DestAddr, DestPort, Helo, Ident, Login, Name, Port, Proto, Source,
        };
        match self {
            Self::XClient => &[Name, Addr, Port, Proto, Helo, Login, DestAddr, DestPort],
            Self::XForward => &[Name, Addr, Port, Proto, Helo, Ident, Source],
        }
    }
}

/// The name of an attribute of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeName {
    /// Its host name.
    Name,
    /// Its address.
    Addr,
    /// Its port.
    Port,
    /// The protocol it speaks: `SMTP` or `ESMTP`.
    Proto,
    /// The name it gave in EHLO or HELO.
    Helo,
    /// The name it authenticated with.
    Login,
    /// The address it connected to.
    DestAddr,
    /// The port it connected to.
    DestPort,
    /// The identifier of its message.
    Ident,
    /// Whether the message is `LOCAL` or `REMOTE`.
    Source,
}

impl AttributeName {
    /// Returns the name as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Helo => "HELO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
            Self::Ident => "IDENT",
            Self::Source => "SOURCE",
        }
    }

    /// Recognises a name in any case among those of `command`.
    pub(super) fn recognise(command: ForwardingCommand, name: &str) -> Option<Self> {
        let mut names = command.attributes().iter().copied();
        names.find(|known| known.as_str().eq_ignore_ascii_case(name))
    }
}

/// What is known of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeValue<'a> {
    /// `[UNAVAILABLE]`: nothing, and it stays so.
    Unavailable,
    /// `[TEMPUNAVAIL]`: nothing for now; only a [name](AttributeName::Name) can be so.
    TemporarilyUnavailable,
    /// The decoded value.
    Text(Cow<'a, str>),
}

/// One checked attribute, `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute<'a> {
    name: AttributeName,
    /// The value in xtext.
    value: Cow<'a, str>,
}

impl<'a> Attribute<'a> {
    /// Composes an attribute that is not known.
    pub const fn unavailable(name: AttributeName) -> Self {
        Self {
            name,
            value: Cow::Borrowed(UNAVAILABLE),
        }
    }

    /// Composes an address: [`Addr`](AttributeName::Addr) or [`DestAddr`](AttributeName::DestAddr).
    ///
    /// # Errors
    ///
    /// Fails if `name` is another.
    pub fn address(name: AttributeName, address: IpAddr) -> Result<Self, SyntaxError> {
        let text = match address {
            IpAddr::V4(address) => alloc::format!("{address}"),
            IpAddr::V6(address) => alloc::format!("IPV6:{address}"),
        };
        if !matches!(name, AttributeName::Addr | AttributeName::DestAddr) {
            return Err(SyntaxError::unexpected(text.as_bytes(), 0));
        }
        Ok(Self {
            name,
            value: Cow::Owned(text),
        })
    }

    /// Composes an attribute of a text.
    ///
    /// # Errors
    ///
    /// Fails if `text` is empty, exceeds [`MAX_ATTRIBUTE`] when encoded, or is not what `name`
    /// demands: an address, a port, `LOCAL` or `REMOTE`, a login without control characters, or
    /// printable ASCII without spaces.
    pub fn new(name: AttributeName, text: &str) -> Result<Attribute<'static>, SyntaxError> {
        let value = xtext::encode(text).into_owned();
        check(name, &value)?;
        Ok(Attribute {
            name,
            value: Cow::Owned(value),
        })
    }

    /// Parses `name=xtext`.
    fn parse(command: ForwardingCommand, text: &'a str) -> Result<Self, SyntaxError> {
        let (name, value) = text
            .split_once('=')
            .ok_or(SyntaxError::unexpected(text.as_bytes(), text.len()))?;
        let at = name.len().saturating_add(1);
        let name = AttributeName::recognise(command, name)
            .ok_or(SyntaxError::unexpected(text.as_bytes(), 0))?;
        check(name, value).map_err(|error| error.shifted(at))?;
        Ok(Self {
            name,
            value: Cow::Borrowed(value),
        })
    }

    /// Returns the name.
    pub const fn name(&self) -> AttributeName {
        self.name
    }

    /// Returns the value.
    pub fn value(&self) -> AttributeValue<'_> {
        if is_unavailable(&self.value) {
            AttributeValue::Unavailable
        } else if is_temporarily_unavailable(self.name, &self.value) {
            AttributeValue::TemporarilyUnavailable
        } else {
            // It was checked when it was parsed or composed.
            AttributeValue::Text(xtext::decode(&self.value).unwrap_or_default())
        }
    }

    /// Returns the value as an address, if it is one.
    pub fn ip_address(&self) -> Option<IpAddr> {
        match self.name {
            AttributeName::Addr | AttributeName::DestAddr => parse_address(&self.value),
            _ => None,
        }
    }

    /// Returns the value as a port, if it is one.
    pub fn port(&self) -> Option<u16> {
        match self.name {
            AttributeName::Port | AttributeName::DestPort => parse_port(&self.value),
            _ => None,
        }
    }

    /// Copies the text, so that the attribute outlives the line it came from.
    pub fn into_owned(self) -> Attribute<'static> {
        Attribute {
            name: self.name,
            value: Cow::Owned(self.value.into_owned()),
        }
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        out.extend_from_slice(self.name.as_str().as_bytes());
        out.push(b'=');
        out.extend_from_slice(self.value.as_bytes());
    }
}

/// The checked argument of XCLIENT or XFORWARD: attributes that single spaces separate.
///
/// ```
/// use smtp_proto::syntax::{AttributeName, Attributes, ForwardingCommand};
///
/// let argument = "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1";
/// let attributes = Attributes::parse(ForwardingCommand::XClient, argument)?;
/// let address = attributes.get(AttributeName::Addr).unwrap();
/// assert_eq!(address.ip_address(), "2001:db8::1".parse().ok());
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes<'a> {
    command: ForwardingCommand,
    text: &'a str,
}

impl<'a> Attributes<'a> {
    /// Parses `1*(name=xtext)`.
    ///
    /// # Errors
    ///
    /// Fails if an attribute is given twice, not one of `command`, or malformed as
    /// [`Attribute::new`] says.
    pub fn parse(command: ForwardingCommand, argument: &'a str) -> Result<Self, SyntaxError> {
        let mut seen: u16 = 0;
        let mut at: usize = 0;
        for text in argument.split(' ') {
            let attribute = Attribute::parse(command, text).map_err(|error| error.shifted(at))?;
            let mark = 1 << attribute.name as u16;
            if seen & mark != 0 {
                return Err(SyntaxError::new(SyntaxErrorKind::Duplicate, at));
            }
            seen |= mark;
            at = at.saturating_add(text.len()).saturating_add(1);
        }
        Ok(Self {
            command,
            text: argument,
        })
    }

    /// Returns the command that they belong to.
    pub const fn command(&self) -> ForwardingCommand {
        self.command
    }

    /// Returns the attributes in the order they were written, at least one.
    pub fn iter(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let command = self.command;
        // All of them could be parsed before.
        self.text
            .split(' ')
            .filter_map(move |text| Attribute::parse(command, text).ok())
    }

    /// Returns the attribute of that name, if it is given.
    pub fn get(&self, name: AttributeName) -> Option<Attribute<'a>> {
        self.iter().find(|attribute| attribute.name == name)
    }

    /// Returns the argument as it was written.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.command.as_str(), self.text)
    }
}

/// Appends as many commands as `attributes` need, each a line of at most 512 bytes. NAME and ADDR
/// go last: with them a server may take the peer's authority away.
///
/// ```
/// use smtp_proto::syntax::{Attribute, AttributeName, ForwardingCommand, write_attributes};
///
/// let attributes = [
///     Attribute::address(AttributeName::Addr, "192.0.2.1".parse()?)?,
///     Attribute::new(AttributeName::Login, "alice")?,
/// ];
/// let mut lines = Vec::new();
/// write_attributes(ForwardingCommand::XClient, &attributes, &mut lines);
/// assert_eq!(lines, b"XCLIENT LOGIN=alice ADDR=192.0.2.1\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each command gets a reply. Attributes that `command` does not have are left out.
pub fn write_attributes(
    command: ForwardingCommand,
    attributes: &[Attribute<'_>],
    out: &mut Vec<u8>,
) {
    let is_last = |attribute: &&Attribute<'_>| {
        matches!(attribute.name, AttributeName::Name | AttributeName::Addr)
    };
    let allowed = |attribute: &&Attribute<'_>| command.attributes().contains(&attribute.name);
    let first = attributes.iter().filter(|attribute| !is_last(attribute));
    let last = attributes.iter().filter(is_last);
    let mut start = None;
    for attribute in first.chain(last).filter(allowed) {
        // Space, `=` and the CR LF to come.
        let length = attribute.name.as_str().len() + attribute.value.len() + 4;
        match start {
            Some(start) if out.len().saturating_sub(start).saturating_add(length) <= MAX_LINE => {}
            _ => {
                if start.is_some() {
                    out.extend_from_slice(b"\r\n");
                }
                start = Some(out.len());
                out.extend_from_slice(command.as_str().as_bytes());
            }
        }
        attribute.write_to(out);
    }
    if start.is_some() {
        out.extend_from_slice(b"\r\n");
    }
}

/// Checks a value in xtext.
fn check(name: AttributeName, value: &str) -> Result<(), SyntaxError> {
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return Err(SyntaxError::unexpected(bytes, 0));
    }
    if bytes.len() > MAX_ATTRIBUTE {
        return Err(SyntaxError::new(SyntaxErrorKind::TooLong, MAX_ATTRIBUTE));
    }
    let decoded = xtext::decode(value)?;
    // Only the name of a user may have spaces and non-ASCII.
    let plain = |byte: u8| byte.is_ascii_graphic() || name == AttributeName::Login;
    if let Some(at) = decoded.bytes().position(|byte| !plain(byte)) {
        return Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, at));
    }
    let fits = match name {
        _ if is_unavailable(value) => true,
        AttributeName::Addr | AttributeName::DestAddr => parse_address(value).is_some(),
        AttributeName::Port | AttributeName::DestPort => parse_port(value).is_some(),
        AttributeName::Source => ["LOCAL", "REMOTE"]
            .iter()
            .any(|source| source.eq_ignore_ascii_case(value)),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(SyntaxError::unexpected(bytes, 0))
    }
}

fn is_unavailable(value: &str) -> bool {
    value.eq_ignore_ascii_case(UNAVAILABLE)
}

fn is_temporarily_unavailable(name: AttributeName, value: &str) -> bool {
    name == AttributeName::Name && value.eq_ignore_ascii_case(TEMPORARILY_UNAVAILABLE)
}

/// Parses an IPv4 address, or an IPv6 address after its tag.
fn parse_address(value: &str) -> Option<IpAddr> {
    match value.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => value.parse().ok().map(IpAddr::V4),
    }
}

fn parse_port(value: &str) -> Option<u16> {
    // The standard library takes a sign.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits)
}
