//! What extensions add to MAIL and RCPT: which parameter belongs to which extension, and the form
//! that all of them have.

use alloc::{boxed::Box, string::String};
use core::fmt::{self, Write};

use thiserror::Error;

use super::error::{SyntaxError, SyntaxErrorKind};
use super::extension::{Extension, beginning};
use super::grammar::{self, Grammar, KEYWORD, VALUE};

/// How many parameters a command may have: more than all known extensions together define.
pub const MAX_PARAMETERS: usize = 32;

macro_rules! parameters {
    ($($command:ident: {
        $($(#[$documentation:meta])* $name:ident = $keyword:literal, $extensions:expr, $increment:expr;)*
    })*) => {
        /// A parameter of MAIL or RCPT that this library knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ParameterName {
            $($($(#[$documentation])* $name,)*)*
        }

        impl ParameterName {
            $(/// All of the command, with the beginnings of their keywords.
            pub(super) const $command: &[(u64, Self)] =
                &[$((beginning($keyword), Self::$name),)*];)*

            /// Returns the keyword.
            pub const fn keyword(self) -> &'static str {
                match self {
                    $($(Self::$name => $keyword,)*)*
                }
            }

            /// Returns the extensions of which each brings the parameter.
            pub const fn extensions(self) -> &'static [Extension] {
                use Extension::*;
                match self {
                    $($(Self::$name => &$extensions,)*)*
                }
            }

            /// Returns by how many bytes the parameter lengthens its command line at most (RFC
            /// 1869 4.1.2).
            pub(super) const fn increment(self) -> usize {
                match self {
                    $($(Self::$name => $increment,)*)*
                }
            }
        }
    };
}

// The increments are the RFCs' figures, even where their own parameters do not fit in them (MTRK,
// TRANSID, SOLICIT), and 0 where an RFC states none. RFC 3885 2 has ENVID and ORCPT come with MTRK.
parameters! {
    MAIL: {
        /// SIZE (RFC 1870).
        Size = "SIZE", [Size], 26;
        /// BODY with `7BIT` or `8BITMIME` (RFC 6152).
        Body = "BODY", [EightBitMime], 0;
        /// BODY with `BINARYMIME` (RFC 3030 3).
        BinaryBody = "BODY", [BinaryMime], 16;
        /// SMTPUTF8 (RFC 6531).
        SmtpUtf8 = "SMTPUTF8", [SmtpUtf8], 10;
        /// AUTH (RFC 4954 5).
        Auth = "AUTH", [Auth], 500;
        /// RET (RFC 3461 4.3).
        Ret = "RET", [Dsn], 9;
        /// ENVID (RFC 3461 4.4).
        EnvId = "ENVID", [Dsn, Mtrk], 107;
        /// BY (RFC 2852).
        By = "BY", [DeliverBy], 17;
        /// HOLDFOR (RFC 4865).
        HoldFor = "HOLDFOR", [FutureRelease], 34;
        /// HOLDUNTIL (RFC 4865), of which a command has only one.
        HoldUntil = "HOLDUNTIL", [FutureRelease], 0;
        /// MT-PRIORITY (RFC 6710).
        MtPriority = "MT-PRIORITY", [MtPriority], 15;
        /// REQUIRETLS (RFC 8689).
        RequireTls = "REQUIRETLS", [RequireTls], 11;
        /// MTRK (RFC 3885).
        Mtrk = "MTRK", [Mtrk], 40;
        /// SOLICIT of MAIL (RFC 3865).
        Solicit = "SOLICIT", [NoSoliciting], 1007;
        /// CONPERM (RFC 4141).
        Conperm = "CONPERM", [Conperm], 0;
        /// TRANSID (RFC 1845), which is kept as text.
        TransId = "TRANSID", [Checkpoint], 88;
    }
    RCPT: {
        /// NOTIFY (RFC 3461 4.1).
        Notify = "NOTIFY", [Dsn], 29;
        /// ORCPT (RFC 3461 4.2).
        Orcpt = "ORCPT", [Dsn, Mtrk], 507;
        /// RRVS (RFC 7293).
        Rrvs = "RRVS", [Rrvs], 33;
        /// SOLICIT of RCPT (RFC 3865).
        RcptSolicit = "SOLICIT", [NoSoliciting], 0;
        /// CONNEG (RFC 4141).
        Conneg = "CONNEG", [Conneg], 0;
    }
}

impl ParameterName {
    /// Recognises a keyword in any case among `names`, unless its values are kept as text; of
    /// BODY, whose value it does not look at, the first.
    #[inline]
    fn recognise(names: &[(u64, Self)], keyword: &str) -> Option<Self> {
        let beginning = beginning(keyword);
        let (_, name) = names.iter().find(|(each, _)| *each == beginning)?;
        // Up to eight bytes the beginning is the whole.
        let is_whole = keyword.len() == name.keyword().len()
            && (keyword.len() <= 8 || keyword.eq_ignore_ascii_case(name.keyword()));
        (is_whole && *name != Self::TransId).then_some(*name)
    }
}

/// One parameter of MAIL or RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// Composes a parameter.
    ///
    /// # Errors
    ///
    /// Fails unless `keyword` is letters, digits and hyphens, not beginning with a hyphen, and
    /// `value` is not empty and free of `=`, white space and controls (RFC 5321 4.1.2). Encode a
    /// value that may hold those by [`xtext::encode`](super::xtext::encode) where its extension
    /// says so.
    pub fn new(keyword: &'a str, value: Option<&'a str>) -> Result<Self, SyntaxError> {
        check_keyword(keyword)?;
        if let Some(value) = value {
            grammar::check_non_ascii(value)?;
            let length = grammar::span(value.as_bytes(), VALUE);
            if length < value.len() || value.is_empty() {
                return Err(SyntaxError::unexpected(value.as_bytes(), length));
            }
        }
        Ok(Self { keyword, value })
    }

    /// Parses the parameter at the beginning of `text`, which [`grammar::check_non_ascii`] went
    /// through; returns it and where it ends: before what parts it from the next, or with `text`.
    #[inline]
    fn parse_prefix(text: &'a str, grammar: Grammar) -> Result<(Self, usize), SyntaxError> {
        let bytes = text.as_bytes();
        let length = keyword_length(bytes);
        let mut end = length;
        if let Some(b'=') = bytes.get(length) {
            let value = bytes.get(length.saturating_add(1)..).unwrap_or_default();
            let value_length = grammar::span(value, VALUE);
            end = end.saturating_add(1).saturating_add(value_length);
            if value_length == 0 {
                return Err(SyntaxError::unexpected(bytes, end));
            }
        }
        let is_end = bytes.get(end).is_none_or(|byte| grammar.parts(*byte));
        match text.get(..length) {
            Some(keyword) if length > 0 && is_end => {
                let value = text.get(length.saturating_add(1)..end);
                Ok((Self { keyword, value }, end))
            }
            _ if length > 0 => Err(SyntaxError::unexpected(bytes, end)),
            _ => Err(SyntaxError::unexpected(bytes, 0)),
        }
    }

    /// Returns the keyword as it was written.
    pub const fn keyword(&self) -> &'a str {
        self.keyword
    }

    /// Returns the value, if there is one.
    pub const fn value(&self) -> Option<&'a str> {
        self.value
    }

    /// Returns the value that the extension demands.
    pub(super) fn demanded_value(&self) -> Result<&'a str, SyntaxError> {
        self.value
            .ok_or(SyntaxError::new(SyntaxErrorKind::UnexpectedEnd, 0))
    }

    /// Returns `true`, unless there is a value, which the extension forbids.
    pub(super) fn is_flag(&self) -> Result<bool, SyntaxError> {
        match self.value {
            None => Ok(true),
            Some(_) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, 0)),
        }
    }
}

