//! What ends a connection, or keeps one from being made.

use std::{fmt, io, sync::Arc};

use smtp_proto::machine::{self, Misuse};

/// Tells why something could not be done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No connection could be established.
    Connect(Arc<io::Error>),
    /// The session has ended in error. It comes again at each call.
    Session {
        /// What the machine makes of it.
        error: machine::Error,
        /// What the transport said, if it failed.
        transport: Option<Arc<io::Error>>,
    },
    /// The caller asked for what cannot be done. The session goes on.
    Misuse(Misuse),
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Session {
                error,
                transport: Some(transport),
            } => write!(f, "{error}: {transport}"),
            Self::Session { error, .. } => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` has said already what is the source of the others.
        match self {
            Self::Connect(error) => error.source(),
            Self::Session { error, .. } => error.source(),
            Self::Misuse(misuse) => misuse.source(),
        }
    }
}
