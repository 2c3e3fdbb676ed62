//! Conservation: wherever a connection is cut, every message has one outcome, and a true one.
//!
//! The model server below is a few lines of strict lock-step; what it has accepted is the truth.

use std::collections::HashMap;
use std::time::Duration;

use smtp_proto::client::{Body, Client, Event, MessageId, Outcome, Pipelining};

use crate::dialogue::{CONTENT, config, envelope};

/// A server that takes what it is sent byte by byte and remembers which contents it accepted.
#[derive(Default)]
struct Model {
    line: Vec<u8>,
    content: Option<Vec<u8>>,
    chunk: Option<(usize, bool)>,
    body: Vec<u8>,
    sender: bool,
    recipients: usize,
    failed: bool,
    accepted: Vec<u8>,
}

impl Model {
    /// Takes one byte and returns what the server says to it. Senders named `bad`, and recipients
    /// so named, are refused.
    fn take(&mut self, byte: u8) -> String {
        if let Some((left, last)) = &mut self.chunk {
            *left -= 1;
            let (left, last) = (*left, *last);
            self.body.push(byte);
            return if left == 0 {
                self.end_chunk(last)
            } else {
                String::new()
            };
        }
        if let Some(content) = &mut self.content {
            content.push(byte);
            if content.ends_with(b"\r\n.\r\n") || content == b".\r\n" {
                let content = self.content.take().unwrap();
                return self.verdict(&content);
            }
            return String::new();
        }
        self.line.push(byte);
        if !self.line.ends_with(b"\r\n") {
            return String::new();
        }
        let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
        let bad = line.contains("bad");
        let (code, text) = match line.trim_end().split([' ', ':']).next().unwrap() {
            "EHLO" => return "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n".into(),
            "RSET" => {
                self.reset();
                (250, "reset")
            }
            "MAIL" if self.sender => (503, "nested"),
            "MAIL" => {
                self.sender = !bad;
                if bad {
                    (550, "sender")
                } else {
                    (250, "sender")
                }
            }
            "RCPT" if !self.sender => (503, "no sender"),
            "RCPT" => {
                self.recipients += usize::from(!bad);
                if bad {
                    (550, "recipient")
                } else {
                    (250, "recipient")
                }
            }
            "DATA" if self.recipients == 0 => (554, "nobody"),
            "DATA" => {
                self.content = Some(Vec::new());
                (354, "go")
            }
            "BDAT" => {
                let size = line.split_whitespace().nth(1).unwrap().parse().unwrap();
                let last = line.contains("LAST");
                self.chunk = Some((size, last));
                return if size == 0 {
                    self.end_chunk(last)
                } else {
                    String::new()
                };
            }
            "QUIT" => (221, "bye"),
            other => panic!("content ran as a command: {other}"),
        };
        format!("{code} {text}\r\n")
    }

    fn end_chunk(&mut self, last: bool) -> String {
        self.chunk = None;
        self.failed |= self.recipients == 0;
        if self.failed || !last {
            return if self.failed {
                "503 no\r\n".into()
            } else {
                "250 chunk\r\n".into()
            };
        }
        let body = std::mem::take(&mut self.body);
        self.verdict(&body)
    }

    fn verdict(&mut self, content: &[u8]) -> String {
        // Each content holds its number after "n=".
        let at = content.windows(2).position(|two| two == b"n=").unwrap() + 2;
        let number = content[at];
        self.reset();
        if number % 4 == 3 {
            return "452 later\r\n".into();
        }
        self.accepted.push(number);
        "250 taken\r\n".into()
    }

    fn reset(&mut self) {
        *self = Self {
            accepted: std::mem::take(&mut self.accepted),
            ..Self::default()
        };
    }
}

/// What happens to the transport at the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The server has read so many bytes, and no more; the client sees the end of the connection.
    ToServer(usize),
    /// The client has read so many bytes, and then sees the end.
    ToClient(usize),
    /// The transport took so many bytes, and more, and passed on only these; then it fails.
    Failing(usize),
}

const MESSAGES: u8 = 7;

