//! Stores messages before they are acknowledged.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use smtp_proto::{
    sasl::{ScramHash, ScramKeys},
    server::{Certainty, TransactionId},
    syntax::{Code, Reply},
};
use smtp_proto_example_support::{Account, Delivery, Duplicates, Fingerprinter, Maildir};
use smtp_proto_tokio::{
    Error, TlsInfo,
    server::{
        Credential, Envelope, Handler, Recipient, Sender, Sink, Verdict, invalid_credentials,
    },
};
use tokio::task::spawn_blocking;

/// Names a message: by its session and, in that, its transaction.
pub(crate) type MessageName = (u64, TransactionId);

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler {
    maildir: Option<Arc<Maildir>>,
    received: fn(&Envelope, u64),
    account: Option<Account>,
    duplicates: Option<Arc<Duplicates<MessageName>>>,
    sessions: AtomicU64,
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink {
    delivery: Option<Delivery>,
    envelope: Arc<Envelope>,
    octets: u64,
    received: fn(&Envelope, u64),
    recognition: Option<Recognition>,
}

/// What finds out whether a message is here already.
struct Recognition {
    duplicates: Arc<Duplicates<MessageName>>,
    fingerprinter: Fingerprinter,
    name: MessageName,
}

impl MaildirHandler {
    /// Stores into a Maildir, or nowhere.
    pub(crate) fn new(maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            maildir,
            received: |_, _| {},
            account: None,
            duplicates: None,
            sessions: AtomicU64::new(0),
        }
    }

    /// Calls a function with the envelope and the size of each message that was stored.
    #[allow(dead_code, reason = "not every example tells")]
    pub(crate) fn telling(mut self, received: fn(&Envelope, u64)) -> Self {
        self.received = received;
        self
    }

    /// Lets a user authenticate.
    #[allow(dead_code, reason = "not every example has users")]
    pub(crate) fn admitting(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Stores a message only once if its acknowledgement is lost and it comes again.
    #[allow(dead_code, reason = "not every example looks for them")]
    pub(crate) fn recognising(mut self, duplicates: Arc<Duplicates<MessageName>>) -> Self {
        self.duplicates = Some(duplicates);
        self
    }
}

impl Handler for MaildirHandler {
    type Session = u64;
    type Sink = MaildirSink;

    async fn connected(&self, _: Option<SocketAddr>) -> Result<u64, Reply<'static>> {
        Ok(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    async fn authenticate(
        &self,
        _: &u64,
        credential: Credential<'_>,
        _: Option<&TlsInfo>,
    ) -> Result<String, Reply<'static>> {
        let account = self.account.as_ref();
        let admitted = account.and_then(|account| account.admit(credential));
        admitted.ok_or_else(invalid_credentials)
    }

    async fn scram_keys(
        &self,
        _: &u64,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Reply<'static>> {
        let account = self.account.as_ref();
        Ok(account.and_then(|account| account.scram_keys(user, hash)))
    }

    async fn recipient(&self, _: &u64, _: &Sender, _: &Recipient) -> Verdict {
        Verdict::Accept
    }

    async fn content(
        &self,
        session: &u64,
        envelope: Arc<Envelope>,
    ) -> Result<MaildirSink, Reply<'static>> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        let recognition = self.duplicates.as_ref().map(|duplicates| Recognition {
            duplicates: Arc::clone(duplicates),
            fingerprinter: Fingerprinter::default(),
            name: (*session, envelope.sender().transaction()),
        });
        Ok(MaildirSink {
            delivery: delivery.map_err(storage_failed)?,
            envelope,
            octets: 0,
            received: self.received,
            recognition,
        })
    }

    fn acknowledged(&self, session: &u64, transaction: TransactionId, certainty: Certainty) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.acknowledged(&(*session, transaction), certainty, Instant::now());
        }
    }

    fn delivery_acknowledged(
        &self,
        session: &u64,
        transaction: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        if let Some(duplicates) = &self.duplicates {
            let name = (*session, transaction);
            duplicates.delivery_acknowledged(&name, recipient, certainty, Instant::now());
        }
    }

    /// The message stays stored: it is recognised when it comes again.
    fn expired(&self, session: &u64, transaction: TransactionId) {
        self.acknowledged(session, transaction, Certainty::Unsent);
    }

    fn delivery_expired(&self, session: &u64, transaction: TransactionId, recipient: usize) {
        self.delivery_acknowledged(session, transaction, recipient, Certainty::Unsent);
    }

    fn closed(&self, session: &u64, _: Result<(), &Error>) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.closed(|(of, _)| of == session);
        }
    }
}

impl Sink for MaildirSink {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>> {
        self.octets += octets.len() as u64;
        if let Some(recognition) = &mut self.recognition {
            recognition.fingerprinter.update(octets);
        }
        match &mut self.delivery {
            Some(delivery) => delivery.write(octets).map_err(storage_failed),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Verdict {
        let Some(recognition) = self.recognition.take() else {
            return self.store().await;
        };
        let Recognition {
            duplicates,
            fingerprinter,
            name,
        } = recognition;
        let envelope = Arc::clone(&self.envelope);
        let recipients = envelope.recipients().map(Recipient::path);
        let fingerprints = fingerprinter.finish(envelope.sender().path(), recipients);
        let is_here = duplicates.recognise(&fingerprints, Instant::now());
        let verdict = if is_here {
            Verdict::Accept
        } else {
            self.store().await
        };
        if verdict == Verdict::Accept {
            duplicates.stored(name, fingerprints);
        }
        verdict
    }
}

impl MaildirSink {
    async fn store(self) -> Verdict {
        if let Some(delivery) = self.delivery {
            // The disk takes its time, and others need not wait for it.
            let stored = spawn_blocking(|| delivery.finish()).await;
            if let Err(error) = stored.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                return Verdict::Reply(storage_failed(error));
            }
        }
        (self.received)(&self.envelope, self.octets);
        Verdict::Accept
    }
}

/// Asks the client to try again later (RFC 5321 4.2.2: 452).
fn storage_failed(error: io::Error) -> Reply<'static> {
    eprintln!("a message could not be stored: {error}");
    Reply::new(
        Code::INSUFFICIENT_STORAGE,
        "4.3.1 The message cannot be stored now",
    )
    .expect("the text is a reply's")
}
