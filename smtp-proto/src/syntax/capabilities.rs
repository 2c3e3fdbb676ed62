//! What a server announces in its answer to EHLO.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use super::{
    delivery::{ByMode, FutureRelease},
    error::{SyntaxError, SyntaxErrorKind},
    extension::Extension,
    forwarding::{AttributeName, ForwardingCommand},
    grammar::nine_digits,
    host::Host,
    limits::Limits,
    mail_parameters::{MailParameters, parse_size},
    parameters::{ParameterName, check_keyword, keyword_length},
    reply::{MAX_REPLY_LINE, Reply},
};

/// The longest command line in bytes without extensions, CR LF included (RFC 5321 4.5.3.1.4).
const COMMAND_LINE: usize = 512;
/// What a command line can have at least where DSN is offered (RFC 3461 5.4).
const DSN_LINE: usize = 1036;

/// How many bytes of announcements are kept; real servers send a few hundred.
pub const MAX_CAPABILITIES: usize = 8192;

/// What the answer to EHLO announces: read by clients, composed by servers.
///
/// ```
/// use smtp_proto::syntax::{Capabilities, Extension, Reply};
///
/// let answer = Reply::parse(b"250-mx.example.org\r\n250-PIPELINING\r\n250 SIZE 1000\r\n")?;
/// let capabilities = Capabilities::parse(&answer);
/// assert!(capabilities.has(Extension::Pipelining));
/// assert_eq!(capabilities.max_size(), Some(1000));
/// assert_eq!(capabilities.mt_priority(), None);
/// // How long a client's line with MAIL may be, and with RCPT.
/// assert_eq!(capabilities.mail_line_limit(), 512 + 26);
/// assert_eq!(capabilities.rcpt_line_limit(), 512);
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    known: u32,
    max_size: Option<u64>,
    /// `keyword *(SP argument)`, each with an LF after it.
    lines: String,
}

impl Capabilities {
    /// Returns capabilities that announce nothing. Allocates nothing.
    pub const fn new() -> Self {
        Self {
            known: 0,
            max_size: None,
            lines: String::new(),
        }
    }

