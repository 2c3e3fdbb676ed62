//! Messages over as many connections as it takes.

use std::future::poll_fn;

use tokio::time::{Instant, sleep, timeout};

use super::{
    body::{Body, Supply},
    connect::Options,
    session::Client,
};
use crate::TlsInfo;

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

impl Place<'_> {
    /// Waits for its turn.
    async fn turn(&mut self) -> Turn<Arc<Options>, Client> {
        let is_verified = |it: &Client| it.tls_info().is_some_and(TlsInfo::is_verified);
        let turn = poll_fn(|cx| {
            let now = self.connections.now();
            let mut pool = self.connections.pool();
            pool.poll_turn(&mut self.place, self.policy, is_verified, now, cx.waker())
        });
        let turn = turn.await;
        let leaving = self.connections.pool().take_leaving();
        take_leave(leaving).await;
        turn
    }
}

/// Has QUIT leave on connections, for whose answers nobody waits.
async fn take_leave(leaving: Vec<Client>) {
    for mut client in leaving {
        let _ = timeout(Duration::ZERO, client.quit()).await;
    }
}
