//! Where a message's content comes from.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    future::Future,
    io::{self, Seek},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::client as machine;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc::{Receiver, Sender, channel},
    task::{JoinHandle, spawn_blocking},
};

/// How many bytes of a content that is not in memory are read ahead, and so the size of its chunks.
const CHUNK: usize = 64 * 1024;
/// How much is read at once from a reader.
const SPACE: usize = 8 * 1024;
/// How many pieces a channel holds.
const PIECES: usize = 4;

/// Holds the content of a message, or whatever it is read from.
///
/// Lines end in CR LF, dots are not stuffed. Memory of any kind converts into it, and so does a file.
/// Where its size is known it is declared to the server (RFC 1870), and a content that turns out shorter
/// or longer is not sent.
///
/// ```
/// use smtp_proto_tokio::Body;
///
/// let text = Body::from("Subject: hello\r\n\r\nHello.\r\n");
/// let shared = Body::shared(vec![0x20; 10]);
/// let whole = Body::from_parts([Body::from("Received: here\r\n"), text]);
/// assert_eq!(whole.size(), Some(42));
/// let streamed = Body::reader(tokio::io::empty());
/// ```
pub struct Body {
    source: Source,
    size: Option<u64>,
}

enum Source {
    Static(&'static [u8]),
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>),
    Parts(Parts),
    Streamed(Box<Streamed>),
}

impl Body {
    /// Takes memory of any kind, which is never copied.
    pub fn shared(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let size = bytes.as_ref().len() as u64;
        Self::new(Source::Shared(Arc::new(bytes)), Some(size))
    }

    /// Opens a file, which is read while it is sent.
    ///
    /// # Errors
    ///
    /// Those of opening it.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let opening = spawn_blocking(|| File::open(path).map(Self::from));
        opening.await.map_err(io::Error::other)?
    }

    /// Takes a content that is read while it is sent, 64 KiB at a time.
    ///
    /// While the reader has nothing, the connection goes on with whatever else there is to do. Such a
    /// content can be sent only once. Its end is the end of the message: where a reader may end early, say how much it has
    /// to yield by [`with_size`](Self::with_size).
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::streamed(Supply::Reader(Box::pin(reader)), None)
    }

    /// Creates a content that comes in pieces from another task, which has to say that it is complete:
    /// see [`BodySender`].
    pub fn channel() -> (BodySender, Self) {
        let (sender, receiver) = channel(PIECES);
        let supply = Supply::Channel(receiver);
        (BodySender { sender }, Self::streamed(supply, None))
    }

    /// Puts contents together, one after the other. They are never joined in memory.
    pub fn from_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<_> = parts.into_iter().collect();
        let sizes = parts.iter().map(Self::size);
        let size = sizes.sum::<Option<u64>>();
        let (current, start) = (0, 0);
        let parts = Parts {
            parts,
            current,
            start,
        };
        Self::new(Source::Parts(parts), size)
    }

    /// Declares how many bytes it has.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Returns how many bytes it has, if that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    fn new(source: Source, size: Option<u64>) -> Self {
        Self { source, size }
    }

    fn streamed(supply: Supply, size: Option<u64>) -> Self {
        let (buffer, base, state) = (Vec::new(), 0, State::Filling);
        let streamed = Streamed {
            supply,
            buffer,
            base,
            state,
        };
        Self::new(Source::Streamed(Box::new(streamed)), size)
    }

    /// Returns whether it can be presented from its beginning.
    pub(super) fn can_begin_again(&self) -> bool {
        match &self.source {
            Source::Static(_) | Source::Shared(_) => true,
            Source::Parts(parts) => parts.parts.iter().all(Self::can_begin_again),
            Source::Streamed(streamed) => streamed.can_begin_again(),
        }
    }

    /// Returns what there is from `offset` on; `None` if it has to wait.
    pub(super) fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<machine::Body<'_>> {
        let presented = self.source.poll(offset, cx)?;
        let (bytes, is_last) = match presented {
            machine::Body::Chunk(bytes) => (bytes, false),
            machine::Body::Last(bytes) => (bytes, true),
            machine::Body::Failed => return Some(presented),
        };
        // The server was told, and half a message must not pass for a whole one.
        let end = offset.saturating_add(bytes.len() as u64);
        Some(match self.size {
            Some(size) if end > size || is_last && end < size => machine::Body::Failed,
            _ => presented,
        })
    }
}

impl Source {
    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<machine::Body<'_>> {
        let bytes: &[u8] = match self {
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => (**bytes).as_ref(),
            Self::Parts(parts) => return parts.poll(offset, cx),
            Self::Streamed(streamed) => return streamed.poll(offset, cx),
        };
        let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
        Some(rest.map_or(machine::Body::Failed, machine::Body::Last))
    }
}

/// Contents one after the other.
struct Parts {
    parts: Vec<Body>,
    /// The one that is being presented.
    current: usize,
    /// Where it begins.
    start: u64,
}

impl Parts {
    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<machine::Body<'_>> {
        if offset < self.start {
            (self.current, self.start) = (0, 0);
        }
        let last = self.parts.len().saturating_sub(1);
        while self.current < last
            && let Some(part) = self.parts.get_mut(self.current)
            && let machine::Body::Last([]) = part.poll(offset.saturating_sub(self.start), cx)?
        {
            self.current += 1;
            self.start = offset;
        }
        let is_last = self.current == last;
        Some(match self.parts.get_mut(self.current) {
            Some(part) => match part.poll(offset.saturating_sub(self.start), cx)? {
                machine::Body::Last(bytes) if !is_last => machine::Body::Chunk(bytes),
                presented => presented,
            },
            None => machine::Body::Last(&[]),
        })
    }
}

