//! What extensions add to MAIL, typed.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{
    date_time::DateTime,
    delivery::{DeliverBy, Hold, HoldInterval, Priority},
    dsn::{EnvelopeId, Return},
    error::{SyntaxError, SyntaxErrorKind},
    extension::Extension,
    mailbox::Mailbox,
    others::Others,
    parameter_error::{ParameterError, ParameterErrorKind},
    parameters::{BodyType, Parameter, Parameters, parse_size, write_parameter},
    path::ReversePath,
    tracking::{Solicitation, Tracking},
    xtext,
};

/// Holds the parameters of MAIL that this library knows, typed, and the others as they are.
///
/// ```
/// use smtp_proto::syntax::{MailParameters, Parameters, Return};
///
/// let line = Parameters::parse("SIZE=500 RET=HDRS ENVID=QQ314159 X-LANE=3")?;
/// let mut parameters = MailParameters::parse(&line)?;
/// assert_eq!(parameters.size, Some(500));
/// assert_eq!(parameters.ret, Some(Return::Headers));
/// assert_eq!(parameters.others().next().unwrap().keyword(), "X-LANE");
///
/// parameters.size = None;
/// let mut out = Vec::new();
/// parameters.write_to(&mut out);
/// assert_eq!(out, b" RET=HDRS ENVID=QQ314159 X-LANE=3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    /// SIZE: how many bytes the content has, or a little more (RFC 1870 6).
    pub size: Option<u64>,
    /// BODY: what bytes the content has (RFC 6152, RFC 3030).
    pub body: Option<BodyType>,
    /// SMTPUTF8: whether addresses or headers may be UTF-8 (RFC 6531).
    pub smtp_utf8: bool,
    /// AUTH: who submitted the message first; `<>` if that is not known or not to be trusted (RFC
    /// 4954 5).
    pub auth: Option<ReversePath<'a>>,
    /// RET: how much of the message a notification returns (RFC 3461 4.3).
    pub ret: Option<Return>,
    /// ENVID: the identifier that notifications repeat (RFC 3461 4.4).
    pub envelope_id: Option<EnvelopeId<'a>>,
    /// BY: by when to deliver (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR or HOLDUNTIL: how long not to deliver (RFC 4865).
    pub hold: Option<Hold<'a>>,
    /// MT-PRIORITY: how urgent the message is (RFC 6710).
    pub priority: Option<Priority>,
    /// REQUIRETLS: whether the message may travel over verified TLS only (RFC 8689).
    pub require_tls: bool,
    /// MTRK: who may ask after the message (RFC 3885).
    pub tracking: Option<Tracking<'a>>,
    /// SOLICIT: what the message solicits (RFC 3865).
    pub solicitation: Option<Solicitation<'a>>,
    /// CONPERM: whether the content may be converted (RFC 4141).
    pub conperm: bool,
    others: Others,
}

impl<'a> MailParameters<'a> {
    /// Parses the parameters of a MAIL command.
    ///
    /// Keywords that this library does not know go to the [others](Self::others).
    ///
    /// # Errors
    ///
    /// Fails if a value is malformed, if a parameter that needs none has one, if there are both
    /// HOLDFOR and HOLDUNTIL, or like [`check`](Self::check).
    pub fn parse(parameters: &Parameters<'a>) -> Result<Self, ParameterError> {
        let mut parsed = Self::default();
        parsed.others = Others::collect(parameters, |parameter| parsed.read(parameter))?;
        parsed.check()?;
        Ok(parsed)
    }

