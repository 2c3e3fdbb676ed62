//! Where the content of messages goes.

use std::fmt;

use smtp_proto::reception::{Deliveries, Refusal, Verdict};

use super::task::Boxed;

smtp_proto::sink! { async.await }

/// Keeps the content of one message in memory, up to the largest message that is taken, and hands it
/// over when it is complete.
pub struct InMemory {
    content: Vec<u8>,
    then: Box<dyn FnOnce(Vec<u8>) -> Boxed<'static, Verdict> + Send>,
}

impl InMemory {
    /// Has the complete content decided about so.
    pub fn then<F>(decide: impl FnOnce(Vec<u8>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        Self {
            content: Vec::new(),
            then: Box::new(move |content| Box::pin(decide(content))),
        }
    }
}

impl Sink for InMemory {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Verdict {
        (self.then)(self.content).await
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}
