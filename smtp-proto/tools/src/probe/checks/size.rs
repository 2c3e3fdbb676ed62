//! Which greatest message is announced, and does the server stand by it (RFC 1870)?

use smtp_proto::syntax::{Code, Extension};

use crate::probe::{
    dialogue::Silence,
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// The greatest message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// SIZE is not offered.
    NotOffered,
    /// No greatest message is announced.
    Unlimited,
    /// One is, and what is declared to be greater is refused.
    Kept {
        /// In bytes.
        max: u64,
        /// The refusal.
        code: Code,
    },
    /// One is, and what is declared to be greater is accepted for now.
    NotKept {
        /// In bytes.
        max: u64,
    },
    /// One is, and no MAIL is accepted that could tell more.
    Announced {
        /// In bytes.
        max: u64,
    },
    /// The server does not answer.
    Stops(Silence),
}

/// `takes_mail` says whether MAIL without a size is accepted.
pub(in crate::probe) fn check(session: &mut Session, options: &Options, takes_mail: bool) -> Size {
    if !session.offers(Extension::Size) {
        return Size::NotOffered;
    }
    let Some(max) = session.capabilities.max_size() else {
        return Size::Unlimited;
    };
    if !takes_mail {
        return Size::Announced { max };
    }
    let (from, more) = (&options.from, max.saturating_add(1));
    let dialogue = &mut session.dialogue;
    match dialogue.ask(format!("MAIL FROM:{from} SIZE={more}\r\n").as_bytes()) {
        Err(silence) => Size::Stops(silence),
        Ok(reply) if reply.is_positive() => {
            let _ = dialogue.ask(b"RSET\r\n");
            Size::NotKept { max }
        }
        Ok(reply) => Size::Kept {
            max,
            code: reply.code(),
        },
    }
}

impl Size {
    /// Returns the greatest message in bytes, if one is announced.
    pub const fn max(&self) -> Option<u64> {
        match self {
            Self::Kept { max, .. } | Self::NotKept { max } | Self::Announced { max } => Some(*max),
            _ => None,
        }
    }
}

impl Tells for Size {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Kept { .. } => Verdict::Right,
            Self::NotOffered | Self::Unlimited | Self::Announced { .. } => Verdict::Fact,
            Self::NotKept { .. } => Verdict::Weak,
            Self::Stops(_) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::NotOffered => "Does not say how great a message may be: no stream.".into(),
            Self::Unlimited => {
                "Offers SIZE without a number: a content in chunks could pass a limit \
                                that nobody knows, so no stream."
                    .into()
            }
            Self::Kept { max, code } => {
                format!("Announces {max} bytes; a message that declares more is refused by {code}.")
            }
            Self::NotKept { max } => format!(
                "Announces {max} bytes, and yet takes MAIL for a message that declares more: its \
                 content may be refused after it was sent."
            ),
            Self::Announced { max } => format!("Announces {max} bytes."),
            Self::Stops(silence) => format!("Does not answer a SIZE beyond its limit: {silence}."),
        }
    }
}