    /// Reads a parameter; returns whether it is known.
    fn read(&mut self, parameter: &Parameter<'a>) -> Result<bool, SyntaxError> {
        let is = |keyword: &str| parameter.keyword().eq_ignore_ascii_case(keyword);
        let value = parameter.demanded_value();
        if is("SIZE") {
            self.size = Some(parse_size(value?)?);
        } else if is("BODY") {
            self.body = Some(BodyType::parse(value?)?);
        } else if is("SMTPUTF8") {
            parameter.check_flag()?;
            self.smtp_utf8 = true;
        } else if is("AUTH") {
            self.auth = Some(parse_auth(value?)?);
        } else if is("RET") {
            self.ret = Some(Return::parse(value?)?);
        } else if is("ENVID") {
            self.envelope_id = Some(EnvelopeId::parse(value?)?);
        } else if is("BY") {
            self.deliver_by = Some(DeliverBy::parse(value?)?);
        } else if is("HOLDFOR") {
            self.hold_once(Hold::For(HoldInterval::parse(value?)?))?;
        } else if is("HOLDUNTIL") {
            self.hold_once(Hold::Until(DateTime::parse(value?)?))?;
        } else if is("MT-PRIORITY") {
            self.priority = Some(Priority::parse(value?)?);
        } else if is("REQUIRETLS") {
            parameter.check_flag()?;
            self.require_tls = true;
        } else if is("MTRK") {
            self.tracking = Some(Tracking::parse(value?)?);
        } else if is("SOLICIT") {
            self.solicitation = Some(Solicitation::parse(value?)?);
        } else if is("CONPERM") {
            parameter.check_flag()?;
            self.conperm = true;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Refuses both HOLDFOR and HOLDUNTIL in one command (RFC 4865 4.1).
    fn hold_once(&mut self, hold: Hold<'a>) -> Result<(), SyntaxError> {
        match self.hold.replace(hold) {
            None => Ok(()),
            Some(_) => Err(SyntaxError::new(SyntaxErrorKind::Duplicate, 0)),
        }
    }

    /// Checks that the parameters can stand together, as those that were parsed can.
    ///
    /// # Errors
    ///
    /// Fails if MTRK comes without ENVID (RFC 3885 2), or if HOLDFOR holds a message until its
    /// deadline or longer (RFC 4865 5.2). Whether HOLDUNTIL does so depends on the time of day,
    /// which is not known here.
    pub fn check(&self) -> Result<(), ParameterError> {
        let kind = ParameterErrorKind::Contradiction;
        if self.tracking.is_some() && self.envelope_id.is_none() {
            return Err(ParameterError::new("MTRK", kind));
        }
        if let (Some(by), Some(Hold::For(interval))) = (self.deliver_by, &self.hold)
            && i64::from(interval.seconds()) >= i64::from(by.seconds())
        {
            return Err(ParameterError::new("HOLDFOR", kind));
        }
        Ok(())
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
        let read = MailParameters::default().read(&parameter);
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
        let body = match self.body {
            Some(BodyType::BinaryMime) => Some(Extension::BinaryMime),
            Some(_) => Some(Extension::EightBitMime),
            None => None,
        };
        [
            self.size.map(|_| Extension::Size),
            body,
            self.smtp_utf8.then_some(Extension::SmtpUtf8),
            self.auth.as_ref().map(|_| Extension::Auth),
            (self.ret.is_some() || self.envelope_id.is_some()).then_some(Extension::Dsn),
            self.deliver_by.map(|_| Extension::DeliverBy),
            self.hold.as_ref().map(|_| Extension::FutureRelease),
            self.priority.map(|_| Extension::MtPriority),
            self.require_tls.then_some(Extension::RequireTls),
            self.tracking.as_ref().map(|_| Extension::Mtrk),
            self.solicitation.as_ref().map(|_| Extension::NoSoliciting),
            self.conperm.then_some(Extension::Conperm),
        ]
        .into_iter()
        .flatten()
    }

    /// Appends each parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut flag = |is_set: bool, keyword: &str| {
            if is_set {
                out.push(b' ');
                out.extend_from_slice(keyword.as_bytes());
            }
        };
        flag(self.smtp_utf8, "SMTPUTF8");
        flag(self.require_tls, "REQUIRETLS");
        flag(self.conperm, "CONPERM");
        if let Some(size) = self.size {
            write_parameter(out, "SIZE", size);
        }
        if let Some(body) = self.body {
            write_parameter(out, "BODY", body.as_str());
        }
        match &self.auth {
            None => {}
            Some(ReversePath::Null) => write_parameter(out, "AUTH", "<>"),
            // RFC 5321 4.1.2: a mailbox inside a value is encoded.
            Some(ReversePath::Mailbox(mailbox)) => {
                write_parameter(out, "AUTH", xtext::encode(mailbox.as_str()));
            }
        }
        if let Some(ret) = self.ret {
            write_parameter(out, "RET", ret);
        }
        if let Some(envelope_id) = &self.envelope_id {
            write_parameter(out, "ENVID", envelope_id);
        }
        if let Some(deliver_by) = self.deliver_by {
            write_parameter(out, "BY", deliver_by);
        }
        match &self.hold {
            None => {}
            Some(Hold::For(interval)) => write_parameter(out, "HOLDFOR", interval.seconds()),
            Some(Hold::Until(date)) => write_parameter(out, "HOLDUNTIL", date),
        }
        if let Some(priority) = self.priority {
            write_parameter(out, "MT-PRIORITY", priority);
        }
        if let Some(tracking) = &self.tracking {
            write_parameter(out, "MTRK", tracking);
        }
        if let Some(solicitation) = &self.solicitation {
            write_parameter(out, "SOLICIT", solicitation);
        }
        self.others.as_parameters().write_to(out);
    }

    /// Copies what is borrowed, so that the parameters outlive the line they came from.
    pub fn into_owned(self) -> MailParameters<'static> {
        MailParameters {
            auth: self.auth.map(ReversePath::into_owned),
            envelope_id: self.envelope_id.map(EnvelopeId::into_owned),
            hold: self.hold.map(Hold::into_owned),
            tracking: self.tracking.map(Tracking::into_owned),
            solicitation: self.solicitation.map(Solicitation::into_owned),
            size: self.size,
            body: self.body,
            smtp_utf8: self.smtp_utf8,
            ret: self.ret,
            deliver_by: self.deliver_by,
            priority: self.priority,
            require_tls: self.require_tls,
            conperm: self.conperm,
            others: self.others,
        }
    }
}

/// Parses the xtext of a mailbox, or `<>` (RFC 4954 5).
fn parse_auth(value: &str) -> Result<ReversePath<'_>, SyntaxError> {
    match xtext::decode(value)? {
        path if path == "<>" => Ok(ReversePath::Null),
        Cow::Borrowed(mailbox) => Mailbox::parse(mailbox).map(ReversePath::Mailbox),
        Cow::Owned(mailbox) => Mailbox::try_from(mailbox).map(ReversePath::Mailbox),
    }
}
