//! What a client's mechanisms have in common.

use alloc::{boxed::Box, vec::Vec};

use super::channel::Channel;

/// Proves who the client is.
///
/// Implement it for mechanisms that are not built in. What is passed and returned is not encoded:
/// the machine does the base64, and overwrites what was returned.
pub trait Mechanism: Send {
    /// Returns the registered name, as in `EXTERNAL`: 1 to 20 of `A`-`Z`, `0`-`9`, `-` and `_`.
    fn name(&self) -> &str;

    /// Takes note of the channel that the exchange is going to run through. It is called before the
    /// exchange begins; the [`name`](Self::name) may depend on it.
    fn prepare(&mut self, _channel: &Channel<'_>) {}

    /// Returns whether the exchange carries a password, a token, or a proof by which one can be
    /// guessed. Such a mechanism is used only where the peer was verified, unless the configuration
    /// says otherwise.
    fn exposes_credential(&self) -> bool {
        true
    }

    /// Returns what the client says first, or `None` where the server begins. Called again if the
    /// exchange begins again.
    fn initial_response(&mut self) -> Option<Vec<u8>>;

    /// Returns the answer to a challenge; `None` cancels the exchange, and no other mechanism is
    /// tried after it: a server that is not believed gets no password in another way either.
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>>;

    /// Returns whether it matters what the server says. Where it does not, a challenge that is no
    /// base64 comes as an empty one.
    fn reads_challenges(&self) -> bool {
        true
    }

    /// Returns whether the server may accept now. Mechanisms by which the server proves itself return
    /// false until it has.
    fn is_complete(&self) -> bool {
        true
    }

    /// Returns whether the next mechanism may be tried once, where the peer was verified, after the
    /// server has called the credentials wrong (535).
    fn falls_back(&self) -> bool {
        false
    }
}

impl<M: Mechanism + ?Sized> Mechanism for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn prepare(&mut self, channel: &Channel<'_>) {
        (**self).prepare(channel);
    }

    fn exposes_credential(&self) -> bool {
        (**self).exposes_credential()
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        (**self).initial_response()
    }

    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        (**self).respond(challenge)
    }

    fn reads_challenges(&self) -> bool {
        (**self).reads_challenges()
    }

    fn is_complete(&self) -> bool {
        (**self).is_complete()
    }

    fn falls_back(&self) -> bool {
        (**self).falls_back()
    }
}
