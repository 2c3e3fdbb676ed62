//! Does everything get its reply where the client half-closes after QUIT, as Exim does?

use smtp_proto::syntax::{Code, Extension};

use super::{Lost, codes};
use crate::probe::{
    finding::{Tells, Verdict},
    options::Options,
    session::Session,
};

/// What the end of what the client says does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// The replies come all the same.
    Answers,
    /// They come, but QUIT's is not 221.
    Differs(Code),
    /// Not all of them come.
    Loses(Lost),
}

pub(in crate::probe) fn check(session: &mut Session, options: &Options) -> HalfClose {
    let pipelining = session.offers(Extension::Pipelining);
    let dialogue = &mut session.dialogue;
    let before = match pipelining {
        true => format!("MAIL FROM:{}\r\nRSET\r\n", options.from),
        false => String::new(),
    };
    dialogue.send((before + "QUIT\r\n").as_bytes());
    dialogue.half_close();
    let last = match pipelining {
        true => codes(dialogue).map(|[_, _, quit]| quit),
        false => codes(dialogue).map(|[quit]| quit),
    };
    match last {
        Ok(code) if code.value() == 221 => HalfClose::Answers,
        Ok(code) => HalfClose::Differs(code),
        Err(lost) => HalfClose::Loses(lost),
    }
}

impl Tells for HalfClose {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Answers => Verdict::Right,
            Self::Differs(_) | Self::Loses(_) => Verdict::Weak,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Answers => "A client that half-closes after QUIT still gets its replies.".into(),
            Self::Differs(code) => format!("QUIT is answered by {code}, not 221."),
            Self::Loses(lost) => format!(
                "A client that half-closes after QUIT loses replies, verdicts among them: {lost}. \
                 Close only after the last reply (this client does)."
            ),
        }
    }
}
