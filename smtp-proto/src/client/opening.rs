//! From the connection to the first message: greeting, EHLO, STARTTLS, XCLIENT, AUTH, and what may be
//! left out of it where the server is known (PIPECONNECT).

use alloc::{boxed::Box, vec::Vec};

#[cfg(feature = "auth")]
use super::demand::Demand;
use super::{
    config::{Config, Tls},
    event::NotSentReason,
    forwarding::{Spoken, SpokenFor},
    table::{Choice, State, Verb},
};
#[cfg(feature = "auth")]
use crate::sasl::{Attempts, Channel, Progress};
use crate::{
    machine::{Answer, Dialect, Error, Fault, Remark, TlsInfo},
    syntax::{Capabilities, Code, Extension, Reply},
};

/// What is known of the server, and of the way to the first message.
#[derive(Debug)]
pub(super) struct Opening {
    capabilities: Capabilities,
    /// What the handshake came to, once TLS is on.
    tls: Option<Box<TlsInfo>>,
    /// Nothing has come through it yet.
    awaits_first_reply: bool,
    /// Commands were sent before EHLO was answered.
    is_ahead: bool,
    /// What is said by XCLIENT, once that has begun.
    xclient: Option<Box<Spoken>>,
    /// The session was opened, with what the server has said itself.
    is_complete: bool,
    /// How the server refused EHLO, while HELO is tried.
    refused_ehlo: Option<Box<Answer<'static>>>,
    /// What is reported once the session is closed, which the server refused.
    refusal: Option<Box<Error>>,
    #[cfg(feature = "auth")]
    attempts: Option<Box<Attempts>>,
}

/// Where the session goes from here.
#[derive(Debug)]
pub(super) enum Decision {
    To(State),
    /// Messages may be sent, as far as is known.
    Open,
    /// What was known still holds, or nothing is left to be decided.
    Stay,
    /// The session is of no use, and is left in good order.
    Refuse(Fault, NotSentReason, Cause),
    /// The session cannot go on.
    Fail(Fault),
}

/// Why a session is of no use.
#[derive(Debug)]
pub(super) enum Cause {
    /// For what the server has said to this, with what it has said besides.
    Answer(Verb, Answer<'static>, Remark),
    /// For what it offers.
    Offer(Remark),
}

impl Opening {
    pub(super) fn new() -> Self {
        Self {
            capabilities: Capabilities::new(),
            tls: None,
            awaits_first_reply: false,
            is_ahead: false,
            xclient: None,
            is_complete: false,
            refused_ehlo: None,
            refusal: None,
            #[cfg(feature = "auth")]
            attempts: None,
        }
    }

    /// Returns what the server offers, as far as it has said so, or is known to.
    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Has the client authenticate before any message.
    #[cfg(feature = "auth")]
    pub(super) fn authenticate_by(&mut self, attempts: Attempts) {
        self.attempts = Some(Box::new(attempts));
    }

    /// Returns whether it may come to AUTH.
    #[cfg(feature = "auth")]
    fn may_authenticate(&self, config: &Config) -> bool {
        self.attempts.is_some() || config.choice.is_some()
    }

    /// Returns whether it has to come to AUTH, as far as is known before the offer.
    #[cfg(feature = "auth")]
    fn must_authenticate(&self, config: &Config) -> bool {
        self.attempts.is_some() && config.authentication == Demand::Required
    }

    #[cfg(not(feature = "auth"))]
    fn may_authenticate(&self, _: &Config) -> bool {
        false
    }

