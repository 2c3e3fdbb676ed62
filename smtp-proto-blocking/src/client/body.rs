//! Where a message's content comes from.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    task::{Context, Poll, Waker},
};

use smtp_proto::{
    client,
    delivery::{self, Content},
};

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
#[derive(Debug)]
pub struct Body(pub(super) Content<Supply>);

impl Body {
    /// Takes memory of any kind, which is never copied.
    pub fn shared(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Content::shared(bytes))
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
        Self(Content::supplied(Supply::Reader(Box::new(reader))))
    }

    /// Creates a content that comes in pieces from another thread, which has to say that it is complete:
    /// see [`BodySender`].
    pub fn channel() -> (BodySender, Self) {
        let (sender, receiver) = sync_channel(PIECES);
        let content = Content::supplied(Supply::Channel(receiver));
        (BodySender { sender }, Self(content))
    }

    /// Puts contents together, one after the other. They are never joined in memory.
    pub fn from_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(Content::from_parts(parts.into_iter().map(|part| part.0)))
    }

    /// Declares how many bytes it has.
    #[must_use]
    pub fn with_size(self, bytes: u64) -> Self {
        Self(self.0.with_size(bytes))
    }

    /// Returns how many bytes it has, if that is known.
    pub fn size(&self) -> Option<u64> {
        self.0.size()
    }

    /// Returns what there is from an offset on, and waits for that.
    pub(super) fn present(&mut self, offset: u64) -> Option<client::Body<'_>> {
        self.0.poll(offset, &mut Context::from_waker(Waker::noop()))
    }
}

/// Of memory of any kind, and of a file from where it is to its end.
impl<T: Into<Content<Supply>>> From<T> for Body {
    fn from(content: T) -> Self {
        Self(content.into())
    }
}

/// What a content is read from.
pub(super) enum Supply {
    Reader(Box<dyn Read + Send>),
    /// From where in the file on, and how many bytes.
    File(File, u64, u64),
    Channel(Receiver<Piece>),
}

pub(super) enum Piece {
    Bytes(Vec<u8>),
    End,
}

impl delivery::Supply for Supply {
    fn size(&self) -> Option<u64> {
        match self {
            Self::File(.., size) => Some(*size),
            Self::Reader(_) | Self::Channel(_) => None,
        }
    }

    fn can_seek(&self) -> bool {
        matches!(self, Self::File(..))
    }

    fn poll_read(
        &mut self,
        offset: u64,
        buffer: &mut Vec<u8>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        Poll::Ready(match self {
            Self::Reader(reader) => {
                let read = reader.by_ref().take(CHUNK as u64).read_to_end(buffer);
                read.map(|bytes| bytes < CHUNK)
            }
            Self::File(file, start, size) => {
                let rest = size.saturating_sub(offset);
                let take = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
                buffer.resize(take, 0);
                let read = read_exact_at(file, buffer, start.saturating_add(offset));
                read.map(|()| take as u64 == rest)
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
        })
    }
}

/// What is no regular file is a reader: its size cannot be known.
impl From<File> for Supply {
    fn from(mut file: File) -> Self {
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file);
        match (length, file.stream_position()) {
            (Some(metadata), Ok(start)) => {
                let size = metadata.len().saturating_sub(start);
                Self::File(file, start, size)
            }
            _ => Self::Reader(Box::new(file)),
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
