//! A client and a server, joined in memory.

use std::time::Duration;

use super::end::{End, transfer};
use crate::client::{self, Body, BodyRequest, Client};
use crate::machine::{Error, Origin};
use crate::server::{self, Server};
use crate::syntax::{Code, Reply};

/// A client and a server machine, and what is on its way between them.
///
/// Nothing is random in it, and no time passes but by [`wait`](Self::wait): what happens once happens
/// always.
#[derive(Debug)]
pub struct Pair {
    client: End<Client>,
    server: End<Server>,
    now: Duration,
    wire: Wire,
    client_end: Option<Result<(), Error>>,
    server_end: Option<Result<(), Error>>,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is cut: what is on its way is lost, and both sides see the end.
    Cut,
    /// A write of the client's fails of which a part has arrived, and then it is cut.
    WriteFails,
    /// The server is gone, and may have accepted what it has not answered.
    ServerLost,
    /// The server ends the session by 421.
    Closing,
}

/// What stands above the machines of a [`Pair`].
pub trait Sides {
    /// Presents the content of a message, if there is any of it by now.
    fn body(&mut self, request: BodyRequest) -> Option<Body<'_>>;

    /// Is told what the client tells.
    fn told(&mut self, client: &mut Client, event: client::Event<'_>) {
        let _ = (client, event);
    }

    /// Is asked what the server asks. Accepts everything, unless it is written.
    fn asked(&mut self, server: &mut Server, event: server::Event<'_>) {
        if let Some(ticket) = event.into_ticket() {
            // It can only be refused when the session is over.
            let _ = server.accept(ticket);
        }
    }

    /// Gives verdicts that were not given at once; returns whether there were any.
    fn decide(&mut self, server: &mut Server) -> bool {
        let _ = server;
        false
    }

    /// Is shown the bytes that arrive from a side: [`Local`](Origin::Local) is the client's.
    fn passed(&mut self, from: Origin, bytes: &[u8]) {
        let _ = (from, bytes);
    }
}

impl Pair {
    /// Joins two machines, at the time 0.
    pub fn new(client: Client, server: Server) -> Self {
        Self {
            client: End::new(client),
            server: End::new(server),
            now: Duration::ZERO,
            wire: Wire::default(),
            client_end: None,
            server_end: None,
        }
    }

    /// Has every read and every write move so many bytes at most, at least one.
    #[must_use]
    pub fn in_pieces(mut self, bytes: usize) -> Self {
        self.client.set_pieces(bytes);
        self.server.set_pieces(bytes);
        self
    }

    /// Lets so many bytes pass, in both directions together, and no more of what passes then.
    #[must_use]
    pub fn failing(mut self, failure: Failure, after: u64) -> Self {
        self.wire.failure = Some((failure, after));
        self
    }

    /// Takes the machines apart again. What is on its way between them is lost.
    pub fn into_parts(self) -> (Client, Server) {
        (self.client.into_machine(), self.server.into_machine())
    }

    /// Returns the client.
    pub fn client(&mut self) -> &mut End<Client> {
        &mut self.client
    }

    /// Returns the server.
    pub fn server(&mut self) -> &mut End<Server> {
        &mut self.server
    }

