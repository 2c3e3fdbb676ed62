//! One connection, from its greeting to its end.

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::{
    driver::ServerDriver,
    reception::{Phase, State, TurnedAway},
};

use super::{calls::Calls, handler::Handler, options::Options, shutdown::Shutdown, task::Boxed};
use crate::{Error, Socket, wire::Wire};

/// A connection that is served: a future that completes with how the session has ended.
///
/// Dropped before, it ends the session at once; the handler hears of that, too.
pub struct Connection<S: State, H: Handler<S>> {
    driver: ServerDriver<Wire, S, Calls<S, H>>,
    shutdown: Option<Watch>,
}

/// What is known of a shutdown, and what is heard next.
struct Watch {
    shutdown: Shutdown,
    next: Boxed<'static, ()>,
    has_begun: bool,
}

/// Nothing in it is pinned.
impl<S: State, H: Handler<S>> Unpin for Connection<S, H> {}

/// Serves a client, or turns it away in place of greeting it.
pub(super) fn serve<S: State, H: Handler<S>>(
    socket: Socket,
    options: Options,
    handler: Arc<H>,
    shutdown: Option<Shutdown>,
    welcome: Result<(), TurnedAway>,
) -> Connection<S, H> {
    let driver = ServerDriver::new(Wire::new(socket), options, Calls::new(handler), welcome);
    let shutdown = shutdown.map(|shutdown| Watch {
        next: Box::pin(shutdown.clone().begun()),
        shutdown,
        has_begun: false,
    });
    Connection { driver, shutdown }
}

impl<S: State, H: Handler<S>> Connection<S, H> {
    /// Hears of a shutdown.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        while let Some(watch) = &mut self.shutdown
            && watch.next.as_mut().poll(cx).is_ready()
        {
            if watch.has_begun {
                self.shutdown = None;
                self.driver.follow(Phase::Over);
            } else {
                watch.has_begun = true;
                watch.next = Box::pin(watch.shutdown.clone().over());
                self.driver.follow(Phase::Ending);
            }
        }
    }
}

impl<S: State, H: Handler<S>> Future for Connection<S, H> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_shutdown(cx);
        loop {
            if let ControlFlow::Break(result) = ready!(self.driver.poll_turn(cx)) {
                return Poll::Ready(result);
            }
        }
    }
}

impl<S: State, H: Handler<S>> fmt::Debug for Connection<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session", self.driver.session())
            .finish_non_exhaustive()
    }
}
