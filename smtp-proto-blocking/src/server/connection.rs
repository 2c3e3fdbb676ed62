//! One connection, from its greeting to its end.

use std::{ops::ControlFlow, sync::Arc, task::Poll};

use smtp_proto::{
    driver::ServerDriver,
    reception::{Phase, State, TurnedAway},
};

use super::{calls::Calls, handler::Handler, options::Options, shutdown::Shutdown};
use crate::{
    Error, Socket,
    wire::{Wire, poll_fn},
};

/// Serves a client to the end of its session, or turns it away in place of greeting it. Tells the handler of
/// the end whatever happens.
pub(super) fn serve<S: State, H: Handler<S>>(
    socket: Socket,
    options: Options,
    handler: Arc<H>,
    shutdown: Option<Shutdown>,
    welcome: Result<(), TurnedAway>,
) -> Result<(), Error> {
    let wire = Wire::new(socket).within(shutdown.clone());
    let mut driver = ServerDriver::new(wire, options, Calls::new(&*handler), welcome);
    poll_fn(|cx| {
        driver.follow(shutdown.as_ref().map_or(Phase::Serving, Shutdown::phase));
        match driver.poll_turn(cx) {
            Poll::Ready(ControlFlow::Break(result)) => Poll::Ready(result),
            _ => Poll::Pending,
        }
    })
}
