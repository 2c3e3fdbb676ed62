//! What becomes of messages.

use std::{
    fmt,
    io::{self, Write as _},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use smtp_proto::{
    reception::Received,
    sasl::{ScramHash, ScramKeys},
    server::{Certainty, Config, TransactionId},
    syntax::{MailParameters, RcptParameters},
};
use smtp_proto_tokio::{
    Error,
    server::{
        Credential, Envelope, Handler, Identity, Notice, Recipient, Refusal, Session, Sink, Tally,
        Transaction, Verdict, accept, invalid_credentials, refuse,
    },
};
use tokio::task::spawn_blocking;

use super::{
    account::Account,
    duplicates::{Duplicates, Fingerprinter},
    maildir::{Delivery, Maildir},
};

/// Names a message among those of all connections.
pub type MessageName = (u64, TransactionId);

/// Takes every message, for everybody, and stores it before it is acknowledged.
#[derive(Debug)]
pub struct Inbox {
    config: Config,
    maildir: Option<Arc<Maildir>>,
    is_telling: bool,
    account: Option<Account>,
    duplicates: Option<Arc<Duplicates<MessageName>>>,
}

/// One message on its way to the disk. Dropped unfinished, there is no message.
#[derive(Debug)]
pub struct Arrival {
    delivery: Option<Delivery>,
    envelope: Envelope,
    bytes: u64,
    is_telling: bool,
    recognition: Option<Recognition>,
}

/// What finds out whether a message is here already.
#[derive(Debug)]
struct Recognition {
    duplicates: Arc<Duplicates<MessageName>>,
    fingerprinter: Fingerprinter,
    name: MessageName,
}

impl Inbox {
    /// Stores what a server of this configuration takes into a Maildir, or nowhere.
    pub fn new(config: &Config, maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            config: config.clone(),
            maildir,
            is_telling: false,
            account: None,
            duplicates: None,
        }
    }

    /// Prints a JSON object, a line, for each message that was stored.
    #[must_use]
    pub fn telling(mut self) -> Self {
        self.is_telling = true;
        self
    }

    /// Lets a user authenticate.
    #[must_use]
    pub fn admitting(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Stores a message only once if its acknowledgement is lost and it comes again.
    #[must_use]
    pub fn recognising(mut self, duplicates: Arc<Duplicates<MessageName>>) -> Self {
        self.duplicates = Some(duplicates);
        self
    }

    /// Begins a file, with what the server has to say about the message.
    fn open(&self, session: &Session, envelope: &Envelope) -> io::Result<Option<Delivery>> {
        let Some(maildir) = &self.maildir else {
            return Ok(None);
        };
        let mut delivery = maildir.begin()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs();
        let received = Received::new(&self.config, session, envelope, seconds);
        let fields = format!(
            // This is the final delivery (RFC 5321 4.4).
            "Return-Path: {}\r\n{}{}",
            envelope.sender.path,
            received.id(delivery.name()),
            requests(envelope)
        );
        delivery.write(fields.as_bytes())?;
        Ok(Some(delivery))
    }
}

impl Handler for Inbox {
    type Sink = Arrival;

    async fn authenticate(&self, _: &Session, shown: Credential<'_>) -> Result<Identity, Refusal> {
        let account = self.account.as_ref();
        let name = account.and_then(|account| account.admit(shown));
        name.map(Identity::from)
            .ok_or_else(|| invalid_credentials().into())
    }

    async fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Refusal> {
        let account = self.account.as_ref();
        Ok(account.and_then(|account| account.scram_keys(user, hash)))
    }

    async fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    async fn content(&self, session: &Session, envelope: Envelope) -> Result<Arrival, Refusal> {
        let delivery = self.open(session, &envelope).map_err(storage_failed)?;
        let recognition = self.duplicates.as_ref().map(|duplicates| Recognition {
            duplicates: Arc::clone(duplicates),
            fingerprinter: Fingerprinter::default(),
            name: (session.id(), envelope.transaction),
        });
        Ok(Arrival {
            delivery,
            envelope,
            bytes: 0,
            is_telling: self.is_telling,
            recognition,
        })
    }

    /// Takes note of what becomes of accepted messages. One that was accepted too late stays stored:
    /// it is recognised when it comes again.
    fn notice(&self, session: &Session, notice: &Notice<'_>) {
        let (transaction, recipient, certainty) = match *notice {
            Notice::Acknowledged {
                transaction,
                recipient,
                certainty,
            } => (transaction, recipient, certainty),
            Notice::Expired {
                transaction,
                recipient,
            } => (transaction, recipient, Certainty::Unsent),
            _ => return,
        };
        let Some(duplicates) = &self.duplicates else {
            return;
        };
        let (name, now) = ((session.id(), transaction), Instant::now());
        match recipient {
            None => duplicates.acknowledged(&name, certainty, now),
            Some(recipient) => duplicates.delivery_acknowledged(&name, recipient, certainty, now),
        }
    }

    fn closed(&self, session: &Session, _: Result<(), &Error>, _: &Tally) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.closed(|(of, _)| *of == session.id());
        }
    }
}

