//! Messages over as many connections as it takes.

use std::{
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, sleep},
    time::Instant,
};

use super::{
    body::{Body, Supply},
    connect::Options,
    session::Client,
};
use crate::TlsInfo;

smtp_proto::sender! {
    /// ```no_run
    /// use smtp_proto_blocking::{Envelope, Sender};
    ///
    /// let sender = Sender::new("smtp://mx.example.net")?.max_in_all(500);
    /// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    /// let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    /// let other = sender.to("smtp://mx.example.org")?; // within the same bounds
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
}

impl Place<'_> {
    /// Waits for its turn.
    fn turn(&mut self) -> Turn<Arc<Options>, Client> {
        let is_verified = |it: &Client| it.tls_info().is_some_and(TlsInfo::is_verified);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let turn = loop {
            let now = self.connections.now();
            let mut pool = self.connections.pool();
            let turn = pool.poll_turn(&mut self.place, self.policy, is_verified, now, &waker);
            drop(pool);
            match turn {
                Poll::Ready(turn) => break turn,
                Poll::Pending => thread::park(),
            }
        };
        let leaving = self.connections.pool().take_leaving();
        for mut client in leaving {
            // QUIT leaves, and nobody waits for the answer.
            client.driver.take_leave(&mut Context::from_waker(&waker));
        }
        turn
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
