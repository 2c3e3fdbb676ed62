//! What a server says on one connection: what a right one would, but for the reactions.

use std::{
    collections::VecDeque,
    io,
    string::{String, ToString},
    sync::Arc,
    time::Duration,
    vec,
    vec::Vec,
};

use super::question::{About, Kind, address_of_recipient, address_of_sender};
use super::reaction::{Act, verdict};
use super::record::{RecordedMessage, Records};
use crate::machine::{Origin, Step, TlsInfo};
use crate::reception::{Asked, Call, Envelope, Reception, Refusal, Session};
use crate::server::{Config, Review};

/// A session, and what it holds for its transport.
#[derive(Debug)]
pub(super) struct Conversation {
    reception: Reception,
    records: Arc<Records>,
    connection: usize,
    /// What has arrived, and waits for more or for its turn.
    input: Vec<u8>,
    /// How much of what the machine has composed it does not know to be written.
    unwritten: usize,
    /// What is to be written.
    output: Vec<u8>,
    /// The message whose content is coming.
    message: Option<RecordedMessage>,
    /// The line that was heard last.
    heard: String,
    /// What was asked and is to be answered before anything else is looked at.
    due: VecDeque<Due>,
}

/// A question, and what its answer is to be.
#[derive(Debug)]
struct Due {
    asked: Asked,
    kind: Kind,
    /// The step, where there may be a reaction to it.
    step: Option<Step>,
    /// What it is about.
    addresses: Vec<String>,
    /// What is done in place of the usual.
    act: Option<Act>,
}

/// What a transport has to do once it has written what there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read,
    Handshake,
    Wait(Duration),
    End,
}

impl Conversation {
    pub(super) fn new(config: Config, records: Arc<Records>, connection: usize) -> Self {
        // Each reply comes with a question, and leaves as soon as that is answered.
        let config = config
            .review(Review::All)
            .traced()
            .slow_down(0, Duration::ZERO);
        let session = Session::new(u64::try_from(connection).unwrap_or_default(), None, None);
        Self {
            reception: Reception::new(config, session, Duration::ZERO),
            records,
            connection,
            input: Vec::new(),
            unwritten: 0,
            output: Vec::new(),
            message: None,
            heard: String::new(),
            due: VecDeque::new(),
        }
    }

    /// Has STARTTLS answered 454, as there is nobody to do the handshake.
    pub(super) fn without_tls(mut self) -> Self {
        self.reception = self.reception.without_tls();
        self
    }

