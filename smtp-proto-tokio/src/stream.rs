//! The bytes of a connection, in clear or through TLS.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    TlsInfo,
    tls::{Begin, Handshaking, Link},
};

/// A stream that becomes one over TLS when its session comes to that.
pub struct Stream<S>(State<S>);

enum State<S> {
    Clear(S, Option<Begin<S>>),
    Handshake(Handshaking),
    Encrypted(Link, Box<TlsInfo>),
    Failed,
}

impl<S> Stream<S> {
    pub(crate) fn new(stream: S, tls: Option<Begin<S>>) -> Self {
        Self(State::Clear(stream, tls))
    }

    /// Returns the stream itself; `None` once TLS has begun, which owns it then.
    pub fn get_ref(&self) -> Option<&S> {
        match &self.0 {
            State::Clear(stream, _) => Some(stream),
            _ => None,
        }
    }

    /// Returns what the handshake came to; `None` in clear.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match &self.0 {
            State::Encrypted(_, info) => Some((**info).clone()),
            _ => None,
        }
    }

    /// Goes on with the handshake, which begins with the first call.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing leaves in clear from here on.
        let mut handshaking = match std::mem::replace(&mut self.0, State::Failed) {
            State::Clear(stream, Some(begin)) => begin(stream),
            State::Handshake(handshaking) => handshaking,
            _ => return Poll::Ready(Err(unavailable())),
        };
        match handshaking.as_mut().poll(cx) {
            Poll::Pending => {
                self.0 = State::Handshake(handshaking);
                Poll::Pending
            }
            Poll::Ready(result) => {
                let (link, info) = result?;
                self.0 = State::Encrypted(link, Box::new(info));
                Poll::Ready(Ok(()))
            }
        }
    }
}

fn unavailable() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given",
    )
}

/// Whatever carries the session now.
trait Carrier: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier for S {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Does so with what carries the session now. Nothing does during a handshake, nor after one that
    /// failed.
    fn poll_with<R>(
        &mut self,
        call: impl FnOnce(Pin<&mut dyn Carrier>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match &mut self.0 {
            State::Clear(stream, _) => call(Pin::new(stream)),
            State::Encrypted(link, _) => call(Pin::new(link)),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_with(|it| it.poll_read(cx, buffer))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(|it| it.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(|it| it.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            State::Clear(stream, _) => stream.is_write_vectored(),
            State::Encrypted(link, _) => link.is_write_vectored(),
            _ => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(|it| it.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(|it| it.poll_shutdown(cx))
    }
}

/// Shows no more than the state: what is below holds keys.
impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Clear(..) => "Stream(clear)",
            State::Handshake(_) => "Stream(handshake)",
            State::Encrypted(..) => "Stream(encrypted)",
            State::Failed => "Stream(failed)",
        })
    }
}
