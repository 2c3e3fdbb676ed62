//! Does a command that comes in clear, together with STARTTLS, count in TLS (RFC 3207 4.2)?

use smtp_proto::syntax::Code;

use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
    session::{Server, TlsFailure},
};

/// What becomes of a command that comes in clear, together with STARTTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injection {
    /// It is forgotten.
    Forgotten,
    /// STARTTLS is refused for it, or the connection closed.
    Refused(Option<Code>),
    /// It is answered in TLS.
    Executed,
    /// It is answered in clear, after 220.
    AnsweredInClear,
    /// The handshake fails: why.
    Failed(String),
}

pub(in crate::probe) fn check(server: &Server<'_>, dialogue: &mut Dialogue) -> Injection {
    match dialogue.ask(b"STARTTLS\r\nRSET\r\n") {
        Ok(reply) if reply.code().value() == 220 => {}
        Ok(reply) => return Injection::Refused(Some(reply.code())),
        Err(_) => return Injection::Refused(None),
    }
    if dialogue.surplus().is_ok() {
        return Injection::AnsweredInClear;
    }
    match server.handshake(dialogue) {
        Ok(_) => {}
        Err(TlsFailure::SaysMore) => return Injection::AnsweredInClear,
        Err(failure) => return Injection::Failed(failure.to_string()),
    }
    // What was kept may be answered now, or together with the next command.
    let noop = dialogue.ask(b"NOOP\r\n");
    match noop.and_then(|_| dialogue.surplus()) {
        Ok(_) => Injection::Executed,
        Err(Silence::TimedOut) => Injection::Forgotten,
        Err(_) => Injection::Refused(None),
    }
}

impl Tells for Injection {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Forgotten | Self::Refused(_) => Verdict::Right,
            Self::Failed(_) => Verdict::Fact,
            Self::Executed | Self::AnsweredInClear => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Forgotten => "A command in clear after STARTTLS is forgotten.".into(),
            Self::Refused(Some(code)) => {
                format!("A command in clear after STARTTLS has it refused by {code}.")
            }
            Self::Refused(None) => "A command in clear after STARTTLS ends the connection.".into(),
            Self::Executed => {
                "A command in clear after STARTTLS is executed in TLS: whoever is on \
                               the way can command the server in another's session."
                    .into()
            }
            Self::AnsweredInClear => "A command after STARTTLS is answered in clear, amid the \
                                      handshake."
                .into(),
            Self::Failed(why) => {
                format!("A command in clear after STARTTLS spoils the handshake: {why}.")
            }
        }
    }
}
