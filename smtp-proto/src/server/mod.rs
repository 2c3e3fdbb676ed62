//! The server's half of SMTP.
//!
//! A [`Server`] reads what a client sends, hands it out as [`Event`]s, and composes, orders and
//! batches the replies. Every command that is the application's to decide comes with a
//! [`Ticket`]; verdicts may be given at once or later, and in any order.
//!
//! ```text
//! connected ──accepted──▶ greeted ──EHLO──▶ ready ──MAIL──▶ mail ──RCPT──▶ recipients
//!     │                                       ▲                                │ DATA, BDAT
//!     └──refused──▶ turned away: 503          ├◀─── Event::Message ──────── content
//!                                             │                                │ a chunk fails
//!                                             └◀─── RSET, EHLO ─── failed: 503 ◀┘
//! ```
//!
//! RSET and EHLO lead back to `ready` from anywhere in a transaction, QUIT out of everything; AUTH
//! stays in `ready`, and STARTTLS leads from there to the TLS handshake and back to `greeted`. The
//! table of what may come when is in `sequence.rs`.
//!
//! In [LMTP](crate::machine::Dialect::Lmtp), LHLO stands for EHLO, and an [`Event::Delivery`] for
//! each accepted recipient for [`Event::Message`].
//!
//! # TLS
//!
//! The machine never sees TLS. When [`Server::wants_tls`] says so and all is written, the caller
//! does the handshake on its transport and reports [`Server::tls_established`]; from then on it
//! presents and writes what TLS gives and takes. Look for it whenever `poll_transmit` returns `None`,
//! with [Implicit](Tls::Implicit) TLS before anything is read.
//!
//! # What waits for what
//!
//! Commands that were sent together are handed out together as far as their meaning allows. RCPT,
//! RSET, ETRN, XFORWARD and QUIT wait for the verdict over the MAIL before them; DATA and BDAT for
//! those over the recipients, but not for those over earlier messages; EHLO, STARTTLS, AUTH, XCLIENT
//! and the commands that [`Config::command`] leaves to the application for all. A command that waits
//! stays in the caller's buffer, and [`Server::wants_read`] says that no more bytes are of use before
//! a verdict. The verdict over a message holds up nothing but its reply and those after it, so a
//! store can commit many at once.
//!
//! # Driving it
//!
//! ```
//! use core::time::Duration;
//! use smtp_proto::server::{Config, Event, Server};
//! use smtp_proto::syntax::Host;
//!
//! fn serve(
//!     mut read: impl FnMut(&mut Vec<u8>) -> usize,
//!     mut write: impl FnMut(&[u8]) -> usize,
//!     now: impl Fn() -> Duration,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut server = Server::new(Config::new(Host::parse("mx.example.net")?), now());
//!     let mut received = Vec::new();
//!     loop {
//!         let mut input = received.as_slice();
//!         while let Some(event) = server.poll_event(&mut input, now())? {
//!             match event {
//!                 Event::Connected { ticket }
//!                 | Event::Hello { ticket, .. }
//!                 | Event::Mail { ticket, .. }
//!                 | Event::Rcpt { ticket, .. }
//!                 | Event::Data { ticket, .. }
//!                 | Event::Message { ticket, .. }
//!                 | Event::Vrfy { ticket, .. }
//!                 | Event::Help { ticket, .. } => server.accept(ticket)?,
//!                 Event::Content { bytes, .. } => print!("{}", bytes.escape_ascii()),
//!                 _ => {}
//!             }
//!         }
//!         let consumed = received.len() - input.len();
//!         received.drain(..consumed);
//!         if server.is_closed() {
//!             return Ok(());
//!         }
//!         while let Some(transmit) = server.poll_transmit(now()) {
//!             let written = write(transmit.slices()[0]);
//!             transmit.wrote(written, now());
//!         }
//!         if server.wants_read() && read(&mut received) == 0 {
//!             server.handle_eof();
//!         }
//!     }
//! }
//! # let dialogue = b"EHLO c.example\r\n;MAIL FROM:<a@c.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n;Hi\r\n.\r\nQUIT\r\n;";
//! # let mut flights = dialogue.split(|byte| *byte == b';');
//! # let mut replies = Vec::new();
//! # serve(
//! #     |received| { let flight = flights.next().unwrap_or_default(); received.extend_from_slice(flight); flight.len() },
//! #     |bytes| { replies.extend_from_slice(bytes); bytes.len() },
//! #     || Duration::ZERO,
//! # )?;
//! # assert!(replies.ends_with(b"250 2.0.0 Message accepted\r\n221 2.0.0 mx.example.net closing connection\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod event;
mod intake;
mod offer;
mod outbox;
mod patience;
pub mod replies;
mod security;
mod table;
mod tickets;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

pub use config::{Config, ImproperPipelining, Review, Tls};
pub use event::{Certainty, Event, Reason, Refused, Ticket, TransactionId};
pub use security::SaslResponse;

use config::Settings;
use intake::{Arrived, Intake, Message, Portion, Refusal, Room};
use offer::{Offer, Protection, Terms};
use outbox::{Outbox, Turn};
use patience::Patience;
use replies::Wording;
use security::Security;
use table::{Misplaced, Place, Progress, Standing, State, Verb, Waits};
use tickets::{Answer, Detail, Question, Subject, Tickets};

use crate::framing::Transmit;
use crate::machine::{
    Dialect, Error, Fault, ForeignProtocol, Misuse, Origin, Timer, TlsInfo, Trace, TraceEntry,
    limits,
};
#[cfg(feature = "auth")]
use crate::syntax::SyntaxError;
use crate::syntax::{
    Argument, AttributeName, AttributeValue, Attributes, Capabilities, Class, Code, Command,
    CommandError, CommandErrorKind, Extension, ForwardPath, ForwardingCommand, InitialResponse,
    MAX_REPLY_LINE, Parameters, QueueNode, Reply, ReversePath, Word,
};

/// Serves one client on one connection.
///
/// See the [module](self) for how to drive it. Any call in any order is safe.
#[derive(Debug)]
pub struct Server {
    config: Config,
    progress: Progress,
    security: Security,
    /// What EHLO's answer has offered.
    announced: Option<Arc<Offer>>,
    intake: Intake,
    tickets: Tickets,
    outbox: Outbox,
    patience: Patience,
    /// The transaction that ended, until the application is told.
    reset: Option<(TransactionId, Reason)>,
    ending: Option<Ending>,
    is_read_to_end: bool,
    /// PIPECONNECT is offered and no content has been asked for: the client need not wait for the
    /// greeting, nor for the answer to EHLO.
    is_opening: bool,
    trace: Option<Box<Trace>>,
    /// When the machine was called last.
    now: Duration,
}

/// How a session ends that is ending.
#[derive(Debug)]
enum Ending {
    Quit { is_told: bool, is_closed: bool },
    Failed(Error),
}

/// How far one step of reading got.
enum Step<'i> {
    Event(Event<'i>),
    /// Something was done that is no event.
    Again,
    /// Nothing can be done with the input as it is.
    Starved,
}

/// Who gave a verdict, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Accepted,
    Refused,
    /// The machine did, as the application took too long; it may be one or the other.
    Overdue {
        is_positive: bool,
    },
}

impl Given {
    fn is_positive(self) -> bool {
        matches!(self, Self::Accepted | Self::Overdue { is_positive: true })
    }
}

impl Server {
    /// Begins a session on a connection that was just accepted.
    ///
    /// The first event is [`Event::Connected`].
    pub fn new(config: Config, now: Duration) -> Self {
        let settings = config.settings();
        let begins_with_handshake = settings.tls == Tls::Implicit;
        let mut server = Self {
            progress: Progress::new(),
            security: Security::new(begins_with_handshake),
            announced: None,
            intake: Intake::new(),
            tickets: Tickets::new(),
            outbox: Outbox::new(settings.write_timeout),
            patience: Patience::new(now),
            reset: None,
            ending: None,
            is_read_to_end: false,
            is_opening: false,
            trace: settings.trace.then(Box::default),
            now,
            config,
        };
        server.is_opening = server.offered().get("PIPECONNECT").is_some();
        if begins_with_handshake {
            server.arm();
        } else {
            server.greet();
        }
        server
    }

