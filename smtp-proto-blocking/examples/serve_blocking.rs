//! Takes messages for example.org and shows them.

use smtp_proto_blocking::server::{
    Config, Envelope, Handler, Host, InMemory, Recipient, Refusal, Server, Session, Transaction,
    Verdict, accept, refuse,
};

struct Inbox;

impl Handler for Inbox {
    type Sink = InMemory;

    fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        match recipient.path.is_of("example.org") {
            true => accept(),
            false => Err(refuse!("550 5.7.1 No relaying")),
        }
    }

    fn content(&self, _: &Session, envelope: Envelope) -> Result<InMemory, Refusal> {
        Ok(InMemory::then(move |content| {
            println!("{}: {}", envelope.sender.path, content.escape_ascii());
            accept()
        }))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::new(Host::parse("mx.example.org")?);
    let server = Server::bind("127.0.0.1:2525", config)?;
    server.serve(Inbox);
    Ok(())
}
