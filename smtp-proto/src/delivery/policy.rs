//! How a sender goes about its work.

use alloc::sync::Arc;
use core::{fmt, time::Duration};

use super::{courier::Courier, resending::Retry};
use crate::client::Envelope;

/// Tells how a sender goes about its work: how often it tries, and which connections it keeps.
#[derive(Clone)]
#[non_exhaustive]
pub struct Policy {
    /// How often and when to try again.
    pub retry: Retry,
    /// How many connections there are at most to one server: 1.
    pub max_connections: usize,
    /// How many connections there are at most in all, those that wait for a message included: 100.
    pub max_in_all: usize,
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
            max_in_all: 100,
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
            .field("max_in_all", &self.max_in_all)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_messages", &self.max_messages)
            .finish_non_exhaustive()
    }
}
