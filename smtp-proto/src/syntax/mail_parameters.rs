//! What extensions add to MAIL.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::fmt;

use super::{
    date_time::DateTime,
    delivery::{DeliverBy, Hold, HoldInterval, Priority},
    dsn::{EnvelopeId, Return},
    error::{SyntaxError, SyntaxErrorKind},
    grammar::{self, Appender, Grammar, MAX_DIGITS, decimal},
    mailbox::Mailbox,
    parameters::{self, Display, Others, Parameter, ParameterError, ParameterName, Writer},
    path::ReversePath,
    tracking::{Solicitation, Tracking},
    xtext,
};

/// The parameters of a MAIL command: those that this library knows, typed, and the others as they
/// are.
///
/// What is rare is boxed, so that the usual parameters take little room and no allocation.
///
/// ```
/// use smtp_proto::syntax::{MailParameters, Parameter, Return};
///
/// let mut parameters = MailParameters::parse("SIZE=500 RET=HDRS ENVID=QQ314159 X-LANE=3")?;
/// assert_eq!(parameters.size, Some(500));
/// assert_eq!(parameters.ret, Some(Return::Headers));
/// assert_eq!(parameters.others().next().unwrap().keyword(), "X-LANE");
///
/// parameters.size = None;
/// parameters.push_other(Parameter::new("X-FAST", None)?)?;
/// assert_eq!(parameters.to_string(), "RET=HDRS ENVID=QQ314159 X-LANE=3 X-FAST");
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
    pub auth: Option<Box<ReversePath<'a>>>,
    /// RET: how much of the message a notification returns (RFC 3461 4.3).
    pub ret: Option<Return>,
    /// ENVID: the identifier that notifications repeat (RFC 3461 4.4).
    pub envelope_id: Option<Box<EnvelopeId<'a>>>,
    /// BY: by when to deliver (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR or HOLDUNTIL: how long not to deliver (RFC 4865).
    pub hold: Option<Box<Hold<'a>>>,
    /// MT-PRIORITY: how urgent the message is (RFC 6710).
    pub priority: Option<Priority>,
    /// REQUIRETLS: whether the message may travel over verified TLS only (RFC 8689).
    pub require_tls: bool,
    /// MTRK: who may ask after the message (RFC 3885).
    pub tracking: Option<Box<Tracking<'a>>>,
    /// SOLICIT: what the message solicits (RFC 3865).
    pub solicitation: Option<Box<Solicitation<'a>>>,
    /// CONPERM: whether the content may be converted (RFC 4141).
    pub conperm: bool,
    others: Others,
}

