//! The client machine: submit envelopes, present contents, get one outcome for every message.
//!
//! ```text
//! connected ──220──▶ EHLO (HELO, LHLO) ──250──▶ [STARTTLS ──220──▶ handshake ──▶ EHLO ──250──▶]
//!                   [AUTH ──235──▶] ready ──QUIT──▶ leaving ──221──▶ closed
//!                                     each message, in order:
//!   waiting ──[RSET] MAIL──▶ recipients ──RCPT…──▶ ┬─DATA─▶ 354 ─▶ content ─▶ dot ─▶ verdict
//!                                                  └─BDAT…──────────▶ BDAT LAST ─▶ verdict
//! ```
//!
//! A driver goes round in a loop of four steps, which `smtp-proto-tokio` and `smtp-proto-blocking`
//! hold ready made:
//!
//! ```
//! use core::time::Duration;
//! use smtp_proto::client::{Body, Client, Config, Envelope, Event, Outcome};
//! use smtp_proto::syntax::{ForwardPath, Host, ReversePath};
//!
//! # // A server of few words stands in for the socket: what it says when, and the clock.
//! # let mut script: Vec<&[u8]> = vec![b"354 go\r\n250 taken\r\n", b"250-x\r\n250 PIPELINING\r\n", b"220 x\r\n"];
//! # script = vec![b"221 bye\r\n", b"250 taken\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", b"250-x\r\n250 PIPELINING\r\n", b"220 x\r\n"];
//! # let mut wire = Vec::new();
//! # let now = Duration::ZERO;
//! let mut client = Client::new(Config::new(Host::parse("client.example")?), now);
//! let message = client.submit(
//!     &Envelope::new("a@example.org")?.to("b@example.net")?,
//! )?;
//! client.quit();
//! let content: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";
//! let mut received = Vec::new();
//! while !client.is_closed() {
//!     // 1. What has arrived becomes events. What is unfinished stays in the buffer.
//!     let mut input = &received[..];
//!     while let Some(event) = client.poll_event(&mut input, now)? {
//!         if let Event::Finished { message: finished, outcome } = event {
//!             assert_eq!(finished, message);
//!             assert!(matches!(outcome, Outcome::Delivered(_)));
//!         }
//!     }
//!     let used = received.len() - input.len();
//!     received.drain(..used);
//!     // 2. What can be written is written.
//!     loop {
//!         let body = client.wants_body().map(|request| {
//!             (request, Body::Last(&content[request.offset as usize..]))
//!         });
//!         let Some(transmit) = client.poll_transmit(body, now) else { break };
//!         # wire.extend(transmit.slices().concat());
//!         let written = transmit.len(); // ... of a write to the socket, which may be short
//!         transmit.wrote(written, now);
//!     }
//!     // 3. Unless there is something to report, what arrives next is awaited, until poll_timeout.
//!     if client.wants_read() {
//!         # if client.poll_timeout().is_none() { break }
//!         # match script.pop() { Some(bytes) =>
//!         received.extend_from_slice(bytes) // ... of a read; handle_eof or handle_timeout if none
//!         # , None => client.handle_eof() }
//!     }
//! }
//! # assert!(wire.ends_with(b"\r\nHello.\r\n.\r\nQUIT\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is safe to send again
//!
//! [`Outcome::NotSent`] and [`Outcome::Refused`] with a 4yz reply are. [`Outcome::InDoubt`] may
//! deliver twice. A peer that miscounts its replies is found out where a reply cannot answer the
//! command whose turn it is; one that answers refusals and acceptances in each other's place, each
//! in a place where both are possible, cannot be found out by anybody.

mod answers;
#[cfg(feature = "auth")]
mod authentication;
mod commands;
mod config;
mod content;
mod ending;
mod envelope;
mod establish;
mod event;
mod output;
mod own_commands;
mod own_queue;
mod parts;
mod pipeline;
mod queue;
mod replies;
mod requirements;
mod rules;
mod session;
mod splitting;
mod timers;
mod transaction;
mod wire;

use core::time::Duration;

