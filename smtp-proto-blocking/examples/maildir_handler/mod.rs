//! Stores messages before they are acknowledged.

use std::sync::Arc;

use smtp_proto::syntax::{Code, Reply};
use smtp_proto_blocking::server::{Envelope, Handler, Session, Sink, Verdict};
use smtp_proto_example_support::{Delivery, Maildir};

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler {
    maildir: Option<Arc<Maildir>>,
    received: fn(&Envelope, u64),
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink {
    delivery: Option<Delivery>,
    envelope: Envelope,
    octets: u64,
    received: fn(&Envelope, u64),
}

impl MaildirHandler {
    /// Stores into a Maildir, or nowhere.
    pub(crate) fn new(maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            maildir,
            received: |_, _| {},
        }
    }

    /// Calls a function with the envelope and the size of each message that was stored.
    #[allow(dead_code, reason = "not every example tells")]
    pub(crate) fn telling(mut self, received: fn(&Envelope, u64)) -> Self {
        self.received = received;
        self
    }
}

impl Handler for MaildirHandler {
    type Sink = MaildirSink;

    fn content(&self, _: &Session, envelope: &Envelope) -> Result<MaildirSink, Reply<'static>> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        Ok(MaildirSink {
            delivery: delivery.map_err(storage_failed)?,
            envelope: envelope.clone(),
            octets: 0,
            received: self.received,
        })
    }
}

impl Sink for MaildirSink {
    fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>> {
        self.octets += octets.len() as u64;
        match &mut self.delivery {
            Some(delivery) => delivery.write(octets).map_err(storage_failed),
            None => Ok(()),
        }
    }

    fn finish(self) -> Verdict {
        match self.delivery.map(Delivery::finish).transpose() {
            Ok(_) => {
                (self.received)(&self.envelope, self.octets);
                Verdict::Accept
            }
            Err(error) => Verdict::Reply(storage_failed(error)),
        }
    }
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
