//! Questions to the application, and what hangs on their answers.

use super::event::TransactionId;
use super::table::Verb;

/// What the application is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) verb: Verb,
    pub(super) transaction: Option<TransactionId>,
    pub(super) detail: Detail,
}

/// What else there is to know of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    None,
    /// Whether the client takes UTF-8 in the answer.
    Utf8(bool),
    /// XCLIENT: whether the client that is spoken for has authenticated itself, if that is said.
    Login(Option<bool>),
    /// LMTP: which accepted recipient it is, and how long the message is (2033-4.2-b).
    Recipient {
        recipient: u32,
        bytes: u64,
    },
}

impl Question {
    pub(super) fn new(verb: Verb) -> Self {
        Self {
            verb,
            transaction: None,
            detail: Detail::None,
        }
    }

    /// Asks about that transaction.
    pub(super) fn of(self, transaction: TransactionId) -> Self {
        Self {
            transaction: Some(transaction),
            ..self
        }
    }

    pub(super) fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Returns what a positive answer accepts.
    pub(super) fn accepts(self) -> Option<Accepted> {
        let recipient = match self.detail {
            Detail::Recipient { recipient, .. } => Some(recipient),
            _ => None,
        };
        Some(Accepted {
            transaction: self.transaction.filter(|_| self.verb.is_of_message())?,
            recipient,
        })
    }
}

/// A message that a reply accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    pub(super) transaction: TransactionId,
    /// In LMTP, the accepted recipient that it is accepted for.
    pub(super) recipient: Option<u32>,
}
