//! What EHLO's answer offers, and what a client may ask for because of it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::additions::{Additions, OwnParameters};
use super::event::Reason;
use crate::syntax::{
    BodyType, Capabilities, Extension, Host, MailParameters, Parameter, ParameterName,
    RcptParameters,
};

/// What is offered, and so what is at the client's disposal once it is told.
#[derive(Debug, Default)]
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
    pub(super) fn new(
        capabilities: Capabilities,
        mechanisms: Vec<Arc<str>>,
        max_message_size: u64,
    ) -> Self {
        Self {
            capabilities,
            mechanisms,
            max_message_size,
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
        self.check(given.names(), given.others(), additions.mail())?;
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
        self.check(given.names(), given.others(), additions.rcpt())
    }

    /// Checks that each parameter is offered (5321-4.1.1.11-a).
    fn check<'p>(
        &self,
        mut names: impl Iterator<Item = ParameterName>,
        mut others: impl Iterator<Item = Parameter<'p>>,
        own: &OwnParameters,
    ) -> Result<(), Reason> {
        let brings = |other: &Parameter<'_>| {
            let extension = own.extension_of(other.keyword());
            extension.is_some_and(|it| self.capabilities.get(it).is_some())
        };
        let all =
            names.all(|name| self.capabilities.takes(name)) && others.all(|other| brings(&other));
        all.then_some(()).ok_or(Reason::NotOffered)
    }
}
