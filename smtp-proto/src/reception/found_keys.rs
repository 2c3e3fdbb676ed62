//! The keys by which a password is checked that is not sent.

#[cfg(feature = "std")]
use super::verdict::Refusal;
use crate::sasl::{Nonce, ScramKeys, ServerExchange, Step};

/// Holds what SCRAM goes on with.
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundKeys {
    keys: Option<ScramKeys>,
    nonce: Nonce,
    secret: &'static [u8],
}

impl FoundKeys {
    /// Goes on with a user's keys, if there is such a user; with a nonce, which must be new each
    /// time; and with a secret of the process's, for [`ScramKeys::decoy`].
    pub fn new(keys: Option<ScramKeys>, nonce: Nonce, secret: &'static [u8]) -> Self {
        Self {
            keys,
            nonce,
            secret,
        }
    }

    /// Goes on with a user's keys, if there is such a user, and with what `fill` draws from the
    /// system: bytes that nobody can foretell.
    ///
    /// # Errors
    ///
    /// Refuses if nothing can be drawn.
    #[cfg(feature = "std")]
    pub fn draw<E>(
        keys: Option<ScramKeys>,
        fill: impl Fn(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, Refusal> {
        static SECRET: std::sync::OnceLock<[u8; 32]> = std::sync::OnceLock::new();
        let secret = match SECRET.get() {
            Some(secret) => secret,
            None => {
                let mut bytes = [0; 32];
                fill(&mut bytes).map_err(|_| Refusal::local_error())?;
                SECRET.get_or_init(|| bytes)
            }
        };
        let nonce = Nonce::draw(fill).map_err(|_| Refusal::local_error())?;
        Ok(Self::new(keys, nonce, secret))
    }

    pub(super) fn hand_to(self, exchange: &mut ServerExchange) -> Step {
        exchange.keys(self.keys, &self.nonce, self.secret)
    }
}
