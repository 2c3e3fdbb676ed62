//! What a server's application is asked: a [`Server`](crate::server::Server) whose events have become calls.
//!
//! A [`Reception`] drives a server machine and knows what an application would have to remember
//! between its events: who the client is, envelopes as they grow, exchanges of AUTH, what XCLIENT
//! replaces, the verdicts that LMTP wants, what was told and what is left to tell. It hands out
//! [`Call`]s. A [`Question`] owns all that is needed to answer it, and comes with the right to do so:
//! [`Asked`]. Answers may be given at once or later, and in any order. It does no I/O: what it needs
//! beside that, as entropy for SCRAM, it asks for by a question, too.
//!
//! What holds of a [`Server`](crate::server::Server) holds of it: see [`server`](crate::server) for how to drive it, with
//! [`poll_call`](Reception::poll_call) in place of `poll_event`.
//!
//! ```
//! use core::time::Duration;
//! use smtp_proto::reception::{Answer, Call, Question, Reception, Session, accept};
//! use smtp_proto::server::Config;
//! use smtp_proto::syntax::Host;
//!
//! /// Takes what is there to be taken, and returns what is to be written.
//! fn turn(reception: &mut Reception, mut input: &[u8], now: Duration) -> Vec<u8> {
//!     while let Ok(Some(call)) = reception.poll_call(&mut input, now) {
//!         match call {
//!             Call::Question(asked, question) => {
//!                 let answer = match question {
//!                     Question::Connected => Answer::Session(accept()),
//!                     Question::Mail(_) => Answer::Transaction(accept()),
//!                     Question::Recipient(_, recipient) => {
//!                         println!("for {}", recipient.path);
//!                         Answer::Recipient(accept())
//!                     }
//!                     _ => Answer::Plain(accept()),
//!                 };
//!                 reception.answer(asked, answer);
//!             }
//!             Call::Begin { asked, .. } => reception.answer(asked, Answer::Content(Ok(()))),
//!             Call::Content { bytes, .. } => println!("{}", bytes.escape_ascii()),
//!             _ => {}
//!         }
//!     }
//!     let mut output = Vec::new();
//!     while let Some(transmit) = reception.poll_transmit(now) {
//!         output.extend(transmit.slices().concat());
//!         let bytes = transmit.len();
//!         transmit.wrote(bytes, now);
//!     }
//!     output
//! }
//!
//! let config = Config::new(Host::parse("mx.example.net")?);
//! let mut reception = Reception::new(config, Session::new(1, None, None), Duration::ZERO);
//! assert_eq!(turn(&mut reception, b"", Duration::ZERO), b"220 mx.example.net ESMTP\r\n");
//! let replies = turn(&mut reception, b"HELO c.example\r\n", Duration::ZERO);
//! assert_eq!(replies, b"250 mx.example.net\r\n");
//! let replies = turn(&mut reception, b"MAIL FROM:<a@c.example>\r\n", Duration::ZERO);
//! assert_eq!(replies, b"250 2.1.0 Sender OK\r\n");
//! let replies = turn(&mut reception, b"RCPT TO:<b@example.net>\r\n", Duration::ZERO);
//! assert_eq!(replies, b"250 2.1.5 Recipient OK\r\n");
//! # Ok::<(), smtp_proto::syntax::SyntaxError>(())
//! ```

#[cfg(feature = "std")]
mod admission;
mod attributes;
#[cfg(feature = "auth")]
mod authentication;
mod call;
#[cfg(feature = "auth")]
mod claim;
mod conversation;
mod current;
mod deliveries;
mod ending;
mod envelope;
#[cfg(feature = "scram")]
mod found_keys;
#[cfg(feature = "std")]
mod guard;
mod header_search;
mod in_ascii;
mod options;
mod received;
mod replies;
mod replying;
mod session;
mod state;
mod tally;
mod transactions;
mod turned_away;
mod verdict;

use core::{error::Error as Cause, time::Duration};

use conversation::Conversation;
use replying::Replying;

#[cfg(feature = "std")]
pub use admission::{Admission, Place};
pub use attributes::ClientAttributes;
pub use call::{Answer, Asked, Call, Notice, Question};
#[cfg(feature = "auth")]
pub use claim::Claim;
pub use deliveries::Deliveries;
pub use ending::{Ending, Phase};
pub use envelope::{Accepted, Envelope, Recipient, Sender, Transaction};
#[cfg(feature = "scram")]
pub use found_keys::FoundKeys;
#[cfg(feature = "std")]
pub use guard::guarded;
pub use header_search::HeaderSearch;
pub use options::Options;
pub use received::Received;
pub use session::{Hello, Identity, Session};
pub use state::State;
pub use tally::Tally;
pub use turned_away::TurnedAway;
pub use verdict::{Accept, Refusal, Verdict, accept, pass_on};
#[doc(hidden)]
pub use verdict::{in_words, negative_reply};

