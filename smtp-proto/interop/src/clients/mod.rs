//! Clients that others wrote: how each is told to send, and what it makes of a content.

mod curl;
mod exim;
mod libraries;
mod postfix;
mod scripts;
pub(crate) mod server;
mod smtp_source;
pub(crate) mod store;
mod swaks;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use smtp_proto::{machine::Dialect, server::Tls};

use crate::{Run, messages::Message, tree::Tree};

/// How long a client may take for all its messages, in seconds.
const PATIENCE: u32 = 240;

/// How a client and our server get together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Clear,
    StartTls,
    ImplicitTls,
    /// After STARTTLS.
    AuthPlain,
    /// After STARTTLS.
    AuthLogin,
    Lmtp,
}

impl Mode {
    pub(crate) const ALL: [Self; 6] = [
        Self::Clear,
        Self::StartTls,
        Self::ImplicitTls,
        Self::AuthPlain,
        Self::AuthLogin,
        Self::Lmtp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::StartTls => "STARTTLS",
            Self::ImplicitTls => "implicit TLS",
            Self::AuthPlain => "AUTH PLAIN",
            Self::AuthLogin => "AUTH LOGIN",
            Self::Lmtp => "LMTP",
        }
    }

    pub(crate) fn tls(self) -> Tls {
        match self {
            Self::Clear | Self::Lmtp => Tls::Off,
            Self::StartTls | Self::AuthPlain | Self::AuthLogin => Tls::Required,
            Self::ImplicitTls => Tls::Implicit,
        }
    }

    pub(crate) fn is_encrypted(self) -> bool {
        self.tls() != Tls::Off
    }

    pub(crate) fn mechanism(self) -> Option<&'static str> {
        match self {
            Self::AuthPlain => Some("PLAIN"),
            Self::AuthLogin => Some("LOGIN"),
            _ => None,
        }
    }

    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Lmtp => Dialect::Lmtp,
            _ => Dialect::Smtp,
        }
    }
}

/// What a client is to ask for, beside taking the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// Notification of success and failure (RFC 3461).
    Notification,
    /// Addresses that are not ASCII (RFC 6531).
    Internationalized,
    /// To say by XFORWARD where a message came from.
    Forwarding,
    /// To speak before the server, once it knows what the server offers (PIPECONNECT).
    EarlyPipelining,
}

/// What a client is to do. Message number N is in the folder `/mnt/jobs/N`: `content`, as
/// [`Program::input`] has it, `sender`, and `recipients`, one in each line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) mode: Mode,
    pub(crate) wish: Wish,
    /// Where to connect to, at `localhost`. The authority's certificate is in `/mnt/ca.pem`.
    pub(crate) port: u16,
}

/// A client that others wrote.
pub(crate) trait Client: Sync {
    /// Returns its name.
    fn name(&self) -> &'static str;

    /// Returns how it is had.
    fn way(&self) -> Way<'_>;

    /// Tells whether it can do that.
    fn can(&self, mode: Mode, wish: Wish) -> bool;

    /// Returns what it ought to send of this content, beside trace fields on top: with a final line
    /// end, mostly.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        with_final_line_end(content)
    }

    /// Tells whether it puts fields on top.
    fn adds_fields(&self) -> bool {
        false
    }

    /// Tells why it cannot send a message as it is, if so.
    fn spoils(&self, message: &Message) -> Option<&'static str> {
        let _ = message;
        None
    }

    /// Tells whether all its sessions end by QUIT.
    fn says_quit(&self) -> bool {
        true
    }

    /// Returns how many connections it needs for so many messages.
    fn connections(&self, messages: usize) -> usize {
        let _ = messages;
        1
    }
}