    /// Returns the time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Lets time pass, and the timers fire that are due then.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
    }

    /// Returns the error that the client's session has ended with.
    pub fn client_error(&self) -> Option<&Error> {
        self.client_end.as_ref()?.as_ref().err()
    }

    /// Returns the error that the server's session has ended with; `None` too where the server was lost.
    pub fn server_error(&self) -> Option<&Error> {
        self.server_end.as_ref()?.as_ref().err()
    }

    /// Returns whether both sessions are over, and told of.
    pub fn is_over(&self) -> bool {
        self.client_end.is_some() && self.server_end.is_some()
    }

    /// Lets flight after flight go to and fro until none does any more: both sessions are over, or
    /// somebody is to say, decide or present something, or to [wait](Self::wait).
    pub fn run(&mut self, sides: &mut impl Sides) {
        while self.round(sides) {}
    }

    /// Lets both sides speak and hear once, the client first; returns whether anything has passed, or
    /// ended.
    pub fn round(&mut self, sides: &mut impl Sides) -> bool {
        let before = self.progress();
        self.client_acts(sides);
        self.server_hears(sides);
        self.server_speaks(sides);
        self.client_hears(sides);
        before != self.progress()
    }

    fn progress(&self) -> (u64, bool, bool) {
        (
            self.wire.passed,
            self.client_end.is_some(),
            self.server_end.is_some(),
        )
    }

    /// Has the client say, and tell, all that it can before it hears more.
    fn client_acts(&mut self, sides: &mut impl Sides) {
        loop {
            self.client_speaks(sides);
            if self.client_end.is_some() || self.client.wants_read() {
                return;
            }
            self.client_hears(sides);
            if self.client.wants_tls() {
                return;
            }
        }
    }

    fn client_speaks(&mut self, sides: &mut impl Sides) {
        let piece = self.client.piece();
        loop {
            let wanted = self.client.wants_body();
            let body = wanted.and_then(|request| Some((request, sides.body(request)?)));
            let Some(transmit) = self.client.poll_transmit(body, self.now) else {
                return;
            };
            let written = transmit.len().min(piece);
            let passage = self.wire.pass(written);
            let arrived = self.server.arrived_mut();
            let begin = arrived.len();
            transfer(&transmit, passage.arrives, arrived);
            match passage.failure {
                Some(Failure::WriteFails) => transmit.failed(),
                _ => _ = transmit.wrote(written, self.now),
            }
            sides.passed(Origin::Local, arrived.get(begin..).unwrap_or_default());
            self.fail(passage.failure);
        }
    }

    fn server_speaks(&mut self, sides: &mut impl Sides) {
        let piece = self.server.piece();
        while self.server_end.is_none() {
            let Some(transmit) = self.server.poll_transmit(self.now) else {
                break;
            };
            let written = transmit.len().min(piece);
            let passage = self.wire.pass(written);
            let arrived = self.client.arrived_mut();
            let begin = arrived.len();
            transfer(&transmit, passage.arrives, arrived);
            transmit.wrote(written, self.now);
            sides.passed(Origin::Remote, arrived.get(begin..).unwrap_or_default());
            self.fail(passage.failure);
        }
        if self.server.is_closed() {
            self.end_server(Ok(()));
        }
    }

    fn server_hears(&mut self, sides: &mut impl Sides) {
        if self.server_end.is_some() {
            return self.server.discard();
        }
        let now = self.now;
        let heard = self.server.show(|server, input| {
            Ok(match server.poll_event(input, now)? {
                Some(event) => {
                    sides.asked(server, event);
                    true
                }
                None => sides.decide(server),
            })
        });
        if heard.is_err() {
            self.end_server(heard);
        }
    }

    fn client_hears(&mut self, sides: &mut impl Sides) {
        if self.client_end.is_some() {
            return self.client.discard();
        }
        let heard = self
            .client
            .hear(self.now, |client, event| sides.told(client, event));
        if heard.is_err() || self.client.is_closed() {
            self.client_end = Some(heard);
            self.server.handle_eof();
        }
    }

    fn end_server(&mut self, end: Result<(), Error>) {
        if self.server_end.is_none() {
            self.server_end = Some(end);
            self.client.handle_eof();
        }
    }

    /// Has the connection fail as it is to.
    fn fail(&mut self, failure: Option<Failure>) {
        match failure {
            Some(Failure::Cut | Failure::WriteFails) => {
                self.server.handle_eof();
                self.client.handle_eof();
            }
            Some(Failure::ServerLost) => self.end_server(Ok(())),
            Some(Failure::Closing) => {
                if let Ok(bye) = Reply::new(Code::NOT_AVAILABLE, "4.3.2 Shutting down") {
                    // It may be ending already.
                    let _ = self.server.shut_down(bye);
                }
            }
            None => {}
        }
    }
}

/// What is between two machines.
#[derive(Debug, Default)]
struct Wire {
    /// What becomes of it, and after how many bytes.
    failure: Option<(Failure, u64)>,
    is_cut: bool,
    /// How many bytes have passed, in both directions together.
    passed: u64,
}

/// What becomes of bytes that are written.
struct Passage {
    /// How many of them arrive.
    arrives: usize,
    /// What becomes of the connection after them.
    failure: Option<Failure>,
}

impl Wire {
    /// Lets bytes pass, as many as still do.
    fn pass(&mut self, bytes: usize) -> Passage {
        let left = match self.failure {
            _ if self.is_cut => 0,
            Some((_, after)) => usize::try_from(after.saturating_sub(self.passed)).unwrap_or(bytes),
            None => bytes,
        };
        let failure = self.failure.take_if(|_| left < bytes);
        let failure = failure.map(|(failure, _)| failure);
        let arrives = match failure {
            // What is on its way arrives.
            Some(Failure::Closing) => bytes,
            _ => left.min(bytes),
        };
        self.is_cut |= failure.is_some_and(|failure| failure != Failure::Closing);
        self.passed = self.passed.saturating_add(arrives as u64);
        Passage { arrives, failure }
    }
}
