//! Sends one message: `cargo run --example send_blocking smtp://127.0.0.1:2525`

use smtp_proto_blocking::{Client, Envelope};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("smtp://localhost".into());
    let mut client = Client::connect(url)?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let report = client.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    println!("delivered: {}", report.is_delivered());
    client.quit()?;
    Ok(())
}
