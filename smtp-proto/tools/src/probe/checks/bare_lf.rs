//! Does a bare LF end a command line (RFC 5321 2.3.8)? `RSET LF RSET CR LF` tells.

use smtp_proto::syntax::Code;

use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
};

/// What a bare LF in a command line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BareLf {
    /// The line is refused.
    Refused(Code),
    /// The connection is closed, without a word or after one.
    Closes(Option<Code>),
    /// The line is taken for one command, as if the LF were a space.
    Ignored(Code),
    /// It ends the line: two commands.
    EndsLine,
    /// The server is silent.
    Silent,
}

pub(in crate::probe) fn check(dialogue: &mut Dialogue) -> BareLf {
    let reply = match dialogue.ask(b"RSET\nRSET\r\n") {
        Ok(reply) => reply,
        Err(Silence::Closed) => return BareLf::Closes(None),
        Err(_) => return BareLf::Silent,
    };
    match dialogue.surplus() {
        Ok(_) => BareLf::EndsLine,
        Err(Silence::Closed) => BareLf::Closes(Some(reply.code())),
        Err(_) if reply.is_positive() => BareLf::Ignored(reply.code()),
        Err(_) => BareLf::Refused(reply.code()),
    }
}

impl Tells for BareLf {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(_) | Self::Closes(_) => Verdict::Right,
            Self::Ignored(_) | Self::EndsLine => Verdict::Weak,
            Self::Silent => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Refused(code) => format!("A bare LF in a command line is refused by {code}."),
            Self::Closes(Some(code)) => format!(
                "A bare LF in a command line is answered by {code}, and the connection is closed."
            ),
            Self::Closes(None) => "A bare LF in a command line ends the connection.".into(),
            Self::Ignored(code) => format!(
                "A bare LF in a command line is taken for a space ({code}): harmless to a client \
                 that never sends one."
            ),
            Self::EndsLine => "A bare LF ends a command line. If it ends lines of content too, \
                               messages can be smuggled into this server: relay nothing to it \
                               unchecked."
                .into(),
            Self::Silent => "A line with a bare LF in it gets no answer at all.".into(),
        }
    }
}