    /// Reads from `input` up to the next event, and moves `input` past what was consumed.
    ///
    /// Call it until it returns `None`, whenever bytes came or a verdict was given, then write
    /// what [`poll_transmit`](Self::poll_transmit) holds: the replies to a group of commands then
    /// leave together (RFC 2920 3.2). Bytes that are left belong to an unfinished line, or wait
    /// for a verdict: present them again, with more after them. They are at most
    /// [`max_unconsumed`](Self::max_unconsumed), if no more were presented.
    ///
    /// # Errors
    ///
    /// Fails once the session has failed and what was still owed to the client is written or can
    /// not be. The error stays.
    pub fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.now = now;
        self.note_failed_write();
        let event = self.next_event(input);
        self.is_read_to_end |= matches!(event, Ok(Some(Event::Closed)) | Err(_));
        // Time that the application takes over an event is not the client's.
        if !matches!(event, Ok(Some(_))) {
            self.arm();
        }
        event
    }

    /// Returns the bytes that the client is to read next.
    ///
    /// Write them and report it; call it again until it returns `None`.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.now = now;
        self.note_failed_write();
        self.arm();
        self.outbox.transmit(now)
    }

    /// Accepts what the ticket stands for; the machine composes the reply.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late.
    pub fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        match self.tickets.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) => {
                let answer = self.worded(question.verb.accepted(self.dialect()));
                self.settle(serial, question, answer, Given::Accepted);
                Ok(())
            }
            Ok((serial, Subject::Reply { .. })) => {
                self.let_go(serial);
                Ok(())
            }
            Err(misuse) => Err(self.refused(ticket, misuse)),
        }
    }

    /// Answers what the ticket stands for.
    ///
    /// Where the reply has no enhanced status code and they are offered, X.0.0 is put in
    /// (2034-4-a). After a reply of code 421 the session is over, and nothing after that command
    /// is answered.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late, or if the reply cannot
    /// answer the command: EHLO, HELO, DATA and STARTTLS can only be refused by a reply, AUTH takes
    /// no positive one but 235, XCLIENT none but 220, and no reply of the machine's own kinds (334,
    /// 354, 221) is taken. Text beyond ASCII ([`Misuse::NotAscii`]) is for 251 and 551 to the RCPT of
    /// a transaction with SMTPUTF8, and for VRFY and EXPN that have it (RFC 6531 3.7.4).
    pub fn reply(&mut self, ticket: Ticket, reply: Reply<'_>) -> Result<(), Refused> {
        let checked = self.tickets.look_up(&ticket).and_then(|(serial, subject)| {
            let question = match subject {
                Subject::Question(question) => {
                    question.verb.check(&reply, question.takes_utf8())?;
                    Some(question)
                }
                Subject::Reply { bytes, .. } => {
                    check_rewording(bytes, &reply)?;
                    None
                }
            };
            Ok((serial, question))
        });
        let (serial, question) = match checked {
            Ok(checked) => checked,
            Err(misuse) => return Err(self.refused(ticket, misuse)),
        };
        let verb = question.map_or(Verb::Content, |it| it.verb);
        let closes = reply.code() == Code::NOT_AVAILABLE
            // 7504-3, X-44
            || verb == Verb::Connect && reply.code() == Code::NO_MAIL_SERVICE;
        if closes {
            self.close_after(serial, question, Some(&reply));
            return Ok(());
        }
        let answer = self.compose(&reply, verb);
        match question {
            Some(question) => {
                let given = match reply.is_positive() {
                    true => Given::Accepted,
                    false => Given::Refused,
                };
                self.settle(serial, question, answer, given);
            }
            None => {
                self.tickets.answer(serial, answer, false);
                self.depart();
            }
        }
        Ok(())
    }

    /// Goes on with an authentication: sends a challenge (334), which the machine encodes.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late, or neither that of
    /// [`Event::Auth`] nor of [`Event::AuthResponse`].
    pub fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        let serial = match self.tickets.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) if question.verb == Verb::Auth => serial,
            Ok(_) => return Err(self.refused(ticket, Misuse::WrongReplyClass)),
            Err(misuse) => return Err(self.refused(ticket, misuse)),
        };
        let answer = self
            .tickets
            .compose(|out| security::write_challenge(challenge, out));
        self.security.challenged(true);
        // What came after an initial response was not meant for this.
        self.outbox.expect_wait(serial, Place::Last, true);
        self.tickets.answer(serial, answer, false);
        self.depart();
        Ok(())
    }

    /// Answers what the ticket stands for, if by anything, and ends the session.
    ///
    /// Any negative reply is taken. What the client sent after that command is neither handed out nor
    /// answered, and its unfinished transaction is dropped; what is owed to it for earlier commands is
    /// still awaited and written.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late, or if the reply is not
    /// negative ([`Misuse::WrongReplyClass`]) or not in ASCII ([`Misuse::NotAscii`]).
    pub fn close(&mut self, ticket: Ticket, reply: Option<Reply<'_>>) -> Result<(), Refused> {
        let checked = self.tickets.look_up(&ticket).and_then(|(serial, subject)| {
            reply.as_ref().map_or(Ok(()), table::check_negative)?;
            Ok(match subject {
                Subject::Question(question) => (serial, Some(question)),
                Subject::Reply { .. } => (serial, None),
            })
        });
        match checked {
            Ok((serial, question)) => {
                self.close_after(serial, question, reply.as_ref());
                Ok(())
            }
            Err(misuse) => Err(self.refused(ticket, misuse)),
        }
    }

    /// Refuses what an event asks for that the application does not handle, in words that suit it.
    /// Events that ask for nothing are just dropped, and replies of the machine's own go as they are.
    ///
    /// Made for the last arm of a `match`: no command stays unanswered then.
    pub fn decline(&mut self, event: Event<'_>) {
        let Some(ticket) = event.into_ticket() else {
            return;
        };
        match self.tickets.look_up(&ticket) {
            Ok((serial, Subject::Question(question))) => {
                let wording = question.verb.declined();
                let given = match wording.code().class() {
                    Class::Positive => Given::Accepted,
                    _ => Given::Refused,
                };
                let answer = self.worded(wording);
                self.settle(serial, question, answer, given);
            }
            Ok((serial, Subject::Reply { .. })) => self.let_go(serial),
            Err(_) => {}
        }
    }

    /// Refuses the content that is coming, before its end.
    ///
    /// The rest is swallowed, the reply given where one is due: at the end of the content, or of
    /// the chunk that is coming or comes next. No [`Event::Message`] follows.
    ///
    /// # Errors
    ///
    /// Fails if that transaction's content is not coming, or is refused already
    /// ([`Misuse::UnknownMessage`]), or if the reply is not negative
    /// ([`Misuse::WrongReplyClass`]).
    pub fn refuse_content(
        &mut self,
        transaction: TransactionId,
        reply: Reply<'_>,
    ) -> Result<(), Misuse> {
        table::check_negative(&reply)?;
        let is_between_chunks = self.progress.state() == State::Chunks;
        if self.ending.is_some() || !self.intake.can_refuse(transaction, is_between_chunks) {
            return Err(Misuse::UnknownMessage);
        }
        let answer = self.compose(&reply, Verb::Content);
        if reply.code() == Code::NOT_AVAILABLE {
            // Nothing of what follows is taken: the client takes all of it for undelivered.
            self.intake.abandon();
            self.say_goodbye(answer, None);
            self.fail(Fault::ShutDown, &[]);
        } else {
            self.intake.refuse(Refusal::Application(answer));
        }
        Ok(())
    }

    /// Ends the session: no further command is taken, what was taken is answered, then comes the
    /// reply, then the end. An unfinished transaction is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the session is ending already, or if the reply is not negative; 421 is the one
    /// that RFC 5321 3.8 means for it.
    pub fn shut_down(&mut self, reply: Reply<'_>) -> Result<(), Misuse> {
        if self.ending.is_some() {
            return Err(Misuse::Ending);
        }
        table::check_negative(&reply)?;
        let answer = self.compose(&reply, Verb::Content);
        self.say_goodbye(answer, None);
        self.fail(Fault::ShutDown, &[]);
        Ok(())
    }

    /// Announces other extensions from the next EHLO on, in place of those of the configuration;
    /// those of the configuration again with `None`.
    ///
    /// What was offered to a proxy is offered to the client that it speaks for
    /// ([`Event::XClient`]) until this is called again.
    pub fn offer(&mut self, capabilities: impl Into<Option<Capabilities>>) {
        self.config.set_own_capabilities(capabilities.into());
    }

    /// Goes on with another configuration: one for this client, once it is known who it is.
    ///
    /// What EHLO's answer has said stands until the client says EHLO again. To say something else,
    /// reconfigure before the ticket of [`Event::Hello`] is accepted.
    ///
    /// # Errors
    ///
    /// Fails unless a ticket of [`Event::Connected`], [`Event::Hello`], [`Event::Auth`],
    /// [`Event::Mail`] or [`Event::XClient`] is open ([`Misuse::SettingsFixed`]), and if the dialect
    /// is another after the greeting.
    pub fn reconfigure(&mut self, config: Config) -> Result<(), Misuse> {
        let is_open = self.tickets.any_open(Verb::lets_settings_change);
        let is_greeted = self.progress.state() != State::Connected;
        if !is_open || is_greeted && config.settings().dialect != self.dialect() {
            return Err(Misuse::SettingsFixed);
        }
        self.config = config;
        Ok(())
    }

    /// Returns whether the client has authenticated itself, by AUTH or by what a proxy says of it
    /// ([`Event::XClient`]).
    pub fn is_authenticated(&self) -> bool {
        self.security.is_authenticated()
    }

    /// Offers authentication by these mechanisms from now on, in place of those of the
    /// configuration: for instance EXTERNAL to a client whose certificate is accepted
    /// (8314-4.2-a).
    ///
    /// # Errors
    ///
    /// Fails like [`Config::mechanisms`].
    #[cfg(feature = "auth")]
    pub fn offer_mechanisms<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), SyntaxError> {
        self.config = self.config.clone().mechanisms(names)?;
        Ok(())
    }

    /// Returns whether the TLS handshake is due: as [`Tls`] says at the beginning of the session, or
    /// after the 220 to STARTTLS is written.
    ///
    /// The bytes that come and go belong to the handshake then, until
    /// [`tls_established`](Self::tls_established). If any are presented all the same, the session
    /// fails ([`Fault::BytesBeforeTls`]), lest what came in clear be taken for what TLS protects.
    pub fn wants_tls(&self) -> bool {
        self.ending.is_none() && self.is_handshake()
    }

    /// Takes note that TLS is there: what is presented and transmitted from now on goes through it.
    ///
    /// All that the client said in clear is forgotten (3207-4.2-a). Whether the security that was
    /// reached suffices is the caller's to say (3207-4.1-a): else [`shut_down`](Self::shut_down).
    ///
    /// # Errors
    ///
    /// Fails if no handshake is due ([`Misuse::NoHandshake`]).
    pub fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        if !self.wants_tls() {
            return Err(Misuse::NoHandshake);
        }
        self.now = now;
        // The client has read the 220.
        self.outbox.bytes_came();
        self.patience.disarm();
        self.security.tls_established(info);
        self.announced = None;
        self.intake.forget_line();
        self.progress.apply(Verb::Handshake, true);
        if self.progress.state() == State::Connected {
            self.greet();
        }
        Ok(())
    }

    /// Takes note that the handshake failed: the session has failed, without another word. Does
    /// nothing if none was due.
    pub fn tls_failed(&mut self) {
        if self.wants_tls() {
            self.fail_mutely(Fault::TlsFailed);
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due; `None` if nothing is timed.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let deadlines = [
            self.outbox.deadline(),
            self.tickets.deadline(),
            self.patience.deadline(),
            self.session_end(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Lets the timers fire that are due at `now`. A call before its time does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        if let Some(timer) = self.outbox.expired(now) {
            self.fail_mutely(Fault::TimedOut(timer));
        }
        if let Some(timer) = self.patience.expired(now) {
            self.close_for(Reason::TimedOut, Fault::TimedOut(timer), &[]);
        }
        if self.session_end().is_some_and(|end| end <= now) {
            self.close_for(Reason::SessionLimit, Fault::SessionLimit, &[]);
        }
        if self.patience.releases(now) {
            self.depart_now();
        }
        while let Some((serial, subject)) = self.tickets.overdue(now) {
            match subject {
                Subject::Reply { .. } => self.let_go(serial),
                Subject::Question(question) => self.settle_overdue(serial, question),
            }
        }
        self.arm();
    }

    /// Takes note that the client sends no more bytes than were presented, or will be presented
    /// again. What it was sent still leaves, and verdicts may still be given.
    pub fn handle_eof(&mut self) {
        self.intake.ended();
    }

    /// Takes note that the transport takes no more bytes: the session has failed.
    pub fn write_failed(&mut self) {
        self.fail_mutely(Fault::WriteFailed);
    }

    /// Returns whether more bytes are of use now.
    ///
    /// While it is false a verdict, or the client's reading, is awaited. Reading ahead is allowed
    /// all the same, and notices a client that is gone.
    pub fn wants_read(&self) -> bool {
        !self.outbox.has_failed() && !self.intake.is_ended() && !self.is_blocked()
    }

    /// Returns whether the session is over, what was owed is written or cannot be, and all of it has
    /// been read: every event, and the error if there is one.
    pub fn is_closed(&self) -> bool {
        self.is_read_to_end
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.trace.as_mut()?.take()
    }

    /// Returns how many bytes `poll_event` leaves unconsumed at most while
    /// [`wants_read`](Self::wants_read) is true. A buffer of that size suffices.
    pub fn max_unconsumed(&self) -> usize {
        let settings = self.settings();
        match settings.has_mechanisms() {
            true => settings.max_command_line.max(limits::AUTHENTICATION_LINE),
            false => settings.max_command_line,
        }
    }

    /// Gives back the memory that is not in use, as on a connection that has gone idle.
    pub fn shrink(&mut self) {
        self.tickets.shrink();
        self.outbox.shrink();
    }

    // What is read.

    fn next_event<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Error> {
        loop {
            if let Some(event) = self.owed_event() {
                return Ok(Some(event));
            }
            if self.ending.is_none() && !input.is_empty() {
                self.bytes_came(input);
                // What came may prove that a reply has arrived.
                if let Some(event) = self.owed_event() {
                    return Ok(Some(event));
                }
            }
            if self.ending.is_some() {
                *input = &[];
                return self.last_event();
            }
            let step = match self.intake.is_at_command() {
                _ if self.is_blocked() => Step::Starved,
                true => self.next_command(input),
                false => self.next_content(input),
            };
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Starved
                    if self.intake.is_ended() && (self.is_handshake() || !self.is_blocked()) =>
                {
                    self.fail(Fault::ConnectionLost, &[]);
                }
                Step::Starved => return Ok(None),
            }
        }
    }

    /// Takes note that the client sent something.
    fn bytes_came(&mut self, input: &[u8]) {
        // 3207-4-h, X-14, TLS-1, TLS-3: they may be an attacker's.
        if !self.security.takes_bytes() {
            let excerpt = self.security.quotable(input);
            return self.close_for(Reason::Early, Fault::BytesBeforeTls, excerpt);
        }
        let turn = self.outbox.bytes_came();
        let settings = self.config.settings();
        if settings.improper_pipelining == ImproperPipelining::Tolerate || self.is_opening {
            return;
        }
        let (reason, fault) = match turn {
            Turn::Proper => return,
            // A client that begins with TLS waits for no greeting.
            _ if self.intake.begins_with_tls(input) => (
                Reason::ForeignProtocol,
                Fault::ForeignProtocol(ForeignProtocol::Tls),
            ),
            Turn::BeforeGreeting => (Reason::Early, Fault::EarlyTalker),
            Turn::Improper => (Reason::Early, Fault::ImproperPipelining),
        };
        self.close_for(reason, fault, self.security.quotable(input));
    }

    /// Returns an event that is due whatever the client sends.
    fn owed_event(&mut self) -> Option<Event<'static>> {
        if let Some((transaction, reason)) = self.reset.take() {
            return Some(Event::Reset {
                transaction,
                reason,
            });
        }
        let Some((ticket, subject)) = self.tickets.next_untold() else {
            return self.outbox.next_settled();
        };
        Some(match subject {
            Subject::Reply {
                bytes,
                reason,
                transaction,
            } => Event::Reply {
                ticket,
                // The machine's replies are well formed.
                reply: Reply::parse(bytes)
                    .map_or_else(|_| replies::local_error(), Reply::into_owned),
                reason,
                transaction,
            },
            Subject::Question(question) => match (question.detail, question.transaction) {
                (Detail::Recipient { recipient, bytes }, Some(transaction)) => Event::Delivery {
                    ticket,
                    transaction,
                    recipient: recipient as usize,
                    bytes,
                },
                _ => Event::Connected { ticket },
            },
        })
    }

    /// Returns the next event of a session that is ending, once everything is answered and written.
    fn last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        if let Some(Ending::Quit { is_told, .. }) = &mut self.ending
            && !core::mem::replace(is_told, true)
        {
            return Ok(Some(Event::Quit));
        }
        let is_drained =
            self.outbox.is_silent() || self.tickets.len() == 0 && self.outbox.backlog() == 0;
        if !is_drained {
            return Ok(None);
        }
        if let Some(event) = self.outbox.next_of_all() {
            return Ok(Some(event));
        }
        match &mut self.ending {
            Some(Ending::Failed(error)) => Err(error.clone()),
            Some(Ending::Quit { is_closed, .. }) => {
                let is_news = !core::mem::replace(is_closed, true);
                Ok(is_news.then_some(Event::Closed))
            }
            None => Ok(None),
        }
    }

    /// Returns whether no byte of the input can be taken now.
    fn is_blocked(&self) -> bool {
        if self.ending.is_some() || self.security.is_starting() {
            return true;
        }
        let settings = self.settings();
        self.intake.is_at_command()
            && (self.tickets.holding().is_some()
                || self.holds_reply_back()
                || !self.is_clear(self.intake.held())
                || self.tickets.len() >= settings.max_unanswered_commands
                || self.outbox.backlog() >= settings.max_output as u64)
    }

    /// Returns whether the verdicts are in that a command waits for.
    fn is_clear(&self, waits: Waits) -> bool {
        let settings = self.settings();
        let others = match waits {
            Waits::Everything => self.tickets.open() == 0,
            Waits::Envelope => self.tickets.messages() < settings.max_undecided_messages,
            Waits::Nothing | Waits::Sender | Waits::Room => true,
        };
        others && self.intake.is_clear(waits, settings.max_recipients)
    }

    // Commands.

    /// Reads one command, unless it has to wait.
    ///
    /// Every line that a client sends passes here.
    fn next_command<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let presented = *input;
        if self.intake.begins_with_tls(presented) {
            let first = presented.get(..1).unwrap_or_default();
            return self.refuse_foreign(ForeignProtocol::Tls, &[], first);
        }
        let is_response = self.security.is_in_exchange();
        let limit = match is_response {
            true => limits::AUTHENTICATION_LINE,
            false => self.settings().max_command_line,
        };
        let line = match self.intake.next_line(input, limit) {
            Arrived::Line(line) if is_response => return self.response(line),
            Arrived::Line(line) => line,
            Arrived::TooLong if is_response => return self.break_off(Reason::ResponseTooLong),
            Arrived::TooLong => return self.reject(Reason::LineTooLong, &[], Place::Any),
            Arrived::BareLineFeed(line) => return self.refuse_bare_line_feed(line),
            Arrived::Endless => {
                self.close_on_errors();
                return Step::Again;
            }
            Arrived::Part => return Step::Starved,
        };
        let command = match self.settings().parse(line) {
            Ok(command) => command,
            Err(error) => {
                self.trace_line(security::traceable(line));
                return self.malformed(error, line);
            }
        };
        let verb = self.verb_of(&command);
        let waits = verb.map_or(Waits::Nothing, |it| it.waits(self.settings().is_in_turn));
        if !self.is_clear(waits) {
            self.intake.hold(waits);
            *input = presented;
            return Step::Starved;
        }
        self.trace_line(security::traceable(line));
        match verb {
            Some(verb) => self.handle(verb, command, line),
            None => self.unrecognised(line),
        }
    }

    /// Returns the row of the table that a command has, if anybody knows it.
    fn verb_of(&self, command: &Command<'_>) -> Option<Verb> {
        let settings = self.settings();
        match command {
            Command::Other { verb, .. } if settings.has_command(verb) => Some(Verb::Own),
            Command::Other { .. } => settings.hands_out_unknown.then_some(Verb::Unknown),
            _ => Some(Verb::of(command)),
        }
    }

    fn handle<'i>(&mut self, verb: Verb, command: Command<'i>, line: &'i [u8]) -> Step<'i> {
        self.intake.understood();
        let is_first = self.progress.state() == State::Greeted;
        let is_empty = matches!(command, Command::Bdat { size: 0, .. });
        let settings = self.config.settings();
        if self
            .patience
            .count_idle(verb.idle(), is_first, is_empty, settings)
        {
            self.close_on_errors();
            return Step::Again;
        }
        let place = match &command {
            // 4954-4-t
            Command::Auth {
                initial_response: Some(_),
                ..
            } => Place::Any,
            _ => verb.place(),
        };
        self.is_opening &= !matches!(command, Command::Data | Command::Bdat { .. });
        if let Err(misplaced) = self.progress.admit(verb, &self.standing()) {
            return match command {
                // Its bytes come, whatever is said of them.
                Command::Bdat { size, last } if misplaced.reason != Reason::NotImplemented => {
                    self.stray_chunk(size, last, misplaced, line)
                }
                _ => self.turn_down(verb, misplaced, place, line),
            };
        }
        let question = Question::new(verb);
        match command {
            Command::Ehlo(host) | Command::Lhlo(host) => Step::Event(Event::Hello {
                ticket: self.ask(question, place),
                host,
                esmtp: true,
            }),
            Command::Helo(host) => Step::Event(Event::Hello {
                ticket: self.ask(question, place),
                host,
                esmtp: false,
            }),
            Command::Mail { from, parameters } => self.mail(from, parameters, line),
            Command::Rcpt { to, parameters } => self.rcpt(to, parameters, line),
            Command::Data => match self.intake.transaction() {
                Some(transaction) => Step::Event(Event::Data {
                    ticket: self.ask(question.of(transaction), place),
                    transaction,
                }),
                None => self.reject(Reason::OutOfPlace, line, place),
            },
            Command::Bdat { size, last } => {
                self.content_begins(size);
                let portion = self.intake.begin_chunk(size, last);
                self.handle_portion(portion)
            }
            Command::Rset => {
                self.patience.reset_came();
                self.drop_transaction(Reason::Reset);
                self.progress.apply(verb, true);
                self.say(Reason::Reset, place, None);
                Step::Again
            }
            Command::Noop if !self.settings().has_command("NOOP") => {
                self.say(Reason::Noop, place, self.intake.transaction());
                Step::Again
            }
            Command::Quit if !self.settings().has_command("QUIT") => {
                self.say(Reason::Quit, place, self.intake.transaction());
                self.quit(true);
                Step::Event(Event::Quit)
            }
            Command::Noop | Command::Quit => self.own(question, place, line),
            Command::Other { .. } => self.own(question, place, line),
            Command::Vrfy(name) => {
                let (name, utf8) = self.name(name);
                Step::Event(Event::Vrfy {
                    ticket: self.ask(question.with(Detail::Utf8(utf8)), place),
                    name,
                    utf8,
                })
            }
            Command::Expn(name) => {
                let (name, utf8) = self.name(name);
                Step::Event(Event::Expn {
                    ticket: self.ask(question.with(Detail::Utf8(utf8)), place),
                    name,
                    utf8,
                })
            }
            Command::Help(topic) => Step::Event(Event::Help {
                ticket: self.ask(question, place),
                topic,
            }),
            Command::StartTls => {
                self.security.tls_asked();
                Step::Event(Event::StartTls {
                    ticket: self.ask(question, place),
                })
            }
            Command::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(&mechanism, initial_response, line, place),
            Command::Etrn(node) => match QueueNode::parse(node.as_str()) {
                Ok(node) => Step::Event(Event::Etrn {
                    ticket: self.ask(question, place),
                    node,
                }),
                Err(_) => self.reject(Reason::BadArgument, line, place),
            },
            Command::Forwarding(attributes) => self.forwarding(question, attributes, place),
            // The table admits neither ATRN nor BURL.
            _ => self.reject(Reason::NotImplemented, line, place),
        }
    }

    fn mail<'i>(
        &mut self,
        from: ReversePath<'i>,
        parameters: Parameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        let settings = self.config.settings();
        self.patience.transaction_came();
        if self.patience.is_exhausted(settings, self.now) {
            let step = self.reject(Reason::SessionLimit, line, Place::Any);
            self.fail(Fault::SessionLimit, &[]);
            return step;
        }
        let terms = match &self.announced {
            Some(offer) => offer.of_mail(&parameters, &settings.additions),
            None if parameters.is_empty() => Ok(Terms {
                max_message_size: settings.max_message_size,
                ..Terms::default()
            }),
            None => Err(Reason::NotOffered),
        };
        let terms = match terms {
            Ok(terms) if terms.utf8 || from.is_ascii() => terms,
            refused => {
                self.patience.pardon(settings);
                let reason = refused.err().unwrap_or(Reason::SenderNotAscii);
                return self.reject(reason, line, Place::Any);
            }
        };
        let transaction = self.intake.begin(terms, settings.line_breaks);
        Step::Event(Event::Mail {
            ticket: self.ask(Question::new(Verb::Mail).of(transaction), Place::Any),
            transaction,
            from,
            parameters,
        })
    }

    fn rcpt<'i>(
        &mut self,
        to: ForwardPath<'i>,
        parameters: Parameters<'i>,
        line: &'i [u8],
    ) -> Step<'i> {
        let settings = self.config.settings();
        let checked = match &self.announced {
            Some(offer) => offer.of_rcpt(&parameters, &settings.additions),
            None if parameters.is_empty() => Ok(()),
            None => Err(Reason::NotOffered),
        };
        if let Err(reason) = checked {
            return self.reject(reason, line, Place::Any);
        }
        let utf8 = self.intake.terms().is_some_and(|terms| terms.utf8);
        if !(utf8 || to.is_ascii() && parameters.as_str().is_ascii()) {
            return self.reject(Reason::RecipientNotAscii, line, Place::Any);
        }
        let room = self.intake.recipient_came(settings.max_recipients);
        let Some(transaction) = self.intake.transaction().filter(|_| room == Room::Free) else {
            // 5321-4.5.3.1.8-a: those that were accepted stay.
            return match room {
                Room::Overrun => self.reject(Reason::TooManyRecipients, line, Place::Any),
                _ => self.decline_itself(Reason::TooManyRecipients, line, Place::Any),
            };
        };
        let question = Question::new(Verb::Recipient)
            .of(transaction)
            .with(Detail::Utf8(utf8));
        Step::Event(Event::Rcpt {
            ticket: self.ask(question, Place::Any),
            transaction,
            to,
            parameters,
        })
    }

    /// Swallows a chunk that no transaction takes.
    fn stray_chunk<'i>(
        &mut self,
        size: u64,
        last: bool,
        misplaced: Misplaced,
        line: &'i [u8],
    ) -> Step<'i> {
        self.fail_transaction(misplaced);
        let settings = self.config.settings();
        let most = intake::ceiling(settings.max_message_size);
        if self.patience.swallow(size, most) {
            self.close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
        } else {
            self.content_begins(size);
            self.intake.begin_stray_chunk(size, last, misplaced.reason);
        }
        self.count_misplaced();
        Step::Event(Event::Rejected {
            code: self.wording(misplaced.reason).code(),
            reason: misplaced.reason,
            line,
        })
    }

    /// Hands a command to the application as it is.
    fn own<'i>(&mut self, question: Question, place: Place, line: &'i [u8]) -> Step<'i> {
        let text = core::str::from_utf8(line).unwrap_or_default().trim_end();
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        match Word::parse(verb) {
            Ok(verb) => Step::Event(Event::Command {
                ticket: self.ask(question, place),
                verb,
                argument: Argument::parse(argument.trim_start()).ok(),
            }),
            Err(_) => self.reject(Reason::Unrecognised, line, place),
        }
    }

    fn authenticate<'i>(
        &mut self,
        mechanism: &str,
        initial_response: Option<InitialResponse<'_>>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        if !self.patience.allows_authentication(self.config.settings()) {
            // 4954-9-a
            self.close_on_errors();
            return Step::Again;
        }
        let Some(mechanism) = self.offer_in_force().mechanism(mechanism).cloned() else {
            // 4954-4-c, 4954-4-v
            return self.reject(Reason::MechanismUnknown, line, place);
        };
        let initial_response = match initial_response.map(|it| it.as_str()) {
            None => None,
            Some(text) => match SaslResponse::decode_initial(text) {
                Some(response) => Some(response),
                None => {
                    self.patience.count_failed_authentication();
                    return self.reject(Reason::NotBase64, line, place);
                }
            },
        };
        Step::Event(Event::Auth {
            ticket: self.ask(Question::new(Verb::Auth), place),
            mechanism,
            initial_response,
        })
    }

    /// Handles a line of an authentication exchange, whatever it looks like (X-12).
    fn response<'i>(&mut self, line: &[u8]) -> Step<'i> {
        self.trace_line(b"***");
        if line == b"*" {
            // 4954-4-g
            return self.break_off(Reason::AuthenticationCancelled);
        }
        let Some(response) = SaslResponse::decode(line) else {
            return self.break_off(Reason::NotBase64);
        };
        self.security.challenged(false);
        Step::Event(Event::AuthResponse {
            ticket: self.ask(Question::new(Verb::Auth), Place::Last),
            response,
        })
    }

    /// Ends an authentication exchange that leads nowhere.
    fn break_off<'i>(&mut self, reason: Reason) -> Step<'i> {
        self.security.challenged(false);
        self.patience.count_failed_authentication();
        self.reject(reason, &[], Place::Last)
    }

    fn forwarding<'i>(
        &mut self,
        question: Question,
        attributes: Attributes<'i>,
        place: Place,
    ) -> Step<'i> {
        Step::Event(match attributes.command() {
            ForwardingCommand::XForward => Event::XForward {
                ticket: self.ask(question, place),
                attributes,
            },
            ForwardingCommand::XClient => {
                let login = attributes.get(AttributeName::Login);
                let login = login.map(|it| matches!(it.value(), AttributeValue::Text(_)));
                Event::XClient {
                    ticket: self.ask(question.with(Detail::Login(login)), place),
                    attributes,
                }
            }
        })
    }

    /// Parts the argument of VRFY or EXPN from the SMTPUTF8 after it (6531-3.7.4-c).
    fn name<'i>(&self, argument: Argument<'i>) -> (Argument<'i>, bool) {
        let flag = Extension::SmtpUtf8.keyword();
        let name = match argument.as_str().rsplit_once(' ') {
            Some((name, last)) if last.eq_ignore_ascii_case(flag) && self.offers_utf8() => name,
            _ => return (argument, false),
        };
        Argument::parse(name.trim_end()).map_or((argument, false), |name| (name, true))
    }

    // Content.

    /// Reads content up to the next event.
    fn next_content<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let before = input.len();
        let portion = self.intake.next_content(input);
        let bytes = before.saturating_sub(input.len()) as u64;
        self.patience
            .content_came(bytes, self.config.settings(), self.now);
        self.handle_portion(portion)
    }

    fn handle_portion<'i>(&mut self, portion: Portion<'i>) -> Step<'i> {
        match portion {
            Portion::None => return Step::Starved,
            Portion::Swallowed => {}
            Portion::Bytes { transaction, bytes } => {
                return Step::Event(Event::Content { transaction, bytes });
            }
            Portion::Refused {
                transaction,
                reason,
            } => {
                return Step::Event(Event::Reset {
                    transaction,
                    reason,
                });
            }
            Portion::Excess => {
                self.close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
            }
            Portion::Chunk => {
                self.progress.apply(Verb::Chunk, true);
                self.say(Reason::Chunk, Place::Any, self.intake.transaction());
            }
            Portion::RefusedChunk => {
                // 3030-2-i: what follows of the message is refused until RSET.
                let transaction = self.intake.transaction();
                let refusal = self.fail_transaction(Misplaced {
                    reason: Reason::ChunkFailed,
                    breaks: true,
                });
                if let Some(refusal) = refusal {
                    self.refuse_content_now(refusal, 1, transaction);
                }
            }
            Portion::StrayChunk { reason, recipients } => {
                let replies = recipients.map_or(1, |it| self.replies_to_content(it));
                self.refuse_content_now(Refusal::Machine(reason), replies, None);
            }
            Portion::Message(message) => {
                self.end_content(message);
                return self.ask_for_verdict(message);
            }
            Portion::RefusedMessage { message, refusal } => {
                self.end_content(message);
                let replies = self.replies_to_content(message.recipients);
                self.refuse_content_now(refusal, replies, Some(message.transaction));
            }
        }
        Step::Again
    }

    fn end_content(&mut self, message: Message) {
        if self.progress.state() == State::Content {
            self.trace_content(message.bytes);
        }
        self.patience.message_came(message.bytes);
        self.progress.apply(Verb::Content, true);
    }

    /// Asks for the verdict over a message, for each accepted recipient in LMTP.
    fn ask_for_verdict<'i>(&mut self, message: Message) -> Step<'i> {
        let Message {
            transaction, bytes, ..
        } = message;
        if self.dialect() == Dialect::Smtp {
            return Step::Event(Event::Message {
                ticket: self.ask(Question::new(Verb::Content).of(transaction), Place::Any),
                transaction,
                bytes,
            });
        }
        // All at once, so that nothing comes between their replies. The application is told of one
        // after the other.
        let recipients = u32::try_from(message.recipients).unwrap_or(u32::MAX);
        for recipient in 0..recipients {
            let detail = Detail::Recipient { recipient, bytes };
            let question = Question::new(Verb::Delivery).of(transaction).with(detail);
            self.expect_wait(Place::Any);
            let deadline = self.verdict_deadline(question.verb);
            self.tickets.ask_later(question, deadline);
        }
        Step::Again
    }

    /// Returns how many replies a content gets: in LMTP one for each accepted recipient, none at all if
    /// there are none (2033-4.3-b, X-22, BDT-14).
    fn replies_to_content(&self, recipients: usize) -> usize {
        match self.dialect() {
            Dialect::Smtp => 1,
            Dialect::Lmtp => recipients,
        }
    }

    fn refuse_content_now(
        &mut self,
        refusal: Refusal,
        replies: usize,
        transaction: Option<TransactionId>,
    ) {
        for _ in 0..replies {
            match &refusal {
                Refusal::Machine(reason) => self.say(*reason, Place::Any, transaction),
                Refusal::Application(answer) => {
                    self.expect_wait(Place::Any);
                    let again = self
                        .tickets
                        .compose(|out| out.extend_from_slice(answer.as_bytes()));
                    self.tickets.push(again);
                    self.depart();
                }
            }
        }
    }

    /// Takes the next `size` bytes for content.
    fn content_begins(&mut self, size: u64) {
        self.trace_content(size);
        self.patience.content_begins(self.config.settings());
    }

    /// Gives the transaction up until RSET, if a command breaks it; returns what its content was refused
    /// with.
    fn fail_transaction(&mut self, misplaced: Misplaced) -> Option<Refusal> {
        self.progress.misplace(misplaced);
        if !misplaced.breaks || self.intake.transaction().is_none() {
            return None;
        }
        self.patience.pardon(self.config.settings());
        let (transaction, refusal) = self.intake.fail();
        if let Some(transaction) = transaction {
            self.reset = Some((transaction, Reason::ChunkFailed));
        }
        refusal
    }

    /// Forgets the transaction, if there is one, and owes the application the news.
    fn drop_transaction(&mut self, reason: Reason) {
        if let Some(transaction) = self.intake.abandon() {
            self.reset = Some((transaction, reason));
        }
    }

    // What the machine says by itself.

    /// Answers a line that is no command, or none of the form that its verb demands.
    fn malformed<'i>(&mut self, error: CommandError, line: &'i [u8]) -> Step<'i> {
        let Some(verb) = error.verb().map(Verb::named) else {
            return self.unrecognised(line);
        };
        self.intake.understood();
        let reason = match self.progress.admit(verb, &self.standing()) {
            Err(misplaced)
                if matches!(
                    misplaced.reason,
                    Reason::TurnedAway | Reason::NotImplemented | Reason::WrongDialect
                ) =>
            {
                misplaced.reason
            }
            _ => match verb {
                Verb::Mail => Reason::BadSender,
                Verb::Recipient => Reason::BadRecipient,
                Verb::Chunk => Reason::BadChunkSize,
                _ => Reason::BadArgument,
            },
        };
        if verb == Verb::Mail {
            self.patience.pardon(self.config.settings());
        }
        let step = self.reject(reason, line, verb.place());
        if error.kind() == CommandErrorKind::ChunkSize && reason != Reason::NotImplemented {
            // BDT-1: commands cannot be told from content any more.
            self.fail(Fault::MalformedChunk, line);
        }
        step
    }

    /// Answers a line whose verb nobody knows.
    fn unrecognised<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        if self.progress.state() == State::TurnedAway {
            return self.reject(Reason::TurnedAway, line, Place::Any);
        }
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let verb = line.split(|byte| *byte == b' ').next();
        let verb = verb.and_then(|verb| core::str::from_utf8(verb).ok());
        if verb.is_some_and(|verb| self.settings().has_command(verb)) {
            return self.reject(Reason::BadArgument, line, Place::Last);
        }
        self.reject(Reason::Unrecognised, line, Place::Any)
    }

    /// Takes leave of a client that speaks another protocol, of which `bytes` are an example.
    fn refuse_foreign<'i>(
        &mut self,
        protocol: ForeignProtocol,
        line: &'i [u8],
        bytes: &[u8],
    ) -> Step<'i> {
        let step = self.reject(Reason::ForeignProtocol, line, Place::Any);
        self.fail(Fault::ForeignProtocol(protocol), bytes);
        step
    }

    /// Takes leave of a client whose lines end in LF, or whose commands hide others.
    fn refuse_bare_line_feed<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        let line = self.security.quotable(line);
        self.trace_line(line);
        if let Some(protocol) = self.intake.foreign(line) {
            return self.refuse_foreign(protocol, line, line);
        }
        let step = self.reject(Reason::BareLineFeed, line, Place::Any);
        self.fail(Fault::BareLineFeed, line);
        step
    }

    /// Answers a command that is not in its place.
    fn turn_down<'i>(
        &mut self,
        verb: Verb,
        misplaced: Misplaced,
        place: Place,
        line: &'i [u8],
    ) -> Step<'i> {
        let reason = misplaced.reason;
        match reason {
            Reason::WrongDialect => return self.reject(reason, line, Place::Any),
            Reason::TlsRequired | Reason::AuthenticationRequired if verb == Verb::Mail => {
                self.patience.pardon(self.config.settings());
                return self.reject(reason, line, place);
            }
            _ => {}
        }
        self.fail_transaction(misplaced);
        let step = self.decline_itself(reason, line, place);
        self.count_misplaced();
        step
    }

    /// Refuses a command, and counts that as an error.
    fn reject<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        let step = self.decline_itself(reason, line, place);
        self.count_error();
        step
    }

    /// Refuses a command.
    fn decline_itself<'i>(&mut self, reason: Reason, line: &'i [u8], place: Place) -> Step<'i> {
        self.say(reason, place, self.intake.transaction());
        Step::Event(Event::Rejected {
            code: self.wording(reason).code(),
            reason,
            line: security::without_secret(line),
        })
    }

    /// Answers a command without the application, unless it reviews such answers.
    fn say(&mut self, reason: Reason, place: Place, transaction: Option<TransactionId>) {
        let wording = self.wording(reason);
        let answer = self.worded(wording);
        self.expect_wait(place);
        match self.review_deadline(wording) {
            Some(deadline) => self.tickets.review(answer, reason, transaction, deadline),
            None => self.tickets.push(answer),
        }
        self.depart();
    }

    fn wording(&self, reason: Reason) -> Wording {
        replies::wording(reason, self.dialect())
    }

    /// Composes a reply of the machine's.
    fn worded(&mut self, wording: Wording) -> Answer {
        let hostname = &self.config.settings().hostname;
        match wording {
            Wording::Fixed(reply) => Answer::Fixed(reply),
            Wording::Named(before, after) => self.tickets.compose(|out| {
                for part in [before, hostname.as_str(), after] {
                    out.extend_from_slice(part.as_bytes());
                }
            }),
            Wording::Offer => {
                let offer = self.config.settings().offer(protection(&self.security));
                self.tickets.compose(|out| offer.write_reply(hostname, out))
            }
        }
    }

    // What the application says.

    /// Takes over an application's reply, with an enhanced code where one is due (2034-4-a).
    fn compose(&mut self, reply: &Reply<'_>, verb: Verb) -> Answer {
        let offers_codes = self.offered().has(Extension::EnhancedStatusCodes);
        let is_exempt = verb.is_bare(reply.class()) || reply.enhanced().is_some() || !offers_codes;
        let enhanced: &[u8] = match reply.class() {
            _ if is_exempt => b"",
            Class::Positive => b"2.0.0 ",
            Class::Intermediate => b"",
            Class::Transient => b"4.0.0 ",
            Class::Permanent => b"5.0.0 ",
        };
        let room = MAX_REPLY_LINE.saturating_sub(enhanced.len());
        self.tickets.compose(|out| {
            for line in reply.as_bytes().split_inclusive(|byte| *byte == b'\n') {
                match line.split_at_checked(4) {
                    Some((code, text)) if line.len() <= room => {
                        out.extend_from_slice(code);
                        out.extend_from_slice(enhanced);
                        out.extend_from_slice(text);
                    }
                    _ => out.extend_from_slice(line),
                }
            }
        })
    }

    /// Asks for the greeting.
    fn greet(&mut self) {
        self.expect_wait(Place::Last);
        let deadline = self.verdict_deadline(Verb::Connect);
        self.tickets
            .ask_later(Question::new(Verb::Connect), deadline);
    }

    /// Queues a command that the application answers.
    fn ask(&mut self, question: Question, place: Place) -> Ticket {
        self.expect_wait(place);
        let deadline = self.verdict_deadline(question.verb);
        self.tickets.ask(question, deadline)
    }

    fn verdict_deadline(&self, verb: Verb) -> Duration {
        let settings = self.settings();
        self.now.saturating_add(match verb.is_of_message() {
            true => settings.message_verdict_timeout,
            false => settings.verdict_timeout,
        })
    }

    /// Returns until when the application may review a reply of the machine's own, if it does at all.
    fn review_deadline(&self, wording: Wording) -> Option<Duration> {
        let is_positive = wording.code().class() == Class::Positive;
        let deadline = self.verdict_deadline(Verb::Noop);
        self.settings().reviews(is_positive).then_some(deadline)
    }

    /// Returns why a ticket is of no use, with the ticket.
    fn refused(&self, ticket: Ticket, misuse: Misuse) -> Refused {
        let is_lost = matches!(misuse, Misuse::Expired | Misuse::UnknownTicket);
        let misuse = match misuse {
            _ if is_lost && self.outbox.is_silent() => Misuse::Ending,
            misuse => misuse,
        };
        Refused { ticket, misuse }
    }

    /// Takes a verdict.
    fn settle(&mut self, serial: u64, question: Question, answer: Answer, given: Given) {
        self.tickets.answer(serial, answer, given.is_positive());
        if self.ending.is_none() {
            self.take_effect(question, given);
        } else if question.verb == Verb::Mail && !given.is_positive() {
            // The application ends the transaction that it has not been told to forget yet.
            self.reset
                .take_if(|(id, _)| Some(*id) == question.transaction);
        }
        self.depart();
    }

    /// Does what a verdict means for the session.
    fn take_effect(&mut self, question: Question, given: Given) {
        let is_positive = given.is_positive();
        let verb = question.verb;
        // A transaction that is gone is not changed any more.
        let is_current = match (verb, question.transaction) {
            (Verb::Mail, Some(id)) => self.intake.sender_decided(id, is_positive),
            (Verb::Recipient, Some(id)) => self.intake.recipient_decided(id, is_positive),
            (Verb::Data, transaction) => self.intake.transaction() == transaction,
            // The state went on at the end of the content.
            _ => !verb.is_of_message(),
        };
        if is_positive && matches!(verb, Verb::Ehlo | Verb::Lhlo | Verb::Helo) {
            self.drop_transaction(Reason::Hello);
            let offer = self.config.settings().offer(protection(&self.security));
            self.announced = (verb != Verb::Helo).then(|| offer.clone());
        }
        if is_current {
            self.progress.apply(verb, is_positive);
        }
        let settings = self.config.settings();
        match (verb, question.detail) {
            (Verb::Mail, _) if is_current && !is_positive => self.patience.pardon(settings),
            (Verb::Data, _) if is_current && is_positive => {
                self.intake.begin_data();
                self.patience.content_begins(settings);
            }
            (Verb::StartTls, _) => {
                // All was answered before, so that this reply is the next.
                let length = replies::START_TLS.as_bytes().len();
                self.security
                    .tls_decided(is_positive, self.outbox.queued(), length);
            }
            (Verb::Auth, _) if is_positive => self.security.authenticated(),
            (Verb::Auth, _) => self.patience.count_failed_authentication(),
            (Verb::XClient, Detail::Login(login)) if is_positive => {
                self.security.spoken_for(login);
                self.announced = None;
            }
            (Verb::Content | Verb::Delivery, _) if is_positive => self.patience.message_accepted(),
            (Verb::Quit, _) if is_positive => self.quit(false),
            _ => {}
        }
        if given == Given::Refused && verb.counts_refusals() {
            self.count_error();
        }
    }

    /// Answers for an application that took too long.
    fn settle_overdue(&mut self, serial: u64, question: Question) {
        let wording = question.verb.overdue();
        let is_positive = wording.code().class() == Class::Positive;
        let answer = self.worded(wording);
        self.settle(serial, question, answer, Given::Overdue { is_positive });
        if wording.code() == Code::NOT_AVAILABLE {
            self.fail(Fault::TimedOut(Timer::Verdict), &[]);
        }
    }

    /// Sends a reply of the machine's own as it is.
    fn let_go(&mut self, serial: u64) {
        self.tickets.let_go(serial);
        self.depart();
    }

    // What leaves.

    fn expect_wait(&mut self, place: Place) {
        let may_pipeline = self.may_pipeline();
        self.outbox
            .expect_wait(self.tickets.next_serial(), place, may_pipeline);
    }

    /// Moves the replies whose turn it is to the output, unless they are held back for now.
    fn depart(&mut self) {
        if !self.is_slow() {
            self.depart_now();
        }
    }

    /// Moves the replies whose turn it is to the output.
    ///
    /// Every reply that a client gets passes here.
    fn depart_now(&mut self) {
        let (outbox, trace) = (&mut self.outbox, &mut self.trace);
        while self.tickets.depart(|reply| {
            if let Some(trace) = trace {
                trace.lines(Origin::Local, outbox.round_trips(), reply.bytes);
            }
            outbox.push(&reply);
        }) {}
    }

    /// Returns whether each reply is held back. The last ones of a session leave at once.
    fn is_slow(&self) -> bool {
        self.ending.is_none() && self.patience.is_slow(self.settings())
    }

    /// Returns whether a reply is being held back, so that no further command is handled.
    fn holds_reply_back(&self) -> bool {
        self.is_slow() && self.tickets.has_answer()
    }

    /// Sees to it that the timers run that should, and no others.
    fn arm(&mut self) {
        if self.outbox.is_silent() {
            return;
        }
        self.outbox.arm(self.now);
        let is_held = self.holds_reply_back();
        // Only the bytes of a chunk have to come while replies are owed: after DATA, 354 is one.
        let owed = self.tickets.len() > 0 || self.outbox.backlog() > 0;
        let awaited = match self.intake.is_at_command() {
            _ if self.ending.is_some() || owed && !self.intake.is_in_chunk() => None,
            true => Some(Timer::Idle),
            false => Some(Timer::Receive),
        };
        let settings = self.config.settings();
        self.patience.hold(is_held, settings, self.now);
        self.patience.arm(awaited, settings, self.now);
    }

    // How it ends.

    /// Takes note of QUIT, whose reply is on its way, and of whether the application knows.
    fn quit(&mut self, is_told: bool) {
        self.outbox.quit_came();
        self.end(
            Ending::Quit {
                is_told,
                is_closed: false,
            },
            Reason::Quit,
        );
    }

    /// Ends the session with a last reply, which takes the place of one that the client could not
    /// make use of any more. It is the machine's own if there is a reason.
    fn say_goodbye(&mut self, answer: Answer, own: Option<(Reason, Option<Duration>)>) {
        self.renounce_tls();
        if self.outbox.is_silent() {
            return;
        }
        let holding = self.tickets.holding();
        match (holding, own) {
            (Some((serial, _)), Some((reason, deadline))) => {
                self.tickets.supersede(serial, answer, reason, deadline);
            }
            (Some((serial, _)), None) => self.tickets.answer(serial, answer, false),
            (None, Some((reason, Some(deadline)))) => {
                self.expect_wait(Place::Any);
                let transaction = self.intake.transaction();
                self.tickets.review(answer, reason, transaction, deadline);
            }
            (None, _) => {
                self.expect_wait(Place::Any);
                self.tickets.push(answer);
            }
        }
        self.depart();
    }

    /// Ends the session in error, with a last reply that says why.
    fn close_for(&mut self, reason: Reason, fault: Fault, bytes: &[u8]) {
        if self.ending.is_some() {
            return;
        }
        let wording = self.wording(reason);
        let answer = self.worded(wording);
        let deadline = self.review_deadline(wording);
        self.say_goodbye(answer, Some((reason, deadline)));
        self.fail(fault, bytes);
    }

    fn close_on_errors(&mut self) {
        self.close_for(Reason::TooManyErrors, Fault::TooManyErrors, &[]);
    }

    /// Ends the session for the application, with the answer to the command of that serial number, or
    /// without any. What came after it is not answered (X-36).
    fn close_after(&mut self, serial: u64, question: Option<Question>, reply: Option<&Reply<'_>>) {
        let kept = serial.saturating_add(u64::from(reply.is_some()));
        let outbox = &mut self.outbox;
        self.tickets
            .drop_from(kept, |accepted| outbox.unsent(accepted));
        self.fail(Fault::ShutDown, &[]);
        let verb = question.map_or(Verb::Content, |it| it.verb);
        if verb == Verb::Mail {
            self.reset
                .take_if(|(id, _)| question.is_some_and(|it| it.transaction == Some(*id)));
        }
        if let Some(reply) = reply {
            let answer = self.compose(reply, verb);
            self.tickets.answer(serial, answer, false);
        }
        self.depart();
    }

    /// Takes back the 220 that begins TLS, so that another reply can follow. Where it is too late
    /// nothing can: the client takes what comes for TLS.
    fn renounce_tls(&mut self) {
        let Some(kept) = self.security.before_handshake() else {
            return;
        };
        if self.is_handshake() || !self.outbox.take_back(kept) {
            self.silence();
        } else if let Some(trace) = &mut self.trace {
            trace.take_back();
        }
    }

    /// Ends the session in error, once everything is answered and written.
    fn fail(&mut self, fault: Fault, bytes: &[u8]) {
        if self.ending.is_none() {
            let error = Error::new(fault, self.describe(), bytes);
            self.end(Ending::Failed(error), Reason::Ended);
        }
    }

    /// Ends the session in error at once: the client cannot be reached.
    fn fail_mutely(&mut self, fault: Fault) {
        self.fail(fault, &[]);
        self.silence();
    }

    /// Ends the session if its last transmission failed.
    fn note_failed_write(&mut self) {
        if self.outbox.has_failed() {
            self.fail_mutely(Fault::WriteFailed);
        }
    }

    /// Sends nothing any more.
    fn silence(&mut self) {
        self.patience.disarm();
        self.outbox.silence();
        let outbox = &mut self.outbox;
        self.tickets.clear(|accepted| outbox.unsent(accepted));
    }

    fn end(&mut self, ending: Ending, reason: Reason) {
        self.drop_transaction(reason);
        self.ending = Some(ending);
        // What was held back leaves with the rest.
        self.depart();
    }

    fn describe(&self) -> &'static str {
        match self.intake.is_in_chunk() {
            _ if self.is_handshake() => "before the TLS handshake",
            _ if self.security.is_in_exchange() => "in an authentication exchange",
            true => State::Content.describe(),
            false => self.progress.state().describe(),
        }
    }

    fn count_error(&mut self) {
        if self.patience.count_error(self.config.settings()) {
            self.close_on_errors();
        }
    }

    fn count_misplaced(&mut self) {
        if self.patience.count_misplaced(self.config.settings()) {
            self.close_on_errors();
        }
    }

    // What is so.

    fn settings(&self) -> &Settings {
        self.config.settings()
    }

    fn dialect(&self) -> Dialect {
        self.settings().dialect
    }

    /// Returns what EHLO's answer has offered, or would offer now.
    fn offer_in_force(&self) -> &Offer {
        let now = self.settings().offer(protection(&self.security));
        self.announced.as_ref().unwrap_or(now)
    }

    fn offered(&self) -> &Capabilities {
        self.offer_in_force().capabilities()
    }

    fn offers_utf8(&self) -> bool {
        let announced = self.announced.as_ref();
        announced.is_some_and(|offer| offer.capabilities().has(Extension::SmtpUtf8))
    }

    /// Returns whether the client may send commands together.
    fn may_pipeline(&self) -> bool {
        let announced = self.announced.as_ref();
        announced.is_some_and(|offer| offer.capabilities().has(Extension::Pipelining))
    }

    /// Returns what counts besides the state for whether a command is taken.
    fn standing(&self) -> Standing<'_> {
        let settings = self.settings();
        let is_encrypted = self.security.is_encrypted();
        let is_authenticated = self.security.is_authenticated();
        Standing {
            dialect: settings.dialect,
            offered: self.offered(),
            has_tls: settings.tls != Tls::Off,
            has_mechanisms: settings.has_mechanisms(),
            is_encrypted,
            is_authenticated,
            lacks_tls: settings.tls == Tls::Required && !is_encrypted,
            lacks_authentication: settings.requires_auth && !is_authenticated,
            demands_hello: settings.requires_hello,
            names_recipients: self.intake.names_recipients(),
            is_binary: self.intake.terms().is_some_and(|terms| terms.binary),
        }
    }

    /// Returns whether the bytes that come and go are the TLS handshake's.
    fn is_handshake(&self) -> bool {
        self.security.is_handshake(self.outbox.sent())
    }

    /// Returns when the session is over for its length, if it is between transactions.
    fn session_end(&self) -> Option<Duration> {
        let is_between = self.ending.is_none()
            && self.intake.is_at_command()
            && self.intake.transaction().is_none()
            && self.tickets.len() == 0;
        self.patience.end(self.settings()).filter(|_| is_between)
    }

    /// Records a line, without the secrets that AUTH may bring.
    fn trace_line(&mut self, line: &[u8]) {
        if let Some(trace) = &mut self.trace {
            trace.lines(Origin::Remote, self.outbox.round_trips(), line);
        }
    }

    fn trace_content(&mut self, bytes: u64) {
        if let Some(trace) = &mut self.trace {
            trace.content(Origin::Remote, self.outbox.round_trips(), bytes);
        }
    }
}

fn protection(security: &Security) -> Protection {
    match security.tls() {
        None => Protection::InClear,
        Some(info) if info.exporter.is_some() => Protection::Bound,
        Some(_) => Protection::Tls,
    }
}

/// Checks that a reply may stand in the place of one of the machine's own: of the same class, and of
/// the same code where that says that the connection closes.
fn check_rewording(own: &[u8], reply: &Reply<'_>) -> Result<(), Misuse> {
    let is_closing = own.starts_with(b"221") || own.starts_with(b"421");
    let same = if is_closing { 3 } else { 1 };
    match reply.is_ascii() {
        _ if own.get(..same) != reply.as_bytes().get(..same) => Err(Misuse::WrongReplyClass),
        true => Ok(()),
        false => Err(Misuse::NotAscii),
    }
}
