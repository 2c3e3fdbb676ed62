//! Authentication (RFC 4954): which mechanism, and what it says next.

use alloc::vec::Vec;
#[cfg(feature = "auth")]
use alloc::{boxed::Box, collections::VecDeque, string::String};

#[cfg(feature = "auth")]
use zeroize::{Zeroize, Zeroizing};

use crate::syntax::{Capabilities, Code, Reply};
#[cfg(feature = "auth")]
use crate::{
    machine::{Misuse, limits},
    sasl::Mechanism,
    syntax::base64,
};

/// What is to be tried, and what is to be sent next.
#[cfg(feature = "auth")]
pub(super) struct Authentication {
    /// The first one is being used.
    mechanisms: VecDeque<Box<dyn Mechanism>>,
    /// What the next AUTH or line of the exchange says, in base64.
    line: Zeroizing<Vec<u8>>,
    /// An initial response that did not fit into AUTH.
    postponed: Option<Zeroizing<String>>,
    rounds: usize,
}

/// Shows no secret.
#[cfg(feature = "auth")]
impl core::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = self.mechanisms.iter().map(|mechanism| mechanism.name());
        f.debug_list().entries(names).finish()
    }
}

#[cfg(feature = "auth")]
impl Authentication {
    /// Has these mechanisms tried, in this order.
    pub(super) fn new(mechanisms: Vec<Box<dyn Mechanism>>) -> Result<Self, Misuse> {
        let is_well_formed = |name: &str| {
            (1..=20).contains(&name.len()) // RFC 4422 3.1
                && name.bytes().all(|byte| {
                    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                })
        };
        if !mechanisms.iter().all(|given| is_well_formed(given.name())) {
            return Err(Misuse::InvalidMechanism);
        }
        Ok(Self {
            mechanisms: mechanisms.into(),
            line: Zeroizing::default(),
            postponed: None,
            rounds: 0,
        })
    }

    /// Begins with the first mechanism that can be used, if there is one.
    pub(super) fn begin(&mut self, offered: &Capabilities, may_show_password: bool) -> bool {
        let is_usable = |mechanism: &dyn Mechanism| {
            // 4616-5-a: no password in clear unless told to.
            offered
                .auth_mechanisms()
                .any(|name| name.eq_ignore_ascii_case(mechanism.name()))
                && (may_show_password || !mechanism.is_plain_text())
        };
        while let Some(mechanism) = self.mechanisms.front_mut() {
            if is_usable(mechanism.as_ref()) {
                break;
            }
            self.mechanisms.pop_front();
        }
        let Some(mechanism) = self.mechanisms.front_mut() else {
            return false;
        };
        self.rounds = 0;
        self.postponed = None;
        self.line.clear();
        self.line.extend_from_slice(mechanism.name().as_bytes());
        if let Some(response) = mechanism.initial_response() {
            let encoded = base64::encode(&Zeroizing::new(response));
            // 4954-4-i: the command stays within 512 bytes; 4954-4-j: "=" stands for nothing.
            let length = b"AUTH  \r\n".len() + self.line.len() + encoded.len();
            if length > limits::AUTH_COMMAND {
                self.postponed = Some(encoded);
            } else {
                self.line.push(b' ');
                self.line.extend_from_slice(match encoded.is_empty() {
                    true => b"=",
                    false => encoded.as_bytes(),
                });
            }
        }
        true
    }

    /// Writes what comes next, without what goes before or after it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.line);
    }

    /// Composes the answer to a challenge; `*`, which cancels, where there is none.
    pub(super) fn challenged(&mut self, reply: &Reply<'_>) {
        self.rounds = self.rounds.saturating_add(1);
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
        self.line.zeroize();
        self.line
            .extend_from_slice(response.as_ref().map_or(b"*", |text| text.as_bytes()));
    }

    /// Accounts for the acceptance, and returns whether the server has proved itself where the
    /// mechanism demands it (AUT-8).
    pub(super) fn accepted(&mut self) -> bool {
        let is_complete = self
            .mechanisms
            .front()
            .is_none_or(|used| used.is_complete());
        self.mechanisms.clear();
        self.line.zeroize();
        is_complete
    }

    /// Accounts for a refusal: another mechanism helps against some, and against nothing else
    /// (4954-6-b).
    pub(super) fn refused(&mut self, code: Code) {
        self.line.zeroize();
        self.mechanisms.pop_front();
        let helps = matches!(
            code,
            Code::PARAMETER_NOT_IMPLEMENTED | Code::MECHANISM_TOO_WEAK | Code::ENCRYPTION_REQUIRED
        );
        if !helps {
            self.mechanisms.clear();
        }
    }
}

/// Stands for what is not there without the feature `auth`.
#[cfg(not(feature = "auth"))]
#[derive(Debug)]
pub(super) enum Authentication {}

#[cfg(not(feature = "auth"))]
impl Authentication {
    pub(super) fn begin(&mut self, _: &Capabilities, _: bool) -> bool {
        match *self {}
    }

    pub(super) fn write(&self, _: &mut Vec<u8>) {
        match *self {}
    }

    pub(super) fn challenged(&mut self, _: &Reply<'_>) {
        match *self {}
    }

    pub(super) fn accepted(&mut self) -> bool {
        match *self {}
    }

    pub(super) fn refused(&mut self, _: Code) {
        match *self {}
    }
}
