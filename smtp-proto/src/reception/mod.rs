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

mod admission;
mod attributes;
#[cfg(feature = "auth")]
mod authentication;
mod call;
mod current;
mod deliveries;
mod envelope;
mod received;
mod replies;
mod replying;
mod session;
mod state;
mod tally;
mod verdict;

use alloc::{collections::VecDeque, string::ToString, sync::Arc, vec::Vec};
use core::{mem, time::Duration};

#[cfg(feature = "auth")]
use authentication::{Authentication, Next};
use call::Subject;
use current::{Current, NoEnvelope};
use replying::Replying;

pub use admission::{Admission, Full};
pub use attributes::ClientAttributes;
#[cfg(feature = "auth")]
pub use authentication::Claim;
#[cfg(feature = "scram")]
pub use authentication::FoundKeys;
pub use call::{Answer, Asked, Call, Notice, Question};
pub use deliveries::Deliveries;
pub use envelope::{Accepted, Envelope, Recipient, Sender, Transaction};
pub use received::Received;
pub use session::{Hello, Identity, Session};
pub use state::State;
pub use tally::Tally;
#[doc(hidden)]
pub use verdict::negative_reply;
pub use verdict::{Accept, Refusal, Verdict, accept};

use crate::framing::Transmit;
use crate::machine::{Error, Misuse, TlsInfo, TraceEntry};
#[cfg(feature = "auth")]
use crate::sasl::Step;
#[cfg(feature = "auth")]
use crate::server::Refused;
use crate::server::replies::{local_error, tls_unavailable};
use crate::server::{Config, Event, Ticket, TransactionId};

/// Drives a server machine for an application.
///
/// See the [module](self).
#[derive(Debug)]
pub struct Reception<S: State = ()> {
    replying: Replying,
    session: Session<S>,
    can_encrypt: bool,
    #[cfg(feature = "auth")]
    authentication: Option<Authentication>,
    /// How many exchanges were begun.
    #[cfg(feature = "auth")]
    exchanges: u64,
    current: Current<S>,
    /// Rights to decide about the message that has just ended, of LMTP.
    deliveries: Vec<Asked>,
    /// Calls that are to be made before further events are looked at.
    next: VecDeque<Call<'static, S>>,
    /// Content that was refused while it came, and why.
    refused: Option<(TransactionId, Refusal)>,
    /// DATA, while questions that are overdue are given up.
    overdue: Option<Ticket>,
    /// The session is to end once no transaction is under way.
    is_stopping: bool,
    origin: Duration,
}

impl<S: State> Reception<S> {
    /// Begins with a connection that was just accepted.
    pub fn new(config: Config, session: Session<S>, now: Duration) -> Self {
        Self {
            replying: Replying::new(config, now),
            session,
            can_encrypt: true,
            #[cfg(feature = "auth")]
            authentication: None,
            #[cfg(feature = "auth")]
            exchanges: 0,
            current: Current::None,
            deliveries: Vec::new(),
            next: VecDeque::new(),
            refused: None,
            overdue: None,
            is_stopping: false,
            origin: now,
        }
    }

    /// Answers STARTTLS 454, as there is nobody to do the handshake.
    #[must_use]
    pub fn without_tls(mut self) -> Self {
        self.can_encrypt = false;
        self
    }

    /// Returns what is known of the client by now.
    pub fn session(&self) -> &Session<S> {
        &self.session
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
        self.replying.tally_mut().duration = now.saturating_sub(self.origin);
        loop {
            if let Some(call) = self.next.pop_front() {
                return Ok(Some(call));
            }
            self.stop_between_transactions();
            if let (Some(ticket), Some(id)) = (self.overdue.take(), self.current.id())
                && let Some(call) = self.begin_content(id, Some(ticket), &[])
            {
                return Ok(Some(call));
            }
            let Some(event) = self.replying.server_mut().poll_event(input, now)? else {
                return Ok(None);
            };
            if let Some(call) = self.take(event) {
                return Ok(Some(call));
            }
        }
    }

