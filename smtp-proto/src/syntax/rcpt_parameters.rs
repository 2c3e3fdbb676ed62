//! What extensions add to RCPT.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{
    delivery::ValidSince,
    dsn::{Notify, OriginalRecipient},
    error::SyntaxError,
    grammar::{self, Appender, Grammar},
    parameters::{self, Display, Others, Parameter, ParameterError, ParameterName, Writer},
    tracking::Solicitation,
};

/// The parameters of a RCPT command: those that this library knows, typed, and the others as they
/// are.
///
/// What is rare is boxed, so that the usual parameters take little room and no allocation.
///
/// ```
/// use smtp_proto::syntax::{Notify, RcptParameters};
///
/// let parameters = RcptParameters::parse("notify=never ORCPT=rfc822;Bob+2B@x.example")?;
/// assert_eq!(parameters.notify, Some(Notify::NEVER));
/// assert_eq!(parameters.original_recipient.unwrap().address(), "Bob+@x.example");
/// # Ok::<(), smtp_proto::syntax::ParameterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters<'a> {
    /// NOTIFY: what the sender wants to hear of (RFC 3461 4.1); without it, of failure, and of
    /// delay where that is the server's custom.
    pub notify: Option<Notify>,
    /// ORCPT: whom the message was first meant for (RFC 3461 4.2).
    pub original_recipient: Option<OriginalRecipient<'a>>,
    /// RRVS: since when the recipient has to be the same (RFC 7293).
    pub valid_since: Option<Box<ValidSince<'a>>>,
    /// SOLICIT: what the message solicits (RFC 3865).
    pub solicitation: Option<Box<Solicitation<'a>>>,
    /// CONNEG: whether to reply with what the recipient can display (RFC 4141).
    pub conneg: bool,
    others: Others,
}

impl<'a> RcptParameters<'a> {
    /// Parses the parameters of a RCPT command, which single spaces separate.
    ///
    /// Keywords that this library does not know go to the [others](Self::others). That an ORCPT
    /// which is not ASCII needs SMTPUTF8 with its MAIL is the caller's to check (RFC 6531 3.4).
    ///
    /// # Errors
    ///
    /// Fails if a parameter is malformed (RFC 5321 4.1.2) or its value is, if one that needs none
    /// has one, if one is given twice, or beyond [`MAX_PARAMETERS`](super::MAX_PARAMETERS).
    pub fn parse(text: &'a str) -> Result<Self, ParameterError> {
        grammar::check_non_ascii(text).map_err(|error| ParameterError::new(None, error))?;
        let mut parsed = Self::default();
        if !text.is_empty() {
            parsed.read(text, Grammar::Strict)?;
        }
        Ok(parsed)
    }

    /// Reads parameters that [`grammar::check_non_ascii`] went through, where there are none yet.
    pub(super) fn read(&mut self, text: &'a str, grammar: Grammar) -> Result<(), ParameterError> {
        self.others = parameters::read(text, grammar, ParameterName::RCPT, |name, parameter| {
            self.take(name, parameter)
        })?;
        Ok(())
    }

    fn take(&mut self, name: ParameterName, parameter: &Parameter<'a>) -> Result<(), SyntaxError> {
        let value = parameter.demanded_value();
        match name {
            ParameterName::Notify => self.notify = Some(Notify::parse(value?)?),
            ParameterName::Orcpt => {
                self.original_recipient = Some(OriginalRecipient::parse(value?)?);
            }
            ParameterName::Rrvs => self.valid_since = Some(Box::new(ValidSince::parse(value?)?)),
            ParameterName::RcptSolicit => {
                self.solicitation = Some(Box::new(Solicitation::parse(value?)?));
            }
            ParameterName::Conneg => self.conneg = parameter.is_flag()?,
            // None of RCPT.
            _ => {}
        }
        Ok(())
    }

    /// Returns whether no parameter is given.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                notify: None,
                original_recipient: None,
                valid_since: None,
                solicitation: None,
                conneg: false,
                others,
            } if others.is_empty()
        )
    }

    /// Returns which of the parameters that this library knows are given.
    pub fn names(&self) -> impl Iterator<Item = ParameterName> + use<> {
        [
            (self.notify.is_some(), ParameterName::Notify),
            (self.original_recipient.is_some(), ParameterName::Orcpt),
            (self.valid_since.is_some(), ParameterName::Rrvs),
            (self.solicitation.is_some(), ParameterName::RcptSolicit),
            (self.conneg, ParameterName::Conneg),
        ]
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Leaves out the parameter of that name.
    pub fn remove(&mut self, name: ParameterName) {
        match name {
            ParameterName::Notify => self.notify = None,
            ParameterName::Orcpt => self.original_recipient = None,
            ParameterName::Rrvs => self.valid_since = None,
            ParameterName::RcptSolicit => self.solicitation = None,
            ParameterName::Conneg => self.conneg = false,
            // None of RCPT.
            _ => {}
        }
    }

    /// Returns whether the parameters can be written without SMTPUTF8 (RFC 6531 3.4).
    pub fn is_ascii(&self) -> bool {
        let original = self.original_recipient.as_ref();
        original.is_none_or(OriginalRecipient::is_ascii) && self.others.is_ascii()
    }

    /// Returns the parameters that this library does not know.
    pub fn others(&self) -> impl Iterator<Item = Parameter<'_>> {
        self.others.iter()
    }

    /// Adds a parameter that this library does not know.
    ///
    /// # Errors
    ///
    /// Fails if the library does know it, if there is one of its keyword, or if there are
    /// [`MAX_PARAMETERS`](super::MAX_PARAMETERS).
    pub fn push_other(&mut self, parameter: Parameter<'_>) -> Result<(), ParameterError> {
        self.others.push(parameter, ParameterName::RCPT)
    }

    /// Appends each parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // Appending bytes does not fail.
        let _ = self.write(Appender(out));
    }

    fn write(&self, out: impl fmt::Write) -> fmt::Result {
        let mut out = Writer(out);
        out.flag(self.conneg, ParameterName::Conneg)?;
        out.value(ParameterName::Notify, self.notify)?;
        let original = self.original_recipient.as_ref();
        out.text(
            ParameterName::Orcpt,
            original.map(OriginalRecipient::as_str),
        )?;
        out.value(ParameterName::Rrvs, self.valid_since.as_deref())?;
        out.value(ParameterName::RcptSolicit, self.solicitation.as_deref())?;
        out.others(&self.others)
    }

    /// Copies what is borrowed, so that the parameters outlive the line they came from.
    pub fn into_owned(self) -> RcptParameters<'static> {
        RcptParameters {
            notify: self.notify,
            original_recipient: self.original_recipient.map(OriginalRecipient::into_owned),
            valid_since: self.valid_since.map(|since| Box::new(since.into_owned())),
            solicitation: self
                .solicitation
                .map(|classes| Box::new(classes.into_owned())),
            conneg: self.conneg,
            others: self.others,
        }
    }
}

impl fmt::Display for RcptParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Display::new(f))
    }
}