use self::{output::Output, session::Session};
use crate::{
    framing::Transmit,
    machine::{Error, Misuse, TlsInfo, TraceEntry, limits},
    syntax::{Capabilities, Command},
};

/// The mechanisms by which a client authenticates, of [`sasl`](crate::sasl).
#[cfg(feature = "auth")]
pub mod mechanism {
    pub use crate::sasl::{
        Channel, External, Login, Mechanism, OAuthBearer, Plain, Protection, XOAuth2, by_password,
    };
    #[cfg(feature = "scram")]
    pub use crate::sasl::{
        Nonce, Scram, ScramError, ScramHash, by_scram_or_password, by_scram_then_password,
    };
}

pub use self::{
    config::{Config, Duplex, Pipelining, Timeouts, Tls},
    envelope::Envelope,
    event::{
        Body, BodyRequest, Cancellation, CommandId, Event, MessageId, NotSent, NotSentReason,
        Outcome,
    },
};

/// One client's side of one connection.
///
/// Any call in any order is safe. See the [module](self) for the loop of a driver.
#[derive(Debug)]
pub struct Client {
    session: Session,
    output: Output,
}

impl Client {
    /// Creates the client for a connection that was established at `now`.
    pub fn new(config: Config, now: Duration) -> Self {
        Self {
            session: Session::new(config, now),
            output: Output::default(),
        }
    }

    /// Queues a message. Its content is asked for when its turn comes.
    ///
    /// Messages go out in the order of their submission. Whatever happens, there will be one
    /// [`Event::Finished`] for it. Keep more than one message queued, or nothing can be sent ahead.
    ///
    /// # Errors
    ///
    /// [`Misuse::Ending`] after [`quit`](Self::quit) or the end of the connection,
    /// [`Misuse::QueueFull`] and [`Misuse::NoRecipient`].
    pub fn submit(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        self.session.submit(envelope)
    }

    /// Withdraws a message, and tells what that costs. Its outcome follows as an event.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownMessage`] if it is finished or never was, [`Misuse::TooLate`] if all of it
    /// has been sent.
    pub fn cancel(&mut self, message: MessageId) -> Result<Cancellation, Misuse> {
        self.session.cancel(message)
    }

