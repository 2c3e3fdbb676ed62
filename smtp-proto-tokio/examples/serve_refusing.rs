//! Refuses what it can at each step, and remembers what it has found out from one to the next.

use std::collections::HashMap;

use smtp_proto_tokio::server::{
    Config, Envelope, Handler, Host, Recipient, Refusal, Sender, Server, Session, Sink,
    Transaction, Verdict, accept, refuse,
};

/// Nothing of connections, whether the sender is a stranger, each recipient's mailbox.
type Remembered = ((), bool, u64);

struct Mailboxes(HashMap<String, u64>);

struct Delivery {
    envelope: Envelope<Remembered>,
    bytes: usize,
}

impl Handler<Remembered> for Mailboxes {
    type Sink = Delivery;

    async fn connected(&self, session: &Session<Remembered>) -> Verdict {
        match session.peer() {
            Some(peer) if !peer.ip().is_loopback() => Err(refuse!("554 5.7.1 From here only")),
            _ => accept(),
        }
    }

    async fn mail(&self, _: &Session<Remembered>, sender: &Sender) -> Verdict<bool> {
        match sender.parameters.size {
            Some(1_000_000..) => Err(refuse!("552 5.3.4 Too large for us")),
            _ => Ok((!self.0.contains_key(&sender.path.to_string())).into()),
        }
    }

    async fn recipient(
        &self,
        _: &Session<Remembered>,
        transaction: &Transaction<Remembered>,
        recipient: &Recipient,
    ) -> Verdict<u64> {
        match self.0.get(&recipient.path.to_string()) {
            Some(2) if transaction.state => Err(refuse!("550 5.7.1 Not from strangers")),
            Some(mailbox) => Ok((*mailbox).into()),
            None => Err(refuse!("550 5.1.1 No such mailbox")),
        }
    }

    async fn content(
        &self,
        _: &Session<Remembered>,
        envelope: Envelope<Remembered>,
    ) -> Result<Delivery, Refusal> {
        Ok(Delivery { envelope, bytes: 0 })
    }
}

impl Sink for Delivery {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len();
        match bytes.windows(6).any(|it| it == b"EICAR-") {
            true => Err(refuse!("554 5.7.0 No viruses here")),
            false => Ok(()),
        }
    }

    async fn finish(self) -> Verdict {
        for accepted in self.envelope.recipients {
            println!("{} bytes for mailbox {}", self.bytes, accepted.state);
        }
        accept()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mailboxes = [
        ("<a@example.org>".to_owned(), 1),
        ("<b@example.org>".to_owned(), 2),
    ];
    let config = Config::new(Host::parse("mx.example.org")?);
    Server::bind("127.0.0.1:2525", config)
        .await?
        .serve(Mailboxes(mailboxes.into()))
        .await;
    Ok(())
}
