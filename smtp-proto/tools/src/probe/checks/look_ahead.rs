//! May the next transaction's commands follow a content in one flight? Delivers a message.

use smtp_proto::syntax::{Code, ForwardPath};

use super::{
    Lost, codes,
    message::{begin, message},
    row,
};
use crate::probe::{
    dialogue::Silence,
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// How the server answers commands that come together with the end of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookAhead {
    /// As if they had come later: to the content, RSET, MAIL and RCPT.
    InStep([Code; 4]),
    /// It refuses each of them.
    Refuses([Code; 4]),
    /// Some of them it takes, some not.
    Differs([Code; 4]),
    /// It does not answer each of them.
    Loses(Lost),
    /// It does not take the message that this needs: why.
    NoTransaction(String),
    /// It does not answer what leads to the message.
    Stops(Silence),
}

pub(in crate::probe) fn check(
    session: &mut Session,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> LookAhead {
    let dialogue = &mut session.dialogue;
    match begin(dialogue, options, recipient) {
        Err(silence) => return LookAhead::Stops(silence),
        Ok(Some(refusal)) => return LookAhead::NoTransaction(refusal),
        Ok(None) => {}
    }
    let content = message(options, recipient, "commands after the content") + ".\r\n";
    let (from, to) = (&options.from, recipient);
    let ahead = format!("RSET\r\nMAIL FROM:{from}\r\nRCPT TO:{to}\r\n");
    dialogue.send_content(content.as_bytes(), ahead.as_bytes());
    let outcome = match codes(dialogue) {
        Err(lost) => return LookAhead::Loses(lost),
        Ok(codes @ [_, reset, mail, rcpt]) => {
            match [reset, mail, rcpt].map(|code| code.value() / 100 == 2) {
                // A recipient may be refused the second time: that is no matter of order.
                [true, true, _] => LookAhead::InStep(codes),
                [false, false, false] => LookAhead::Refuses(codes),
                _ => LookAhead::Differs(codes),
            }
        }
    };
    let _ = dialogue.ask(b"RSET\r\n");
    outcome
}

impl LookAhead {
    /// Tells whether the server is known to take no commands that are sent ahead.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refuses(_) | Self::Differs(_) | Self::Loses(_))
    }
}

impl Tells for LookAhead {
    fn verdict(&self) -> Verdict {
        match self {
            Self::InStep(_) => Verdict::Right,
            Self::Refuses(_) | Self::Differs(_) | Self::Loses(_) | Self::Stops(_) => Verdict::Wrong,
            Self::NoTransaction(_) => Verdict::Untested,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::InStep(codes) => format!(
                "The next transaction's commands may follow a content in one flight: {}.",
                row(codes)
            ),
            Self::Refuses(codes) => format!(
                "Refuses whatever follows a content in one flight ({}), against RFC 2920 3.1: \
                 one message takes two round trips.",
                row(codes)
            ),
            Self::Differs(codes) => format!(
                "Takes some of the commands that follow a content in one flight, and some not: {}.",
                row(codes)
            ),
            Self::Loses(lost) => format!(
                "Does not answer what follows a content in one flight: {lost}. A message could be \
                 lost, or taken for lost."
            ),
            Self::NoTransaction(refusal) => {
                format!("Not tested: the message is refused: {refusal}.")
            }
            Self::Stops(silence) => format!("Does not take a message: {silence}."),
        }
    }
}
