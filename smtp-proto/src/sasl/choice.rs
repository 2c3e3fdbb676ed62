//! How a client authenticates, where that depends on its server.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use super::{
    attempts::Attempts,
    channel::{Channel, Protection},
    mechanism::Mechanism,
};

/// Says by which mechanisms a client authenticates, once it is known what the server offers.
#[derive(Clone)]
pub(crate) struct Choice(Arc<Choose>);

type Choose = dyn Fn(&Channel<'_>) -> Vec<Box<dyn Mechanism>> + Send + Sync;

impl Choice {
    pub(crate) fn new(
        choose: impl Fn(&Channel<'_>) -> Vec<Box<dyn Mechanism>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(choose))
    }

    /// Returns the attempts by what is chosen for a channel, unless that is to do without.
    pub(crate) fn ask(&self, channel: &Channel<'_>, needed: Protection) -> Option<Attempts> {
        let mechanisms = (self.0)(channel);
        (!mechanisms.is_empty()).then(|| Attempts::of(mechanisms, needed))
    }
}

/// Shows no secret.
impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Choice")
    }
}
