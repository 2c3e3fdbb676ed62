//! What ETRN and ATRN ask for (RFC 1985, RFC 2645).

use core::fmt;

use super::{error::SyntaxError, grammar::Grammar, host::Host, text::Word};

/// The mail that ETRN asks a server to send: the node of the command (RFC 1985 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueNode<'a> {
    /// `host`: the mail for this host.
    Host(Host<'a>),
    /// `@domain`: the mail for this domain and those below it.
    Subdomains(Host<'a>),
    /// `#queue`: a queue of the server.
    Queue(Word<'a>),
}

impl<'a> QueueNode<'a> {
    /// Parses the argument of [`Command::Etrn`](super::Command::Etrn).
    ///
    /// # Errors
    ///
    /// Fails if `text` has none of the three forms.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let (marker, name) = text.split_at_checked(1).unwrap_or(("", text));
        match marker {
            "@" => Host::parse_by(name, Grammar::Strict).map(Self::Subdomains),
            "#" => Word::parse(name).map(Self::Queue),
            _ => return Host::parse_by(text, Grammar::Strict).map(Self::Host),
        }
        .map_err(|error| error.shifted(1))
    }
}

impl fmt::Display for QueueNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Subdomains(domain) => write!(f, "@{domain}"),
            Self::Queue(queue) => write!(f, "#{queue}"),
        }
    }
}

/// The domains whose mail ATRN asks for (RFC 2645 5.2); without the argument a client asks
/// for the mail of all its domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AtrnDomains<'a>(&'a str);

impl<'a> AtrnDomains<'a> {
    /// Parses domains that commas separate: the argument of ATRN.
    ///
    /// # Errors
    ///
    /// Fails if one is not a domain (RFC 5321 4.1.2) or too long.
    pub fn parse(argument: &'a str) -> Result<Self, SyntaxError> {
        let mut at: usize = 0;
        for domain in argument.split(',') {
            // The grammar has no address literals (RFC 2645 5.2).
            if domain.starts_with('[') {
                return Err(SyntaxError::unexpected(argument.as_bytes(), at));
            }
            Host::parse_by(domain, Grammar::Strict).map_err(|error| error.shifted(at))?;
            at = at.saturating_add(domain.len()).saturating_add(1);
        }
        Ok(Self(argument))
    }

    /// Returns the domains, at least one.
    pub fn iter(&self) -> impl Iterator<Item = Host<'a>> + use<'a> {
        self.0.split(',').map(Host::trusted)
    }

    /// Returns the argument as it was written.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}
