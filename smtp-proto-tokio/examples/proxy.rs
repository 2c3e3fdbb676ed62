//! Passes mail on to the next server while it comes in, and answers what that server answers:
//! `cargo run --example proxy '[::1]:2525' smtp://mx.example.net`

use std::{sync::Arc, time::Duration};

use smtp_proto_tokio::client::{Body, BodySender, Client};
use smtp_proto_tokio::smtp_proto::syntax::{Capabilities, Extension::*};
use smtp_proto_tokio::smtp_proto::{client, client::MessageId};
use smtp_proto_tokio::{Error, Report, server::*};
use tokio::{sync::Mutex, task::JoinHandle};

/// The next server's URL.
pub(crate) struct Proxy(pub(crate) String);

/// The connection to the next server while no message is on its way by it, and such a message.
type Remembered = (Arc<Spare>, Option<Begun>, ());
type Spare = Mutex<Option<Client>>;
type Begun = Mutex<(Client, MessageId)>;

/// A message that is on its way, and what becomes of it.
pub(crate) struct Passing {
    content: BodySender,
    report: JoinHandle<Result<Report, Error>>,
}

fn failed(error: Error) -> Refusal {
    error.relayed().into()
}

impl Proxy {
    async fn connect(&self, session: &Session<Remembered>) -> Result<Client, Refusal> {
        if let Some(mut client) = session.state().lock().await.take()
            && client.check().await.is_ok()
        {
            return Ok(client);
        }
        Client::connect(&*self.0).await.map_err(failed)
    }
}

impl Handler<Remembered> for Proxy {
    type Sink = Passing;

    /// Offers what the next server offers, as far as it is for messages.
    async fn hello(&self, session: &Session<Remembered>) -> Verdict {
        let client = self.connect(session).await?;
        let mut offer = Capabilities::new().with(Pipelining).with(Chunking);
        for extension in [
            EightBitMime,
            BinaryMime,
            Dsn,
            EnhancedStatusCodes,
            Size,
            SmtpUtf8,
        ] {
            if client.capabilities().has(extension) {
                offer = offer.with(extension);
            }
        }
        *session.state().lock().await = Some(client);
        Ok(Accept::with(()).offer(offer))
    }

    /// A sender that the next server refuses is refused at its recipients.
    async fn mail(&self, session: &Session<Remembered>, from: &Sender) -> Verdict<Option<Begun>> {
        let mut client = self.connect(session).await?;
        let Ok(envelope) = client::Envelope::new(from.path.clone());
        let message = client.begin(envelope.parameters(from.parameters.clone()));
        let message = message.map_err(failed)?;
        Ok(Some(Mutex::new((client, message))).into())
    }

    async fn recipient(
        &self,
        _: &Session<Remembered>,
        transaction: &Transaction<Remembered>,
        recipient: &Recipient,
    ) -> Verdict {
        let begun = transaction.state.as_ref();
        let mut begun = begun.ok_or_else(Refusal::local_error)?.lock().await;
        let (client, message) = &mut *begun;
        let parameters = Some(&recipient.parameters);
        let reply = client.add_recipient(*message, recipient.path.clone(), parameters);
        pass_on(reply.await.map_err(failed)?)
    }

    async fn content(
        &self,
        session: &Session<Remembered>,
        envelope: Envelope<Remembered>,
    ) -> Result<Passing, Refusal> {
        let begun = envelope.state.ok_or_else(Refusal::local_error)?;
        let (mut client, message) = begun.into_inner();
        let (content, body) = Body::channel();
        let spare = Arc::clone(session.state());
        let report = tokio::spawn(async move {
            let report = client.end(message, body).await;
            *spare.lock().await = Some(client);
            report
        });
        Ok(Passing { content, report })
    }
}

/// Dropped before its end it keeps the message from being sent: its content is not finished.
impl Sink for Passing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        // It fails if the next server has refused already: the report will tell.
        let _ = self.content.send(bytes).await;
        Ok(())
    }

    async fn finish(self) -> Verdict {
        let _ = self.content.finish().await;
        let report = self.report.await.map_err(|_| Refusal::local_error())?;
        pass_on(report.map_err(failed)?.outcome.relayed())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("which address?")?;
    let next = arguments.next().ok_or("which server is the next?")?;
    // The next server may take ten minutes to answer (RFC 5321 4.5.3.2.6).
    let config = Config::new(Host::parse("proxy.example.org")?)
        .max_message_size(10 << 30)
        .message_verdict_timeout(Duration::from_secs(11 * 60));
    let server = Server::bind(address, config).await?;
    server.serve(Proxy(next)).await;
    Ok(())
}
