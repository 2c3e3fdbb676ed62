//! What a question is about, and what answers it.

use std::{
    borrow::ToOwned,
    string::{String, ToString},
};

use crate::machine::Step;
use crate::reception::{Answer, Question, Refusal, accept};
#[cfg(feature = "auth")]
use crate::sasl::Credential;
use crate::server::Reason;
use crate::syntax::{ForwardPath, ReversePath};

/// What a question is about.
pub(super) struct About {
    pub(super) kind: Kind,
    /// The step at which it comes, where there may be a reaction to it.
    pub(super) step: Option<Step>,
    /// The address that it names.
    pub(super) address: Option<String>,
}

/// What kind of an answer a question wants.
#[derive(Debug)]
pub(super) enum Kind {
    Plain,
    Session,
    Transaction,
    Recipient,
    Content,
    /// The end of a content; in LMTP, for one of several recipients.
    Message {
        is_last: bool,
    },
    Reply,
    #[cfg(feature = "auth")]
    Mechanism,
    #[cfg(feature = "auth")]
    Credential(String),
    /// It cannot be answered here.
    #[cfg(feature = "auth")]
    Unknown,
}

impl About {
    pub(super) fn question(question: &Question<()>) -> Self {
        let mut address = None;
        let (kind, step) = match question {
            Question::Connected => (Kind::Session, Some(Step::Greeting)),
            Question::Hello => (Kind::Plain, Some(Step::Hello)),
            Question::StartTls => (Kind::Plain, Some(Step::StartTls)),
            #[cfg(feature = "auth")]
            Question::Mechanism(_) => (Kind::Mechanism, None),
            #[cfg(feature = "auth")]
            Question::Credential(claim) => {
                let user = match claim.credential() {
                    Credential::Password { user, .. }
                    | Credential::Token { user, .. }
                    | Credential::Proven { user, .. } => user.to_owned(),
                    Credential::External { acting_for } => acting_for.to_owned(),
                };
                (Kind::Credential(user), Some(Step::Auth))
            }
            Question::Mail(sender) => {
                address = Some(address_of_sender(&sender.path));
                (Kind::Transaction, Some(Step::Mail))
            }
            Question::Recipient(_, recipient) => {
                address = Some(address_of_recipient(&recipient.path));
                (Kind::Recipient, Some(Step::Recipient))
            }
            Question::Message(_) => (Kind::Message { is_last: true }, Some(Step::Content)),
            Question::Reply { reason, .. } => {
                let step = match reason {
                    Reason::Reset => Some(Step::Reset),
                    Reason::Quit => Some(Step::Quit),
                    Reason::Noop => Some(Step::Command),
                    Reason::Chunk => Some(Step::Content),
                    _ => None,
                };
                (Kind::Reply, step)
            }
            Question::XClient(_) => (Kind::Session, Some(Step::XClient)),
            Question::XForward(_) => (Kind::Plain, Some(Step::XForward)),
            Question::Verify(_)
            | Question::Expand(_)
            | Question::Help(_)
            | Question::Etrn(_)
            | Question::Command { .. } => (Kind::Plain, Some(Step::Command)),
            #[cfg(feature = "auth")]
            _ => (Kind::Unknown, None),
        };
        Self {
            kind,
            step,
            address,
        }
    }
}

impl Kind {
    /// Returns the answer that a verdict makes, if there can be one.
    pub(super) fn answer(self, verdict: Result<(), Refusal>) -> Option<Answer<()>> {
        let plain = |verdict: Result<(), Refusal>| verdict.and_then(|()| accept());
        Some(match self {
            Self::Plain | Self::Message { .. } => Answer::Plain(plain(verdict)),
            Self::Session => Answer::Session(plain(verdict)),
            Self::Transaction => Answer::Transaction(plain(verdict)),
            Self::Recipient => Answer::Recipient(plain(verdict)),
            Self::Content => Answer::Content(verdict),
            // It is in the machine's words, whatever is said in their place.
            Self::Reply => Answer::Reply(None),
            #[cfg(feature = "auth")]
            Self::Mechanism => Answer::Mechanism(Ok(false)),
            #[cfg(feature = "auth")]
            Self::Credential(user) => Answer::Identity(verdict.map(|()| user.into())),
            #[cfg(feature = "auth")]
            Self::Unknown => return None,
        })
    }
}

pub(super) fn address_of_sender(path: &ReversePath<'_>) -> String {
    path.mailbox()
        .map_or_else(String::new, |it| it.as_str().to_owned())
}

pub(super) fn address_of_recipient(path: &ForwardPath<'_>) -> String {
    match path.mailbox() {
        Some(mailbox) => mailbox.as_str().to_owned(),
        None => path.to_string().trim_matches(['<', '>']).to_owned(),
    }
}