/// A content of which a part is in memory.
struct Streamed {
    supply: Supply,
    buffer: Vec<u8>,
    /// Where in the content the buffer begins.
    base: u64,
    state: State,
}

enum Supply {
    Reader(Pin<Box<dyn AsyncRead + Send>>),
    File(Window),
    Channel(Receiver<Piece>),
}

/// A file, which a thread reads.
struct Window {
    file: Arc<File>,
    start: u64,
    size: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

enum Piece {
    Bytes(Vec<u8>),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More is to be read before anything is presented.
    Filling,
    Flowing,
    AtEnd,
    Failed,
}

impl Streamed {
    fn can_begin_again(&self) -> bool {
        let is_in_buffer = self.base == 0 && self.state != State::Failed;
        matches!(self.supply, Supply::File(_)) || is_in_buffer
    }

    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<machine::Body<'_>> {
        let end = self.base.saturating_add(self.buffer.len() as u64);
        let is_used_up = offset == end && self.state == State::Flowing;
        let is_elsewhere = !(self.base..=end).contains(&offset);
        if is_elsewhere && !matches!(self.supply, Supply::File(_)) {
            self.state = State::Failed; // it cannot be read twice
        } else if is_elsewhere || is_used_up {
            self.base = offset;
            self.buffer.clear();
            self.state = State::Filling;
        }
        if self.state == State::Filling {
            let offset = self.base;
            let Poll::Ready(filled) = self.supply.poll_read(cx, offset, &mut self.buffer) else {
                return None;
            };
            self.state = match filled {
                Ok(true) => State::AtEnd,
                Ok(false) => State::Flowing,
                Err(_) => State::Failed,
            };
        }
        let at = usize::try_from(offset.saturating_sub(self.base));
        let rest = at.ok().and_then(|at| self.buffer.get(at..));
        let rest = rest.unwrap_or_default();
        match self.state {
            State::Filling => None,
            State::Flowing => Some(machine::Body::Chunk(rest)),
            State::AtEnd => Some(machine::Body::Last(rest)),
            State::Failed => Some(machine::Body::Failed),
        }
    }
}

impl Supply {
    /// Reads a chunk, and is ready with whether it was the last.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        offset: u64,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<bool>> {
        match self {
            Self::Reader(reader) => {
                while buffer.len() < CHUNK {
                    let mut space = [0; SPACE];
                    let room = CHUNK.saturating_sub(buffer.len()).min(SPACE);
                    let mut space = ReadBuf::new(space.get_mut(..room).unwrap_or_default());
                    ready!(reader.as_mut().poll_read(cx, &mut space))?;
                    if space.filled().is_empty() {
                        return Poll::Ready(Ok(true));
                    }
                    buffer.extend_from_slice(space.filled());
                }
                Poll::Ready(Ok(false))
            }
            Self::File(window) => {
                *buffer = ready!(window.poll_read(cx, offset))?;
                let end = offset.saturating_add(buffer.len() as u64);
                Poll::Ready(Ok(end == window.size))
            }
            Self::Channel(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Piece::Bytes(bytes)) => {
                    *buffer = bytes;
                    Poll::Ready(Ok(false))
                }
                Some(Piece::End) => Poll::Ready(Ok(true)),
                // It was dropped, and not finished.
                None => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            },
        }
    }
}

impl Window {
    fn poll_read(&mut self, cx: &mut Context<'_>, offset: u64) -> Poll<io::Result<Vec<u8>>> {
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(&self.file);
            let rest = self.size.saturating_sub(offset);
            let from = self.start.saturating_add(offset);
            spawn_blocking(move || {
                let mut bytes = vec![0; usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK)];
                read_exact_at(&file, &mut bytes, from)?;
                Ok(bytes)
            })
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.map_err(io::Error::other)?)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset))?;
    io::Read::read_exact(&mut file, buffer)
}

/// Supplies the content of a [`Body::channel`], from another task than the client's.
///
/// [`finish`](Self::finish) says that it is complete. A sender that is dropped without it, by a panic or
/// by a `?`, keeps the message from being sent.
#[derive(Debug)]
pub struct BodySender {
    sender: Sender<Piece>,
}

impl BodySender {
    /// Sends the next bytes. Waits while the client has not used up what was sent before.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the message is not being sent any more.
    pub async fn send(&mut self, bytes: impl Into<Vec<u8>>) -> io::Result<()> {
        match bytes.into() {
            bytes if bytes.is_empty() => Ok(()),
            bytes => self.send_piece(Piece::Bytes(bytes)).await,
        }
    }

    /// Says that the content is complete.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the message is not being sent any more.
    pub async fn finish(self) -> io::Result<()> {
        self.send_piece(Piece::End).await
    }

    async fn send_piece(&self, piece: Piece) -> io::Result<()> {
        let sent = self.sender.send(piece).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::new(Source::Static(bytes), Some(bytes.len() as u64))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::shared(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::shared(text)
    }
}

impl From<Cow<'static, [u8]>> for Body {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::shared(bytes)
    }
}

/// From where it is to its end.
impl From<File> for Body {
    fn from(mut file: File) -> Self {
        // One whose size cannot be known cannot be read, either: it fails when its turn comes.
        let start = file.stream_position().unwrap_or_default();
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let size = length.saturating_sub(start);
        let window = Window {
            file: Arc::new(file),
            start,
            size,
            reading: None,
        };
        Self::streamed(Supply::File(window), Some(size))
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
