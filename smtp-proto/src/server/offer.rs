//! What EHLO's answer offers, and what a client may ask for because of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::event::Reason;
use crate::machine::Dialect;
use crate::syntax::{
    BodyType, Capabilities, Extension, Host, MailParameters, Parameter, ParameterName,
    RcptParameters, SyntaxError,
};

/// What protects what the client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protection {
    InClear,
    Tls,
    /// TLS to which an authentication can be bound (RFC 9266).
    Bound,
}

/// What an offer is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    /// What is offered but for what follows.
    pub(super) capabilities: &'a Capabilities,
    pub(super) dialect: Dialect,
    pub(super) has_starttls: bool,
    pub(super) mechanisms: &'a [Arc<str>],
    /// Whether all mechanisms may be used in clear.
    pub(super) plain_text_auth: bool,
    pub(super) max_message_size: u64,
}

/// What is offered, and so what is at the client's disposal once it is told.
#[derive(Debug)]
pub(super) struct Offer {
    capabilities: Capabilities,
    mechanisms: Vec<Arc<str>>,
    max_message_size: u64,
}

/// What MAIL settles for the transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// Whether addresses need not be ASCII (RFC 6531).
    pub(super) utf8: bool,
    /// Whether the content is not lines, so that only BDAT can carry it (RFC 3030 3).
    pub(super) binary: bool,
    /// How much content is taken.
    pub(super) max_message_size: u64,
}

impl Offer {
    pub(super) fn new(basis: &Basis<'_>, protection: Protection) -> Self {
        let mut offers = basis
            .capabilities
            .clone()
            // 3207-4.2-d
            .without(Extension::StartTls)
            .without(Extension::Auth);
        if protection == Protection::InClear {
            // 8689-2-c
            offers = offers.without(Extension::RequireTls);
        }
        if basis.dialect == Dialect::Lmtp {
            // 2033-5-b
            offers = offers
                .with(Extension::Pipelining)
                .with(Extension::EnhancedStatusCodes);
        }
        if offers.has(Extension::Size) && offers.max_size() != Some(basis.max_message_size) {
            offers = offers.with_size(basis.max_message_size);
        }
        let is_usable = |mechanism: &&Arc<str>| match protection {
            _ if mechanism.ends_with("-PLUS") => protection == Protection::Bound,
            Protection::InClear => basis.plain_text_auth || is_safe_in_clear(mechanism),
            Protection::Tls | Protection::Bound => true,
        };
        let mechanisms: Vec<Arc<str>> =
            basis.mechanisms.iter().filter(is_usable).cloned().collect();
        if !mechanisms.is_empty()
            && let Ok(with_auth) = offers.clone().with_keyword("AUTH", &mechanisms.join(" "))
        {
            offers = with_auth;
        }
        if basis.has_starttls && protection == Protection::InClear {
            offers = offers.with(Extension::StartTls);
        }
        Self {
            capabilities: offers,
            mechanisms,
            max_message_size: basis.max_message_size,
        }
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Writes EHLO's answer.
    pub(super) fn write_reply(&self, hostname: &Host<'_>, out: &mut Vec<u8>) {
        self.capabilities.write_reply(hostname, out);
    }

    /// Returns the mechanism of that name, in any case (4954-4-d), if it may be used.
    pub(super) fn mechanism(&self, name: &str) -> Option<&Arc<str>> {
        self.mechanisms
            .iter()
            .find(|mechanism| mechanism.eq_ignore_ascii_case(name))
    }

    /// Returns the mechanisms that may be used.
    #[cfg(feature = "auth")]
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.mechanisms.iter().map(AsRef::as_ref)
    }