    /// Reads the answer to EHLO or LHLO.
    ///
    /// The first line names the server and is never a keyword. Malformed lines are ignored, as is
    /// what exceeds [`MAX_CAPABILITIES`]. `AUTH=` counts as `AUTH`, as old servers write it, and
    /// several lines of AUTH, LIMITS, XCLIENT or XFORWARD as one with the arguments of all.
    pub fn parse(answer: &Reply<'_>) -> Self {
        let mut capabilities = Self::new();
        let bytes = answer.as_bytes();
        // What is not UTF-8 becomes what no announcement has.
        let text = match str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        };
        let (_, mut rest) = split_line(&text);
        // Code and separator are before each announcement.
        while let Some(announcement) = rest.get(4..) {
            if capabilities.lines.capacity() == 0 {
                capabilities.lines.reserve(text.len().min(MAX_CAPABILITIES));
            }
            let length = keyword_length(announcement.as_bytes());
            let (keyword, after) = announcement.split_at_checked(length).unwrap_or_default();
            let arguments;
            // Most keywords have none: the line need not be searched for its end.
            (arguments, rest) = match after.strip_prefix("\r\n") {
                Some(next) => ("", next),
                None => split_line(after),
            };
            let arguments = arguments.trim_ascii_end();
            if keyword.is_empty() || check_arguments(arguments).is_err() {
                continue;
            }
            match arguments.as_bytes() {
                // RFC 9422 3.7: as if it were not announced.
                [b' ', limits @ ..]
                    if keyword.eq_ignore_ascii_case(Extension::Limits.keyword())
                        && Limits::parse(str::from_utf8(limits).unwrap_or_default()).is_err() =>
                {
                    continue;
                }
                [] | [b' ', ..] => capabilities.push(keyword, arguments.trim_ascii_start()),
                [b'=', ..] if keyword.eq_ignore_ascii_case("AUTH") => {
                    capabilities.push("AUTH", arguments.get(1..).unwrap_or_default())
                }
                _ => continue,
            };
        }
        capabilities
    }

    /// Returns whether `extension` is announced.
    pub const fn has(&self, extension: Extension) -> bool {
        self.known & extension.bit() != 0
    }

    /// Returns the greatest message in bytes that the server takes, if it announces one: neither
    /// SIZE without a number nor with 0, nor with more than any number can hold (RFC 1870 3).
    pub const fn max_size(&self) -> Option<u64> {
        self.max_size
    }

    /// Returns each keyword with its arguments, which are empty where there are none.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .split_terminator('\n')
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
    }

    /// Returns the arguments of `keyword`, in any case, if it is announced.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.iter()
            .find(|(announced, _)| announced.eq_ignore_ascii_case(keyword))
            .map(|(_, arguments)| arguments)
    }

    /// Returns whether an extension that brings the parameter is announced.
    pub fn takes(&self, parameter: ParameterName) -> bool {
        let extensions = parameter.extensions().iter();
        extensions.copied().any(|extension| self.has(extension))
    }

    /// Returns the announced limits, which are none if LIMITS is missing or malformed (RFC 9422
    /// 3.7).
    pub fn limits(&self) -> Limits {
        self.arguments(Extension::Limits)
            .and_then(|argument| Limits::parse(argument).ok())
            .unwrap_or_default()
    }

    /// Returns the least number of seconds with which
    /// [`ByMode::Return`](super::ByMode::Return) is accepted, 0 if there is none; `None` if
    /// DELIVERBY is missing or malformed (RFC 2852 2).
    pub fn deliver_by(&self) -> Option<u32> {
        let argument = self.arguments(Extension::DeliverBy)?;
        match argument.split(',').next() {
            None | Some("") => Some(0),
            Some(minimum) => nine_digits(minimum).ok(),
        }
    }

    /// Returns how long messages are held at most, unless FUTURERELEASE is missing or malformed
    /// (RFC 4865 3).
    pub fn future_release(&self) -> Option<FutureRelease<'_>> {
        self.arguments(Extension::FutureRelease)
            .and_then(|argument| FutureRelease::parse(argument).ok())
    }

    /// Returns the extension of which these parameters demand more than is announced: a return sooner
    /// than DELIVERBY's minimum (RFC 2852 3), or a longer hold than FUTURERELEASE's maximum (RFC 4865 4).
    pub(crate) fn exceeded_by(&self, given: &MailParameters<'_>) -> Option<Extension> {
        let is_early = given.deliver_by.is_some_and(|by| {
            let minimum = self.deliver_by().map(i64::from);
            by.mode() == ByMode::Return
                && minimum.is_some_and(|minimum| i64::from(by.seconds()) < minimum)
        });
        let is_late = given.hold.as_deref().is_some_and(|hold| {
            let maximum = self.future_release();
            maximum.is_some_and(|maximum| !maximum.allows(hold))
        });
        is_early
            .then_some(Extension::DeliverBy)
            .or(is_late.then_some(Extension::FutureRelease))
    }

    /// Returns the priority assignment policy, which is `MIXER` where none is named; `None` if
    /// MT-PRIORITY is missing or malformed (RFC 6710 3).
    pub fn mt_priority(&self) -> Option<&str> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match self.arguments(Extension::MtPriority)? {
            "" => Some("MIXER"),
            policy if policy.len() <= 20 && policy.bytes().all(letter) => Some(policy),
            _ => None,
        }
    }

    /// Returns the names of the SASL mechanisms, in the case and the order in which they are
    /// announced, whether by `AUTH` or, as old servers do, by `AUTH=`. One that both announce
    /// comes twice; what cannot be a name is left out (RFC 4422 3.1).
    pub fn auth_mechanisms(&self) -> impl Iterator<Item = &str> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        self.iter()
            .filter(|(keyword, _)| keyword.eq_ignore_ascii_case(Extension::Auth.keyword()))
            .flat_map(|(_, arguments)| arguments.split(' '))
            .filter(move |name| (1..=20).contains(&name.len()) && name.bytes().all(letter))
    }

    /// Returns the attributes that the server takes with XCLIENT or XFORWARD, of those that this
    /// library knows; none where the command is not announced.
    pub fn attributes(&self, command: ForwardingCommand) -> impl Iterator<Item = AttributeName> {
        self.get(command.as_str())
            .unwrap_or_default()
            .split(' ')
            .filter_map(move |name| AttributeName::recognise(command, name))
    }

    /// Returns how many bytes a MAIL line can have, CR LF included: 512 and what each announced
    /// extension adds (RFC 1869 4.1.2), 1036 at least with DSN (RFC 3461 5.4).
    ///
    /// A client does not exceed this; a server had better be generous.
    pub fn mail_line_limit(&self) -> usize {
        self.line_limit(ParameterName::MAIL)
    }

    /// Returns how many bytes a RCPT line can have, in the same way.
    pub fn rcpt_line_limit(&self) -> usize {
        self.line_limit(ParameterName::RCPT)
    }

    /// Announces `extension`, and what it cannot go without: 8BITMIME with SMTPUTF8 (RFC 6531
    /// 3.1), CHUNKING with BINARYMIME (RFC 3030 3).
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        if !self.has(extension) {
            self.push(extension.keyword(), "");
        }
        match extension {
            Extension::SmtpUtf8 => self.with(Extension::EightBitMime),
            Extension::BinaryMime => self.with(Extension::Chunking),
            _ => self,
        }
    }

    /// Announces SIZE with a maximum in bytes; 0 says that there is none (RFC 1870 3).
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self = self.without(Extension::Size);
        self.push(Extension::Size.keyword(), &alloc::format!("{bytes}"));
        self
    }

    /// Announces any keyword with any arguments, which single spaces separate.
    ///
    /// # Errors
    ///
    /// Fails if they are malformed (RFC 5321 4.1.1.1), too long for a line, or too many for
    /// [`MAX_CAPABILITIES`].
    pub fn with_keyword(mut self, keyword: &str, arguments: &str) -> Result<Self, SyntaxError> {
        check_keyword(keyword)?;
        check_arguments(arguments)
            .map_err(|error| error.shifted(keyword.len().saturating_add(1)))?;
        let length = keyword.len().saturating_add(arguments.len());
        // Code, separator, space and CR LF take 7.
        if length.saturating_add(7) > MAX_REPLY_LINE || !self.push(keyword, arguments) {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, length));
        }
        Ok(self)
    }

    /// Takes `extension` back, as a server does with STARTTLS once TLS is there.
    #[must_use]
    pub fn without(mut self, extension: Extension) -> Self {
        let mut kept = String::with_capacity(self.lines.len());
        for line in self.lines.split_inclusive('\n') {
            let keyword = line.split([' ', '\n']).next().unwrap_or_default();
            if !keyword.eq_ignore_ascii_case(extension.keyword()) {
                kept.push_str(line);
            }
        }
        self.lines = kept;
        self.known &= !extension.bit();
        if extension == Extension::Size {
            self.max_size = None;
        }
        self
    }

    /// Appends the whole answer to EHLO of the server `host`.
    pub fn write_reply(&self, host: &Host<'_>, out: &mut Vec<u8>) {
        let mut separator = 0;
        let mut write = |line: &[u8]| {
            separator = out.len().saturating_add(3);
            out.extend_from_slice(b"250-");
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        };
        write(host.as_str().as_bytes());
        let lines = self.lines.as_bytes();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            write(lines.get(start..end).unwrap_or_default());
            start = end.saturating_add(1);
        }
        // Only the last line has a space there.
        if let Some(separator) = out.get_mut(separator) {
            *separator = b' ';
        }
    }

    fn line_limit(&self, parameters: &[(u64, ParameterName)]) -> usize {
        let names = parameters.iter().map(|(_, name)| name);
        let offered = names.filter(|name| self.takes(**name));
        let sum = offered.fold(COMMAND_LINE, |sum, name| {
            sum.saturating_add(name.increment())
        });
        if self.has(Extension::Dsn) {
            sum.max(DSN_LINE)
        } else {
            sum
        }
    }

    fn arguments(&self, extension: Extension) -> Option<&str> {
        self.get(extension.keyword())
    }

    /// Adds a checked line; returns whether there was room for it.
    fn push(&mut self, keyword: &str, arguments: &str) -> bool {
        let length = keyword
            .len()
            .saturating_add(arguments.len())
            .saturating_add(2);
        if self.lines.len().saturating_add(length) > MAX_CAPABILITIES {
            return false;
        }
        if let Some(extension) = Extension::recognise(keyword) {
            if extension.is_list() && self.has(extension) && self.extend(extension, arguments) {
                return true;
            }
            if extension == Extension::Size && !self.has(Extension::Size) {
                self.max_size = parse_size(arguments)
                    .ok()
                    .filter(|bytes| !matches!(*bytes, 0 | u64::MAX));
            }
            self.known |= extension.bit();
        }
        self.lines.push_str(keyword);
        if !arguments.is_empty() {
            self.lines.push(' ');
            self.lines.push_str(arguments);
        }
        self.lines.push('\n');
        true
    }

    /// Adds arguments to the line of `extension`; returns whether they fit in it.
    fn extend(&mut self, extension: Extension, arguments: &str) -> bool {
        let mut end: usize = 0;
        for line in self.lines.split_terminator('\n') {
            end = end.saturating_add(line.len());
            let keyword = line.split(' ').next().unwrap_or_default();
            if keyword.eq_ignore_ascii_case(extension.keyword()) {
                let length = line.len().saturating_add(arguments.len());
                // Code, separator, space and CR LF take 7.
                if length.saturating_add(7) > MAX_REPLY_LINE {
                    return false;
                }
                if !arguments.is_empty() {
                    self.lines.insert_str(end, arguments);
                    self.lines.insert(end, ' ');
                }
                return true;
            }
            end = end.saturating_add(1);
        }
        false
    }
}

