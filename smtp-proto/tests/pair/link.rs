//! One session over one link.

use std::{collections::BTreeMap, time::Duration};

use smtp_proto::{
    client::{Body, Client, Config, Duplex, Envelope, Event, MessageId, Outcome, Pipelining},
    machine::{self, Misuse},
    server::{self, Server},
    syntax::{Capabilities, Extension, ForwardPath, Host, Reply, ReversePath},
};

use crate::store::Store;

/// What goes wrong, once so many octets have passed in both directions together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Both sides see the end of the connection; what is under way is lost.
    Cut,
    /// The client's write fails after the octets were passed on.
    WriteFails,
    /// The server is gone, maybe after it accepted and before it said so.
    Crash,
    /// The server shuts down with 421.
    Closing,
}

pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) policy: Pipelining,
    /// The most octets in one read or write.
    pub(crate) piece: Option<usize>,
    pub(crate) fault: Option<(Fault, usize)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            policy: Pipelining::LookAhead,
            piece: None,
            fault: None,
        }
    }
}

/// What both sides saw.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    pub(crate) error: Option<machine::Error>,
    client: Vec<Event<'static>>,
    server: Vec<String>,
    submitted: Vec<(MessageId, Message)>,
    accepted: Vec<crate::store::Stored>,
}

#[derive(Clone, Debug, PartialEq)]
struct Message {
    sender: String,
    recipients: Vec<String>,
    content: Vec<u8>,
}

/// Marsaglia's xorshift, with Steele's constant.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

fn message(random: &mut Random, number: usize) -> Message {
    let bad = |random: &mut Random| if random.one_in(5) { "bad" } else { "good" };
    let sender = format!("{}{number}@example.org", bad(random));
    let recipients = (0..=random.below(4))
        .map(|n| format!("{}{n}@example.net", bad(random)))
        .collect();
    let mut content = format!("Message-Id: <{number}>\r\n").into_bytes();
    if random.one_in(5) {
        content.extend_from_slice(b"X-Bad: yes\r\n");
    }
    for _ in 0..random.below(6) {
        let line: &[u8] = match random.below(6) {
            0 => b".\r\n",
            1 => b"..\r\n",
            2 => b"\r\n",
            3 => b"QUIT\r\n",
            4 => b".dot \x00\xff\r\n",
            _ => b"a line of text\r\n",
        };
        content.extend_from_slice(line);
    }
    Message {
        sender,
        recipients,
        content,
    }
}

fn envelope(message: &Message) -> Envelope<'_> {
    let sender = ReversePath::parse_address(&message.sender).unwrap();
    message
        .recipients
        .iter()
        .fold(Envelope::new(sender), |envelope, recipient| {
            envelope.recipient(ForwardPath::parse_address(recipient).unwrap())
        })
}

struct Link {
    client: Client,
    server: Server,
    store: Store,
    seen: Seen,
    random: Random,
    piece: usize,
    fault: Option<(Fault, usize)>,
    /// What each side was sent and has not used up.
    server_input: Vec<u8>,
    client_input: Vec<u8>,
    server_gone: bool,
    client_gone: bool,
}

const NOW: Duration = Duration::ZERO;

pub(crate) fn run(options: &Options) -> Seen {
    let mut random = Random(
        options
            .seed
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    let half = Duplex::Half {
        octets: 200,
        replies: 6,
    };
    let duplex = if random.one_in(2) { Duplex::Full } else { half };
    let host = |name| Host::parse(name).unwrap();
    let config = Config::new(host("client.example"))
        .pipelining(options.policy)
        .duplex(duplex);
    let offer = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking);
    let mut link = Link {
        client: Client::new(config, NOW),
        server: Server::new(server::Config::new(host("mx.example")).offer(offer), NOW),
        store: Store::default(),
        seen: Seen {
            to_server: vec![],
            to_client: vec![],
            error: None,
            client: vec![],
            server: vec![],
            submitted: vec![],
            accepted: vec![],
        },
        piece: options.piece.unwrap_or(usize::MAX),
        fault: options.fault,
        server_input: vec![],
        client_input: vec![],
        server_gone: false,
        client_gone: false,
        random,
    };
    for number in 0..1 + link.random.below(8) {
        let message = message(&mut link.random, number);
        let id = link.client.submit(&envelope(&message)).unwrap();
        link.seen.submitted.push((id, message));
    }
    link.client.quit();
    link.go();
    let Link {
        mut seen, store, ..
    } = link;
    seen.server = store.seen;
    seen.accepted = store.accepted.into_values().collect();
    seen
}

