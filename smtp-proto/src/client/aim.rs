//! What a message is sent for.

/// What the replies to a message's recipients decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aim {
    /// Whoever is accepted gets the content.
    #[default]
    Any,
    /// All get it, or nobody.
    All,
    /// Nobody gets it: only the replies are asked for.
    Replies,
}
