//! Takes messages for example.org and shows them.

use smtp_proto_tokio::server::{
    Config, Envelope, Handler, Host, InMemory, Recipient, Refusal, Server, Session, Transaction,
    Verdict, accept, refuse,
};

struct Inbox;

impl Handler for Inbox {
    type Sink = InMemory;

    async fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        match recipient.path.is_of("example.org") {
            true => accept(),
            false => Err(refuse!("550 5.7.1 No relaying")),
        }
    }

    async fn content(&self, _: &Session, envelope: Envelope) -> Result<InMemory, Refusal> {
        Ok(InMemory::then(async move |content| {
            println!("{}: {}", envelope.sender.path, content.escape_ascii());
            accept()
        }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::new(Host::parse("mx.example.org")?);
    let server = Server::bind("127.0.0.1:2525", config).await?;
    server.serve(Inbox).await;
    Ok(())
}
