//! What a message's content is held in, or comes from: memory, parts, or what an adapter reads.

use alloc::{borrow::Cow, boxed::Box, format, string::String, sync::Arc, vec::Vec};
use core::{
    fmt,
    task::{Context, Poll},
};
use std::{fs::File, io};

use crate::client::{Body, BodyError};

/// Supplies a content that is not in memory: a file, a reader, a channel.
pub trait Supply {
    /// Returns how many bytes it has, if that is known.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Returns whether it can be read again from any offset.
    fn can_seek(&self) -> bool;

    /// Reads what comes from `offset` on to the end of an empty buffer, or of what it has left there
    /// when it was pending, and returns whether that was the last.
    ///
    /// Offsets follow each other, unless it [can seek](Self::can_seek).
    ///
    /// # Errors
    ///
    /// Why there is no more. The message is then not sent, and its [report](super::Report) has it: see
    /// [`NotSent`](crate::client::NotSent).
    fn poll_read(
        &mut self,
        offset: u64,
        buffer: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>>;
}

/// Holds the content of a message, or what it is read from: what both adapters' `Body` is made of.
///
/// What is in memory is not copied, unless it is only lent, and can be presented again; so can what a
/// [`Supply`] can seek in.
/// A content that turns out shorter or longer than its size fails.
pub struct Content<S> {
    source: Source<S>,
    size: Option<u64>,
    /// How it has turned out shorter or longer.
    misfit: Option<BodyError>,
}

enum Source<S> {
    Static(&'static [u8]),
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>),
    Parts(ContentParts<S>),
    Supplied(Box<Supplied<S>>),
}

impl<S: Supply> Content<S> {
    /// Takes memory of any kind.
    pub fn shared(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let size = bytes.as_ref().len() as u64;
        Self::new(Source::Shared(Arc::new(bytes)), Some(size))
    }

    /// Takes what is read while it is sent.
    pub fn supplied(supply: S) -> Self {
        let size = supply.size();
        Self::new(Source::Supplied(Box::new(Supplied::new(supply))), size)
    }

    /// Puts contents together, one after the other. They are never joined in memory.
    pub fn from_parts(parts: impl Iterator<Item = Self>) -> Self {
        let parts: Vec<_> = parts.collect();
        let size = parts.iter().map(Self::size).sum();
        Self::new(Source::Parts(ContentParts::new(parts)), size)
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

    /// Returns whether it can be presented from its beginning.
    pub fn can_begin_again(&self) -> bool {
        match &self.source {
            Source::Static(_) | Source::Shared(_) => true,
            Source::Parts(parts) => parts.all.iter().all(Self::can_begin_again),
            Source::Supplied(supplied) => supplied.can_begin_again(),
        }
    }

    /// Returns what there is from `offset` on; `None` if that has to be waited for.
    pub fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<Body<'_>> {
        let presented = self.source.poll(offset, cx)?;
        let (bytes, is_last) = match presented {
            Body::Chunk(bytes) => (bytes, false),
            Body::Last(bytes) => (bytes, true),
            Body::Failed(_) => return Some(presented),
        };
        // The server was told, and half a message must not pass for a whole one.
        let end = offset.saturating_add(bytes.len() as u64);
        let (kind, words) = match self.size {
            Some(size) if end > size => (
                io::ErrorKind::InvalidData,
                format!("it has more than the {size} bytes that were declared"),
            ),
            Some(size) if is_last && end < size => (
                io::ErrorKind::UnexpectedEof,
                format!("it has {end} bytes of the {size} that were declared"),
            ),
            _ => return Some(presented),
        };
        let misfit = BodyError::new(io::Error::new(kind, words));
        Some(Body::Failed(Some(self.misfit.insert(misfit))))
    }

    fn new(source: Source<S>, size: Option<u64>) -> Self {
        let misfit = None;
        Self {
            source,
            size,
            misfit,
        }
    }
}

impl<S: Supply> Source<S> {
    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<Body<'_>> {
        let bytes: &[u8] = match self {
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => (**bytes).as_ref(),
            Self::Parts(parts) => return parts.poll(offset, cx),
            Self::Supplied(supplied) => return supplied.poll(offset, cx),
        };
        let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
        Some(rest.map_or(Body::Failed(None), Body::Last))
    }
}

/// Contents one after the other.
struct ContentParts<S> {
    all: Vec<Content<S>>,
    /// The one that is being presented.
    current: usize,
    /// Where it begins.
    start: u64,
}