impl Sink for Arrival {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len() as u64;
        if let Some(recognition) = &mut self.recognition {
            recognition.fingerprinter.update(bytes);
        }
        match &mut self.delivery {
            Some(delivery) => delivery.write(bytes).map_err(storage_failed),
            None => Ok(()),
        }
    }

    async fn finish(self) -> Verdict {
        if self.delivery.is_some() {
            // Others need not wait for the disk.
            let finished = spawn_blocking(|| self.store_once()).await;
            finished.unwrap_or_else(|panic| Err(storage_failed(panic)))?;
        } else {
            self.store_once()?;
        }
        accept()
    }
}

impl Arrival {
    /// Stores the message, unless it is here already.
    fn store_once(mut self) -> Result<(), Refusal> {
        let Some(Recognition {
            duplicates,
            fingerprinter,
            name,
        }) = self.recognition.take()
        else {
            return self.store();
        };
        let recipients = self.envelope.recipients.iter();
        let recipients = recipients.map(|accepted| &accepted.recipient.path);
        let fingerprints = fingerprinter.finish(&self.envelope.sender.path, recipients);
        if !duplicates.recognise(&fingerprints, Instant::now()) {
            self.store()?;
        }
        duplicates.stored(name, fingerprints);
        Ok(())
    }

    fn store(self) -> Result<(), Refusal> {
        let stored = self.delivery.map(Delivery::finish).transpose();
        stored.map_err(storage_failed)?;
        if self.is_telling {
            tell(&self.envelope, self.bytes);
        }
        Ok(())
    }
}

/// Prints what was stored. It is stored, and accepted, whether anybody reads of it or not.
fn tell(envelope: &Envelope, bytes: u64) {
    let recipients = envelope.recipients.iter();
    let recipients = recipients.map(|accepted| bare(&accepted.recipient.path));
    let line = json!({
        "from": bare(&envelope.sender.path),
        "recipients": recipients.collect::<Vec<_>>(),
        "bytes": bytes,
    });
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        let _ = writeln!(io::stderr(), "a message could not be told of: {error}");
    }
}

/// Returns a path without its brackets.
fn bare(path: &dyn fmt::Display) -> String {
    path.to_string().trim_matches(['<', '>']).to_owned()
}

/// Returns the fields that keep what a message asks for of notifications (RFC 3461 4), which whoever
/// delivers it has to know; none if it asks for none.
fn requests(envelope: &Envelope) -> String {
    let sender = &envelope.sender;
    let mut asked = MailParameters::default();
    asked.ret = sender.parameters.ret;
    asked.envelope_id.clone_from(&sender.parameters.envelope_id);
    let mut asks = asked != MailParameters::default();
    let mut fields = field("X-Envelope-From", &sender.path, &asked);
    for accepted in &envelope.recipients {
        let recipient = &accepted.recipient;
        let mut asked = RcptParameters::default();
        asked.notify = recipient.parameters.notify;
        let original = &recipient.parameters.original_recipient;
        asked.original_recipient.clone_from(original);
        asks |= asked != RcptParameters::default();
        fields += &field("X-Envelope-To", &recipient.path, &asked);
    }
    if asks { fields } else { String::new() }
}

fn field(name: &str, path: &dyn fmt::Display, parameters: &dyn fmt::Display) -> String {
    let parameters = parameters.to_string();
    let space = if parameters.is_empty() { "" } else { " " };
    format!("{name}: {path}{space}{parameters}\r\n")
}

/// Asks the client to try again later (RFC 5321 4.2.2: 452).
fn storage_failed(error: impl fmt::Display) -> Refusal {
    let _ = writeln!(io::stderr(), "a message could not be stored: {error}");
    refuse!("452 4.3.1 The message cannot be stored now")
}
