//! Stores messages before they are acknowledged.

use smtp_proto::sasl::{ScramHash, ScramKeys};
use smtp_proto_blocking::{
    Error,
    server::{
        Credential, Envelope, Handler, Identity, Notice, Recipient, Refusal, Session, Sink, Tally,
        Transaction, Verdict, accept,
    },
};
use smtp_proto_example_support::{Arrival, Inbox};

/// Takes every message, for everybody.
pub(crate) struct MaildirHandler(pub Inbox);

/// One message on its way to the disk.
pub(crate) struct MaildirSink(Arrival);

impl Handler for MaildirHandler {
    type Sink = MaildirSink;

    fn authenticate(&self, _: &Session, shown: Credential<'_>) -> Result<Identity, Refusal> {
        self.0.admit(shown)
    }

    fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Refusal> {
        Ok(self.0.scram_keys(user, hash))
    }

    fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    fn content(&self, session: &Session, envelope: Envelope) -> Result<MaildirSink, Refusal> {
        self.0.begin(session.id(), envelope).map(MaildirSink)
    }

    fn notice(&self, session: &Session, notice: &Notice<'_>) {
        self.0.notice(session.id(), notice);
    }

    fn closed(&self, session: &Session, _: Result<(), &Error>, _: &Tally) {
        self.0.closed(session.id());
    }
}

impl Sink for MaildirSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.0.write(bytes)
    }

    fn finish(self) -> Verdict {
        self.0.finish()?;
        accept()
    }
}
