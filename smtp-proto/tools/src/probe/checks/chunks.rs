//! Is a message taken in chunks, with the next transaction right after it? Delivers a message.

use smtp_proto::syntax::{Code, ForwardPath};

use super::{Lost, codes, message::message, row};
use crate::probe::{
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// How the server takes a message in chunks, in one flight with the commands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// Whole.
    Taken,
    /// Some of it is refused: the replies to MAIL, RCPT, two chunks, RSET, MAIL and RSET.
    Differs([Code; 7]),
    /// There are fewer replies.
    Loses(Lost),
    /// There are more replies.
    Surplus,
}

pub(in crate::probe) fn check(
    session: &mut Session,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> Chunks {
    let dialogue = &mut session.dialogue;
    let content = message(options, recipient, "content in chunks");
    let (first, second) = content.as_bytes().split_at(content.len() / 2);
    let from = &options.from;
    let flight = [
        format!("MAIL FROM:{from}\r\nRCPT TO:{recipient}\r\n").as_bytes(),
        format!("BDAT {}\r\n", first.len()).as_bytes(),
        first,
        format!("BDAT {} LAST\r\n", second.len()).as_bytes(),
        second,
        format!("RSET\r\nMAIL FROM:{from}\r\nRSET\r\n").as_bytes(),
    ]
    .concat();
    dialogue.send(&flight);
    let codes: [Code; 7] = match codes(dialogue) {
        Ok(codes) => codes,
        Err(lost) => return Chunks::Loses(lost),
    };
    if dialogue.surplus().is_ok() {
        return Chunks::Surplus;
    }
    match codes.iter().all(|code| code.value() / 100 == 2) {
        true => Chunks::Taken,
        false => Chunks::Differs(codes),
    }
}

impl Tells for Chunks {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Taken => Verdict::Right,
            Self::Differs(_) => Verdict::Weak,
            Self::Loses(_) | Self::Surplus => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Taken => "A whole transaction in two chunks, and the next one after it, may go \
                            in one flight."
                .into(),
            Self::Differs(codes) => format!(
                "Answers {} to MAIL, RCPT, two chunks, RSET, MAIL, RSET in one flight.",
                row(codes)
            ),
            Self::Loses(lost) => {
                format!("A transaction in chunks leaves commands unanswered: {lost}.")
            }
            Self::Surplus => "A transaction in chunks gets more replies than commands.".into(),
        }
    }
}
