//! Whatever a client sends, in whatever pieces, a server sees and answers the same; nothing that
//! came in clear is obeyed under TLS.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smtp_proto::{
    machine::{Dialect, TlsInfo},
    server::{Config, Event, ImproperPipelining, Server, Tls},
    syntax::{Capabilities, Code, Extension, Host, Reply},
    testing::End,
};

const NOW: Duration = Duration::ZERO;
/// Stands between what is sent in one flight and what in the next, in the input.
const FLIGHT: u8 = 0xff;
/// The header of a proxy, which is known only where it comes whole.
const PROXY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The first bytes of the input.
#[derive(Clone, Copy)]
struct Setting([u8; 2]);

impl Setting {
    fn is_set(self, bit: u8) -> bool {
        self.0[1] & 1 << bit != 0
    }

    fn server(self) -> Server {
        let mut offer = Capabilities::new()
            .with(Extension::Pipelining)
            .with(Extension::Chunking);
        if self.is_set(0) {
            for extension in [
                Extension::BinaryMime,
                Extension::SmtpUtf8,
                Extension::Dsn,
                Extension::Etrn,
                Extension::XClient,
                Extension::XForward,
            ] {
                offer = offer.with(extension);
            }
            for (keyword, value) in [("LIMITS", "MAILMAX=2 RCPTMAX=1"), ("PIPECONNECT", "")] {
                offer = offer.with_keyword(keyword, value).expect("a keyword");
            }
        }
        let mut config = Config::new(Host::parse("s.example").expect("a host"))
            .offer(offer)
            // Time stands still.
            .slow_down(0, Duration::ZERO)
            .tls(match self.0[0] & 3 {
                0 => Tls::Off,
                1 => Tls::Offered,
                2 => Tls::Required,
                _ => Tls::Implicit,
            });
        if self.is_set(1) {
            config = config.dialect(Dialect::Lmtp);
        }
        if self.is_set(2) {
            config = config.improper_pipelining(ImproperPipelining::Tolerate);
        }
        if self.is_set(3) {
            config = config.mechanisms(["PLAIN", "LOGIN", "X-MINE"]).expect("names");
        }
        if self.is_set(4) {
            config = config.allow_plain_text_auth();
        }
        if self.is_set(5) {
            config = config.require_auth();
        }
        Server::new(config, NOW)
    }
}

#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<String>,
    content: Vec<u8>,
    replies: Vec<u8>,
}

/// Feeds flight after flight in pieces; reads what is answered, or does the handshake, after each.
fn run(setting: Setting, bytes: &[u8], piece: usize) -> Seen {
    let mut server = End::new(setting.server()).in_pieces(piece);
    let mut seen = Seen::default();
    seen.settle(&mut server, setting);
    for flight in bytes.split(|&byte| byte == FLIGHT) {
        server.feed(flight);
        seen.settle(&mut server, setting);
    }
    server.handle_eof();
    seen.settle(&mut server, setting);
    seen
}

impl Seen {
    /// Lets the server write all that it has to say, and hear what it would not before.
    fn settle(&mut self, server: &mut End<Server>, setting: Setting) {
        loop {
            let _ = server.hear(NOW, |server, event| self.hear(server, event));
            let is_bounded = server.unread().len() <= server.max_unconsumed();
            assert!(is_bounded || server.is_closed() || !server.wants_read());
            let before = self.replies.len();
            server.speak(NOW, &mut self.replies);
            if server.wants_tls() {
                assert!(server.unread().is_empty(), "bytes in clear are left where TLS begins");
                self.events.push("handshake".to_owned());
                match setting.is_set(6) {
                    true => server.tls_failed(),
                    false => server.tls_established(TlsInfo::default(), NOW).expect("a handshake is due"),
                }
            } else if self.replies.len() == before {
                return;
            }
        }
    }

    fn hear(&mut self, server: &mut Server, event: Event<'_>) {
        if let Event::Content { bytes, .. } = event {
            self.content.extend_from_slice(bytes);
            return;
        }
        let text = format!("{event:?}");
        self.events.push(text.split("Ticket").next().unwrap_or_default().to_owned());
        let refused = match event {
            Event::Auth { ticket, initial_response: None, .. } => server.challenge(ticket, b"who?"),
            Event::Auth { ticket, .. } | Event::AuthResponse { ticket, .. } => {
                server.reply(ticket, Reply::new(Code::new(535).expect("a code"), "no").expect("a reply"))
            }
            event => event.into_ticket().map_or(Ok(()), |ticket| server.accept(ticket)),
        };
        refused.expect("an open ticket");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&setting, bytes)) = input.split_first_chunk() else { return };
    let setting = Setting(setting);
    let mut flights = bytes.split(|&byte| byte == FLIGHT);
    let first = flights.find(|flight| !flight.is_empty());
    if first.is_some_and(|flight| flight.starts_with(PROXY_SIGNATURE)) {
        return;
    }
    let whole = run(setting, bytes, usize::MAX);
    assert_eq!(run(setting, bytes, 1), whole);
});
