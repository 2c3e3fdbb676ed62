//! Who is served and what is under way: events become calls, and answers what the machine is told.

use alloc::{collections::VecDeque, string::ToString, sync::Arc};

use super::attributes::ClientAttributes;
#[cfg(feature = "auth")]
use super::authentication::{Authentications, Next};
use super::call::{Answer, Asked, Call, Notice, Question, Subject};
use super::envelope::{Recipient, Sender};
use super::in_ascii::names_in_ascii;
use super::replying::Replying;
use super::session::Session;
use super::state::State;
use super::transactions::Transactions;
use super::verdict::{Refusal, Verdict};
use crate::machine::TlsInfo;
#[cfg(feature = "auth")]
use crate::sasl::Step;
#[cfg(feature = "auth")]
use crate::server::Refused;
use crate::server::replies::tls_unavailable;
use crate::server::{Event, Ticket, TransactionId};

/// Holds the machine, and what an application would have to remember between its events.
#[derive(Debug)]
pub(super) struct Conversation<S: State> {
    replying: Replying,
    session: Session<S>,
    can_encrypt: bool,
    #[cfg(feature = "auth")]
    authentications: Authentications,
    transactions: Transactions<S>,
    /// Calls that are to be made before further events are looked at.
    next: VecDeque<Call<'static, S>>,
}

impl<S: State> Conversation<S> {
    pub(super) fn new(replying: Replying, session: Session<S>) -> Self {
        Self {
            replying,
            session,
            can_encrypt: true,
            #[cfg(feature = "auth")]
            authentications: Authentications::default(),
            transactions: Transactions::new(),
            next: VecDeque::new(),
        }
    }

    /// Has STARTTLS answered 454.
    pub(super) fn forgo_tls(&mut self) {
        self.can_encrypt = false;
    }

    pub(super) fn replying(&self) -> &Replying {
        &self.replying
    }

    pub(super) fn replying_mut(&mut self) -> &mut Replying {
        &mut self.replying
    }

    pub(super) fn session(&self) -> &Session<S> {
        &self.session
    }

    /// Forgets who the client was in clear (3207-4.2-a).
    pub(super) fn secure(&mut self, info: TlsInfo) {
        self.session.secure(info);
    }

