//! Sends many message files over one connection, as fast as the server allows:
//! `cargo run --example send_many smtp://127.0.0.1:2525 *.eml`

use std::fs::File;

use smtp_proto_tokio::{Client, Envelope, Error, Pipelining, client::Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;

    // A stream's price is its window: when the connection dies, so many messages are in doubt.
    let stream = Pipelining::Stream { window: 100 };
    let options = Options::at(url)?.configure(|config| config.pipelining(stream));
    let mut client = Client::connect(options).await?;
    // Files are opened as their turn comes. (A `Stream` would do it without blocking.)
    let messages = arguments.map(|file| File::open(file).map(|file| (&envelope, file)));
    let mut sending = client.send_all(messages);
    loop {
        match sending.next().await {
            Ok(None) => break,
            Ok(Some(report)) => println!("{}: {}", report.message.index(), report.outcome),
            Err(error @ (Error::Source(_) | Error::Misuse(_))) => println!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    client.quit().await?;
    Ok(())
}
