//! What a command is answered.

use smtp_proto::syntax::Reply;

/// What a command is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The positive reply that the machine composes.
    #[default]
    Accept,
    /// This reply, positive or negative. One that cannot answer the command, or whose text is not
    /// ASCII where it has to be, becomes a 451.
    Reply(Reply<'static>),
}

impl From<Reply<'static>> for Verdict {
    fn from(reply: Reply<'static>) -> Self {
        Self::Reply(reply)
    }
}
