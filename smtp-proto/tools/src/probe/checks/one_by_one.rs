//! What does the server answer to commands that come one by one? The others are compared with it.

use smtp_proto::syntax::Code;

use super::row;
use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
    options::Options,
};

/// How many commands there are.
pub(super) const COMMANDS: usize = 4;

/// How the server answers commands one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneByOne {
    /// By these codes.
    Answers([Code; COMMANDS]),
    /// It does not answer this one, counted from 0.
    Stops(usize, Silence),
}

/// Returns commands whose replies can be told apart and that deliver nothing: the second MAIL is
/// refused (RFC 5321 4.1.4).
pub(super) fn commands(options: &Options) -> [String; COMMANDS] {
    let mail = format!("MAIL FROM:{}\r\n", options.from);
    let rcpt = format!("RCPT TO:{}\r\n", options.rcpt);
    [mail.clone(), rcpt, mail, "RSET\r\n".into()]
}

pub(in crate::probe) fn check(dialogue: &mut Dialogue, options: &Options) -> OneByOne {
    let mut codes = [Code::OK; COMMANDS];
    for (index, (command, code)) in commands(options).iter().zip(&mut codes).enumerate() {
        match dialogue.ask(command.as_bytes()) {
            Ok(reply) => *code = reply.code(),
            Err(silence) => return OneByOne::Stops(index, silence),
        }
    }
    OneByOne::Answers(codes)
}

impl Tells for OneByOne {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Answers([mail, _, _, reset])
                if mail.value() / 100 == 2 && reset.value() / 100 == 2 =>
            {
                Verdict::Right
            }
            Self::Answers(_) => Verdict::Fact,
            Self::Stops(..) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Answers(codes) => format!(
                "Answers {} to MAIL, RCPT, a second MAIL, and RSET.",
                row(codes)
            ),
            Self::Stops(index, silence) => {
                let command = ["MAIL", "RCPT", "a second MAIL", "RSET"].get(*index);
                let command = command.unwrap_or(&"a command");
                format!("Does not answer {command}: {silence}.")
            }
        }
    }
}
