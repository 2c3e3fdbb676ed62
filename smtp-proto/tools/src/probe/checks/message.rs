//! The messages of the tests that have consent.

use smtp_proto::syntax::ForwardPath;

use crate::probe::{
    dialogue::{Dialogue, Silence},
    options::Options,
};

/// Returns a message that says what it is for, each line whole.
pub(super) fn message(options: &Options, recipient: &ForwardPath<'_>, test: &str) -> String {
    format!(
        "From: {}\r\nTo: {recipient}\r\nSubject: probe: {test}\r\n\r\n\
         A test of this mail server, made with the consent of its operator.\r\n",
        options.from
    )
}

/// Opens a transaction up to the go-ahead for content; returns what refuses it, if something does.
pub(super) fn begin(
    dialogue: &mut Dialogue,
    options: &Options,
    recipient: &ForwardPath<'_>,
) -> Result<Option<String>, Silence> {
    let mail = format!("MAIL FROM:{}\r\n", options.from);
    let rcpt = format!("RCPT TO:{recipient}\r\n");
    for command in [mail.as_str(), &rcpt] {
        let reply = dialogue.ask(command.as_bytes())?;
        if !reply.is_positive() {
            return Ok(Some(reply.to_string()));
        }
    }
    let reply = dialogue.ask(b"DATA\r\n")?;
    Ok((reply.code().value() != 354).then(|| reply.to_string()))
}
