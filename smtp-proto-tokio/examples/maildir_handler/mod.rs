//! Stores messages before they are acknowledged.

use std::{io, net::SocketAddr, sync::Arc};

use smtp_proto::syntax::{Code, Reply};
use smtp_proto_example_support::{Delivery, Maildir};
use smtp_proto_tokio::server::{Envelope, Handler, Recipient, Sender, Sink, Verdict};
use tokio::task::spawn_blocking;

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler {
    maildir: Option<Arc<Maildir>>,
    received: fn(&Envelope, u64),
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink {
    delivery: Option<Delivery>,
    envelope: Arc<Envelope>,
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
    type Session = ();
    type Sink = MaildirSink;

    async fn connected(&self, _: Option<SocketAddr>) -> Result<(), Reply<'static>> {
        Ok(())
    }

    async fn recipient(&self, _: &(), _: &Sender, _: &Recipient) -> Verdict {
        Verdict::Accept
    }

    async fn content(
        &self,
        _: &(),
        envelope: Arc<Envelope>,
    ) -> Result<MaildirSink, Reply<'static>> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        Ok(MaildirSink {
            delivery: delivery.map_err(storage_failed)?,
            envelope,
            octets: 0,
            received: self.received,
        })
    }
}

impl Sink for MaildirSink {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Reply<'static>> {
        self.octets += octets.len() as u64;
        match &mut self.delivery {
            Some(delivery) => delivery.write(octets).map_err(storage_failed),
            None => Ok(()),
        }
    }

    async fn finish(self) -> Verdict {
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
