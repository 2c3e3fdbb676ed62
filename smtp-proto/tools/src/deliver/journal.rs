//! What became of each message, in a file, so that a later run sends again exactly what was not sent.
//!
//! A line is a JSON object: before the end of a message can leave it says to whom it is going, and
//! once it is known what became of it. Whoever is named by the first and not by the second is in doubt,
//! as this program may have ended in between.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use smtp_proto::syntax::ForwardPath;

use crate::arguments::about;

use super::{
    message::Message,
    outcome::{Kind, Record, address},
};

/// How lines begin.
const BEGINNINGS: [&[u8]; 2] = [b"{\"begins\":[", b"{\"id\":\""];

/// A record of messages that outlives the program.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    known: HashMap<Key, Kind>,
}

/// A recipient of a message, and what the message is known by.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    id: String,
    address: String,
}

impl Journal {
    /// Opens a file, or begins one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path);
        let mut file = about(path.display(), options)?;
        let mut text = Vec::new();
        about(path.display(), file.read_to_end(&mut text))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let (lines, torn) = text.split_at(whole.map_or(0, |last| last + 1));
        let foreign = |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            let what = format!("{}: not a record of messages: {line}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let mut known = HashMap::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let news = serde_json::from_slice(line).ok();
            let news = news.and_then(|line| read(&line));
            known.extend(news.ok_or_else(|| foreign(line))?);
        }
        // What the program was writing when it ended is no line: its messages stay in doubt.
        if !torn.is_empty() {
            if !BEGINNINGS
                .iter()
                .any(|begins| begins.iter().zip(torn).all(|(a, b)| a == b))
            {
                return Err(foreign(torn));
            }
            file.set_len(lines.len() as u64)?;
        }
        Ok(Self { file, known })
    }

    /// Returns what became of a message for a recipient, as far as it was ever under way.
    pub(super) fn fate(&self, id: &str, recipient: &ForwardPath<'_>) -> Option<Kind> {
        let (id, address) = (id.to_owned(), address(recipient));
        self.known.get(&Key { id, address }).copied()
    }

    /// Takes note that a message is going to these recipients.
    pub(super) fn begins(&mut self, id: &str, recipients: &[String]) -> io::Result<()> {
        self.write(&json!({ "id": id, "begins": recipients }))
    }

    /// Takes note of what became of it.
    pub(super) fn ends(&mut self, id: &str, record: &Record<'_>) -> io::Result<()> {
        let mut line = record.json();
        line["id"] = id.into();
        self.write(&line)
    }

    fn write(&mut self, line: &Value) -> io::Result<()> {
        // In one piece, so that no more than the last one can be torn.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// Reads a line.
fn read(line: &Value) -> Option<Vec<(Key, Kind)>> {
    let id = line.get("id")?.as_str()?;
    let entry = |address: &Value, kind| {
        let (id, address) = (id.to_owned(), address.as_str()?.to_owned());
        Some((Key { id, address }, kind))
    };
    if let Some(begins) = line.get("begins") {
        let begins = begins.as_array()?.iter();
        return begins.map(|it| entry(it, Kind::InDoubt)).collect();
    }
    let recipients = line.get("recipients")?.as_array()?.iter();
    let recipients = recipients.map(|recipient| {
        let kind = Kind::of(recipient.get("outcome")?.as_str()?)?;
        entry(recipient.get("address")?, kind)
    });
    recipients.collect()
}

/// Returns what a message is known by: its file, its content, and which copy it is.
pub(super) fn id(message: &Message) -> String {
    let mut id = String::new();
    for byte in Sha256::digest(&message.content) {
        let _ = write!(id, "{byte:02x}");
    }
    let _ = write!(id, " {} {}", message.copy, message.name);
    id
}
