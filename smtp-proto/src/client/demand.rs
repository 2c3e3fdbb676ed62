//! Whether something has to be had.

/// Chooses what becomes of a session whose server does not offer something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// It goes on without.
    IfOffered,
    /// It is refused, and no message is sent.
    Required,
}
