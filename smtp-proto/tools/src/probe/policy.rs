//! Which way of sending a server bears.

use super::{
    checks::{Batch, LookAhead, Size, Split, StreamProof},
    finding::{Check, Finding, Outcome, Verdict},
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
pub(super) fn advise(findings: &[Finding]) -> Advice {
    let outcomes = || findings.iter().map(|it| &it.outcome);
    let verdict = |check| {
        findings
            .iter()
            .find(|it| it.check() == check)
            .map(Finding::verdict)
    };
    let mut because = Vec::new();
    let mut choose = |policy, reason: &str| {
        because.push(reason.to_owned());
        policy
    };
    let batch = outcomes().find_map(|it| match it {
        Outcome::Batch(batch) => Some(batch),
        _ => None,
    });
    let is_torn =
        outcomes().any(|it| matches!(it, Outcome::Split(Split::Differs { .. } | Split::Stops(_))));
    let group_ends_badly = verdict(Check::GroupEnd) == Some(Verdict::Wrong);
    let policy = match batch {
        None => choose(
            Policy::LockStep,
            "commands in one segment could not be tested",
        ),
        Some(Batch::InStep { offered: false }) => {
            choose(Policy::LockStep, "PIPELINING is not offered")
        }
        Some(batch) if !batch.may_be_used() => choose(
            Policy::LockStep,
            "commands in one segment do not get their replies",
        ),
        Some(_) if is_torn => choose(
            Policy::LockStep,
            "commands in several segments do not get their replies, and a flight may be split anywhere",
        ),
        Some(_) if group_ends_badly => choose(
            Policy::LockStep,
            "a group that ends in DATA does not get its replies",
        ),
        Some(_) => beyond_group(findings, &mut choose),
    };
    Advice { policy, because }
}

/// Chooses where commands may come together.
fn beyond_group(findings: &[Finding], choose: &mut dyn FnMut(Policy, &str) -> Policy) -> Policy {
    let outcomes = || findings.iter().map(|it| &it.outcome);
    choose(
        Policy::Group,
        "commands in one segment get their replies, all and in order",
    );
    let look_ahead = outcomes().find_map(|it| match it {
        Outcome::LookAhead(look_ahead) => Some(look_ahead),
        _ => None,
    });
    match look_ahead {
        Some(it) if it.is_refused() => {
            return choose(
                Policy::Group,
                "commands that follow a content in one flight are not taken",
            );
        }
        Some(LookAhead::InStep(_)) => {
            choose(
                Policy::LookAhead,
                "commands may follow a content in one flight",
            );
        }
        // The first message tells the client, at no cost.
        _ => {
            choose(
                Policy::LookAhead,
                "whether commands may follow a content was not tested; the client finds out by its \
                 first message, and steps down where they may not",
            );
        }
    }
    let chunks_are_wrong = findings
        .iter()
        .filter(|it| matches!(it.check(), Check::SplitChunk | Check::Chunks))
        .any(|it| it.verdict() == Verdict::Wrong);
    let proof = outcomes().find_map(|it| match it {
        Outcome::StreamProof(proof) => Some(proof),
        _ => None,
    });
    let max = outcomes().find_map(|it| match it {
        Outcome::Size(size) => Size::max(size),
        _ => None,
    });
    match (proof, max) {
        (None, _) => choose(
            Policy::LookAhead,
            "no stream: it needs CHUNKING, and a proof",
        ),
        (Some(StreamProof::Swallows), _) if chunks_are_wrong => choose(
            Policy::LookAhead,
            "no stream: chunks do not get their replies",
        ),
        (Some(StreamProof::Swallows), None) => choose(
            Policy::LookAhead,
            "no stream: SIZE does not say beyond which size chunks are refused",
        ),
        (Some(StreamProof::Swallows), Some(_)) => choose(
            Policy::Stream,
            "refused chunks are swallowed, and SIZE has a number; a stream's price is its window, \
             which is in doubt when the connection dies: look-ahead has none",
        ),
        (Some(_), _) => choose(
            Policy::LookAhead,
            "no stream: refused chunks are not swallowed",
        ),
    }
}
