//! A client, a transport and an application around one server, all under the test's control.

use core::time::Duration;

use smtp_proto::machine::{Error, Fault};
use smtp_proto::server::{Config, Event, Server, Ticket, TransactionId};
use smtp_proto::syntax::{Host, Reply};

/// The answer to EHLO under [`config`].
pub(crate) const OFFER: &str = "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n\
    250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 HELP\r\n";
pub(crate) const ENVELOPE: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n";
/// The answers to [`ENVELOPE`] and DATA.
pub(crate) const GO: &str = "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
    354 End content with <CRLF>.<CRLF>\r\n";
pub(crate) const TAKEN: &str = "250 2.0.0 Message accepted\r\n";

/// Sends a text at once, or byte by byte.
pub(crate) const WAYS: [fn(&mut Peer, &str) -> String; 2] = [Peer::send, Peer::trickle];

/// What the application does with a ticket.
pub(crate) enum Decision {
    Accept,
    Reply(&'static str),
    /// Challenges a client that authenticates itself.
    Challenge(&'static [u8]),
    /// Keeps it in [`Peer::tickets`].
    Hold,
}

pub(crate) struct Peer {
    pub(crate) server: Server,
    pub(crate) now: Duration,
    /// What was presented and not consumed.
    pub(crate) unconsumed: Vec<u8>,
    /// What happened, adjacent content joined.
    pub(crate) events: Vec<String>,
    /// Tickets that are held, with the names of their events.
    pub(crate) tickets: Vec<(String, Ticket)>,
    /// Every byte of content.
    pub(crate) content: Vec<u8>,
    /// The content of each message that came to its end.
    pub(crate) messages: Vec<Vec<u8>>,
    /// How much content there was when the last transaction began.
    begin: usize,
    /// The transaction that began last.
    pub(crate) transaction: Option<TransactionId>,
    pub(crate) error: Option<Error>,
    /// The most bytes that the transport takes at once.
    pub(crate) write_size: usize,
    pub(crate) decide: Box<dyn FnMut(&Event<'_>) -> Decision>,
}

/// Every default, but that errors slow nothing down: tests make many.
pub(crate) fn config() -> Config {
    Config::new(Host::parse("mx.example").unwrap()).slow_down(0, Duration::ZERO)
}

pub(crate) fn reply(line: &str) -> Reply<'static> {
    let wire = format!("{}\r\n", line.replace('\n', "\r\n"));
    Reply::parse(wire.as_bytes()).unwrap().into_owned()
}

impl Peer {
    /// Connects; the application accepts everything until told otherwise. The greeting is read.
    pub(crate) fn new(config: Config) -> Self {
        let mut peer = Self::silent(config);
        assert_eq!(peer.send(""), "220 mx.example ESMTP\r\n");
        peer.events.clear();
        peer
    }

    /// Connects and says EHLO.
    pub(crate) fn greeted(config: Config) -> Self {
        let mut peer = Self::new(config);
        assert!(
            peer.send("EHLO c.example\r\n")
                .starts_with("250-mx.example\r\n")
        );
        peer.events.clear();
        peer
    }

    /// Connects, says EHLO and sends [`ENVELOPE`].
    pub(crate) fn with_envelope(config: Config) -> Self {
        let mut peer = Self::greeted(config);
        peer.send(ENVELOPE);
        peer.events.clear();
        peer
    }

    /// Connects, and leaves the greeting to the test.
    pub(crate) fn silent(config: Config) -> Self {
        let now = Duration::from_secs(1000);
        Self {
            server: Server::new(config, now),
            now,
            unconsumed: Vec::new(),
            events: Vec::new(),
            tickets: Vec::new(),
            content: Vec::new(),
            messages: Vec::new(),
            begin: 0,
            transaction: None,
            error: None,
            write_size: usize::MAX,
            decide: Box::new(|_| Decision::Accept),
        }
    }

    pub(crate) fn deciding(mut self, decide: impl FnMut(&Event<'_>) -> Decision + 'static) -> Self {
        self.decide = Box::new(decide);
        self
    }

    /// Sends `text`, and returns what the client reads then.
    pub(crate) fn send(&mut self, text: &str) -> String {
        self.send_bytes(text.as_bytes())
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> String {
        self.unconsumed.extend_from_slice(bytes);
        self.poll();
        self.read()
    }

    /// Sends `text` byte by byte, and returns what the client reads meanwhile.
    pub(crate) fn trickle(&mut self, text: &str) -> String {
        text.bytes().map(|byte| self.send_bytes(&[byte])).collect()
    }

    /// Lets the machine handle what was presented.
    pub(crate) fn poll(&mut self) {
        let received = core::mem::take(&mut self.unconsumed);
        let mut input = received.as_slice();
        loop {
            let event = match self.server.poll_event(&mut input, self.now) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            };
            let name = describe(&event);
            if let Event::Mail { transaction, .. } = &event {
                self.transaction = Some(*transaction);
                self.begin = self.content.len();
            }
            if let Event::Message { .. } | Event::Delivery { recipient: 0, .. } = &event {
                self.messages.push(self.content[self.begin..].to_vec());
            }
            if let Event::Content { bytes, .. } = &event {
                self.content.extend_from_slice(bytes);
            }
            if !(name.starts_with("content") && self.events.last() == Some(&name)) {
                self.events.push(name.clone());
            }
            let decision = (self.decide)(&event);
            if let Some(ticket) = event.into_ticket() {
                self.apply(name, ticket, decision);
            }
        }
        self.unconsumed = input.to_vec();
    }

    /// Does with a ticket what was decided.
    pub(crate) fn apply(&mut self, name: String, ticket: Ticket, decision: Decision) {
        match decision {
            Decision::Accept => self.server.accept(ticket).unwrap(),
            Decision::Reply(line) => self.server.reply(ticket, reply(line)).unwrap(),
            Decision::Challenge(challenge) => self.server.challenge(ticket, challenge).unwrap(),
            Decision::Hold => self.tickets.push((name, ticket)),
        }
    }

    /// Returns what there is for the client to read.
    pub(crate) fn read(&mut self) -> String {
        let mut bytes = Vec::new();
        loop {
            let Some(transmit) = self.server.poll_transmit(self.now) else {
                break;
            };
            let mut buffer = vec![0; transmit.len().min(self.write_size)];
            let copied = transmit.copy_to(&mut buffer);
            bytes.extend_from_slice(&buffer[..copied]);
            assert_eq!(transmit.wrote(copied, self.now), 0);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Returns the held ticket of the first event that is named so.
    pub(crate) fn ticket(&mut self, name: &str) -> Ticket {
        let held = |(held, _): &(String, Ticket)| held.starts_with(name);
        let Some(position) = self.tickets.iter().position(held) else {
            panic!("no ticket for {name} in {:?}", self.tickets);
        };
        self.tickets.remove(position).1
    }

    /// Accepts a held ticket, and returns what the client reads then.
    pub(crate) fn accept(&mut self, name: &str) -> String {
        let ticket = self.ticket(name);
        self.server.accept(ticket).unwrap();
        self.poll();
        self.read()
    }

    /// Answers a held ticket, and returns what the client reads then.
    pub(crate) fn answer(&mut self, name: &str, line: &str) -> String {
        let ticket = self.ticket(name);
        self.server.reply(ticket, reply(line)).unwrap();
        self.poll();
        self.read()
    }

    /// Lets time pass, and returns what the client reads then.
    pub(crate) fn wait(&mut self, seconds: u64) -> String {
        self.now += Duration::from_secs(seconds);
        self.server.handle_timeout(self.now);
        self.poll();
        self.read()
    }

    /// Lets the machine handle what was presented, and returns what the session failed of.
    pub(crate) fn fault(&mut self) -> Option<Fault> {
        self.poll();
        self.error.as_ref().map(|error| error.fault())
    }

    /// Returns what happened since the last call.
    pub(crate) fn events(&mut self) -> Vec<String> {
        core::mem::take(&mut self.events)
    }
}

/// Returns the name of the first transaction of a session.
pub(crate) fn first_transaction() -> TransactionId {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<>\r\n");
    peer.transaction.unwrap()
}

fn named(command: &str, name: &str, utf8: bool) -> String {
    format!("{command} {name}{}", if utf8 { " in UTF-8" } else { "" })
}

/// Names an event and what it holds.
pub(crate) fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Connected { .. } => "connected".into(),
        Event::Hello { host, esmtp, .. } => {
            format!("{} {host}", if *esmtp { "ehlo" } else { "helo" })
        }
        Event::Mail {
            transaction,
            from,
            parameters,
            ..
        } => format!("mail {transaction} {from} {parameters}")
            .trim_end()
            .into(),
        Event::Rcpt {
            transaction,
            to,
            parameters,
            ..
        } => format!("rcpt {transaction} {to} {parameters}")
            .trim_end()
            .into(),
        Event::Data { transaction, .. } => format!("data {transaction}"),
        Event::Content { transaction, .. } => format!("content {transaction}"),
        Event::Message {
            transaction, bytes, ..
        } => format!("message {transaction} {bytes}"),
        Event::Reset {
            transaction,
            reason,
        } => format!("reset {transaction} {reason:?}"),
        Event::Vrfy { name, utf8, .. } => named("vrfy", name.as_str(), *utf8),
        Event::Expn { name, utf8, .. } => named("expn", name.as_str(), *utf8),
        Event::Help { topic, .. } => format!("help {:?}", topic.as_ref().map(|it| it.as_str())),
        Event::Etrn { node, .. } => format!("etrn {node:?}"),
        Event::XClient { attributes, .. } | Event::XForward { attributes, .. } => {
            format!("{attributes:?}")
        }
        Event::Command { verb, argument, .. } => {
            format!(
                "command {verb} {:?}",
                argument.as_ref().map(|it| it.as_str())
            )
        }
        Event::Rejected { reply, line, .. } => {
            format!("rejected {} {}", reply.code(), line.escape_ascii())
        }
        Event::Acknowledged {
            transaction,
            certainty,
        } => format!("acknowledged {transaction} {certainty:?}"),
        Event::StartTls { .. } => "starttls".into(),
        Event::Auth {
            mechanism,
            initial_response,
            ..
        } => {
            let response = initial_response.as_ref();
            let response = response.map(|it| it.as_bytes().escape_ascii().to_string());
            format!("auth {mechanism} {response:?}")
        }
        Event::AuthResponse { response, .. } => {
            format!(
                "response {:?}",
                response.as_bytes().escape_ascii().to_string()
            )
        }
        Event::Delivery {
            transaction,
            recipient,
            bytes,
            ..
        } => format!("delivery {transaction}.{recipient} {bytes}"),
        Event::DeliveryAcknowledged {
            transaction,
            recipient,
            certainty,
        } => format!("acknowledged {transaction}.{recipient} {certainty:?}"),
        Event::Reply {
            reply,
            reason,
            transaction,
            ..
        } => format!(
            "reply {} {reason:?} {}",
            reply.code(),
            transaction.map_or("-".into(), |it| it.to_string())
        ),
        Event::Quit => "quit".into(),
        Event::Closed => "closed".into(),
        _ => unreachable!("an event that the tests do not know"),
    }
}
