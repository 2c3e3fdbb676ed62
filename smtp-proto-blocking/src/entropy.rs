//! What nobody can foretell, from the system.

use std::io;

use smtp_proto::sasl::Nonce;

/// Draws a nonce for one exchange of [`Scram`](smtp_proto::sasl::Scram).
///
/// # Errors
///
/// Fails if the system has no entropy to give.
pub fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; Nonce::ENTROPY];
    getrandom::fill(&mut bytes)?;
    Ok(Nonce::from_entropy(bytes))
}