impl fmt::Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword)?;
        match self.value {
            None => Ok(()),
            Some(value) => write!(f, "={value}"),
        }
    }
}

/// What is wrong with the parameters of a command, and with which of them.
///
/// It holds nothing of what a peer sent, so that displaying it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{}: {error}", .parameter.map_or("parameter", ParameterName::keyword))]
pub struct ParameterError {
    parameter: Option<ParameterName>,
    error: SyntaxError,
}

impl ParameterError {
    pub(super) const fn new(parameter: Option<ParameterName>, error: SyntaxError) -> Self {
        Self { parameter, error }
    }

    /// Blames a parameter for standing beside another, or for standing without one.
    pub(super) const fn contradiction(parameter: ParameterName) -> Self {
        let error = SyntaxError::new(SyntaxErrorKind::Contradiction, 0);
        Self::new(Some(parameter), error)
    }

    /// Returns which parameter is wrong, if it is one that this library knows.
    pub const fn parameter(&self) -> Option<ParameterName> {
        self.parameter
    }

    /// Returns what is wrong and at which byte of the parameters.
    pub const fn error(&self) -> SyntaxError {
        self.error
    }
}

/// Gives each parameter of `text` that is one of `names` to `take`, and returns copies of the
/// others.
///
/// `text` went through [`grammar::check_non_ascii`].
#[inline]
pub(super) fn read<'a>(
    text: &'a str,
    grammar: Grammar,
    names: &[(u64, ParameterName)],
    mut take: impl FnMut(ParameterName, &Parameter<'a>) -> Result<(), SyntaxError>,
) -> Result<Others, ParameterError> {
    let mut others = Others::default();
    let mut seen: u32 = 0;
    let mut rest = next(text, grammar);
    let at = |rest: &str| text.len().saturating_sub(rest.len());
    for _ in 0..MAX_PARAMETERS {
        if rest.is_empty() && grammar == Grammar::Tolerant {
            return Ok(others);
        }
        let (parameter, end) = Parameter::parse_prefix(rest, grammar).map_err(|error| {
            let keyword = rest.get(..keyword_length(rest.as_bytes()));
            let name = keyword.and_then(|keyword| ParameterName::recognise(names, keyword));
            ParameterError::new(name, error.shifted(at(rest)))
        })?;
        let duplicate = SyntaxError::new(SyntaxErrorKind::Duplicate, at(rest));
        match ParameterName::recognise(names, parameter.keyword) {
            // RFC 1870 6, RFC 6152 3, RFC 3461 4.5
            Some(name) if seen & (1 << name as u32) != 0 => {
                return Err(ParameterError::new(Some(name), duplicate));
            }
            Some(name) => {
                seen |= 1 << name as u32;
                take(name, &parameter).map_err(|error| {
                    // Offsets count in the value, which may be missing.
                    let value = at(rest).saturating_add(parameter.keyword.len());
                    let value = value.saturating_add(1).min(text.len());
                    ParameterError::new(Some(name), error.shifted(value))
                })?;
            }
            None if others.has(parameter.keyword) => {
                return Err(ParameterError::new(None, duplicate));
            }
            None => others.keep(rest.get(..end).unwrap_or_default()),
        }
        // A space follows, or nothing.
        match rest.get(end.saturating_add(1)..) {
            None => return Ok(others),
            Some(after) => rest = next(after, grammar),
        }
    }
    let error = SyntaxError::new(SyntaxErrorKind::TooLong, at(rest));
    Err(ParameterError::new(None, error))
}

