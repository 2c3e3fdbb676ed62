//! Does each command of a group get its reply, in order (RFC 2920 3.1, 3.2)?

use smtp_proto::syntax::{Code, Extension};

use super::{
    Lost, codes,
    one_by_one::{COMMANDS, commands},
    row,
};
use crate::probe::{
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// How the server answers commands that come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Each as if it had come alone.
    InStep {
        /// PIPELINING is offered.
        offered: bool,
    },
    /// As many replies, but others.
    Differs {
        /// PIPELINING is offered.
        offered: bool,
        /// One by one.
        expected: [Code; COMMANDS],
        /// Together.
        codes: [Code; COMMANDS],
    },
    /// Fewer replies.
    Loses {
        /// PIPELINING is offered.
        offered: bool,
        /// How many.
        lost: Lost,
    },
    /// More replies.
    Surplus {
        /// PIPELINING is offered.
        offered: bool,
    },
}

pub(in crate::probe) fn check(
    session: &mut Session,
    options: &Options,
    expected: [Code; COMMANDS],
) -> Batch {
    let offered = session.offers(Extension::Pipelining);
    let dialogue = &mut session.dialogue;
    dialogue.send(commands(options).concat().as_bytes());
    let codes = match codes(dialogue) {
        Ok(codes) => codes,
        Err(lost) => return Batch::Loses { offered, lost },
    };
    if dialogue.surplus().is_ok() {
        return Batch::Surplus { offered };
    }
    // A server may well answer 451 the first time and 250 the next; a class that is another's
    // in a place where one by one it is not is a reply in the wrong place.
    let same = |(one, other): (&Code, &Code)| one.class() == other.class();
    match expected.iter().zip(&codes).all(same) {
        true => Batch::InStep { offered },
        false => Batch::Differs {
            offered,
            expected,
            codes,
        },
    }
}

impl Batch {
    /// Tells whether commands may be sent together.
    pub fn may_be_used(&self) -> bool {
        matches!(self, Self::InStep { offered: true })
    }
}

impl Tells for Batch {
    fn verdict(&self) -> Verdict {
        match self {
            Self::InStep { offered: true } => Verdict::Right,
            Self::InStep { offered: false } => Verdict::Fact,
            Self::Differs { offered, .. }
            | Self::Loses { offered, .. }
            | Self::Surplus { offered } => match offered {
                true => Verdict::Wrong,
                false => Verdict::Fact,
            },
        }
    }

    fn meaning(&self) -> String {
        let (finding, offered) = match self {
            Self::InStep { offered: true } => {
                return "Commands that come in one segment get their replies, all and in order."
                    .into();
            }
            Self::InStep { offered: false } => {
                return "Commands that come in one segment get their replies, but PIPELINING is \
                        not offered: no client may rely on it."
                    .into();
            }
            Self::Differs {
                offered,
                expected,
                codes,
            } => {
                let (expected, codes) = (row(expected), row(codes));
                let finding = format!(
                    "Answers {codes} to commands in one segment that one by one get {expected}"
                );
                (finding, offered)
            }
            Self::Loses { offered, lost } => {
                let finding = format!("Does not answer commands that come in one segment: {lost}");
                (finding, offered)
            }
            Self::Surplus { offered } => {
                let finding = "Answers more than the commands that come in one segment";
                (finding.into(), offered)
            }
        };
        match offered {
            true => format!("{finding}. It offers PIPELINING, and does not keep to it."),
            false => format!("{finding}. It does not offer PIPELINING, so no client does that."),
        }
    }
}
