//! Libraries for other languages: a small program around each sends the messages.

use super::{Client, Job, Mode, Program, Way, Wish, with_a_line_end};
use crate::servers::{PASSWORD, USER};

/// A library that ends the last line even if there is none.
#[derive(Debug)]
pub(super) struct Script {
    name: &'static str,
    /// What is there if it is installed.
    path: &'static str,
    version_script: &'static str,
    /// The program, if it is not built already.
    file: Option<(&'static str, &'static str)>,
    /// How it is run. After that come the port, [`Mode::name`], the [`Wish`], a user and his password.
    command: &'static str,
    can: fn(Mode, Wish) -> bool,
    says_quit: bool,
}

/// Python's.
pub(super) static SMTPLIB: Script = Script {
    name: "smtplib",
    path: "/usr/bin/python3",
    version_script: "python3 -c 'import platform; print(platform.python_version())'",
    file: Some(("client.py", include_str!("smtplib.py"))),
    command: "python3 /mnt/client.py",
    can: |_, wish| !matches!(wish, Wish::EarlyPipelining | Wish::Forwarding),
    says_quit: true,
};

/// For Node.js. It hangs up when it is told to close.
pub(super) static NODEMAILER: Script = Script {
    name: "nodemailer",
    path: "/usr/share/nodejs/nodemailer/package.json",
    version_script: "node -p 'require(\"nodemailer/package.json\").version'",
    file: Some(("client.js", include_str!("nodemailer.js"))),
    command: "node /mnt/client.js",
    can: |_, wish| !matches!(wish, Wish::EarlyPipelining | Wish::Forwarding),
    says_quit: false,
};

/// Go's own.
pub(super) static NET_SMTP: Script = Script {
    name: "net/smtp",
    path: "/usr/local/bin/go-client",
    version_script: "cat /usr/local/share/go-version",
    file: None,
    command: "/usr/local/bin/go-client net/smtp",
    can: |mode, wish| {
        !matches!(mode, Mode::AuthLogin | Mode::Lmtp)
            && matches!(wish, Wish::Nothing | Wish::Internationalized)
    },
    says_quit: true,
};

/// For Go.
pub(super) static GO_SMTP: Script = Script {
    name: "go-smtp",
    path: "/usr/local/bin/go-client",
    version_script: "cat /usr/local/share/go-smtp-version",
    file: None,
    command: "/usr/local/bin/go-client go-smtp",
    can: |_, wish| matches!(wish, Wish::Nothing | Wish::Internationalized),
    says_quit: true,
};

impl Client for Script {
    fn name(&self) -> &'static str {
        self.name
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, mode: Mode, wish: Wish) -> bool {
        (self.can)(mode, wish)
    }

    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        with_a_line_end(content)
    }

    fn says_quit(&self) -> bool {
        self.says_quit
    }
}

impl Program for Script {
    fn path(&self) -> &'static str {
        self.path
    }

    fn version_script(&self) -> &'static str {
        self.version_script
    }

    fn files(&self, _: &Job) -> Vec<(&'static str, String)> {
        let file = self.file.map(|(name, text)| (name, text.to_owned()));
        file.into_iter().collect()
    }

    fn script(&self, job: &Job) -> String {
        let (command, port, mode, wish) = (self.command, job.port, job.mode.name(), job.wish);
        format!("exec {command} {port} '{mode}' {wish:?} {USER} {PASSWORD}")
    }
}
