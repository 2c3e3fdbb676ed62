//! The server's half of SMTP.
//!
//! A [`Server`] reads what a client sends, hands it out as [`Event`]s, and composes, orders and
//! batches the replies. Every command that is the application's to decide comes with a
//! [`Ticket`]; verdicts may be given at once or later, and in any order.
//!
//! ```text
//!              accept            EHLO accepted              MAIL accepted
//!  Connected ----------> greeted --------------> ready <-------------------> mail
//!      | refuse (554)                              ^  ^   RSET, EHLO          | RCPT accepted
//!      v                                           |  +-------------------+   v
//!  turned away: 503 until QUIT                     |    RSET, EHLO        recipients
//!                                                  |                       | DATA, BDAT
//!                        Message (verdict due)     |     Content           v
//!                                                  +--------------------- content
//!                                                  |  end of content       | a chunk fails
//!                                                  +--------------- failed <+
//!                                                     RSET, EHLO   (503)
//! ```
//!
//! The table of what may come when is in `sequence.rs`.
//!
//! # What waits for what
//!
//! Commands that were sent together are handed out together as far as their meaning allows: RCPT
//! waits for the verdict over its MAIL; DATA and BDAT for those over the recipients, but not for
//! those over earlier messages; EHLO for all. A command that waits stays in the caller's buffer,
//! and [`Server::wants_read`] says that no more octets are of use before a verdict.
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
//!                 Event::Content { octets, .. } => print!("{}", octets.escape_ascii()),
//!                 _ => {}
//!             }
//!         }
//!         let consumed = received.len() - input.len();
//!         received.drain(..consumed);
//!         loop {
//!             let transmit = server.poll_transmit(now());
//!             let Some(octets) = transmit.slices().first() else { break };
//!             let written = write(octets);
//!             transmit.sent(written, now());
//!         }
//!         if server.is_closed() {
//!             return Ok(());
//!         }
//!         if server.wants_read() && read(&mut received) == 0 {
//!             server.handle_eof();
//!         }
//!     }
//! }
//! # let dialogue = b"EHLO c.example\r\n;MAIL FROM:<a@c.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n;Hi\r\n.\r\nQUIT\r\n;";
//! # let mut flights = dialogue.split(|octet| *octet == b';');
//! # let mut replies = Vec::new();
//! # serve(
//! #     |received| { let flight = flights.next().unwrap_or_default(); received.extend_from_slice(flight); flight.len() },
//! #     |octets| { replies.extend_from_slice(octets); octets.len() },
//! #     || Duration::ZERO,
//! # )?;
//! # assert!(replies.ends_with(b"250 2.0.0 Message accepted\r\n221 2.0.0 mx.example.net closing connection\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod content;
mod ending;
mod event;
mod flow;
mod output;
mod pipeline;
mod replies;
mod sequence;
mod session;
mod tally;
mod terms;
mod verdict;

use core::time::Duration;

pub use config::{Config, ImproperPipelining};
pub use event::{Certainty, Event, Refused, ResetCause, Ticket, TransactionId};

use content::{Receiving, Transaction};
use output::{Account, Output, Receipts};
use pipeline::Pipeline;
use sequence::{Asked, Place, State, Waits};
use tally::Tally;

use crate::framing::{LineReader, Slices, Transmit};
use crate::machine::{Deadline, Error, Fault, Misuse};
use crate::syntax::{Class, Code, Reply};

/// Serves one client on one connection.
///
/// See the [module](self) for how to drive it. Any call in any order is safe.
#[derive(Debug)]
pub struct Server {
    config: Config,
    state: State,
    /// Whether the client introduced itself by EHLO, so that extensions are at its disposal.
    esmtp: bool,
    /// The transaction under way; also one whose MAIL has no verdict yet.
    transaction: Option<Transaction>,
    next_transaction: u64,
    receiving: Receiving,
    lines: LineReader,
    pipeline: Pipeline,
    output: Output,
    account: Account,
    receipts: Receipts,
    read_timer: Deadline,
    /// What the command waits for that stands first in the caller's buffer.
    waits: Waits,
    reset_owed: Option<(TransactionId, ResetCause)>,
    /// How many messages have no verdict yet.
    undecided: usize,
    tally: Tally,
    /// The first ticket, until it is handed out.
    greeting: Option<Ticket>,
    eof: bool,
    /// Whether the transport takes no more octets.
    mute: bool,
    ending: Option<Ending>,
    closed: bool,
}

/// How a session ends that is ending.
#[derive(Debug)]
enum Ending {
    Quit,
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

impl Server {
    /// Begins a session on a connection that was just accepted.
    ///
    /// The first event is [`Event::Connected`].
    pub fn new(config: Config, now: Duration) -> Self {
        let account = Account::new(config.settings().write_timeout);
        let mut server = Self {
            config,
            state: State::Ungreeted,
            esmtp: false,
            transaction: None,
            next_transaction: 1,
            receiving: Receiving::Commands,
            lines: LineReader::default(),
            pipeline: Pipeline::new(),
            output: Output::default(),
            account,
            receipts: Receipts::default(),
            read_timer: Deadline::default(),
            waits: Waits::Nothing,
            reset_owed: None,
            undecided: 0,
            tally: Tally::default(),
            greeting: None,
            eof: false,
            mute: false,
            ending: None,
            closed: false,
        };
        server.greeting = Some(server.ask(Asked::Greeting, TransactionId(0), Place::Last, now));
        server
    }

