//! A client's attempts to authenticate itself: which mechanism, its exchange, and what comes after
//! it (RFC 4954).

use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{
    channel::{Channel, Protection},
    mechanism::Mechanism,
};
use crate::{
    machine::{Fault, Misuse, Remark, limits},
    syntax::{Class, Code, Reply, base64},
};

/// A client's attempts to authenticate itself, by one mechanism after the other.
pub(crate) struct Attempts {
    current: Option<Box<dyn Mechanism>>,
    waiting: vec::IntoIter<Box<dyn Mechanism>>,
    /// The names of those that could not be used.
    unusable: Vec<String>,
    /// What a channel must have for credentials to go through it.
    needed: Protection,
    /// What is to be written.
    line: Zeroizing<Vec<u8>>,
    is_command: bool,
    /// An initial response that did not fit into AUTH, in base64.
    postponed: Option<Zeroizing<String>>,
    challenges: usize,
    /// Why the client has broken the exchange off.
    cancelled: Option<Fault>,
}

/// Says how an authentication goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The client writes [`line`](Attempts::line).
    Say,
    /// It is authenticated.
    Done,
    /// It cannot be.
    Failed(Fault),
}

impl Attempts {
    /// Takes the mechanisms in the order in which to try them.
    ///
    /// # Errors
    ///
    /// [`Misuse::InvalidMechanism`] if the name of one is none.
    pub(crate) fn new(
        mechanisms: Vec<Box<dyn Mechanism>>,
        needed: Protection,
    ) -> Result<Self, Misuse> {
        if !mechanisms.iter().all(|it| is_well_formed(it.name())) {
            return Err(Misuse::InvalidMechanism);
        }
        Ok(Self::of(mechanisms, needed))
    }

    /// Takes the mechanisms in the same way. Those whose name is none are offered by nobody.
    pub(super) fn of(mechanisms: Vec<Box<dyn Mechanism>>, needed: Protection) -> Self {
        Self {
            current: None,
            waiting: mechanisms.into_iter(),
            unusable: Vec::new(),
            needed,
            line: Zeroizing::default(),
            is_command: false,
            postponed: None,
            challenges: 0,
            cancelled: None,
        }
    }

    /// Begins with the first mechanism that may be used.
    pub(crate) fn begin(&mut self, channel: &Channel<'_>) -> Progress {
        let mut fault = Fault::NoMechanism;
        while let Some(mut mechanism) = self.waiting.next() {
            mechanism.prepare(channel);
            let name = mechanism.name();
            let is_offered = is_well_formed(name) && channel.offers(name);
            // AUT-11, 4616-5-a
            let is_safe = channel.protection() >= self.needed || !mechanism.exposes_credential();
            if is_offered && is_safe {
                self.command(&mut *mechanism);
                self.current = Some(mechanism);
                return Progress::Say;
            }
            if is_offered {
                fault = Fault::CredentialUnprotected;
            }
            self.unusable.push(name.into());
        }
        Progress::Failed(fault)
    }

    /// Returns what the server offers, and what could not be used of what the client has.
    pub(crate) fn mismatch(&self, channel: &Channel<'_>) -> Remark {
        Remark::mismatch(channel.offered(), self.unusable.iter().map(String::as_str))
    }

    /// Composes AUTH.
    fn command(&mut self, mechanism: &mut dyn Mechanism) {
        self.is_command = true;
        self.challenges = 0;
        self.postponed = None;
        let response = mechanism
            .initial_response()
            .map(|response| base64::encode(&Zeroizing::new(response)));
        let name = mechanism.name().as_bytes();
        self.say(&[b"AUTH ", name]);
        let Some(response) = response else { return };
        // 4954-4-i, AUT-9: the command stays within 512 bytes.
        if b"AUTH  \r\n".len() + name.len() + response.len() > limits::AUTH_COMMAND {
            self.postponed = Some(response);
            return;
        }
        let response = match response.as_bytes() {
            b"" => b"=", // 4954-4-j
            response => response,
        };
        self.say(&[b"AUTH ", name, b" ", response]);
    }

