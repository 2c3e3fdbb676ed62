//! How a client authenticates, where that depends on its server.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use super::{
    attempts::Attempts,
    channel::{Channel, Protection},
    mechanism::Mechanism,
};

/// Says by which mechanisms a client authenticates, once it is known what the server offers.
///
/// One pointer, as every client has room for it.
#[derive(Clone)]
pub(crate) struct Choice(Arc<Box<Choose>>);

type Choose = dyn Fn(&Channel<'_>) -> Vec<Box<dyn Mechanism>> + Send + Sync;

impl Choice {
    pub(crate) fn new(
        choose: impl Fn(&Channel<'_>) -> Vec<Box<dyn Mechanism>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Box::new(choose)))
    }

    /// Returns the attempts by what is chosen for a channel, unless that is to do without.
    pub(crate) fn ask(&self, channel: &Channel<'_>, needed: Protection) -> Option<Attempts> {
        let mechanisms = (self.0)(channel);
        (!mechanisms.is_empty()).then(|| Attempts::of(mechanisms, needed))
    }
}

/// Whether two are the same, not whether they choose alike.
impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Shows no secret.
impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Choice")
    }
}