    /// Returns whether no transaction is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.transactions.is_idle()
    }

    /// Returns whether all that is known by now was handed out.
    pub(super) fn is_told(&self) -> bool {
        self.next.is_empty() && self.transactions.is_told()
    }

    pub(super) fn shrink(&mut self) {
        self.replying.server_mut().shrink();
        self.next.shrink_to_fit();
    }

    /// Returns a call that is to be made before further events are looked at.
    pub(super) fn next(&mut self) -> Option<Call<'static, S>> {
        if let Some(call) = self.next.pop_front() {
            return Some(call);
        }
        let call = self.transactions.next()?;
        self.handed_out(call)
    }

    /// Makes a call of an event, if it is any of the application's business.
    pub(super) fn take<'i>(&mut self, event: Event<'i>) -> Option<Call<'i, S>> {
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
                self.authentications.begin(mechanism, initial_response);
                let subject = Subject::Authentication(self.authentications.number());
                return Some(Call::Question(Asked::new(ticket, subject), named));
            }
            #[cfg(feature = "auth")]
            Event::AuthResponse { ticket, response } => {
                let next = self.authentications.respond(response);
                self.advance(ticket, next);
                return None;
            }
            Event::Mail {
                ticket,
                transaction,
                from,
                parameters,
            } => {
                self.transactions.ask(transaction);
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
                let Some((named, position)) = self.transactions.name(&recipient) else {
                    self.replying.refuse(Some(ticket), Refusal::local_error());
                    return None;
                };
                let asked = Asked::new(ticket, Subject::Recipient(transaction, position));
                return Some(Call::Question(asked, Question::Recipient(named, recipient)));
            }
            Event::Data {
                ticket,
                transaction,
            } => {
                let begins = self.transactions.begin(transaction, Some(ticket), &[]);
                return self.handed_out(begins);
            }
            Event::Content { transaction, bytes } => {
                if !self.transactions.is(transaction) {
                    return None;
                }
                self.replying.tally_mut().content(bytes.len());
                let content = self.transactions.content(transaction, bytes);
                return self.handed_out(content);
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
                self.transactions.end(transaction);
                return Some(Call::Notice(Notice::Reset {
                    transaction,
                    reason,
                }));
            }
            Event::Vrfy { ticket, name, utf8 } => {
                let question = Question::Verify((*name).into());
                return Some(Call::Question(Asked::new(ticket, names(utf8)), question));
            }
            Event::Expn { ticket, name, utf8 } => {
                let question = Question::Expand((*name).into());
                return Some(Call::Question(Asked::new(ticket, names(utf8)), question));
            }
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
            Event::Rejected {
                reply,
                reason,
                line,
            } => {
                // It may be the client that broke off an exchange.
                #[cfg(feature = "auth")]
                self.authentications.break_off();
                return Some(Call::Notice(Notice::Rejected {
                    reply,
                    reason,
                    line,
                }));
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

    /// Returns what is handed out of a transaction; whatever cannot be had has failed.
    fn handed_out<'i>(&mut self, call: Result<Call<'i, S>, Asked>) -> Option<Call<'i, S>> {
        match call {
            Ok(call) => Some(call),
            Err(asked) => {
                self.fail(asked);
                None
            }
        }
    }

    /// Takes the right to decide about a message.
    fn end_content(
        &mut self,
        transaction: TransactionId,
        asked: Asked,
    ) -> Option<Call<'static, S>> {
        match self.transactions.complete(transaction, asked) {
            Ok(call) => call,
            Err((asked, refusal)) => {
                self.replying.refuse(asked.ticket, refusal);
                None
            }
        }
    }

    /// Takes an answer; one to another question than was asked counts as failure.
    pub(super) fn answer(&mut self, asked: Asked, answer: Answer<S>) {
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
            (Subject::AsciiNames, Answer::Plain(verdict)) => {
                let reply = verdict.map(|accept| accept.into_parts().1.map(names_in_ascii));
                let reply = reply.map_err(|refusal| refusal.reworded(names_in_ascii));
                self.replying.settle(ticket, reply);
            }
            (Subject::Reply, Answer::Reply(reworded)) => self.replying.reword(ticket, reworded),
            (Subject::Mail(id, sender), Answer::Transaction(verdict)) => {
                let state = self.replying.settle_state(ticket, verdict);
                self.transactions.open(id, sender, state);
            }
            (Subject::Recipient(id, position), Answer::Recipient(verdict)) => {
                let state = self.replying.settle_state(ticket, verdict);
                if state.is_some() {
                    self.replying.tally_mut().recipient();
                }
                self.transactions.decide(id, position, state);
            }
            (Subject::Content(id), Answer::Content(verdict)) => match (ticket, verdict) {
                (ticket @ Some(_), verdict) => {
                    if !self.replying.settle(ticket, verdict.map(|()| None)) {
                        self.transactions.end(id);
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
    pub(super) fn fail(&mut self, asked: Asked) {
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
                    Subject::Mail(id, _) | Subject::Content(id) => self.transactions.end(id),
                    Subject::Recipient(id, position) => {
                        self.transactions.decide(id, position, None)
                    }
                    _ => {}
                }
            }
        }
    }

    /// Refuses the content that is coming.
    pub(super) fn refuse_content(&mut self, transaction: TransactionId, refusal: Refusal) {
        for asked in self.transactions.take_ends(transaction) {
            self.replying.refuse(asked.ticket, refusal.clone());
        }
        if self.transactions.is(transaction) {
            self.transactions.refuse(transaction, refusal.clone());
            self.replying.refuse_content(transaction, refusal);
        }
    }

    /// Goes on with an authentication, as the application has answered.
    #[cfg(feature = "auth")]
    fn go_on(&mut self, ticket: Option<Ticket>, exchange: u64, answer: Answer<S>) {
        let next = {
            let channel = self.replying.server().channel();
            self.authentications.go_on(exchange, answer, &channel)
        };
        // If there is nothing it is too late, and the client was told so.
        if let (Some(ticket), Some(next)) = (ticket, next) {
            self.advance(ticket, next);
        }
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
                let identity = self.authentications.accept(name);
                if self.replying.settle(Some(ticket), Ok(None))
                    && let Some(identity) = identity
                {
                    self.session.identify(identity);
                }
                return;
            }
            Next::Step(Step::Reject(reply)) => return self.turn_down(ticket, reply.into()),
            Next::Refuse(refusal) => return self.turn_down(ticket, refusal),
            Next::Response(response) => Question::Response(response),
            Next::Credential(claim) => Question::Credential(claim),
            #[cfg(feature = "scram")]
            Next::Keys { user, hash } => Question::Keys { user, hash },
        };
        let asked = Asked::new(
            ticket,
            Subject::Authentication(self.authentications.number()),
        );
        self.next.push_back(Call::Question(asked, question));
    }

    /// Ends an exchange that came to no good end.
    #[cfg(feature = "auth")]
    fn turn_down(&mut self, ticket: Ticket, refusal: Refusal) {
        self.authentications.break_off();
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
}

/// Returns what an answer to VRFY or EXPN is, which may have UTF-8 or not.
fn names(utf8: bool) -> Subject {
    match utf8 {
        true => Subject::Plain,
        false => Subject::AsciiNames,
    }
}
