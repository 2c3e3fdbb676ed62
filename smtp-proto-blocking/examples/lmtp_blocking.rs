//! Hands a message to a mail store, which has a verdict for each recipient:
//! `cargo run --example lmtp_blocking lmtp+unix:/run/dovecot/lmtp`

use smtp_proto_blocking::{Client, Envelope, Outcome};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("lmtp://localhost".into());
    let mut client = Client::connect(url)?;
    let envelope = Envelope::new("alice@example.net")?
        .to("bob@example.org")?
        .to("carol@example.org")?;
    let report = client.send(&envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    for (recipient, outcome) in envelope.recipients().iter().zip(&report.recipients) {
        let is_stored = matches!(outcome, Outcome::Delivered(_));
        println!(
            "{recipient}: {}",
            if is_stored { "stored" } else { "not stored" }
        );
    }
    client.quit()?;
    Ok(())
}
