//! Where a message's content comes from.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{self, Read, Seek, Write},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use smtp_proto::client as machine;

/// How many bytes of a content that is not in memory are read ahead, and so the size of its chunks.
const CHUNK: usize = 64 * 1024;
/// How many pieces a channel holds.
const PIECES: usize = 4;

/// Holds the content of a message, or whatever it is read from.
///
/// Lines end in CR LF, dots are not stuffed. Memory of any kind converts into it, and so does a file.
/// Where its size is known it is declared to the server (RFC 1870), and a content that turns out shorter
/// or longer is not sent.
///
/// ```
/// use smtp_proto_blocking::Body;
///
/// let text = Body::from("Subject: hello\r\n\r\nHello.\r\n");
/// let shared = Body::shared(vec![0x20; 10]);
/// let whole = Body::from_parts([Body::from("Received: here\r\n"), text]);
/// assert_eq!(whole.size(), Some(42));
/// let streamed = Body::reader(std::io::empty());
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
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        File::open(path).map(Self::from)
    }

    /// Takes a content that is read while it is sent, 64 KiB at a time.
    ///
    /// Replies are not read while the reader keeps the client waiting. Such a content can be sent
    /// only once. Its end is the end of the message: where a reader may end early, say how much it has
    /// to yield by [`with_size`](Self::with_size).
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::streamed(Supply::Reader(Box::new(reader)), None)
    }

    /// Creates a content that comes in pieces from another thread, which has to say that it is complete:
    /// see [`BodySender`].
    pub fn channel() -> (BodySender, Self) {
        let (sender, receiver) = sync_channel(PIECES);
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
        let (buffer, base, state) = (Vec::new(), 0, State::Flowing);
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

    /// Returns what there is from `offset` on.
    pub(super) fn present(&mut self, offset: u64) -> machine::Body<'_> {
        let presented = self.source.present(offset);
        let (bytes, is_last) = match presented {
            machine::Body::Chunk(bytes) => (bytes, false),
            machine::Body::Last(bytes) => (bytes, true),
            machine::Body::Failed => return presented,
        };
        // The server was told, and half a message must not pass for a whole one.
        let end = offset.saturating_add(bytes.len() as u64);
        match self.size {
            Some(size) if end > size || is_last && end < size => machine::Body::Failed,
            _ => presented,
        }
    }
}

impl Source {
    fn present(&mut self, offset: u64) -> machine::Body<'_> {
        let bytes: &[u8] = match self {
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => (**bytes).as_ref(),
            Self::Parts(parts) => return parts.present(offset),
            Self::Streamed(streamed) => return streamed.present(offset),
        };
        match usize::try_from(offset).ok().and_then(|at| bytes.get(at..)) {
            Some(rest) => machine::Body::Last(rest),
            None => machine::Body::Failed,
        }
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
    fn present(&mut self, offset: u64) -> machine::Body<'_> {
        if offset < self.start {
            (self.current, self.start) = (0, 0);
        }
        let last = self.parts.len().saturating_sub(1);
        while self.current < last
            && let Some(part) = self.parts.get_mut(self.current)
            && let machine::Body::Last([]) = part.present(offset.saturating_sub(self.start))
        {
            self.current += 1;
            self.start = offset;
        }
        let is_last = self.current == last;
        match self.parts.get_mut(self.current) {
            Some(part) => match part.present(offset.saturating_sub(self.start)) {
                machine::Body::Last(bytes) if !is_last => machine::Body::Chunk(bytes),
                presented => presented,
            },
            None => machine::Body::Last(&[]),
        }
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
    Reader(Box<dyn Read + Send>),
    /// From where in the file on, and how many bytes.
    File(File, u64, u64),
    Channel(Receiver<Piece>),
}

enum Piece {
    Bytes(Vec<u8>),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    AtEnd,
    Failed,
}

impl Streamed {
    fn can_begin_again(&self) -> bool {
        let is_in_buffer = self.base == 0 && self.state != State::Failed;
        matches!(self.supply, Supply::File(..)) || is_in_buffer
    }

    fn present(&mut self, offset: u64) -> machine::Body<'_> {
        let end = self.base.saturating_add(self.buffer.len() as u64);
        if !(self.base..=end).contains(&offset) {
            match self.supply {
                Supply::File(..) => self.fill(offset),
                // It cannot be read twice.
                Supply::Reader(_) | Supply::Channel(_) => self.state = State::Failed,
            }
        } else if offset == end && self.state == State::Flowing {
            self.fill(offset);
        }
        let at = usize::try_from(offset.saturating_sub(self.base));
        let rest = at.ok().and_then(|at| self.buffer.get(at..));
        let rest = rest.unwrap_or_default();
        match self.state {
            State::Flowing => machine::Body::Chunk(rest),
            State::AtEnd => machine::Body::Last(rest),
            State::Failed => machine::Body::Failed,
        }
    }

    /// Reads what comes from `offset` on.
    fn fill(&mut self, offset: u64) {
        self.base = offset;
        self.buffer.clear();
        self.state = match self.supply.read(offset, &mut self.buffer) {
            Ok(true) => State::AtEnd,
            Ok(false) => State::Flowing,
            Err(_) => State::Failed,
        };
    }
}

impl Supply {
    /// Reads a chunk, and returns whether it was the last.
    fn read(&mut self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Self::Reader(reader) => {
                let read = reader.by_ref().take(CHUNK as u64).read_to_end(buffer)?;
                Ok(read < CHUNK)
            }
            Self::File(file, start, size) => {
                let rest = size.saturating_sub(offset);
                let take = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
                buffer.resize(take, 0);
                read_exact_at(file, buffer, start.saturating_add(offset))?;
                Ok(take as u64 == rest)
            }
            Self::Channel(pieces) => match pieces.recv() {
                Ok(Piece::Bytes(bytes)) => {
                    *buffer = bytes;
                    Ok(false)
                }
                Ok(Piece::End) => Ok(true),
                // It was dropped, and not finished.
                Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

/// Supplies the content of a [`Body::channel`], from another thread than the client's.
///
/// [`finish`](Self::finish) says that it is complete. A sender that is dropped without it, by a panic or
/// by a `?`, keeps the message from being sent.
#[derive(Debug)]
pub struct BodySender {
    sender: SyncSender<Piece>,
}

impl BodySender {
    /// Sends the next bytes. Waits while the client has not used up what was sent before.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the message is not being sent any more.
    pub fn send(&mut self, bytes: impl Into<Vec<u8>>) -> io::Result<()> {
        match bytes.into() {
            bytes if bytes.is_empty() => Ok(()),
            bytes => self.send_piece(Piece::Bytes(bytes)),
        }
    }

    /// Says that the content is complete.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the message is not being sent any more.
    pub fn finish(self) -> io::Result<()> {
        self.send_piece(Piece::End)
    }

    fn send_piece(&self, piece: Piece) -> io::Result<()> {
        let sent = self.sender.send(piece);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for BodySender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

/// From where it is to its end, if it is a regular file; what else can be opened is a
/// [reader](Body::reader).
impl From<File> for Body {
    fn from(mut file: File) -> Self {
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file);
        let start = file.stream_position();
        match (length, start) {
            (Some(metadata), Ok(start)) => {
                let size = metadata.len().saturating_sub(start);
                Self::streamed(Supply::File(file, start, size), Some(size))
            }
            _ => Self::reader(file),
        }
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
