//! Where a message's content comes from.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::mpsc::{Receiver, SyncSender as Sender, sync_channel as channel},
    task::{Context, Poll},
};

use smtp_proto::delivery::{self, Extent};

smtp_proto::body! {
    /// ```
    /// use smtp_proto_blocking::Body;
    ///
    /// let text = Body::from("Subject: hello\r\n\r\nHello.\r\n");
    /// let message = String::from("Subject: hello\r\n\r\nHello.\r\n");
    /// let (copied, owned) = (Body::from(&message), Body::from(message));
    /// let shared = Body::shared(vec![0x20; 10]);
    /// let whole = Body::from_parts([Body::from("Received: here\r\n"), text]);
    /// assert_eq!(whole.size(), Some(42));
    /// let streamed = Body::reader(std::io::empty());
    /// ```
}

impl Body {
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
}

/// What a content is read from.
pub(super) enum Supply {
    Reader(Box<dyn Read + Send>),
    File(File, Extent),
    Channel(Receiver<Piece>),
}

impl delivery::Supply for Supply {
    fn size(&self) -> Option<u64> {
        match self {
            Self::File(_, extent) => Some(extent.size()),
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
            Self::File(file, extent) => extent.read(file, offset, CHUNK, buffer),
            Self::Channel(pieces) => match pieces.recv() {
                Ok(Piece::Bytes(bytes)) => {
                    *buffer = bytes;
                    Ok(false)
                }
                Ok(Piece::End) => Ok(true),
                Err(_) => Err(unfinished()),
            },
        })
    }
}

/// One whose size cannot be known is a reader.
impl From<File> for Supply {
    fn from(file: File) -> Self {
        match Extent::of(&file) {
            Some(extent) => Self::File(file, extent),
            None => Self::Reader(Box::new(file)),
        }
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
