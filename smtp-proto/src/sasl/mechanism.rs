//! What a client's mechanisms have in common.

use alloc::{boxed::Box, vec::Vec};

/// Proves who the client is.
///
/// Implement it for mechanisms that are not built in. What is passed and returned is not encoded:
/// the machine does the base64, and overwrites what was returned.
pub trait Mechanism: Send {
    /// Returns the registered name, as in `EXTERNAL`: 1 to 20 of `A`-`Z`, `0`-`9`, `-` and `_`.
    fn name(&self) -> &str;

    /// Tells whether whoever reads the exchange learns the password or token. Such a mechanism is
    /// used under TLS only, unless the configuration says otherwise.
    fn is_plain_text(&self) -> bool;

    /// Returns what the client says first, or `None` where the server begins. Called again if the
    /// exchange begins again.
    fn initial_response(&mut self) -> Option<Vec<u8>>;

    /// Returns the answer to a challenge; `None` cancels the exchange.
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>>;

    /// Tells whether the server may accept now. Mechanisms by which the server proves itself return
    /// false until it has.
    fn is_complete(&self) -> bool {
        true
    }
}

impl<M: Mechanism + ?Sized> Mechanism for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn is_plain_text(&self) -> bool {
        (**self).is_plain_text()
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        (**self).initial_response()
    }

    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        (**self).respond(challenge)
    }

    fn is_complete(&self) -> bool {
        (**self).is_complete()
    }
}
