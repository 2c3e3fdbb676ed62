//! Does anything but CR LF `.` CR LF end a content (RFC 5321 4.1.1.4)? Delivers a message, and one
//! more for each thing that does.

use std::fmt;

use smtp_proto::syntax::{Code, ForwardPath};

use super::message::{begin, message};
use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
    options::Options,
};

/// What some servers take for the end of a content, in the notation of escaped bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// `\n.\n`
    LfDotLf,
    /// `\n.\r\n`
    LfDotCrLf,
    /// `\r\n.\n`
    CrLfDotLf,
    /// `\r\n.\r`
    CrLfDotCr,
    /// `\r.\r`
    CrDotCr,
}

/// What ends a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndOfContent {
    /// The right thing only; and how the content with the others in it is answered.
    Strict(Code),
    /// These too.
    Lax(Vec<Terminator>),
    /// It takes no message: why.
    NoTransaction(String),
    /// It does not answer.
    Stops(Silence),
}

pub(in crate::probe) fn check(
    dialogue: &mut Dialogue,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> EndOfContent {
    match run(dialogue, options, recipient) {
        Ok(outcome) => outcome,
        Err(silence) => EndOfContent::Stops(silence),
    }
}

fn run(
    dialogue: &mut Dialogue,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> Result<EndOfContent, Silence> {
    let content = message(options, recipient, "the end of content");
    let mut lax = Vec::new();
    let mut in_content = false;
    for terminator in Terminator::ALL {
        if !in_content {
            if let Some(refusal) = begin(dialogue, options, recipient)? {
                // What was found so far counts more than what can't be found any more.
                return Ok(match lax.is_empty() {
                    true => EndOfContent::NoTransaction(refusal),
                    false => EndOfContent::Lax(lax),
                });
            }
            dialogue.send_content(content.as_bytes(), b"");
            in_content = true;
        }
        dialogue.send(&[b"text", terminator.as_bytes()].concat());
        match dialogue.surplus() {
            Ok(_) => {
                lax.push(terminator);
                in_content = false;
            }
            Err(Silence::TimedOut) => {}
            Err(silence) => return Err(silence),
        }
    }
    if !in_content {
        return Ok(EndOfContent::Lax(lax));
    }
    let reply = dialogue.ask(b"text\r\n.\r\n")?;
    Ok(match lax.is_empty() {
        true => EndOfContent::Strict(reply.code()),
        false => EndOfContent::Lax(lax),
    })
}

impl Terminator {
    const ALL: [Self; 5] = [
        Self::LfDotLf,
        Self::LfDotCrLf,
        Self::CrLfDotLf,
        Self::CrLfDotCr,
        Self::CrDotCr,
    ];

    /// Returns it as it is sent.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::LfDotLf => b"\n.\n",
            Self::LfDotCrLf => b"\n.\r\n",
            Self::CrLfDotLf => b"\r\n.\n",
            Self::CrLfDotCr => b"\r\n.\r",
            Self::CrDotCr => b"\r.\r",
        }
    }
}

impl fmt::Display for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

impl Tells for EndOfContent {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Strict(_) => Verdict::Right,
            Self::Lax(_) | Self::Stops(_) => Verdict::Wrong,
            Self::NoTransaction(_) => Verdict::Untested,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Strict(code) => format!(
                "Only CR LF . CR LF ends a content; one with bare CR and LF in it is answered by \
                 {code}."
            ),
            Self::Lax(terminators) => {
                let all: Vec<_> = terminators.iter().map(Terminator::to_string).collect();
                format!(
                    "A content ends by {} too: messages can be smuggled through this server. \
                     Let no bare CR or LF through to it.",
                    all.join(", ")
                )
            }
            Self::NoTransaction(refusal) => {
                format!("Not tested: the message is refused: {refusal}.")
            }
            Self::Stops(silence) => format!("Stops at content with bare CR or LF: {silence}."),
        }
    }
}
