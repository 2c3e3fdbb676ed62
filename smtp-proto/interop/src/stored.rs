//! What a server stored, and whether it is what was sent.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use crate::{messages::Message, servers::Server};

/// How many bytes are shown around a difference.
const SHOWN: usize = 60;

/// One copy of a message in a server's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The sender, without angle brackets.
    pub(crate) sender: String,
    /// The recipients whose copy this is.
    pub(crate) recipients: Vec<String>,
    /// The content, less the trace fields that the server put on top.
    pub(crate) content: Vec<u8>,
}

/// Returns how many copies a server has to store of messages, counted by recipients.
pub(crate) fn expected(server: &dyn Server, messages: &[Message]) -> usize {
    let recipients = messages.iter().flat_map(|message| &message.recipients);
    recipients
        .filter(|recipient| !server.refuses(recipient))
        .count()
}

/// Checks that every accepted recipient, and nobody else, has each message exactly once, from its
/// sender, byte by byte.
pub(crate) fn compare(
    server: &dyn Server,
    messages: &[Message],
    by_chunks: bool,
    stored: &[Stored],
) -> Result<()> {
    let mut by_sender: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    for copy in stored {
        by_sender.entry(&copy.sender).or_default().push(copy);
    }
    for message in messages {
        let copies = by_sender
            .remove(message.sender.as_str())
            .unwrap_or_default();
        let mut found: Vec<&str> = copies
            .iter()
            .flat_map(|copy| copy.recipients.iter().map(String::as_str))
            .collect();
        let mut wanted: Vec<&str> = message
            .recipients
            .iter()
            .map(String::as_str)
            .filter(|recipient| !server.refuses(recipient))
            .collect();
        found.sort_unstable();
        wanted.sort_unstable();
        ensure!(
            found == wanted,
            "{}: stored for {found:?}, not for {wanted:?}",
            message.sender
        );
        let expected = server.as_stored(&message.content, by_chunks);
        for copy in copies {
            same(&message.sender, &expected, &copy.content)?;
        }
    }
    if let Some((sender, _)) = by_sender.first_key_value() {
        bail!("there is a message from {sender:?}, who sent none");
    }
    Ok(())
}

pub(crate) fn same(name: &str, expected: &[u8], found: &[u8]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let differs = |(at, (a, b)): (usize, (&u8, &u8))| (a != b).then_some(at);
    let at = expected.iter().zip(found).enumerate().find_map(differs);
    let at = at.unwrap_or(expected.len().min(found.len()));
    let around = |bytes: &[u8]| {
        let begin = at.saturating_sub(SHOWN).min(bytes.len());
        let end = (at + SHOWN).min(bytes.len());
        bytes[begin..end].escape_ascii().to_string()
    };
    bail!(
        "{name}: stored {} bytes, not {}; at byte {at}\nstored:   {}\nexpected: {}",
        found.len(),
        expected.len(),
        around(found),
        around(expected),
    )
}
