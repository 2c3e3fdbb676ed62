//! The server's half of SMTP.
//!
//! A [`Server`] reads what a client sends, hands it out as [`Event`]s, and composes, orders and
//! batches the replies. Every command that is the application's to decide comes with a
//! [`Ticket`]; verdicts may be given at once or later, and in any order.
//!
//! ```text
//! connected   ── connection ──▶ greeted; refused: turned away
//! greeted     ── EHLO, LHLO, HELO ──▶ ready
//! greeted     ── MAIL ──▶ mail
//! ready       ── STARTTLS and handshake, XCLIENT ──▶ greeted
//! ready       ── MAIL ──▶ mail
//! mail        ── EHLO, LHLO, HELO, RSET ──▶ ready
//! mail        ── RCPT ──▶ recipients
//! mail        ── BDAT: 503 ──▶ failed
//! mail        ── BDAT LAST: 503 ──▶ failed
//! recipients  ── EHLO, LHLO, HELO, RSET ──▶ ready
//! recipients  ── DATA ──▶ content
//! recipients  ── BDAT ──▶ chunks; refused: failed
//! recipients  ── BDAT LAST ──▶ ready
//! chunks      ── EHLO, LHLO, HELO, RSET ──▶ ready
//! chunks      ── BDAT ──▶ chunks; refused: failed
//! chunks      ── BDAT LAST ──▶ ready
//! chunks      ── DATA: 503 ──▶ failed
//! content     ── CR LF . CR LF ──▶ ready
//! failed      ── EHLO, LHLO, HELO, RSET ──▶ ready
//! ```
//!
//! QUIT and failures lead out of each. Where a command leads to nothing else it is not drawn: NOOP and
//! questions change nothing, and what is out of its place is answered 503. MAIL without EHLO is for
//! servers that [do not require it](Config::require_hello). The drawing is made of the table in
//! `table.rs`, which alone decides what may come when.
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
//! store can commit many at once, unless all goes [in turn](Config::in_turn).
//!
//! # Driving it
//!
//! This is all that a driver does, over a socket that blocks. The two adapters hold it ready made.
//!
//! ```
//! use std::{io::{self, ErrorKind, Read, Write}, net::TcpStream, thread, time::{Duration, Instant}};
//! use smtp_proto::{machine::{self, TlsInfo}, server::{Config, Event, Server}, syntax::Host};
//!
//! trait Stream: Read + Write {}
//! impl<T: Read + Write> Stream for T {}
//! const MILLISECOND: Duration = Duration::from_millis(1);
//! const SECOND: Duration = Duration::from_secs(1);
//! fn is_wait(error: &io::Error) -> bool {
//!     use ErrorKind::{Interrupted, TimedOut, WouldBlock};
//!     matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
//! }
//! # fn now() -> Duration {
//! #     static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
//! #     BEGUN.get_or_init(Instant::now).elapsed()
//! # }
//!
#![doc = include_str!("../../docs/serve.rs")]
//!
//! // An application that takes every message, and refuses whatever else it does not know.
//! fn take_all(server: &mut Server, event: Event<'_>) {
//!     let taken = match event {
//!         Event::Connected { ticket }
//!         | Event::Hello { ticket, .. }
//!         | Event::Mail { ticket, .. }
//!         | Event::Rcpt { ticket, .. }
//!         | Event::Data { ticket, .. }
//!         | Event::Message { ticket, .. } => server.accept(ticket),
//!         Event::Content { bytes, .. } => Ok(print!("{}", bytes.escape_ascii())),
//!         event => Ok(server.decline(event)),
//!     };
//!     // Refused tickets are those of a session that is over.
//!     drop(taken);
//! }
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let mut client = TcpStream::connect(listener.local_addr()?)?;
//! # let client = thread::spawn(move || -> io::Result<String> {
//! #     let mut read = String::new();
//! #     for flight in ["EHLO c.example\r\n", "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n", "Hi\r\n.\r\nQUIT\r\n"] {
//! #         let mut buffer = [0; 1024];
//! #         while !read.ends_with("\r\n") { let n = client.read(&mut buffer)?; read += &String::from_utf8_lossy(&buffer[..n]); }
//! #         client.write_all(flight.as_bytes())?;
//! #         read.push(' ');
//! #     }
//! #     client.read_to_string(&mut read)?;
//! #     Ok(read)
//! # });
//! # let socket = &listener.accept()?.0;
//! let config = Config::new(Host::parse("mx.example.net")?);
//! let no_tls = |_| Err(ErrorKind::Unsupported.into());
//! serve(Server::new(config, now()), socket, no_tls, take_all)?;
//! socket.shutdown(std::net::Shutdown::Both)?;
//! # assert!(client.join().unwrap()?.ends_with("221 2.0.0 mx.example.net closing connection\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod additions;
mod asking;
mod config;
mod content;
mod departures;
mod ending;
mod event;
mod footing;
mod intake;
mod lines;
mod link;
mod offer;
mod offering;
mod outbox;
mod patience;
mod progress;
mod question;
mod refusal;
pub mod replies;
mod security;
mod session;
mod table;
mod tickets;
mod verdict;

