//! What our server keeps of what clients sent.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use smtp_proto::{
    reception::ClientAttributes,
    syntax::{
        Code, ForwardPath, ForwardingCommand, MailParameters, RcptParameters, Reply, ReversePath,
        write_attributes,
    },
};

use crate::servers::{PASSWORD, USER};

/// Those that the peers' own tests know, with their passwords.
const OTHERS: [(&str, &str); 4] = [
    ("Mr.A@somewhere.com", "somepassword"),
    ("psu", "doesnotexist"),
    ("goodlogin", "goodpasswd"),
    ("username", "password"),
];

/// Tells whether a server of ours refuses a recipient, if it is [choosy](Store::choosy).
pub(crate) fn refuses(recipient: &str) -> bool {
    !recipient.ends_with("@interop.test") || recipient.starts_with("nobody@")
}

/// One message as a handler got it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) content: Vec<u8>,
    /// It came under TLS.
    pub(crate) encrypted: bool,
    /// Who the client proved to be.
    pub(crate) identity: Option<String>,
}

/// Keeps all messages, and takes note of what clients did besides.
#[derive(Debug, Default)]
pub(crate) struct Store {
    messages: Mutex<Vec<Stored>>,
    commands: Mutex<Vec<String>>,
    connections: Mutex<usize>,
    /// How sessions ended that did not end by QUIT.
    failures: Mutex<Vec<String>>,
    is_choosy: bool,
    /// Where messages are copied to, for programs that cannot look in here.
    mirror: Option<PathBuf>,
}

impl Store {
    /// Copies each message into a folder, before it is accepted: `N.eml` and, once that is there,
    /// `N.envelope`, in which the first line is the sender and each other one a recipient.
    pub(crate) fn mirrored(folder: PathBuf) -> Self {
        Self {
            mirror: Some(folder),
            ..Self::default()
        }
    }

    /// Takes messages for some recipients only.
    pub(crate) fn choosy() -> Self {
        Self {
            is_choosy: true,
            ..Self::default()
        }
    }

    /// Returns the messages so far, in the order in which they were accepted.
    pub(crate) fn messages(&self) -> Vec<Stored> {
        lock(&self.messages).clone()
    }

    /// Returns each XFORWARD, MAIL and RCPT so far, as a line.
    pub(crate) fn commands(&self) -> Vec<String> {
        lock(&self.commands).clone()
    }

    /// Returns how many connections there were.
    pub(crate) fn connections(&self) -> usize {
        *lock(&self.connections)
    }

    /// Returns how sessions ended that did not end by QUIT.
    pub(crate) fn failures(&self) -> Vec<String> {
        lock(&self.failures).clone()
    }

    pub(super) fn connected(&self) {
        *lock(&self.connections) += 1;
    }

    pub(super) fn closed(&self, failure: Option<String>) {
        lock(&self.failures).extend(failure);
    }

    pub(super) fn xforward(&self, attributes: &ClientAttributes) {
        let said: Vec<_> = attributes.iter().cloned().collect();
        let mut line = Vec::new();
        write_attributes(ForwardingCommand::XForward, &said, &mut line);
        self.note(String::from_utf8_lossy(&line).into_owned());
    }

    pub(super) fn mail(&self, from: &ReversePath<'_>, parameters: &MailParameters<'_>) {
        self.note(format!("MAIL FROM:{from} {parameters}"));
    }

    /// Accepts a recipient, or tells why not.
    pub(super) fn recipient(
        &self,
        to: &ForwardPath<'_>,
        parameters: &RcptParameters<'_>,
    ) -> Option<Reply<'static>> {
        self.note(format!("RCPT TO:{to} {parameters}"));
        let recipient = to.to_string();
        let is_refused = self.is_choosy && refuses(recipient.trim_matches(['<', '>']));
        is_refused.then(|| reply(Code::MAILBOX_UNAVAILABLE, "5.1.1 No such mailbox"))
    }

    /// Keeps a message, or tells why it cannot.
    pub(super) fn keep(&self, stored: Stored) -> Option<Reply<'static>> {
        let mut messages = lock(&self.messages);
        if let Err(error) = self.copy(messages.len(), &stored) {
            eprintln!("a message could not be copied: {error}");
            return Some(reply(Code::INSUFFICIENT_STORAGE, "4.3.1 No room"));
        }
        messages.push(stored);
        None
    }

    fn copy(&self, number: usize, stored: &Stored) -> io::Result<()> {
        let Some(folder) = &self.mirror else {
            return Ok(());
        };
        fs::write(folder.join(format!("{number}.eml")), &stored.content)?;
        let mut envelope = stored.from.clone();
        for recipient in &stored.to {
            envelope.push('\n');
            envelope.push_str(recipient);
        }
        let partial = folder.join("partial");
        fs::write(&partial, envelope)?;
        fs::rename(partial, folder.join(format!("{number}.envelope")))
    }

    fn note(&self, line: String) {
        lock(&self.commands).push(line.trim_end().to_owned());
    }
}

/// Tells whether these are the right credentials, and for the user himself.
pub(super) fn admits(user: &str, password: &str, acting_for: &str) -> bool {
    let is_known = (user, password) == (USER, PASSWORD) || OTHERS.contains(&(user, password));
    is_known && (acting_for.is_empty() || acting_for == user)
}

fn reply(code: Code, text: &str) -> Reply<'static> {
    Reply::new(code, text).expect("the text is a reply's")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
