//! One session over one link.

use std::{env, time::Duration};

use smtp_proto::{
    client::{Body, Client, Pipelining},
    machine::Misuse,
    server::Server,
    syntax::Reply,
};

use crate::{account::Seen, random::Random, scenario::Scenario, store::Store};

/// What goes wrong, once so many bytes have passed in both directions together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Both sides see the end of the connection; what is under way is lost.
    Cut,
    /// The client's write fails after the bytes were passed on.
    WriteFails,
    /// The server is gone, maybe after it accepted and before it said so.
    Crash,
    /// The server shuts down with 421.
    Closing,
}

pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) policy: Pipelining,
    /// The most bytes in one read or write.
    pub(crate) piece: Option<usize>,
    pub(crate) fault: Option<(Fault, usize)>,
    /// Contents and verdicts come late or not at all, and messages are cancelled.
    pub(crate) is_restless: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            policy: Pipelining::LookAhead,
            piece: None,
            fault: None,
            is_restless: false,
        }
    }
}

struct Link {
    client: Client,
    server: Server,
    store: Store,
    seen: Seen,
    random: Random,
    piece: usize,
    /// Contents are presented up to the next multiple of so many bytes.
    step: usize,
    is_restless: bool,
    fault: Option<(Fault, usize)>,
    /// What each side was sent and has not used up.
    server_input: Vec<u8>,
    client_input: Vec<u8>,
    server_gone: bool,
    client_gone: bool,
}

const NOW: Duration = Duration::ZERO;

pub(crate) fn run(options: &Options) -> Seen {
    let mut random = Random::new(options.seed);
    let scenario = Scenario::new(options.policy, &mut random);
    let mut link = Link {
        client: Client::new(scenario.client, NOW),
        server: Server::new(scenario.server, NOW),
        store: Store::new(scenario.most_recipients, options.is_restless),
        seen: Seen {
            is_limited: scenario.is_limited,
            ..Seen::default()
        },
        piece: options.piece.unwrap_or(usize::MAX),
        step: scenario.step,
        is_restless: options.is_restless,
        fault: options.fault,
        server_input: vec![],
        client_input: vec![],
        server_gone: false,
        client_gone: false,
        random,
    };
    for message in scenario.messages {
        let id = link.client.submit(&message.envelope()).unwrap();
        link.seen.submitted.push((id, message));
    }
    link.client.quit();
    link.go();
    let Link {
        mut seen, store, ..
    } = link;
    seen.server = store.seen;
    seen.accepted = store.accepted.into_values().collect();
    if env::var_os("SEED").is_some() {
        println!("{:?} {:?}\n{seen:?}\n", options.policy, options.fault);
    }
    seen
}

impl Link {
    /// Lets flight after flight go to and fro until both sides are done.
    fn go(&mut self) {
        for _ in 0..10_000 {
            self.client_acts();
            self.server_hears();
            self.server_speaks();
            self.client_hears();
            let client_done = self.seen.error.is_some() || self.client.is_closed();
            let server_done = self.server_gone || self.server.is_closed();
            if client_done && !self.client_gone {
                self.client_gone = true;
                self.server.handle_eof();
            }
            if server_done {
                self.client.handle_eof();
                self.server_gone = true;
            }
            if client_done && (server_done || self.server_rests()) {
                return;
            }
        }
        panic!("the session does not end");
    }

    /// The client is gone: lets the server end.
    fn server_rests(&mut self) -> bool {
        self.server_hears();
        self.server_speaks();
        self.server.is_closed() || self.server.poll_event(&mut &b""[..], NOW).is_err()
    }

    /// Lets the client say and report what it can without hearing more.
    fn client_acts(&mut self) {
        loop {
            self.client_speaks();
            let is_over = self.seen.error.is_some() || self.client.is_closed();
            if is_over || self.client.wants_read() {
                return;
            }
            self.client_hears();
        }
    }

