//! Where the content of messages goes.

use smtp_proto::reception::{Deliveries, Refusal, Verdict};

use super::task::Boxed;

type Decision = Boxed<'static, Verdict>;

smtp_proto::sink! { async.await }

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
