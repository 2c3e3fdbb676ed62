//! smtp-sink, which comes with Postfix.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{Server, mailbox};
use crate::stored::Stored;

pub(crate) static SMTP_SINK: SmtpSink = SmtpSink;

#[derive(Debug)]
pub(crate) struct SmtpSink;

/// What it puts on top of a message, in this order; then X-Rcpt-Args for each recipient, and Received.
const TRACE: [&str; 4] = [
    "X-Client-Addr",
    "X-Client-Proto",
    "X-Helo-Args",
    "X-Mail-Args",
];

impl Server for SmtpSink {
    fn name(&self) -> &'static str {
        "smtp-sink"
    }

    fn program(&self) -> &'static str {
        "/usr/sbin/smtp-sink"
    }

    fn version_script(&self) -> &'static str {
        "postconf -h mail_version"
    }

    fn files(&self, _: u16) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn script(&self, port: u16) -> String {
        format!(
            "chown postfix /mnt /mnt/stored; cd /mnt/stored\n\
             exec smtp-sink -u postfix -h mx.interop.test -d %H%M%S. 127.0.0.1:{port} 100"
        )
    }

    fn read(&self, file: &Path) -> Result<Option<Stored>> {
        let (fields, mut content) = mailbox::strip(fs::read(file)?, &TRACE);
        let sender = mailbox::address(&fields, "X-Mail-Args").context("no X-Mail-Args")?;
        let mut recipients = Vec::new();
        loop {
            let (fields, rest) = mailbox::strip(content, &["X-Rcpt-Args"]);
            content = rest;
            match mailbox::address(&fields, "X-Rcpt-Args") {
                Some(recipient) => recipients.push(recipient),
                None => break,
            }
        }
        let (_, content) = mailbox::strip(content, &["Received"]);
        Ok(Some(Stored {
            sender,
            recipients,
            content,
        }))
    }

    /// Ends every message with an empty line.
    fn as_stored(&self, content: &[u8], _: bool) -> Vec<u8> {
        let mut lines = mailbox::with_line_feeds(content);
        lines.push(b'\n');
        lines
    }

    fn refuses(&self, _: &str) -> bool {
        false
    }
}