impl<'a> MailParameters<'a> {
    /// Parses the parameters of a MAIL command, which single spaces separate.
    ///
    /// Keywords that this library does not know go to the [others](Self::others).
    ///
    /// # Errors
    ///
    /// Fails if a parameter is malformed (RFC 5321 4.1.2) or its value is, if one that needs none
    /// has one, if one is given twice or there are both HOLDFOR and HOLDUNTIL, beyond
    /// [`MAX_PARAMETERS`](super::MAX_PARAMETERS), or like [`check`](Self::check).
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
        self.others = parameters::read(text, grammar, ParameterName::MAIL, |name, parameter| {
            self.take(name, parameter)
        })?;
        self.check()
    }

    fn take(&mut self, name: ParameterName, parameter: &Parameter<'a>) -> Result<(), SyntaxError> {
        let value = parameter.demanded_value();
        match name {
            ParameterName::Size => self.size = Some(parse_size(value?)?),
            ParameterName::Body => self.body = Some(BodyType::parse(value?)?),
            ParameterName::SmtpUtf8 => self.smtp_utf8 = parameter.is_flag()?,
            ParameterName::Auth => self.auth = Some(Box::new(parse_auth(value?)?)),
            ParameterName::Ret => self.ret = Some(Return::parse(value?)?),
            ParameterName::EnvId => {
                self.envelope_id = Some(Box::new(EnvelopeId::parse(value?)?));
            }
            ParameterName::By => self.deliver_by = Some(DeliverBy::parse(value?)?),
            ParameterName::HoldFor => self.hold_once(Hold::For(HoldInterval::parse(value?)?))?,
            ParameterName::HoldUntil => self.hold_once(Hold::Until(DateTime::parse(value?)?))?,
            ParameterName::MtPriority => self.priority = Some(Priority::parse(value?)?),
            ParameterName::RequireTls => self.require_tls = parameter.is_flag()?,
            ParameterName::Mtrk => self.tracking = Some(Box::new(Tracking::parse(value?)?)),
            ParameterName::Solicit => {
                self.solicitation = Some(Box::new(Solicitation::parse(value?)?));
            }
            ParameterName::Conperm => self.conperm = parameter.is_flag()?,
            // None of MAIL.
            _ => {}
        }
        Ok(())
    }

    /// Refuses both HOLDFOR and HOLDUNTIL in one command (RFC 4865 4.1).
    fn hold_once(&mut self, hold: Hold<'a>) -> Result<(), SyntaxError> {
        match self.hold.replace(Box::new(hold)) {
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
        if self.tracking.is_some() && self.envelope_id.is_none() {
            return Err(ParameterError::contradiction(ParameterName::Mtrk));
        }
        if let (Some(by), Some(Hold::For(interval))) = (self.deliver_by, self.hold.as_deref())
            && i64::from(interval.seconds()) >= i64::from(by.seconds())
        {
            return Err(ParameterError::contradiction(ParameterName::HoldFor));
        }
        Ok(())
    }

    /// Returns whether no parameter is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.names().next().is_none() && self.others.is_empty()
    }

    /// Returns which of the parameters that this library knows are given.
    pub fn names(&self) -> impl Iterator<Item = ParameterName> + use<> {
        use ParameterName as Name;
        let body = match self.body {
            Some(BodyType::BinaryMime) => Name::BinaryBody,
            _ => Name::Body,
        };
        let hold = match self.hold.as_deref() {
            Some(Hold::Until(_)) => Name::HoldUntil,
            _ => Name::HoldFor,
        };
        [
            (self.size.is_some(), Name::Size),
            (self.body.is_some(), body),
            (self.smtp_utf8, Name::SmtpUtf8),
            (self.auth.is_some(), Name::Auth),
            (self.ret.is_some(), Name::Ret),
            (self.envelope_id.is_some(), Name::EnvId),
            (self.deliver_by.is_some(), Name::By),
            (self.hold.is_some(), hold),
            (self.priority.is_some(), Name::MtPriority),
            (self.require_tls, Name::RequireTls),
            (self.tracking.is_some(), Name::Mtrk),
            (self.solicitation.is_some(), Name::Solicit),
            (self.conperm, Name::Conperm),
        ]
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Leaves out the parameter of that name.
    pub fn remove(&mut self, name: ParameterName) {
        match name {
            ParameterName::Size => self.size = None,
            ParameterName::Body | ParameterName::BinaryBody => self.body = None,
            ParameterName::SmtpUtf8 => self.smtp_utf8 = false,
            ParameterName::Auth => self.auth = None,
            ParameterName::Ret => self.ret = None,
            ParameterName::EnvId => self.envelope_id = None,
            ParameterName::By => self.deliver_by = None,
            ParameterName::HoldFor | ParameterName::HoldUntil => self.hold = None,
            ParameterName::MtPriority => self.priority = None,
            ParameterName::RequireTls => self.require_tls = false,
            ParameterName::Mtrk => self.tracking = None,
            ParameterName::Solicit => self.solicitation = None,
            ParameterName::Conperm => self.conperm = false,
            // None of MAIL.
            _ => {}
        }
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
        self.others.push(parameter, ParameterName::MAIL)
    }

    /// Appends each parameter with a space before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // Appending bytes does not fail.
        let _ = self.write(Appender(out));
    }

    fn write(&self, out: impl fmt::Write) -> fmt::Result {
        let mut out = Writer(out);
        out.flag(self.smtp_utf8, ParameterName::SmtpUtf8)?;
        out.flag(self.require_tls, ParameterName::RequireTls)?;
        out.flag(self.conperm, ParameterName::Conperm)?;
        let mut digits = [0; MAX_DIGITS];
        let size = self.size.map(|size| decimal(size, &mut digits));
        out.text(ParameterName::Size, size)?;
        out.text(ParameterName::Body, self.body.map(BodyType::as_str))?;
        // RFC 5321 4.1.2: a mailbox inside a value is encoded.
        let auth = self.auth.as_deref().map(|path| match path {
            ReversePath::Null => Cow::Borrowed("<>"),
            ReversePath::Mailbox(mailbox) => xtext::encode(mailbox.as_str()),
        });
        out.text(ParameterName::Auth, auth.as_deref())?;
        out.text(ParameterName::Ret, self.ret.map(Return::as_str))?;
        let envelope_id = self.envelope_id.as_deref().map(EnvelopeId::as_str);
        out.text(ParameterName::EnvId, envelope_id)?;
        out.value(ParameterName::By, self.deliver_by)?;
        match self.hold.as_deref() {
            None => {}
            Some(Hold::For(interval)) => {
                out.value(ParameterName::HoldFor, Some(interval.seconds()))?;
            }
            Some(Hold::Until(date)) => out.value(ParameterName::HoldUntil, Some(date))?,
        }
        out.value(ParameterName::MtPriority, self.priority)?;
        out.value(ParameterName::Mtrk, self.tracking.as_deref())?;
        out.value(ParameterName::Solicit, self.solicitation.as_deref())?;
        out.others(&self.others)
    }

    /// Copies what is borrowed, so that the parameters outlive the line they came from.
    pub fn into_owned(self) -> MailParameters<'static> {
        MailParameters {
            auth: self.auth.map(|auth| Box::new(auth.into_owned())),
            envelope_id: self.envelope_id.map(|id| Box::new(id.into_owned())),
            hold: self.hold.map(|hold| Box::new(hold.into_owned())),
            tracking: self
                .tracking
                .map(|tracking| Box::new(tracking.into_owned())),
            solicitation: self
                .solicitation
                .map(|classes| Box::new(classes.into_owned())),
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

impl fmt::Display for MailParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Display::new(f))
    }
}

