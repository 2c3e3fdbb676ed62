//! Which connections a sender keeps for later messages, and when it opens others.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, mem, time::Duration};

use super::{
    courier::Courier,
    report::Report,
    resending::{Backoff, Retry},
};
use crate::{
    client::{Envelope, Learned, Outcome},
    machine::{Error, Fault},
};

/// Tells how a sender goes about its work: how often it tries, and which connections it keeps.
#[derive(Clone)]
#[non_exhaustive]
pub struct Policy {
    /// How often and when to try again.
    pub retry: Retry,
    /// How many connections there are at most: 1.
    pub max_connections: usize,
    /// How long a connection waits for the next message: 1 minute.
    pub idle_timeout: Duration,
    /// How many messages go over one connection: any number.
    pub max_messages: u64,
    /// Decides whether recipients in doubt get the message again: they do not, unless it says so.
    pub sends_again: Option<Decide>,
}

type Decide = Arc<dyn Fn(&Envelope<'_>) -> bool + Send + Sync>;

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            max_connections: 1,
            idle_timeout: Duration::from_secs(60),
            max_messages: u64::MAX,
            sends_again: None,
        }
    }
}

impl Policy {
    /// Returns whether a connection has had as many messages as it may.
    pub fn retires<B>(&self, courier: &Courier<B>) -> bool {
        courier.submitted() >= self.max_messages
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("retry", &self.retry)
            .field("max_connections", &self.max_connections)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_messages", &self.max_messages)
            .finish_non_exhaustive()
    }
}

/// Holds the connections to one server that wait for a message, and remembers how the server does.
#[derive(Debug)]
pub struct Pool<C> {
    /// Each since when, the one that was used last at the end.
    idle: Vec<(C, Duration)>,
    backoff: Backoff,
    learned: Option<Learned>,
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self {
            idle: Vec::new(),
            backoff: Backoff::default(),
            learned: None,
        }
    }
}

impl<C> Pool<C> {
    /// Takes out the connection that was used last. It should be checked before it is used again.
    pub fn take(&mut self, policy: &Policy, now: Duration) -> Option<C> {
        let is_fresh = |since: Duration| now.saturating_sub(since) < policy.idle_timeout;
        self.idle.retain(|&(_, since)| is_fresh(since));
        self.idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection for another message.
    pub fn keep(&mut self, connection: C, now: Duration) {
        self.idle.push((connection, now));
    }

    /// Takes out all connections.
    pub fn drain(&mut self) -> impl Iterator<Item = C> + use<C> {
        let idle = mem::take(&mut self.idle);
        idle.into_iter().map(|(connection, _)| connection)
    }

    /// Returns what the last connection has found out about the server.
    pub fn learned(&self) -> Option<Learned> {
        self.learned.clone()
    }

    /// Returns how long to wait before a new connection is opened.
    pub fn wait(&self, now: Duration) -> Duration {
        self.backoff.wait(now)
    }

    /// Takes note that no connection could be had.
    pub fn failed(&mut self, policy: &Policy, now: Duration) {
        self.learned = None; // it may be what has changed
        self.backoff.failed(&policy.retry, now);
    }

    /// Takes note of what became of a message on one connection, and returns whether that one is of use
    /// for another.
    pub fn observe<B>(
        &mut self,
        policy: &Policy,
        courier: &Courier<B>,
        report: &Report,
        now: Duration,
    ) -> bool {
        self.learned = match courier.failure().map(Error::fault) {
            Some(Fault::CapabilitiesChanged) => None,
            _ => courier.machine().learned().or(self.learned.take()),
        };
        let is_delivered = |outcome: &Outcome<'_>| matches!(outcome, Outcome::Delivered(_));
        match courier.failure() {
            // A server that takes its leave after each message, by 421 or not, does its work.
            Some(_) if !report.recipients.iter().any(is_delivered) => {
                self.backoff.failed(&policy.retry, now);
            }
            _ => self.backoff.succeeded(),
        }
        let is_unsent = |outcome: &Outcome<'_>| matches!(outcome, Outcome::NotSent(_));
        courier.is_idle() && !policy.retires(courier) && !report.recipients.iter().any(is_unsent)
    }
}