    /// Queues a command of the application's own: NOOP, HELP, VRFY, EXPN, ETRN, XFORWARD, or one that
    /// this library does not know ([`Command::Other`]).
    ///
    /// It goes out after the messages that were submitted before and before those that are
    /// submitted after, never within a transaction, and nothing follows it before its reply comes
    /// (RFC 2920 3.1). Further transactions of a message that needs several may come after it. There will be one [`Event::Answered`] for it, or one [`Event::Unanswered`]. A
    /// reply other than 2yz, 4yz or 5yz, or 220 or 221, is a [fault](crate::machine::Fault).
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] before [`Event::Ready`], [`Misuse::Ending`] after [`quit`](Self::quit) or
    /// the end of the connection, [`Misuse::QueueFull`] beyond [`limits::QUEUED_COMMANDS`];
    /// [`Misuse::ReservedCommand`] for commands that the machine sends by itself or cannot follow,
    /// under whatever name; [`Misuse::NotOffered`] for ETRN, XFORWARD, text that is not ASCII and
    /// `SMTPUTF8` after VRFY and EXPN where the server does not offer them;
    /// [`Misuse::CommandTooLong`] beyond [`limits::OWN_COMMAND`].
    pub fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        self.session.command(command)
    }

    /// Ends the session once everything submitted is finished, commands included. It is final: no message can be
    /// submitted any more, so that QUIT may ride after the last one.
    pub fn quit(&mut self) {
        self.session.quit();
    }

    /// Returns the next event out of `input`, and moves `input` past what was used up.
    ///
    /// Call it with all that has arrived and was not used up, until it returns `None`: then `input`
    /// holds an unfinished reply or nothing. Present the rest again with more after it; a buffer of
    /// [`max_unconsumed`](Self::max_unconsumed) bytes suffices. Call it also with an empty input,
    /// as some events need none.
    ///
    /// # Errors
    ///
    /// The connection has failed, and every outcome has been reported. The same error comes again
    /// at each call.
    pub fn poll_event<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Event<'i>>, Error> {
        self.session.poll_event(input, now)
    }

    /// Returns what is to be written now.
    ///
    /// `body` is what [`wants_body`](Self::wants_body) has asked for, with that request; what answers
    /// another one counts as nothing. Call it after each write and after the events, until it returns
    /// `None`; then flush.
    pub fn poll_transmit<'a>(
        &'a mut self,
        body: Option<(BodyRequest, Body<'a>)>,
        now: Duration,
    ) -> Option<Transmit<'a>> {
        let Self { session, output } = self;
        session.transmit(output, body, now)
    }

    /// Tells that the current time is `now`, in case a timer has fired.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.session.handle_timeout(now);
    }

    /// Tells that the server sends no more. Takes effect once the presented input is used up.
    pub fn handle_eof(&mut self) {
        self.session.handle_eof();
    }

    /// Tells that nothing can be written any more, or that bytes which were reported as written may
    /// not have left, as with completion I/O. The client goes on reading, as the reason or a verdict
    /// may be waiting.
    pub fn write_failed(&mut self) {
        self.session.write_failed();
    }

    /// Tells that the TLS handshake has succeeded; what follows goes over TLS.
    ///
    /// # Errors
    ///
    /// [`Misuse::NoHandshake`] unless [`wants_tls`](Self::wants_tls).
    pub fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        self.session.tls_established(info, now)
    }

    /// Tells that the TLS handshake has failed, which ends the connection.
    pub fn tls_failed(&mut self) {
        self.session.tls_failed();
    }

    /// Has the client authenticate by the first of these mechanisms that the server offers, before
    /// any message. If none of them leads to success nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLate`] once the session is open, [`Misuse::InvalidMechanism`] for a name that
    /// is none.
    #[cfg(feature = "auth")]
    pub fn authenticate(
        &mut self,
        mechanisms: alloc::vec::Vec<alloc::boxed::Box<dyn crate::sasl::Mechanism>>,
    ) -> Result<(), Misuse> {
        self.session.authenticate(mechanisms)
    }

    /// Takes the oldest entry of the trace, if one is [kept](Config::traced).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.session.trace.as_mut()?.take()
    }

    /// Gives back memory that only busy connections need.
    pub fn shrink(&mut self) {
        self.session.shrink();
        self.output.shrink(&mut self.session);
    }

    /// Names the message whose content can be used now, if any.
    ///
    /// The answer may be ahead of time: what cannot be sent yet is not consumed.
    pub fn wants_body(&self) -> Option<BodyRequest> {
        self.session.body_request()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called, if nothing happens.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.session.deadline()
    }

    /// Tells whether the driver is to do a TLS handshake now, on the connection as it is.
    ///
    /// Bytes that were read and not used up must be presented to
    /// [`poll_event`](Self::poll_event) before: they end the connection, as they came in clear.
    pub fn wants_tls(&self) -> bool {
        self.session.wants_tls()
    }

    /// Tells whether bytes from the server are needed to go on. If not, call
    /// [`poll_event`](Self::poll_event) first.
    pub fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    /// Tells whether [`submit`](Self::submit) would take a message.
    pub fn can_submit(&self) -> bool {
        self.session.can_submit()
    }

    /// Tells whether every message submitted is finished.
    pub fn is_idle(&self) -> bool {
        self.session.is_idle()
    }

    /// Returns whether the session is over and all of it has been read: every event, and the error if
    /// there is one.
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Returns what the server announced in answer to EHLO; empty before that, and after HELO.
    pub fn capabilities(&self) -> &Capabilities {
        &self.session.capabilities
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    ///
    /// That is the longest chain of commands each of which was sent after the reply to the one
    /// before it, and so the session's length on a link whose delay outweighs everything else.
    pub fn round_trips(&self) -> u64 {
        self.session.pipeline.round_trips()
    }

    /// Returns how many bytes of input may be left by [`poll_event`](Self::poll_event).
    pub fn max_unconsumed(&self) -> usize {
        limits::REPLY + limits::REPLY_LINE
    }
}
