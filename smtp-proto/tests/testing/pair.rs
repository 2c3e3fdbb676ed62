//! A client and a server, joined.

use std::time::Duration;

use smtp_proto::{
    client::{self, Body, BodyRequest, Client, Duplex, Envelope, Event, Outcome},
    machine::{Fault, Origin},
    server::{self, Server, Ticket},
    syntax::Host,
    testing::{Failure, Pair, Sides},
};

const CONTENT: &[u8] = b"Subject: x\r\n\r\n.dot\r\n";
const TO_SERVER: &str = "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@test.example>\r\n\
    DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
const TO_CLIENT: &str = "220 test.example ESMTP\r\n250-test.example\r\n250-PIPELINING\r\n\
    250-SIZE 10240000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 HELP\r\n\
    250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n\
    250 2.0.0 Message accepted\r\n221 2.0.0 test.example closing connection\r\n";

/// What both sides see of one message, which the server takes.
#[derive(Default)]
struct Seen {
    to_server: String,
    to_client: String,
    taken: Vec<u8>,
    outcome: Option<Outcome<'static>>,
    /// The verdict over the message is given later, if it is wanted so.
    is_late: bool,
    verdict: Option<Ticket>,
}

impl Sides for Seen {
    fn body(&mut self, request: BodyRequest) -> Option<Body<'_>> {
        Some(Body::Last(&CONTENT[request.offset as usize..]))
    }

    fn told(&mut self, _: &mut Client, event: Event<'_>) {
        if let Event::Finished { outcome, .. } = event {
            assert_eq!(self.outcome.replace(outcome.into_owned()), None);
        }
    }

    fn asked(&mut self, server: &mut Server, event: server::Event<'_>) {
        match event {
            server::Event::Content { bytes, .. } => self.taken.extend_from_slice(bytes),
            server::Event::Message { ticket, .. } if self.is_late => self.verdict = Some(ticket),
            event => {
                if let Some(ticket) = event.into_ticket() {
                    server.accept(ticket).unwrap();
                }
            }
        }
    }

    fn decide(&mut self, server: &mut Server) -> bool {
        let ticket = self.verdict.take_if(|_| !self.is_late);
        ticket.is_some_and(|ticket| server.accept(ticket).is_ok())
    }

    fn passed(&mut self, from: Origin, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        match from {
            Origin::Local => self.to_server += text,
            Origin::Remote => self.to_client += text,
        }
    }
}

fn pair() -> Pair {
    let config = client::Config::new(Host::parse("c.example").unwrap()).duplex(Duplex::Full);
    let mut client = Client::new(config, Duration::ZERO);
    let envelope = Envelope::new("a@c.example").unwrap();
    let envelope = envelope.to("b@test.example").unwrap();
    client.submit(&envelope).unwrap();
    client.quit();
    let config = server::Config::new(Host::parse("test.example").unwrap());
    Pair::new(client, Server::new(config, Duration::ZERO))
}

#[test]
fn a_session_passes_in_any_pieces() {
    for piece in [1, 2, 3, 64, usize::MAX] {
        let (mut pair, mut seen) = (pair().in_pieces(piece), Seen::default());
        pair.run(&mut seen);
        assert!(pair.is_over());
        assert_eq!((pair.client_error(), pair.server_error()), (None, None));
        assert_eq!(seen.to_server, TO_SERVER);
        assert_eq!(seen.to_client, TO_CLIENT);
        assert_eq!(seen.taken, CONTENT);
        assert!(matches!(seen.outcome, Some(Outcome::Delivered(_))));
    }
}

/// So many bytes pass, and no more.
#[test]
fn a_connection_fails_at_a_byte() {
    let all = TO_SERVER.len() + TO_CLIENT.len();
    for failure in [Failure::Cut, Failure::WriteFails, Failure::ServerLost] {
        for after in 0..all {
            let mut pair = pair().in_pieces(5).failing(failure, after as u64);
            let mut seen = Seen::default();
            pair.run(&mut seen);
            assert!(pair.is_over(), "{failure:?} {after}");
            let passed = seen.to_server.len() + seen.to_client.len();
            assert_eq!(passed, after, "{failure:?}: {:?}", seen.to_client);
            assert!(TO_SERVER.starts_with(&seen.to_server));
            assert!(TO_CLIENT.starts_with(&seen.to_client));
            assert!(seen.outcome.is_some());
        }
    }
    // In the middle of MAIL.
    let after = TO_CLIENT.find("250 2.1.0").unwrap() + TO_SERVER.find("FROM").unwrap();
    let mut pair = pair().failing(Failure::Closing, after as u64);
    let mut seen = Seen::default();
    pair.run(&mut seen);
    assert!(seen.to_client.ends_with("\r\n421 4.3.2 Shutting down\r\n"));
    assert_eq!(pair.client_error().unwrap().fault(), Fault::Closing);
    assert!(matches!(seen.outcome, Some(Outcome::NotSent(_))));
}

/// Nothing happens by itself: verdicts are given, and time passes, when the test says so.
#[test]
fn verdicts_and_timers_wait_for_the_test() {
    let late = || Seen {
        is_late: true,
        ..Seen::default()
    };
    let (mut pair, mut seen) = (self::pair(), late());
    pair.run(&mut seen);
    assert!(!pair.is_over() && seen.outcome.is_none());
    seen.is_late = false;
    pair.run(&mut seen);
    assert!(pair.is_over());
    assert!(matches!(seen.outcome, Some(Outcome::Delivered(_))));

    let (mut pair, mut seen) = (self::pair(), late());
    pair.run(&mut seen);
    pair.wait(Duration::from_secs(540));
    assert_eq!(pair.now(), Duration::from_secs(540));
    pair.run(&mut seen);
    // The server's time for verdicts is shorter than the client's patience.
    assert!(
        matches!(seen.outcome, Some(Outcome::Refused(_))),
        "{:?}",
        seen.outcome
    );
}
