//! A driver without a socket: what the server says is fed, what the client writes is collected.

use std::{collections::VecDeque, time::Duration};

use smtp_proto::{
    client::{
        Body, BodyError, BodyRequest, Client, Config, Duplex, Envelope, Event, MessageId, NotSent,
        NotSentReason, Outcome, Pipelining,
    },
    framing::Transmit,
    machine::{Answer, Error, Fault, Step},
    syntax::{ForwardPath, Host, Reply, ReversePath},
    testing::End,
};

pub(crate) const CONTENT: &[u8] = b"Subject: x\r\n\r\n.dot\r\n";
/// What a stream begins with, and the answers that permit it.
pub(crate) const PROOF: &str = "MAIL FROM:<>\r\nBDAT 3 LAST\r\nxyzRSET\r\nRSET\r\n";
pub(crate) const PROVED: &str = "250 ok\r\n503 5.5.1 nobody\r\n250 reset\r\n250 reset\r\n";
/// [`CONTENT`] as DATA sends it.
pub(crate) const STUFFED: &str = "Subject: x\r\n\r\n..dot\r\n.\r\n";

/// What most messages are sent to.
pub(crate) const ONE: [&str; 1] = ["b@example.net"];
/// The commands of such a message.
pub(crate) const GROUP: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n";
/// The whole of one in a stream.
pub(crate) const BDAT: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n\
    BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";

/// One session under test.
pub(crate) struct Dialogue {
    pub(crate) client: End<Client>,
    pub(crate) now: Duration,
    pub(crate) error: Option<Error>,
    events: VecDeque<Event<'static>>,
    bodies: Vec<(MessageId, Vec<u8>)>,
}

pub(crate) fn config(pipelining: Pipelining) -> Config {
    let name = Host::parse("client.example").unwrap();
    Config::new(name)
        .pipelining(pipelining)
        .duplex(Duplex::Full)
}

pub(crate) fn envelope(sender: &str, recipients: &[&str]) -> Envelope<'static> {
    let sender = match sender {
        "" => ReversePath::Null,
        address => ReversePath::parse(address).unwrap().into_owned(),
    };
    recipients
        .iter()
        .fold(Envelope::new(sender).unwrap(), |envelope, recipient| {
            envelope.recipient(ForwardPath::parse(recipient).unwrap().into_owned())
        })
}

pub(crate) fn reply(bytes: &str) -> Reply<'static> {
    Reply::parse(bytes.as_bytes()).unwrap().into_owned()
}

/// Begins a session that looks ahead.
pub(crate) fn look_ahead() -> Dialogue {
    Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"])
}

/// Begins a session with a stream.
pub(crate) fn stream() -> Dialogue {
    Dialogue::begin(
        Pipelining::Stream { window: 10 },
        &["PIPELINING", "CHUNKING"],
    )
}

/// Brings a message to the point where its content is due.
pub(crate) fn content_due(mut d: Dialogue) -> (Dialogue, MessageId) {
    let message = d.submit("a@example.org", &ONE);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    (d, message)
}

/// Brings two messages to the point where the first has been sent, with the commands of the second,
/// which is to these recipients.
pub(crate) fn sent_ahead(mut d: Dialogue, to: &[&str]) -> (Dialogue, [MessageId; 2]) {
    let first = d.submit("a@example.org", &ONE);
    let second = d.submit("a@example.org", to);
    d.sends(GROUP);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    d.reports(&[recipient(first, 0, "250 ok\r\n")]);
    let recipients: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    d.sends(&format!(
        "{STUFFED}RSET\r\nMAIL FROM:<a@example.org>\r\n{recipients}DATA\r\n"
    ));
    (d, [first, second])
}

impl Dialogue {
    pub(crate) fn with(config: Config) -> Self {
        let now = Duration::ZERO;
        Self {
            client: End::new(Client::new(config, now)),
            now,
            error: None,
            events: VecDeque::new(),
            bodies: Vec::new(),
        }
    }

