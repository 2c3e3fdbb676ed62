//! Messages that are easy to get wrong.

use std::{iter, sync::Arc};

use smtp_proto::{
    client::Envelope,
    syntax::{BodyType, ForwardPath, ReversePath},
};

/// A message, whose sender no other has.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The sender, without angle brackets.
    pub(crate) sender: String,
    /// The recipients, without angle brackets.
    pub(crate) recipients: Vec<String>,
    /// The content; lines end in CR LF.
    pub(crate) content: Arc<[u8]>,
}

impl Message {
    /// Takes a content, from `name` at a client to one recipient.
    pub(crate) fn new(name: &str, content: impl Into<Arc<[u8]>>) -> Self {
        Self {
            sender: format!("{name}@client.test"),
            recipients: vec!["one@interop.test".to_owned()],
            content: content.into(),
        }
    }

    /// Returns its envelope, for one of the adapters.
    pub(crate) fn envelope(&self) -> Envelope<'static> {
        // The addresses are this file's own.
        let sender = format!("<{}>", self.sender);
        let sender = ReversePath::parse(&sender).expect("a sender").into_owned();
        let Ok(envelope) = Envelope::new(sender);
        let mut envelope = envelope.size(self.content.len() as u64);
        if !self.content.is_ascii() {
            envelope = envelope.body(BodyType::EightBitMime);
        }
        let recipients = self.recipients.iter().map(|recipient| {
            let path = format!("<{recipient}>");
            ForwardPath::parse(&path).expect("a recipient").into_owned()
        });
        recipients.fold(envelope, Envelope::recipient)
    }
}

/// Returns a header that is the same but for the subject.
fn header(subject: &str) -> String {
    format!(
        "From: Sender <sender@client.test>\r\nTo: one@interop.test\r\nSubject: {subject}\r\n\
         Date: Sun, 22 Nov 2026 07:00:00 +0000\r\nMessage-ID: <{subject}@client.test>\r\n\r\n"
    )
}

/// Returns one message with this body below a header.
fn with_body(name: &str, body: impl AsRef<[u8]>) -> Message {
    let content = [header(name).as_bytes(), body.as_ref()].concat();
    Message::new(name, content)
}

/// Returns small messages with dots, long lines, 8 bits and odd ends.
pub(crate) fn tricky() -> Vec<Message> {
    let long = "x".repeat(998);
    let bytes: Vec<u8> = (1..=u8::MAX)
        .filter(|byte| !b"\r\n".contains(byte))
        .collect();
    let binary = iter::repeat_n([&bytes[..], b"\r\n"].concat(), 40);
    vec![
        with_body(
            "dots",
            ".\r\n..\r\n...\r\n\r\n.\r\n.x\r\n..x\r\nx.\r\n. \r\n.\t\r\n.\r\n",
        ),
        with_body("body-begins-with-dot", ".first\r\nsecond\r\n"),
        Message::new("content-begins-with-dot", *b".first\r\n..\r\n"),
        with_body(
            "long-lines",
            format!("{long}\r\n.{}\r\n{long}\r\n", &long[1..]),
        ),
        Message::new("empty", *b""),
        Message::new(
            "header-only",
            header("header-only")
                .trim_end_matches("\r\n")
                .to_owned()
                .into_bytes(),
        ),
        with_body("no-final-line-end", "one\r\n.\r\nlast"),
        with_body("ends-with-dot", "one\r\n."),
        with_body("eight-bit", "Grüße ✓\r\n.ü\r\n"),
        with_body("binary", binary.collect::<Vec<_>>().concat()),
        with_body("from-lines", "From me\r\n>From you\r\nFrom x y\r\n"),
    ]
}

/// Returns a message of so many bytes and a few.
pub(crate) fn large(bytes: usize) -> Message {
    let lines = (0..bytes / 64).map(|number| match number % 7 {
        0 => format!("..{number:060}\r\n"),
        _ => format!("{number:062}\r\n"),
    });
    with_body("large", lines.collect::<String>())
}

/// Returns a message to 100 recipients, of whom some do not exist and some are elsewhere.
pub(crate) fn many_recipients() -> Message {
    let recipients = (0..100).map(|number| match number {
        7 | 50 => "nobody@interop.test".to_owned(),
        0 | 33 | 99 => format!("r{number}@elsewhere.test"),
        _ => format!("r{number}@interop.test"),
    });
    Message {
        recipients: recipients.collect(),
        ..with_body("many-recipients", "to many\r\n.\r\n")
    }
}

/// Returns so many small messages, all different.
pub(crate) fn numbered(count: usize) -> Vec<Message> {
    let message = |number| {
        let name = format!("m{number:04}");
        with_body(&name, format!("This is number {number}.\r\n.{number}\r\n"))
    };
    (0..count).map(message).collect()
}
