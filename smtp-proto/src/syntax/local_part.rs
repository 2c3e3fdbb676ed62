//! Names of recipients that have no domain.

use alloc::borrow::Cow;
use core::hash::{Hash, Hasher};

use super::{grammar, text::kept_text};

/// What names a recipient at a server, where no domain is said: a mailbox store's own name for one.
///
/// Made by [`ForwardPath::local`](super::ForwardPath::local). Compares as the local parts of mailboxes do:
/// unquoted and with regard to case.
#[derive(Clone)]
pub struct LocalPart<'a>(Cow<'a, str>);

kept_text!(LocalPart);

impl<'a> LocalPart<'a> {
    /// Takes a local part that was found to be one.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Returns it without its quoting: the name itself.
    pub fn unquoted(&self) -> Cow<'_, str> {
        grammar::unquote(&self.0)
    }

    /// Returns whether it can be written without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl PartialEq for LocalPart<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.unquoted() == other.unquoted()
    }
}

impl Eq for LocalPart<'_> {}

impl Hash for LocalPart<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.unquoted().hash(state);
    }
}
