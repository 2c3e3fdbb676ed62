//! Whatever a client sends, in whatever pieces, a server sees and answers the same; nothing that
//! came in clear is obeyed under TLS.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smtp_proto::{
    machine::{Dialect, TlsInfo},
    server::{Config, Event, ImproperPipelining, Server, Tls},
    syntax::{Capabilities, Code, Extension, Host, Reply},
};

const NOW: Duration = Duration::ZERO;
/// Stands between what is sent in one flight and what in the next, in the input.
const FLIGHT: u8 = 0xff;

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
    let mut server = setting.server();
    let (mut seen, mut held) = (Seen::default(), Vec::new());
    settle(&mut server, setting, &mut held, &mut seen);
    for flight in bytes.split(|&byte| byte == FLIGHT) {
        for bytes in flight.chunks(piece) {
            held.extend_from_slice(bytes);
            hear(&mut server, &mut held, &mut seen);
        }
        settle(&mut server, setting, &mut held, &mut seen);
    }
    server.handle_eof();
    settle(&mut server, setting, &mut held, &mut seen);
    seen
}

/// Lets the server write all that it has to say, and hear what it would not before.
fn settle(server: &mut Server, setting: Setting, held: &mut Vec<u8>, seen: &mut Seen) {
    loop {
        hear(server, held, seen);
        let before = seen.replies.len();
        loop {
            let Some(transmit) = server.poll_transmit(NOW) else { break };
            seen.replies.extend(transmit.slices().concat());
            let written = transmit.len();
            transmit.wrote(written, NOW);
        }
        if server.wants_tls() {
            assert!(held.is_empty(), "bytes in clear are left where TLS begins");
            seen.events.push("handshake".to_owned());
            match setting.is_set(6) {
                true => server.tls_failed(),
                false => server.tls_established(TlsInfo::default(), NOW).expect("a handshake is due"),
            }
        } else if seen.replies.len() == before {
            return;
        }
    }
}

fn hear(server: &mut Server, held: &mut Vec<u8>, seen: &mut Seen) {
    let mut input = held.as_slice();
    while let Ok(Some(event)) = server.poll_event(&mut input, NOW) {
        if let Event::Content { bytes, .. } = event {
            seen.content.extend_from_slice(bytes);
            continue;
        }
        let text = format!("{event:?}");
        seen.events.push(text.split("Ticket").next().unwrap_or_default().to_owned());
        let refused = match event {
            Event::Auth { ticket, initial_response: None, .. } => server.challenge(ticket, b"who?"),
            Event::Auth { ticket, .. } | Event::AuthResponse { ticket, .. } => {
                server.reply(ticket, Reply::new(Code::new(535).expect("a code"), "no").expect("a reply"))
            }
            Event::Connected { ticket }
            | Event::Hello { ticket, .. }
            | Event::StartTls { ticket }
            | Event::Mail { ticket, .. }
            | Event::Rcpt { ticket, .. }
            | Event::Data { ticket, .. }
            | Event::Vrfy { ticket, .. }
            | Event::Expn { ticket, .. }
            | Event::Help { ticket, .. }
            | Event::Etrn { ticket, .. }
            | Event::XClient { ticket, .. }
            | Event::XForward { ticket, .. }
            | Event::Delivery { ticket, .. }
            | Event::Message { ticket, .. } => server.accept(ticket),
            _ => Ok(()),
        };
        refused.expect("an open ticket");
    }
    let used = held.len() - input.len();
    held.drain(..used);
    assert!(held.len() <= server.max_unconsumed() || server.is_closed() || !server.wants_read());
}

fuzz_target!(|input: &[u8]| {
    let Some((&setting, bytes)) = input.split_first_chunk() else { return };
    let setting = Setting(setting);
    let whole = run(setting, bytes, usize::MAX);
    assert_eq!(run(setting, bytes, 1), whole);
});
