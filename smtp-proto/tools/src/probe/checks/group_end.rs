//! What becomes of the DATA at the end of a group in which no recipient was accepted (RFC 2920 3.1)?

use smtp_proto::syntax::{Class, Code};

use super::{Lost, codes};
use crate::probe::{
    dialogue::Silence,
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// How the server answers DATA without recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEnd {
    /// It refuses DATA.
    RefusesData(Code),
    /// It asks for content, and refuses it at the lone dot.
    RefusesContent(Code),
    /// It asks for content, and accepts a lone dot.
    AcceptsContent(Code),
    /// It does not answer everything.
    Loses(Lost),
    /// It asks for content, and does not answer the lone dot.
    IgnoresDot(Silence),
}

pub(in crate::probe) fn check(session: &mut Session, options: &Options) -> GroupEnd {
    let dialogue = &mut session.dialogue;
    dialogue.send(format!("MAIL FROM:{}\r\nDATA\r\n", options.from).as_bytes());
    let outcome = match codes(dialogue) {
        Err(lost) => return GroupEnd::Loses(lost),
        Ok([_, data]) if data.class() != Class::Intermediate => GroupEnd::RefusesData(data),
        // Nobody is to have it, so nothing is delivered.
        Ok(_) => match dialogue.ask(b".\r\n") {
            Err(silence) => return GroupEnd::IgnoresDot(silence),
            Ok(reply) if reply.is_positive() => GroupEnd::AcceptsContent(reply.code()),
            Ok(reply) => GroupEnd::RefusesContent(reply.code()),
        },
    };
    let _ = dialogue.ask(b"RSET\r\n");
    outcome
}

impl Tells for GroupEnd {
    fn verdict(&self) -> Verdict {
        match self {
            Self::RefusesData(_) | Self::RefusesContent(_) => Verdict::Right,
            Self::AcceptsContent(_) => Verdict::Weak,
            Self::Loses(_) | Self::IgnoresDot(_) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::RefusesData(code) => {
                format!("DATA for no recipient, at the end of a group, is refused by {code}.")
            }
            Self::RefusesContent(code) => format!(
                "DATA for no recipient, at the end of a group, gets 354, and the lone dot after it \
                 {code}: allowed, and a client has to send that dot."
            ),
            Self::AcceptsContent(code) => format!(
                "A lone dot for no recipient is answered by {code}: no client may take that for \
                 a delivery."
            ),
            Self::Loses(lost) => format!("Does not answer a group that ends in DATA: {lost}."),
            Self::IgnoresDot(silence) => format!("Does not answer a lone dot: {silence}."),
        }
    }
}
