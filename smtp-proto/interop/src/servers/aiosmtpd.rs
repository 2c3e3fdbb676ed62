//! aiosmtpd, as an SMTP server and as an LMTP server.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use smtp_proto::machine::Dialect;

use super::{PASSWORD, Server, USER};
use crate::stored::Stored;

/// Its SMTP server.
pub(crate) static SMTP: Aiosmtpd = Aiosmtpd {
    name: "aiosmtpd",
    dialect: Dialect::Smtp,
};

/// Its LMTP server.
pub(crate) static LMTP: Aiosmtpd = Aiosmtpd {
    name: "aiosmtpd-lmtp",
    dialect: Dialect::Lmtp,
};

#[derive(Debug)]
pub(crate) struct Aiosmtpd {
    name: &'static str,
    dialect: Dialect,
}

impl Server for Aiosmtpd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn program(&self) -> &'static str {
        "/usr/lib/python3/dist-packages/aiosmtpd/smtp.py"
    }

    fn version_script(&self) -> &'static str {
        "python3 -c 'import aiosmtpd; print(aiosmtpd.__version__)'"
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn files(&self, _: u16) -> Vec<(&'static str, String)> {
        vec![("server.py", include_str!("aiosmtpd.py").to_owned())]
    }

    fn script(&self, port: u16) -> String {
        let class = match self.dialect {
            Dialect::Smtp => "SMTP",
            Dialect::Lmtp => "LMTP",
        };
        format!("exec python3 /mnt/server.py {class} {port} {USER} {PASSWORD}")
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

    /// Keeps the line ends.
    fn as_stored(&self, content: &[u8], _: bool) -> Vec<u8> {
        let mut content = content.to_vec();
        if !content.is_empty() && !content.ends_with(b"\r\n") {
            content.extend_from_slice(b"\r\n");
        }
        content
    }
}