    /// Takes note of what the handshake came to.
    pub(super) fn shook_hands(&mut self, result: io::Result<TlsInfo>, now: Duration) {
        match result {
            // It was due.
            Ok(info) => _ = self.reception.tls_established(info, now),
            Err(_) => self.reception.tls_failed(),
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(super) fn handle_eof(&mut self) {
        self.reception.handle_eof();
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.reception.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.reception.poll_timeout()
    }

    /// Takes what is to be written.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    /// Goes as far as it can with what has arrived.
    pub(super) fn advance(&mut self, now: Duration) -> Next {
        let arrived = core::mem::take(&mut self.input);
        let mut input = arrived.as_slice();
        let next = loop {
            if let Some(due) = self.due.pop_front() {
                match self.settle(due, now) {
                    Next::Read => continue,
                    next => break next,
                }
            }
            match self.reception.poll_call(&mut input, now) {
                Ok(Some(call)) => self.take(call),
                Ok(None) if self.reception.wants_tls() => break Next::Handshake,
                Ok(None) => {
                    // What is said without a question, as at a timeout.
                    let said = self.composed(now);
                    self.say(said);
                    if !self.write(now) {
                        let is_closed = self.reception.is_closed();
                        break if is_closed { Next::End } else { Next::Read };
                    }
                }
                Err(_) => break Next::End,
            }
        };
        self.input = input.to_vec();
        self.note_heard();
        next
    }

    /// Takes note of what the client has sent.
    fn note_heard(&mut self) {
        while let Some(entry) = self.reception.poll_trace() {
            if entry.origin == Origin::Remote {
                self.heard = entry.what.to_string();
                self.records.note(self.connection, "C: ", &self.heard);
            }
        }
    }

    /// Returns what the machine has composed since the last call. It counts as written only once all
    /// that has arrived was looked at, so that a client which does not wait for it is found out.
    fn composed(&mut self, now: Duration) -> Vec<u8> {
        let Some(transmit) = self.reception.poll_transmit(now) else {
            return Vec::new();
        };
        let bytes = transmit.slices().iter().copied().flatten().copied();
        let composed = bytes.skip(self.unwritten).collect();
        self.unwritten = transmit.len();
        transmit.blocked(now);
        composed
    }

    /// Has the machine know that all it has composed is written; returns whether that was anything.
    fn write(&mut self, now: Duration) -> bool {
        self.unwritten = 0;
        match self.reception.poll_transmit(now) {
            Some(transmit) => {
                let bytes = transmit.len();
                transmit.wrote(bytes, now);
                true
            }
            None => false,
        }
    }

    fn say(&mut self, bytes: Vec<u8>) {
        self.records
            .note(self.connection, "S: ", &String::from_utf8_lossy(&bytes));
        self.output.extend(bytes);
    }

    fn take(&mut self, call: Call<'_, ()>) {
        match call {
            Call::Question(asked, question) => {
                let About {
                    kind,
                    step,
                    address,
                } = About::question(&question);
                let addresses = match kind {
                    Kind::Message { .. } => self.take_recipients(),
                    _ => address.into_iter().collect(),
                };
                self.ask(asked, kind, step, addresses);
            }
            Call::Begin {
                asked,
                envelope,
                bytes,
            } => {
                let message = self.begin(&envelope, bytes);
                let addresses = message.recipients.clone();
                self.message = Some(message);
                // Where BDAT begins it, no reply is due.
                self.note_heard();
                let step = self
                    .heard
                    .eq_ignore_ascii_case("DATA")
                    .then_some(Step::Data);
                self.ask(asked, Kind::Content, step, addresses);
            }
            Call::Content { bytes, .. } => {
                if let Some(message) = &mut self.message {
                    message.content.extend_from_slice(bytes);
                }
            }
            Call::Deliver { asked, .. } => {
                let recipients = self.take_recipients();
                let last = recipients.len().saturating_sub(1);
                for (at, (asked, recipient)) in asked.into_iter().zip(recipients).enumerate() {
                    let kind = Kind::Message {
                        is_last: at == last,
                    };
                    self.ask(asked, kind, Some(Step::Content), vec![recipient]);
                }
            }
            _ => {}
        }
    }

    /// Takes out for whom the message is, to be decided about.
    fn take_recipients(&mut self) -> Vec<String> {
        let message = self.message.as_mut();
        message.map_or_else(Vec::new, |it| core::mem::take(&mut it.recipients))
    }

    fn ask(&mut self, asked: Asked, kind: Kind, step: Option<Step>, addresses: Vec<String>) {
        self.due.push_back(Due {
            asked,
            kind,
            step,
            addresses,
            act: None,
        });
    }

    fn begin(&self, envelope: &Envelope, bytes: &[u8]) -> RecordedMessage {
        let recipients = envelope.recipients.iter();
        RecordedMessage {
            sender: address_of_sender(&envelope.sender.path),
            recipients: recipients
                .map(|it| address_of_recipient(&it.recipient.path))
                .collect(),
            content: bytes.to_vec(),
            user: self
                .reception
                .session()
                .identity()
                .map(|it| it.name.clone()),
            connection: self.connection,
        }
    }

    /// Answers a question; returns what else is to be done before the next.
    fn settle(&mut self, mut due: Due, now: Duration) -> Next {
        self.note_heard();
        let act = match due.act.take() {
            Some(act) => act,
            None => {
                let step = due.step;
                let reaction = step.and_then(|step| self.records.reaction(step, &due.addresses));
                match reaction {
                    None => Act::Usual,
                    Some(reaction) if reaction.delay().is_zero() => reaction.into_act(),
                    Some(reaction) => {
                        let delay = reaction.delay();
                        due.act = Some(reaction.into_act());
                        self.due.push_front(due);
                        self.write(now);
                        return Next::Wait(delay);
                    }
                }
            }
        };
        match act {
            Act::Cut => return Next::End,
            Act::Usual => {
                self.answer(due, Ok(()));
                let said = self.composed(now);
                self.say(said);
            }
            Act::Say(bytes) => {
                self.answer(due, verdict(&bytes));
                self.composed(now);
                self.say(bytes);
            }
            Act::TakeAndCut => {
                self.answer(due, Ok(()));
                return Next::End;
            }
        }
        Next::Read
    }

    /// Gives an answer, and records the message that is taken by it.
    fn answer(&mut self, due: Due, verdict: Result<(), Refusal>) {
        if let Kind::Message { is_last } = due.kind {
            self.decide(verdict.is_ok(), due.addresses, is_last);
        }
        match due.kind.answer(verdict) {
            Some(answer) => self.reception.answer(due.asked, answer),
            None => self.reception.fail(due.asked),
        }
    }

    /// Takes the verdict over a message for these recipients, in LMTP for one after the other.
    fn decide(&mut self, is_taken: bool, recipients: Vec<String>, is_last: bool) {
        let Some(message) = &mut self.message else {
            return;
        };
        if is_taken {
            message.recipients.extend(recipients);
        }
        if is_last
            && let Some(message) = self.message.take()
            && !message.recipients.is_empty()
        {
            self.records.take(message);
        }
    }
}
