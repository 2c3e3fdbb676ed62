//! Where a message's content comes from.

use std::{borrow::Cow, fmt, fs::File, io::Read, sync::Arc};

use smtp_proto::client as machine;

/// How many bytes of a streamed content are read ahead, and so the size of its chunks.
const CHUNK: usize = 64 * 1024;

/// Holds the content of a message, or whatever it is read from.
///
/// Lines end in CR LF, dots are not stuffed. Memory of any kind converts into it; anything else
/// that can be read does by [`Body::reader`].
pub struct Body {
    source: Source,
    /// How often the machine asked for it from the beginning before this time.
    position: u64,
}

enum Source {
    Memory { bytes: Bytes, used: usize },
    Reader(Box<Streamed>),
}

enum Bytes {
    Own(Cow<'static, [u8]>),
    Shared(Arc<[u8]>),
}

struct Streamed {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    used: usize,
    state: StreamState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StreamState {
    Flowing,
    AtEnd,
    Failed,
}

impl Body {
    /// Takes a content that is read while it is sent, 64 KiB at a time.
    ///
    /// Replies are not read while the reader keeps the client waiting. Such a content can be sent
    /// only once.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::new(Source::Reader(Box::new(Streamed {
            reader: Box::new(reader),
            buffer: Vec::new(),
            used: 0,
            state: StreamState::Flowing,
        })))
    }

    /// Returns how many bytes it has, if that is known: for
    /// [`Envelope::size`](smtp_proto::client::Envelope::size).
    pub fn size(&self) -> Option<u64> {
        match &self.source {
            Source::Memory { bytes, .. } => u64::try_from(bytes.as_slice().len()).ok(),
            Source::Reader(_) => None,
        }
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            position: 0,
        }
    }

    /// Returns what the machine is to send from `offset` on.
    pub(super) fn present(&mut self, offset: u64) -> machine::Body<'_> {
        // Otherwise the machine asks anew from the beginning.
        let again = offset != self.position;
        self.position = offset;
        match &mut self.source {
            Source::Memory { bytes, used } => {
                if again {
                    *used = 0;
                }
                machine::Body::Last(bytes.as_slice().get(*used..).unwrap_or_default())
            }
            Source::Reader(streamed) => {
                if again {
                    streamed.state = StreamState::Failed; // it cannot be read twice
                }
                streamed.present()
            }
        }
    }

    /// Moves after what was sent.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes as u64);
        match &mut self.source {
            Source::Memory { used, .. } => *used = used.saturating_add(bytes),
            Source::Reader(streamed) => streamed.used = streamed.used.saturating_add(bytes),
        }
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Streamed {
    fn present(&mut self) -> machine::Body<'_> {
        if self.used >= self.buffer.len() && self.state == StreamState::Flowing {
            self.used = 0;
            self.buffer.clear();
            let chunk = u64::try_from(CHUNK).unwrap_or(u64::MAX);
            self.state = match self
                .reader
                .by_ref()
                .take(chunk)
                .read_to_end(&mut self.buffer)
            {
                Ok(CHUNK) => StreamState::Flowing,
                Ok(_) => StreamState::AtEnd,
                Err(_) => StreamState::Failed,
            };
        }
        let rest = self.buffer.get(self.used..).unwrap_or_default();
        match self.state {
            StreamState::Flowing => machine::Body::Chunk(rest),
            StreamState::AtEnd => machine::Body::Last(rest),
            StreamState::Failed => machine::Body::Failed,
        }
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::from(Cow::Borrowed(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Cow::Owned(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Cow<'static, [u8]>> for Body {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        let bytes = Bytes::Own(bytes);
        Self::new(Source::Memory { bytes, used: 0 })
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Self {
        let bytes = Bytes::Shared(bytes);
        Self::new(Source::Memory { bytes, used: 0 })
    }
}

impl From<File> for Body {
    fn from(file: File) -> Self {
        Self::reader(file)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size() {
            Some(size) => write!(f, "Body({size} bytes)"),
            None => f.write_str("Body(streamed)"),
        }
    }
}
