//! Timers without a clock: deadlines on the caller's time.

use core::time::Duration;

/// Names a timer, and so what the peer was too slow to do.
///
/// The minimums are those of RFC 5321 4.5.3.2; where it gives none, 5 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Timer {
    /// A client waits for the greeting: 5 minutes (RFC 5321 4.5.3.2.1). It never comes where the server
    /// waits for TLS first, as at port 465 (`smtps://`).
    Greeting,
    /// A client waits for the reply to a command: 5 minutes (RFC 5321 4.5.3.2.2, .3).
    Command,
    /// A client waits for the go-ahead to DATA: 2 minutes (RFC 5321 4.5.3.2.4).
    DataInitiation,
    /// A peer takes no byte that is ready to be written: 3 minutes (RFC 5321 4.5.3.2.5).
    Write,
    /// A client waits for the reply to the end of a message: 10 minutes (RFC 5321 4.5.3.2.6).
    DataTermination,
    /// The TLS handshake is under way.
    Handshake,
    /// A client's message takes longer than its driver lets it.
    Message,
    /// A client waits for the reply to QUIT, for which no time is prescribed.
    Quit,
    /// A server waits for the next command: 5 minutes (RFC 5321 4.5.3.2.7).
    Idle,
    /// A server waits for more bytes of a command line or of content that has begun.
    Receive,
    /// A server's application owes a verdict.
    Verdict,
}

impl Timer {
    /// Returns what it measures, as words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Greeting => "waiting for the greeting",
            Self::Command => "waiting for the reply to a command",
            Self::DataInitiation => "waiting for the reply to DATA",
            Self::Write => "waiting for the peer to read",
            Self::DataTermination => "waiting for the reply to the end of a message",
            Self::Handshake => "waiting for the TLS handshake",
            Self::Message => "sending a message",
            Self::Quit => "waiting for the reply to QUIT",
            Self::Idle => "waiting for the next command",
            Self::Receive => "waiting for the rest of a command or message",
            Self::Verdict => "waiting for the application's verdict",
        }
    }
}

impl core::fmt::Display for Timer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.words())
    }
}

/// One running deadline: which timer, and when it fires.
///
/// A server holds one for each of its directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    running: Option<(Timer, Duration)>,
}

impl Deadline {
    /// Starts `timer`, to fire `after` from `now`, in place of whatever ran.
    pub(crate) fn start(&mut self, timer: Timer, after: Duration, now: Duration) {
        self.running = Some((timer, now.saturating_add(after)));
    }

    /// Stops whatever runs.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Returns when the running timer fires.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.running.map(|(_, at)| at)
    }

    /// Returns the timer that has fired by `now`, and stops it.
    pub(crate) fn expired(&mut self, now: Duration) -> Option<Timer> {
        let (timer, at) = self.running?;
        (at <= now).then(|| {
            self.stop();
            timer
        })
    }

    /// Tells whether a timer runs.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}
