//! Authentication (RFC 4954): which mechanism, and its exchange.

use alloc::{boxed::Box, vec::Vec};

use zeroize::Zeroizing;

use super::{
    credentials::Authentication,
    event::NotSentReason,
    rules::Verb,
    session::{Phase, Session},
};
use crate::{
    machine::{Answer, Fault, Misuse, Step, limits},
    sasl::Mechanism,
    syntax::{Class, Code, Reply, base64},
};

impl Session {
    pub(super) fn authenticate(
        &mut self,
        mechanisms: Vec<Box<dyn Mechanism>>,
    ) -> Result<(), Misuse> {
        let begun = matches!(self.phase, Phase::Ready | Phase::Leaving | Phase::Closed);
        if begun || self.is_over() {
            return Err(Misuse::TooLate);
        }
        let well_formed = |name: &str| {
            (1..=20).contains(&name.len()) // RFC 4422 3.1
                && name.bytes().all(|byte| {
                    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                })
        };
        if !mechanisms
            .iter()
            .all(|mechanism| well_formed(mechanism.name()))
        {
            return Err(Misuse::InvalidMechanism);
        }
        self.authentication.mechanisms = mechanisms.into();
        self.authentication.requested = true;
        Ok(())
    }

    /// Goes on with AUTH, if it was asked for.
    pub(super) fn begin_authentication(&mut self) {
        if self.authentication.requested {
            self.try_mechanism(None);
        } else {
            self.open();
        }
    }

    pub(super) fn must_authenticate(&self) -> bool {
        self.authentication.requested
    }

    /// Begins with the first mechanism that can be used.
    fn try_mechanism(&mut self, refusal: Option<&Reply<'_>>) {
        let offered = self.capabilities.get("AUTH").unwrap_or_default();
        let clear = !self.encrypted && !self.config.plain_text_auth;
        let Authentication {
            mechanisms,
            line,
            postponed,
            rounds,
            ..
        } = &mut self.authentication;
        let is_usable = |mechanism: &dyn Mechanism| {
            let mut names = offered.split_ascii_whitespace();
            // 4616-5-a: no password in clear unless told to.
            names.any(|name| name.eq_ignore_ascii_case(mechanism.name()))
                && !(clear && mechanism.is_plain_text())
        };
        while mechanisms
            .front()
            .is_some_and(|first| !is_usable(first.as_ref()))
        {
            mechanisms.pop_front();
        }
        let Some(mechanism) = mechanisms.front_mut() else {
            let answer = refusal.map(|reply| Answer {
                step: Step::Auth,
                reply: reply.clone(),
            });
            return self.refuse_session(
                Fault::AuthenticationFailed,
                NotSentReason::AuthenticationFailed,
                answer,
            );
        };
        *rounds = 0;
        *postponed = None;
        line.clear();
        line.extend_from_slice(mechanism.name().as_bytes());
        if let Some(response) = mechanism.initial_response() {
            let encoded = base64::encode(&Zeroizing::new(response));
            // 4954-4-i: the command stays within 512 bytes; 4954-4-j: "=" stands for nothing.
            let length = b"AUTH  \r\n".len() + line.len() + encoded.len();
            if length > limits::AUTH_COMMAND {
                *postponed = Some(encoded);
            } else {
                line.push(b' ');
                line.extend_from_slice(if encoded.is_empty() {
                    b"="
                } else {
                    encoded.as_bytes()
                });
            }
        }
        self.phase = Phase::Due(Verb::Auth);
    }

    pub(super) fn write_auth(&self, out: &mut Vec<u8>) {
        if self.phase == Phase::Due(Verb::Auth) {
            out.extend_from_slice(b"AUTH ");
        }
        out.extend_from_slice(&self.authentication.line);
        out.extend_from_slice(b"\r\n");
    }

    /// Accounts for the answer to AUTH or to a response.
    pub(super) fn on_auth(&mut self, reply: &Reply<'_>) {
        let exchange = &mut self.authentication;
        match reply.class() {
            Class::Positive => {
                // A server that must prove itself cannot skip it (AUT-8).
                let complete = exchange
                    .mechanisms
                    .front()
                    .is_none_or(|used| used.is_complete());
                exchange.mechanisms.clear();
                exchange.forget();
                if complete {
                    self.open();
                } else {
                    self.fail(Fault::AuthenticationFailed, reply.as_bytes());
                }
            }
            Class::Intermediate => {
                exchange.rounds += 1;
                exchange.answer(reply);
                self.phase = Phase::Due(Verb::AuthResponse);
            }
            Class::Transient | Class::Permanent => {
                exchange.forget();
                exchange.mechanisms.pop_front();
                // 4954-6-b: another mechanism helps against these, and against nothing else.
                let other = matches!(
                    reply.code(),
                    Code::PARAMETER_NOT_IMPLEMENTED
                        | Code::MECHANISM_TOO_WEAK
                        | Code::ENCRYPTION_REQUIRED
                );
                if !other {
                    exchange.mechanisms.clear();
                }
                self.try_mechanism(Some(reply));
            }
        }
    }
}
