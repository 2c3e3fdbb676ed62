//! Where the content of messages goes.

use smtp_proto::syntax::Reply;

use super::{deliveries::Deliveries, verdict::Verdict};

/// Takes in the content of one message.
///
/// Dropped before [`finish`](Self::finish) it means that there is no message: the client reset the
/// transaction, or is gone.
pub trait Sink: Send + Sized + 'static {
    /// Takes more of the content, dots unstuffed, up to some 64 KiB at a time.
    ///
    /// While it waits, no more is read of the content than a buffer holds.
    ///
    /// # Errors
    ///
    /// Refuses the message with a negative reply; the rest of it is swallowed.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), Reply<'static>>> + Send;

    /// Decides about the complete message. Accepting it means to be responsible for it.
    ///
    /// Later messages of the connection may arrive meanwhile, so that many can be stored in one go.
    /// It runs to its end even if the client is gone; an acceptance is then
    /// [`expired`](super::Handler::expired).
    fn finish(self) -> impl Future<Output = Verdict> + Send;

    /// Decides about the complete message for each recipient, which is asked in LMTP in place of
    /// [`finish`](Self::finish). Unless written, `finish` decides for all.
    fn deliver(self, deliveries: Deliveries) -> impl Future<Output = ()> + Send {
        async { deliveries.decide_rest(&self.finish().await) }
    }
}