use crate::framing::Transmit;
use crate::machine::{Driven, Error, Misuse, TlsInfo, TraceEntry};
use crate::server::{Config, TransactionId};

/// Drives a server machine for an application.
///
/// See the [module](self).
#[derive(Debug)]
pub struct Reception<S: State = ()> {
    conversation: Conversation<S>,
    /// The client is turned away without a question.
    turned_away: Option<TurnedAway>,
    /// The session is to end once no transaction is under way.
    is_stopping: bool,
    origin: Duration,
}

impl<S: State> Reception<S> {
    /// Begins with a connection that was just accepted.
    pub fn new(config: Config, session: Session<S>, now: Duration) -> Self {
        Self {
            conversation: Conversation::new(Replying::new(config, now), session),
            turned_away: None,
            is_stopping: false,
            origin: now,
        }
    }

    /// Begins with a connection that is to be served so.
    pub fn begin<T>(options: &Options<T>, now: Duration) -> Self {
        let mut reception = Self::new(options.config().clone(), options.session(), now);
        if !options.has_tls() {
            reception.conversation.forgo_tls();
        }
        reception
    }

    /// Answers STARTTLS 454, as there is nobody to do the handshake.
    #[must_use]
    pub fn without_tls(mut self) -> Self {
        self.conversation.forgo_tls();
        self
    }

    /// Returns what is known of the client by now.
    pub fn session(&self) -> &Session<S> {
        self.conversation.session()
    }

