//! The client's part in SCRAM.

use alloc::{format, string::String, vec::Vec};
use core::{mem, str};

use subtle::ConstantTimeEq;

use super::{
    super::{
        channel::Channel,
        gs2::{self, Flag},
        mechanism::Mechanism,
        secret::Secret,
    },
    error::ScramError,
    hash::{Key, ScramHash, xor},
    keys::{derive, is_in_bounds},
    message::Attributes,
    nonce::{Nonce, is_nonce},
    prepare::prepare,
};
use crate::syntax::base64;

/// A password that both sides prove to know, and neither says (RFC 5802, RFC 7677).
///
/// Under TLS that can be bound ([`TlsInfo::exporter`](crate::machine::TlsInfo::exporter)) it binds the
/// exchange to it, where the server offers the mechanism that ends in `-PLUS`: then nobody in between
/// gets in, whatever his certificate. Where the server does not, it is told that the client could
/// have, so that it finds out if somebody else left that out of its offer.
///
/// The client does not take an acceptance for one unless the server has proven itself. Answering
/// the challenge takes the time of as many iterations as the server wants, of at most
/// [`SCRAM_ITERATIONS_MAXIMUM`](crate::machine::limits::SCRAM_ITERATIONS_MAXIMUM).
#[derive(Debug)]
pub struct Scram {
    hash: ScramHash,
    user: String,
    acting_for: String,
    password: Secret<String>,
    nonce: Nonce,
    binding: Binding,
    falls_back: bool,
    state: State,
}

/// What is done about the channel (RFC 5802 6).
#[derive(Debug)]
enum Binding {
    /// It is never bound.
    Unwanted,
    /// It is not, as this flag says.
    Unbound(Flag),
    /// It is, by what the two ends of it know.
    Exporter(Secret<[u8; 32]>),
}

/// What the server has to say next.
#[derive(Debug)]
enum State {
    /// Its first message.
    First,
    /// Its last one, with this signature.
    Final(Key),
    /// That it lets the client in.
    Verified,
    /// Nothing: it said what is not right.
    Failed,
}

impl Scram {
    /// Takes a user name, a password, and a nonce that was drawn for this session.
    ///
    /// # Errors
    ///
    /// [`ScramError::Characters`] for a name or a password that is empty or cannot be prepared.
    pub fn new(
        hash: ScramHash,
        user: &str,
        password: &str,
        nonce: Nonce,
    ) -> Result<Self, ScramError> {
        Ok(Self {
            hash,
            user: prepare(user)?.into_owned(),
            acting_for: String::new(),
            password: Secret::new(prepare(password)?.into_owned()),
            nonce,
            binding: Binding::Unbound(Flag::Unable),
            falls_back: false,
            state: State::First,
        })
    }

    /// Acts for another user than the one who proves who he is.
    ///
    /// # Errors
    ///
    /// [`ScramError::Characters`] for a name that cannot be prepared.
    pub fn acting_for(mut self, user: &str) -> Result<Self, ScramError> {
        self.acting_for = prepare(user)?.into_owned();
        Ok(self)
    }

    /// Binds no channel: for servers that offer to, and know no `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn without_binding(mut self) -> Self {
        self.binding = Binding::Unwanted;
        self
    }

    /// Lets the client try its next mechanism once, under verified TLS, where the server calls the
    /// credentials wrong (535): it may hold the password in a form that SCRAM cannot use. Not after a
    /// server that failed to prove itself.
    #[must_use]
    pub fn or_next(mut self) -> Self {
        self.falls_back = true;
        self
    }

    fn header(&self) -> String {
        let flag = match self.binding {
            Binding::Unwanted => Flag::Unable,
            Binding::Unbound(flag) => flag,
            Binding::Exporter(_) => Flag::Exporter,
        };
        gs2::header(flag, &self.acting_for)
    }

    /// Returns the header with what is bound, as the last message repeats it (RFC 5802 6).
    fn binding_input(&self) -> Vec<u8> {
        let mut input = self.header().into_bytes();
        if let Binding::Exporter(exporter) = &self.binding {
            input.extend_from_slice(&**exporter);
        }
        input
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", gs2::escape(&self.user), self.nonce.as_str())
    }

    /// Returns the client's last message, and the signature that the server has to answer with.
    fn prove(&self, server_first: &[u8]) -> Option<(Vec<u8>, Key)> {
        let server_first = str::from_utf8(server_first).ok()?;
        let mut attributes = Attributes::of(server_first)?;
        let nonce = attributes.next('r').filter(|nonce| is_nonce(nonce))?;
        // 5802-5.1-c: it goes on where ours ends.
        nonce
            .strip_prefix(self.nonce.as_str())
            .filter(|theirs| !theirs.is_empty())?;
        let salt = base64::decode(attributes.next('s')?.as_bytes())?;
        let iterations = iterations(attributes.next('i')?)?;
        if salt.is_empty() {
            return None;
        }
        let bound = base64::encode(&self.binding_input());
        let without_proof = format!("c={},r={nonce}", *bound);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let auth_message = auth_message.as_bytes();
        let hash = self.hash;
        let (client_key, server_key) = derive(hash, &self.password, &salt, iterations);
        let client_signature = hash.hmac(&hash.digest(&client_key), auth_message);
        let proof = base64::encode(&xor(&client_key, &client_signature));
        let message = format!("{without_proof},p={}", *proof);
        Some((message.into_bytes(), hash.hmac(&server_key, auth_message)))
    }
}

/// Reads an iteration count within bounds (7677-4-a).
fn iterations(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let iterations = is_number.then(|| text.parse().ok()).flatten()?;
    is_in_bounds(iterations).then_some(iterations)
}

/// Tells whether a server's last message has the signature that it must have (5802-3-b).
fn has_signature(server_final: &[u8], signature: &Key) -> Option<bool> {
    let mut attributes = Attributes::of(str::from_utf8(server_final).ok()?)?;
    // `e` in its place tells of an error (RFC 5802 5.1).
    let verifier = base64::decode(attributes.next('v')?.as_bytes())?;
    Some(verifier.ct_eq(signature).into())
}

impl Mechanism for Scram {
    fn name(&self) -> &str {
        match self.binding {
            Binding::Exporter(_) => self.hash.binding_mechanism(),
            Binding::Unwanted | Binding::Unbound(_) => self.hash.mechanism(),
        }
    }

    /// RFC 5802 6: who can bind a channel does so where that is offered, and else says that it could.
    fn prepare(&mut self, channel: &Channel<'_>) {
        if matches!(self.binding, Binding::Unwanted) {
            return;
        }
        self.binding = match channel.binding() {
            None => Binding::Unbound(Flag::Unable),
            Some(exporter) if channel.offers(self.hash.binding_mechanism()) => {
                Binding::Exporter(Secret::new(*exporter))
            }
            Some(_) => Binding::Unbound(Flag::NotOffered),
        };
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.state = State::First;
        let message = self.header() + &self.first_bare();
        Some(message.into_bytes())
    }

    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        match mem::replace(&mut self.state, State::Failed) {
            State::First => {
                let (message, signature) = self.prove(challenge)?;
                self.state = State::Final(signature);
                Some(message)
            }
            State::Final(signature) if has_signature(challenge, &signature) == Some(true) => {
                self.state = State::Verified;
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self.state, State::Verified)
    }

    fn falls_back(&self) -> bool {
        self.falls_back && !matches!(self.state, State::Failed)
    }
}
