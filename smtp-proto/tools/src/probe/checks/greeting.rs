//! Does the server wait for the client after its greeting?

use std::time::Duration;

use crate::probe::{
    dialogue::Dialogue,
    finding::{Tells, Verdict},
    session::{NoSession, greeted},
};

/// How the server greets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Then it waits for the client.
    Waits {
        /// How long the greeting took.
        after: Duration,
    },
    /// It says more, unasked.
    SaysMore,
}

pub(in crate::probe) fn check(dialogue: &mut Dialogue) -> Result<Greeting, NoSession> {
    let after = greeted(dialogue)?;
    Ok(match dialogue.surplus() {
        Ok(_) => Greeting::SaysMore,
        Err(_) => Greeting::Waits { after },
    })
}

impl Tells for Greeting {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Waits { .. } => Verdict::Right,
            Self::SaysMore => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Waits { after } => format!("Greets after {} ms.", after.as_millis()),
            Self::SaysMore => "Says more than its greeting before it is asked anything: each \
                               later reply would be taken for the one before."
                .into(),
        }
    }
}
