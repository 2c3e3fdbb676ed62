//! What a client may ask for with MAIL and RCPT, and what it asked for.

use super::additions::{Additions, OwnParameter};
use super::replies;
use crate::syntax::{
    BodyType, Capabilities, Extension, MailParameters, Parameter, Parameters, RcptParameters, Reply,
};

/// The parameters of MAIL, and the extensions that bring them.
const MAIL: &[(&str, Extension)] = &[
    ("SIZE", Extension::Size),
    ("BODY", Extension::EightBitMime),
    ("SMTPUTF8", Extension::SmtpUtf8),
    ("RET", Extension::Dsn),
    ("ENVID", Extension::Dsn),
    ("AUTH", Extension::Auth),
    ("BY", Extension::DeliverBy),
    ("HOLDFOR", Extension::FutureRelease),
    ("HOLDUNTIL", Extension::FutureRelease),
    ("MT-PRIORITY", Extension::MtPriority),
    ("MTRK", Extension::Mtrk),
    ("REQUIRETLS", Extension::RequireTls),
    ("SOLICIT", Extension::NoSoliciting),
    ("CONPERM", Extension::Conperm),
];
/// The parameters of RCPT, and the extensions that bring them.
const RCPT: &[(&str, Extension)] = &[
    ("NOTIFY", Extension::Dsn),
    ("ORCPT", Extension::Dsn),
    ("RRVS", Extension::Rrvs),
    ("SOLICIT", Extension::NoSoliciting),
    ("CONNEG", Extension::Conneg),
];

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
        parameters: &Parameters<'_>,
    ) -> Result<Terms, &'static Reply<'static>> {
        self.check_offered(parameters, MAIL, &self.additions.mail)?;
        let given = MailParameters::parse(parameters).map_err(|_| &replies::BAD_SENDER)?;
        // 1870-6.1-a
        if given.size.is_some_and(|size| size > self.max_message_size) {
            return Err(&replies::TOO_LARGE);
        }
        let binary = given.body == Some(BodyType::BinaryMime);
        if binary && !self.capabilities.has(Extension::BinaryMime) {
            return Err(&replies::NOT_OFFERED);
        }
        Ok(Terms {
            utf8: given.smtp_utf8,
            binary,
        })
    }

    /// Checks the parameters of RCPT, or returns the reply that refuses them.
    pub(super) fn of_rcpt(
        &self,
        parameters: &Parameters<'_>,
    ) -> Result<(), &'static Reply<'static>> {
        self.check_offered(parameters, RCPT, &self.additions.rcpt)?;
        let given = RcptParameters::parse(parameters);
        given.map(|_| ()).map_err(|_| &replies::BAD_RECIPIENT)
    }

    /// Checks that each parameter is offered (5321-4.1.1.11-a).
    fn check_offered(
        &self,
        parameters: &Parameters<'_>,
        names: &[(&str, Extension)],
        own: &[OwnParameter],
    ) -> Result<(), &'static Reply<'static>> {
        let all = parameters
            .iter()
            .all(|parameter| self.esmtp && self.has(&parameter, names, own));
        all.then_some(()).ok_or(&replies::NOT_OFFERED)
    }

    fn has(
        &self,
        parameter: &Parameter<'_>,
        names: &[(&str, Extension)],
        own: &[OwnParameter],
    ) -> bool {
        let is = |keyword: &str| parameter.keyword().eq_ignore_ascii_case(keyword);
        if let Some((_, extension)) = names.iter().find(|(keyword, _)| is(keyword)) {
            return self.capabilities.has(*extension);
        }
        let extension = match own.iter().find(|own| is(&own.keyword)) {
            Some(own) => &own.extension,
            // A private extension is taken to bring a parameter of its own name (RFC 5321 2.2.2).
            None if parameter.keyword().starts_with(['X', 'x']) => parameter.keyword(),
            None => return false,
        };
        self.capabilities.get(extension).is_some()
    }
}
