//! What an authentication says next.

use alloc::{boxed::Box, collections::VecDeque, string::String, vec::Vec};

use zeroize::{Zeroize, Zeroizing};

use crate::{
    machine::limits,
    sasl::Mechanism,
    syntax::{Reply, base64},
};

/// What is to be tried, and what is to be sent next.
#[derive(Default)]
pub(super) struct Authentication {
    /// The first one is being used.
    pub(super) mechanisms: VecDeque<Box<dyn Mechanism>>,
    pub(super) requested: bool,
    /// What the next AUTH or line of the exchange says, in base64.
    pub(super) line: Zeroizing<Vec<u8>>,
    /// An initial response that did not fit into AUTH.
    pub(super) postponed: Option<Zeroizing<String>>,
    pub(super) rounds: usize,
}

/// Shows no secret.
impl core::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = self.mechanisms.iter().map(|mechanism| mechanism.name());
        f.debug_list().entries(names).finish()
    }
}

impl Authentication {
    /// Composes the answer to a challenge; `*`, which cancels, where there is none.
    pub(super) fn answer(&mut self, reply: &Reply<'_>) {
        let challenge = reply.lines().next().and_then(base64::decode);
        let response = match (self.postponed.take(), challenge) {
            (Some(encoded), Some(_)) => Some(encoded),
            (None, Some(challenge)) if self.rounds <= limits::AUTH_ROUNDS => {
                let mechanism = self.mechanisms.front_mut();
                mechanism
                    .and_then(|mechanism| mechanism.respond(&challenge))
                    .map(|response| base64::encode(&Zeroizing::new(response)))
            }
            _ => None, // 4954-4-n
        };
        self.forget();
        self.line
            .extend_from_slice(response.as_ref().map_or(b"*", |text| text.as_bytes()));
    }

    /// Overwrites what was said.
    pub(super) fn forget(&mut self) {
        self.line.zeroize();
    }
}
