//! One session over one link.

use std::env;

use smtp_proto::{
    client::{Body, BodyRequest, Client, Event, Pipelining},
    machine::Origin,
    server::{self, Server},
    testing::{Failure, Pair, Sides},
};

use crate::{account::Seen, random::Random, scenario::Scenario, store::Store};

pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) policy: Pipelining,
    /// The most bytes in one read or write.
    pub(crate) piece: Option<usize>,
    pub(crate) failure: Option<(Failure, u64)>,
    /// Contents and verdicts come late or not at all, and messages are cancelled.
    pub(crate) is_restless: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            policy: Pipelining::LookAhead,
            piece: None,
            failure: None,
            is_restless: false,
        }
    }
}

/// The applications on both sides, and what they see.
struct Applications {
    store: Store,
    seen: Seen,
    random: Random,
    /// Contents are presented up to the next multiple of so many bytes.
    step: usize,
    is_restless: bool,
}

pub(crate) fn run(options: &Options) -> Seen {
    let mut random = Random::new(options.seed);
    let scenario = Scenario::new(options.policy, &mut random);
    let now = Default::default();
    let mut client = Client::new(scenario.client, now);
    let mut sides = Applications {
        store: Store::new(scenario.most_recipients, options.is_restless),
        seen: Seen {
            is_limited: scenario.is_limited,
            ..Seen::default()
        },
        step: scenario.step,
        is_restless: options.is_restless,
        random,
    };
    for message in scenario.messages {
        let id = client.submit(&message.envelope()).unwrap();
        sides.seen.submitted.push((id, message));
    }
    client.quit();
    let mut pair = Pair::new(client, Server::new(scenario.server, now));
    if let Some(piece) = options.piece {
        pair = pair.in_pieces(piece);
    }
    if let Some((failure, after)) = options.failure {
        pair = pair.failing(failure, after);
    }
    let mut rounds = 0;
    while !pair.is_over() {
        sides.cancel(pair.client());
        pair.round(&mut sides);
        rounds += 1;
        assert!(rounds < 10_000, "the session does not end");
    }
    let Applications {
        mut seen, store, ..
    } = sides;
    seen.error = pair.client_error().cloned();
    seen.server = store.seen;
    seen.accepted = store.accepted.into_values().collect();
    if env::var_os("SEED").is_some() {
        println!("{:?} {:?}\n{seen:?}\n", options.policy, options.failure);
    }
    seen
}

impl Applications {
    fn cancel(&mut self, client: &mut Client) {
        let number = self.random.below(self.seen.submitted.len());
        if self.is_restless && self.random.one_in(50) {
            // Whether it is too late is for the outcome to tell.
            let _ = client.cancel(self.seen.submitted[number].0);
        }
    }
}

impl Sides for Applications {
    fn body(&mut self, request: BodyRequest) -> Option<Body<'_>> {
        if self.is_restless && self.random.one_in(3) {
            return None;
        }
        if self.is_restless && self.random.one_in(60) {
            return Some(Body::Failed(None));
        }
        let mut submitted = self.seen.submitted.iter();
        let (_, message) = submitted.find(|(id, _)| *id == request.message).unwrap();
        let position = usize::try_from(request.offset).unwrap();
        let left = &message.content[position..];
        Some(match left.get(..self.step - position % self.step) {
            Some(chunk) if chunk.len() < left.len() => Body::Chunk(chunk),
            _ => Body::Last(left),
        })
    }

    fn told(&mut self, _: &mut Client, event: Event<'_>) {
        self.seen.client.push(event.into_owned());
    }

    fn asked(&mut self, _: &mut Server, event: server::Event<'_>) {
        self.store.on_event(event);
    }

    fn decide(&mut self, server: &mut Server) -> bool {
        self.store.decide(server, &mut self.random)
    }

    fn passed(&mut self, from: Origin, bytes: &[u8]) {
        match from {
            Origin::Local => self.seen.to_server.extend_from_slice(bytes),
            Origin::Remote => self.seen.to_client.extend_from_slice(bytes),
        }
    }
}