/// How a client is had.
pub(crate) enum Way<'a> {
    /// It is installed in the tree.
    Program(&'a dyn Program),
    /// It is a library for Rust, linked in if the feature `libraries` is on: its version, and what
    /// sends by it.
    Library(&'static str, Option<Send>),
}

/// Sends messages.
pub(crate) type Send = fn(&Run, &Job, &[Message]) -> Result<()>;

/// A program within the tree.
pub(crate) trait Program {
    /// Returns its path.
    fn path(&self) -> &'static str;

    /// Returns a shell script that prints its version.
    fn version_script(&self) -> &'static str;

    /// Returns further files that it needs in its work folder.
    fn files(&self, job: &Job) -> Vec<(&'static str, String)> {
        let _ = job;
        Vec::new()
    }

    /// Returns a shell script that has it send all messages, as far as it can over one connection.
    fn script(&self, job: &Job) -> String;

    /// Returns what it is given for this content.
    fn input(&self, content: &[u8]) -> Vec<u8> {
        content.to_vec()
    }
}

/// The one that can have many sessions at once.
pub(crate) const SMTP_SOURCE: &dyn Client = &smtp_source::SmtpSource;

/// Returns all clients, whether installed or not.
pub(crate) fn all() -> [&'static dyn Client; 11] {
    [
        &swaks::Swaks,
        &curl::Curl,
        &scripts::SMTPLIB,
        &scripts::NODEMAILER,
        &scripts::NET_SMTP,
        &scripts::GO_SMTP,
        &libraries::Lettre,
        &libraries::MailSend,
        SMTP_SOURCE,
        &exim::Exim,
        &postfix::Postfix,
    ]
}

/// Tells whether a client is installed.
pub(crate) fn is_installed(client: &dyn Client, tree: &Tree) -> bool {
    match client.way() {
        Way::Program(program) => tree.has(program.path()),
        Way::Library(_, send) => send.is_some(),
    }
}

/// Returns a client's version.
pub(crate) fn version(run: &Run, client: &dyn Client) -> Result<String> {
    match client.way() {
        Way::Program(program) => run.tree.output(program.version_script()),
        Way::Library(version, _) => Ok(version.to_owned()),
    }
}

/// Has a client send messages, and returns what it printed.
pub(crate) fn send(
    run: &Run,
    client: &dyn Client,
    job: &Job,
    messages: &[Message],
) -> Result<String> {
    let program = match client.way() {
        Way::Program(program) => program,
        Way::Library(_, send) => {
            let send = send.context("it is not linked in")?;
            return send(run, job, messages).map(|()| String::new());
        }
    };
    let folder = work_folder(run, &client.name().replace('/', "-"))?;
    for (number, message) in messages.iter().enumerate() {
        let job = folder.join("jobs").join(format!("{number:05}"));
        fs::create_dir_all(&job)?;
        fs::write(job.join("content"), program.input(&message.content))?;
        fs::write(job.join("sender"), format!("{}\n", message.sender))?;
        fs::write(job.join("recipients"), message.recipients.join("\n") + "\n")?;
    }
    for (name, text) in program.files(job) {
        fs::write(folder.join(name), text)?;
    }
    run_script(run, &folder, &program.script(job))
}

/// Makes a folder for one run of a peer, in which `ca.pem` is the authority's certificate.
pub(crate) fn work_folder(run: &Run, peer: &str) -> Result<PathBuf> {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = run.tree.work().join(format!("{peer}-client-{number}"));
    fs::create_dir(&folder)?;
    fs::copy(&run.pki.ca, folder.join("ca.pem"))?;
    Ok(folder)
}

/// Runs a shell script to its end, and returns all that it printed.
///
/// # Errors
///
/// Fails if the script does, or takes too long.
pub(crate) fn run_script(run: &Run, folder: &Path, script: &str) -> Result<String> {
    fs::write(folder.join("script"), script)?;
    let enter = format!("exec timeout {PATIENCE} sh /mnt/script </dev/null 2>&1");
    let output = run.tree.command(folder, &enter).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}, and printed:\n{printed}{trouble}",
        output.status
    );
    Ok(printed.trim().to_owned())
}

/// Ends the last line, if there is one without an end.
fn with_final_line_end(content: &[u8]) -> Vec<u8> {
    match content {
        [] => Vec::new(),
        _ => with_a_line_end(content),
    }
}

/// Has a content end in a line end.
fn with_a_line_end(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    if !content.ends_with(b"\r\n") {
        content.extend_from_slice(b"\r\n");
    }
    content
}

/// Turns line ends into those of Unix.
fn unix_lines(content: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(content.len());
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                lines.extend_from_slice(line);
                lines.push(b'\n');
            }
            None => lines.extend_from_slice(line),
        }
    }
    lines
}