    /// Reads from `input` up to the next event, and moves `input` behind what was consumed.
    ///
    /// Call it until it returns `None`, whenever octets came or a verdict was given, then write
    /// what [`poll_transmit`](Self::poll_transmit) holds: the replies to a group of commands then
    /// leave together (RFC 2920 3.2). Octets that are left belong to an unfinished line, or wait
    /// for a verdict: present them again, with more behind them. They are at most
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
        let event = self.next_event(input, now);
        match event {
            // Time that the application takes is not the client's.
            Ok(Some(_)) => self.read_timer.stop(),
            _ => self.arm(now),
        }
        event
    }

    /// Returns the octets that the client is to read next.
    ///
    /// Write them and report it; call it again until it is empty.
    pub fn poll_transmit(&mut self, now: Duration) -> Transmit<'_> {
        self.arm(now);
        let mut slices = Slices::new();
        let pending = self.output.pending(&self.account);
        if !pending.is_empty() {
            slices.push(pending);
        }
        Transmit::new(slices, &mut self.account)
    }

    /// Accepts what the ticket stands for; the machine composes the reply.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late.
    pub fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        let question = match self.question(&ticket) {
            Ok(question) => question,
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let answer = self.acceptance(question.asked);
        self.settle(question, answer, true);
        Ok(())
    }

    /// Answers what the ticket stands for.
    ///
    /// Where the reply has no enhanced status code and they are offered, X.0.0 is put in
    /// (2034-4-a). After a reply of code 421 the session is over, and nothing behind that command
    /// is answered.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late, or if the reply cannot
    /// answer the command: EHLO, HELO and DATA can only be refused by a reply, and no reply of the
    /// machine's own kinds (334, 354, 221) is taken.
    pub fn reply(&mut self, ticket: Ticket, reply: Reply<'_>) -> Result<(), Refused> {
        let question = match self.question(&ticket) {
            Ok(question) if question.asked.takes(reply.code()) => question,
            Ok(_) => {
                let misuse = Misuse::WrongReplyClass;
                return Err(Refused { ticket, misuse });
            }
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let answer = self.compose(&reply, question.asked);
        self.settle(question, answer, reply.is_positive());
        let closes = reply.code() == Code::NOT_AVAILABLE
            || question.asked == Asked::Greeting && reply.code() == Code::NO_MAIL_SERVICE;
        if closes {
            self.pipeline.drop_behind(question.serial);
            self.fail(Fault::ShutDown, &[]);
        }
        Ok(())
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
        if !matches!(reply.code().class(), Class::Transient | Class::Permanent) {
            return Err(Misuse::WrongReplyClass);
        }
        if !self.can_refuse_content(transaction) {
            return Err(Misuse::UnknownMessage);
        }
        let answer = self.compose(&reply, Asked::Message);
        self.refuse_rest(answer);
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
        if !matches!(reply.code().class(), Class::Transient | Class::Permanent) {
            return Err(Misuse::WrongReplyClass);
        }
        let answer = self.compose(&reply, Asked::Message);
        self.say_goodbye(answer);
        self.fail(Fault::ShutDown, &[]);
        Ok(())
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due; `None` if nothing is timed.
    ///
    /// A moment in the past asks for it at once: after it, `poll_event` has the last events.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.ending.is_some() && !self.closed && self.is_drained() {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.read_timer.deadline(),
            self.account.timer.deadline(),
            self.pipeline.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Lets the timers fire that are due at `now`. A call before its time does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        if let Some(timer) = self.account.timer.expired(now) {
            self.fail_mutely(Fault::TimedOut(timer));
        }
        if let Some(timer) = self.read_timer.expired(now) {
            let hostname = self.config.settings().hostname.as_str();
            let answer = self
                .pipeline
                .compose(|out| replies::timed_out(hostname, out));
            self.say_goodbye(answer);
            self.fail(Fault::TimedOut(timer), &[]);
        }
        while let Some(question) = self.pipeline.overdue(now) {
            self.settle_overdue(question);
        }
        self.arm(now);
    }

    /// Takes note that the client sends no more octets than were presented, or will be presented
    /// again. What it was sent still leaves, and verdicts may still be given.
    pub fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// Takes note that the transport takes no more octets: the session has failed.
    pub fn handle_write_failed(&mut self) {
        self.fail_mutely(Fault::WriteFailed);
    }

    /// Tells whether more octets are of use now.
    ///
    /// While it is false a verdict, or the client's reading, is awaited. Reading ahead is allowed
    /// all the same, and notices a client that is gone.
    pub fn wants_read(&self) -> bool {
        self.greeting.is_none() && !self.eof && !self.is_blocked()
    }

    /// Tells whether the session is over, all events told and all octets written that can be: close
    /// the connection.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns how many octets `poll_event` leaves unconsumed at most while
    /// [`wants_read`](Self::wants_read) is true. A buffer of that size suffices.
    pub fn max_unconsumed(&self) -> usize {
        self.config.settings().max_command_line
    }

    /// Gives back the memory that is not in use, as on a connection that has gone idle.
    pub fn shrink(&mut self) {
        self.pipeline.shrink();
        self.output.shrink(&self.account);
        self.receipts.shrink();
    }
}
