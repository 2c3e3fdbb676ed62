//! Where the content of messages goes.

use std::fmt;

use smtp_proto::reception::{Deliveries, Refusal, Verdict};

/// Takes in the content of one message.
///
/// Dropped before [`finish`](Self::finish) it means that there is no message: the client reset the
/// transaction, or is gone.
pub trait Sink: Send + Sized + 'static {
    /// Looks at the header of the message, once, before any of the content is
    /// [written](Self::write), of which it is a part: as soon as all of it has come, the empty line
    /// apart. One that is longer than [`limits::HEADER`](smtp_proto::machine::limits::HEADER) is cut
    /// off there. Takes any unless written.
    ///
    /// # Errors
    ///
    /// Refuses the message; the rest of it is swallowed.
    fn header(&mut self, header: &[u8]) -> Result<(), Refusal> {
        let _ = header;
        Ok(())
    }

    /// Takes more of the content, dots unstuffed.
    ///
    /// # Errors
    ///
    /// Refuses the message; the rest of it is swallowed.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal>;

    /// Decides about the complete message. Accepting it means to be responsible for it (RFC 5321
    /// 2.1): store it durably first.
    fn finish(self) -> Verdict;

    /// Decides about the complete message for each recipient, which is asked in LMTP in place of
    /// [`finish`](Self::finish). Unless written, `finish` decides for all.
    fn deliver(self, deliveries: Deliveries) {
        deliveries.decide_rest(&self.finish());
    }
}

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
