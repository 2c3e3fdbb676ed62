//! Where a message's content comes from.

use std::{
    fs::File,
    future::Future,
    io::{self, Seek},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::{client, delivery};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc::{Receiver, Sender, channel},
    task::{JoinHandle, spawn_blocking},
};

/// How much is read at once from a reader.
const SPACE: usize = 8 * 1024;
smtp_proto::body! {
    async.await
    /// ```
    /// use smtp_proto_tokio::Body;
    ///
    /// let text = Body::from("Subject: hello\r\n\r\nHello.\r\n");
    /// let shared = Body::shared(vec![0x20; 10]);
    /// let whole = Body::from_parts([Body::from("Received: here\r\n"), text]);
    /// assert_eq!(whole.size(), Some(42));
    /// let streamed = Body::reader(tokio::io::empty());
    /// ```
}

impl Body {
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
        Self(Content::supplied(Supply::Reader(Box::pin(reader))))
    }

    /// Returns what there is from an offset on; `None` if that has to be waited for.
    pub(super) fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<client::Body<'_>> {
        self.0.poll(offset, cx)
    }
}

/// What a content is read from.
pub(super) enum Supply {
    Reader(Pin<Box<dyn AsyncRead + Send>>),
    File(Window),
    Channel(Receiver<Piece>),
}

/// A file, which a thread reads.
pub(super) struct Window {
    file: Arc<File>,
    start: u64,
    size: u64,
    /// From where on, and what becomes of it.
    reading: Option<(u64, JoinHandle<io::Result<Vec<u8>>>)>,
}

impl delivery::Supply for Supply {
    fn size(&self) -> Option<u64> {
        match self {
            Self::File(window) => Some(window.size),
            Self::Reader(_) | Self::Channel(_) => None,
        }
    }

    fn can_seek(&self) -> bool {
        matches!(self, Self::File(_))
    }

    fn poll_read(
        &mut self,
        offset: u64,
        buffer: &mut Vec<u8>,
        cx: &mut Context<'_>,
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
        // What was begun elsewhere is of no use any more.
        self.reading.take_if(|reading| reading.0 != offset);
        let (_, reading) = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(&self.file);
            let rest = self.size.saturating_sub(offset);
            let from = self.start.saturating_add(offset);
            let read = move || {
                let mut bytes = vec![0; usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK)];
                read_exact_at(&file, &mut bytes, from)?;
                Ok(bytes)
            };
            (offset, spawn_blocking(read))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.map_err(io::Error::other)?)
    }
}

/// One whose size cannot be known cannot be read, either: it fails when its turn comes.
impl From<File> for Supply {
    fn from(mut file: File) -> Self {
        let start = file.stream_position().unwrap_or_default();
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        Self::File(Window {
            file: Arc::new(file),
            start,
            size: length.saturating_sub(start),
            reading: None,
        })
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
