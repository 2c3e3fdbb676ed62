//! What a client sends and hears, as it happens.

use alloc::{boxed::Box, collections::VecDeque};
use core::time::Duration;

use super::event::MessageId;
use crate::{
    machine::{Step, TlsInfo, limits},
    syntax::Reply,
};

/// Something that was sent or heard, with what it was about.
///
/// For logs and measurements; what it means for a message its [outcome](super::Outcome) says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Observation {
    /// When, on the driver's clock.
    pub at: Duration,
    /// Which step of the session it belongs to.
    pub step: Step,
    /// The message that it is about, if it is about one.
    pub message: Option<MessageId>,
    /// The position in its envelope of the recipient that it is about, if it is about one.
    pub recipient: Option<usize>,
    /// What it was.
    pub what: Observed,
}

/// What was sent or heard.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Observed {
    /// A command, or the end of a content, is on its way.
    Command,
    /// A reply: the greeting, what is offered (to EHLO), a verdict.
    Reply {
        /// The reply.
        reply: Reply<'static>,
        /// How long after its command.
        after: Duration,
    },
    /// The TLS handshake is complete.
    Tls(Box<TlsInfo>),
    /// The TLS handshake has failed.
    TlsFailed,
}

/// The message that something is about, and the position of the recipient.
pub(super) type Whose = (MessageId, Option<usize>);

/// Collects observations until the driver takes them; the oldest are lost beyond [`limits::TRACE`].
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: VecDeque<Observation>,
    /// When each command was sent that is unanswered.
    sent: VecDeque<Duration>,
}

impl Watch {
    /// Takes note of the time of a command.
    pub(super) fn sent(&mut self, at: Duration) {
        self.sent.push_back(at);
    }

    /// Takes note of the reply to the oldest command that is unanswered.
    pub(super) fn answered(
        &mut self,
        step: Step,
        whose: Option<Whose>,
        reply: &Reply<'_>,
        at: Duration,
    ) {
        let sent = self.sent.pop_front().unwrap_or(at);
        let reply = reply.clone().into_owned();
        let after = at.saturating_sub(sent);
        self.note(step, whose, Observed::Reply { reply, after }, at);
    }

    pub(super) fn note(&mut self, step: Step, whose: Option<Whose>, what: Observed, at: Duration) {
        if self.seen.len() >= limits::TRACE {
            self.seen.pop_front();
        }
        self.seen.push_back(Observation {
            at,
            step,
            message: whose.map(|(message, _)| message),
            recipient: whose.and_then(|(_, recipient)| recipient),
            what,
        });
    }

    pub(super) fn take(&mut self) -> Option<Observation> {
        self.seen.pop_front()
    }
}