impl<S: Supply> ContentParts<S> {
    fn new(all: Vec<Content<S>>) -> Self {
        let (current, start) = (0, 0);
        Self {
            all,
            current,
            start,
        }
    }

    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<Body<'_>> {
        if offset < self.start {
            (self.current, self.start) = (0, 0);
        }
        let last = self.all.len().saturating_sub(1);
        while self.current < last
            && let Some(part) = self.all.get_mut(self.current)
            && let Body::Last([]) = part.poll(offset.saturating_sub(self.start), cx)?
        {
            self.current += 1;
            self.start = offset;
        }
        let is_last = self.current == last;
        Some(match self.all.get_mut(self.current) {
            Some(part) => match part.poll(offset.saturating_sub(self.start), cx)? {
                Body::Last(bytes) if !is_last => Body::Chunk(bytes),
                presented => presented,
            },
            None => Body::Last(&[]),
        })
    }
}

/// A content of which a part is in memory.
struct Supplied<S> {
    supply: S,
    buffer: Vec<u8>,
    /// Where in the content the buffer begins.
    base: u64,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    /// More is to be read before anything is presented.
    Filling,
    Flowing,
    AtEnd,
    Failed(BodyError),
}

impl<S: Supply> Supplied<S> {
    fn new(supply: S) -> Self {
        Self {
            supply,
            buffer: Vec::new(),
            base: 0,
            state: State::Filling,
        }
    }

    fn can_begin_again(&self) -> bool {
        let has_failed = matches!(self.state, State::Failed(_));
        self.supply.can_seek() || self.base == 0 && !has_failed
    }

    fn poll(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<Body<'_>> {
        let end = self.base.saturating_add(self.buffer.len() as u64);
        let is_used_up = offset == end && self.state == State::Flowing;
        let is_elsewhere = !(self.base..=end).contains(&offset);
        if is_elsewhere && !self.supply.can_seek() {
            self.state = State::Failed(BodyError::new("it cannot be read twice"));
        } else if is_elsewhere || is_used_up {
            self.base = offset;
            self.buffer.clear();
            self.state = State::Filling;
        }
        if self.state == State::Filling {
            self.state = match self.supply.poll_read(self.base, &mut self.buffer, cx) {
                Poll::Ready(Ok(true)) => State::AtEnd,
                Poll::Ready(Ok(false)) => State::Flowing,
                Poll::Ready(Err(error)) => State::Failed(BodyError::new(error)),
                Poll::Pending => return None,
            };
        }
        let at = usize::try_from(offset.saturating_sub(self.base));
        let rest = at.ok().and_then(|at| self.buffer.get(at..));
        let rest = rest.unwrap_or_default();
        Some(match &self.state {
            State::Filling | State::Flowing => Body::Chunk(rest),
            State::AtEnd => Body::Last(rest),
            State::Failed(why) => Body::Failed(Some(why)),
        })
    }
}

impl<S: Supply> From<&'static [u8]> for Content<S> {
    fn from(bytes: &'static [u8]) -> Self {
        Self::new(Source::Static(bytes), Some(bytes.len() as u64))
    }
}

impl<S: Supply, const N: usize> From<&'static [u8; N]> for Content<S> {
    fn from(bytes: &'static [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl<S: Supply> From<&'static str> for Content<S> {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

/// Takes over memory that is a content's own.
macro_rules! owned {
    ($($memory:ty)*) => {$(
        impl<S: Supply> From<$memory> for Content<S> {
            fn from(memory: $memory) -> Self {
                Self::shared(memory)
            }
        }
    )*};
}

owned! { Vec<u8> String Box<[u8]> }

impl<S: Supply, const N: usize> From<[u8; N]> for Content<S> {
    fn from(bytes: [u8; N]) -> Self {
        Self::shared(bytes)
    }
}

impl<S: Supply> From<Box<str>> for Content<S> {
    fn from(text: Box<str>) -> Self {
        text.into_boxed_bytes().into()
    }
}

impl<S: Supply, T: AsRef<[u8]> + Send + Sync + ?Sized + 'static> From<Arc<T>> for Content<S> {
    fn from(memory: Arc<T>) -> Self {
        Self::shared(Held(memory))
    }
}

/// Memory that is held together with others.
struct Held<T: ?Sized>(Arc<T>);

impl<T: AsRef<[u8]> + ?Sized> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Copies what is only lent: a content may outlast it.
impl<S: Supply> From<&Vec<u8>> for Content<S> {
    fn from(bytes: &Vec<u8>) -> Self {
        bytes.clone().into()
    }
}

/// Copies what is only lent: a content may outlast it.
impl<S: Supply> From<&String> for Content<S> {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl<S: Supply> From<Cow<'static, [u8]>> for Content<S> {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl<S: Supply> From<Cow<'static, str>> for Content<S> {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Of a supply that reads files.
impl<S: Supply + From<File>> From<File> for Content<S> {
    fn from(file: File) -> Self {
        Self::supplied(file.into())
    }
}

impl<S: Supply> fmt::Debug for Content<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size() {
            Some(size) => write!(f, "Body({size} bytes)"),
            None => f.write_str("Body(streamed)"),
        }
    }
}
