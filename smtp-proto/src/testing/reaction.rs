//! What a server is told to do otherwise than it would.

use core::time::Duration;
use std::{string::String, vec::Vec};

use crate::machine::Step;
use crate::reception::Refusal;
use crate::syntax::{Class, Reply};

/// What a [`TestServer`](super::TestServer) does at one step of a session, in place of what it would do.
///
/// ```
/// use smtp_proto::testing::{Reaction, Step};
///
/// // One is not there, the first two others are put off, and the first content is lost.
/// let unknown = Reaction::to(Step::Recipient).address("bob@example.org").reply("550 5.1.1 Unknown");
/// let greylisted = Reaction::to(Step::Recipient).times(2).reply("451 4.7.1 Later");
/// let lost = Reaction::to(Step::Content).times(1).cut();
/// ```
#[derive(Clone, Debug)]
pub struct Reaction {
    step: Step,
    address: Option<String>,
    /// How often it is still to come.
    left: Option<usize>,
    delay: Duration,
    act: Act,
}

/// What is done, after the delay.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// What would be done anyhow.
    Usual,
    /// These bytes are said, and the command is carried out unless they refuse it.
    Say(Vec<u8>),
    /// The command is not carried out, and the connection ends.
    Cut,
    /// The command is carried out, and the connection ends without a word about it.
    TakeAndCut,
}

impl Reaction {
    /// Begins a reaction to what a client does at this step.
    ///
    /// The content's is a message as a whole, by DATA or by BDAT, and in LMTP a recipient's; or a chunk
    /// that is not the last. What the server itself finds wrong with a command is not reacted to.
    pub fn to(step: Step) -> Self {
        Self {
            step,
            address: None,
            left: None,
            delay: Duration::ZERO,
            act: Act::Usual,
        }
    }

    /// Only where it is about this address: as the sender of MAIL, as the recipient of RCPT, as one of
    /// the recipients of DATA or a content.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Only so many times, in all connections together.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = Some(times);
        self
    }

    /// Takes so long over it, and whatever was sent after it waits.
    #[must_use]
    pub fn late(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Says exactly this, which may be anything; a final CR LF is added if there is none. Unless it is a
    /// refusal, the command is carried out: a message is taken, whatever its client is told.
    #[must_use]
    pub fn reply(mut self, text: &str) -> Self {
        let mut bytes = Vec::from(text);
        if !bytes.ends_with(b"\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        self.act = Act::Say(bytes);
        self
    }

    /// Says nothing, and goes on: a message is taken, and the next reply comes in its reply's place.
    #[must_use]
    pub fn no_reply(mut self) -> Self {
        self.act = Act::Say(Vec::new());
        self
    }

    /// Ends the connection in place of a reply, after the replies to what came before. Nothing is
    /// taken.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.act = Act::Cut;
        self
    }

    /// Ends the connection in place of a reply once the command is carried out: a message is taken, and
    /// its client cannot know.
    #[must_use]
    pub fn take_and_cut(mut self) -> Self {
        self.act = Act::TakeAndCut;
        self
    }

    /// Counts the reaction down if it is one to this; returns whether it is.
    pub(super) fn fits(&mut self, step: Step, addresses: &[String]) -> bool {
        let is_about =
            |address: &String| addresses.iter().any(|it| it.eq_ignore_ascii_case(address));
        if self.step != step || !self.address.as_ref().is_none_or(is_about) {
            return false;
        }
        match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left = left.saturating_sub(1);
                true
            }
            None => true,
        }
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn into_act(self) -> Act {
        self.act
    }
}

/// Returns the verdict that is in what is said.
pub(super) fn verdict(bytes: &[u8]) -> Result<(), Refusal> {
    match Reply::parse(bytes) {
        Ok(reply) if matches!(reply.class(), Class::Transient | Class::Permanent) => {
            Err(reply.into_owned().into())
        }
        _ => Ok(()),
    }
}
