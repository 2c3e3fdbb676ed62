//! The client's part in SCRAM.

use alloc::{format, string::String, vec::Vec};
use core::{mem, str};

use subtle::ConstantTimeEq;

use super::{
    super::{gs2, mechanism::Mechanism, secret::Secret},
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
    state: State,
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
        let header = base64::encode(gs2::header(&self.acting_for).as_bytes());
        let without_proof = format!("c={},r={nonce}", *header);
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
        self.hash.mechanism()
    }

    fn is_plain_text(&self) -> bool {
        false
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.state = State::First;
        let message = gs2::header(&self.acting_for) + &self.first_bare();
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
}
