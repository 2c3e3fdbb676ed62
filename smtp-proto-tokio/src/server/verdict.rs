//! What a command is answered.

use smtp_proto::{server::replies::local_error, syntax::Reply};

/// Answers a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepts it, in the machine's words.
    Accept,
    /// Answers so. A reply that cannot answer the command, or whose text is not ASCII where it has to
    /// be, counts as 451.
    Reply(Reply<'static>),
}

impl Verdict {
    pub(super) fn is_positive(&self) -> bool {
        match self {
            Self::Accept => true,
            Self::Reply(reply) => reply.is_positive(),
        }
    }
}

impl From<Reply<'static>> for Verdict {
    fn from(reply: Reply<'static>) -> Self {
        Self::Reply(reply)
    }
}

/// Takes a reply as it was composed; one that could not be counts as 451.
impl<E> From<Result<Reply<'static>, E>> for Verdict {
    fn from(reply: Result<Reply<'static>, E>) -> Self {
        Self::Reply(reply.unwrap_or_else(|_| local_error()))
    }
}