    /// Reads from `input` up to the next call, and moves `input` past what was consumed: see
    /// [`Server::poll_event`](crate::server::Server::poll_event).
    ///
    /// # Errors
    ///
    /// Fails like `poll_event`. What is left to tell after answers that were given later still comes
    /// before.
    pub fn poll_call<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Duration,
    ) -> Result<Option<Call<'i, S>>, Error> {
        self.replying_mut().tally_mut().duration = now.saturating_sub(self.origin);
        loop {
            if let Some(call) = self.conversation.next() {
                return Ok(Some(call));
            }
            self.stop_between_transactions();
            let event = self.replying_mut().server_mut().poll_event(input, now)?;
            let Some(event) = event else {
                return Ok(None);
            };
            match (self.conversation.take(event), self.turned_away.take()) {
                (Some(Call::Question(asked, Question::Connected)), Some(why)) => {
                    self.replying_mut().turn_away(asked.ticket, why);
                }
                (Some(call), _) => return Ok(Some(call)),
                (None, _) => {}
            }
        }
    }

    /// Answers a question. An answer to another question than was asked counts as
    /// [failure](Self::fail). Look for [calls](Self::poll_call) after it: of an answer that came too
    /// late for a message, there is a notice.
    pub fn answer(&mut self, asked: Asked, answer: Answer<S>) {
        self.conversation.answer(asked, answer);
    }

    /// Answers that there is no answer, as the application has failed: 451, or 421 at the greeting.
    pub fn fail(&mut self, asked: Asked) {
        self.conversation.fail(asked);
    }

    /// Refuses the content that is coming, before its end. The rest of it is swallowed and not
    /// handed out. Does nothing if that transaction's content is not coming any more.
    pub fn refuse_content(&mut self, transaction: TransactionId, refusal: Refusal) {
        self.conversation.refuse_content(transaction, refusal);
    }

    /// Returns the bytes that the client is to read next: see [`Server::poll_transmit`](crate::server::Server::poll_transmit).
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.replying_mut().server_mut().poll_transmit(now)
    }

    /// Turns the client away in place of greeting it, without asking the application. For the
    /// beginning alone.
    pub fn turn_away(&mut self, why: TurnedAway) {
        if why.is_silent() {
            // No handshake either, where TLS comes first.
            self.write_failed();
        }
        self.turned_away = Some(why);
    }

    /// Says what there is to say as far as `write` takes it at once, gives the connection up, and
    /// returns how the session ends. `write` tells how many bytes it took.
    pub fn give_up(
        &mut self,
        now: Duration,
        mut write: impl FnMut(&[u8]) -> usize,
    ) -> Option<Error> {
        self.drain(now);
        while let Some(transmit) = self.poll_transmit(now) {
            match transmit.slices().first().map_or(0, |slice| write(slice)) {
                0 => transmit.failed(),
                bytes => {
                    transmit.wrote(bytes, now);
                }
            }
        }
        self.write_failed();
        self.drain(now)
    }

    /// Drops what is left to ask and to tell.
    fn drain(&mut self, now: Duration) -> Option<Error> {
        loop {
            match self.poll_call(&mut [].as_slice(), now) {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }

    /// Does what a server that is at this point of its ending does with each session.
    pub fn follow(&mut self, phase: Phase) {
        match phase {
            Phase::Serving => {}
            Phase::Ending => self.shut_down(),
            Phase::Over => self.abort(),
        }
    }

    /// Ends the session as soon as no transaction is under way (421, RFC 5321 3.8).
    pub fn shut_down(&mut self) {
        self.is_stopping = true;
        self.stop_between_transactions();
    }

    /// Ends the session at once (421), whatever is under way.
    pub fn abort(&mut self) {
        self.replying_mut().abort();
    }

    /// Returns whether the TLS handshake is due: see [`Server::wants_tls`](crate::server::Server::wants_tls).
    pub fn wants_tls(&self) -> bool {
        self.replying().server().wants_tls()
    }

    /// Takes note that TLS is there: see [`Server::tls_established`](crate::server::Server::tls_established). Who the client was in clear is
    /// forgotten (3207-4.2-a).
    ///
    /// # Errors
    ///
    /// Fails if no handshake is due.
    pub fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        let server = self.replying_mut().server_mut();
        server.tls_established(info.clone(), now)?;
        self.conversation.secure(info);
        Ok(())
    }

    /// Takes note that the handshake failed: see [`Server::tls_failed`](crate::server::Server::tls_failed).
    pub fn tls_failed(&mut self) {
        self.replying_mut().server_mut().tls_failed();
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due: see [`Server::poll_timeout`](crate::server::Server::poll_timeout).
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.replying().server().poll_timeout()
    }

    /// Lets the timers fire that are due: see [`Server::handle_timeout`](crate::server::Server::handle_timeout).
    pub fn handle_timeout(&mut self, now: Duration) {
        self.replying_mut().server_mut().handle_timeout(now);
    }

    /// Takes note that the client sends no more: see [`Server::handle_eof`](crate::server::Server::handle_eof).
    pub fn handle_eof(&mut self) {
        self.replying_mut().server_mut().handle_eof();
    }

    /// Takes note that nothing can be written any more: see [`Server::write_failed`](crate::server::Server::write_failed).
    pub fn write_failed(&mut self) {
        self.replying_mut().server_mut().write_failed();
    }

    /// Returns whether more bytes are of use now: see [`Server::wants_read`](crate::server::Server::wants_read).
    pub fn wants_read(&self) -> bool {
        self.replying().server().wants_read()
    }

    /// Returns whether no transaction is under way: the time to [shrink](Self::shrink), if nothing
    /// more has come.
    pub fn is_idle(&self) -> bool {
        self.conversation.is_idle()
    }

    /// Returns whether the session is over, and all of it has been told: see [`Server::is_closed`](crate::server::Server::is_closed).
    pub fn is_closed(&self) -> bool {
        self.conversation.is_told() && self.replying().server().is_closed()
    }

    /// Returns how many bytes are left unconsumed at most: see [`Server::max_unconsumed`](crate::server::Server::max_unconsumed).
    pub fn max_unconsumed(&self) -> usize {
        self.replying().server().max_unconsumed()
    }

    /// Gives back the memory that is not in use: see [`Server::shrink`](crate::server::Server::shrink).
    pub fn shrink(&mut self) {
        self.conversation.shrink();
    }

    /// Takes the oldest entry of the trace, if one is kept: see [`Server::poll_trace`](crate::server::Server::poll_trace).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.replying_mut().server_mut().poll_trace()
    }

    /// Returns what came of the connection by now.
    pub fn tally(&self) -> Tally {
        self.replying().tally()
    }

    fn replying(&self) -> &Replying {
        self.conversation.replying()
    }

    fn replying_mut(&mut self) -> &mut Replying {
        self.conversation.replying_mut()
    }

    fn stop_between_transactions(&mut self) {
        if self.is_stopping && self.is_idle() {
            self.is_stopping = false;
            self.abort();
        }
    }
}

impl<S: State> Driven for Reception<S> {
    fn handle_eof(&mut self) {
        self.handle_eof();
    }

    fn handle_reset(&mut self) {
        // Nobody waits for what is being decided.
        self.handle_eof();
        self.write_failed();
    }

    fn write_failed(&mut self) {
        self.write_failed();
    }

    fn tls_established(&mut self, info: TlsInfo, now: Duration) {
        // It can only fail if none was due.
        let _ = self.tls_established(info, now);
    }

    fn tls_failed(&mut self, _: Option<&(dyn Cause + Send + Sync + 'static)>) {
        self.tls_failed();
    }
}
