//! What came of a connection.

use core::time::Duration;

use crate::server::TransactionId;
use crate::syntax::Reply;

/// Counts what came of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Whether the application has taken the connection.
    pub begun: bool,
    /// How many messages were accepted; in LMTP, for anybody.
    pub messages: u64,
    /// How many recipients were accepted.
    pub recipients: u64,
    /// How many bytes of content came.
    pub bytes: u64,
    /// How many replies were refusals, the machine's and the application's.
    pub refusals: u64,
    /// The last of them, as it was said.
    pub last_refusal: Option<Reply<'static>>,
    /// Whether the client took its leave.
    pub quit: bool,
    /// How long the connection was there.
    pub duration: Duration,
    counted: Option<TransactionId>,
}

impl Tally {
    pub(super) fn message(&mut self, transaction: TransactionId) {
        if self.counted != Some(transaction) {
            self.counted = Some(transaction);
            self.messages = self.messages.saturating_add(1);
        }
    }

    pub(super) fn recipient(&mut self) {
        self.recipients = self.recipients.saturating_add(1);
    }

    pub(super) fn content(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
