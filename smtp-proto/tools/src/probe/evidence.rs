//! What was said, as evidence for a finding.

use std::{borrow::Cow, time::Duration};

/// How much of one saying is kept.
const MAX_SAYING: usize = 8192;

/// How often the same byte is shown in a row: of more there is the number, as `x{500}`.
const MAX_RUN: usize = 40;

/// What was said, in order. Contents are left out but for their size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(Vec<Said>);

/// One thing that was said, or not said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// By the client, in one segment or record.
    Sent(Vec<u8>),
    /// By the client: so many bytes of a message.
    SentContent(usize),
    /// By the client: what proves who it is.
    SentCredentials,
    /// By the server: one reply, or what is none.
    Received(Vec<u8>),
    /// Nothing by the server, for so long.
    Silence(Duration),
    /// TLS begins.
    Tls,
    /// The client says no more, but listens.
    HalfClosed,
    /// The server closed the connection.
    Closed,
}

impl Evidence {
    /// Returns everything in order.
    pub fn iter(&self) -> impl Iterator<Item = &Said> {
        self.0.iter()
    }

    pub(super) fn push(&mut self, said: Said) {
        self.0.push(match said {
            Said::Sent(bytes) => Said::Sent(bounded(bytes)),
            Said::Received(bytes) => Said::Received(bounded(bytes)),
            other => other,
        });
    }
}

impl Said {
    /// Returns who said it, as one character.
    pub const fn direction(&self) -> &'static str {
        match self {
            Self::Sent(_) | Self::SentContent(_) | Self::SentCredentials | Self::HalfClosed => ">",
            Self::Received(_) | Self::Silence(_) | Self::Closed => "<",
            Self::Tls => "=",
        }
    }

    /// Returns it in one line of printable ASCII.
    pub fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Sent(bytes) | Self::Received(bytes) => {
                let mut out = String::new();
                for run in bytes.chunk_by(|one, other| one == other) {
                    let is_long = run.len() > MAX_RUN;
                    let (shown, _) = run.split_at(if is_long { 1 } else { run.len() });
                    out += &shown.escape_ascii().to_string();
                    if is_long {
                        out += &format!("{{{}}}", run.len());
                    }
                }
                out.into()
            }
            Self::SentContent(length) => format!("({length} bytes of content)").into(),
            Self::SentCredentials => "(credentials)".into(),
            Self::Silence(time) => format!("(nothing for {} ms)", time.as_millis()).into(),
            Self::Tls => "(TLS)".into(),
            Self::HalfClosed => "(end)".into(),
            Self::Closed => "(closed)".into(),
        }
    }
}

fn bounded(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() > MAX_SAYING {
        bytes.truncate(MAX_SAYING);
        bytes.extend_from_slice(b"...");
    }
    bytes
}
