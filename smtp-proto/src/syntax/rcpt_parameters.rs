//! What extensions add to RCPT, typed.

use alloc::vec::Vec;

use super::{
    delivery::ValidSince,
    dsn::Notify,
    error::SyntaxError,
    extension::Extension,
    original_recipient::OriginalRecipient,
    others::Others,
    parameter_error::ParameterError,
    parameters::{Parameter, Parameters, write_parameter},
    tracking::Solicitation,
};

/// Holds the parameters of RCPT that this library knows, typed, and the others as they are.
///
/// ```
/// use smtp_proto::syntax::{Notify, Parameters, RcptParameters};
///
/// let line = Parameters::parse("notify=never ORCPT=rfc822;Bob+2B@x.example")?;
/// let parameters = RcptParameters::parse(&line)?;
/// assert_eq!(parameters.notify, Some(Notify::NEVER));
/// assert_eq!(parameters.original_recipient.unwrap().address(), "Bob+@x.example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters<'a> {
    /// NOTIFY: what the sender wants to hear of (RFC 3461 4.1); without it, of failure, and of
    /// delay where that is the server's custom.
    pub notify: Option<Notify>,
    /// ORCPT: whom the message was first meant for (RFC 3461 4.2).
    pub original_recipient: Option<OriginalRecipient<'a>>,
    /// RRVS: since when the recipient has to be the same (RFC 7293).
    pub valid_since: Option<ValidSince<'a>>,
    /// SOLICIT: what the message solicits (RFC 3865).
    pub solicitation: Option<Solicitation<'a>>,
    /// CONNEG: whether to reply with what the recipient can display (RFC 4141).
    pub conneg: bool,
    others: Others,
}

impl<'a> RcptParameters<'a> {
    /// Parses the parameters of a RCPT command.
    ///
    /// Keywords that this library does not know go to the [others](Self::others). That an ORCPT
    /// which is not ASCII needs SMTPUTF8 with its MAIL is the caller's to check (RFC 6531 3.4).
    ///
    /// # Errors
    ///
    /// Fails if a value is malformed, or if a parameter that needs none has one.
    pub fn parse(parameters: &Parameters<'a>) -> Result<Self, ParameterError> {
        let mut parsed = Self::default();
        parsed.others = Others::collect(parameters, |parameter| parsed.read(parameter))?;
        Ok(parsed)
    }

    /// Reads a parameter; returns whether it is known.
    fn read(&mut self, parameter: &Parameter<'a>) -> Result<bool, SyntaxError> {
        let is = |keyword: &str| parameter.keyword().eq_ignore_ascii_case(keyword);
        let value = parameter.demanded_value();
        if is("NOTIFY") {
            self.notify = Some(Notify::parse(value?)?);
        } else if is("ORCPT") {
            self.original_recipient = Some(OriginalRecipient::parse(value?)?);
        } else if is("RRVS") {
            self.valid_since = Some(ValidSince::parse(value?)?);
        } else if is("SOLICIT") {
            self.solicitation = Some(Solicitation::parse(value?)?);
        } else if is("CONNEG") {
            parameter.check_flag()?;
            self.conneg = true;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Returns the parameters that this library does not know.
    pub fn others(&self) -> impl Iterator<Item = Parameter<'_>> {
        self.others.as_parameters().iter()
    }

    /// Adds a parameter that this library does not know.
    ///
    /// # Errors
    ///
    /// Fails if the library does know it, if there is one of its keyword, or if there are
    /// [`MAX_PARAMETERS`](super::MAX_PARAMETERS).
    pub fn push_other(&mut self, parameter: Parameter<'_>) -> Result<(), ParameterError> {
        let read = RcptParameters::default().read(&parameter);
        self.others.push(parameter, read)
    }

    /// Refuses the [others](Self::others), as a server does that knows no further extensions.
    ///
    /// # Errors
    ///
    /// Fails with the first of them (RFC 5321 4.1.1.11).
    pub fn refuse_others(&self) -> Result<(), ParameterError> {
        self.others.refuse()
    }

    /// Returns the extensions that a server has to offer for these parameters, the
    /// [others](Self::others) apart.
    pub fn extensions(&self) -> impl Iterator<Item = Extension> + use<> {
        [
            (self.notify.is_some() || self.original_recipient.is_some()).then_some(Extension::Dsn),
            self.valid_since.as_ref().map(|_| Extension::Rrvs),
            self.solicitation.as_ref().map(|_| Extension::NoSoliciting),
            self.conneg.then_some(Extension::Conneg),
        ]
        .into_iter()
        .flatten()
    }

    /// Appends each parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.conneg {
            out.extend_from_slice(b" CONNEG");
        }
        if let Some(notify) = self.notify {
            write_parameter(out, "NOTIFY", notify);
        }
        if let Some(original) = &self.original_recipient {
            write_parameter(out, "ORCPT", original);
        }
        if let Some(valid_since) = &self.valid_since {
            write_parameter(out, "RRVS", valid_since);
        }
        if let Some(solicitation) = &self.solicitation {
            write_parameter(out, "SOLICIT", solicitation);
        }
        self.others.as_parameters().write_to(out);
    }

    /// Copies what is borrowed, so that the parameters outlive the line they came from.
    pub fn into_owned(self) -> RcptParameters<'static> {
        RcptParameters {
            notify: self.notify,
            original_recipient: self.original_recipient.map(OriginalRecipient::into_owned),
            valid_since: self.valid_since.map(ValidSince::into_owned),
            solicitation: self.solicitation.map(Solicitation::into_owned),
            conneg: self.conneg,
            others: self.others,
        }
    }
}
