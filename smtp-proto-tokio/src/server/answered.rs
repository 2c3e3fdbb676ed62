//! Verdicts on their way to the machine.

use smtp_proto::server::{Ticket, TransactionId};

use super::verdict::Verdict;

/// What a verdict is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    Command,
    Mail(TransactionId),
    Recipient(TransactionId, usize),
    Message(TransactionId),
    Delivery(TransactionId, usize),
}

/// A verdict, and the right to give it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) ticket: Ticket,
    pub(super) subject: Subject,
    pub(super) verdict: Verdict,
}
