//! A machine in memory, with what a driver holds for it.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};
use std::{time::Duration, vec::Vec};

use crate::client::{self, Body, BodyRequest, Client};
use crate::delivery::Courier;
use crate::framing::Transmit;
use crate::machine::Error;
use crate::reception::{Call, Reception, State};
use crate::server::{self, Server};

/// A machine whose transport is the caller's memory: what it is sent is fed, what it writes is collected.
///
/// It stands for the machine itself: an `End<Client>` submits, an `End<Server>` accepts. `now` is
/// whatever the caller says.
///
/// ```
/// use std::time::Duration;
/// use smtp_proto::{client::{Client, Config}, syntax::Host, testing::End};
///
/// let now = Duration::ZERO;
/// let config = Config::new(Host::parse("client.example")?);
/// // Byte by byte, in and out.
/// let mut client = End::new(Client::new(config, now)).in_pieces(1);
/// let mut greetings = 0;
/// client.feed(b"220 mx.example.net\r\n");
/// client.hear(now, |_, _event| greetings += 1)?;
/// let mut wire = Vec::new();
/// client.speak(now, |_| None, &mut wire);
/// assert_eq!((greetings, wire.as_slice()), (1, &b"EHLO client.example\r\n"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct End<M> {
    machine: M,
    arrived: Vec<u8>,
    /// How much of it the machine has been shown.
    shown: usize,
    piece: usize,
}

