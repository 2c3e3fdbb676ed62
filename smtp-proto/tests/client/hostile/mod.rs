//! Whatever a server does, and whatever becomes of the connection, a client gives one true account of
//! each message (threats C), and sends nothing that it must not.

mod model;
#[path = "../../pair/random.rs"]
mod random;
mod server;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use self::{random::Random, server::Server};
use smtp_proto::{
    client::{
        Body, Client, Config, Demand, Duplex, Envelope, Event, MessageId, Outcome, Pipelining, Tls,
    },
    delivery::{Report, Reports},
    framing::LineBreaks,
    machine::{Dialect, Error, Misuse, TlsInfo},
    syntax::{Attribute, AttributeName, BodyType, Capabilities, Command, ForwardPath, Host, Reply},
};

/// Contents; no line of them is a command.
const BODIES: &[&[u8]] = &[
    b"content\r\n",
    b"content: of\r\n.several\r\n\r\nlines\r\n",
    b"",
    b".\r\n..\r\n.\r\n",
    b"content without an end",
    b"a bare\nline feed\r\n",
];
#[cfg(feature = "auth")]
const PASSWORD: &str = "tanstaaftanstaaf";
/// [`PASSWORD`] as LOGIN sends it, and within what PLAIN sends.
const ENCODED: [&str; 2] = ["dGFuc3RhYWZ0YW5zdGFhZg", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"];

struct Message {
    id: MessageId,
    body: &'static [u8],
    recipients: usize,
    /// How many recipients have to be accepted for anything of the content to leave.
    least: usize,
    is_last: bool,
    report: Option<Report>,
}

struct Session {
    client: Client,
    server: Server,
    now: Duration,
    /// What has left.
    wire: Vec<u8>,
    /// All that was ever offered after that, and how much of it no report has taken back.
    offered: Vec<u8>,
    exposed: usize,
    /// How much of what the server says the client was shown, and what it left of that.
    shown: usize,
    held: Vec<u8>,
    messages: Vec<Message>,
    reports: Reports,
    commands: BTreeSet<String>,
    error: Option<Error>,
    is_closed: bool,
    write_failed: bool,
    /// How much left in clear, once TLS has begun.
    clear: Option<usize>,
}

fn tls(random: &mut Random) -> Tls {
    [
        Tls::Off,
        Tls::Off,
        Tls::Opportunistic,
        Tls::Required,
        Tls::Implicit,
    ][random.below(5)]
}

fn config(tls: Tls, dialect: Dialect, window: usize, random: &mut Random) -> Config {
    let pipelining = [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
        Pipelining::Stream { window },
        Pipelining::Stream { window },
    ][random.below(5)];
    let tiny = Duplex::Half {
        bytes: 100,
        replies: 3,
    };
    let mut config = Config::new(Host::parse("client.example").unwrap())
        .tls(tls)
        .dialect(dialect)
        .pipelining(pipelining)
        .queue(1 + random.below(20))
        .duplex([Duplex::Full, Duplex::Full, Duplex::HALF, tiny][random.below(4)]);
    if random.one_in(8) {
        let offer = b"250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 PIPECONNECT\r\n";
        let known = Reply::parse(offer).unwrap();
        config = config.known_capabilities(Capabilities::parse(&known));
    }
    if random.one_in(3) {
        config = config.line_breaks(LineBreaks::Normalize);
    }
    if random.one_in(4) {
        config = config.traced();
    }
    if random.one_in(8) {
        config = config.report_put_off();
    }
    if random.one_in(20) {
        config = config.helo_only();
    }
    if random.one_in(8) {
        let demand = [Demand::IfOffered, Demand::Required][random.below(2)];
        let address = Attribute::address(AttributeName::Addr, [192, 0, 2, 1].into());
        config = config.xclient(demand, address);
    }
    config
}

#[cfg(feature = "auth")]
fn authenticate(client: &mut Client) {
    use smtp_proto::client::mechanism::{Login, Mechanism, Plain};
    let mechanisms: [Box<dyn Mechanism>; 2] = [
        Box::new(Plain::new("tim", PASSWORD)),
        Box::new(Login::new("tim", PASSWORD)),
    ];
    client.authenticate(mechanisms.into()).unwrap();
}

#[cfg(feature = "auth")]
fn with_credentials_in_clear(config: Config) -> Config {
    config.credentials_over(smtp_proto::sasl::Protection::InClear)
}

#[cfg(not(feature = "auth"))]
fn with_credentials_in_clear(config: Config) -> Config {
    config
}

#[cfg(not(feature = "auth"))]
fn authenticate(_: &mut Client) {}

impl Session {
    fn new(config: Config, dialect: Dialect, random: &mut Random) -> Self {
        let now = Duration::from_secs(random.below(100) as u64);
        Self {
            client: Client::new(config, now),
            server: Server::new(dialect == Dialect::Lmtp, random),
            now,
            wire: Vec::new(),
            offered: Vec::new(),
            exposed: 0,
            shown: 0,
            held: Vec::new(),
            messages: Vec::new(),
            reports: Reports::default(),
            commands: BTreeSet::new(),
            error: None,
            is_closed: false,
            write_failed: false,
            clear: None,
        }
    }

    fn submit(&mut self, random: &mut Random) {
        let number = self.messages.len();
        let sender = format!("<s{number}@example.org>");
        let mut envelope = Envelope::new(&*sender).unwrap().into_owned();
        let recipients = 1 + random.below(4);
        for position in 0..recipients {
            let domain = random.below(2);
            let path = format!("<r{position}@m{number}.d{domain}.example>");
            envelope = envelope.recipient(ForwardPath::parse(&path).unwrap().into_owned());
        }
        envelope = match random.below(5) {
            0 | 1 => envelope.body(BodyType::BinaryMime),
            2 => envelope.body(BodyType::EightBitMime).size(8),
            _ => envelope,
        };
        if random.one_in(3) {
            let origin = Attribute::new(AttributeName::Ident, &format!("m{number}"));
            envelope = envelope.xforward(origin);
        }
        let least = match random.below(16) {
            0 => {
                envelope = envelope.all_or_none();
                recipients
            }
            1 => {
                envelope = envelope.verify_only();
                usize::MAX
            }
            _ => 0,
        };
        let could = self.client.can_submit();
        match self.client.submit(&envelope) {
            Ok(id) => {
                assert_eq!(id.index(), number as u64);
                self.reports.expect(id, recipients);
                self.messages.push(Message {
                    id,
                    body: BODIES[random.below(BODIES.len()).min(random.below(20))],
                    recipients,
                    least,
                    is_last: false,
                    report: None,
                });
            }
            Err(_) => assert!(!could),
        }
    }

    /// Shows the client what the server has said up to `until`, and checks what it makes of it.
    fn show(&mut self, until: usize) {
        self.held
            .extend_from_slice(&self.server.stream[self.shown..until]);
        self.shown = until;
        let offered = self.offered.len();
        for reply in &mut self.server.said {
            if reply.end <= until {
                reply.shown_at.get_or_insert(offered);
            }
        }
        let held = core::mem::take(&mut self.held);
        let mut input = held.as_slice();
        loop {
            match self.client.poll_event(&mut input, self.now) {
                Ok(Some(event)) => self.note(event),
                Ok(None) => break,
                Err(error) => {
                    let first = self.error.get_or_insert_with(|| error.clone());
                    assert_eq!(*first, error, "errors stick");
                    break;
                }
            }
        }
        self.held = input.to_vec();
        let is_over = self.error.is_some() || self.is_closed;
        assert!(is_over || self.held.len() <= self.client.max_unconsumed());
        assert!(is_over == self.client.is_closed());
    }

    fn note(&mut self, event: Event<'_>) {
        assert!(self.error.is_none() && !self.is_closed, "{event:?}");
        match &event {
            Event::Answered { command, .. } | Event::Unanswered { command } => {
                assert!(self.commands.remove(&format!("{command:?}")), "twice");
            }
            Event::Closed => self.is_closed = true,
            _ => {}
        }
        let Some(report) = self.reports.observe(event) else {
            return;
        };
        let message = &mut self.messages[report.message.index() as usize];
        assert_eq!(message.recipients, report.recipients.len());
        let exposed = self.exposed.max(self.wire.len());
        let (wire, said) = (&self.offered[..exposed], &self.server.said);
        let mut may_have_left = self.server.reader.clone();
        may_have_left.read(wire, said);
        for (position, outcome) in report.recipients.iter().enumerate() {
            let number = message.id.index();
            may_have_left.check(number, position, outcome, said, message.body);
        }
        assert!(message.report.replace(report).is_none(), "twice");
    }

    /// Has the client write, with a transport and a source of contents that do what they like.
    fn write(&mut self, random: &mut Random) {
        let wanted = self.client.wants_body();
        let body = wanted.and_then(|wanted| {
            let message = &mut self.messages[wanted.message.index() as usize];
            if wanted.offset == 0 {
                message.is_last = false;
            }
            let rest = &message.body[wanted.offset as usize..];
            message.is_last |= random.below(3) > 0;
            let body = match random.below(120) {
                0 if random.one_in(5) => Body::Failed(None),
                1..20 => return None,
                20 if random.one_in(5) => Body::Chunk(&rest[..random.below(rest.len() + 1)]),
                _ if message.is_last => Body::Last(rest),
                _ => Body::Chunk(&rest[..random.below(rest.len() + 1)]),
            };
            Some((wanted, body))
        });
        let Some(transmit) = self.client.poll_transmit(body, self.now) else {
            return;
        };
        let bytes = transmit.slices().concat();
        assert!(self.error.is_none() && !self.write_failed);
        let left = self.wire.len();
        let known = &self.offered[left..];
        let both = known.len().min(bytes.len());
        assert_eq!(
            known[..both].escape_ascii().to_string(),
            bytes[..both].escape_ascii().to_string(),
            "offered anew, and otherwise"
        );
        if bytes.len() > known.len() {
            self.offered.truncate(left);
            self.offered.extend_from_slice(&bytes);
        }
        self.exposed = self.exposed.max(left + bytes.len());
        let written = match random.below(20) {
            0 => {
                self.exposed = self.wire.len();
                return transmit.blocked(self.now);
            }
            1 if random.one_in(20) => {
                transmit.failed();
                self.write_failed = true;
                return;
            }
            1..6 => random.below(bytes.len() + 1),
            _ => bytes.len(),
        };
        let consumed = transmit.wrote(written, self.now);
        self.wire.extend_from_slice(&bytes[..written]);
        self.exposed = self.wire.len();
        if let Some(wanted) = wanted {
            let next = self.client.wants_body();
            let same = next.filter(|next| next.message == wanted.message && next.offset > 0);
            let expected = wanted.offset + consumed as u64;
            assert!(same.is_none_or(|next| next.offset == expected));
        } else {
            assert_eq!(consumed, 0);
        }
    }

    fn handshake(&mut self, random: &mut Random) {
        self.show(self.shown);
        if !self.client.wants_tls() {
            return;
        }
        if random.one_in(20) {
            self.client.tls_failed();
        } else {
            self.server.begin_tls(self.shown);
            self.client
                .tls_established(TlsInfo::default(), self.now)
                .unwrap();
            self.clear = Some(self.wire.len());
        }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(40) {
            0..14 => self.write(random),
            14..22 => self.server.speak(&self.wire, random),
            22..32 => {
                let more = self.server.stream.len() - self.shown;
                let part = match random.below(4) {
                    0 => random.below(more + 1),
                    _ => more,
                };
                self.show(self.shown + part);
            }
            32..34 => self.submit(random),
            34..36 if self.client.wants_tls() => self.handshake(random),
            36 => match random.below(200) {
                0 => self.client.quit(),
                1 | 2 => self.client.shrink(),
                3 => self.client.handle_eof(),
                4 => self.client.write_failed(),
                5 => self.client.tls_failed(),
                6 if !self.client.wants_tls() => {
                    let misuse = self.client.tls_established(TlsInfo::default(), self.now);
                    assert_eq!(misuse, Err(Misuse::NoHandshake));
                }
                _ => {}
            },
            37 => {
                if let Ok(command) = self.client.command(&Command::Noop) {
                    self.commands.insert(format!("{command:?}"));
                }
            }
            38 if random.one_in(10) && !self.messages.is_empty() => {
                let message = &self.messages[random.below(self.messages.len())];
                let is_finished = message.report.is_some();
                let cancelled = self.client.cancel(message.id);
                assert!(!(is_finished && cancelled.is_ok()));
            }
            39 => {
                self.now += Duration::from_secs(random.below(20) as u64);
                if random.one_in(400) {
                    self.now += Duration::from_secs(random.below(1000) as u64);
                }
                self.client.handle_timeout(self.now);
            }
            _ => {}
        }
    }

    /// Ends the connection, and checks that nothing is left.
    fn end(&mut self, window: usize) {
        self.client.handle_eof();
        self.show(self.shown);
        self.show(self.shown);
        assert!(self.error.is_some() || self.is_closed, "an end");
        assert!(self.client.poll_transmit(None, self.now).is_none());
        assert!(!self.client.can_submit() && self.client.is_idle());
        assert_eq!(self.client.poll_timeout(), None);
        assert!(self.commands.is_empty(), "a command without an answer");
        let mut offered = self.server.reader.clone();
        offered.read(&self.offered, &self.server.said);
        let mut doubts = 0;
        for message in &self.messages {
            let report = message.report.as_ref().expect("an outcome");
            let (number, least) = (message.id.index(), message.least);
            assert!(!offered.has_content_for_fewer(number, least, &self.server.said));
            if report.recipients.contains(&Outcome::InDoubt) {
                doubts += 1;
                assert!(offered.has_end_of(number), "doubt of nothing");
            }
        }
        // While the refusal of a chunk, or of a stream's MAIL, is under suspicion its message has no
        // outcome, and the one after it goes on whose content was asked for.
        let has_chunks = contains(&self.offered, "BDAT ");
        let most = window + usize::from(has_chunks);
        assert!(doubts <= most, "{doubts} messages in doubt");
    }
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

/// Shows the dialogue of a session that panics.
impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (offered, said) = (&self.offered[..], &self.server.stream[..self.shown]);
            for (side, bytes) in [("client", offered), ("server", said)] {
                let mut lines: Vec<_> = bytes.split_inclusive(|it| *it == b'\n').collect();
                lines.dedup();
                for line in lines {
                    eprintln!("{side}: {}", line.escape_ascii());
                }
            }
            eprintln!("of the client's, {} have left", self.wire.len());
        }
    }
}

