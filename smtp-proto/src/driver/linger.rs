//! The last that is done with a connection.

use core::{
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{endpoint::Endpoint, wire::Wire};

/// How long a client may take to notice that the connection is being closed.
const TIME: Duration = Duration::from_secs(1);
/// How many bytes it may still send.
const BYTES: usize = 256 * 1024;

/// Says that nothing more comes, and reads on for a little while: a connection that is closed with bytes
/// unread is reset, and what was sent last may be lost with it.
pub(super) struct Linger {
    until: Duration,
    bytes_left: usize,
    is_shut: bool,
}

impl Linger {
    pub(super) fn begin(now: Duration) -> Self {
        Self {
            until: now.saturating_add(TIME),
            bytes_left: BYTES,
            is_shut: false,
        }
    }

    /// Begins after a client has taken its leave, which sends nothing more.
    pub(super) fn after_quit(now: Duration) -> Self {
        let bytes_left = 0;
        Self {
            bytes_left,
            ..Self::begin(now)
        }
    }

    /// Is ready once the peer has closed, too, or has had enough time.
    pub(super) fn poll(
        &mut self,
        endpoint: &mut Endpoint<impl Wire>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.poll_end(endpoint, cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => endpoint.poll_until(cx, self.until),
        }
    }

    fn poll_end(&mut self, endpoint: &mut Endpoint<impl Wire>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_shut {
            if ready!(endpoint.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.is_shut = true;
        }
        while self.bytes_left > 0 {
            match ready!(endpoint.poll_discard(cx, self.until)) {
                0 => break,
                bytes => self.bytes_left = self.bytes_left.saturating_sub(bytes),
            }
        }
        Poll::Ready(())
    }
}
