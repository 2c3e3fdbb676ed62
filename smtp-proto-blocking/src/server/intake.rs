//! The way of a message's content from the machine to its sink.

use smtp_proto::{
    reception::{Deliveries, HeaderSearch, Refusal, Verdict},
    server::TransactionId,
};

use super::sink::Sink;

/// The content of one message while it arrives.
pub(super) struct Intake<K> {
    pub(super) transaction: TransactionId,
    sink: K,
    /// None once the sink has seen the header.
    search: Option<HeaderSearch>,
    /// What has come of the header.
    gathered: Vec<u8>,
}

impl<K: Sink> Intake<K> {
    pub(super) fn new(transaction: TransactionId, sink: K) -> Self {
        Self {
            transaction,
            sink,
            search: Some(HeaderSearch::default()),
            gathered: Vec::new(),
        }
    }

    /// Takes more content.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(search) = &mut self.search else {
            return self.sink.write(bytes);
        };
        // Most headers come whole.
        let whole = self.gathered.is_empty().then(|| search.find(bytes));
        if let Some(Some(end)) = whole {
            self.search = None;
            self.sink.header(bytes.get(..end).unwrap_or_default())?;
            return self.sink.write(bytes);
        }
        self.gathered.extend_from_slice(bytes);
        match search.find(&self.gathered) {
            Some(end) => self.write_gathered(end),
            None => Ok(()),
        }
    }

    /// Has the sink decide.
    pub(super) fn finish(mut self) -> Verdict {
        self.complete()?;
        self.sink.finish()
    }

    /// Has the sink decide for each recipient.
    pub(super) fn deliver(mut self, deliveries: Deliveries) {
        match self.complete() {
            Ok(()) => self.sink.deliver(deliveries),
            Err(refusal) => deliveries.decide_rest(&Err(refusal)),
        }
    }

    fn complete(&mut self) -> Result<(), Refusal> {
        match self.search.take() {
            Some(search) => self.write_gathered(search.finish(&self.gathered)),
            None => Ok(()),
        }
    }

    /// Hands on the header, and all that has come with it.
    fn write_gathered(&mut self, end: usize) -> Result<(), Refusal> {
        self.search = None;
        let content = std::mem::take(&mut self.gathered);
        self.sink.header(content.get(..end).unwrap_or_default())?;
        match content.is_empty() {
            true => Ok(()),
            false => self.sink.write(&content),
        }
    }
}
