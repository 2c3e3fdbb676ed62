//! Stores messages before they are acknowledged.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use smtp_proto::{
    sasl::{ScramHash, ScramKeys},
    server::{Certainty, TransactionId},
    syntax::Reply,
};
use smtp_proto_example_support::{Arrival, ReceivedEnvelope, Reception, storage_failed};
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
    reception: Reception<MessageName>,
    sessions: AtomicU64,
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink(Arrival<MessageName>);

impl MaildirHandler {
    /// Stores as the reception says.
    pub(crate) fn new(reception: Reception<MessageName>) -> Self {
        Self {
            reception,
            sessions: AtomicU64::new(0),
        }
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
        self.reception
            .admit(credential)
            .ok_or_else(invalid_credentials)
    }

    async fn scram_keys(
        &self,
        _: &u64,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Reply<'static>> {
        Ok(self.reception.scram_keys(user, hash))
    }

    async fn recipient(&self, _: &u64, _: &Sender, _: &Recipient) -> Verdict {
        Verdict::Accept
    }

    async fn content(
        &self,
        session: &u64,
        envelope: Arc<Envelope>,
    ) -> Result<MaildirSink, Reply<'static>> {
        let (sender, recipients) = (envelope.sender(), envelope.recipients());
        let recipients = recipients.map(|recipient| {
            let parameters = recipient.parameters().clone();
            (recipient.path().clone(), parameters)
        });
        let received = ReceivedEnvelope {
            from: sender.path().clone(),
            parameters: sender.parameters().clone(),
            recipients: recipients.collect(),
        };
        let name = (*session, sender.transaction());
        self.reception.begin(name, received).map(MaildirSink)
    }

    fn acknowledged(&self, session: &u64, transaction: TransactionId, certainty: Certainty) {
        self.reception
            .acknowledged(&(*session, transaction), certainty);
    }

    fn delivery_acknowledged(
        &self,
        session: &u64,
        transaction: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        self.reception
            .delivery_acknowledged(&(*session, transaction), recipient, certainty);
    }

    /// The message stays stored: it is recognised when it comes again.
    fn expired(&self, session: &u64, transaction: TransactionId) {
        self.acknowledged(session, transaction, Certainty::Unsent);
    }

    fn delivery_expired(&self, session: &u64, transaction: TransactionId, recipient: usize) {
        self.delivery_acknowledged(session, transaction, recipient, Certainty::Unsent);
    }

    fn closed(&self, session: &u64, _: Result<(), &Error>) {
        self.reception.closed(|(of, _)| of == session);
    }
}

impl Sink for MaildirSink {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.0.write(bytes)
    }

    async fn finish(self) -> Verdict {
        // The disk takes its time, and others need not wait for it.
        match spawn_blocking(|| self.0.finish()).await {
            Ok(Ok(())) => Verdict::Accept,
            Ok(Err(reply)) => reply.into(),
            Err(panic) => storage_failed(panic).into(),
        }
    }
}
