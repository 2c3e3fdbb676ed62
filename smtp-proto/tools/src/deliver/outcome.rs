//! What became of messages, in words and in numbers.

use std::{error::Error as _, fmt, process::ExitCode, time::Duration};

use serde_json::{Value, json};
use smtp_proto::{
    client::{NotSent, Outcome},
    syntax::{ForwardPath, Reply},
};

/// What became of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) kind: Kind,
    /// The reply, or else the reason.
    pub(super) why: String,
}

/// The kinds of outcomes, from the one that needs least care to the one that needs most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Delivered,
    Refused,
    NotSent,
    InDoubt,
}

/// A message with its recipients, and what became of it for each.
pub(super) struct Record<'a> {
    pub(super) message: &'a str,
    pub(super) recipients: &'a [ForwardPath<'static>],
    pub(super) fates: &'a [Fate],
}

/// Counts messages by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All messages.
    pub(super) messages: usize,
    /// Those that were delivered to every recipient.
    pub(super) delivered: usize,
    /// Those that the server refused for a recipient or more.
    pub(super) refused: usize,
    /// Those that were not sent.
    pub(super) not_sent: usize,
    /// Those that may have been delivered.
    pub(super) in_doubt: usize,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Delivered, Self::Refused, Self::NotSent, Self::InDoubt];

    /// Returns its name, which stays the same from version to version.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::InDoubt => "in-doubt",
        }
    }

    /// Returns which one has this name.
    pub(super) fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}

impl Fate {
    pub(super) fn not_sent(why: &str) -> Self {
        let (kind, why) = (Kind::NotSent, why.to_owned());
        Self { kind, why }
    }

    pub(super) fn in_doubt(why: &str) -> Self {
        let (kind, why) = (Kind::InDoubt, why.to_owned());
        Self { kind, why }
    }
}

impl From<&Outcome<'_>> for Fate {
    fn from(outcome: &Outcome<'_>) -> Self {
        let (kind, why) = match outcome {
            Outcome::Delivered(reply) => (Kind::Delivered, text_of(reply)),
            Outcome::Refused(answer) => (Kind::Refused, text_of(&answer.reply)),
            Outcome::NotSent(reason) => (Kind::NotSent, reason_of(reason)),
            Outcome::InDoubt => (
                Kind::InDoubt,
                "its end was sent, and not answered".to_owned(),
            ),
        };
        Self { kind, why }
    }
}

fn reason_of(not_sent: &NotSent) -> String {
    match not_sent.source() {
        Some(why) => format!("{not_sent}: {why}"),
        None => not_sent.to_string(),
    }
}

fn text_of(reply: &Reply<'_>) -> String {
    let bytes = reply.as_bytes();
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).replace("\r\n", "\n")
}

impl Record<'_> {
    /// Returns the outcome that needs most care.
    pub(super) fn worst(&self) -> Kind {
        let kinds = self.fates.iter().map(|fate| fate.kind);
        kinds.max().unwrap_or(Kind::NotSent)
    }

    /// Returns it as a JSON object.
    pub(super) fn json(&self) -> Value {
        let recipients = self.recipients.iter().zip(self.fates).map(|(path, fate)| {
            json!({ "address": address(path), "outcome": fate.kind.id(), "reply": fate.why })
        });
        json!({
            "message": self.message,
            "outcome": self.worst().id(),
            "recipients": recipients.collect::<Vec<_>>(),
        })
    }
}

/// Lines of text: the message, and each recipient below.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.message, self.worst().id())?;
        for (path, fate) in self.recipients.iter().zip(self.fates) {
            let (address, kind) = (address(path), fate.kind.id());
            let why = in_one_line(&fate.why);
            writeln!(f, "    {address}: {kind} {why}")?;
        }
        Ok(())
    }
}

/// Returns a text without what would do something to a terminal.
fn in_one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// Returns an address without its brackets.
pub(super) fn address(path: &ForwardPath<'_>) -> String {
    path.to_string().trim_matches(['<', '>']).to_owned()
}

impl Tally {
    pub(super) fn count(&mut self, outcome: Kind) {
        self.messages += 1;
        *match outcome {
            Kind::Delivered => &mut self.delivered,
            Kind::Refused => &mut self.refused,
            Kind::NotSent => &mut self.not_sent,
            Kind::InDoubt => &mut self.in_doubt,
        } += 1;
    }

    /// Adds the counts of others.
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.not_sent += other.not_sent;
        self.in_doubt += other.in_doubt;
    }

    /// Returns what to exit with.
    pub(super) fn exit_code(&self) -> ExitCode {
        if self.not_sent + self.in_doubt > 0 {
            ExitCode::from(2)
        } else if self.refused > 0 {
            ExitCode::from(1)
        } else {
            ExitCode::SUCCESS
        }
    }

    /// Returns the summary as a JSON object.
    pub(super) fn json(&self, connections: usize, round_trips: u64, elapsed: Duration) -> Value {
        json!({
            "messages": self.messages,
            "delivered": self.delivered,
            "refused": self.refused,
            "not_sent": self.not_sent,
            "in_doubt": self.in_doubt,
            "connections": connections,
            "round_trips": round_trips,
            "seconds": elapsed.as_secs_f64(),
        })
    }
}