    /// Returns the bytes that the client is to read next: see [`Server::poll_transmit`](crate::server::Server::poll_transmit).
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        self.replying.server_mut().poll_transmit(now)
    }

    /// Answers a question. An answer to another question than was asked counts as
    /// [failure](Self::fail). Look for [calls](Self::poll_call) after it: of an answer that came too
    /// late for a message, there is a notice.
    pub fn answer(&mut self, asked: Asked, answer: Answer<S>) {
        let Asked { ticket, subject } = asked;
        match (subject, answer) {
            (Subject::Greeting, Answer::Session(verdict)) => {
                if let Some(state) = self.replying.settle_greeting(ticket, verdict) {
                    self.session.begin(state);
                    self.replying.tally_mut().begun = true;
                }
            }
            (Subject::XClient(attributes), Answer::Session(verdict)) => {
                if let Some(state) = self.replying.settle_greeting(ticket, verdict) {
                    self.session.begin(state);
                    let is_authenticated = self.replying.server().is_authenticated();
                    self.session.speak_for(&attributes, is_authenticated);
                }
            }
            (Subject::Hello(before), Answer::Plain(verdict)) => {
                let verdict = verdict.map(|mut accept| {
                    self.replying.configure(&mut accept);
                    self.replying.server_mut().offer(accept.take_offer());
                    accept.into_parts().1
                });
                if !self.replying.settle(ticket, verdict) {
                    // 5321-4.1.4-c
                    self.session.restore(before);
                }
            }
            (Subject::Plain, Answer::Plain(verdict)) => {
                self.replying
                    .settle(ticket, verdict.map(|accept| accept.into_parts().1));
            }
            (Subject::Reply, Answer::Reply(reworded)) => self.replying.reword(ticket, reworded),
            (Subject::Mail(id, sender), Answer::Transaction(verdict)) => {
                let state = self.replying.settle_state(ticket, verdict);
                self.current.open(id, sender, state);
            }
            (Subject::Recipient(id, position), Answer::Recipient(verdict)) => {
                let state = self.replying.settle_state(ticket, verdict);
                if state.is_some() {
                    self.replying.tally_mut().recipient();
                }
                self.current.decide(id, position, state);
            }
            (Subject::Content(id), Answer::Content(verdict)) => match (ticket, verdict) {
                (ticket @ Some(_), verdict) => {
                    if !self.replying.settle(ticket, verdict.map(|()| None)) {
                        self.current.end(id);
                    }
                }
                (None, Ok(())) => {}
                (None, Err(refusal)) => self.refuse_content(id, refusal),
            },
            (Subject::Message(id), Answer::Plain(verdict)) => {
                self.settle_message(ticket, id, None, verdict)
            }
            (Subject::Delivery(id, recipient), Answer::Plain(verdict)) => {
                self.settle_message(ticket, id, Some(recipient), verdict);
            }
            #[cfg(feature = "auth")]
            (Subject::Authentication(exchange), answer) => self.go_on(ticket, exchange, answer),
            (subject, _) => self.fail(Asked { ticket, subject }),
        }
    }

    /// Answers that there is no answer, as the application has failed: 451, or 421 at the greeting.
    pub fn fail(&mut self, asked: Asked) {
        let Asked { ticket, subject } = asked;
        match subject {
            Subject::Greeting | Subject::XClient(_) => {
                self.replying.refuse(ticket, self.replying.unavailable());
            }
            Subject::Content(id) if ticket.is_none() => {
                self.refuse_content(id, Refusal::local_error());
            }
            Subject::Reply => self.replying.reword(ticket, None),
            subject => {
                self.replying.refuse(ticket, Refusal::local_error());
                match subject {
                    Subject::Hello(before) => self.session.restore(before),
                    Subject::Mail(id, _) | Subject::Content(id) => self.current.end(id),
                    Subject::Recipient(id, position) => self.current.decide(id, position, None),
                    _ => {}
                }
            }
        }
    }

    /// Refuses the content that is coming, before its end. The rest of it is swallowed and not
    /// handed out. Does nothing if that transaction's content is not coming any more.
    pub fn refuse_content(&mut self, transaction: TransactionId, refusal: Refusal) {
        for asked in self.take_ends(transaction) {
            self.replying.refuse(asked.ticket, refusal.clone());
        }
        if !self.current.is(transaction) {
            return;
        }
        self.refused = Some((transaction, refusal.clone()));
        self.replying.tally_mut().refusal(refusal.reply());
        let refusal = match refusal.closes() {
            // At the end of a content, 421 is what ends the session.
            true => self.replying.unavailable(),
            false => refusal,
        };
        let reply = refusal.into_reply().unwrap_or_else(local_error);
        if let Err(Misuse::WrongReplyClass | Misuse::NotAscii) = self
            .replying
            .server_mut()
            .refuse_content(transaction, reply)
        {
            // It is not refused yet, so this is taken.
            let _ = self
                .replying
                .server_mut()
                .refuse_content(transaction, local_error());
        }
        self.current.end(transaction);
    }

    /// Turns a client away that there is no room for (421), without asking the application. For
    /// the beginning alone; what is to be written then, is written at once or not at all.
    pub fn turn_away(&mut self, now: Duration) {
        if let Ok(Some(Call::Question(asked, Question::Connected))) =
            self.poll_call(&mut [].as_slice(), now)
        {
            self.replying.turn_away(asked.ticket);
        }
    }

    /// Ends the session as soon as no transaction is under way (421, RFC 5321 3.8).
    pub fn shut_down(&mut self) {
        self.is_stopping = true;
        self.stop_between_transactions();
    }

    /// Ends the session at once (421), whatever is under way.
    pub fn abort(&mut self) {
        self.replying.abort();
    }

    /// Returns whether the TLS handshake is due: see [`Server::wants_tls`](crate::server::Server::wants_tls).
    pub fn wants_tls(&self) -> bool {
        self.replying.server().wants_tls()
    }

    /// Takes note that TLS is there: see [`Server::tls_established`](crate::server::Server::tls_established). Who the client was in clear is
    /// forgotten (3207-4.2-a).
    ///
    /// # Errors
    ///
    /// Fails if no handshake is due.
    pub fn tls_established(&mut self, info: TlsInfo, now: Duration) -> Result<(), Misuse> {
        self.replying
            .server_mut()
            .tls_established(info.clone(), now)?;
        self.session.secure(info);
        Ok(())
    }

    /// Takes note that the handshake failed: see [`Server::tls_failed`](crate::server::Server::tls_failed).
    pub fn tls_failed(&mut self) {
        self.replying.server_mut().tls_failed();
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due: see [`Server::poll_timeout`](crate::server::Server::poll_timeout).
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.replying.server().poll_timeout()
    }

    /// Lets the timers fire that are due: see [`Server::handle_timeout`](crate::server::Server::handle_timeout).
    pub fn handle_timeout(&mut self, now: Duration) {
        self.replying.server_mut().handle_timeout(now);
    }

    /// Takes note that the client sends no more: see [`Server::handle_eof`](crate::server::Server::handle_eof).
    pub fn handle_eof(&mut self) {
        self.replying.server_mut().handle_eof();
    }

    /// Takes note that nothing can be written any more: see [`Server::write_failed`](crate::server::Server::write_failed).
    pub fn write_failed(&mut self) {
        self.replying.server_mut().write_failed();
    }

    /// Returns whether more bytes are of use now: see [`Server::wants_read`](crate::server::Server::wants_read).
    pub fn wants_read(&self) -> bool {
        self.replying.server().wants_read()
    }

    /// Returns whether no transaction is under way: the time to [shrink](Self::shrink), if nothing
    /// more has come.
    pub fn is_idle(&self) -> bool {
        matches!(self.current, Current::None)
    }

    /// Returns whether the session is over, and all of it has been told: see [`Server::is_closed`](crate::server::Server::is_closed).
    pub fn is_closed(&self) -> bool {
        self.next.is_empty() && self.replying.server().is_closed()
    }

    /// Returns how many bytes are left unconsumed at most: see [`Server::max_unconsumed`](crate::server::Server::max_unconsumed).
    pub fn max_unconsumed(&self) -> usize {
        self.replying.server().max_unconsumed()
    }

    /// Gives back the memory that is not in use: see [`Server::shrink`](crate::server::Server::shrink).
    pub fn shrink(&mut self) {
        self.replying.server_mut().shrink();
        self.next.shrink_to_fit();
    }

    /// Takes the oldest entry of the trace, if one is kept: see [`Server::poll_trace`](crate::server::Server::poll_trace).
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.replying.server_mut().poll_trace()
    }

    /// Returns what came of the connection by now.
    pub fn tally(&self) -> &Tally {
        self.replying.tally()
    }

    /// Makes a call of an event, if it is any of the application's business.
    fn take<'i>(&mut self, event: Event<'i>) -> Option<Call<'i, S>> {
        let (ticket, question) = match event {
            Event::Connected { ticket } => {
                let asked = Asked::new(ticket, Subject::Greeting);
                return Some(Call::Question(asked, Question::Connected));
            }
            Event::Hello {
                ticket,
                host,
                esmtp,
            } => {
                let before = self.session.introduce(host, esmtp);
                let asked = Asked::new(ticket, Subject::Hello(before));
                return Some(Call::Question(asked, Question::Hello));
            }
            Event::StartTls { ticket } if self.can_encrypt => (ticket, Question::StartTls),
            Event::StartTls { ticket } => {
                self.replying.refuse(Some(ticket), tls_unavailable().into());
                return None;
            }
            #[cfg(feature = "auth")]
            Event::Auth {
                ticket,
                mechanism,
                initial_response,
            } => {
                let named = Question::Mechanism(Arc::clone(&mechanism));
                self.exchanges = self.exchanges.saturating_add(1);
                let authentication =
                    Authentication::new(self.exchanges, mechanism, initial_response);
                self.authentication = Some(authentication);
                let asked = Asked::new(ticket, Subject::Authentication(self.exchanges));
                return Some(Call::Question(asked, named));
            }
            #[cfg(feature = "auth")]
            Event::AuthResponse { ticket, response } => {
                match &mut self.authentication {
                    Some(authentication) => {
                        let next = authentication.respond(Some(response));
                        self.advance(ticket, next);
                    }
                    None => self.replying.refuse(Some(ticket), Refusal::local_error()),
                }
                return None;
            }
            Event::Mail {
                ticket,
                transaction,
                from,
                parameters,
            } => {
                self.current = Current::Asked(transaction);
                let sender = Arc::new(Sender {
                    path: from.into_owned(),
                    parameters: parameters.into_owned(),
                });
                let asked = Asked::new(ticket, Subject::Mail(transaction, Arc::clone(&sender)));
                return Some(Call::Question(asked, Question::Mail(sender)));
            }
            Event::Rcpt {
                ticket,
                transaction,
                to,
                parameters,
            } => {
                let recipient = Arc::new(Recipient {
                    path: to.into_owned(),
                    parameters: parameters.into_owned(),
                });
                let Some((named, position)) = self.current.name(&recipient) else {
                    self.replying.refuse(Some(ticket), Refusal::local_error());
                    return None;
                };
                let asked = Asked::new(ticket, Subject::Recipient(transaction, position));
                return Some(Call::Question(asked, Question::Recipient(named, recipient)));
            }
            Event::Data {
                ticket,
                transaction,
            } => return self.begin_content(transaction, Some(ticket), &[]),
            Event::Content { transaction, bytes } => {
                if !self.current.is(transaction) {
                    return None;
                }
                self.replying.tally_mut().content(bytes.len());
                if self.current.is_in_content() {
                    return Some(Call::Content { transaction, bytes });
                }
                return self.begin_content(transaction, None, bytes);
            }
            Event::Message {
                ticket,
                transaction,
                ..
            } => {
                let asked = Asked::new(ticket, Subject::Message(transaction));
                return self.end_content(transaction, asked);
            }
            Event::Delivery {
                ticket,
                transaction,
                recipient,
                ..
            } => {
                let asked = Asked::new(ticket, Subject::Delivery(transaction, recipient));
                return self.end_content(transaction, asked);
            }
            Event::Reset {
                transaction,
                reason,
            } => {
                self.current.end(transaction);
                return Some(Call::Notice(Notice::Reset {
                    transaction,
                    reason,
                }));
            }
            Event::Vrfy { ticket, name, .. } => (ticket, Question::Verify((*name).into())),
            Event::Expn { ticket, name, .. } => (ticket, Question::Expand((*name).into())),
            Event::Help { ticket, topic } => {
                (ticket, Question::Help(topic.map(|topic| (*topic).into())))
            }
            Event::Etrn { ticket, node } => (ticket, Question::Etrn(node.to_string())),
            Event::XClient { ticket, attributes } => {
                let attributes = ClientAttributes::new(attributes);
                let asked = Asked::new(ticket, Subject::XClient(attributes.clone()));
                return Some(Call::Question(asked, Question::XClient(attributes)));
            }
            Event::XForward { ticket, attributes } => (
                ticket,
                Question::XForward(ClientAttributes::new(attributes)),
            ),
            Event::Command {
                ticket,
                verb,
                argument,
            } => {
                let argument = argument.map(|argument| (*argument).into());
                let verb = (*verb).into();
                (ticket, Question::Command { verb, argument })
            }
            Event::Rejected { code, reason, line } => {
                // It may be the client that broke off an exchange.
                #[cfg(feature = "auth")]
                {
                    self.authentication = None;
                }
                self.replying.tally_mut().refusal(None);
                return Some(Call::Notice(Notice::Rejected { code, reason, line }));
            }
            Event::Reply {
                ticket,
                reply,
                reason,
                transaction,
            } => {
                let asked = Asked::new(ticket, Subject::Reply);
                let question = Question::Reply {
                    reply,
                    reason,
                    transaction,
                };
                return Some(Call::Question(asked, question));
            }
            Event::Acknowledged {
                transaction,
                certainty,
            } => {
                return Some(Call::Notice(Notice::Acknowledged {
                    transaction,
                    recipient: None,
                    certainty,
                }));
            }
            Event::DeliveryAcknowledged {
                transaction,
                recipient,
                certainty,
            } => {
                return Some(Call::Notice(Notice::Acknowledged {
                    transaction,
                    recipient: Some(recipient),
                    certainty,
                }));
            }
            Event::Quit => {
                self.replying.tally_mut().quit = true;
                return None;
            }
            event => {
                self.replying.server_mut().decline(event);
                return None;
            }
        };
        Some(Call::Question(Asked::new(ticket, Subject::Plain), question))
    }

    /// Hands out the envelope, by the first of the content or, with a ticket, by DATA before it.
    fn begin_content<'i>(
        &mut self,
        transaction: TransactionId,
        ticket: Option<Ticket>,
        bytes: &'i [u8],
    ) -> Option<Call<'i, S>> {
        if ticket.is_some() && self.current.is(transaction) && self.current.is_undecided() {
            // DATA waits for all verdicts, so what is without one is overdue.
            self.current.give_up_verdicts();
            self.overdue = ticket;
            return Some(Call::Overdue(transaction));
        }
        let asked = Asked {
            ticket,
            subject: Subject::Content(transaction),
        };
        match self.current.envelope() {
            Ok(envelope) => Some(Call::Begin {
                asked,
                envelope,
                bytes,
            }),
            Err(NoEnvelope) => {
                self.fail(asked);
                None
            }
        }
    }

    /// Takes the right to decide about a message, in LMTP for one more recipient; hands it out with
    /// the last one.
    fn end_content(
        &mut self,
        transaction: TransactionId,
        asked: Asked,
    ) -> Option<Call<'static, S>> {
        if let Some((refused, refusal)) = &self.refused
            && *refused == transaction
        {
            let refusal = refusal.clone();
            self.replying.refuse(asked.ticket, refusal);
            return None;
        }
        let begins = match self.current.is_in_content() {
            true => None,
            false => self.begin_content(transaction, None, &[]),
        };
        if !self.current.is_in_content() || !self.current.is(transaction) {
            self.replying.refuse(asked.ticket, Refusal::local_error());
            return begins;
        }
        let ends = match asked.subject {
            Subject::Delivery(..) => {
                self.deliveries.push(asked);
                if self.deliveries.len() < self.current.recipients() {
                    return begins;
                }
                let asked = mem::take(&mut self.deliveries);
                Call::Deliver { transaction, asked }
            }
            _ => Call::Question(asked, Question::Message(transaction)),
        };
        self.current.end(transaction);
        match begins {
            Some(begins) => {
                self.next.push_back(ends);
                Some(begins)
            }
            None => Some(ends),
        }
    }

    /// Takes back the rights to decide about a message, that were not handed out yet.
    fn take_ends(&mut self, transaction: TransactionId) -> Vec<Asked> {
        let mut taken = match self.current.is(transaction) {
            true => mem::take(&mut self.deliveries),
            false => Vec::new(),
        };
        for call in mem::take(&mut self.next) {
            match call {
                Call::Question(asked, Question::Message(id)) if id == transaction => {
                    taken.push(asked)
                }
                Call::Deliver {
                    transaction: id,
                    asked,
                } if id == transaction => taken.extend(asked),
                call => self.next.push_back(call),
            }
        }
        taken
    }

    /// Goes on with an authentication, as the application has answered.
    #[cfg(feature = "auth")]
    fn go_on(&mut self, ticket: Option<Ticket>, exchange: u64, answer: Answer<S>) {
        let ours = |it: &&mut Authentication| it.is(exchange);
        let (Some(ticket), Some(authentication)) =
            (ticket, self.authentication.as_mut().filter(ours))
        else {
            // It is too late, and the client was told so.
            return;
        };
        let next = match answer {
            Answer::Mechanism(Ok(is_own)) => {
                authentication.begin(is_own, &self.replying.server().channel())
            }
            Answer::Step(step) => Next::Step(step),
            Answer::Identity(verdict) => Next::Step(authentication.decide(verdict)),
            #[cfg(feature = "scram")]
            Answer::Keys(Ok(found)) => Next::Step(authentication.keys(found)),
            #[cfg(feature = "scram")]
            Answer::Keys(Err(refusal)) => return self.turn_down(ticket, refusal),
            Answer::Mechanism(Err(refusal)) => return self.turn_down(ticket, refusal),
            _ => return self.turn_down(ticket, Refusal::local_error()),
        };
        self.advance(ticket, next);
    }

    /// Does what an exchange wants done.
    #[cfg(feature = "auth")]
    fn advance(&mut self, ticket: Ticket, next: Next) {
        let question = match next {
            Next::Step(Step::Challenge(challenge)) => {
                if let Err(Refused { ticket, .. }) =
                    self.replying.server_mut().challenge(ticket, &challenge)
                {
                    self.turn_down(ticket, Refusal::local_error());
                }
                return;
            }
            Next::Step(Step::Accept(name)) => {
                let authentication = self.authentication.take();
                if self.replying.settle(Some(ticket), Ok(None))
                    && let Some(authentication) = authentication
                {
                    self.session.identify(authentication.identity(name));
                }
                return;
            }
            Next::Step(Step::Reject(reply)) => return self.turn_down(ticket, reply.into()),
            Next::Response(response) => Question::Response(response),
            Next::Credential(claim) => Question::Credential(claim),
            #[cfg(feature = "scram")]
            Next::Keys { user, hash } => Question::Keys { user, hash },
        };
        let asked = Asked::new(ticket, Subject::Authentication(self.exchanges));
        self.next.push_back(Call::Question(asked, question));
    }

    /// Ends an exchange that came to no good end.
    #[cfg(feature = "auth")]
    fn turn_down(&mut self, ticket: Ticket, refusal: Refusal) {
        self.authentication = None;
        self.replying.refuse(Some(ticket), refusal);
    }

    /// Takes a verdict over a message, in LMTP for one of its recipients.
    fn settle_message(
        &mut self,
        ticket: Option<Ticket>,
        transaction: TransactionId,
        recipient: Option<usize>,
        verdict: Verdict,
    ) {
        let is_accepted = verdict.is_ok();
        if self.replying.settle_state(ticket, verdict).is_some() {
            self.replying.tally_mut().message(transaction);
        } else if is_accepted {
            self.next.push_back(Call::Notice(Notice::Expired {
                transaction,
                recipient,
            }));
        }
    }

    fn stop_between_transactions(&mut self) {
        if self.is_stopping && self.is_idle() {
            self.is_stopping = false;
            self.abort();
        }
    }
}
