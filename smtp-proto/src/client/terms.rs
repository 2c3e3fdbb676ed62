//! What messages are fitted to.

use super::{config::Config, opening::Opening};
use crate::syntax::Capabilities;

/// What messages are fitted to: the server's offer, whether the server was verified, and what is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) offered: &'a Capabilities,
    pub(super) is_verified: bool,
    pub(super) config: &'a Config,
}

impl<'a> Terms<'a> {
    pub(super) fn new(opening: &'a Opening, config: &'a Config) -> Self {
        Self {
            offered: opening.capabilities(),
            is_verified: opening.is_verified(),
            config,
        }
    }
}
