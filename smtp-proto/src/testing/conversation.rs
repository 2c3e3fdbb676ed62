//! What a server says on one connection: what a right one would, but for the reactions.

use std::{
    borrow::ToOwned,
    collections::VecDeque,
    string::{String, ToString},
    sync::Arc,
    time::Duration,
    vec,
    vec::Vec,
};

use super::reaction::{Act, verdict};
use super::record::{RecordedMessage, Records};
use crate::machine::{Origin, Step};
use crate::reception::{
    Answer, Asked, Call, Envelope, Question, Reception, Refusal, Session, accept,
};
#[cfg(feature = "auth")]
use crate::sasl::Credential;
use crate::server::{Config, Reason, Review};
use crate::syntax::{ForwardPath, ReversePath};

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

/// What kind of an answer a question wants.
#[derive(Debug)]
enum Kind {
    Plain,
    Session,
    Transaction,
    Recipient,
    Content,
    /// The end of a content; in LMTP, for one of several recipients.
    Message {
        is_last: bool,
    },
    Reply,
    #[cfg(feature = "auth")]
    Mechanism,
    #[cfg(feature = "auth")]
    Credential(String),
    /// It cannot be answered here.
    #[cfg(feature = "auth")]
    Unknown,
}

/// What a transport has to do once it has written what there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read,
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
            reception: Reception::new(config, session, Duration::ZERO).without_tls(),
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
                Ok(None) if self.reception.wants_tls() => self.reception.tls_failed(),
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
                let (kind, step, addresses) = self.about(&question);
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

    /// Returns what kind of an answer a question wants, at which step it comes, and whom it is about.
    fn about(&mut self, question: &Question<()>) -> (Kind, Option<Step>, Vec<String>) {
        let (kind, step) = match question {
            Question::Connected => (Kind::Session, Step::Greeting),
            Question::Hello => (Kind::Plain, Step::Hello),
            Question::StartTls => (Kind::Plain, Step::StartTls),
            #[cfg(feature = "auth")]
            Question::Mechanism(_) => return (Kind::Mechanism, None, Vec::new()),
            #[cfg(feature = "auth")]
            Question::Credential(claim) => {
                let user = match claim.credential() {
                    Credential::Password { user, .. }
                    | Credential::Token { user, .. }
                    | Credential::Proven { user, .. } => user.to_owned(),
                    Credential::External { acting_for } => acting_for.to_owned(),
                };
                (Kind::Credential(user), Step::Auth)
            }
            Question::Mail(sender) => {
                let address = address_of_sender(&sender.path);
                return (Kind::Transaction, Some(Step::Mail), vec![address]);
            }
            Question::Recipient(_, recipient) => {
                let address = address_of_recipient(&recipient.path);
                return (Kind::Recipient, Some(Step::Recipient), vec![address]);
            }
            Question::Message(_) => {
                let kind = Kind::Message { is_last: true };
                return (kind, Some(Step::Content), self.take_recipients());
            }
            Question::Reply { reason, .. } => {
                let step = match reason {
                    Reason::Reset => Some(Step::Reset),
                    Reason::Quit => Some(Step::Quit),
                    Reason::Noop => Some(Step::Command),
                    Reason::Chunk => Some(Step::Content),
                    _ => None,
                };
                return (Kind::Reply, step, Vec::new());
            }
            Question::XClient(_) => (Kind::Session, Step::Command),
            Question::Verify(_)
            | Question::Expand(_)
            | Question::Help(_)
            | Question::Etrn(_)
            | Question::XForward(_)
            | Question::Command { .. } => (Kind::Plain, Step::Command),
            #[cfg(feature = "auth")]
            _ => return (Kind::Unknown, None, Vec::new()),
        };
        (kind, Some(step), Vec::new())
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
        let Due {
            asked,
            kind,
            addresses,
            ..
        } = due;
        let plain = |verdict: Result<(), Refusal>| verdict.and_then(|()| accept());
        let answer = match kind {
            Kind::Plain => Answer::Plain(plain(verdict)),
            Kind::Session => Answer::Session(plain(verdict)),
            Kind::Transaction => Answer::Transaction(plain(verdict)),
            Kind::Recipient => Answer::Recipient(plain(verdict)),
            Kind::Content => Answer::Content(verdict),
            Kind::Message { is_last } => {
                self.decide(verdict.is_ok(), addresses, is_last);
                Answer::Plain(plain(verdict))
            }
            // It is in the machine's words, whatever is said in their place.
            Kind::Reply => Answer::Reply(None),
            #[cfg(feature = "auth")]
            Kind::Mechanism => Answer::Mechanism(Ok(false)),
            #[cfg(feature = "auth")]
            Kind::Credential(user) => Answer::Identity(verdict.map(|()| user.into())),
            #[cfg(feature = "auth")]
            Kind::Unknown => return self.reception.fail(asked),
        };
        self.reception.answer(asked, answer);
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

fn address_of_sender(path: &ReversePath<'_>) -> String {
    path.mailbox()
        .map_or_else(String::new, |it| it.as_str().to_owned())
}

fn address_of_recipient(path: &ForwardPath<'_>) -> String {
    match path.mailbox() {
        Some(mailbox) => mailbox.as_str().to_owned(),
        None => path.to_string().trim_matches(['<', '>']).to_owned(),
    }
}
