//! One session over one link.

use std::env;

use smtp_proto::{
    client::{Body, BodyRequest, Client, Event, MessageId, Pipelining},
    machine::{Misuse, Origin},
    server::{self, Server},
    syntax::{Command, ForwardPath},
    testing::{Failure, Pair, Sides},
};

use crate::{
    account::Seen,
    random::Random,
    scenario::{Message, Scenario},
    store::Store,
};

pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) policy: Pipelining,
    /// The most bytes in one read or write.
    pub(crate) piece: Option<usize>,
    pub(crate) failure: Option<(Failure, u64)>,
    /// Messages, recipients, contents and verdicts come late or not at all, messages are cancelled, and
    /// other commands sent.
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

/// An envelope that is open.
struct Open {
    /// The place of its message among those submitted, and its name.
    message: (usize, MessageId),
    /// The recipients still to come, the last first.
    rest: Vec<String>,
}

/// The applications on both sides, and what they see.
struct Applications {
    store: Store,
    seen: Seen,
    /// The messages still to be submitted, the last first.
    waiting: Vec<Message>,
    open: Vec<Open>,
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
            is_lmtp: scenario.is_lmtp,
            ..Seen::default()
        },
        step: scenario.step,
        waiting: scenario.messages,
        open: Vec::new(),
        is_restless: options.is_restless,
        random,
    };
    sides.waiting.reverse();
    if !options.is_restless {
        while let Some(message) = sides.waiting.pop() {
            sides.submit(message, &mut client);
        }
        client.quit();
    }
    let mut pair = Pair::new(client, Server::new(scenario.server, now));
    if let Some(piece) = options.piece {
        pair = pair.in_pieces(piece);
    }
    if let Some((failure, after)) = options.failure {
        pair = pair.failing(failure, after);
    }
    let mut rounds = 0;
    while !pair.is_over() {
        if options.is_restless {
            sides.act(pair.client());
        }
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
    /// Does what comes to the client's application, and says that there is nothing more when all is sent.
    /// What the client does not take any more, as the session is over, is nobody's.
    fn act(&mut self, client: &mut Client) {
        if self.random.one_in(3)
            && let Some(message) = self.waiting.pop()
        {
            match self.random.one_in(3) {
                true => self.begin(message, client),
                false => self.submit(message, client),
            }
        }
        if self.random.one_in(2)
            && let Some(open) = self.open.pop()
        {
            self.go_on(open, client);
        }
        if self.random.one_in(20)
            && let Ok(id) = client.command(&Command::Noop)
        {
            self.seen.commands.push(id);
        }
        if self.random.one_in(50) && !self.seen.submitted.is_empty() {
            let number = self.random.below(self.seen.submitted.len());
            // Whether it is too late is for the outcome to tell.
            let _ = client.cancel(self.seen.submitted[number].0);
        }
        if self.waiting.is_empty() && self.open.is_empty() {
            client.quit();
        }
    }

    fn submit(&mut self, message: Message, client: &mut Client) {
        if let Ok(id) = client.submit(&message.envelope()) {
            self.seen.submitted.push((id, message));
        }
    }

    /// Submits a message whose recipients come one by one.
    fn begin(&mut self, mut message: Message, client: &mut Client) {
        let mut rest = std::mem::take(&mut message.recipients);
        rest.reverse();
        if let Ok(id) = client.begin(&message.envelope()) {
            let message_at = (self.seen.submitted.len(), id);
            self.seen.submitted.push((id, message));
            self.open.push(Open {
                message: message_at,
                rest,
            });
        }
    }

    /// Adds the next recipient, or ends the envelope after the last.
    fn go_on(&mut self, mut open: Open, client: &mut Client) {
        let (at, id) = open.message;
        let added = match open.rest.pop() {
            Some(name) => {
                let path = ForwardPath::parse(&name).unwrap();
                let added = client.add_recipient(id, path, None);
                added.map(|_| self.seen.submitted[at].1.recipients.push(name))
            }
            None => match client.end(id) {
                Ok(()) | Err(Misuse::UnknownMessage) => return,
                Err(refused) => Err(refused),
            },
        };
        match added {
            Ok(()) | Err(Misuse::RecipientLimit) => self.open.push(open),
            // Nobody came to be in it.
            Err(Misuse::NoRecipient) => drop(client.cancel(id)),
            Err(refused) => assert_eq!(refused, Misuse::UnknownMessage),
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
        self.store.on_event(event, &mut self.random);
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
