//! Why a line is not a command, as far as the reply and the session depend on it.

use thiserror::Error;

use super::{
    error::SyntaxError,
    parameters::{ParameterError, ParameterName},
    verb::Verb,
};

/// Why a line is not a command, and what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{error}")]
pub struct CommandError {
    verb: Option<Verb>,
    kind: CommandErrorKind,
    error: SyntaxError,
}

/// What is wrong with a command, as far as it matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommandErrorKind {
    /// The line has no verb that could be recognised.
    Unrecognised,
    /// The verb is known, but not what stands after it.
    Argument,
    /// The address of MAIL or RCPT is malformed.
    Address,
    /// A parameter of MAIL or RCPT is malformed, or contradicts another: this one, if it is one
    /// that this library knows. Where it is not on offer, the answer is 555 as if it were well-formed
    /// (RFC 5321 4.1.1.11).
    Parameter(Option<ParameterName>),
    /// A BDAT without a usable size: what follows cannot be told from content, so that the
    /// connection has to be closed.
    ChunkSize,
}

impl CommandError {
    /// Blames what stands after `verb`; without one, the whole line.
    pub(super) const fn new(verb: Option<Verb>, error: SyntaxError) -> Self {
        let kind = match verb {
            None => CommandErrorKind::Unrecognised,
            Some(Verb::Bdat) => CommandErrorKind::ChunkSize,
            Some(_) => CommandErrorKind::Argument,
        };
        Self { verb, kind, error }
    }

    /// Blames the address of MAIL or RCPT.
    pub(super) const fn address(verb: Verb, error: SyntaxError) -> Self {
        Self {
            verb: Some(verb),
            kind: CommandErrorKind::Address,
            error,
        }
    }

    /// Blames a parameter of MAIL or RCPT; the parameters begin at `start`.
    pub(super) const fn parameter(verb: Verb, error: ParameterError, start: usize) -> Self {
        Self {
            verb: Some(verb),
            kind: CommandErrorKind::Parameter(error.parameter()),
            error: error.error().shifted(start),
        }
    }

    /// Returns the verb, if it was recognised.
    pub const fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// Returns what is wrong and at which byte of the line.
    pub const fn error(&self) -> SyntaxError {
        self.error
    }

    /// Returns what is wrong, as far as it matters for the answer and for the session.
    pub const fn kind(&self) -> CommandErrorKind {
        self.kind
    }
}
