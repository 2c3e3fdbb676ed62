//! Which way of sending a server bears.

use smtp_proto::machine::Dialect;

use super::{
    checks::{Batch, GroupEnd, LookAhead, Split, StreamProof},
    finding::{Check, Finding, Outcome, Verdict, outcome},
};

/// A way of sending, as [`smtp_proto::client::Pipelining`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// One command at a time.
    LockStep,
    /// MAIL, RCPT and DATA together.
    Group,
    /// These together with the content before them.
    LookAhead,
    /// Transactions back to back.
    Stream,
}

/// A policy, and why this one and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The policy to use.
    pub policy: Policy,
    /// Why.
    pub because: Vec<String>,
}

impl Policy {
    /// Returns its name, as `deliver --policy` takes it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::LockStep => "lockstep",
            Self::Group => "group",
            Self::LookAhead => "lookahead",
            Self::Stream => "stream",
        }
    }
}

/// Chooses the policy that the findings bear.
pub(super) fn advise(findings: &[Finding], dialect: Dialect) -> Advice {
    let mut because = Vec::new();
    let policy = climb(findings, dialect, |reason| because.push(reason.to_owned()));
    Advice { policy, because }
}

/// Goes up from policy to policy as far as nothing speaks against the next.
fn climb(findings: &[Finding], dialect: Dialect, mut tell: impl FnMut(&str)) -> Policy {
    let in_vain = match outcome(findings, Check::Batch) {
        Some(Outcome::Batch(Batch::InStep { offered: true })) => None,
        Some(Outcome::Batch(Batch::InStep { offered: false })) => Some("PIPELINING is not offered"),
        Some(Outcome::Batch(_)) => Some("commands in one segment do not get their replies"),
        _ => Some("commands in one segment could not be tested"),
    };
    let torn = match outcome(findings, Check::Split) {
        Some(Outcome::Split(Split::Differs { .. } | Split::Stops(_))) => Some(
            "commands in several segments do not get their replies, and a flight may be split \
             anywhere",
        ),
        _ => None,
    };
    let group_end = match outcome(findings, Check::GroupEnd) {
        Some(Outcome::GroupEnd(GroupEnd::Loses(_) | GroupEnd::IgnoresDot(_))) => {
            Some("a group that ends in DATA does not get its replies")
        }
        _ => None,
    };
    if let Some(reason) = in_vain.or(torn).or(group_end) {
        tell(reason);
        return Policy::LockStep;
    }
    tell("commands in one segment get their replies, all and in order");
    match outcome(findings, Check::LookAhead) {
        Some(Outcome::LookAhead(it)) if it.is_refused() => {
            tell("commands that follow a content in one flight are not taken");
            return Policy::Group;
        }
        Some(Outcome::LookAhead(LookAhead::InStep(_))) => {
            tell("commands may follow a content in one flight");
        }
        // The first message tells the client, at no cost.
        _ => tell(
            "whether commands may follow a content was not tested; the client finds out by its first \
             message, and steps down where they may not",
        ),
    }
    if dialect == Dialect::Lmtp {
        tell("no stream: there is none in LMTP");
        return Policy::LookAhead;
    }
    let proof = match outcome(findings, Check::StreamProof) {
        Some(Outcome::StreamProof(StreamProof::Swallows)) => None,
        Some(Outcome::StreamProof(_)) => Some("no stream: refused chunks are not swallowed"),
        _ => Some("no stream: it needs CHUNKING, and a proof"),
    };
    let is_wrong = |it: &&Finding| it.verdict() == Verdict::Wrong;
    let chunks = findings
        .iter()
        .filter(is_wrong)
        .any(|it| matches!(it.check(), Check::SplitChunk | Check::Chunks))
        .then_some("no stream: chunks do not get their replies");
    let size = match outcome(findings, Check::Size) {
        Some(Outcome::Size(size)) if size.max().is_some() => None,
        _ => Some("no stream: SIZE does not say beyond which size chunks are refused"),
    };
    if let Some(reason) = proof.or(chunks).or(size) {
        tell(reason);
        return Policy::LookAhead;
    }
    tell(
        "refused chunks are swallowed, and SIZE has a number; a stream's price is its window, which is \
         in doubt when the connection dies: look-ahead has one message",
    );
    Policy::Stream
}
