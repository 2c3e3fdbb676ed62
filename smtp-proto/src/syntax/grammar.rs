//! How closely what a peer writes has to follow the grammar.

/// How closely a text has to follow the grammar of RFC 5321.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// What cannot be misread is taken, as nearly every server takes it.
    Tolerant,
    /// To the letter.
    Strict,
}
