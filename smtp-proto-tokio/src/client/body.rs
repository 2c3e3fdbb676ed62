//! Where the content of a message comes from.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::client as machine;
use tokio::io::{AsyncRead, ReadBuf};

/// How much of a content is presented at once, and how much is read before it is, unless it ends
/// before that. A content up to this size costs one chunk.
const CHUNK: usize = 64 * 1024;

/// Holds the content of a message, or the way to it.
///
/// Lines end with CR LF; dots are stuffed by the machine. Whatever is in memory goes out without
/// being copied.
///
/// ```
/// use smtp_proto_tokio::Body;
///
/// let text = Body::from("Subject: hello\r\n\r\nHello.\r\n");
/// let bytes = Body::from(vec![b'.', b'\r', b'\n']);
/// let streamed = Body::reader(tokio::io::empty());
/// ```
pub struct Body {
    source: Source,
    /// How many bytes of it were taken since the machine asked for it from the beginning.
    position: u64,
    /// How many bytes of what is in memory were taken.
    taken: usize,
}

enum Source {
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
    Reader(Reader),
}

/// Bytes that come when they come.
struct Reader {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: Vec<u8>,
    /// Up to where the buffer is filled.
    filled: usize,
    state: Reading,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// More is to be read before anything is presented.
    Filling,
    /// What the buffer holds is presented.
    Presenting,
    /// What the buffer holds is the rest.
    Ended,
    Failed,
}

impl Body {
    /// Creates a body that is read when its turn comes, so that it need not be in memory.
    ///
    /// Up to 64 KiB are read before any are sent. While the reader has nothing, the connection goes
    /// on with whatever else there is to do. If it fails, the message's outcome is
    /// [`NotSentReason::BodyFailed`](machine::NotSentReason::BodyFailed), and unless nothing of the content was
    /// sent the connection is lost, as the server would take a part for the whole.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::new(Source::Reader(Reader {
            reader: Box::pin(reader),
            buffer: Vec::new(),
            filled: 0,
            state: Reading::Filling,
        }))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            position: 0,
            taken: 0,
        }
    }

    /// Returns what can be presented to the machine from `offset` on; `None` if it has to wait.
    pub(super) fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<machine::Body<'_>> {
        if offset != self.position {
            // The machine asks anew from the beginning.
            self.position = offset;
            self.taken = 0;
            if let Source::Reader(reader) = &mut self.source {
                reader.state = Reading::Failed; // it cannot be read twice
            }
        }
        let bytes: &[u8] = match &mut self.source {
            Source::Static(bytes) => bytes,
            Source::Owned(bytes) => bytes,
            Source::Shared(bytes) => bytes,
            Source::Reader(reader) => {
                match reader.poll_fill(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Some(machine::Body::Failed),
                    Poll::Pending => return None,
                }
                return reader.present(self.taken);
            }
        };
        let rest = bytes.get(self.taken..).unwrap_or_default();
        match rest.split_at_checked(CHUNK) {
            Some((chunk, more)) if !more.is_empty() => Some(machine::Body::Chunk(chunk)),
            _ => Some(machine::Body::Last(rest)),
        }
    }

    /// Takes note that so many bytes of what was presented were sent, and tells whether that was
    /// the last one.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.taken += bytes;
        self.position += bytes as u64;
        let all = match &mut self.source {
            Source::Static(bytes) => bytes.len(),
            Source::Owned(bytes) => bytes.len(),
            Source::Shared(bytes) => bytes.len(),
            Source::Reader(reader) => {
                if reader.state == Reading::Presenting && self.taken == reader.filled {
                    self.taken = 0;
                    reader.filled = 0;
                    reader.state = Reading::Filling;
                }
                return reader.state == Reading::Ended && self.taken == reader.filled;
            }
        };
        self.taken == all
    }
}

impl Reader {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.state == Reading::Filling {
            if self.filled == self.buffer.len() {
                // Grows with what comes, so that a small content takes little memory.
                let grown = (2 * self.filled).clamp(4 * 1024, CHUNK);
                self.buffer.resize(grown, 0);
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let mut room = ReadBuf::new(room);
            if let Err(error) = ready!(self.reader.as_mut().poll_read(cx, &mut room)) {
                self.state = Reading::Failed;
                return Poll::Ready(Err(error));
            }
            let bytes = room.filled().len();
            self.filled += bytes;
            if bytes == 0 {
                self.state = Reading::Ended;
            } else if self.filled == CHUNK {
                self.state = Reading::Presenting;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn present(&self, taken: usize) -> Option<machine::Body<'_>> {
        let bytes = self.buffer.get(taken..self.filled).unwrap_or_default();
        match self.state {
            Reading::Filling => None,
            Reading::Presenting => Some(machine::Body::Chunk(bytes)),
            Reading::Ended => Some(machine::Body::Last(bytes)),
            Reading::Failed => Some(machine::Body::Failed),
        }
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::new(Source::Static(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(Source::Owned(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::new(Source::Shared(bytes))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match &self.source {
            Source::Static(bytes) => bytes.len(),
            Source::Owned(bytes) => bytes.len(),
            Source::Shared(bytes) => bytes.len(),
            Source::Reader(_) => return f.write_str("Body(reader)"),
        };
        write!(f, "Body({bytes} bytes)")
    }
}
