//! From the connection to the first message: greeting, EHLO, STARTTLS, and what AUTH leads to.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    config::Tls,
    event::{Event, NotSent, NotSentReason},
    pipeline::Expected,
    rules::{Level, Verb},
    session::{Phase, Session},
    transaction::Stage,
};
use crate::{
    framing::DotStuffer,
    machine::{Answer, Dialect, Error, Fault, Misuse, Step, Timer, TlsInfo},
    syntax::{Capabilities, Class, Extension, Reply},
};

impl Session {
    pub(super) fn await_greeting(&mut self, now: Duration) {
        self.phase = Phase::Connected;
        self.pipeline.push(Expected::session(Verb::Connect, 0, 0));
        let patience = self.config.timeouts.of(Timer::Greeting);
        self.reply_deadline.start(Timer::Greeting, patience, now);
    }

    pub(super) fn await_handshake(&mut self, now: Duration) {
        self.phase = Phase::Handshake;
        let patience = self.config.timeouts.of(Timer::Handshake);
        self.reply_deadline.start(Timer::Handshake, patience, now);
    }

    pub(super) fn wants_tls(&self) -> bool {
        self.phase == Phase::Handshake && !self.is_over()
    }

    pub(super) fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.reply_deadline.stop();
        self.encrypted = true;
        #[cfg(feature = "auth")]
        {
            self.tls = Some(Box::new(info));
        }
        #[cfg(not(feature = "auth"))]
        drop(info);
        if self.config.tls == Tls::Implicit {
            self.await_greeting(now);
        } else {
            // RFC 3207 4.2: what was learned in clear is forgotten, and EHLO comes first.
            self.capabilities = Capabilities::new();
            self.level = Level::LockStep;
            self.phase = Phase::Due(self.hello());
        }
        Ok(())
    }

    pub(super) fn tls_failed(&mut self) {
        if self.wants_tls() {
            self.fail(Fault::TlsFailed, &[]);
        }
    }

    pub(super) fn on_bytes_before_tls(&mut self, bytes: &[u8]) {
        let fault = match bytes {
            [] => Fault::ConnectionLost,
            _ => Fault::BytesBeforeTls, // 3207-4-i, TLS-6
        };
        self.fail(fault, bytes);
    }

    pub(super) fn on_greeting<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        if reply.is_positive() {
            if !self.early {
                let hello = if is_veiled(&reply) {
                    Verb::Helo
                } else {
                    self.hello()
                };
                self.phase = Phase::Due(hello);
            }
            return Some(Event::Greeting { reply });
        }
        self.refuse_session(
            Fault::SessionRefused,
            NotSentReason::SessionRefused,
            answer(Step::Greeting, &reply),
        );
        None
    }

    /// Returns how the client introduces itself: RFC 5321 2.2.1, RFC 2033 4.1.
    fn hello(&self) -> Verb {
        match self.config.dialect {
            Dialect::Smtp => Verb::Ehlo,
            Dialect::Lmtp => Verb::Lhlo,
        }
    }

    pub(super) fn on_hello(&mut self, verb: Verb, reply: &Reply<'_>) {
        match (reply.class(), verb) {
            _ if self.refusal.is_some() => {} // sent ahead of a greeting that refuses the session
            _ if self.early => self.verify_known(reply),
            (Class::Positive, Verb::Helo) => self.on_introduced(reply),
            (Class::Positive, _) => {
                self.capabilities = self.offer_of(reply);
                self.on_introduced(reply);
            }
            // RFC 5321 3.2: HELO where EHLO is not understood. Postfix takes any refusal for that.
            (_, Verb::Ehlo) => self.phase = Phase::Due(Verb::Helo),
            _ => {
                self.refuse_session(
                    Fault::SessionRefused,
                    NotSentReason::SessionRefused,
                    answer(Step::Hello, reply),
                );
            }
        }
    }

    /// Tells whether the session is, or may be, opened without waiting for the server.
    pub(super) fn is_early(&self) -> bool {
        let known = self.config.known.as_deref();
        let opening = self.phase == Phase::Connected
            && known.is_some_and(|known| {
                known.has(Extension::Pipelining) && known.get("PIPECONNECT").is_some()
            })
            && (self.encrypted || self.config.tls == Tls::Off)
            && self.config.dialect == Dialect::Smtp
            && !self.must_authenticate();
        self.early || opening
    }

    /// Opens the session on the strength of what the server offered before.
    pub(super) fn open_early(&mut self) {
        self.early = true;
        self.capabilities = self.config.known.as_deref().cloned().unwrap_or_default();
        self.open();
        self.ready_unreported = false;
    }

    /// Compares what the server offers with what was relied on.
    fn verify_known(&mut self, reply: &Reply<'_>) {
        self.early = false;
        let offered = if reply.is_positive() {
            self.offer_of(reply)
        } else {
            Capabilities::new()
        };
        let kept = Extension::ALL
            .iter()
            .all(|&extension| offered.has(extension) || !self.capabilities.has(extension));
        if kept && offered.limits() == self.capabilities.limits() {
            self.capabilities = offered;
            self.ready_unreported = true;
        } else {
            self.fail(Fault::CapabilitiesChanged, reply.as_bytes());
        }
    }

    /// Returns what an answer to EHLO offers, less what is to be ignored.
    fn offer_of(&self, reply: &Reply<'_>) -> Capabilities {
        let ignored = self.config.ignored.iter();
        ignored.fold(Capabilities::parse(reply), |offer, extension| {
            offer.without(*extension)
        })
    }

    /// Goes on with TLS, if that is due and offered.
    fn on_introduced(&mut self, reply: &Reply<'_>) {
        let offered = self.capabilities.has(Extension::StartTls);
        match self.config.tls {
            _ if self.encrypted => self.begin_authentication(),
            Tls::Opportunistic | Tls::Required if offered => {
                self.phase = Phase::Due(Verb::StartTls);
            }
            Tls::Required => {
                self.refuse_session(
                    Fault::TlsUnavailable,
                    NotSentReason::TlsUnavailable,
                    answer(Step::Hello, reply),
                );
            }
            Tls::Off | Tls::Opportunistic | Tls::Implicit => self.begin_authentication(),
        }
    }

    pub(super) fn on_start_tls(&mut self, expected: &Expected, reply: &Reply<'_>, now: Duration) {
        if reply.is_positive() {
            if self.wire.is_sent(expected) {
                self.await_handshake(now);
            } else {
                // An answer to what has not left.
                self.fail(Fault::SurplusReply, reply.as_bytes());
            }
        } else if self.config.tls == Tls::Opportunistic {
            self.begin_authentication(); // 3207-4-b
        } else {
            self.refuse_session(
                Fault::TlsUnavailable,
                NotSentReason::TlsUnavailable,
                answer(Step::StartTls, reply),
            );
        }
    }

    /// Opens the session for messages.
    pub(super) fn open(&mut self) {
        self.level = self
            .config
            .pipelining
            .level(&self.capabilities, self.config.dialect);
        self.stuffer = DotStuffer::new(self.config.line_breaks);
        self.usage.limits = self.capabilities.limits(); // 9422-3.6-a
        self.phase = Phase::Ready;
        self.ready_unreported = true;
        for id in self.transactions.ids() {
            self.check_requirements(id);
            self.split(id);
        }
    }

    /// Gives up on a session that the server does not want, or that is not what it has to be, with a
    /// QUIT.
    pub(super) fn refuse_session(
        &mut self,
        fault: Fault,
        reason: NotSentReason,
        answer: Option<Answer<'_>>,
    ) {
        let error = match &answer {
            Some(answer) => Error::answered(fault, self.state(), answer.clone()),
            None => Error::new(fault, self.state(), &[]),
        };
        let reason = match answer {
            Some(answer) => NotSent::answered(reason, answer),
            None => reason.into(),
        };
        self.refusal = Some(Box::new(error));
        self.phase = Phase::Ready;
        self.quitting = true;
        self.early = false;
        for id in self.transactions.ids() {
            let transaction = self.transactions.get_mut(id);
            match transaction.filter(|transaction| transaction.stage == Stage::Over) {
                // Sent ahead of the refusal: its own refusals are still to be read.
                Some(transaction) => transaction.not_sent = Some(reason.clone()),
                None => self.abandon(id, reason.clone()),
            }
        }
    }
}

fn answer<'i>(step: Step, reply: &Reply<'i>) -> Option<Answer<'i>> {
    Some(Answer {
        step,
        reply: reply.clone(),
    })
}

/// Tells whether a firewall has made stars of a greeting (Cisco PIX). Such firewalls cannot cope with
/// EHLO, nor with an end of content that comes in two segments; the client never parts it.
fn is_veiled(greeting: &Reply<'_>) -> bool {
    let veil = |byte: &u8| matches!(byte, b'2' | b'0' | b'*' | b' ');
    greeting
        .lines()
        .all(|line| line.len() > 3 && line.iter().all(veil))
}

#[cfg(not(feature = "auth"))]
impl Session {
    fn begin_authentication(&mut self) {
        self.open();
    }

    fn must_authenticate(&self) -> bool {
        false
    }

    pub(super) fn on_auth(&mut self, _: &Reply<'_>) {}

    pub(super) fn write_auth(&self, _: &mut alloc::vec::Vec<u8>) {}
}
