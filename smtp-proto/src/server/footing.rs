//! On what footing a session is: its settings, what the client has been offered, and the time.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::config::{Config, Settings};
use super::event::Reason;
use super::offer::{Offer, Terms};
use super::offering::Protection;
use super::replies::{self, Wording};
use super::table::Verb;
use crate::machine::{Dialect, TlsInfo};
#[cfg(feature = "auth")]
use crate::sasl::Channel;
use crate::syntax::{
    Argument, Capabilities, Class, Command, Extension, ForwardPath, MailParameters, ParameterName,
    RcptParameters, ReversePath,
};

/// Knows what holds for this client.
#[derive(Debug)]
pub(super) struct Footing {
    config: Config,
    /// What the TLS handshake came to.
    tls: Option<Box<TlsInfo>>,
    /// What EHLO's answer has offered.
    announced: Option<Arc<Offer>>,
    /// When the machine was called last.
    now: Duration,
}

impl Footing {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        Self {
            config,
            tls: None,
            announced: None,
            now,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        self.config.settings()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.settings().dialect
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// Takes note of the time.
    pub(super) fn called(&mut self, now: Duration) {
        self.now = now;
    }

    /// Goes on with another configuration. What was offered stands.
    pub(super) fn reconfigure(&mut self, config: Config) {
        self.config = config;
    }

    /// Returns the configuration, to make another one of.
    pub(super) fn config(&self) -> Config {
        self.config.clone()
    }

    /// Takes note that EHLO was accepted, and so its offer made, or HELO, which has none.
    pub(super) fn introduced(&mut self, is_extended: bool) {
        let offer = self.settings().offering.under(self.protection());
        self.announced = is_extended.then(|| offer.clone());
    }

    /// Takes note that the client has to introduce itself again.
    pub(super) fn begun_afresh(&mut self) {
        self.announced = None;
    }

    /// Takes note that TLS is there.
    pub(super) fn tls_established(&mut self, info: TlsInfo) {
        self.announced = None;
        self.tls = Some(Box::new(info));
    }

    /// Returns what an authentication runs through.
    #[cfg(feature = "auth")]
    pub(super) fn channel(&self) -> Channel<'_> {
        let offered = self.offer().mechanisms();
        match &self.tls {
            Some(tls) => Channel::secured(tls, offered),
            None => Channel::in_clear(offered),
        }
    }

    /// Returns what EHLO's answer has offered, or would offer now.
    pub(super) fn offer(&self) -> &Offer {
        let announced = self.announced.as_deref();
        announced.unwrap_or_else(|| self.next_offer())
    }

    /// Returns what EHLO's answer would offer now.
    pub(super) fn next_offer(&self) -> &Offer {
        self.settings().offering.under(self.protection())
    }

    fn protection(&self) -> Protection {
        match &self.tls {
            None => Protection::InClear,
            Some(tls) if tls.exporter.is_some() => Protection::Bound,
            Some(_) => Protection::Tls,
        }
    }

    /// Returns the extensions of the [`offer`](Self::offer).
    pub(super) fn offered(&self) -> &Capabilities {
        self.offer().capabilities()
    }

    /// Returns whether the client may send commands together.
    pub(super) fn may_pipeline(&self) -> bool {
        self.announces(Extension::Pipelining)
    }

    fn announces(&self, extension: Extension) -> bool {
        let announced = self.announced.as_ref();
        announced.is_some_and(|offer| offer.capabilities().has(extension))
    }

    /// Returns what MAIL settles, or why it is refused.
    pub(super) fn terms(
        &self,
        from: &ReversePath<'_>,
        parameters: &MailParameters<'_>,
    ) -> Result<Terms, Reason> {
        let settings = self.settings();
        let terms = match &self.announced {
            Some(offer) => offer.of_mail(parameters, &settings.additions)?,
            // After HELO, or without any greeting, there are no extensions (5321-2.2.1-c).
            None if !parameters.is_empty() => return Err(Reason::NotOffered),
            None => Terms {
                max_message_size: settings.max_message_size,
                ..Terms::default()
            },
        };
        match terms.utf8 || from.is_ascii() {
            true => Ok(terms),
            false => Err(Reason::SenderNotAscii),
        }
    }

    /// Checks what RCPT asks for, in a transaction that takes UTF-8 or not.
    pub(super) fn check_recipient(
        &self,
        to: &ForwardPath<'_>,
        parameters: &RcptParameters<'_>,
        takes_utf8: bool,
    ) -> Result<(), Reason> {
        if matches!(to, ForwardPath::Local(_)) && !self.settings().takes_unqualified() {
            return Err(Reason::BadRecipient);
        }
        match &self.announced {
            _ if parameters.is_empty() => {}
            Some(offer) => offer.of_rcpt(parameters, &self.settings().additions)?,
            None => return Err(Reason::NotOffered),
        }
        match takes_utf8 || to.is_ascii() && parameters.is_ascii() {
            true => Ok(()),
            false => Err(Reason::RecipientNotAscii),
        }
    }

    /// Returns whether a parameter that the library knows is at the client's disposal.
    pub(super) fn takes(&self, name: ParameterName) -> bool {
        let announced = self.announced.as_ref();
        announced.is_some_and(|offer| offer.capabilities().takes(name))
    }

    /// Parts the argument of VRFY or EXPN from the SMTPUTF8 after it (6531-3.7.4-c); returns whether it
    /// stood there.
    pub(super) fn parted<'i>(&self, command: Command<'i>) -> (Command<'i>, bool) {
        let part = |argument: Argument<'i>| {
            let (name, flag) = argument.as_str().rsplit_once(' ')?;
            let is_flag = flag.eq_ignore_ascii_case(Extension::SmtpUtf8.keyword());
            let name = Argument::parse(name.trim_end()).ok()?;
            (is_flag && self.announces(Extension::SmtpUtf8)).then_some(name)
        };
        match command {
            Command::Vrfy(argument) => match part(argument) {
                Some(name) => (Command::Vrfy(name), true),
                None => (Command::Vrfy(argument), false),
            },
            Command::Expn(argument) => match part(argument) {
                Some(name) => (Command::Expn(name), true),
                None => (Command::Expn(argument), false),
            },
            command => (command, false),
        }
    }

    /// Returns what the machine says for a reason of its own.
    pub(super) fn wording(&self, reason: Reason) -> Wording {
        replies::wording(reason, self.dialect())
    }

    /// Returns until when the application is to answer.
    pub(super) fn verdict_deadline(&self, verb: Verb) -> Duration {
        let settings = self.settings();
        self.now.saturating_add(match verb.is_of_message() {
            true => settings.message_verdict_timeout,
            false => settings.verdict_timeout,
        })
    }

    /// Returns until when the application may review a reply of the machine's own, if it does at all.
    pub(super) fn review_deadline(&self, wording: Wording) -> Option<Duration> {
        let is_positive = wording.code().class() == Class::Positive;
        let is_reviewed = self.settings().reviews(is_positive);
        is_reviewed.then(|| self.verdict_deadline(Verb::Noop))
    }
}
