//! When RSET goes before a MAIL, and what it means when one is refused that was sent ahead of a
//! verdict.
//!
//! There are servers that take nothing ahead: Haraka 3 answers each command after the dot by 503. Such
//! a refusal costs no message, as long as everything that was sent ahead is refused, too: then none of
//! it counts. If anything of it is accepted, nobody knows what the server holds.

use super::transaction::TransactionId;

/// What the server may hold of transactions that are over.
#[derive(Debug)]
pub(super) struct Resets {
    /// The last transaction of which something was sent.
    begun: TransactionId,
    /// The server may hold a transaction that no final 2yz has ended: RSET goes before the next.
    is_due: bool,
    /// The last verdict was 2yz.
    was_taken: bool,
    ahead: Ahead,
    /// The server has refused all that was sent ahead, once.
    has_stepped_down: bool,
}

/// What became of commands that were sent ahead of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// There are none, or nothing is wrong with them.
    Fine,
    /// The RSET with which they begin is unanswered.
    Asked,
    /// It was refused: the server may take none of them. Of this transaction, if any, some were sent.
    Refused(Option<TransactionId>),
    /// The server takes none. A lone RSET is due, after which all goes on without looking ahead.
    Unclean,
    /// It is unanswered.
    Cleaning,
}

/// Whether a lone RSET has to go before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleanup {
    Unneeded,
    Due,
    /// Nothing may be sent: it is unanswered, or what was sent ahead is.
    UnderWay,
}

/// What a refused RSET means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedReset {
    /// Nothing is known of the server's transaction any more.
    Desync,
    /// Nothing, if all that was sent with it is refused too.
    Suspicion,
}

impl Resets {
    pub(super) fn new() -> Self {
        Self {
            begun: 0,
            is_due: false,
            was_taken: false,
            ahead: Ahead::Fine,
            has_stepped_down: false,
        }
    }

    pub(super) fn has_stepped_down(&self) -> bool {
        self.has_stepped_down
    }

    /// Returns whether the server has to be cleaned up first.
    pub(super) fn cleanup(&self) -> Cleanup {
        match self.ahead {
            Ahead::Fine | Ahead::Asked => Cleanup::Unneeded,
            Ahead::Unclean => Cleanup::Due,
            Ahead::Refused(_) | Ahead::Cleaning => Cleanup::UnderWay,
        }
    }

    /// Returns whether RSET goes before the next MAIL.
    ///
    /// A transaction that was not ended by a 2yz already read may have left its sender, for whom the
    /// next message would be taken (measured with Exim).
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Accounts for a MAIL that was sent, or what goes before it, which RSET ends, too.
    pub(super) fn begun(&mut self, id: TransactionId) {
        (self.is_due, self.begun) = (true, id);
    }

    /// Accounts for the final reply to a content.
    pub(super) fn ended(&mut self, id: TransactionId, is_positive: bool) {
        self.was_taken = is_positive;
        if is_positive && self.begun == id {
            self.is_due = false;
        }
    }

    /// Accounts for a RSET that was sent, and whether that was ahead of a verdict.
    pub(super) fn sent(&mut self, is_ahead: bool) {
        self.is_due = false;
        self.ahead = match self.ahead {
            Ahead::Unclean => Ahead::Cleaning,
            _ if is_ahead => Ahead::Asked,
            _ => Ahead::Fine,
        };
    }

    /// Accounts for the acceptance of RSET.
    pub(super) fn accepted(&mut self) {
        self.ahead = Ahead::Fine;
    }

    /// Accounts for the refusal of RSET, and returns what it means.
    pub(super) fn refused(&mut self) -> RefusedReset {
        if self.ahead != Ahead::Asked {
            return RefusedReset::Desync;
        }
        // What was sent after it may be of a transaction that was given up since.
        self.ahead = Ahead::Refused(self.is_due.then_some(self.begun));
        RefusedReset::Suspicion
    }

    /// Returns whether this transaction's commands were sent ahead, after a RSET that was refused.
    pub(super) fn is_suspicious_of(&self, id: TransactionId) -> bool {
        self.ahead == Ahead::Refused(Some(id))
    }

    /// Returns the transaction, if any, of which something was sent after a RSET that was refused.
    pub(super) fn refused_ahead(&self) -> Option<Option<TransactionId>> {
        match self.ahead {
            Ahead::Refused(current) => Some(current),
            _ => None,
        }
    }

    /// Accounts for it that all which was sent ahead is refused. The server is clean if the verdict was
    /// 2yz; otherwise a lone RSET makes it so.
    pub(super) fn step_down(&mut self) {
        self.is_due = false;
        self.has_stepped_down = true;
        self.ahead = match self.was_taken {
            true => Ahead::Fine,
            false => Ahead::Unclean,
        };
    }
}
