//! Messages over as many connections as it takes.

use std::future::poll_fn;

use tokio::time::{Instant, sleep};

use super::{
    body::{Body, Supply},
    connect::Options,
    session::Client,
};

smtp_proto::sender! {
    async.await
    /// ```no_run
    /// use smtp_proto_tokio::{Envelope, Sender};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let sender = Sender::new("smtp://mx.example.net")?.max_in_all(500);
    /// let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    /// let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n").await?;
    /// let other = sender.to("smtp://mx.example.org")?; // within the same bounds
    /// # Ok(())
    /// # }
    /// ```
}