impl Link {
    /// Lets flight after flight go to and fro until both sides are done.
    fn go(&mut self) {
        let mut positions = vec![0; self.seen.submitted.len()];
        for _ in 0..10_000 {
            self.client_speaks(&mut positions);
            self.client_hears();
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

    fn client_speaks(&mut self, positions: &mut [usize]) {
        loop {
            let wanted = self.client.wants_body().map(|wanted| wanted.message);
            let index = self
                .seen
                .submitted
                .iter()
                .position(|(id, _)| Some(*id) == wanted);
            let body = match index {
                Some(index) => {
                    Body::Last(&self.seen.submitted[index].1.content[positions[index]..])
                }
                None => Body::Pending,
            };
            let transmit = self.client.poll_transmit(body, NOW);
            if transmit.is_empty() {
                return;
            }
            let mut octets = transmit.slices().concat();
            octets.truncate(self.piece);
            let (arrives, strikes) = passing(self.fault, &self.seen, octets.len());
            if arrives < octets.len()
                && self
                    .fault
                    .is_some_and(|(fault, _)| fault == Fault::WriteFails)
            {
                // The transport took it, passed a part on, and then errs.
                drop(transmit);
                self.client.handle_write_failed();
            } else {
                let consumed = transmit.sent(octets.len(), NOW);
                if let Some(index) = index {
                    positions[index] += consumed;
                }
            }
            self.seen.to_server.extend_from_slice(&octets[..arrives]);
            self.server_input.extend_from_slice(&octets[..arrives]);
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
                        let random = &mut self.random;
                        if !self.store.decide(&mut self.server, |n| random.below(n)) {
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
            let transmit = self.server.poll_transmit(NOW);
            if transmit.is_empty() {
                return;
            }
            let mut octets = transmit.slices().concat();
            octets.truncate(self.piece);
            transmit.sent(octets.len(), NOW);
            let (arrives, strikes) = passing(self.fault, &self.seen, octets.len());
            self.seen.to_client.extend_from_slice(&octets[..arrives]);
            self.client_input.extend_from_slice(&octets[..arrives]);
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

/// Returns how many of the octets arrive, and whether the fault strikes behind them.
fn passing(fault: Option<(Fault, usize)>, seen: &Seen, octets: usize) -> (usize, bool) {
    let passed = seen.to_server.len() + seen.to_client.len();
    match fault {
        Some((_, at)) if passed + octets <= at => (octets, false),
        Some((Fault::Closing, _)) => (octets, true),
        Some((_, at)) => (at.saturating_sub(passed), true),
        None => (octets, false),
    }
}

impl Seen {
    fn outcomes(&self) -> BTreeMap<MessageId, &Outcome<'static>> {
        let mut outcomes = BTreeMap::new();
        for event in &self.client {
            if let Event::Finished { message, outcome } = event {
                assert_eq!(outcomes.insert(*message, outcome), None, "one outcome each");
            }
        }
        outcomes
    }

    /// Counts the outcomes: delivered, refused, not sent, in doubt.
    pub(crate) fn tally(&self) -> [usize; 4] {
        let mut tally = [0; 4];
        for outcome in self.outcomes().values() {
            tally[match outcome {
                Outcome::Delivered(_) => 0,
                Outcome::Refused(_) => 1,
                Outcome::NotSent(_) => 2,
                Outcome::InDoubt => 3,
            }] += 1;
        }
        tally
    }

    /// Compares what the client says became of its messages with what the server's store holds.
    pub(crate) fn check(&self) {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), self.submitted.len());
        for (id, message) in &self.submitted {
            let mut stored = self
                .accepted
                .iter()
                .filter(|stored| stored.content == message.content);
            let accepted = stored.next();
            assert_eq!(stored.next(), None, "accepted once");
            match outcomes[id] {
                Outcome::Delivered(_) => assert!(accepted.is_some(), "delivered is accepted"),
                Outcome::Refused(_) | Outcome::NotSent(_) => assert_eq!(accepted, None),
                Outcome::InDoubt => {}
            }
            if let Some(stored) = accepted {
                assert_eq!(stored.sender, format!("<{}>", message.sender));
                let good = message.recipients.iter().filter(|to| !to.contains("bad"));
                let good: Vec<_> = good.map(|to| format!("<{to}>")).collect();
                assert_eq!(stored.recipients, good);
                let known = stored.certainty >= Some(smtp_proto::server::Certainty::Confirmed);
                let delivered = matches!(outcomes[id], Outcome::Delivered(_));
                assert!(
                    delivered || !known,
                    "what is confirmed is known to the client"
                );
            }
        }
    }
}
