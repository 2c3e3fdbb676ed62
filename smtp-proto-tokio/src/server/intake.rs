//! The way of a message's content from the machine to its sink.

use std::task::{Context, Poll};

use smtp_proto::{
    server::{Ticket, TransactionId, replies::local_error},
    syntax::Reply,
};

use super::{
    deliveries::Deliveries,
    guard::{Guard, Task},
    sink::Sink,
    verdict::Verdict,
};

/// How much of a content is gathered before a sink gets it. A message up to this size is one write.
const CHUNK: usize = 64 * 1024;

/// A sink on its way, or back from a write with a buffer to fill next.
type Busy<K> = Task<Result<(K, Vec<u8>), Reply<'static>>>;

/// The content of one message while it arrives.
pub(super) struct Intake<K> {
    pub(super) transaction: TransactionId,
    stage: Stage<K>,
    gathered: Vec<u8>,
    /// Answers DATA, while the sink is being opened.
    pub(super) asked: Option<Ticket>,
}

enum Stage<K> {
    Idle(K),
    Busy(Busy<K>),
    /// Its failure was told.
    Failed,
}

impl<K: Sink> Intake<K> {
    /// Waits for a sink.
    pub(super) fn open(
        transaction: TransactionId,
        asked: Option<Ticket>,
        opening: impl Future<Output = Result<K, Reply<'static>>> + Send + 'static,
    ) -> Self {
        Self {
            transaction,
            stage: Stage::Busy(guarded(async {
                opening.await.map(|sink| (sink, Vec::new()))
            })),
            gathered: Vec::new(),
            asked,
        }
    }

    /// Tells whether the sink is after so far that no more content is to be taken.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.stage, Stage::Busy(_)) && self.gathered.len() >= CHUNK
    }

    /// Takes more content.
    pub(super) fn gather(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
    }

    /// Moves on, and is ready each time that the sink is done with something.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reply<'static>>> {
        self.begin_write();
        let Stage::Busy(busy) = &mut self.stage else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = busy.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.stage = Stage::Failed;
        let (sink, spare) = result?;
        self.stage = Stage::Idle(sink);
        if self.gathered.is_empty() {
            self.gathered = spare;
        }
        Poll::Ready(Ok(()))
    }

    fn begin_write(&mut self) {
        if self.gathered.len() < CHUNK {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(mut sink) => {
                let mut chunk = std::mem::take(&mut self.gathered);
                self.stage = Stage::Busy(guarded(async move {
                    sink.write(&chunk).await?;
                    chunk.clear();
                    Ok((sink, chunk))
                }));
            }
            stage => self.stage = stage,
        }
    }

    /// Hands the rest to the sink and has it decide.
    pub(super) async fn finish(self) -> Verdict {
        match self.complete().await {
            Ok(sink) => sink.finish().await,
            Err(reply) => reply.into(),
        }
    }

    /// Hands the rest to the sink and has it decide for each recipient.
    pub(super) async fn deliver(self, deliveries: Deliveries) {
        match self.complete().await {
            Ok(sink) => sink.deliver(deliveries).await,
            Err(reply) => deliveries.decide_rest(&reply.into()),
        }
    }

    async fn complete(self) -> Result<K, Reply<'static>> {
        let mut sink = match self.stage {
            Stage::Idle(sink) => sink,
            Stage::Busy(busy) => busy.await?.0,
            Stage::Failed => return Err(local_error()),
        };
        if !self.gathered.is_empty() {
            sink.write(&self.gathered).await?;
        }
        Ok(sink)
    }
}

/// Answers for a sink that panics.
fn guarded<T: Send + 'static>(
    future: impl Future<Output = Result<T, Reply<'static>>> + Send + 'static,
) -> Task<Result<T, Reply<'static>>> {
    let guard = Guard::new(future);
    Box::pin(async { guard.await.unwrap_or_else(|| Err(local_error())) })
}
