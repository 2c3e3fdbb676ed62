//! Where the content of messages goes.

use smtp_proto::reception::{Deliveries, Refusal, Verdict};

type Decision = Verdict;

smtp_proto::sink! {}

impl InMemory {
    /// Has the complete content decided about so.
    pub fn then(decide: impl FnOnce(Vec<u8>) -> Verdict + Send + 'static) -> Self {
        Self {
            content: Vec::new(),
            then: Box::new(decide),
        }
    }
}
