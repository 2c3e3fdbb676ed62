//! The way of a message's content from the machine to its sink.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use smtp_proto::{
    reception::{Asked, Deliveries, Refusal, Verdict},
    server::TransactionId,
};

use super::{sink::Sink, task::Task};

/// How much of a content is gathered before a sink gets it. A message up to this size is one write.
const CHUNK: usize = 64 * 1024;

/// A sink on its way, or back from a write with a buffer to fill next.
type Busy<K> = Task<Result<(K, Vec<u8>), Refusal>>;

/// The content of one message while it arrives.
pub(super) struct Intake<K> {
    pub(super) transaction: TransactionId,
    stage: Stage<K>,
    gathered: Vec<u8>,
    /// Answers for the beginning, while the sink is being opened.
    pub(super) asked: Option<Asked>,
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
        asked: Asked,
        bytes: &[u8],
        opening: impl Future<Output = Result<K, Refusal>> + Send + 'static,
    ) -> Self {
        Self {
            transaction,
            stage: Stage::Busy(Task::new(async {
                opening.await.map(|sink| (sink, Vec::new()))
            })),
            gathered: bytes.to_vec(),
            asked: Some(asked),
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
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.begin_write();
        let Stage::Busy(busy) = &mut self.stage else {
            return Poll::Pending;
        };
        let result = ready!(Pin::new(busy).poll(cx));
        self.stage = Stage::Failed;
        let (sink, spare) = result.unwrap_or_else(|| Err(Refusal::local_error()))?;
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
                self.stage = Stage::Busy(Task::new(async move {
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
            Err(refusal) => Err(refusal),
        }
    }

    /// Hands the rest to the sink and has it decide for each recipient.
    pub(super) async fn deliver(self, deliveries: Deliveries) {
        match self.complete().await {
            Ok(sink) => sink.deliver(deliveries).await,
            Err(refusal) => deliveries.decide_rest(&Err(refusal)),
        }
    }

    async fn complete(self) -> Result<K, Refusal> {
        let mut sink = match self.stage {
            Stage::Idle(sink) => sink,
            Stage::Busy(busy) => busy.await.unwrap_or_else(|| Err(Refusal::local_error()))?.0,
            Stage::Failed => return Err(Refusal::local_error()),
        };
        if !self.gathered.is_empty() {
            sink.write(&self.gathered).await?;
        }
        Ok(sink)
    }
}
