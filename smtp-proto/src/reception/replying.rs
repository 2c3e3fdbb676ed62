//! What verdicts make of the machine.

use core::time::Duration;

use super::in_ascii::in_ascii;
use super::replies::{shutting_down, too_many_connections, unavailable};
use super::tally::Tally;
use super::turned_away::TurnedAway;
use super::verdict::{Accept, Refusal, Verdict};
use crate::machine::Misuse;
use crate::server::replies::local_error;
use crate::server::{Config, Refused, Server, Ticket, TransactionId};
use crate::syntax::{Class, Host, Reply};

/// Holds the machine, and gives it the application's verdicts.
#[derive(Debug)]
pub(super) struct Replying {
    server: Server,
    hostname: Host<'static>,
    tally: Tally,
}

impl Replying {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        Self {
            hostname: config.hostname().clone(),
            server: Server::new(config, now),
            tally: Tally::default(),
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        (tally.refusals, tally.last_refusal) = self.server.refusals();
        tally
    }

    pub(super) fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Returns the refusal of a client that cannot be served for a fault of the server's own.
    pub(super) fn unavailable(&self) -> Refusal {
        Refusal::closing(unavailable(&self.hostname))
    }

    /// Turns a client away.
    pub(super) fn turn_away(&mut self, ticket: Option<Ticket>, why: TurnedAway) {
        let refusal = match why {
            TurnedAway::Full => Refusal::closing(too_many_connections(&self.hostname)),
            TurnedAway::Failed => self.unavailable(),
            TurnedAway::Refused(refusal) => refusal,
            TurnedAway::Late => Refusal::closing(None),
        };
        self.refuse(ticket, refusal);
    }

    /// Ends the session at once.
    pub(super) fn abort(&mut self) {
        // It may be ending already.
        let _ = self.server.shut_down(shutting_down(&self.hostname));
    }

    /// Takes the verdict over a greeting. The reply is a positive one, or it ends the connection: a
    /// client that is greeted is served (L7).
    pub(super) fn settle_greeting<T>(
        &mut self,
        ticket: Option<Ticket>,
        verdict: Verdict<T>,
    ) -> Option<T> {
        let verdict = verdict.and_then(|accept| match accept.refusal() {
            Some(_) => Err(self.unavailable()),
            None => Ok(accept),
        });
        let verdict = verdict.map_err(|refusal| match refusal.reply() {
            Some(reply) if matches!(reply.class(), Class::Positive | Class::Intermediate) => {
                self.unavailable()
            }
            _ => refusal,
        });
        self.settle_state(ticket, verdict)
    }

    /// Takes a verdict, and returns what is to be remembered if the command is accepted by it.
    pub(super) fn settle_state<T>(
        &mut self,
        ticket: Option<Ticket>,
        verdict: Verdict<T>,
    ) -> Option<T> {
        match verdict {
            Ok(mut accept) => {
                self.configure(&mut accept);
                let (state, reply) = accept.into_parts();
                self.settle(ticket, Ok(reply)).then_some(state)
            }
            Err(refusal) => {
                self.refuse(ticket, refusal);
                None
            }
        }
    }

    /// Has the settings changed, as a verdict says.
    pub(super) fn configure<T>(&mut self, accept: &mut Accept<T>) {
        if let Some(config) = accept.take_config() {
            // It can only fail where settings stand, which is documented.
            let _ = self.server.reconfigure(config);
        }
    }

    /// Takes a verdict, and returns whether the command is accepted by it.
    pub(super) fn settle(
        &mut self,
        ticket: Option<Ticket>,
        verdict: Result<Option<Reply<'static>>, Refusal>,
    ) -> bool {
        let Some(ticket) = ticket else {
            return verdict.is_ok();
        };
        let given = match verdict {
            Ok(None) => self.server.accept(ticket),
            Ok(Some(reply)) if reply.is_positive() => self.say(ticket, reply),
            Ok(Some(_)) => {
                self.refuse(Some(ticket), Refusal::local_error());
                return false;
            }
            Err(refusal) => {
                self.refuse(Some(ticket), refusal);
                return false;
            }
        };
        match given {
            Ok(()) => true,
            Err(refused) => {
                self.stand_in(refused);
                false
            }
        }
    }

    /// Has the machine say what it would, or else this, if that is of the same class.
    pub(super) fn reword(&mut self, ticket: Option<Ticket>, reworded: Option<Reply<'static>>) {
        let refused = match (ticket, reworded) {
            (Some(ticket), Some(reply)) => self.say(ticket, reply),
            (Some(ticket), None) => self.server.accept(ticket),
            (None, _) => return,
        };
        if let Err(refused) = refused {
            // It is of another class, or too late.
            let _ = self.server.accept(refused.ticket);
        }
    }

    /// Refuses a command, and ends the session if the refusal says so.
    pub(super) fn refuse(&mut self, ticket: Option<Ticket>, refusal: Refusal) {
        let Some(ticket) = ticket else {
            return;
        };
        let given = match (refusal.closes(), refusal.into_reply()) {
            (false, Some(reply)) => self.say(ticket, reply),
            (_, reply) => self.server.close(ticket, reply.map(in_ascii)),
        };
        if let Err(refused) = given {
            self.stand_in(refused);
        }
    }

    /// Refuses the content of a transaction that is coming, before its end.
    pub(super) fn refuse_content(&mut self, transaction: TransactionId, refusal: Refusal) {
        let closes = refusal.closes();
        let reply = match refusal.into_reply() {
            Some(reply) => in_ascii(reply),
            // Some word has to end a content.
            None => unavailable(&self.hostname),
        };
        let given = match closes {
            true => self.server.shut_down(reply),
            false => self.server.refuse_content(transaction, reply),
        };
        if let Err(Misuse::WrongReplyClass) = given {
            // It is not refused yet, so this is taken.
            let _ = self.server.refuse_content(transaction, local_error());
        }
    }

    /// Answers so, in ASCII where the client cannot take more (6531-3.7.4-e): to take back a message that
    /// another server took, for the words in which it said so, would deliver it twice.
    fn say(&mut self, ticket: Ticket, reply: Reply<'static>) -> Result<(), Refused> {
        let plain = (!reply.is_ascii()).then(|| in_ascii(reply.clone()));
        match (self.server.reply(ticket, reply), plain) {
            (Err(refused), Some(plain)) if refused.misuse == Misuse::NotAscii => {
                self.server.reply(refused.ticket, plain)
            }
            (given, _) => given,
        }
    }

    /// Answers for an application whose reply cannot be sent.
    fn stand_in(&mut self, refused: Refused) {
        if let Misuse::WrongReplyClass = refused.misuse {
            let _ = self.server.reply(refused.ticket, local_error());
        }
    }
}
