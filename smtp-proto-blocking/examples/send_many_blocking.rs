//! Sends many message files over one connection, as fast as the server allows:
//! `cargo run --example send_many_blocking smtp://127.0.0.1:2525 *.eml`

use smtp_proto_blocking::{Body, Client, Envelope, Error, Pipelining, client::Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;

    // A stream's price is its window: when the connection dies, so many messages are in doubt.
    let stream = Pipelining::Stream { window: 100 };
    let options = Options::at(url)?.configure(|config| config.pipelining(stream));
    let mut client = Client::connect(options)?;
    // Files are opened as their turn comes.
    let messages = arguments.map(|file| Body::open(file).map(|body| (&envelope, body)));
    for report in client.send_all(messages) {
        match report {
            Ok(report) => println!("{}: {}", report.message.index(), report.outcome),
            Err(error @ (Error::Source(_) | Error::Misuse(_))) => println!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    client.quit()?;
    Ok(())
}
