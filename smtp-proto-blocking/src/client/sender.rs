//! Messages over as many connections as it takes.

use std::{
    task::{Context, Wake, Waker},
    thread::{self, Thread, sleep},
    time::Instant,
};

use super::{
    body::{Body, Supply},
    connect::Options,
    session::Client,
};

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

/// Polls until it is ready, as often as it says.
fn poll_fn<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