/// What bytes the content has: the values of BODY (RFC 6152 2, RFC 3030 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// `7BIT`: lines of ASCII, also what a MAIL without BODY means.
    SevenBit,
    /// `8BITMIME`: lines with any bytes but CR, LF.
    EightBitMime,
    /// `BINARYMIME`: any bytes; only with BDAT.
    BinaryMime,
}

impl BodyType {
    /// Parses the value of BODY, in any case.
    ///
    /// # Errors
    ///
    /// Fails on any other value.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        [Self::SevenBit, Self::EightBitMime, Self::BinaryMime]
            .into_iter()
            .find(|body| body.as_str().eq_ignore_ascii_case(value))
            .ok_or(SyntaxError::unexpected(value.as_bytes(), 0))
    }

    /// Returns the value of BODY.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

/// Parses the value of SIZE: 1 to 20 digits, where what exceeds [`u64::MAX`] counts as that
/// (RFC 1870 3).
pub(super) fn parse_size(value: &str) -> Result<u64, SyntaxError> {
    let mut size: u64 = 0;
    for (at, byte) in value.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(SyntaxError::unexpected(value.as_bytes(), at));
        }
        if at == 20 {
            return Err(SyntaxError::new(SyntaxErrorKind::TooLong, at));
        }
        let digit = u64::from(byte.wrapping_sub(b'0'));
        // Saturates for good: a 21st digit is refused.
        size = size.saturating_mul(10).saturating_add(digit);
    }
    if value.is_empty() {
        return Err(SyntaxError::unexpected(value.as_bytes(), 0));
    }
    Ok(size)
}

/// Parses the xtext of a mailbox, or `<>` (RFC 4954 5).
fn parse_auth(value: &str) -> Result<ReversePath<'_>, SyntaxError> {
    match xtext::decode(value)? {
        path if path == "<>" => Ok(ReversePath::Null),
        Cow::Borrowed(mailbox) => Mailbox::parse_bare(mailbox).map(ReversePath::Mailbox),
        Cow::Owned(mailbox) => Mailbox::try_from(mailbox).map(ReversePath::Mailbox),
    }
}
