//! The loop that a client's calls go round.

use core::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{endpoint::Endpoint, wire::Wire};
use crate::{
    client::{Body, Client, Envelope, MessageId},
    delivery::Courier,
    machine::Misuse,
};

/// How long a wire may take to shut down.
const FAREWELL: Duration = Duration::from_secs(1);

/// A content, as a driver wants it.
pub trait Presents {
    /// Returns how many bytes it has, if that is known.
    fn size(&self) -> Option<u64>;

    /// Returns what there is from an offset on; `None` if that has to be waited for.
    fn present(&mut self, offset: u64, cx: &mut Context<'_>) -> Option<Body<'_>>;
}

/// A courier, its end of the connection, and how far they are with each other.
///
/// Whatever a poll does is kept: who polls may stop at any time.
#[derive(Debug)]
pub struct ClientDriver<W: Wire, B> {
    courier: Courier<B>,
    endpoint: Endpoint<W>,
    /// More messages wait in a source.
    is_supplied: bool,
    /// How long a content was waited for.
    waited: Duration,
    /// When the wire has had enough time to shut down.
    farewell: Option<Duration>,
}

impl<W: Wire, B: Presents> ClientDriver<W, B> {
    /// Begins with a wire that was just established.
    pub fn new(wire: W, tls: Option<W::Tls>, courier: Courier<B>) -> Self {
        Self {
            endpoint: Endpoint::new(wire, tls, courier.machine().max_unconsumed()),
            courier,
            is_supplied: false,
            waited: Duration::ZERO,
            farewell: None,
        }
    }

    /// Returns the courier.
    pub fn courier(&self) -> &Courier<B> {
        &self.courier
    }

    /// Returns the courier, for all that waits for nothing.
    pub fn courier_mut(&mut self) -> &mut Courier<B> {
        &mut self.courier
    }

    /// Returns the end of the connection.
    pub fn endpoint(&self) -> &Endpoint<W> {
        &self.endpoint
    }

    /// Gives back what it was made of.
    pub fn into_parts(self) -> (Client, Endpoint<W>) {
        (self.courier.into_machine(), self.endpoint)
    }

    /// Submits a message with its content.
    ///
    /// # Errors
    ///
    /// Those of [`Courier::submit`].
    pub fn submit(&mut self, envelope: Envelope<'_>, body: B) -> Result<MessageId, Misuse> {
        self.courier.submit(envelope, body.size(), body)
    }

    /// Says whether more messages wait in a source: then nothing is written where another should be
    /// submitted before.
    pub(super) fn set_supplied(&mut self, is_supplied: bool) {
        self.is_supplied = is_supplied;
    }

    /// Goes on until there is an answer.
    pub fn poll_wait<R>(
        &mut self,
        answer: &mut impl FnMut(&mut Courier<B>) -> Poll<R>,
        cx: &mut Context<'_>,
    ) -> Poll<R> {
        loop {
            if let Poll::Ready(answer) = answer(&mut self.courier) {
                if self.courier.is_idle() {
                    self.endpoint.shrink();
                }
                return Poll::Ready(answer);
            }
            ready!(self.poll_turn(cx));
        }
    }

    /// Goes round once: events, writes, and a read unless there is news. Is pending only when nothing can
    /// be done.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.courier.wants_look() {
            // It may have brought what is waited for.
            return self.poll_look(cx);
        }
        let has_news = self.receive();
        let _ = self.poll_write(cx);
        if has_news || self.wants_message() {
            return Poll::Ready(());
        }
        let until = self.courier.poll_timeout().unwrap_or(Duration::MAX);
        let (courier, endpoint) = (&mut self.courier, &mut self.endpoint);
        let read = if courier.machine().wants_tls() {
            endpoint.poll_handshake(courier, cx, until)
        } else if courier.machine().wants_read() {
            endpoint.poll_read(courier, cx, until)
        } else {
            // Presenting a body has made an event.
            Poll::Ready(())
        };
        if read.is_pending() {
            ready!(endpoint.poll_until(cx, until));
            courier.handle_timeout(endpoint.now());
        }
        Poll::Ready(())
    }

    /// Reads what has arrived, and waits for nothing more.
    pub fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.endpoint.poll_arrived(cx));
        loop {
            self.receive();
            let (courier, endpoint) = (&mut self.courier, &mut self.endpoint);
            if !courier.machine().wants_read()
                || endpoint.poll_read(courier, cx, Duration::ZERO).is_pending()
            {
                break;
            }
        }
        self.courier.looked();
        Poll::Ready(())
    }

    /// Shuts the wire down. How it takes that changes nothing: TLS has something to say to a server that
    /// may not listen any more.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.endpoint.now();
        let until = *self.farewell.get_or_insert(now.saturating_add(FAREWELL));
        if self.endpoint.poll_shutdown(cx).is_pending() {
            ready!(self.endpoint.poll_until(cx, until));
        }
        Poll::Ready(())
    }

    /// Writes QUIT, and waits for nothing.
    pub fn take_leave(&mut self, cx: &mut Context<'_>) {
        self.courier.machine_mut().quit();
        let _ = self.poll_write(cx);
    }

    fn wants_message(&self) -> bool {
        self.is_supplied && self.courier.wants_message()
    }

    /// Takes note of everything that the machine has to tell, and returns whether that was anything.
    fn receive(&mut self) -> bool {
        let (courier, now) = (&mut self.courier, self.endpoint.now());
        self.endpoint.take_in(|input| courier.receive(input, now))
    }

    /// Writes and flushes as long as there is something to write and the wire takes it. Is pending if it
    /// takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (courier, endpoint) = (&mut self.courier, &mut self.endpoint);
        if endpoint.is_mute() {
            // To report now that nothing was taken would take doubt back.
            return Poll::Ready(());
        }
        if endpoint.is_blocked() {
            // Nothing more is collected before that has left.
            ready!(endpoint.poll_write_ready(courier, cx));
        }
        loop {
            if self.is_supplied && courier.wants_message() {
                return Poll::Ready(());
            }
            let now = endpoint.now();
            courier.excuse(mem::take(&mut self.waited));
            let (waited, clock) = (&mut self.waited, &*endpoint);
            let present = |body, offset| {
                let presented = B::present(body, offset, cx);
                // A reader may have taken its time.
                *waited += clock.now().saturating_sub(now);
                presented
            };
            let Some(transmit) = courier.poll_transmit(present, now) else {
                ready!(endpoint.poll_write_ready(courier, cx));
                return endpoint.poll_flush(courier, cx);
            };
            // What comes next may leave with it.
            let Some(large) = endpoint.ready_mut().take(transmit, now) else {
                continue;
            };
            match endpoint.poll_write(cx, large.slices()) {
                Poll::Ready(Some(bytes)) => {
                    large.wrote(bytes, endpoint.now());
                }
                Poll::Ready(None) => {
                    large.failed();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    large.blocked(now);
                    return Poll::Pending;
                }
            }
        }
    }
}
