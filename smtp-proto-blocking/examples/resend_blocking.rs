//! Sends a message through connections that get lost: what was not sent is sent again, and only that.
//! `cargo run --example resend_blocking smtp://127.0.0.1:2525`

use std::time::Duration;

use smtp_proto_blocking::{Envelope, Retry, Sender};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("smtp://localhost".into());
    let mut retry = Retry::default();
    retry.attempts = 5;
    retry.longest_delay = Duration::from_secs(10);
    let sender = Sender::new(url)?
        .retry(retry)
        // May this one be delivered twice? Better than not at all.
        .on_doubt(|envelope| envelope.recipients().len() == 1);

    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let report = sender.send(&envelope, "Subject: one\r\n\r\nOne.\r\n")?;
    println!("delivered: {}", report.is_delivered());
    // The connection is kept, and checked before it is used for the next message.
    let report = sender.send(&envelope, "Subject: two\r\n\r\nTwo.\r\n")?;
    println!("delivered: {}", report.is_delivered());
    sender.quit();
    Ok(())
}
