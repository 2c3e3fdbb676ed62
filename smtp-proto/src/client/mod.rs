//! The client machine: submit envelopes, present contents, get one outcome for every message.
//!
//! ```text
//! connected ──220──▶ EHLO (HELO, LHLO) ──250──▶ [STARTTLS ──220──▶ handshake ──▶ EHLO ──250──▶]
//!                   [XCLIENT ──220──▶ EHLO ──250──▶] [AUTH ──235──▶] ready ──QUIT──▶ leaving ──221──▶ closed
//!                                     each message, in order:
//!   waiting ──[RSET] [XFORWARD] MAIL──▶ recipients ──RCPT…──▶ ┬─DATA─▶ 354 ─▶ content ─▶ dot ─▶ verdict
//!                                                  └─BDAT…──────────▶ BDAT LAST ─▶ verdict
//! ```
//!
//! What each verb leads to: the state of the session, or how far its transaction has come. The second
//! column is the policy from which on more may follow it unanswered.
//!
//! | verb | followed | sent | accepted | refused |
//! |---|---|---|---|---|
//! | connecting | - | - | EHLO or LHLO or HELO or messages | QUIT |
//! | EHLO | - | wait or messages | STARTTLS or XCLIENT or AUTH or messages or QUIT | HELO or QUIT |
//! | LHLO | - | wait | STARTTLS or XCLIENT or AUTH or messages or QUIT | QUIT |
//! | HELO | - | wait | STARTTLS or XCLIENT or AUTH or messages or QUIT | QUIT |
//! | STARTTLS | - | wait | handshake | XCLIENT or AUTH or messages or QUIT |
//! | AUTH | - | wait | messages or QUIT; 334: a response or QUIT | AUTH or QUIT |
//! | a response | - | wait | messages or QUIT; 334: a response or QUIT | AUTH or QUIT |
//! | XCLIENT | - | wait | XCLIENT or EHLO or LHLO | QUIT |
//! | QUIT | - | leave | closed | closed |
//! | own command | - | - | - | - |
//! | RSET | Group | - | - | - |
//! | XFORWARD | Group | forwarded | - | - |
//! | MAIL | Group | envelope | - | - |
//! | RCPT | Group | envelope | - | - |
//! | DATA | - | data | content or lonedot | over |
//! | lone dot | LookAhead | over | - | - |
//! | content | LookAhead | over | - | - |
//! | content (LMTP) | LookAhead | over | - | - |
//! | BDAT | Stream | chunks | - | over |
//! | BDAT LAST | LookAhead | over | - | - |
//! | MAIL (proof) | Group | - | - | - |
//! | BDAT 3 LAST (proof) | LookAhead | - | - | - |
//! | RSET (proof) | Group | - | - | - |
//!
//! # Driving it
//!
//! `smtp-engine-tokio` and `smtp-engine-blocking` are ready made. One's own loop, over anything that
//! moves bytes, is this one; whoever copies it loses nothing, whatever the server does:
//!
//! ```no_run
//! use std::{io::{Read, Write}, net::TcpStream, time::{Duration, Instant}};
//! use smtp_proto::client::{Body, BodyRequest, Client, Config, Envelope, Event};
//! use smtp_proto::syntax::Host;
//!
//! # const MILLISECOND: Duration = Duration::from_millis(1);
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut socket = TcpStream::connect("mx.example.net:25")?;
//! socket.set_write_timeout(Some(Duration::from_secs(1)))?;
//! let mut client = Client::new(Config::new(Host::parse("client.example")?), Duration::ZERO);
//! client.submit(&Envelope::new("a@example.org")?.to("b@example.net")?)?;
//! client.quit();
//! let message = b"Subject: hello\r\n\r\nHello.\r\n";
//! let content = |request: BodyRequest| Body::Last(&message[request.offset as usize..]);
//! drive(&mut client, &mut socket, content, |event| println!("{event:?}"))?;
//! # Ok(())
//! # }
//!
#![doc = include_str!("../../docs/client_loop.rs")]
//! ```
//!
//! # What is safe to send again
//!
//! [`Outcome::NotSent`] and [`Outcome::Refused`] with a 4yz reply are. [`Outcome::InDoubt`] may
//! deliver twice. A peer that miscounts its replies is found out where a reply cannot answer the
//! command whose turn it is; one that answers refusals and acceptances in each other's place, each
//! in a place where both are possible, cannot be found out by anybody.

mod action;
mod aim;
mod body_error;
mod config;
mod content;
mod contents;
mod demand;
mod ending;
mod envelope;
mod event;
mod fitting;
mod flight;
mod forwarding;
mod learned;
mod ledger;
mod lineage;
mod link;
mod messages;
mod opening;
mod outcomes;
mod outstanding;
mod own_commands;
mod proof;
mod queue;
mod quota;
mod recipient_list;
mod recipients;
mod replies;
mod resets;
mod schedule;
mod session;
mod setbacks;
mod steps;
mod table;
mod terms;
mod transaction;
mod verdicts;
mod watch;
mod writer;

use core::time::Duration;

