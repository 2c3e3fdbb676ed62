//! The way of a message's content from the machine to its sink.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use smtp_proto::{
    reception::{Asked, Deliveries, HeaderSearch, Refusal, Verdict},
    server::TransactionId,
};

use super::{sink::Sink, task::Task};

/// How much of a content is gathered before a sink gets it. A message up to this size is one write.
const CHUNK: usize = 64 * 1024;

/// A sink on its way, with a buffer: content that it has only looked at, or none.
type Busy<K> = Task<'static, Result<(K, Vec<u8>), Refusal>>;

/// The content of one message while it arrives.
pub(super) struct Intake<K> {
    pub(super) transaction: TransactionId,
    stage: Stage<K>,
    gathered: Vec<u8>,
    /// None once the sink has seen the header.
    search: Option<HeaderSearch>,
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
            search: Some(HeaderSearch::default()),
            asked: Some(asked),
        }
    }

    /// Returns whether the sink is so far behind that no more content is to be taken.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.stage, Stage::Busy(_)) && self.gathered.len() >= CHUNK
    }

    /// Takes more content.
    pub(super) fn gather(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
    }

    /// Moves on, and is ready each time that the sink is done with something.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(sink) => self.begin(sink),
            stage => stage,
        };
        let Stage::Busy(busy) = &mut self.stage else {
            return Poll::Pending;
        };
        let result = ready!(Pin::new(busy).poll(cx));
        self.stage = Stage::Failed;
        let sink = self.take_back(result)?;
        self.stage = Stage::Idle(sink);
        Poll::Ready(Ok(()))
    }

    /// Hands what is due to the sink.
    fn begin(&mut self, mut sink: K) -> Stage<K> {
        if let Some(search) = &mut self.search {
            let Some(end) = search.find(&self.gathered) else {
                return Stage::Idle(sink);
            };
            self.search = None;
            let content = std::mem::take(&mut self.gathered);
            return Stage::Busy(Task::new(async move {
                sink.header(content.get(..end).unwrap_or_default()).await?;
                Ok((sink, content))
            }));
        }
        if self.gathered.len() < CHUNK {
            return Stage::Idle(sink);
        }
        let mut chunk = std::mem::take(&mut self.gathered);
        Stage::Busy(Task::new(async move {
            sink.write(&chunk).await?;
            chunk.clear();
            Ok((sink, chunk))
        }))
    }

    /// Takes the sink back, and its buffer.
    fn take_back(&mut self, result: Option<Result<(K, Vec<u8>), Refusal>>) -> Result<K, Refusal> {
        let (sink, mut buffer) = result.unwrap_or_else(|| Err(Refusal::local_error()))?;
        if !buffer.is_empty() || self.gathered.is_empty() {
            buffer.append(&mut self.gathered);
            self.gathered = buffer;
        }
        Ok(sink)
    }

    /// Hands the rest to the sink and has it decide.
    pub(super) async fn finish(mut self) -> Verdict {
        match self.complete().await {
            Ok(sink) => sink.finish().await,
            Err(refusal) => Err(refusal),
        }
    }

    /// Hands the rest to the sink and has it decide for each recipient.
    pub(super) async fn deliver(mut self, deliveries: Deliveries) {
        match self.complete().await {
            Ok(sink) => sink.deliver(deliveries).await,
            Err(refusal) => deliveries.decide_rest(&Err(refusal)),
        }
    }

    async fn complete(&mut self) -> Result<K, Refusal> {
        let mut sink = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(sink) => sink,
            Stage::Busy(busy) => {
                let result = busy.await;
                self.take_back(result)?
            }
            Stage::Failed => return Err(Refusal::local_error()),
        };
        if let Some(search) = self.search.take() {
            let end = search.finish(&self.gathered);
            sink.header(self.gathered.get(..end).unwrap_or_default())
                .await?;
        }
        if !self.gathered.is_empty() {
            sink.write(&self.gathered).await?;
        }
        Ok(sink)
    }
}
