//! What a client may ask for with MAIL and RCPT, and what it asked for.

use super::replies;
use crate::syntax::{
    BodyType, Capabilities, Extension, Mailbox, Parameter, Parameters, Reply, parse_size, xtext,
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
];
/// The parameters of RCPT, and the extensions that bring them.
const RCPT: &[(&str, Extension)] = &[
    ("NOTIFY", Extension::Dsn),
    ("ORCPT", Extension::Dsn),
    ("RRVS", Extension::Rrvs),
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
}

impl Offers<'_> {
    /// Checks the parameters of MAIL, or returns the reply that refuses them.
    pub(super) fn of_mail(
        &self,
        parameters: &Parameters<'_>,
    ) -> Result<Terms, &'static Reply<'static>> {
        self.check(parameters, MAIL, &replies::BAD_SENDER)?;
        let mut terms = Terms::default();
        for parameter in parameters.iter() {
            let is = |keyword| parameter.keyword().eq_ignore_ascii_case(keyword);
            if is("SIZE") {
                // 1870-3-b, 1870-6.1-a
                let size = parse_size(parameter.value().unwrap_or_default());
                if size.map_err(|_| &replies::BAD_SENDER)? > self.max_message_size {
                    return Err(&replies::TOO_LARGE);
                }
            } else if is("BODY") {
                // 6152-2-a, 3030-3-b
                let body = BodyType::parse(parameter.value().unwrap_or_default());
                terms.binary = body.map_err(|_| &replies::BAD_SENDER)? == BodyType::BinaryMime;
                if terms.binary && !self.capabilities.has(Extension::BinaryMime) {
                    return Err(&replies::NOT_OFFERED);
                }
            } else if is("SMTPUTF8") {
                terms.utf8 = true;
            }
        }
        Ok(terms)
    }

    /// Checks the parameters of RCPT, or returns the reply that refuses them.
    pub(super) fn of_rcpt(
        &self,
        parameters: &Parameters<'_>,
    ) -> Result<(), &'static Reply<'static>> {
        self.check(parameters, RCPT, &replies::BAD_RECIPIENT)
    }

    /// Checks that each parameter is offered (5321-4.1.1.11-a) and well-formed. What is offered but
    /// malformed is answered with `malformed`.
    fn check(
        &self,
        parameters: &Parameters<'_>,
        names: &[(&str, Extension)],
        malformed: &'static Reply<'static>,
    ) -> Result<(), &'static Reply<'static>> {
        for parameter in parameters.iter() {
            if !self.esmtp || !self.has(&parameter, names) {
                return Err(&replies::NOT_OFFERED);
            }
            if !is_well_formed(&parameter) {
                return Err(malformed);
            }
        }
        Ok(())
    }

    fn has(&self, parameter: &Parameter<'_>, names: &[(&str, Extension)]) -> bool {
        let is = |keyword: &str| parameter.keyword().eq_ignore_ascii_case(keyword);
        match names.iter().find(|(keyword, _)| is(keyword)) {
            Some((_, extension)) => self.capabilities.has(*extension),
            // A private extension is taken to bring a parameter of its own name (RFC 5321 2.2.2).
            None => {
                parameter.keyword().starts_with(['X', 'x'])
                    && self.capabilities.get(parameter.keyword()).is_some()
            }
        }
    }
}

/// Tells whether the value is of the form that the keyword demands, as far as the server need not
/// understand it. What it is to understand is checked there.
fn is_well_formed(parameter: &Parameter<'_>) -> bool {
    let is = |keyword: &str| parameter.keyword().eq_ignore_ascii_case(keyword);
    let value = parameter.value().unwrap_or_default();
    if is("RET") {
        // 3461-4.3-a
        value.eq_ignore_ascii_case("FULL") || value.eq_ignore_ascii_case("HDRS")
    } else if is("ENVID") {
        // 3461-4.4-a
        (1..=100).contains(&value.len()) && xtext::decode(value).is_ok()
    } else if is("NOTIFY") {
        // 3461-4.1-a
        let condition = |condition: &str| {
            ["SUCCESS", "FAILURE", "DELAY"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(condition))
        };
        value.eq_ignore_ascii_case("NEVER") || value.split(',').all(condition)
    } else if is("ORCPT") {
        // 3461-4.2-a, 6533-3-a
        value.len() <= 500
            && value.split_once(';').is_some_and(|(kind, address)| {
                let is_utf8 = kind.eq_ignore_ascii_case("utf-8");
                !kind.is_empty()
                    && !address.is_empty()
                    && (is_utf8 || xtext::decode(address).is_ok())
            })
    } else if is("AUTH") {
        // 4954-5-a
        value == "<>" || xtext::decode(value).is_ok_and(|it| Mailbox::parse(&it).is_ok())
    } else if is("REQUIRETLS") || is("SMTPUTF8") {
        // 8689-2-a, 6531-3.1-c
        parameter.value().is_none()
    } else {
        true
    }
}