impl<M> End<M> {
    /// Gives a machine a transport that takes and gives everything at once.
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            arrived: Vec::new(),
            shown: 0,
            piece: usize::MAX,
        }
    }

    /// Has every read and every write move so many bytes at most, at least one.
    #[must_use]
    pub fn in_pieces(mut self, bytes: usize) -> Self {
        self.set_pieces(bytes);
        self
    }

    /// Has every further read and write move so many bytes at most, at least one.
    pub fn set_pieces(&mut self, bytes: usize) {
        self.piece = bytes.max(1);
    }

    /// Has bytes arrive.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// Returns what has arrived and was not consumed.
    pub fn unread(&self) -> &[u8] {
        &self.arrived
    }

    /// Loses what has arrived and was not consumed.
    pub(super) fn discard(&mut self) {
        self.arrived.clear();
        self.shown = 0;
    }

    /// Gives the machine back. What it has not consumed is lost.
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// Returns where bytes arrive.
    pub(super) fn arrived_mut(&mut self) -> &mut Vec<u8> {
        &mut self.arrived
    }

    pub(super) fn piece(&self) -> usize {
        self.piece
    }

    /// Shows the machine what has arrived, piece by piece; `poll` tells whether there may be more of it
    /// to tell.
    pub(super) fn show(
        &mut self,
        mut poll: impl FnMut(&mut M, &mut &[u8]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut consumed = 0;
        let mut end = match self.piece {
            usize::MAX => self.arrived.len(),
            _ => self.shown.min(self.arrived.len()),
        };
        let result = loop {
            let mut input = self.arrived.get(consumed..end).unwrap_or_default();
            let polled = loop {
                match poll(&mut self.machine, &mut input) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            consumed = end.saturating_sub(input.len());
            if polled.is_err() || end >= self.arrived.len() {
                break polled;
            }
            end = end.saturating_add(self.piece).min(self.arrived.len());
        };
        if consumed >= self.arrived.len() {
            self.arrived.clear();
        } else {
            self.arrived.drain(..consumed);
        }
        self.shown = end.saturating_sub(consumed);
        result
    }
}

impl End<Client> {
    /// Reads what has arrived, and hands out the events.
    ///
    /// # Errors
    ///
    /// Fails as the machine does.
    pub fn hear(
        &mut self,
        now: Duration,
        mut on_event: impl FnMut(&mut Client, client::Event<'_>),
    ) -> Result<(), Error> {
        self.show(|client, input| {
            let event = client.poll_event(input, now)?;
            Ok(event.map(|event| on_event(client, event)).is_some())
        })
    }

    /// Appends to `wire` what the client writes; `body` presents the contents that it asks for.
    pub fn speak<'b>(
        &mut self,
        now: Duration,
        mut body: impl FnMut(BodyRequest) -> Option<Body<'b>>,
        wire: &mut Vec<u8>,
    ) {
        loop {
            let wanted = self.machine.wants_body();
            let body = wanted.and_then(|request| Some((request, body(request)?)));
            let Some(transmit) = self.machine.poll_transmit(body, now) else {
                return;
            };
            write(transmit, self.piece, now, wire);
        }
    }
}

impl End<Server> {
    /// Reads what has arrived, and hands out the events.
    ///
    /// # Errors
    ///
    /// Fails as the machine does.
    pub fn hear(
        &mut self,
        now: Duration,
        mut on_event: impl FnMut(&mut Server, server::Event<'_>),
    ) -> Result<(), Error> {
        self.show(|server, input| {
            let event = server.poll_event(input, now)?;
            Ok(event.map(|event| on_event(server, event)).is_some())
        })
    }

    /// Appends to `wire` what the server writes.
    pub fn speak(&mut self, now: Duration, wire: &mut Vec<u8>) {
        while let Some(transmit) = self.machine.poll_transmit(now) {
            write(transmit, self.piece, now, wire);
        }
    }
}

impl<B> End<Courier<B>> {
    /// Reads what has arrived. What comes of it, the courier tells.
    pub fn hear(&mut self, now: Duration) {
        let received = self.show(|courier, input| {
            courier.receive(input, now);
            Ok(false)
        });
        debug_assert!(received.is_ok(), "it has no error of its own");
    }

    /// Appends to `wire` what the courier writes; `present` is what
    /// [`poll_transmit`](Courier::poll_transmit) takes.
    pub fn speak(
        &mut self,
        now: Duration,
        present: impl for<'b> Fn(&'b mut B, u64) -> Option<Body<'b>>,
        wire: &mut Vec<u8>,
    ) {
        while let Some(transmit) = self.machine.poll_transmit(&present, now) {
            write(transmit, self.piece, now, wire);
        }
    }
}

impl<S: State> End<Reception<S>> {
    /// Reads what has arrived, and hands out the calls.
    ///
    /// # Errors
    ///
    /// Fails as the reception does.
    pub fn hear(
        &mut self,
        now: Duration,
        mut on_call: impl FnMut(&mut Reception<S>, Call<'_, S>),
    ) -> Result<(), Error> {
        self.show(|reception, input| {
            let call = reception.poll_call(input, now)?;
            Ok(call.map(|call| on_call(reception, call)).is_some())
        })
    }

    /// Appends to `wire` what the server writes.
    pub fn speak(&mut self, now: Duration, wire: &mut Vec<u8>) {
        while let Some(transmit) = self.machine.poll_transmit(now) {
            write(transmit, self.piece, now, wire);
        }
    }
}

impl<M> Deref for End<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.machine
    }
}

impl<M> DerefMut for End<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.machine
    }
}

impl<M: fmt::Debug> fmt::Debug for End<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may hold credentials, so only their number is shown.
        f.debug_struct("End")
            .field("machine", &self.machine)
            .field("unread", &self.arrived.len())
            .finish_non_exhaustive()
    }
}

/// Writes a transmission, or its beginning.
fn write(transmit: Transmit<'_>, most: usize, now: Duration, wire: &mut Vec<u8>) {
    let written = transfer(&transmit, most, wire);
    transmit.wrote(written, now);
}

/// Copies the first bytes of a transmission, so many at most; returns how many they were.
pub(super) fn transfer(transmit: &Transmit<'_>, most: usize, wire: &mut Vec<u8>) -> usize {
    let mut left = most;
    for slice in transmit.slices() {
        let taken = slice.get(..left).unwrap_or(slice);
        wire.extend_from_slice(taken);
        left = left.saturating_sub(taken.len());
        if left == 0 {
            break;
        }
    }
    transmit.len().min(most)
}
