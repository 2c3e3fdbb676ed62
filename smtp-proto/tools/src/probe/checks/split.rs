//! Are commands understood whose lines come in several segments?

use smtp_proto::syntax::{Code, Extension};

use super::row;
use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// How the server answers commands in several segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// As if they had come whole.
    InStep,
    /// As if they had come whole, but only once the next command is whole too.
    HeldBack,
    /// Otherwise than whole ones.
    Differs {
        /// What it says to MAIL that comes whole.
        expected: Code,
        /// To MAIL and RSET.
        codes: [Code; 2],
    },
    /// Not.
    Stops(Silence),
}

pub(in crate::probe) fn check(session: &mut Session, options: &Options, expected: Code) -> Split {
    let pipelining = session.offers(Extension::Pipelining);
    let dialogue = &mut session.dialogue;
    let address = format!("M:{}\r", options.from);
    for piece in [&b"MAIL FRO"[..], address.as_bytes()] {
        dialogue.send(piece);
        dialogue.pause();
    }
    // The end of MAIL and the beginning of the next command, where that may be sent by now.
    dialogue.send(if pipelining { b"\nRS" } else { b"\n" });
    match rest(dialogue, pipelining) {
        Err(silence) => Split::Stops(silence),
        Ok((_, codes @ [mail, reset]))
            if mail.class() != expected.class() || reset.value() / 100 != 2 =>
        {
            Split::Differs { expected, codes }
        }
        Ok((true, _)) => Split::HeldBack,
        Ok((false, _)) => Split::InStep,
    }
}

/// Sends the rest; returns whether MAIL's reply waited for it, and the replies.
fn rest(dialogue: &mut Dialogue, pipelining: bool) -> Result<(bool, [Code; 2]), Silence> {
    if !pipelining {
        let mail = dialogue.reply()?.code();
        return Ok((false, [mail, dialogue.ask(b"RSET\r\n")?.code()]));
    }
    let early = match dialogue.surplus() {
        Ok(reply) => Some(reply.code()),
        Err(Silence::TimedOut) => None,
        Err(silence) => return Err(silence),
    };
    dialogue.send(b"ET\r\n");
    let mail = match early {
        Some(code) => code,
        None => dialogue.reply()?.code(),
    };
    Ok((early.is_none(), [mail, dialogue.reply()?.code()]))
}

impl Tells for Split {
    fn verdict(&self) -> Verdict {
        match self {
            Self::InStep => Verdict::Right,
            Self::HeldBack => Verdict::Weak,
            Self::Differs { .. } | Self::Stops(_) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::InStep => "Command lines may come in any number of segments.".into(),
            Self::HeldBack => "Holds a reply back while the next command is unfinished, against \
                               RFC 2920 3.2: a client that waits for it in mid-line waits for ever \
                               (this one does not)."
                .into(),
            Self::Differs { expected, codes } => format!(
                "Answers {} to MAIL and RSET in several segments, where a whole MAIL gets {expected}: \
                 commands are torn by the network.",
                row(codes)
            ),
            Self::Stops(silence) => format!(
                "Does not answer commands that come in several segments: {silence}. Any network \
                 may split a segment: no way of sending is safe from it."
            ),
        }
    }
}
