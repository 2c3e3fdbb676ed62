//! Any split, any short write, any order of verdicts: the same events and the same bytes.

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::Dialect;
use smtp_proto::server::{Config, ImproperPipelining, Review};
use smtp_proto::syntax::{Capabilities, Extension};

/// A small generator of random numbers (xorshift64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

pub(crate) const PIECES: &[&str] = &[
    "MAIL FROM:<a@x.example>\r\n",
    "MAIL FROM:<no@x.example>\r\n",
    "MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME\r\n",
    "MAIL FROM:<a\r\n",
    "RCPT TO:<b@x.example>\r\n",
    "RCPT TO:<b@x.example>\r\n",
    "RCPT TO:<no@x.example>\r\n",
    "RCPT TO:<c@x.example> FOO\r\n",
    "DATA\r\n",
    "DATA\r\nx\r\n.\r\n",
    "BDAT 3\r\nx\r\n",
    "BDAT 4 LAST\r\nQUIT",
    "BDAT 3 LAST\r\na\rb",
    "BDAT 0 LAST\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY x\r\n",
    "EHLO d.example\r\n",
    "HELO d.example\r\n",
    "FOO\r\n",
    "ETRN x.example\r\n",
    "XCLIENT NAME=x LOGIN=no\r\n",
    "XFORWARD NAME=x\r\n",
    "XLANE a b\r\n",
    "STARTTLS x\r\n",
    "AUTH PLAIN\r\n",
    "AUTH PLAIN bm8=\r\n",
    "AUTH PLAIN AAAA\r\n",
    "AAAA\r\n",
    "*\r\n",
    "x\n.\n\r\n.\r\n",
    ".\r\n",
    "\r\n",
    "\r",
    "\n",
];

/// Decides over what an event asks.
fn decide(name: &str) -> Decision {
    if name.contains("<no@") || name.contains("\"no\"") || name.starts_with("delivery 2.1") {
        Decision::Reply("550 5.7.1 no")
    } else if name.starts_with("auth") && name.ends_with("None") {
        Decision::Challenge(b"")
    } else {
        Decision::Accept
    }
}

#[cfg(feature = "auth")]
pub(crate) fn authenticating(config: Config) -> Config {
    let config = config.mechanisms(["PLAIN"]).unwrap();
    config.allow_plain_text_auth().max_auth_failures(5)
}

#[cfg(not(feature = "auth"))]
pub(crate) fn authenticating(config: Config) -> Config {
    config
}

pub(crate) fn everything() -> Capabilities {
    [
        Extension::Pipelining,
        Extension::Size,
        Extension::EightBitMime,
        Extension::Chunking,
        Extension::EnhancedStatusCodes,
        Extension::Etrn,
        Extension::XClient,
        Extension::XForward,
    ]
    .into_iter()
    .fold(Capabilities::new(), Capabilities::with)
}

/// Runs a session on `wire`; `random` decides over splits, writes and the time of verdicts.
fn run(
    wire: &[u8],
    dialect: Dialect,
    review: Option<Review>,
    mut random: Option<Random>,
) -> (Vec<String>, Vec<Vec<u8>>, String) {
    let hold = random.is_some();
    let config = authenticating(config())
        .dialect(dialect)
        .improper_pipelining(ImproperPipelining::Tolerate)
        .offer(everything())
        .command("XLANE")
        .unwrap()
        .max_errors(1000);
    let config = match review {
        Some(review) => config.review(review),
        None => config,
    };
    let mut peer = Peer::silent(config);
    peer.send("");
    peer.events();
    let mut peer = peer.deciding(move |event| match hold {
        true => Decision::Hold,
        false => decide(&crate::peer::describe(event)),
    });
    let mut got = String::new();
    let mut wire = wire;
    loop {
        let size = random
            .as_mut()
            .map_or(wire.len(), |random| random.below(9).min(wire.len()));
        let (now, later) = wire.split_at(size);
        wire = later;
        if later.is_empty() {
            peer.server.handle_eof();
        }
        peer.write_size = random
            .as_mut()
            .map_or(usize::MAX, |random| 1 + random.below(50));
        got += &peer.send_bytes(now);
        if let Some(random) = &mut random
            && !peer.tickets.is_empty()
            && random.below(3) == 0
        {
            let (name, ticket) = peer.tickets.remove(random.below(peer.tickets.len()));
            let decision = decide(&name);
            peer.apply(name, ticket, decision);
        }
        if peer.server.is_closed() {
            break;
        }
    }
    // How sure it is that a reply arrived depends on when it was written, what ends with the
    // connection on when the verdicts were given, and how much is delivered of content that is
    // refused then on how it came: all rightly so. So does whether a transaction is still under way
    // at a command that does not wait.
    let mut events = peer.events();
    for event in events.iter_mut().filter(|it| it.starts_with("reply")) {
        event.truncate(event.rfind(' ').unwrap_or_default());
    }
    events.retain(|it| {
        !it.starts_with("acknowledged") && !it.ends_with("Ended") && !it.starts_with("content")
    });
    (events, peer.messages, got)
}

/// RES-5, EOD-10, 2920-3.2-a
#[test]
fn splits_writes_and_verdicts_make_no_difference() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    for seed in seed..seed + 2000 {
        let mut random = Random::new(seed);
        let (dialect, hello) = match random.below(3) {
            0 => (Dialect::Lmtp, "LHLO"),
            _ => (Dialect::Smtp, "EHLO"),
        };
        let mut wire = format!("{hello} c.example\r\n").into_bytes();
        for _ in 0..random.below(25) {
            let piece = random.pick(PIECES).replace("EHLO", hello);
            // A bare LF in a command ends all the rest.
            let is_last = piece.contains('\n') && !piece.contains("\r\n") || piece.starts_with('x');
            if is_last && random.below(6) != 0 {
                continue;
            }
            wire.extend_from_slice(piece.as_bytes());
        }
        if random.below(2) == 0 {
            wire.extend_from_slice(b"QUIT\r\n");
        }
        let review = [None, Some(Review::Refusals), Some(Review::All)][random.below(3)];
        let whole = run(&wire, dialect, review, None);
        let split = run(&wire, dialect, review, Some(random));
        assert_eq!(split, whole, "SEED={seed}: {}", wire.escape_ascii());
    }
}

/// No bytes make the machine panic, or leave more unconsumed than it says.
#[test]
fn random_bytes() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    for seed in seed..seed + 300 {
        let mut random = Random::new(!seed);
        let mut peer = Peer::greeted(
            config()
                .improper_pipelining(ImproperPipelining::Tolerate)
                .max_errors(10_000),
        );
        for _ in 0..300 {
            let mut bytes: Vec<u8> = match random.below(3) {
                0 => (0..random.below(40))
                    .map(|_| random.below(256) as u8)
                    .collect(),
                _ => random.pick(PIECES).into(),
            };
            if random.below(4) == 0 && !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            peer.send_bytes(&bytes);
            assert!(
                peer.unconsumed.len() < peer.server.max_unconsumed(),
                "SEED={seed}"
            );
        }
    }
}
