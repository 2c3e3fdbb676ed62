//! Where the connections of a server are.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{Either, select};
use smtp_proto::{
    driver::turn_away,
    reception::{Admission, Place, Refusal, State, TurnedAway},
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    connection::{Connection, serve},
    handler::Handler,
    options::Options,
    prepare::{Arrival, Prepare},
    shutdown::Shutdown,
    task::{Boxed, Task},
};
use crate::Socket;

/// Prepares connections, and how long that may take.
#[derive(Clone)]
pub(super) struct Preparation {
    prepare: Arc<dyn for<'a> Fn(&'a mut Arrival) -> Prepared<'a> + Send + Sync>,
    limit: Duration,
}

type Prepared<'a> = Boxed<'a, Result<(), Refusal>>;

/// The connections of one server.
pub(super) struct Room<H> {
    handler: Arc<H>,
    admission: Admission,
    preparation: Option<Preparation>,
    shutdown: Shutdown,
    connections: JoinSet<()>,
}

/// A connection that is served, in its place.
struct Served<S: State, H: Handler<S>> {
    connection: Connection<S, H>,
    #[expect(dead_code, reason = "is left when it is dropped")]
    place: Place,
}

impl Preparation {
    pub(super) fn new(prepare: impl Prepare, limit: Duration) -> Self {
        let prepare = Arc::new(prepare);
        Self {
            prepare: Arc::new(move |arrival| {
                let prepare = Arc::clone(&prepare);
                Box::pin(async move { prepare.prepare(arrival).await })
            }),
            limit,
        }
    }

    async fn run(self, arrival: &mut Arrival, shutdown: Shutdown) -> Result<(), TurnedAway> {
        let prepared = timeout(self.limit, Task::new((self.prepare)(arrival)));
        match select(pin!(prepared), pin!(shutdown.over())).await {
            Either::Left((Ok(prepared), _)) => TurnedAway::unless_prepared(prepared),
            Either::Left((Err(_), _)) | Either::Right(_) => Err(TurnedAway::Late),
        }
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
            connections: JoinSet::new(),
        }
    }

    pub(super) fn handler(&self) -> &H {
        &self.handler
    }

    /// Serves a client in a task of its own, or turns it away.
    pub(super) fn welcome<S: State>(&mut self, socket: Socket, options: Options)
    where
        H: Handler<S>,
    {
        while self.connections.try_join_next().is_some() {}
        let (preparation, shutdown) = (self.preparation.clone(), self.shutdown.clone());
        let mut place = match self.admission.enter(&options, preparation.as_ref()) {
            Ok(place) => place,
            Err(why) => {
                let write = |bytes: &[u8]| socket.try_write(bytes).unwrap_or(0);
                return turn_away(&options, why, write, |session, result, tally| {
                    self.handler.closed(session, result, tally);
                });
            }
        };
        let handler = Arc::clone(&self.handler);
        let Some(preparation) = preparation else {
            let connection = serve(socket, options, handler, Some(shutdown), Ok(()));
            self.connections.spawn(Served { connection, place });
            return;
        };
        self.connections.spawn(async move {
            let mut arrival = Arrival::new(socket, options);
            let prepared = preparation.run(&mut arrival, shutdown.clone()).await;
            let (socket, options) = arrival.into_parts();
            let welcome = prepared.and_then(|()| place.count(&options));
            let connection = serve(socket, options, handler, Some(shutdown), welcome);
            Served { connection, place }.await;
        });
    }

    /// Waits for all connections to end.
    pub(super) async fn empty(&mut self) {
        while self.connections.join_next().await.is_some() {}
    }
}

impl<S: State, H: Handler<S>> Future for Served<S, H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The handler hears of errors.
        Pin::new(&mut self.connection).poll(cx).map(drop)
    }
}
