//! What a session has found out about its server.

use crate::syntax::Capabilities;

/// What a session has found out about its server: what it offers, and how far one can run ahead of it.
///
/// For the [configuration](super::Config::learned) of the next session with the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Learned {
    pub(super) capabilities: Capabilities,
    /// It has refused whatever was sent ahead of a verdict.
    pub(super) refuses_look_ahead: bool,
}

impl Learned {
    /// Returns what the server offers.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Returns whether the server refuses commands that come before its verdict on a content, so that
    /// the session went down to [`Pipelining::Group`](super::Pipelining::Group).
    pub fn refuses_look_ahead(&self) -> bool {
        self.refuses_look_ahead
    }
}
