//! Is a chunk that is refused swallowed (RFC 3030 2), or do its bytes become commands?
//!
//! MAIL, a chunk of the three bytes `xyz` for no recipient, RSET, RSET. The chunk is refused. If its
//! bytes are swallowed, both RSET are done. If not, the first one is part of the line `xyzRSET`.

use smtp_proto::syntax::{Class, Code};

use super::{Lost, codes, row};
use crate::probe::{
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// What becomes of a refused chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamProof {
    /// It is swallowed.
    Swallows,
    /// It is taken for commands.
    Executes([Code; 4]),
    /// Nothing that would explain these replies.
    Differs([Code; 4]),
    /// There are fewer replies.
    Loses(Lost),
    /// There are more replies.
    Surplus,
}

pub(in crate::probe) fn check(session: &mut Session, options: &Options) -> StreamProof {
    let dialogue = &mut session.dialogue;
    let mail = format!("MAIL FROM:{}\r\n", options.from);
    dialogue.send((mail + "BDAT 3 LAST\r\nxyzRSET\r\nRSET\r\n").as_bytes());
    let codes: [Code; 4] = match codes(dialogue) {
        Ok(codes) => codes,
        Err(lost) => return StreamProof::Loses(lost),
    };
    if dialogue.surplus().is_ok() {
        return StreamProof::Surplus;
    }
    use Class::{Permanent, Positive};
    match codes.map(Code::class) {
        [_, Permanent, Positive, Positive] => StreamProof::Swallows,
        [_, Permanent, Permanent, Positive] => StreamProof::Executes(codes),
        _ => StreamProof::Differs(codes),
    }
}

impl Tells for StreamProof {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Swallows => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Swallows => "A refused chunk is swallowed, and what follows stays in step: \
                               transactions may stream."
                .into(),
            Self::Executes(codes) => format!(
                "A refused chunk is taken for commands ({}): whoever writes the content of a message \
                 can command the server, and its replies are taken for other messages'. \
                 No stream, ever.",
                row(codes)
            ),
            Self::Differs(codes) => {
                format!(
                    "Answers {} where 2yz 5yz 2yz 2yz is right: no stream.",
                    row(codes)
                )
            }
            Self::Loses(lost) => format!("A refused chunk leaves commands unanswered: {lost}."),
            Self::Surplus => "A refused chunk gets more than one reply: no stream.".into(),
        }
    }
}
