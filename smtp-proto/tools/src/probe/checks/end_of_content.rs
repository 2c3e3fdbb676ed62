//! Does anything but CR LF `.` CR LF end a content (RFC 5321 4.1.1.4)? Delivers two messages, or one
//! for each thing that does and one more.

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
    /// `\n.\r`
    LfDotCr,
    /// `\r\n.\r`
    CrLfDotCr,
    /// `\r\n.\r\r\n`
    CrLfDotCrCrLf,
    /// `\r.\n`
    CrDotLf,
    /// `\r.\r\n`
    CrDotCrLf,
    /// `\r.\r`
    CrDotCr,
    /// `\r\n\0.\r\n`
    CrLfNulDotCrLf,
    /// `\r\n.\0\r\n`
    CrLfDotNulCrLf,
}

/// What ends a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndOfContent {
    /// The right thing only; and how the content with the others in it is answered.
    Strict(Code),
    /// These too.
    Lax(Vec<Terminator>),
    /// These too where the first line ended in LF alone.
    LaxAfterLf(Vec<Terminator>),
    /// The first bare CR or LF ends the session, by this reply.
    Refuses(Code),
    /// It takes no message: why.
    NoTransaction(String),
    /// It does not answer.
    Stops(Silence),
}

/// What becomes of something in the midst of a content.
enum Taken {
    /// It is content.
    AsContent,
    /// It ends the content.
    AsEnd,
    /// It is refused, and nothing more is answered.
    Refused(Code),
}

pub(in crate::probe) fn check(
    dialogue: &mut Dialogue,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> EndOfContent {
    let content = message(options, recipient, "the end of content");
    let outcome = run(dialogue, options, recipient, &content, &Terminator::ALL);
    if !matches!(outcome, EndOfContent::Strict(_)) {
        return outcome;
    }
    // Exim, for one, goes by the end of the first line.
    let content = content.replacen("\r\n", "\n", 1);
    match run(dialogue, options, recipient, &content, &Terminator::BY_LF) {
        EndOfContent::Lax(terminators) => EndOfContent::LaxAfterLf(terminators),
        _ => outcome,
    }
}

/// Sends a content with all of these in it, or as many contents as they end.
fn run(
    dialogue: &mut Dialogue,
    options: &Options,
    recipient: &ForwardPath<'_>,
    content: &str,
    terminators: &[Terminator],
) -> EndOfContent {
    let mut lax = Vec::new();
    let mut in_content = false;
    // What was found so far counts more than what cannot be found any more.
    let end = |lax: Vec<_>, outcome| match lax.is_empty() {
        true => outcome,
        false => EndOfContent::Lax(lax),
    };
    for terminator in terminators {
        if !in_content {
            match begin(dialogue, options, recipient) {
                Ok(None) => {}
                Ok(Some(refusal)) => return end(lax, EndOfContent::NoTransaction(refusal)),
                Err(silence) => return end(lax, EndOfContent::Stops(silence)),
            }
            dialogue.send_content(content.as_bytes(), b"");
        }
        match offer(dialogue, *terminator) {
            Ok(Taken::AsContent) => in_content = true,
            Ok(Taken::AsEnd) => {
                lax.push(*terminator);
                in_content = false;
            }
            Ok(Taken::Refused(code)) => return end(lax, EndOfContent::Refuses(code)),
            Err(silence) => return end(lax, EndOfContent::Stops(silence)),
        }
    }
    if !in_content {
        return EndOfContent::Lax(lax);
    }
    match dialogue.ask(b"text\r\n.\r\n") {
        Ok(reply) => end(lax, EndOfContent::Strict(reply.code())),
        Err(silence) => end(lax, EndOfContent::Stops(silence)),
    }
}

/// Sends what may end a content; an answer tells.
fn offer(dialogue: &mut Dialogue, terminator: Terminator) -> Result<Taken, Silence> {
    dialogue.send(&[b"text", terminator.as_bytes()].concat());
    dialogue.pause();
    // Content, or else a command; and what servers wait for that look past a CR.
    dialogue.send(b"NOOP\r\n");
    let first = match dialogue.surplus() {
        Ok(reply) => reply,
        Err(Silence::TimedOut) => return Ok(Taken::AsContent),
        Err(silence) => return Err(silence),
    };
    if dialogue.surplus().is_err() && !first.is_positive() {
        return Ok(Taken::Refused(first.code()));
    }
    while dialogue.surplus().is_ok() {}
    Ok(Taken::AsEnd)
}

impl Terminator {
    const ALL: [Self; 11] = [
        Self::LfDotLf,
        Self::LfDotCrLf,
        Self::CrLfDotLf,
        Self::LfDotCr,
        Self::CrLfDotCr,
        Self::CrLfDotCrCrLf,
        Self::CrDotLf,
        Self::CrDotCrLf,
        Self::CrDotCr,
        Self::CrLfNulDotCrLf,
        Self::CrLfDotNulCrLf,
    ];
    const BY_LF: [Self; 3] = [Self::LfDotLf, Self::LfDotCrLf, Self::CrLfDotLf];

    /// Returns it as it is sent.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::LfDotLf => b"\n.\n",
            Self::LfDotCrLf => b"\n.\r\n",
            Self::CrLfDotLf => b"\r\n.\n",
            Self::LfDotCr => b"\n.\r",
            Self::CrLfDotCr => b"\r\n.\r",
            Self::CrLfDotCrCrLf => b"\r\n.\r\r\n",
            Self::CrDotLf => b"\r.\n",
            Self::CrDotCrLf => b"\r.\r\n",
            Self::CrDotCr => b"\r.\r",
            Self::CrLfNulDotCrLf => b"\r\n\0.\r\n",
            Self::CrLfDotNulCrLf => b"\r\n.\0\r\n",
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
            Self::Strict(_) | Self::Refuses(_) => Verdict::Right,
            Self::Lax(_) | Self::LaxAfterLf(_) | Self::Stops(_) => Verdict::Wrong,
            Self::NoTransaction(_) => Verdict::Untested,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Strict(code) => format!(
                "Only CR LF . CR LF ends a content; one with bare CR and LF in it is answered by \
                 {code}."
            ),
            Self::Refuses(code) => format!(
                "The first bare CR or LF in a content gets {code} at once, and ends the session."
            ),
            Self::Lax(terminators) => format!(
                "A content ends by {} too: messages can be smuggled into this server. Let no bare CR \
                 or LF through to it.",
                list(terminators)
            ),
            Self::LaxAfterLf(terminators) => format!(
                "A content whose first line ends in LF alone ends by {} too: messages can be smuggled \
                 into this server by whoever writes that line. Let no bare CR or LF through to it.",
                list(terminators)
            ),
            Self::NoTransaction(refusal) => {
                format!("Not tested: the message is refused: {refusal}.")
            }
            Self::Stops(silence) => format!("Stops at content with bare CR or LF: {silence}."),
        }
    }
}

fn list(terminators: &[Terminator]) -> String {
    let all: Vec<_> = terminators.iter().map(Terminator::to_string).collect();
    all.join(", ")
}