    /// Checks the parameters of MAIL, and returns what they settle.
    pub(super) fn of_mail(
        &self,
        given: &MailParameters<'_>,
        additions: &Additions,
    ) -> Result<Terms, Reason> {
        self.check(given.names(), given.others(), &additions.mail)?;
        // 1870-6.1-a
        if given.size.is_some_and(|size| size > self.max_message_size) {
            return Err(Reason::TooLarge);
        }
        match self.capabilities.exceeded_by(given) {
            None => {}
            // 4865-4.2-a
            Some(Extension::FutureRelease) => return Err(Reason::BadArgument),
            // 2852-3-a
            Some(_) => return Err(Reason::NotOffered),
        }
        Ok(Terms {
            utf8: given.smtp_utf8,
            binary: given.body == Some(BodyType::BinaryMime),
            max_message_size: self.max_message_size,
        })
    }

    /// Checks the parameters of RCPT.
    pub(super) fn of_rcpt(
        &self,
        given: &RcptParameters<'_>,
        additions: &Additions,
    ) -> Result<(), Reason> {
        self.check(given.names(), given.others(), &additions.rcpt)
    }

    /// Checks that each parameter is offered (5321-4.1.1.11-a).
    fn check<'p>(
        &self,
        mut names: impl Iterator<Item = ParameterName>,
        mut others: impl Iterator<Item = Parameter<'p>>,
        own: &[OwnParameter],
    ) -> Result<(), Reason> {
        let all = names.all(|name| self.capabilities.takes(name))
            && others.all(|other| self.has_own(&other, own));
        all.then_some(()).ok_or(Reason::NotOffered)
    }

    fn has_own(&self, parameter: &Parameter<'_>, own: &[OwnParameter]) -> bool {
        let is = |own: &&OwnParameter| own.keyword.eq_ignore_ascii_case(parameter.keyword());
        let extension = match own.iter().find(is) {
            Some(own) => &own.extension,
            // A private extension is taken to bring a parameter of its own name (RFC 5321 2.2.2).
            None if parameter.keyword().starts_with(['X', 'x']) => parameter.keyword(),
            None => return false,
        };
        self.capabilities.get(extension).is_some()
    }
}

/// The parameters and the commands of extensions that only the application knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Additions {
    mail: Vec<OwnParameter>,
    rcpt: Vec<OwnParameter>,
    commands: Vec<Box<str>>,
}

/// A parameter of the application's.
#[derive(Clone, Debug)]
struct OwnParameter {
    keyword: Box<str>,
    /// The keyword of the extension that brings it.
    extension: Box<str>,
}

impl OwnParameter {
    fn new(keyword: &str, extension: &str) -> Result<Self, SyntaxError> {
        Parameter::new(keyword, None)?;
        Capabilities::new().with_keyword(extension, "")?;
        Ok(Self {
            keyword: keyword.into(),
            extension: extension.into(),
        })
    }
}

impl Additions {
    /// Adds a parameter of MAIL, and the extension that brings it.
    pub(super) fn add_mail(&mut self, keyword: &str, extension: &str) -> Result<(), SyntaxError> {
        self.mail.push(OwnParameter::new(keyword, extension)?);
        Ok(())
    }

    /// Adds a parameter of RCPT, and the extension that brings it.
    pub(super) fn add_rcpt(&mut self, keyword: &str, extension: &str) -> Result<(), SyntaxError> {
        self.rcpt.push(OwnParameter::new(keyword, extension)?);
        Ok(())
    }

    /// Adds a command.
    pub(super) fn add_command(&mut self, verb: &str) -> Result<(), SyntaxError> {
        Capabilities::new().with_keyword(verb, "")?;
        self.commands.push(verb.into());
        Ok(())
    }

    /// Returns whether the application handles commands of that verb, in any case.
    pub(super) fn has_command(&self, verb: &str) -> bool {
        self.commands
            .iter()
            .any(|own| own.eq_ignore_ascii_case(verb))
    }
}

/// Returns whether a mechanism may be used in clear, as whoever listens learns no credential from it.
fn is_safe_in_clear(mechanism: &str) -> bool {
    let begins = |with: &str| {
        let beginning = mechanism.get(..with.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    [
        "SCRAM-",
        "GS2-",
        "GSSAPI",
        "CRAM-MD5",
        "DIGEST-MD5",
        "EXTERNAL",
    ]
    .into_iter()
    .any(begins)
}
