//! What nobody can foretell, from the system.

use std::{io, sync::OnceLock};

use smtp_proto::sasl::Nonce;

/// Draws a nonce for one exchange of [`Scram`](smtp_proto::sasl::Scram).
///
/// # Errors
///
/// Fails if the system has no entropy to give.
pub fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; Nonce::ENTROPY];
    fill(&mut bytes)?;
    Ok(Nonce::from_entropy(bytes))
}

pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    Ok(getrandom::fill(bytes)?)
}

/// Draws a server's nonce, and returns with it the process's secret for
/// [`ScramKeys::decoy`](smtp_proto::sasl::ScramKeys::decoy).
pub(crate) fn nonce_and_secret() -> io::Result<(Nonce, &'static [u8])> {
    static SECRET: OnceLock<[u8; 32]> = OnceLock::new();
    let secret = match SECRET.get() {
        Some(secret) => secret,
        None => {
            let mut bytes = [0; 32];
            fill(&mut bytes)?;
            SECRET.get_or_init(|| bytes)
        }
    };
    Ok((nonce()?, secret))
}
