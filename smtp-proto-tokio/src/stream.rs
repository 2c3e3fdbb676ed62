//! The bytes of a connection, in clear or through TLS.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "rustls")]
use {
    std::task::ready,
    tokio_rustls::{FallibleAccept, FallibleConnect, TlsStream},
};

use crate::TlsInfo;
#[cfg(feature = "rustls")]
use crate::tls::{self, TlsAcceptor, TlsConnector};

/// A stream that becomes one over TLS when its session comes to that.
pub struct Stream<S>(State<S>);

enum State<S> {
    Clear(S),
    #[cfg(feature = "rustls")]
    Connecting(Box<FallibleConnect<S>>),
    #[cfg(feature = "rustls")]
    Accepting(Box<FallibleAccept<S>>),
    #[cfg(feature = "rustls")]
    Encrypted(Box<TlsStream<S>>, Box<TlsInfo>),
    /// The handshake failed: nothing may be written any more.
    #[cfg(feature = "rustls")]
    Failed(Option<S>),
}

/// What does the handshake, if there is anything.
#[derive(Clone, Debug, Default)]
pub(crate) enum Handshake {
    #[default]
    Unavailable,
    #[cfg(feature = "rustls")]
    Connect(TlsConnector),
    #[cfg(feature = "rustls")]
    Accept(TlsAcceptor),
}

#[cfg(feature = "rustls")]
impl Handshake {
    /// Returns what it came to.
    fn info<S>(&self, stream: &TlsStream<S>) -> TlsInfo {
        match (self, stream) {
            (Self::Connect(connector), TlsStream::Client(stream)) => {
                connector.info(stream.get_ref().1)
            }
            (Self::Accept(acceptor), TlsStream::Server(stream)) => {
                acceptor.info(stream.get_ref().1)
            }
            _ => TlsInfo::default(),
        }
    }
}

impl<S> Stream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(State::Clear(stream))
    }

    /// Returns what is below TLS; `None` while a handshake is under way.
    pub fn get_ref(&self) -> Option<&S> {
        match &self.0 {
            State::Clear(stream) => Some(stream),
            #[cfg(feature = "rustls")]
            State::Connecting(_) | State::Accepting(_) => None,
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Some(stream.get_ref().0),
            #[cfg(feature = "rustls")]
            State::Failed(stream) => stream.as_ref(),
        }
    }

    /// Returns what the handshake came to; `None` in clear.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match &self.0 {
            #[cfg(feature = "rustls")]
            State::Encrypted(_, info) => Some((**info).clone()),
            _ => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Goes on with the handshake, which begins with the first call.
    #[cfg(feature = "rustls")]
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        handshake: &Handshake,
    ) -> Poll<io::Result<()>> {
        self.begin_handshake(handshake)?;
        let result = match &mut self.0 {
            State::Connecting(connecting) => {
                ready!(Pin::new(connecting).poll(cx)).map(TlsStream::from)
            }
            State::Accepting(accepting) => {
                ready!(Pin::new(accepting).poll(cx)).map(TlsStream::from)
            }
            _ => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        Poll::Ready(match result {
            Ok(stream) => {
                let info = handshake.info(&stream);
                self.0 = State::Encrypted(Box::new(stream), Box::new(info));
                Ok(())
            }
            Err((error, stream)) => {
                self.0 = State::Failed(Some(stream));
                Err(error)
            }
        })
    }

    #[cfg(feature = "rustls")]
    fn begin_handshake(&mut self, handshake: &Handshake) -> io::Result<()> {
        let stream = match std::mem::replace(&mut self.0, State::Failed(None)) {
            State::Clear(stream) => stream,
            state => {
                self.0 = state;
                return Ok(());
            }
        };
        self.0 = match handshake {
            Handshake::Connect(connector) => {
                State::Connecting(Box::new(tls::connect(connector, stream)))
            }
            Handshake::Accept(acceptor) => {
                State::Accepting(Box::new(tls::accept(acceptor, stream)))
            }
            Handshake::Unavailable => {
                self.0 = State::Failed(Some(stream));
                return Err(unavailable());
            }
        };
        Ok(())
    }

    /// Fails: nothing here can do a handshake.
    #[cfg(not(feature = "rustls"))]
    pub(crate) fn poll_handshake(
        &mut self,
        _: &mut Context<'_>,
        _: &Handshake,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(unavailable()))
    }
}

fn unavailable() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the configuration asks for TLS, and neither a TlsConnector nor a TlsAcceptor was given",
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "rustls")]
            State::Failed(Some(stream)) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "rustls")]
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// Nothing leaves in clear once a handshake has begun.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "rustls")]
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Pin::new(stream).poll_write_vectored(cx, slices),
            #[cfg(feature = "rustls")]
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            State::Clear(stream) => stream.is_write_vectored(),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => stream.is_write_vectored(),
            #[cfg(feature = "rustls")]
            _ => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "rustls")]
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            State::Encrypted(stream, _) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            State::Failed(Some(stream)) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// Shows no more than the state: what is below holds keys.
impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Clear(_) => "Stream(clear)",
            #[cfg(feature = "rustls")]
            State::Connecting(_) | State::Accepting(_) => "Stream(handshake)",
            #[cfg(feature = "rustls")]
            State::Encrypted(..) => "Stream(encrypted)",
            #[cfg(feature = "rustls")]
            State::Failed(_) => "Stream(failed)",
        })
    }
}
