//! Where the connections of a server are.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    driver::turn_away,
    reception::{Admission, State, TurnedAway, guarded},
};

use super::{
    connection::serve,
    handler::Handler,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
};
use crate::Socket;

/// How often connections that end are counted.
const COUNTS: Duration = Duration::from_millis(100);

/// Prepares connections, and how long that may take.
#[derive(Clone)]
pub(super) struct Preparation {
    prepare: Arc<dyn Prepare>,
    limit: Duration,
}

/// The connections of one server.
pub(super) struct Room<H> {
    handler: Arc<H>,
    admission: Admission,
    preparation: Option<Preparation>,
    shutdown: Shutdown,
}

/// A connection that was accepted, and how it is to be served.
type Arrived = (Socket, Options);

/// Tells that a connection has left.
struct Left(Shutdown);

impl Preparation {
    pub(super) fn new(prepare: impl Prepare, limit: Duration) -> Self {
        Self {
            prepare: Arc::new(prepare),
            limit,
        }
    }

    /// Prepares a connection. Its stack is not that of all that follows.
    #[inline(never)]
    fn run(&self, (socket, options): Arrived) -> (Arrived, Result<(), TurnedAway>) {
        let mut arrival = Arrival::new(socket, options, Instant::now(), self.limit);
        let prepared = match guarded(|| self.prepare.prepare(&mut arrival)) {
            Some(Err(_)) if arrival.time_left().is_err() => Err(TurnedAway::Late),
            prepared => TurnedAway::unless_prepared(prepared),
        };
        (arrival.into_parts(), prepared)
    }
}

impl<H> Room<H> {
    pub(super) fn new(
        handler: H,
        admission: Admission,
        preparation: Option<Preparation>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            handler: Arc::new(handler),
            admission,
            preparation,
            shutdown,
        }
    }

    pub(super) fn handler(&self) -> &H {
        &self.handler
    }

    /// Serves a client in a thread of its own, or turns it away.
    pub(super) fn welcome<S: State>(&self, socket: Socket, options: Options)
    where
        H: Handler<S>,
    {
        let (preparation, shutdown) = (self.preparation.clone(), self.shutdown.clone());
        let mut place = match self.admission.enter(&options, preparation.as_ref()) {
            Ok(place) => place,
            Err(why) => return self.turn_away(socket, &options, why),
        };
        // A thread that cannot be begun takes nothing with it.
        let arrived = Arc::new(Mutex::new(Some((socket, options))));
        let (handler, taken) = (Arc::clone(&self.handler), Arc::clone(&arrived));
        let served = thread::Builder::new().spawn(move || {
            let _left = Left(shutdown.clone());
            let Some(mut arrived) = take(&taken) else {
                return;
            };
            let mut welcome = Ok(());
            if let Some(preparation) = preparation {
                (arrived, welcome) = preparation.run(arrived);
            }
            let (socket, options) = arrived;
            let welcome = welcome.and_then(|()| place.count(&options));
            // The handler hears of errors.
            let _ = serve(socket, options, handler, Some(shutdown), welcome);
            drop(place);
        });
        if let Err(error) = served
            && let Some((socket, options)) = take(&arrived)
        {
            guarded(|| self.handler.accept_failed(&error));
            self.turn_away(socket, &options, TurnedAway::Full);
        }
    }

    fn turn_away<S: State>(&self, mut socket: Socket, options: &Options, why: TurnedAway)
    where
        H: Handler<S>,
    {
        let write = |bytes: &[u8]| socket.write(bytes).unwrap_or(0);
        turn_away(options, why, write, |session, result, tally| {
            self.handler.closed(session, result, tally);
        });
    }

    /// Waits for all connections to end, as long as they may take.
    pub(super) fn empty(&self) {
        while self.admission.count() > 0 && self.shutdown.waits() {
            self.shutdown.wait(COUNTS);
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.0.notify();
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
