//! What a seed makes of a session: who offers what, what is sent, and how it will be taken.

use core::time::Duration;

use smtp_proto::{
    client::{Config, Duplex, Envelope, Pipelining, Unpermitted},
    machine::Dialect,
    server,
    syntax::{BodyType, Capabilities, Extension, ForwardPath, Host},
};

use crate::random::Random;

/// One session, before anything of it happens.
pub(crate) struct Scenario {
    pub(crate) client: Config,
    pub(crate) server: server::Config,
    pub(crate) messages: Vec<Message>,
    /// How many recipients the application takes in a transaction; the others get 452.
    pub(crate) most_recipients: usize,
    /// The server takes fewer messages, or recipients, than there may be.
    pub(crate) is_limited: bool,
    pub(crate) is_lmtp: bool,
    /// Contents are presented up to the next multiple of so many bytes.
    pub(crate) step: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) is_binary: bool,
    pub(crate) aim: Aim,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    Any,
    AllOrNone,
    /// Nobody: the server is only asked about them.
    Verify,
}

impl Scenario {
    pub(crate) fn new(policy: Pipelining, random: &mut Random) -> Self {
        let host = |name| Host::parse(name).unwrap();
        let half = Duplex::Half {
            bytes: 200,
            replies: 6,
        };
        let duplex = if random.one_in(2) { Duplex::Full } else { half };
        let dialect = match random.below(3) {
            0 => Dialect::Lmtp,
            _ => Dialect::Smtp,
        };
        let binary = random.one_in(3);
        let mut offer = Capabilities::new()
            .with(Extension::Pipelining)
            .with(Extension::Chunking);
        if binary {
            offer = offer
                .with(Extension::BinaryMime)
                .with(Extension::EightBitMime);
        }
        let limits = ["", "RCPTMAX=2", "RCPTMAX=1 RCPTDOMAINMAX=3", "MAILMAX=3"];
        let limits = limits[random.below(3 * limits.len()) % limits.len()];
        if !limits.is_empty() {
            offer = offer.with_keyword("LIMITS", limits).unwrap();
        }
        let mut client = Config::new(host("client.example"))
            .pipelining(policy)
            .dialect(dialect)
            .duplex(duplex)
            .eight_bit(Unpermitted::Send);
        if random.one_in(3) {
            offer = offer.with_keyword("PIPECONNECT", "").unwrap();
            client = client.known_capabilities(offer.clone());
        }
        let messages = (0..1 + random.below(8))
            .map(|number| Message::new(number, binary, random))
            .collect();
        Self {
            client,
            // Refused senders and recipients are many here, and time stands still.
            server: server::Config::new(host("mx.example"))
                .slow_down(0, Duration::ZERO)
                .max_errors(1000)
                .offer(offer)
                .dialect(dialect),
            messages,
            most_recipients: [usize::MAX, 1, 3][random.below(3)],
            is_lmtp: dialect == Dialect::Lmtp,
            is_limited: limits.contains("MAILMAX") || limits.contains("DOMAIN"),
            step: [usize::MAX, 5, 32][random.below(3)],
        }
    }
}

impl Message {
    /// Addresses with `bad` in them are refused, those with `full` only once the content is there,
    /// where the protocol is LMTP; so are contents with `X-Bad`.
    fn new(number: usize, may_be_binary: bool, random: &mut Random) -> Self {
        let bad = |random: &mut Random| if random.one_in(5) { "bad" } else { "good" };
        let sender = format!("{}{number}@example.org", bad(random));
        let recipients = (0..=random.below(4))
            .map(|n| {
                let full = if random.one_in(4) { "full" } else { "" };
                format!("{full}{}{n}@{}.example", bad(random), random.below(4))
            })
            .collect();
        let is_binary = may_be_binary && random.one_in(2);
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
                _ if is_binary => b"\r\r\n.\n",
                _ => b"a line of text\r\n",
            };
            content.extend_from_slice(line);
        }
        Self {
            sender,
            recipients,
            content,
            is_binary,
            aim: match random.below(10) {
                0 => Aim::Verify,
                1 | 2 => Aim::AllOrNone,
                _ => Aim::Any,
            },
        }
    }

    pub(crate) fn envelope(&self) -> Envelope<'_> {
        let mut envelope = Envelope::new(&*self.sender).unwrap();
        for recipient in &self.recipients {
            envelope = envelope.recipient(ForwardPath::parse(recipient).unwrap());
        }
        let envelope = match self.aim {
            Aim::Any => envelope,
            Aim::AllOrNone => envelope.all_or_none(),
            Aim::Verify => envelope.verify_only(),
        };
        match self.is_binary {
            true => envelope.body(BodyType::BinaryMime),
            false => envelope,
        }
    }
}