/// Writes the lines of the answer to EHLO, without codes and without the line that names the server.
#[cfg(feature = "serde")]
impl serde::Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Some formats need to know their number first.
        let lines: Vec<&str> = self.lines.split_terminator('\n').collect();
        lines.serialize(serializer)
    }
}

/// Takes what [`with_keyword`](Capabilities::with_keyword) takes, in lines of any length.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Capabilities {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let mut capabilities = Self::new();
        for line in Vec::<String>::deserialize(deserializer)? {
            let (keyword, arguments) = line.split_once(' ').unwrap_or((&line, ""));
            check_keyword(keyword).map_err(D::Error::custom)?;
            check_arguments(arguments).map_err(D::Error::custom)?;
            if !capabilities.push(keyword, arguments) {
                let at = capabilities.lines.len();
                return Err(D::Error::custom(SyntaxError::new(
                    SyntaxErrorKind::TooLong,
                    at,
                )));
            }
        }
        Ok(capabilities)
    }
}

/// Splits a text after its first line, which goes without its LF.
fn split_line(text: &str) -> (&str, &str) {
    let end = memchr::memchr(b'\n', text.as_bytes()).unwrap_or(text.len());
    let rest = text.get(end.saturating_add(1)..).unwrap_or_default();
    (text.get(..end).unwrap_or_default(), rest)
}

/// Checks `1*%d33-126 *(SP 1*%d33-126)`, or nothing at all (RFC 5321 4.1.1.1); more spaces than
/// needed do no harm.
#[inline]
fn check_arguments(arguments: &str) -> Result<(), SyntaxError> {
    let printable = |byte: &u8| matches!(byte, 32..=126);
    // Without an early exit, so that the compiler looks at many bytes at once.
    if arguments
        .as_bytes()
        .iter()
        .fold(true, |all, byte| all & printable(byte))
    {
        return Ok(());
    }
    let at = arguments.bytes().position(|byte| !printable(&byte));
    Err(SyntaxError::new(
        SyntaxErrorKind::UnexpectedByte,
        at.unwrap_or_default(),
    ))
}
