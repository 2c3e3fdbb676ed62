//! The recipients of an envelope, as the caller has them.

use alloc::vec::Vec;

use crate::syntax::ForwardPath;

/// Recipients, of which one alone needs no allocation. Covariant, as [`smallvec::SmallVec`] is not.
#[derive(Clone, Debug)]
pub(super) enum RecipientList<'a> {
    One(ForwardPath<'a>),
    Many(Vec<ForwardPath<'a>>),
}

impl<'a> RecipientList<'a> {
    pub(super) fn push(&mut self, recipient: ForwardPath<'a>) {
        *self = match core::mem::replace(self, Self::Many(Vec::new())) {
            Self::Many(all) if all.is_empty() => Self::One(recipient),
            Self::Many(mut all) => {
                all.push(recipient);
                Self::Many(all)
            }
            Self::One(first) => {
                let mut all = Vec::with_capacity(4);
                all.extend([first, recipient]);
                Self::Many(all)
            }
        };
    }

    pub(super) fn as_slice(&self) -> &[ForwardPath<'a>] {
        match self {
            Self::One(only) => core::slice::from_ref(only),
            Self::Many(all) => all,
        }
    }

    /// Copies what is borrowed.
    pub(super) fn into_owned(self) -> RecipientList<'static> {
        match self {
            Self::One(only) => RecipientList::One(only.into_owned()),
            Self::Many(all) => {
                RecipientList::Many(all.into_iter().map(ForwardPath::into_owned).collect())
            }
        }
    }
}
