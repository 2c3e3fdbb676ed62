//! Which of the transactions of its message one is.

use crate::machine::limits;

/// How a transaction came about, where its message takes several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lineage {
    is_part: bool,
    /// How many transactions came of putting recipients off, up to this one.
    put_offs: usize,
    /// How many recipients the server took at once when it put these off.
    most: Option<u32>,
}

impl Lineage {
    /// Returns that of the transaction which takes the recipients that are too many for this one.
    pub(super) fn split(&mut self) -> Self {
        self.is_part = true;
        Self {
            put_offs: self.put_offs.saturating_add(usize::from(self.put_offs > 0)),
            ..*self
        }
    }

    /// Returns that of the transaction which takes the recipients that were put off, where so many
    /// were taken.
    pub(super) fn put_off(&mut self, taken: usize) -> Self {
        self.is_part = true;
        Self {
            is_part: true,
            put_offs: self.put_offs.saturating_add(1),
            most: u32::try_from(taken).ok(),
        }
    }

    /// Returns whether the message takes several transactions.
    pub(super) fn is_part(self) -> bool {
        self.is_part
    }

    /// Returns whether so many transactions came of putting recipients off that this one is too much.
    pub(super) fn is_put_off_too_often(self) -> bool {
        self.put_offs > limits::PUT_OFFS
    }

    /// Returns how many recipients the transaction may have at most, by what the server has shown.
    pub(super) fn most(self) -> Option<u32> {
        self.most
    }
}
