//! Where a message's content comes from.

use std::{
    fs::File,
    future::Future,
    io::{self, Read},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::delivery::{self, Extent};
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
    /// let message = String::from("Subject: hello\r\n\r\nHello.\r\n");
    /// let (copied, owned) = (Body::from(&message), Body::from(message));
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
    /// Without one it can be read only once.
    extent: Option<Extent>,
    /// From where on, and what becomes of it.
    reading: Option<(u64, JoinHandle<io::Result<Portion>>)>,
}

/// What was read of a file, and whether it ends with that.
type Portion = (Vec<u8>, bool);

impl delivery::Supply for Supply {
    fn size(&self) -> Option<u64> {
        match self {
            Self::File(window) => window.extent.as_ref().map(Extent::size),
            Self::Reader(_) | Self::Channel(_) => None,
        }
    }

    fn can_seek(&self) -> bool {
        self.size().is_some()
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
                let (bytes, is_last) = ready!(window.poll_read(cx, offset))?;
                *buffer = bytes;
                Poll::Ready(Ok(is_last))
            }
            Self::Channel(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Piece::Bytes(bytes)) => {
                    *buffer = bytes;
                    Poll::Ready(Ok(false))
                }
                Some(Piece::End) => Poll::Ready(Ok(true)),
                None => Poll::Ready(Err(unfinished())),
            },
        }
    }
}

impl Window {
    fn poll_read(&mut self, cx: &mut Context<'_>, offset: u64) -> Poll<io::Result<Portion>> {
        // What was begun elsewhere is of no use any more.
        self.reading.take_if(|reading| reading.0 != offset);
        let (_, reading) = self.reading.get_or_insert_with(|| {
            let (file, extent) = (Arc::clone(&self.file), self.extent);
            let read = move || {
                let mut bytes = Vec::new();
                let is_last = match extent {
                    Some(extent) => extent.read(&file, offset, CHUNK, &mut bytes)?,
                    None => (&*file).take(CHUNK as u64).read_to_end(&mut bytes)? < CHUNK,
                };
                Ok((bytes, is_last))
            };
            (offset, spawn_blocking(read))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.map_err(io::Error::other)?)
    }
}

impl From<File> for Supply {
    fn from(file: File) -> Self {
        let extent = Extent::of(&file);
        Self::File(Window {
            file: Arc::new(file),
            extent,
            reading: None,
        })
    }
}