/// Runs a session of seven messages, some of them refused, up to the cut. Returns how many bytes
/// went each way.
fn run(policy: Pipelining, cut: Option<Cut>, write: usize) -> (usize, usize) {
    let now = Duration::ZERO;
    let mut client = Client::new(config(policy), now);
    let mut server = Model::default();
    let mut bodies: HashMap<MessageId, Vec<u8>> = HashMap::new();
    let mut outcomes: HashMap<MessageId, Outcome<'static>> = HashMap::new();
    let mut ids = Vec::new();
    for number in 0..MESSAGES {
        let sender = if number == 2 {
            "bad@example.org"
        } else {
            "a@example.org"
        };
        let to: &[&str] = if number == 4 {
            &["bad@example.net"]
        } else {
            &["b@example.net", "bad@example.net"]
        };
        let id = client.submit(&envelope(sender, to)).unwrap();
        let mut body = format!("n={}\r\n", char::from(number)).into_bytes();
        body.extend_from_slice(CONTENT);
        bodies.insert(id, body);
        ids.push(id);
    }
    client.quit();
    let (mut to_server, mut to_client) = (0, 0);
    let mut replies = b"220 x\r\n".to_vec();
    let mut ended = false;
    loop {
        // Replies, byte by byte, up to the cut.
        let limit = match cut {
            Some(Cut::ToClient(limit)) => limit,
            _ => usize::MAX,
        };
        let room = replies.len().min(limit - to_client);
        to_client += room;
        let arrived: Vec<u8> = replies.drain(..room).collect();
        if matches!(cut, Some(Cut::ToClient(limit)) if limit == to_client) {
            client.handle_eof();
            ended = true;
        }
        let mut input = arrived.as_slice();
        let failed = loop {
            match client.poll_event(&mut input, now) {
                Ok(Some(Event::Finished { message, outcome })) => {
                    let twice = outcomes.insert(message, outcome.into_owned());
                    assert_eq!(twice, None, "{cut:?}: two outcomes");
                }
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(input.is_empty() || failed || ended, "{cut:?}: {input:?}");
        if failed || client.is_closed() {
            break;
        }
        let mut progress = false;
        loop {
            let wanted = client.wants_body();
            let body = wanted.map(|wanted| (wanted, Body::Last(&bodies[&wanted.message])));
            let Some(transmit) = client.poll_transmit(body, now) else {
                break;
            };
            progress = true;
            let bytes: Vec<u8> = transmit.slices().concat();
            let mut taken = bytes.len().min(write);
            match cut {
                Some(Cut::ToServer(limit)) if to_server + taken >= limit => {
                    taken = limit - to_server;
                    ended = true;
                }
                Some(Cut::Failing(limit)) if to_server + taken > limit => {
                    // What arrived is not what is reported: nothing is.
                    for &byte in &bytes[..limit - to_server] {
                        replies.extend(server.take(byte).bytes());
                    }
                    transmit.failed();
                    ended = true;
                    replies.clear();
                    client.handle_eof();
                    break;
                }
                _ => {}
            }
            let consumed = transmit.wrote(taken, now);
            if let Some(wanted) = wanted {
                bodies.get_mut(&wanted.message).unwrap().drain(..consumed);
            }
            to_server += taken;
            for &byte in &bytes[..taken] {
                replies.extend(server.take(byte).bytes());
            }
            if ended {
                replies.clear();
                client.handle_eof();
                break;
            }
        }
        if !progress && replies.is_empty() && !ended {
            panic!("{policy:?} {cut:?}: stuck after {to_server} bytes");
        }
    }
    assert_eq!(
        outcomes.len(),
        usize::from(MESSAGES),
        "{cut:?}: each message has an outcome"
    );
    for (number, id) in (0..MESSAGES).zip(&ids) {
        let accepted = server
            .accepted
            .iter()
            .filter(|&&taken| taken == number)
            .count();
        assert!(accepted <= 1);
        match &outcomes[id] {
            Outcome::Delivered(_) => assert_eq!(accepted, 1, "{cut:?}: {number} delivered"),
            Outcome::NotSent(_) => assert_eq!(accepted, 0, "{cut:?}: {number} not sent"),
            Outcome::Refused(_) => assert_eq!(accepted, 0, "{cut:?}: {number} refused"),
            Outcome::InDoubt => {}
        }
        if cut.is_none() {
            assert_ne!(outcomes[id], Outcome::InDoubt);
            assert_eq!(accepted == 1, ![2, 3, 4].contains(&number), "{number}");
        }
    }
    (to_server, to_client)
}

/// TLS-13 among others: an end in place of a verdict leaves the message in doubt.
#[test]
fn every_cut_leaves_one_true_outcome() {
    let policies = [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 1 },
        Pipelining::Stream { window: 3 },
        Pipelining::Stream { window: 100 },
    ];
    for policy in policies {
        for write in [7, usize::MAX] {
            let (to_server, to_client) = run(policy, None, write);
            for at in 0..=to_server {
                run(policy, Some(Cut::ToServer(at)), write);
                if at < to_server {
                    run(policy, Some(Cut::Failing(at)), write);
                }
            }
            for at in 0..=to_client {
                run(policy, Some(Cut::ToClient(at)), write);
            }
        }
    }
}
