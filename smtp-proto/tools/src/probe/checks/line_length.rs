//! How long may a command line be, and is a longer one refused in step?

use smtp_proto::syntax::Code;

use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
};

/// What every server takes, with CR LF (RFC 5321 4.5.3.1.4).
const USUAL: usize = 512;
/// More than servers need; Postfix keeps 2048, Exim 16384.
const LONG: usize = 4096;

/// How command lines of two lengths are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineLength {
    /// One of 512 bytes.
    pub usual: LongLine,
    /// One of 4096 bytes, if the other got an answer.
    pub long: Option<LongLine>,
}

/// How a long command line is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongLine {
    /// It is taken.
    Taken,
    /// It is taken without its end.
    Cut,
    /// It is refused, once.
    Refused(Code),
    /// It is taken for several commands.
    Torn,
    /// The connection is closed, without a word or after one.
    Closes(Option<Code>),
    /// Not.
    Stops(Silence),
}

pub(in crate::probe) fn check(dialogue: &mut Dialogue) -> LineLength {
    let mut usual = send(dialogue, USUAL);
    let goes_on = matches!(usual, LongLine::Taken | LongLine::Refused(_));
    let mut long = goes_on.then(|| send(dialogue, LONG));
    // An error each, so no more than needed.
    if long == Some(LongLine::Taken) && is_cut(dialogue, LONG) {
        long = Some(LongLine::Cut);
        if is_cut(dialogue, USUAL) {
            usual = LongLine::Cut;
        }
    }
    LineLength { usual, long }
}

/// Tells whether a command line is understood without its end: RSET takes no argument (RFC 5321
/// 4.1.1.5), but for servers that do not mind.
fn is_cut(dialogue: &mut Dialogue, length: usize) -> bool {
    let mut is_taken = |blanks: usize| {
        let line = format!("RSET{}x\r\n", " ".repeat(blanks));
        dialogue.ask(line.as_bytes()).map(|it| it.is_positive())
    };
    is_taken(length - "RSETx\r\n".len()) == Ok(true) && is_taken(1) == Ok(false)
}

fn send(dialogue: &mut Dialogue, length: usize) -> LongLine {
    // NOOP takes an argument that it does not look at (RFC 5321 4.1.1.9).
    let argument = "x".repeat(length - "NOOP \r\n".len());
    let reply = match dialogue.ask(format!("NOOP {argument}\r\n").as_bytes()) {
        Ok(reply) => reply,
        Err(Silence::Closed) => return LongLine::Closes(None),
        Err(silence) => return LongLine::Stops(silence),
    };
    match dialogue.surplus() {
        Ok(_) => LongLine::Torn,
        Err(Silence::Closed) => LongLine::Closes(Some(reply.code())),
        Err(_) if reply.is_positive() => LongLine::Taken,
        Err(_) => LongLine::Refused(reply.code()),
    }
}

impl Tells for LineLength {
    fn verdict(&self) -> Verdict {
        let lines = [Some(self.usual), self.long];
        let is_wrong = |line: &LongLine| matches!(line, LongLine::Torn | LongLine::Stops(_));
        if lines.iter().flatten().any(is_wrong) {
            Verdict::Wrong
        } else if self.usual == LongLine::Cut {
            // RFC 5321 4.5.3.1.4
            Verdict::Wrong
        } else if self.usual != LongLine::Taken || self.long == Some(LongLine::Cut) {
            Verdict::Weak
        } else {
            Verdict::Right
        }
    }

    fn meaning(&self) -> String {
        let line = |length, line| match line {
            LongLine::Taken => format!("A command line of {length} bytes is taken."),
            LongLine::Cut => format!(
                "A command line of {length} bytes is taken without its end, unnoticed: parameters may \
                 be lost."
            ),
            LongLine::Refused(code) => {
                format!("A command line of {length} bytes is refused by {code}.")
            }
            LongLine::Torn => format!(
                "A command line of {length} bytes is taken for several commands: each later reply \
                 would be taken for the one before."
            ),
            LongLine::Closes(Some(code)) => format!(
                "A command line of {length} bytes is answered by {code}, and the connection is \
                 closed."
            ),
            LongLine::Closes(None) => {
                format!("A command line of {length} bytes ends the connection.")
            }
            LongLine::Stops(silence) => {
                format!("A command line of {length} bytes is not answered: {silence}.")
            }
        };
        let usual = line(USUAL, self.usual);
        match self.long {
            Some(long) => format!("{usual} {}", line(LONG, long)),
            None => usual,
        }
    }
}
