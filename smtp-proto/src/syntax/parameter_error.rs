//! Why parameters of MAIL or RCPT are not accepted.

use alloc::string::String;

use thiserror::Error;

use super::{code::Code, error::SyntaxError};

/// Tells which parameter is wrong, and what to answer.
///
/// It holds nothing of the value, and a keyword is letters, digits and hyphens, so that displaying
/// it is safe whatever a peer sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error("{keyword}: {kind}")]
pub struct ParameterError {
    keyword: String,
    kind: ParameterErrorKind,
}

/// Names what is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ParameterErrorKind {
    /// The value is malformed, missing, or there although the parameter has none. Offsets count
    /// in the value.
    #[error("{0}")]
    Malformed(SyntaxError),
    /// It cannot stand beside another parameter, or not without one.
    #[error("contradicts the other parameters")]
    Contradiction,
    /// The keyword is not known.
    #[error("not known")]
    Unknown,
}

impl ParameterError {
    pub(super) fn new(keyword: &str, kind: ParameterErrorKind) -> Self {
        Self {
            keyword: keyword.into(),
            kind,
        }
    }

    pub(super) fn malformed(keyword: &str, error: SyntaxError) -> Self {
        Self::new(keyword, ParameterErrorKind::Malformed(error))
    }

    /// Returns the keyword of the parameter, as it was written.
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// Returns what is wrong.
    pub const fn kind(&self) -> ParameterErrorKind {
        self.kind
    }

    /// Returns the code of the reply: 555 if the keyword is not known (RFC 5321 4.1.1.11), else
    /// 501.
    pub const fn reply_code(&self) -> Code {
        match self.kind {
            ParameterErrorKind::Unknown => Code::PARAMETERS_NOT_RECOGNISED,
            _ => Code::ARGUMENT_ERROR,
        }
    }
}
