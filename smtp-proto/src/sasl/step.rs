//! How a server goes on with an exchange.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::syntax::Reply;

/// Says how an exchange goes on.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Asks the client for more (334). Empty where the client begins and has not (4422-5-a).
    Challenge(Vec<u8>),
    /// Lets it in (235) under this name.
    Accept(String),
    /// Turns it down, 535 mostly.
    Reject(Reply<'static>),
}

/// Shows no challenge: what it proves may be a secret.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(...)"),
            Self::Accept(name) => f.debug_tuple("Accept").field(name).finish(),
            Self::Reject(reply) => f.debug_tuple("Reject").field(reply).finish(),
        }
    }
}

/// Returns the reply to credentials that are not right, whatever is wrong with them: 535 5.7.8
/// (RFC 4954 6).
pub fn invalid_credentials() -> Reply<'static> {
    Reply::fixed("535 5.7.8 Authentication credentials invalid\r\n")
}