use self::{session::Session, writer::Buffers};
use crate::{
    framing::Transmit,
    machine::{Error, Fault, Misuse, TlsInfo, TraceEntry, UnverifiedReason, limits},
    syntax::{Capabilities, Command, ForwardPath, RcptParameters},
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

#[cfg(feature = "std")]
pub(crate) use self::event::{NOT_NOW, NOT_PASSED_ON};
pub use self::{
    body_error::BodyError,
    config::{Config, Duplex, Pipelining, Timeouts, Tls, Unpermitted},
    demand::Demand,
    envelope::Envelope,
    event::{
        Body, BodyRequest, Cancellation, CommandId, Event, MessageId, NotSent, NotSentReason,
        Outcome,
    },
    learned::Learned,
    watch::{Observation, Observed},
};

/// One client's side of one connection.
///
/// Any call in any order is safe. See the [module](self) for the loop of a driver.
#[derive(Debug)]
pub struct Client {
    session: Session,
    buffers: Buffers,
}

impl Client {
    /// Creates the client for a connection that was established at `now`.
    pub fn new(config: Config, now: Duration) -> Self {
        Self {
            session: Session::new(config, now),
            buffers: Buffers::default(),
        }
    }

    /// Queues a message. Its content is asked for when its turn comes.
    ///
    /// Messages go out in the order of their submission. Whatever happens, there will be one
    /// [`Event::Finished`] for it. Keep more than one message queued, or nothing can be sent ahead.
    ///
    /// # Errors
    ///
    /// [`Misuse::Quit`] after [`quit`](Self::quit), [`Misuse::Ending`] after the end of the connection,
    /// [`Misuse::QueueFull`] and [`Misuse::NoRecipient`].
    pub fn submit(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        self.session.submit(envelope)
    }

    /// Queues a message whose recipients are added as they come, by
    /// [`add_recipient`](Self::add_recipient): the envelope may have none yet. Its content waits for
    /// [`end`](Self::end); its sender and its recipients do not.
    ///
    /// So a proxy can pass on each recipient while its own client waits, and answer by
    /// [`Event::RecipientAnswered`]. Recipients that the server puts off (452) are refused then, as
    /// the proxy's client is told.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), but for the lack of recipients.
    pub fn begin(&mut self, envelope: &Envelope<'_>) -> Result<MessageId, Misuse> {
        self.session.begin(envelope)
    }

    /// Adds a recipient to an envelope that is open, and returns its position.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownMessage`] if there is no such envelope, it has ended, or its message is
    /// finished; [`Misuse::RecipientLimit`] if the server takes no more;
    /// [`Misuse::NotOffered`] if the recipient needs what the server does not offer, or SMTPUTF8
    /// where the sender was sent without.
    pub fn add_recipient(
        &mut self,
        message: MessageId,
        recipient: ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
    ) -> Result<usize, Misuse> {
        self.session.add_recipient(message, &recipient, parameters)
    }

    /// Ends an open envelope: the content may follow.
    ///
    /// # Errors
    ///
    /// [`Misuse::UnknownMessage`] as above, and [`Misuse::NoRecipient`] if none was added.
    pub fn end(&mut self, message: MessageId) -> Result<(), Misuse> {
        self.session.end_envelope(message)
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
    /// reply other than 2yz, 4yz or 5yz, or 220 or 221, is a [fault](Fault).
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] before [`Event::Ready`], [`Misuse::Quit`] after [`quit`](Self::quit),
    /// [`Misuse::Ending`] after the end of the connection, [`Misuse::QueueFull`] beyond [`limits::QUEUED_COMMANDS`];
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

    /// Gives the connection up at once. Each message's outcome comes as an event, and then the error
    /// ([`Fault::ShutDown`]).
    pub fn abort(&mut self) {
        self.session.abort();
    }

    /// Gives the connection up as [`abort`](Self::abort) does, since a message takes too long by a measure
    /// of the driver's: [`Timer::Message`](crate::machine::Timer::Message).
    pub fn overdue(&mut self) {
        self.session.overdue();
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
        let Self { session, buffers } = self;
        session.transmit(buffers, body, now)
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
        self.session.tls_failed(Fault::TlsFailed);
    }

    /// Tells that the TLS handshake was given up as the server could not be verified, which ends the
    /// connection.
    pub fn tls_unverified(&mut self, reason: UnverifiedReason) {
        self.session.tls_failed(Fault::Unverified(reason));
    }

    /// Has the client authenticate by the first of these mechanisms that the server offers, before
    /// any message. If none of them leads to success nothing is sent, unless that is
    /// [left to the offer](Config::authentication).
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
        self.session.poll_trace()
    }

    /// Returns what the session has found out about its server, once it was open: for
    /// [`Config::learned`].
    pub fn learned(&self) -> Option<Learned> {
        self.session.learned()
    }

    /// Takes the oldest observation, if they are [kept](Config::watched).
    pub fn poll_observation(&mut self) -> Option<Observation> {
        self.session.poll_observation()
    }

    /// Gives back memory that only busy connections need.
    pub fn shrink(&mut self) {
        self.session.shrink(&mut self.buffers);
    }

    /// Names the message whose content can be used now, if any.
    ///
    /// The answer may be ahead of time: what cannot be sent yet is not consumed. A content that is
    /// presented whole (as [`Body::Last`] from the beginning on) before its message is begun is searched
    /// for what a server may not take, once: so it costs its message and nothing else. Nothing waits for
    /// that: what is not at hand now may as well come later, or in chunks.
    ///
    /// A small one ([`limits::KEPT_CONTENT`]) that goes by DATA as it is, is kept as it was seen: it is asked
    /// for again only where its message takes several transactions.
    pub fn wants_body(&self) -> Option<BodyRequest> {
        self.session.wants_body()
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
        self.session.capabilities()
    }

    /// Returns how many round trips the session has waited for so far, the greeting's included.
    ///
    /// That is the longest chain of commands each of which was sent after the reply to the one
    /// before it, and so the session's length on a link whose delay outweighs everything else.
    pub fn round_trips(&self) -> u64 {
        self.session.round_trips()
    }

    /// Returns how many bytes of input may be left by [`poll_event`](Self::poll_event).
    pub fn max_unconsumed(&self) -> usize {
        limits::REPLY + limits::REPLY_LINE
    }
}
