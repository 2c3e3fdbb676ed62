//! Whatever a server says, in whatever pieces, a client reports the same, and one outcome a message;
//! nothing leaves in clear that TLS was required for.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smtp_proto::{
    client::{
        Body, BodyRequest, Client, Config, Envelope, Pipelining, Tls,
        mechanism::{Login, Mechanism, Plain, Protection},
    },
    machine::{Dialect, TlsInfo},
    syntax::{Capabilities, ForwardPath, Host, Reply, ReversePath},
    testing::End,
};

const NOW: Duration = Duration::ZERO;
/// What is known of the server beforehand, if anything is.
const KNOWN: &[u8] = b"250-s\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-LIMITS RCPTMAX=1\r\n250 PIPECONNECT\r\n";

/// The first bytes of the input.
#[derive(Clone, Copy)]
struct Setting([u8; 2]);

impl Setting {
    fn is_set(self, bit: u8) -> bool {
        self.0[1] & 1 << bit != 0
    }

    fn tls(self) -> Tls {
        match self.0[0] >> 4 & 3 {
            0 => Tls::Off,
            1 => Tls::Opportunistic,
            2 => Tls::Required,
            _ => Tls::Implicit,
        }
    }

    fn client(self) -> Client {
        let mut config = Config::new(Host::parse("c.example").expect("a host"))
            .tls(self.tls())
            .pipelining(match self.0[0] & 3 {
                0 => Pipelining::LockStep,
                1 => Pipelining::Group,
                2 => Pipelining::LookAhead,
                _ => Pipelining::Stream { window: 2 },
            });
        if self.is_set(0) {
            config = config.dialect(Dialect::Lmtp);
        }
        if self.is_set(1) {
            let known = Reply::parse(KNOWN).expect("a reply");
            config = config.known_capabilities(Capabilities::parse(&known));
        }
        if self.is_set(2) {
            config = config.credentials_over(Protection::InClear);
        }
        let mut client = Client::new(config, NOW);
        if self.is_set(3) {
            let mechanisms: [Box<dyn Mechanism>; 2] =
                [Box::new(Plain::new("u", "secret")), Box::new(Login::new("u", "secret"))];
            client.authenticate(mechanisms.into()).expect("the session begins");
        }
        client
    }
}

/// What the client tells, and writes.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<String>,
    wire: Vec<u8>,
}

/// Feeds line after line, in pieces, and writes, or does the handshake, after each.
fn run(setting: Setting, bytes: &[u8], piece: usize) -> Seen {
    let mut client = End::new(setting.client()).in_pieces(piece);
    let envelope = Envelope::new(ReversePath::Null)
        .unwrap()
        .recipient(ForwardPath::parse("<a@example.net>").expect("a path"))
        .recipient(ForwardPath::parse("<b@example.net>").expect("a path"));
    for _ in 0..3 {
        client.submit(&envelope).expect("room");
    }
    client.quit();
    let (mut seen, mut clear) = (Seen::default(), None);
    for line in [&b""[..]].into_iter().chain(bytes.split_inclusive(|&byte| byte == b'\n')) {
        client.feed(line);
        seen.turn(&mut client);
        if client.wants_tls() && client.unread().is_empty() {
            match setting.is_set(4) {
                true => client.tls_failed(),
                false => client.tls_established(TlsInfo::default(), NOW).expect("a handshake is due"),
            }
            clear.get_or_insert(seen.wire.len());
            seen.turn(&mut client);
        }
    }
    client.handle_eof();
    seen.turn(&mut client);
    let finished = seen.events.iter().filter(|event| event.starts_with("Finished"));
    assert_eq!(finished.count(), 3, "one outcome each");
    if matches!(setting.tls(), Tls::Required | Tls::Implicit) {
        let clear = &seen.wire[..clear.unwrap_or(seen.wire.len())];
        let leaks = |verb: &[u8]| clear.windows(verb.len()).any(|bytes| bytes == verb);
        assert!(!leaks(b"MAIL") && !leaks(b"AUTH"), "in clear");
    }
    seen
}

impl Seen {
    /// Has the client hear what has come, and write.
    fn turn(&mut self, client: &mut End<Client>) {
        let _ = client.hear(NOW, |_, event| self.events.push(format!("{event:?}")));
        assert!(client.unread().len() <= client.max_unconsumed() || client.is_closed());
        let body = |request: BodyRequest| Some(Body::Last(&b".\r\n"[request.offset as usize..]));
        client.speak(NOW, body, &mut self.wire);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&setting, bytes)) = input.split_first_chunk() else { return };
    let setting = Setting(setting);
    let whole = run(setting, bytes, usize::MAX);
    assert_eq!(run(setting, bytes, 1), whole);
});
