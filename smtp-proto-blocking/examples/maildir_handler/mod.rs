//! Stores messages before they are acknowledged.

use std::thread::{self, ThreadId};

use smtp_proto::{
    sasl::{ScramHash, ScramKeys},
    server::{Certainty, TransactionId},
    syntax::Reply,
};
use smtp_proto_blocking::{
    Error,
    server::{Credential, Envelope, Handler, Session, Sink, Verdict, invalid_credentials},
};
use smtp_proto_example_support::{Arrival, ReceivedEnvelope, Reception};

/// Names a message: by the thread, which is the session's alone, and the transaction.
pub(crate) type MessageName = (ThreadId, TransactionId);

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler {
    reception: Reception<MessageName>,
}

/// One message on its way to the disk.
pub(crate) struct MaildirSink(Arrival<MessageName>);

impl MaildirHandler {
    /// Stores as the reception says.
    pub(crate) fn new(reception: Reception<MessageName>) -> Self {
        Self { reception }
    }
}

impl Handler for MaildirHandler {
    type Sink = MaildirSink;

    fn authenticate(
        &self,
        _: &Session,
        credential: Credential<'_>,
    ) -> Result<String, Reply<'static>> {
        self.reception
            .admit(credential)
            .ok_or_else(invalid_credentials)
    }

    fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Reply<'static>> {
        Ok(self.reception.scram_keys(user, hash))
    }

    fn content(&self, _: &Session, envelope: &Envelope) -> Result<MaildirSink, Reply<'static>> {
        let recipients = envelope.recipients.iter().enumerate();
        let recipients = recipients.map(|(index, path)| {
            let parameters = envelope.recipient_parameters(index).cloned();
            (path.clone(), parameters.unwrap_or_default())
        });
        let received = ReceivedEnvelope {
            from: envelope.from.clone(),
            parameters: envelope.parameters().clone(),
            recipients: recipients.collect(),
        };
        let name = name(envelope.transaction);
        self.reception.begin(name, received).map(MaildirSink)
    }

    fn acknowledged(&self, _: &Session, message: TransactionId, certainty: Certainty) {
        self.reception.acknowledged(&name(message), certainty);
    }

    fn delivery_acknowledged(
        &self,
        _: &Session,
        message: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        self.reception
            .delivery_acknowledged(&name(message), recipient, certainty);
    }

    fn closed(&self, _: &Session, _: Option<&Error>) {
        let session = thread::current().id();
        self.reception.closed(|(of, _)| *of == session);
    }
}

impl Sink for MaildirSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.0.write(bytes)
    }

    fn finish(self) -> Verdict {
        match self.0.finish() {
            Ok(()) => Verdict::Accept,
            Err(reply) => reply.into(),
        }
    }
}

fn name(message: TransactionId) -> MessageName {
    (thread::current().id(), message)
}