    /// Goes on after the server's reply to what was said.
    pub(crate) fn on_reply(&mut self, reply: &Reply<'_>, channel: &Channel<'_>) -> Progress {
        match (self.cancelled, reply.class()) {
            // Whatever the server makes of that: it was not believed, or not understood.
            (Some(fault), _) => Progress::Failed(fault),
            (None, Class::Positive) => self.conclude(),
            (None, Class::Intermediate) => self.answer(reply),
            (None, Class::Transient | Class::Permanent) => self.turn_to_next(reply.code(), channel),
        }
    }

    fn conclude(&mut self) -> Progress {
        self.line.zeroize();
        // AUT-8: a server that must prove itself cannot skip it.
        match self.current.take() {
            Some(used) if used.is_complete() => Progress::Done,
            _ => Progress::Failed(Fault::ServerUnproven),
        }
    }

    /// Answers a challenge, or breaks the exchange off.
    fn answer(&mut self, reply: &Reply<'_>) -> Progress {
        self.is_command = false;
        self.challenges = self.challenges.saturating_add(1);
        let response = match &mut self.current {
            Some(mechanism) if self.challenges <= limits::AUTH_ROUNDS => {
                respond(&mut **mechanism, reply, self.postponed.take())
            }
            _ => Err(Fault::UnreadableChallenge),
        };
        match response {
            Ok(response) => self.say(&[response.as_bytes()]),
            Err(fault) => {
                self.cancelled = Some(fault);
                self.say(&[b"*"]); // 4954-4-n
            }
        }
        Progress::Say
    }

    /// Turns to the next mechanism, where that helps against such a refusal.
    fn turn_to_next(&mut self, code: Code, channel: &Channel<'_>) -> Progress {
        self.line.zeroize();
        let used = self.current.take();
        let goes_on = match code {
            // 4954-6-b
            Code::PARAMETER_NOT_IMPLEMENTED
            | Code::MECHANISM_TOO_WEAK
            | Code::ENCRYPTION_REQUIRED => true,
            // 4954-4-u: the same password is no better by another mechanism, unless the server has
            // it in one form only.
            Code::AUTHENTICATION_FAILED => {
                channel.protection() == Protection::VerifiedTls
                    && used.is_some_and(|used| used.falls_back())
            }
            _ => false,
        };
        match goes_on.then(|| self.begin(channel)) {
            Some(Progress::Say) => Progress::Say,
            _ => Progress::Failed(Fault::AuthenticationFailed),
        }
    }

    /// Replaces the line; in one piece, as what grows leaves copies behind.
    fn say(&mut self, parts: &[&[u8]]) {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut line = Vec::with_capacity(length + b"\r\n".len());
        for part in parts.iter().chain(&[b"\r\n".as_slice()]) {
            line.extend_from_slice(part);
        }
        self.line = Zeroizing::new(line);
    }

    /// Returns what is to be written, its end included: a secret.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Returns whether the line is AUTH, and not the answer to a challenge.
    pub(crate) fn is_command(&self) -> bool {
        self.is_command
    }
}

/// Returns a mechanism's answer to a challenge, in base64.
fn respond(
    mechanism: &mut dyn Mechanism,
    reply: &Reply<'_>,
    postponed: Option<Zeroizing<String>>,
) -> Result<Zeroizing<String>, Fault> {
    // What asks for the initial response is no challenge yet: some servers say it in words.
    if let Some(response) = postponed {
        return Ok(response);
    }
    let challenge = match reply.lines().next().and_then(base64::decode) {
        Some(challenge) => challenge,
        // LOGIN-b
        None if !mechanism.reads_challenges() => Zeroizing::default(),
        None => return Err(Fault::UnreadableChallenge),
    };
    match mechanism.respond(&challenge) {
        Some(response) => Ok(base64::encode(&Zeroizing::new(response))),
        None if mechanism.is_complete() => Err(Fault::UnreadableChallenge),
        None => Err(Fault::ServerUnproven),
    }
}

/// Returns whether the name of a mechanism is one (RFC 4422 3.1).
fn is_well_formed(name: &str) -> bool {
    (1..=20).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

/// Shows no secret.
impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mechanisms = self.current.iter().chain(self.waiting.as_slice());
        f.debug_list()
            .entries(mechanisms.map(|mechanism| mechanism.name()))
            .finish()
    }
}