    /// Begins a session with a server that offers these keywords, and goes through the greeting.
    pub(crate) fn begin(pipelining: Pipelining, keywords: &[&str]) -> Self {
        let has = |keyword| keywords.contains(&keyword);
        match pipelining {
            Pipelining::Stream { .. } if has("PIPELINING") && has("CHUNKING") => {
                Self::begin_stream(config(pipelining), keywords)
            }
            _ => Self::begin_with(config(pipelining), keywords),
        }
    }

    /// Begins a session with a server that has proved to swallow chunks that it refuses, and has taken
    /// one message.
    pub(crate) fn begin_stream(config: Config, keywords: &[&str]) -> Self {
        let mut dialogue = Self::begin_with(config, &[keywords, &["SIZE 1000000"]].concat());
        dialogue.submit("first@example.org", &["first@example.net"]);
        dialogue.sends(&format!(
            "{PROOF}MAIL FROM:<first@example.org>\r\nRCPT TO:<first@example.net>\r\nDATA\r\n"
        ));
        dialogue.says(PROVED);
        dialogue.says("250 ok\r\n250 ok\r\n354 go\r\n");
        dialogue.sends(STUFFED);
        dialogue.says("250 taken\r\n");
        dialogue.events.clear();
        dialogue
    }

    pub(crate) fn begin_with(config: Config, keywords: &[&str]) -> Self {
        let mut dialogue = Self::with(config);
        dialogue.says("220 server.example\r\n");
        dialogue.sends("EHLO client.example\r\n");
        let mut answer = String::from("250-server.example\r\n");
        keywords
            .iter()
            .for_each(|keyword| answer += &format!("250-{keyword}\r\n"));
        dialogue.says(&(answer + "250 HELP\r\n"));
        dialogue.events.clear();
        dialogue
    }

    pub(crate) fn submit(&mut self, sender: &str, recipients: &[&str]) -> MessageId {
        self.submit_with(sender, recipients, CONTENT)
    }

    pub(crate) fn submit_with(&mut self, from: &str, to: &[&str], body: &[u8]) -> MessageId {
        self.submit_envelope(&envelope(from, to), body)
    }

    pub(crate) fn submit_envelope(&mut self, envelope: &Envelope<'_>, body: &[u8]) -> MessageId {
        let message = self.client.submit(envelope).unwrap();
        self.has(message, body);
        message
    }

    /// Has a body at hand from now on.
    pub(crate) fn has(&mut self, message: MessageId, body: &[u8]) {
        self.bodies.push((message, body.to_vec()));
    }

    /// Feeds what the server says, and collects the events.
    pub(crate) fn says(&mut self, bytes: &str) {
        self.feed(bytes.as_bytes());
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.client.feed(bytes);
        if self.error.is_none() {
            let note = |_: &mut Client, event: Event<'_>| self.events.push_back(event.into_owned());
            self.error = self.client.hear(self.now, note).err();
        }
    }

    pub(crate) fn hangs_up(&mut self) {
        self.client.handle_eof();
        self.feed(b"");
    }

    /// Returns what the client writes, in full writes of whole bodies.
    pub(crate) fn written(&mut self) -> String {
        self.written_in(usize::MAX)
    }

    /// Returns what the client writes, in writes of at most so many bytes.
    pub(crate) fn written_in(&mut self, most: usize) -> String {
        let mut wire = Vec::new();
        self.client.set_pieces(most);
        loop {
            let present = |request: BodyRequest| {
                let mut bodies = self.bodies.iter();
                let (_, body) = bodies.find(|(message, _)| *message == request.message)?;
                Some(Body::Last(&body[request.offset as usize..]))
            };
            self.client.speak(self.now, present, &mut wire);
            // What it has to tell comes first, as every driver has it.
            let told = self.events.len();
            if !self.client.wants_read() {
                self.feed(b"");
            }
            if self.events.len() == told {
                break;
            }
        }
        self.client.set_pieces(usize::MAX);
        String::from_utf8(wire).unwrap()
    }