/// Returns what stands from the next parameter on. Tolerates white space before it.
#[inline]
fn next(text: &str, grammar: Grammar) -> &str {
    let mut rest = text;
    while grammar == Grammar::Tolerant
        && let Some(after) = rest.strip_prefix([' ', '\t'])
    {
        rest = after;
    }
    rest
}

/// Copies of checked parameters that this library does not know, as single spaces separate them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::box_collection,
    reason = "there are none as a rule, and every command moves the room for them"
)]
pub(super) struct Others(Option<Box<String>>);

impl Others {
    /// Adds a parameter unless it is one of `names`.
    pub(super) fn push(
        &mut self,
        parameter: Parameter<'_>,
        names: &[(u64, ParameterName)],
    ) -> Result<(), ParameterError> {
        if let Some(known) = ParameterName::recognise(names, parameter.keyword) {
            return Err(ParameterError::contradiction(known));
        }
        let kind = if self.has(parameter.keyword) {
            SyntaxErrorKind::Duplicate
        } else if self.iter().count() >= MAX_PARAMETERS {
            SyntaxErrorKind::TooLong
        } else {
            self.keep(&alloc::format!("{parameter}"));
            return Ok(());
        };
        Err(ParameterError::new(None, SyntaxError::new(kind, 0)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn is_ascii(&self) -> bool {
        self.0.as_ref().is_none_or(|text| text.is_ascii())
    }

    /// Returns the parameters in the order they were written.
    pub(super) fn iter(&self) -> impl Iterator<Item = Parameter<'_>> {
        self.0
            .iter()
            .flat_map(|text| text.split(' '))
            .map(|text| match text.split_once('=') {
                Some((keyword, value)) => Parameter {
                    keyword,
                    value: Some(value),
                },
                None => Parameter {
                    keyword: text,
                    value: None,
                },
            })
    }

    fn has(&self, keyword: &str) -> bool {
        self.iter()
            .any(|other| other.keyword.eq_ignore_ascii_case(keyword))
    }

    fn keep(&mut self, parameter: &str) {
        let text = self.0.get_or_insert_default();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(parameter);
    }
}

/// Writes parameters, each with a space before it.
pub(super) struct Writer<W>(pub(super) W);

impl<W: Write> Writer<W> {
    /// Writes ` KEYWORD` if it is there.
    pub(super) fn flag(&mut self, is_there: bool, name: ParameterName) -> fmt::Result {
        if is_there {
            self.0.write_str(" ")?;
            self.0.write_str(name.keyword())?;
        }
        Ok(())
    }

    /// Writes ` KEYWORD=text` if there is a text.
    pub(super) fn text(&mut self, name: ParameterName, text: Option<&str>) -> fmt::Result {
        if let Some(text) = text {
            self.flag(true, name)?;
            self.0.write_str("=")?;
            self.0.write_str(text)?;
        }
        Ok(())
    }

    /// Writes ` KEYWORD=value` if there is a value.
    pub(super) fn value(
        &mut self,
        name: ParameterName,
        value: Option<impl fmt::Display>,
    ) -> fmt::Result {
        match value {
            Some(value) => write!(self.0, " {}={value}", name.keyword()),
            None => Ok(()),
        }
    }

    /// Writes what is kept as text.
    pub(super) fn others(&mut self, others: &Others) -> fmt::Result {
        match &others.0 {
            Some(text) => write!(self.0, " {text}"),
            None => Ok(()),
        }
    }
}

/// Displays what is written to it, without the space that it begins with.
pub(super) struct Display<'a, 'f> {
    formatter: &'a mut fmt::Formatter<'f>,
    has_begun: bool,
}

impl<'a, 'f> Display<'a, 'f> {
    pub(super) fn new(formatter: &'a mut fmt::Formatter<'f>) -> Self {
        Self {
            formatter,
            has_begun: false,
        }
    }
}

impl Write for Display<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let shown = match core::mem::replace(&mut self.has_begun, true) {
            true => text,
            false => text.trim_start(),
        };
        self.formatter.write_str(shown)
    }
}

/// Returns the length of the `(ALPHA / DIGIT) *(ALPHA / DIGIT / "-")` at the beginning.
#[inline]
pub(super) fn keyword_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'-', ..] => 0,
        _ => grammar::span(bytes, KEYWORD),
    }
}

/// Checks that the whole is a keyword of EHLO, MAIL or RCPT.
#[inline]
pub(super) fn check_keyword(keyword: &str) -> Result<(), SyntaxError> {
    let bytes = keyword.as_bytes();
    let length = keyword_length(bytes);
    if length < bytes.len() || bytes.is_empty() {
        return Err(SyntaxError::unexpected(bytes, length));
    }
    Ok(())
}
