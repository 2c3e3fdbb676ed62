//! What a client may ask for with MAIL and RCPT, and what it asked for.

use super::additions::{Additions, OwnParameter};
use super::replies;
use crate::syntax::{
    BodyType, Capabilities, MailParameters, Parameter, ParameterName, RcptParameters, Reply,
};

/// What MAIL settles for the transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// Whether addresses need not be ASCII (RFC 6531).
    pub(super) utf8: bool,
    /// Whether the content is not lines, so that only BDAT can carry it (RFC 3030 3).
    pub(super) binary: bool,
}

/// What a client may ask for.
pub(super) struct Offers<'a> {
    pub(super) capabilities: &'a Capabilities,
    pub(super) max_message_size: u64,
    /// Whether the client introduced itself by EHLO.
    pub(super) esmtp: bool,
    pub(super) additions: &'a Additions,
}

impl Offers<'_> {
    /// Checks the parameters of MAIL, or returns the reply that refuses them.
    pub(super) fn of_mail(
        &self,
        given: &MailParameters<'_>,
    ) -> Result<Terms, &'static Reply<'static>> {
        self.check(given.names(), given.others(), &self.additions.mail)?;
        // 1870-6.1-a
        if given.size.is_some_and(|size| size > self.max_message_size) {
            return Err(&replies::TOO_LARGE);
        }
        Ok(Terms {
            utf8: given.smtp_utf8,
            binary: given.body == Some(BodyType::BinaryMime),
        })
    }

    /// Checks the parameters of RCPT, or returns the reply that refuses them.
    pub(super) fn of_rcpt(
        &self,
        given: &RcptParameters<'_>,
    ) -> Result<(), &'static Reply<'static>> {
        self.check(given.names(), given.others(), &self.additions.rcpt)
    }

    /// Returns whether a parameter that the library knows is on offer.
    pub(super) fn has(&self, name: ParameterName) -> bool {
        self.esmtp && self.capabilities.takes(name)
    }

    /// Checks that each parameter is offered (5321-4.1.1.11-a).
    fn check<'p>(
        &self,
        mut names: impl Iterator<Item = ParameterName>,
        mut others: impl Iterator<Item = Parameter<'p>>,
        own: &[OwnParameter],
    ) -> Result<(), &'static Reply<'static>> {
        let all = names.all(|name| self.has(name)) && others.all(|other| self.has_own(&other, own));
        all.then_some(()).ok_or(&replies::NOT_OFFERED)
    }

    fn has_own(&self, parameter: &Parameter<'_>, own: &[OwnParameter]) -> bool {
        let is = |own: &&OwnParameter| own.keyword.eq_ignore_ascii_case(parameter.keyword());
        let extension = match own.iter().find(is) {
            Some(own) => &own.extension,
            // A private extension is taken to bring a parameter of its own name (RFC 5321 2.2.2).
            None if parameter.keyword().starts_with(['X', 'x']) => parameter.keyword(),
            None => return false,
        };
        self.esmtp && self.capabilities.get(extension).is_some()
    }
}
