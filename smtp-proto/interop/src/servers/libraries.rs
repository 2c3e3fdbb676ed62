//! Libraries for servers: a small program around each stores every content as `N.eml`, and beside it
//! the sender and the recipients as `N.envelope`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use smtp_proto::machine::Dialect;

use super::{PASSWORD, Server, USER, mailbox::with_line_feeds};
use crate::stored::Stored;

#[derive(Debug)]
pub(crate) struct Library {
    name: &'static str,
    dialect: Dialect,
    program: &'static str,
    version_script: &'static str,
    /// What the program is, if it is not built already.
    files: &'static [(&'static str, &'static str)],
    /// How it is run. After that come `SMTP` or `LMTP`, its port, a user and his password.
    command: &'static str,
    stored: fn(&[u8]) -> Vec<u8>,
}

/// aiosmtpd as an SMTP server.
pub(super) static AIOSMTPD: Library = Library {
    name: "aiosmtpd",
    dialect: Dialect::Smtp,
    program: "/usr/lib/python3/dist-packages/aiosmtpd/smtp.py",
    version_script: "python3 -c 'import aiosmtpd; print(aiosmtpd.__version__)'",
    files: &[("server.py", include_str!("aiosmtpd.py"))],
    command: "python3 /mnt/server.py",
    stored: with_last_line_end,
};

/// aiosmtpd as an LMTP server.
pub(super) static AIOSMTPD_LMTP: Library = Library {
    name: "aiosmtpd-lmtp",
    dialect: Dialect::Lmtp,
    ..AIOSMTPD
};

/// go-smtp as an SMTP server.
pub(super) static GO_SMTP: Library = Library {
    name: "go-smtp",
    dialect: Dialect::Smtp,
    program: "/usr/local/bin/go-server",
    version_script: "cat /usr/local/share/go-smtp-version",
    files: &[],
    command: "/usr/local/bin/go-server",
    stored: with_line_feeds,
};

/// go-smtp as an LMTP server.
pub(super) static GO_SMTP_LMTP: Library = Library {
    name: "go-smtp-lmtp",
    dialect: Dialect::Lmtp,
    ..GO_SMTP
};

impl Server for Library {
    fn name(&self) -> &'static str {
        self.name
    }

    fn program(&self) -> &'static str {
        self.program
    }

    fn version_script(&self) -> &'static str {
        self.version_script
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn files(&self, _: u16) -> Vec<(&'static str, String)> {
        let files = self.files.iter();
        files
            .map(|(name, text)| (*name, (*text).to_owned()))
            .collect()
    }

    fn script(&self, port: u16) -> String {
        let protocol = match self.dialect {
            Dialect::Smtp => "SMTP",
            Dialect::Lmtp => "LMTP",
        };
        format!("exec {} {protocol} {port} {USER} {PASSWORD}", self.command)
    }

    fn read(&self, file: &Path) -> Result<Option<Stored>> {
        if file.extension().is_none_or(|it| it != "eml") {
            return Ok(None);
        }
        let envelope = fs::read_to_string(file.with_extension("envelope"))?;
        let mut lines = envelope.lines().map(str::to_owned);
        Ok(Some(Stored {
            sender: lines.next().context("no sender")?,
            recipients: lines.collect(),
            content: fs::read(file)?,
        }))
    }

    fn as_stored(&self, content: &[u8], _: bool) -> Vec<u8> {
        (self.stored)(content)
    }
}

/// Returns a content as it is, the last line ended.
fn with_last_line_end(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    if !content.is_empty() && !content.ends_with(b"\r\n") {
        content.extend_from_slice(b"\r\n");
    }
    content
}
