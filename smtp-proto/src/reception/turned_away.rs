//! Why a client is not served.

use super::verdict::Refusal;

/// Says why a client is turned away before it is greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnedAway {
    /// There are too many connections, in all or from its address (421).
    Full,
    /// The application has failed (421).
    Failed,
    /// The application has refused it.
    Refused(Refusal),
    /// It was not prepared in time. Nothing is said: there may be a proxy that has not said either
    /// for whom it speaks.
    Late,
}

impl TurnedAway {
    /// Returns whether nothing is said.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.reply().is_none(),
            Self::Late => true,
            Self::Full | Self::Failed => false,
        }
    }

    /// Looks at what the application makes of a connection before it is served; nothing if it
    /// [panics](super::guarded).
    ///
    /// # Errors
    ///
    /// Fails if that turns the client away.
    pub fn unless_prepared(prepared: Option<Result<(), Refusal>>) -> Result<(), Self> {
        match prepared {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => Err(Self::Refused(refusal)),
            None => Err(Self::Failed),
        }
    }
}
