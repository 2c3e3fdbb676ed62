//! What the arguments of announced keywords say.

use super::{
    capabilities::Capabilities,
    date_time::DateTime,
    delivery::{Hold, HoldInterval},
    error::SyntaxError,
    extension::Extension,
    forwarding::{AttributeName, ForwardingCommand},
    limits::Limits,
    number::nine_digits,
    parameters::ParameterName,
};

/// The longest command line in bytes without extensions, CR LF included (RFC 5321 4.5.3.1.4).
const COMMAND_LINE: usize = 512;
/// What a command line can have at least where DSN is offered (RFC 3461 5.4).
const DSN_LINE: usize = 1036;

/// Holds how long a server holds messages at most (RFC 4865 3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FutureRelease<'a> {
    /// The longest time that it holds one.
    pub max_interval: HoldInterval,
    /// The last date until which it holds one.
    pub max_date: DateTime<'a>,
}

impl<'a> FutureRelease<'a> {
    /// Parses the argument of FUTURERELEASE, an interval and a date.
    ///
    /// # Errors
    ///
    /// Fails if either is missing or malformed.
    pub fn parse(argument: &'a str) -> Result<Self, SyntaxError> {
        let (interval, date) = argument
            .split_once(' ')
            .ok_or(SyntaxError::unexpected(argument.as_bytes(), argument.len()))?;
        let at = interval.len().saturating_add(1);
        Ok(Self {
            max_interval: HoldInterval::parse(interval)?,
            max_date: DateTime::parse(date).map_err(|error| error.shifted(at))?,
        })
    }

    /// Tells whether the server takes a message with this demand (RFC 4865 4.1).
    pub fn allows(&self, hold: &Hold<'_>) -> bool {
        match hold {
            Hold::For(interval) => *interval <= self.max_interval,
            Hold::Until(date) => date.seconds() <= self.max_date.seconds(),
        }
    }
}

impl Capabilities {
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

    fn line_limit(&self, parameters: &[ParameterName]) -> usize {
        let offered = parameters.iter().filter(|name| self.takes(**name));
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
}