    /// Expects the client to write exactly this now.
    #[track_caller]
    pub(crate) fn sends(&mut self, bytes: &str) {
        assert_eq!(self.written(), bytes);
    }

    /// Presents a body, lets all leave that there is then, and returns it.
    pub(crate) fn presents(&mut self, body: Body<'_>) -> String {
        let transmit = present(&mut self.client, body, self.now).unwrap();
        let wire = String::from_utf8(transmit.slices().concat()).unwrap();
        transmit.wrote(wire.len(), self.now);
        wire
    }

    /// Expects the session to have failed of this, and to be over.
    #[track_caller]
    pub(crate) fn fails(&mut self, fault: Fault) {
        assert_eq!(self.error.as_ref().map(|error| error.fault()), Some(fault));
        assert!(self.client.is_closed());
        assert_eq!(self.written(), "", "nothing is written after a failure");
    }

    /// Expects exactly these events, and takes them.
    #[track_caller]
    pub(crate) fn reports(&mut self, events: &[Event<'_>]) {
        let got: Vec<_> = self.events.drain(..).collect();
        assert_eq!(got, events);
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event<'static>> {
        self.events.drain(..).collect()
    }

    /// Expects these outcomes among the events, and takes all events.
    #[track_caller]
    pub(crate) fn finishes(&mut self, expected: &[(MessageId, Outcome<'_>)]) {
        let got: Vec<_> = self
            .events
            .drain(..)
            .filter_map(|event| match event {
                Event::Finished { message, outcome } => Some((message, outcome)),
                _ => None,
            })
            .collect();
        assert_eq!(got, expected);
    }
}

pub(crate) fn finished<'a>(message: MessageId, outcome: Outcome<'a>) -> Event<'a> {
    Event::Finished { message, outcome }
}

/// What became of a message for one recipient.
pub(crate) fn of_recipient<'a>(
    message: MessageId,
    recipient: usize,
    outcome: Outcome<'a>,
) -> Event<'a> {
    Event::RecipientFinished {
        message,
        recipient,
        outcome,
    }
}

pub(crate) fn recipient(message: MessageId, recipient: usize, bytes: &str) -> Event<'static> {
    Event::RecipientAnswered {
        message,
        recipient,
        reply: reply(bytes),
    }
}

pub(crate) fn delivered(bytes: &str) -> Outcome<'static> {
    Outcome::Delivered(reply(bytes))
}

pub(crate) fn refused(step: Step, bytes: &str) -> Outcome<'static> {
    Outcome::Refused(answer(step, bytes))
}

pub(crate) fn answer(step: Step, bytes: &str) -> Answer<'static> {
    Answer {
        step,
        reply: reply(bytes),
    }
}

pub(crate) fn not_sent(reason: NotSentReason) -> Outcome<'static> {
    Outcome::NotSent(reason.into())
}

pub(crate) fn connection_ended() -> Outcome<'static> {
    not_sent(NotSentReason::ConnectionEnded)
}

/// Of a message whose content could not be had, for this reason.
pub(crate) fn without_body(why: &str) -> Outcome<'static> {
    let mut not_sent = NotSent::from(NotSentReason::BodyFailed);
    not_sent.body_error = Some(BodyError::new(why));
    Outcome::NotSent(not_sent)
}

pub(crate) fn not_sent_after(reason: NotSentReason, step: Step, bytes: &str) -> Outcome<'static> {
    Outcome::NotSent(NotSent::answered(reason, answer(step, bytes)))
}

/// Presents a body for whatever is asked for.
pub(crate) fn present<'a>(
    client: &'a mut Client,
    body: Body<'a>,
    now: Duration,
) -> Option<Transmit<'a>> {
    let request = client.wants_body();
    client.poll_transmit(request.map(|request| (request, body)), now)
}
