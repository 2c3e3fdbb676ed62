//! Why something could not be done.

use std::{fmt, io, sync::Arc};

use smtp_proto::machine::{self, Misuse};

/// Tells why something could not be done.
///
/// Outcomes of messages are no errors: they come in
/// [`Report`](smtp_proto::client::Report)s, also when the connection fails.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed.
    Io(Arc<io::Error>),
    /// The session failed.
    Session(machine::Error),
    /// It cannot be asked for now; the session goes on.
    Misuse(Misuse),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Session(error) => error.source(),
            Self::Misuse(misuse) => misuse.source(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<machine::Error> for Error {
    fn from(error: machine::Error) -> Self {
        Self::Session(error)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}
