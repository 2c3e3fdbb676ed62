//! Submits a message file, with a password and over TLS with a server that is verified:
//! `cargo run --example submit_blocking smtps://alice:secret@submit.example.net message.eml`

use smtp_proto_blocking::{Body, Client, Envelope};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let file = arguments.next().ok_or("which file?")?;

    let mut client = Client::connect(url)?;
    let envelope = Envelope::new("alice@example.net")?
        .to("bob@example.org")?
        .to("carol@example.com")?;
    let report = client.send(&envelope, Body::open(file)?)?;
    for (recipient, outcome) in envelope.recipients().iter().zip(&report.recipients) {
        println!("{recipient}: {outcome}");
    }
    client.quit()?;
    Ok(())
}