    #[cfg(not(feature = "auth"))]
    fn must_authenticate(&self, _: &Config) -> bool {
        false
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn is_verified(&self) -> bool {
        self.tls.as_deref().is_some_and(TlsInfo::is_verified)
    }

    /// Takes note that the session is open.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes note that the server has said something.
    pub(super) fn hear(&mut self) {
        self.awaits_first_reply = false;
    }

    /// Returns whether the server has said anything since TLS is on, if it is. By TLS 1.3 a server refuses
    /// a client's certificate only after the client's end of the handshake (RFC 8446 4.4.2).
    pub(super) fn has_been_heard(&self) -> bool {
        !self.awaits_first_reply
    }

    /// Returns whether commands were sent before EHLO was answered.
    pub(super) fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Keeps the error that a session ends with once QUIT is answered.
    pub(super) fn refuse(&mut self, error: Error) {
        self.refusal = Some(Box::new(error));
        self.is_ahead = false;
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Takes the refusal of EHLO, if HELO was tried after it and has not been accepted; unless it says no
    /// more than that the server does not know EHLO (5321-2.2.1-c).
    pub(super) fn take_refused_ehlo(&mut self) -> Option<Answer<'static>> {
        let refused = self.refused_ehlo.take_if(|answer| refuses(answer));
        refused.map(|answer| *answer)
    }

    pub(super) fn take_refusal(&mut self) -> Option<Box<Error>> {
        self.refusal.take()
    }

    /// Takes note of what the handshake came to, and forgets all that was learned in clear
    /// (RFC 3207 4.2).
    pub(super) fn encrypt(&mut self, info: TlsInfo) {
        self.tls = Some(Box::new(info));
        self.awaits_first_reply = true;
        self.capabilities = Capabilities::new();
    }

    /// Returns whether the session may be opened without waiting for the server, on the strength of
    /// what it offered before.
    pub(super) fn may_go_ahead(&self, config: &Config) -> bool {
        let known = config.known.as_deref().is_some_and(|known| {
            known.has(Extension::Pipelining) && known.get("PIPECONNECT").is_some()
        });
        known
            && (self.is_encrypted() || config.tls == Tls::Off)
            && introduction(config) == Verb::Ehlo
            && config.spoken_for.is_none()
            && !self.may_authenticate(config)
    }

    /// Opens the session on the strength of that.
    pub(super) fn go_ahead(&mut self, config: &Config) {
        self.is_ahead = true;
        self.capabilities = config.known.as_deref().cloned().unwrap_or_default();
    }

    /// Writes one of the opening's commands, or QUIT.
    pub(super) fn write(&self, verb: Verb, config: &Config, out: &mut Vec<u8>) {
        let whom = config.spoken_for.as_deref();
        let other = self.xclient.as_ref().and_then(|_| whom?.name());
        let name = other.as_deref().unwrap_or(config.name.as_str()).as_bytes();
        let (command, argument): (&[u8], &[u8]) = match verb {
            Verb::Ehlo => (b"EHLO ", name),
            Verb::Helo => (b"HELO ", name),
            Verb::Lhlo => (b"LHLO ", name),
            Verb::StartTls => (b"STARTTLS", b""),
            #[cfg(feature = "auth")]
            Verb::Auth | Verb::AuthResponse => {
                let line = self.attempts.as_ref().map(|attempts| attempts.line());
                return out.extend_from_slice(line.unwrap_or_default());
            }
            Verb::XClient => {
                let line = self.xclient.as_ref().and_then(|it| it.line());
                return out.extend_from_slice(line.unwrap_or_default());
            }
            _ => (b"QUIT", b""),
        };
        out.extend_from_slice(command);
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }

    /// Decides what follows the handshake.
    pub(super) fn after_handshake(&self, config: &Config) -> State {
        match config.tls {
            Tls::Implicit => State::Connected,
            _ => State::Due(introduction(config)),
        }
    }

    /// Decides where a turn of a verb leads that the table leaves open; the reply is that to it.
    pub(super) fn decide(
        &mut self,
        choice: Choice,
        verb: Verb,
        reply: &Reply<'_>,
        config: &Config,
    ) -> Decision {
        match choice {
            // Both are decided where they happen.
            Choice::Handshake | Choice::Patience => Decision::Stay,
            // Sent ahead of a greeting that refused the session.
            _ if self.is_refused() => Decision::Stay,
            Choice::Refusal => self.be_refused(verb, reply),
            Choice::Introduction if self.is_ahead => Decision::Stay,
            Choice::Introduction if is_veiled(reply) && self.may_do_without_ehlo(config) => {
                Decision::To(State::Due(Verb::Helo))
            }
            Choice::Introduction => Decision::To(State::Due(introduction(config))),
            Choice::Fallback | Choice::Protection if self.is_ahead => self.verify(reply, config),
            // 250 to XCLIENT may have been EHLO's: then this reply is XCLIENT's, and says so. One to EHLO
            // of a server that knows XCLIENT has something to offer.
            Choice::Fallback if self.is_spoken_by_250() => self.be_refused(verb, reply),
            Choice::Protection if self.is_spoken_by_250() && !is_offer(reply) => {
                Decision::Fail(Fault::ImpossibleReply)
            }
            // RFC 5321 3.2: HELO where EHLO is not understood. Postfix takes any refusal for that.
            Choice::Fallback if self.may_do_without_ehlo(config) => {
                self.refused_ehlo = Some(Box::new(answer(verb, reply)));
                Decision::To(State::Due(Verb::Helo))
            }
            Choice::Fallback => self.be_refused(verb, reply),
            Choice::Protection => {
                self.refused_ehlo = None;
                if verb != Verb::Helo {
                    self.capabilities = offer(reply, config);
                }
                self.protect(verb, reply, config)
            }
            Choice::Clear if config.tls == Tls::Opportunistic => self.speak_for_another(config), // 3207-4-b
            Choice::Clear => tls_unavailable(verb, reply),
            Choice::Another if reply.code() == Code::OK && is_offer(reply) => {
                Decision::Fail(Fault::ImpossibleReply) // EHLO has been answered twice
            }
            Choice::Another => self.go_on_as_another(reply, config),
            Choice::Identity | Choice::Challenge | Choice::Mechanism => {
                self.authenticate(Some((verb, answer(verb, reply))), config)
            }
        }
    }

    /// Returns whether HELO is of use: whether neither TLS nor XCLIENT nor AUTH is needed, which only the
    /// answer to EHLO can offer.
    fn may_do_without_ehlo(&self, config: &Config) -> bool {
        let needs_tls = config.tls == Tls::Required && !self.is_encrypted();
        let whom = config.spoken_for.as_deref();
        let needs_xclient = self.xclient.is_none() && whom.is_some_and(SpokenFor::is_required);
        !needs_tls && !needs_xclient && !self.must_authenticate(config)
    }

    /// Ends a session that the server has refused: by this reply, or by that to EHLO before it, which tells
    /// more than what it says to HELO after that.
    fn be_refused(&mut self, verb: Verb, reply: &Reply<'_>) -> Decision {
        let said = answer(verb, reply);
        let cause = match self.refused_ehlo.take() {
            None => Cause::Answer(verb, said, Remark::default()),
            Some(ehlo) if refuses(&ehlo) => {
                Cause::Answer(Verb::Ehlo, *ehlo, Remark::answered("HELO", reply))
            }
            Some(ehlo) => Cause::Answer(verb, said, Remark::answered("EHLO", &ehlo.reply)),
        };
        Decision::Refuse(Fault::SessionRefused, NotSentReason::SessionRefused, cause)
    }

    /// Compares what the server offers with what was relied on.
    fn verify(&mut self, reply: &Reply<'_>, config: &Config) -> Decision {
        self.is_ahead = false;
        let offered = match reply.is_positive() {
            true => offer(reply, config),
            false => Capabilities::new(),
        };
        let is_kept = Extension::ALL
            .iter()
            .all(|&extension| offered.has(extension) || !self.capabilities.has(extension));
        if is_kept && offered.limits() == self.capabilities.limits() {
            self.capabilities = offered;
            Decision::To(State::Ready)
        } else {
            Decision::Fail(Fault::CapabilitiesChanged)
        }
    }

    /// Goes on with TLS, if that is due and offered.
    fn protect(&mut self, verb: Verb, reply: &Reply<'_>, config: &Config) -> Decision {
        let is_offered = self.capabilities.has(Extension::StartTls);
        match config.tls {
            // What was decided of TLS before XCLIENT still holds.
            _ if self.is_encrypted() || self.xclient.is_some() => self.speak_for_another(config),
            Tls::Opportunistic | Tls::Required if is_offered => {
                Decision::To(State::Due(Verb::StartTls))
            }
            Tls::Required => tls_unavailable(verb, reply),
            Tls::Off | Tls::Opportunistic | Tls::Implicit => self.speak_for_another(config),
        }
    }

    /// Goes on with XCLIENT, if that is due and offered: once, as it holds for the session.
    fn speak_for_another(&mut self, config: &Config) -> Decision {
        let whom = config.spoken_for.as_deref();
        let Some(whom) = whom.filter(|_| self.xclient.is_none()) else {
            return self.authenticate(None, config);
        };
        match whom.begin(&self.capabilities) {
            None => {
                let cause = Cause::Offer(whom.mismatch(&self.capabilities));
                let reason = NotSentReason::XClientUnavailable;
                Decision::Refuse(Fault::XClientUnavailable, reason, cause)
            }
            Some(nothing) if nothing.line().is_none() => self.authenticate(None, config),
            Some(spoken) => {
                self.xclient = Some(Box::new(spoken));
                Decision::To(State::Due(Verb::XClient))
            }
        }
    }

    /// Returns whether XCLIENT was accepted by a reply that may have been another command's.
    fn is_spoken_by_250(&self) -> bool {
        self.xclient.as_ref().is_some_and(|it| it.is_answered_250())
    }

    /// Goes on after a line of XCLIENT that was accepted: with the next, or anew.
    fn go_on_as_another(&mut self, reply: &Reply<'_>, config: &Config) -> Decision {
        self.capabilities = Capabilities::new();
        let next = self.xclient.as_mut().and_then(|it| {
            it.accept(reply);
            it.line()
        });
        Decision::To(State::Due(match next {
            Some(_) => Verb::XClient,
            None => introduction(config),
        }))
    }

    /// Begins with AUTH, if that is wanted, or goes on after the answer to it.
    #[cfg(feature = "auth")]
    fn authenticate(
        &mut self,
        answered: Option<(Verb, Answer<'static>)>,
        config: &Config,
    ) -> Decision {
        let channel = match &self.tls {
            Some(tls) => Channel::secured(tls, self.capabilities.auth_mechanisms()),
            None => Channel::in_clear(self.capabilities.auth_mechanisms()),
        };
        if self.attempts.is_none()
            && let Some(choice) = &config.choice
        {
            let chosen = choice.ask(&channel, config.credentials_over);
            self.attempts = chosen.map(Box::new);
        }
        let Some(attempts) = &mut self.attempts else {
            return Decision::Open;
        };
        let progress = match &answered {
            Some((_, answer)) => attempts.on_reply(&answer.reply, &channel),
            None => attempts.begin(&channel),
        };
        match progress {
            Progress::Failed(Fault::NoMechanism) if config.authentication == Demand::IfOffered => {
                Decision::Open
            }
            Progress::Say if attempts.is_command() => Decision::To(State::Due(Verb::Auth)),
            Progress::Say => Decision::To(State::Due(Verb::AuthResponse)),
            Progress::Done => Decision::Open,
            Progress::Failed(fault) => {
                let cause = match answered {
                    Some((verb, answer)) => Cause::Answer(verb, answer, Remark::default()),
                    None => Cause::Offer(attempts.mismatch(&channel)),
                };
                Decision::Refuse(fault, unauthenticated(fault), cause)
            }
        }
    }

    #[cfg(not(feature = "auth"))]
    fn authenticate(&mut self, _: Option<(Verb, Answer<'static>)>, _: &Config) -> Decision {
        Decision::Open
    }
}

fn answer(verb: Verb, reply: &Reply<'_>) -> Answer<'static> {
    Answer {
        step: verb.step(),
        reply: reply.clone().into_owned(),
    }
}

/// Returns whether an answer to EHLO says more than that the server does not know that.
fn refuses(answer: &Answer<'_>) -> bool {
    !matches!(
        answer.reply.code(),
        Code::SYNTAX_ERROR | Code::NOT_IMPLEMENTED
    )
}

fn tls_unavailable(verb: Verb, reply: &Reply<'_>) -> Decision {
    Decision::Refuse(
        Fault::TlsUnavailable,
        NotSentReason::TlsUnavailable,
        Cause::Answer(verb, answer(verb, reply), Remark::default()),
    )
}

/// Returns why messages are not sent after such a failure to authenticate.
#[cfg(feature = "auth")]
fn unauthenticated(fault: Fault) -> NotSentReason {
    match fault {
        Fault::NoMechanism => NotSentReason::NoMechanism,
        Fault::CredentialUnprotected => NotSentReason::CredentialUnprotected,
        Fault::UnreadableChallenge => NotSentReason::UnreadableChallenge,
        Fault::ServerUnproven => NotSentReason::ServerUnproven,
        _ => NotSentReason::AuthenticationFailed,
    }
}

/// Returns how the client introduces itself: RFC 5321 2.2.1, RFC 2033 4.1.
fn introduction(config: &Config) -> Verb {
    match config.dialect {
        Dialect::Smtp if config.helo_only => Verb::Helo,
        Dialect::Smtp => Verb::Ehlo,
        Dialect::Lmtp => Verb::Lhlo,
    }
}

/// Returns what an answer to EHLO offers, less what is to be ignored.
fn offer(reply: &Reply<'_>, config: &Config) -> Capabilities {
    let ignored = config.ignored.iter();
    ignored.fold(Capabilities::parse(reply), |offer, extension| {
        offer.without(*extension)
    })
}

/// Returns whether a reply can be an answer to EHLO that offers something, one line each after the first.
fn is_offer(reply: &Reply<'_>) -> bool {
    reply.lines().nth(1).is_some()
}

/// Returns whether a firewall has made stars of a greeting (Cisco PIX). Such firewalls cannot cope with
/// EHLO, nor with an end of content that comes in two segments; the client never parts it.
fn is_veiled(greeting: &Reply<'_>) -> bool {
    let is_veil = |byte: &u8| matches!(byte, b'2' | b'0' | b'*' | b' ');
    greeting
        .lines()
        .all(|line| line.len() > 3 && line.iter().all(is_veil))
}
