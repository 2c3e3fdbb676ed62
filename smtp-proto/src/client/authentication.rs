//! Authentication (RFC 4954): between the session and its attempts.

use alloc::{boxed::Box, vec::Vec};

use super::{
    event::NotSentReason,
    rules::Verb,
    session::{Phase, Session},
};
use crate::{
    machine::{Answer, Misuse, Step},
    sasl::{Attempts, Channel, Mechanism, Progress},
    syntax::Reply,
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
        let attempts = Attempts::new(mechanisms, self.config.credentials_over)?;
        self.authentication = Some(Box::new(attempts));
        Ok(())
    }

    /// Goes on with AUTH, if it was asked for.
    pub(super) fn begin_authentication(&mut self) {
        self.advance_authentication(None);
    }

    pub(super) fn must_authenticate(&self) -> bool {
        self.authentication.is_some()
    }

    pub(super) fn write_auth(&self, out: &mut Vec<u8>) {
        if let Some(attempts) = &self.authentication {
            out.extend_from_slice(attempts.line());
        }
    }

    /// Accounts for the answer to AUTH or to a response.
    pub(super) fn on_auth(&mut self, reply: &Reply<'_>) {
        self.advance_authentication(Some(reply));
    }

    fn advance_authentication(&mut self, reply: Option<&Reply<'_>>) {
        let Some(attempts) = &mut self.authentication else {
            return self.open();
        };
        let offered = self.capabilities.auth_mechanisms();
        let channel = match &self.tls {
            Some(tls) => Channel::secured(tls, offered),
            None => Channel::in_clear(offered),
        };
        let progress = match reply {
            Some(reply) => attempts.on_reply(reply, &channel),
            None => attempts.begin(&channel),
        };
        drop(channel);
        match progress {
            Progress::Say if attempts.is_command() => self.phase = Phase::Due(Verb::Auth),
            Progress::Say => self.phase = Phase::Due(Verb::AuthResponse),
            Progress::Done => self.open(),
            Progress::Failed(fault) => {
                let answer = reply.map(|reply| Answer {
                    step: Step::Auth,
                    reply: reply.clone(),
                });
                self.refuse_session(fault, NotSentReason::AuthenticationFailed, answer);
            }
        }
    }
}
