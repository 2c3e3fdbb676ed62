//! How many errors does the server put up with? Only with consent: it may log or punish them.

use smtp_proto::syntax::Code;

use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
};

/// How many are tried.
const MOST: usize = 40;

/// How many errors the server puts up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errors {
    /// It answers so many, the last one by 421, and then no more.
    Ends(usize),
    /// It closed the connection after so many, without 421.
    Closes(usize),
    /// As many as were tried.
    AtLeast(usize),
    /// It stopped answering at this one.
    Stops(usize, Silence),
}

pub(in crate::probe) fn check(dialogue: &mut Dialogue) -> Errors {
    for count in 1..=MOST {
        // One exchange is evidence enough.
        dialogue.take_evidence();
        match dialogue.ask(b"RCPT TO\r\n") {
            Ok(reply) if reply.code() == Code::NOT_AVAILABLE => {
                return Errors::Ends(count);
            }
            Ok(_) => {}
            Err(Silence::Closed) => return Errors::Closes(count - 1),
            Err(silence) => return Errors::Stops(count, silence),
        }
    }
    Errors::AtLeast(MOST)
}

impl Tells for Errors {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Ends(_) | Self::Closes(_) => Verdict::Fact,
            Self::AtLeast(_) => Verdict::Weak,
            Self::Stops(..) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Ends(count) => format!(
                "Answers error {count} by 421 and ends the session: a stream of messages that it \
                 refuses may end there too."
            ),
            Self::Closes(count) => format!(
                "Closes the connection after {count} errors, without 421: a stream of messages that \
                 it refuses may end there too."
            ),
            Self::AtLeast(count) => {
                format!("Puts up with {count} malformed RCPT and more: clients may guess for long.")
            }
            Self::Stops(count, silence) => format!("Does not answer error {count}: {silence}."),
        }
    }
}
