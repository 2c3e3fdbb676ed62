//! Where the content of messages goes.

use std::fmt;

use smtp_proto::reception::{Deliveries, Refusal, Verdict};

smtp_proto::sink! {}

/// Keeps the content of one message in memory, up to the largest message that is taken, and hands it
/// over when it is complete.
pub struct InMemory {
    content: Vec<u8>,
    then: Box<dyn FnOnce(Vec<u8>) -> Verdict + Send>,
}

impl InMemory {
    /// Has the complete content decided about so.
    pub fn then(decide: impl FnOnce(Vec<u8>) -> Verdict + Send + 'static) -> Self {
        Self {
            content: Vec::new(),
            then: Box::new(decide),
        }
    }
}

impl Sink for InMemory {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self) -> Verdict {
        (self.then)(self.content)
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}
