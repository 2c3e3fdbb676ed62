//! What ends a connection, or keeps one from being made.

use alloc::sync::Arc;
use core::{error, fmt};
use std::io;

use super::url::{Server, UrlError};
use crate::{
    client::{Client, NOT_NOW, NOT_PASSED_ON},
    machine::{self, Answer, Misuse, TraceEntry},
    syntax::{AddressError, Reply},
};

const TOO_MANY: Reply<'static> = Reply::fixed("452 4.5.3 Too many recipients\r\n");

/// Tells why something could not be done. Both adapters have it as their `Error`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// The server's URL cannot be used.
    Url(UrlError),
    /// What was to be an address of an envelope is none.
    Address(AddressError),
    /// No connection could be established.
    Connect(Arc<io::Error>),
    /// The session has ended in error, or could not be opened. It comes again at each call.
    Session {
        /// What the machine makes of it.
        error: machine::Error,
        /// What the transport said, if it failed.
        transport: Option<Arc<io::Error>>,
        /// The dialogue, if one was kept and there is no client any more to ask for it.
        trace: Arc<[TraceEntry]>,
    },
    /// A source of messages failed to yield one.
    Source(Arc<dyn error::Error + Send + Sync>),
    /// The caller asked for what cannot be done. The session goes on.
    Misuse(Misuse),
}

/// A server, and why it could not be connected to.
#[derive(Debug)]
struct Unreachable {
    server: Server,
    error: Arc<io::Error>,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.error)
    }
}

/// `Display` has said already what the source is.
impl error::Error for Unreachable {}

impl Error {
    /// Creates the one of a connection that could not be established.
    pub fn connect(error: io::Error) -> Self {
        Self::Connect(Arc::new(error))
    }

    /// Creates the one of a session that has ended, with what its transport said.
    pub fn session(error: machine::Error, transport: Option<Arc<io::Error>>) -> Self {
        let trace = Arc::default();
        Self::Session {
            error,
            transport,
            trace,
        }
    }

    /// Adds which server it was that could not be connected to.
    #[must_use]
    pub fn naming(self, server: &Server) -> Self {
        match self {
            Self::Connect(error) => {
                let (kind, server) = (error.kind(), server.clone());
                Self::connect(io::Error::new(kind, Unreachable { server, error }))
            }
            other => other,
        }
    }

    /// Adds the dialogue of a session that is given up.
    #[must_use]
    pub fn with_trace_of(mut self, client: &mut Client) -> Self {
        if let Self::Session { trace, .. } = &mut self {
            *trace = core::iter::from_fn(|| client.poll_trace()).collect();
        }
        self
    }

    /// Returns why the session has ended in error, if it was one.
    pub fn machine(&self) -> Option<&machine::Error> {
        match self {
            Self::Session { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns the reply that led to it, and which command it answered.
    pub fn answer(&self) -> Option<&Answer<'static>> {
        self.machine()?.answer()
    }

    /// Returns what a proxy answers its own client to a command that could not be passed on, as
    /// [`Outcome::relayed`](crate::client::Outcome::relayed) does.
    pub fn relayed(&self) -> Reply<'static> {
        match self {
            Self::Misuse(Misuse::RecipientLimit) => TOO_MANY.clone(),
            Self::Misuse(_) | Self::Address(_) => NOT_PASSED_ON.clone(),
            _ => NOT_NOW.clone(),
        }
    }

    /// Returns whether the same may succeed later, over another connection.
    pub fn is_transient(&self) -> bool {
        match self {
            // Nobody has said to which server, or the system knows no such way.
            Self::Connect(error) => !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ),
            Self::Session { error, .. } => error.is_transient(),
            Self::Url(_) | Self::Address(_) | Self::Source(_) | Self::Misuse(_) => false,
        }
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

/// For a function that makes an envelope, too, and returns what sending it does.
impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

/// Of [`Options`](super::Options) that are there already.
impl From<core::convert::Infallible> for Error {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

/// Says in words what kept a connection from being made: this is what is seen of a `main` that returns it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => f
                .debug_tuple("Url")
                .field(&format_args!("{error}"))
                .finish(),
            Self::Address(error) => {
                let words = format_args!("{error}");
                f.debug_tuple("Address").field(&words).finish()
            }
            Self::Connect(error) => {
                let words = format_args!("{error}");
                f.debug_tuple("Connect").field(&words).finish()
            }
            Self::Session {
                error,
                transport,
                trace,
            } => {
                let mut shown = f.debug_struct("Session");
                shown.field("error", error).field("transport", transport);
                shown.field("trace", trace).finish()
            }
            Self::Source(error) => f.debug_tuple("Source").field(error).finish(),
            Self::Misuse(misuse) => f.debug_tuple("Misuse").field(misuse).finish(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Address(error) => error.fmt(f),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Session {
                error,
                transport: Some(transport),
                ..
            } => write!(f, "{error}: {transport}"),
            Self::Session { error, .. } => error.fmt(f),
            Self::Source(error) => write!(f, "no message: {error}"),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // `Display` has said already what is the source of the others.
        match self {
            Self::Url(error) => error.source(),
            Self::Address(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::Source(error) => error.source(),
            Self::Session { error, .. } => error.source(),
            Self::Misuse(misuse) => misuse.source(),
        }
    }
}
