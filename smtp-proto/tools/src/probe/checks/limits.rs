//! What may a session hold, as far as it is announced (RFC 9422)?

use smtp_proto::syntax::{self, Capabilities, Extension};

use crate::probe::finding::{Tells, Verdict};

/// The announced limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limits {
    /// None.
    NotOffered,
    /// These.
    Announced(syntax::Limits),
}

pub(in crate::probe) fn check(capabilities: &Capabilities) -> Limits {
    match capabilities.has(Extension::Limits) {
        true => Limits::Announced(capabilities.limits()),
        false => Limits::NotOffered,
    }
}

impl Tells for Limits {
    fn verdict(&self) -> Verdict {
        Verdict::Fact
    }

    fn meaning(&self) -> String {
        match self {
            Self::NotOffered => "Announces no limits of a session.".into(),
            Self::Announced(limits) if *limits == syntax::Limits::default() => {
                "Announces limits that no client knows.".into()
            }
            Self::Announced(limits) => format!("Announces {limits}."),
        }
    }
}
