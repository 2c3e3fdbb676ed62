//! A socket as the drivers see it, with a clock and an alarm.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::driver;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::yield_now,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    Socket, TlsInfo,
    tls::{Begun, Tls},
};

/// A socket, and the time since it was established.
pub(crate) struct Wire {
    /// What carries the session; nothing does during a handshake, nor after one that failed.
    pub(crate) socket: Option<Socket>,
    /// When the machine's time began.
    pub(crate) origin: Instant,
    handshaking: Option<Begun>,
    alarm: Option<Pin<Box<Sleep>>>,
    yielding: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl Wire {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket: Some(socket),
            origin: Instant::now(),
            handshaking: None,
            alarm: None,
            yielding: None,
        }
    }

    /// Returns what carries the session now.
    fn carrier(&mut self) -> io::Result<Pin<&mut Socket>> {
        let socket = self.socket.as_mut().map(Pin::new);
        socket.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl driver::Wire for Wire {
    type Tls = Tls;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        _: Duration,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(self.carrier()?.poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// What has arrived since its task was last woken the runtime may not know yet.
    fn poll_arrived(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let yielding = self.yielding.get_or_insert_with(|| Box::pin(yield_now()));
        ready!(yielding.as_mut().poll(cx));
        self.yielding = None;
        Poll::Ready(())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.carrier()?.poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier()?.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier()?.poll_shutdown(cx)
    }

    fn poll_handshake(
        &mut self,
        tls: &Tls,
        cx: &mut Context<'_>,
        _: Duration,
    ) -> Poll<io::Result<TlsInfo>> {
        if let Some(socket) = self.socket.take() {
            self.handshaking = Some(tls.begin(Box::new(socket)));
        }
        let Some(handshaking) = &mut self.handshaking else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let secured = ready!(handshaking.as_mut().poll(cx));
        self.handshaking = None;
        let (link, info) = secured?;
        self.socket = Some(Socket::Other(link));
        Poll::Ready(Ok(info))
    }

    fn hang_up(&mut self) {
        self.socket = None;
    }

    /// Deadlines move back at nearly every reply. Then the alarm is left alone, and moved only when it
    /// goes off too early: most never do.
    fn poll_until(&mut self, cx: &mut Context<'_>, until: Duration) -> Poll<()> {
        let Some(at) = self.origin.checked_add(until) else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < alarm.deadline() {
            alarm.as_mut().reset(at);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(at);
        }
        Poll::Pending
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.socket).finish()
    }
}