use core::time::Duration;

pub use config::{Config, ImproperPipelining, Review, Tls};
pub use event::{Certainty, Event, Reason, Refused, Ticket, TransactionId};
pub use security::SaslResponse;

use session::Session;

use crate::framing::Transmit;
use crate::machine::{Error, Misuse, TlsInfo, TraceEntry};
use crate::syntax::{Capabilities, Reply};

/// Serves one client on one connection.
///
/// See the [module](self) for how to drive it. Any call in any order is safe.
#[derive(Debug)]
pub struct Server {
    session: Session,
}

impl Server {
    /// Begins a session on a connection that was just accepted.
    ///
    /// The first event is [`Event::Connected`].
    pub fn new(config: Config, now: Duration) -> Self {
        Self {
            session: Session::new(config, now),
        }
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
        self.session.poll_event(input, now)
    }

    /// Returns the bytes that the client is to read next.
    ///
    /// Write them and report it; call it again until it returns `None`.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.session.poll_transmit(now)
    }

    /// Accepts what the ticket stands for; the machine composes the reply.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late.
    pub fn accept(&mut self, ticket: Ticket) -> Result<(), Refused> {
        self.session.accept(ticket)
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
    /// no positive one but 235, XCLIENT none but 220, QUIT none but 221, and neither 334 nor 354 is
    /// taken. What stands in for a [reply of the machine's own](Event::Reply) is of the same class,
    /// and of the same code if that is 221 or 421. Text beyond ASCII ([`Misuse::NotAscii`]) is for
    /// 251 and 551 to the RCPT of a transaction with SMTPUTF8, and for VRFY and EXPN that have it
    /// (RFC 6531 3.7.4).
    pub fn reply(&mut self, ticket: Ticket, reply: Reply<'_>) -> Result<(), Refused> {
        self.session.reply(ticket, &reply)
    }

    /// Goes on with an authentication: sends a challenge (334), which the machine encodes.
    ///
    /// # Errors
    ///
    /// Hands the ticket back if it is another connection's, or too late, or neither that of
    /// [`Event::Auth`] nor of [`Event::AuthResponse`].
    pub fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        self.session.challenge(ticket, challenge)
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
        self.session.close(ticket, reply.as_ref())
    }

    /// Refuses what an event asks for that the application does not handle, in words that suit it.
    /// Events that ask for nothing are just dropped, and replies of the machine's own go as they are.
    ///
    /// Made for the last arm of a `match`: no command stays unanswered then.
    pub fn decline(&mut self, event: Event<'_>) {
        if let Some(ticket) = event.into_ticket() {
            // Where that is too late, the machine has answered.
            drop(self.session.decline_ticket(ticket));
        }
    }

    /// Refuses the content that is coming, before its end.
    ///
    /// The rest is swallowed, the reply given where one is due: at the end of the content, or of
    /// the chunk that is coming or comes next. No [`Event::Message`] follows. Only 421 ends the session,
    /// at once (RFC 5321 3.8); [`shut_down`](Self::shut_down) does so by any reply.
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
        self.session.refuse_content(transaction, &reply)
    }

    /// Ends the session: no further command is taken, what was taken is answered, then comes the
    /// reply, then the end. An unfinished transaction is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the session is ending already, or if the reply is not negative; 421 is the one
    /// that RFC 5321 3.8 means for it.
    pub fn shut_down(&mut self, reply: Reply<'_>) -> Result<(), Misuse> {
        self.session.shut_down(&reply)
    }

    /// Announces other extensions from the next EHLO on, in place of those of the configuration;
    /// those of the configuration again with `None`.
    ///
    /// What was offered to a proxy is offered to the client that it speaks for
    /// ([`Event::XClient`]) until this is called again.
    pub fn offer(&mut self, capabilities: impl Into<Option<Capabilities>>) {
        self.session.change_offer(capabilities.into());
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
        self.session.reconfigure(config)
    }

    /// Returns whether the client has authenticated itself, by AUTH or by what a proxy says of it
    /// ([`Event::XClient`]).
    pub fn is_authenticated(&self) -> bool {
        self.session.link().security().is_authenticated()
    }

    /// Returns whether the TLS handshake is due: as [`Tls`] says at the beginning of the session, or
    /// after the 220 to STARTTLS is written.
    ///
    /// The bytes that come and go belong to the handshake then, until
    /// [`tls_established`](Self::tls_established). If any are presented all the same, the session
    /// fails ([`Fault::BytesBeforeTls`](crate::machine::Fault::BytesBeforeTls)), lest what came in
    /// clear be taken for what TLS protects.
    pub fn wants_tls(&self) -> bool {
        self.session.link().wants_tls()
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
        self.session.tls_established(info, now)
    }

    /// Returns what an exchange runs through, for
    /// [`ServerExchange::begin`](crate::sasl::ServerExchange::begin).
    #[cfg(feature = "auth")]
    pub fn channel(&self) -> crate::sasl::Channel<'_> {
        self.session.link().footing().channel()
    }

    /// Takes note that the handshake failed: the session has failed, without another word. Does
    /// nothing if none was due.
    pub fn tls_failed(&mut self) {
        self.session.tls_failed();
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due; `None` if nothing is timed.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.session.poll_timeout()
    }

    /// Lets the timers fire that are due at `now`. A call before its time does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.session.handle_timeout(now);
    }

    /// Takes note that the client sends no more bytes than were presented, or will be presented
    /// again. What it was sent still leaves, and verdicts may still be given.
    pub fn handle_eof(&mut self) {
        self.session.handle_eof();
    }

    /// Takes note that the transport takes no more bytes: the session has failed.
    pub fn write_failed(&mut self) {
        self.session.write_failed();
    }

    /// Returns whether more bytes are of use now.
    ///
    /// While it is false a verdict, or the client's reading, is awaited. Reading ahead is allowed
    /// all the same, and notices a client that is gone.
    pub fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    /// Returns whether the session is over, what was owed is written or cannot be, and all of it has
    /// been read: every event, and the error if there is one.
    pub fn is_closed(&self) -> bool {
        self.session.link().is_closed()
    }

    /// Returns how many of the replies so far were refusals, whoever gave them, and the last of them.
    pub fn refusals(&self) -> (u64, Option<Reply<'static>>) {
        self.session.link().outbox().refusals()
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.session.poll_trace()
    }

    /// Returns how many bytes `poll_event` leaves unconsumed at most while
    /// [`wants_read`](Self::wants_read) is true. A buffer of that size suffices.
    pub fn max_unconsumed(&self) -> usize {
        self.session.max_unconsumed()
    }

    /// Gives back the memory that is not in use, as on a connection that has gone idle.
    pub fn shrink(&mut self) {
        self.session.shrink();
    }
}
