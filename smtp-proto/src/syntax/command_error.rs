//! Why a line is not a command.

use thiserror::Error;

use super::{code::Code, error::SyntaxError, verb::Verb};

/// Tells why a line is not a command, and what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{error}")]
pub struct CommandError {
    verb: Option<Verb>,
    error: SyntaxError,
}

/// Names what is wrong with a command, as far as it matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommandErrorKind {
    /// The line has no verb that could be recognised.
    Unrecognised,
    /// The verb is known, but not what stands after it.
    Argument,
    /// A BDAT without a usable size: what follows cannot be told from content, so that the
    /// connection has to be closed.
    ChunkSize,
}

impl CommandError {
    pub(super) const fn new(verb: Option<Verb>, error: SyntaxError) -> Self {
        Self { verb, error }
    }

    /// Returns the verb, if it was recognised.
    pub const fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// Returns what is wrong and at which byte of the line.
    pub const fn error(&self) -> SyntaxError {
        self.error
    }

    /// Returns what it means for the session.
    pub const fn kind(&self) -> CommandErrorKind {
        match self.verb {
            None => CommandErrorKind::Unrecognised,
            Some(Verb::Bdat) => CommandErrorKind::ChunkSize,
            Some(_) => CommandErrorKind::Argument,
        }
    }

    /// Returns the code of the reply: 500 if the verb was not recognised, else 501 (RFC 5321
    /// 4.2.4).
    pub const fn reply_code(&self) -> Code {
        match self.verb {
            None => Code::SYNTAX_ERROR,
            Some(_) => Code::ARGUMENT_ERROR,
        }
    }
}
