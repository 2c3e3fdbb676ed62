//! The proof that a server swallows the chunks that it refuses, as RFC 3030 2 demands.
//!
//! There are servers that read them as commands: then a stranger's content is carried out, and its
//! replies are taken for the verdicts on other messages. So a stream begins with a chunk of three bytes
//! that every server refuses, as it has no recipient, with two RSET after it:
//!
//! ```text
//! MAIL FROM:<>    any          any
//! BDAT 3 LAST     5yz          5yz
//! xyz RSET        2yz: RSET    5yz: "xyzRSET"
//! RSET            2yz          2yz
//! ```
//!
//! Four replies come whatever the server does, and after them nothing is left of it. Before they are
//! read nothing is believed.

use super::table::{Turn, Verb};

/// What a proof says, in order.
const COMMANDS: [Verb; 4] = [
    Verb::ProofMail,
    Verb::ProofChunk,
    Verb::ProofReset,
    Verb::ProofReset,
];

/// Whether a proof is needed, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Proof {
    phase: Phase,
    /// Something looked as if the server had lost step: nothing else leaves until it is made again.
    is_suspicious: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// None is needed.
    #[default]
    Unneeded,
    Due,
    /// So many of its commands were sent and answered, and as they have to be, so far.
    Begun {
        sent: usize,
        answered: usize,
        is_right: bool,
    },
}

/// What an answer has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing yet.
    Nothing,
    /// The server swallows chunks.
    Swallows,
    /// It does not, or nobody knows what it does.
    Otherwise,
    /// It did not end what was begun.
    Unclean,
}

impl Proof {
    /// Has it made with the next transaction.
    pub(super) fn want(&mut self) {
        self.phase = Phase::Due;
    }

    /// Has it made before anything else.
    pub(super) fn suspect(&mut self) {
        if !self.is_suspicious {
            (self.phase, self.is_suspicious) = (Phase::Due, true);
        }
    }

    pub(super) fn is_suspicious(&self) -> bool {
        self.is_suspicious
    }

    /// Returns whether some of it was sent, and not all.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Begun { sent, .. } if sent < COMMANDS.len())
    }

    /// Returns what it says next.
    pub(super) fn next(&self) -> Option<Verb> {
        let said = match self.phase {
            Phase::Unneeded => return None,
            Phase::Due => 0,
            Phase::Begun { sent, .. } => sent,
        };
        COMMANDS.get(said).copied()
    }

    /// Accounts for one of its commands that was rendered.
    pub(super) fn sent(&mut self) {
        match &mut self.phase {
            Phase::Begun { sent, .. } => *sent = sent.saturating_add(1),
            phase => {
                *phase = Phase::Begun {
                    sent: 1,
                    answered: 0,
                    is_right: true,
                }
            }
        }
    }

    /// Accounts for the next answer.
    pub(super) fn hear(&mut self, turn: Turn) -> Shown {
        let Phase::Begun {
            answered, is_right, ..
        } = &mut self.phase
        else {
            return Shown::Nothing;
        };
        *is_right &= match COMMANDS.get(*answered) {
            Some(Verb::ProofMail) => true,
            Some(Verb::ProofChunk) => turn == Turn::No,
            _ => turn == Turn::Yes,
        };
        *answered = answered.saturating_add(1);
        if *answered < COMMANDS.len() {
            return Shown::Nothing;
        }
        let shown = match (*is_right, turn) {
            (true, _) => Shown::Swallows,
            (false, Turn::Yes) => Shown::Otherwise,
            (false, _) => Shown::Unclean,
        };
        self.phase = Phase::Unneeded;
        self.is_suspicious &= shown != Shown::Swallows;
        shown
    }

    /// Writes one of its commands.
    pub(super) fn write(verb: Verb) -> &'static [u8] {
        match verb {
            Verb::ProofMail => b"MAIL FROM:<>\r\n",
            Verb::ProofChunk => b"BDAT 3 LAST\r\nxyz",
            _ => b"RSET\r\n",
        }
    }
}
