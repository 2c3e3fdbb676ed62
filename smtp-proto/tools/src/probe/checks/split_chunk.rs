//! Is a chunk swallowed that comes in several segments?

use smtp_proto::syntax::{Class, Code};

use super::{Lost, codes, row};
use crate::probe::{
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// What becomes of a refused chunk in several segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitChunk {
    /// It is swallowed.
    Swallows,
    /// Something else: the replies to MAIL, BDAT and RSET.
    Differs([Code; 3]),
    /// There are fewer replies.
    Loses(Lost),
    /// There are more replies.
    Surplus,
}

pub(in crate::probe) fn check(session: &mut Session, options: &Options) -> SplitChunk {
    let dialogue = &mut session.dialogue;
    dialogue.send(format!("MAIL FROM:{}\r\nBDAT 8 LAST\r\nxy", options.from).as_bytes());
    dialogue.pause();
    // What looks like the end of a line, or of a content, is not one.
    dialogue.send(b"\r\n.");
    dialogue.pause();
    dialogue.send(b"\r\nzRSET\r\n");
    let codes: [Code; 3] = match codes(dialogue) {
        Ok(codes) => codes,
        Err(lost) => return SplitChunk::Loses(lost),
    };
    if dialogue.surplus().is_ok() {
        return SplitChunk::Surplus;
    }
    match codes.map(Code::class) {
        [_, Class::Permanent, Class::Positive] => SplitChunk::Swallows,
        _ => SplitChunk::Differs(codes),
    }
}

impl Tells for SplitChunk {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Swallows => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Swallows => {
                "A refused chunk is swallowed in however many segments it comes.".into()
            }
            Self::Differs(codes) => format!(
                "Answers {} to MAIL, a refused chunk in several segments, and RSET: no stream.",
                row(codes)
            ),
            Self::Loses(lost) => {
                format!("A refused chunk in several segments leaves commands unanswered: {lost}.")
            }
            Self::Surplus => {
                "A refused chunk in several segments gets more than one reply: no stream.".into()
            }
        }
    }
}