/// Runs one session, and returns what became of each recipient, by name.
fn run(seed: u64) -> Vec<&'static str> {
    let random = &mut Random::new(seed);
    let tls = tls(random);
    let dialect = [Dialect::Smtp, Dialect::Smtp, Dialect::Lmtp][random.below(3)];
    let window = 1 + random.below(4);
    let mut config = config(tls, dialect, window, random);
    let in_clear = random.one_in(4);
    if in_clear {
        config = with_credentials_in_clear(config);
    }
    let mut session = Session::new(config, dialect, random);
    if random.one_in(3) {
        authenticate(&mut session.client);
    }
    for _ in 0..random.below(4) {
        session.submit(random);
    }
    for _ in 0..50 + random.below(300) {
        session.step(random);
    }
    session.end(window);
    let clear = &session.offered[..session.clear.unwrap_or(session.offered.len())];
    if !in_clear || matches!(tls, Tls::Required | Tls::Implicit) {
        let leaks = ENCODED.iter().any(|secret| contains(clear, secret));
        assert!(!leaks, "a password in clear");
    }
    if matches!(tls, Tls::Required | Tls::Implicit) {
        assert!(
            !contains(clear, "MAIL") && !contains(clear, "AUTH"),
            "in clear"
        );
    }
    let reports = session.messages.iter().filter_map(|it| it.report.as_ref());
    let outcomes = reports.flat_map(|report| &report.recipients);
    let name = |outcome: &Outcome<'_>| match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Refused(_) => "refused",
        Outcome::NotSent(_) => "not sent",
        Outcome::InDoubt => "in doubt",
    };
    outcomes.map(name).collect()
}

/// Names the seed if its session panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={}", self.0);
        }
    }
}

/// REP-1..REP-9, TLS-6..TLS-8, AUT-8, EOD-12, threats C: one outcome for each recipient, and never a
/// wrong one.
#[test]
fn a_hostile_server_is_survived() {
    let number = |name, otherwise| {
        std::env::var(name).map_or(otherwise, |number| number.parse().expect("a number"))
    };
    let first = number("SEED", 1);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in first..first + number("SEEDS", 4000) {
        let named = Seed(seed);
        for outcome in run(seed) {
            *seen.entry(outcome).or_default() += 1;
        }
        drop(named);
    }
    // All of it happens.
    println!("{seen:?}");
    let all: usize = seen.values().sum();
    for outcome in ["delivered", "refused", "not sent", "in doubt"] {
        let share = seen.get(outcome).copied().unwrap_or_default();
        assert!(all < 1000 || share * 100 >= all, "{seen:?}");
    }
}