    fn client_speaks(&mut self) {
        let number = self.random.below(self.seen.submitted.len());
        if self.is_restless && self.random.one_in(50) {
            // Whether it is too late is for the outcome to tell.
            let _ = self.client.cancel(self.seen.submitted[number].0);
        }
        loop {
            let wanted = self.client.wants_body();
            let body = match wanted {
                None => None,
                Some(_) if self.is_restless && self.random.one_in(3) => None,
                Some(wanted) if self.is_restless && self.random.one_in(60) => {
                    Some((wanted, Body::Failed))
                }
                Some(wanted) => {
                    let mut submitted = self.seen.submitted.iter();
                    let (_, message) = submitted.find(|(id, _)| *id == wanted.message).unwrap();
                    let position = usize::try_from(wanted.offset).unwrap();
                    let left = &message.content[position..];
                    let body = match left.get(..self.step - position % self.step) {
                        Some(chunk) if chunk.len() < left.len() => Body::Chunk(chunk),
                        _ => Body::Last(left),
                    };
                    Some((wanted, body))
                }
            };
            let Some(transmit) = self.client.poll_transmit(body, NOW) else {
                return;
            };
            let mut bytes = transmit.slices().concat();
            bytes.truncate(self.piece);
            let (arrives, strikes) = passing(self.fault, &self.seen, bytes.len());
            if arrives < bytes.len()
                && self
                    .fault
                    .is_some_and(|(fault, _)| fault == Fault::WriteFails)
            {
                // The transport took it, passed a part on, and then errs.
                transmit.failed();
            } else {
                transmit.wrote(bytes.len(), NOW);
            }
            self.seen.to_server.extend_from_slice(&bytes[..arrives]);
            self.server_input.extend_from_slice(&bytes[..arrives]);
            if strikes {
                self.strike();
            }
        }
    }

    fn server_hears(&mut self) {
        let sent = std::mem::take(&mut self.server_input);
        let mut held: Vec<u8> = Vec::new();
        let mut pieces = sent.chunks(self.piece);
        loop {
            let mut input = held.as_slice();
            loop {
                match self.server.poll_event(&mut input, NOW) {
                    Ok(Some(event)) => self.store.on_event(event),
                    Ok(None) => {
                        if !self.store.decide(&mut self.server, &mut self.random) {
                            break;
                        }
                    }
                    Err(_) => {
                        self.server_gone = true;
                        self.store.forget();
                        break;
                    }
                }
            }
            let used = held.len() - input.len();
            held.drain(..used);
            match pieces.next() {
                Some(piece) if !self.server_gone => held.extend_from_slice(piece),
                _ => break,
            }
        }
        self.server_input = held;
    }

    fn server_speaks(&mut self) {
        loop {
            let Some(transmit) = self.server.poll_transmit(NOW) else {
                return;
            };
            let mut bytes = transmit.slices().concat();
            bytes.truncate(self.piece);
            transmit.wrote(bytes.len(), NOW);
            let (arrives, strikes) = passing(self.fault, &self.seen, bytes.len());
            self.seen.to_client.extend_from_slice(&bytes[..arrives]);
            self.client_input.extend_from_slice(&bytes[..arrives]);
            if strikes {
                self.strike();
            }
        }
    }

    fn client_hears(&mut self) {
        let sent = std::mem::take(&mut self.client_input);
        let mut held: Vec<u8> = Vec::new();
        let mut pieces = sent.chunks(self.piece);
        loop {
            let mut input = held.as_slice();
            while self.seen.error.is_none() {
                match self.client.poll_event(&mut input, NOW) {
                    Ok(Some(event)) => self.seen.client.push(event.into_owned()),
                    Ok(None) => break,
                    Err(error) => self.seen.error = Some(error),
                }
            }
            let used = held.len() - input.len();
            held.drain(..used);
            match pieces.next() {
                Some(piece) if self.seen.error.is_none() => held.extend_from_slice(piece),
                _ => break,
            }
        }
        self.client_input = held;
    }

    fn strike(&mut self) {
        match self.fault.take() {
            Some((Fault::Cut | Fault::WriteFails, _)) => {
                self.server.handle_eof();
                self.client.handle_eof();
            }
            Some((Fault::Crash, _)) => {
                self.server_gone = true;
                self.client.handle_eof();
            }
            Some((Fault::Closing, _)) | None => {
                let bye = Reply::parse(b"421 4.3.2 shutting down\r\n").unwrap();
                let shut = self.server.shut_down(bye);
                assert!(matches!(shut, Ok(()) | Err(Misuse::Ending)), "{shut:?}");
            }
        }
        self.fault = None;
    }
}

/// Returns how many of the bytes arrive, and whether the fault strikes after them.
fn passing(fault: Option<(Fault, usize)>, seen: &Seen, bytes: usize) -> (usize, bool) {
    let passed = seen.to_server.len() + seen.to_client.len();
    match fault {
        Some((_, at)) if passed + bytes <= at => (bytes, false),
        Some((Fault::Closing, _)) => (bytes, true),
        Some((_, at)) => (at.saturating_sub(passed), true),
        None => (bytes, false),
    }
}
