//! What a driver needs of whatever carries its bytes.

use core::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use std::io::{self, IoSlice};

use crate::machine::TlsInfo;

/// Carries bytes in both directions, first in clear and maybe through TLS, and knows the time.
///
/// Times are those since it was established; [`Duration::MAX`] never comes.
pub trait Wire {
    /// What does TLS.
    type Tls: fmt::Debug;

    /// Returns the time.
    fn now(&self) -> Duration;

    /// Reads once; no bytes are the end. What blocks waits for the first byte until then, or for less:
    /// not at all if that is past.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        until: Duration,
    ) -> Poll<io::Result<usize>>;

    /// Waits until reads find all that has arrived.
    fn poll_arrived(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Writes once, as much as is taken. What blocks has the other direction go on after a moment.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Has all leave that was written.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more comes.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Goes on with a TLS handshake, which begins with the first call; what blocks, until then.
    fn poll_handshake(
        &mut self,
        tls: &Self::Tls,
        cx: &mut Context<'_>,
        until: Duration,
    ) -> Poll<io::Result<TlsInfo>>;

    /// Lets go of what it leads over: nothing passes any more.
    fn hang_up(&mut self);

    /// Waits for a time after everything else was pending. What blocks waits for it only if nothing else
    /// has waited, and maybe not for all of it.
    fn poll_until(&mut self, cx: &mut Context<'_>, until: Duration) -> Poll<()>;
}
