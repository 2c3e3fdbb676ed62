//! What is offered in answer to EHLO?

use smtp_proto::syntax::Capabilities;

use crate::probe::{
    dialogue::Dialogue,
    finding::{Tells, Verdict},
    session::{NoSession, Server},
};

/// How the server answers EHLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// By what it offers.
    Offers(Capabilities),
    /// By an offer of nothing, or by none: it knew only HELO.
    Nothing,
    /// By more than one reply.
    SaysMore,
}

pub(in crate::probe) fn check(
    server: &Server<'_>,
    dialogue: &mut Dialogue,
) -> Result<(Hello, Capabilities), NoSession> {
    let capabilities = server.hello(dialogue)?;
    let hello = match capabilities.iter().next() {
        _ if dialogue.surplus().is_ok() => Hello::SaysMore,
        None => Hello::Nothing,
        Some(_) => Hello::Offers(capabilities.clone()),
    };
    Ok((hello, capabilities))
}

impl Tells for Hello {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Offers(_) => Verdict::Right,
            Self::Nothing => Verdict::Fact,
            Self::SaysMore => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Offers(capabilities) => {
                let keywords: Vec<_> = capabilities.iter().map(|(keyword, _)| keyword).collect();
                format!("Offers {}.", keywords.join(", "))
            }
            Self::Nothing => "Offers no extension: one command at a time, by DATA.".into(),
            Self::SaysMore => "Answers EHLO more than once: each later reply would be taken for \
                               the one before."
                .into(),
        }
    }
}
