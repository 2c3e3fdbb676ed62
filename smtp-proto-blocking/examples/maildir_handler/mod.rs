//! Stores messages before they are acknowledged.

use std::{
    sync::Arc,
    thread::{self, ThreadId},
    time::Instant,
};

use smtp_proto::{
    sasl::{ScramHash, ScramKeys},
    server::{Certainty, TransactionId},
    syntax::{Code, Reply},
};
use smtp_proto_blocking::{
    Error,
    server::{Credential, Envelope, Handler, Session, Sink, Verdict, invalid_credentials},
};
use smtp_proto_example_support::{Account, Delivery, Duplicates, Fingerprinter, Maildir};

/// Names a message: by the thread, which is the session's alone, and the transaction.
pub(crate) type MessageName = (ThreadId, TransactionId);

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler {
    maildir: Option<Arc<Maildir>>,
    received: fn(&Envelope, u64),
    account: Option<Account>,
    duplicates: Option<Arc<Duplicates<MessageName>>>,
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink {
    delivery: Option<Delivery>,
    envelope: Envelope,
    octets: u64,
    received: fn(&Envelope, u64),
    recognition: Option<Recognition>,
}

/// What finds out whether a message is here already.
struct Recognition {
    duplicates: Arc<Duplicates<MessageName>>,
    fingerprinter: Fingerprinter,
}

impl MaildirHandler {
    /// Stores into a Maildir, or nowhere.
    pub(crate) fn new(maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            maildir,
            received: |_, _| {},
            account: None,
            duplicates: None,
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
    type Sink = MaildirSink;

    fn authenticate(
        &self,
        _: &Session,
        credential: Credential<'_>,
    ) -> Result<String, Reply<'static>> {
        let account = self.account.as_ref();
        let admitted = account.and_then(|account| account.admit(credential));
        admitted.ok_or_else(invalid_credentials)
    }

    fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Reply<'static>> {
        let account = self.account.as_ref();
        Ok(account.and_then(|account| account.scram_keys(user, hash)))
    }

    fn content(&self, _: &Session, envelope: &Envelope) -> Result<MaildirSink, Reply<'static>> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        let recognition = self.duplicates.as_ref().map(|duplicates| Recognition {
            duplicates: Arc::clone(duplicates),
            fingerprinter: Fingerprinter::default(),
        });
        Ok(MaildirSink {
            delivery: delivery.map_err(storage_failed)?,
            envelope: envelope.clone(),
            octets: 0,
            received: self.received,
            recognition,
        })
    }

    fn acknowledged(&self, _: &Session, message: TransactionId, certainty: Certainty) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.acknowledged(&name(message), certainty, Instant::now());
        }
    }

    fn delivery_acknowledged(
        &self,
        _: &Session,
        message: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        if let Some(duplicates) = &self.duplicates {
            let name = name(message);
            duplicates.delivery_acknowledged(&name, recipient, certainty, Instant::now());
        }
    }

    fn closed(&self, _: &Session, _: Option<&Error>) {
        if let Some(duplicates) = &self.duplicates {
            let session = thread::current().id();
            duplicates.closed(|(of, _)| *of == session);
        }
    }
}

impl Sink for MaildirSink {
    fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>> {
        self.octets += octets.len() as u64;
        if let Some(recognition) = &mut self.recognition {
            recognition.fingerprinter.update(octets);
        }
        match &mut self.delivery {
            Some(delivery) => delivery.write(octets).map_err(storage_failed),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Verdict {
        let Some(recognition) = self.recognition.take() else {
            return self.store();
        };
        let Recognition {
            duplicates,
            fingerprinter,
        } = recognition;
        let (message, envelope) = (self.envelope.transaction, &self.envelope);
        let fingerprints = fingerprinter.finish(&envelope.from, &envelope.recipients);
        let is_here = duplicates.recognise(&fingerprints, Instant::now());
        let verdict = if is_here {
            Verdict::Accept
        } else {
            self.store()
        };
        if verdict == Verdict::Accept {
            duplicates.stored(name(message), fingerprints);
        }
        verdict
    }
}

impl MaildirSink {
    fn store(self) -> Verdict {
        match self.delivery.map(Delivery::finish).transpose() {
            Ok(_) => {
                (self.received)(&self.envelope, self.octets);
                Verdict::Accept
            }
            Err(error) => Verdict::Reply(storage_failed(error)),
        }
    }
}

fn name(message: TransactionId) -> MessageName {
    (thread::current().id(), message)
}

/// Asks the client to try again later (RFC 5321 4.2.2: 452).
fn storage_failed(error: std::io::Error) -> Reply<'static> {
    eprintln!("a message could not be stored: {error}");
    Reply::new(
        Code::INSUFFICIENT_STORAGE,
        "4.3.1 The message cannot be stored now",
    )
    .expect("the text is a reply's")
}
