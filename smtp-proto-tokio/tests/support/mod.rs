//! What the tests share: messages, and servers.
#![allow(dead_code, reason = "each test binary uses its part")]

#[cfg(feature = "rustls")]
pub(crate) mod tls;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{self, Envelope, Outcome, Pipelining},
    server::{self, Certainty, Reason},
    syntax::{Code, ForwardPath, Host, Reply},
};
use smtp_proto_tokio::{
    Client,
    server::{
        self as adapter, Accept, Handler, Notice, Recipient, Refusal, Session, Sink, Tally,
        Transaction, Verdict, accept, refuse,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
    time::sleep,
};

pub(crate) const POLICIES: [Pipelining; 4] = [
    Pipelining::LockStep,
    Pipelining::Group,
    Pipelining::LookAhead,
    Pipelining::Stream { window: 100 },
];

pub(crate) fn client_config(pipelining: Pipelining) -> client::Config {
    client::Config::new(Host::parse("client.example").unwrap()).pipelining(pipelining)
}

pub(crate) fn server_config() -> server::Config {
    server::Config::new(Host::parse("mx.example.net").unwrap())
}

pub(crate) fn envelope(recipients: &[&str]) -> Envelope<'static> {
    recipients.iter().fold(
        Envelope::new("a@example.org").unwrap(),
        |envelope, recipient| {
            envelope.recipient(ForwardPath::parse(recipient).unwrap().into_owned())
        },
    )
}

pub(crate) fn one() -> Envelope<'static> {
    envelope(&["<b@example.net>"])
}

pub(crate) fn content(index: usize) -> Vec<u8> {
    format!("Subject: {index}\r\n\r\n.dots\r\n..and more\r\n").into_bytes()
}

pub(crate) fn is_delivered(report: &Report) -> bool {
    matches!(report.outcome, Outcome::Delivered(_))
}

pub(crate) fn in_doubt(reports: &[Report]) -> usize {
    let doubts = |report: &&Report| report.outcome == Outcome::InDoubt;
    reports.iter().filter(doubts).count()
}

/// Takes reports until there are no more, or an error.
pub(crate) async fn drain(
    client: &mut Client,
) -> (Vec<Report>, Result<(), smtp_proto_tokio::Error>) {
    let mut reports = Vec::new();
    loop {
        match client.next_report().await {
            Ok(Some(report)) => reports.push(report),
            Ok(None) => return (reports, Ok(())),
            Err(error) => return (reports, Err(error)),
        }
    }
}

/// Takes everything for `b*@example.net`, and keeps account.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub messages: Mutex<Vec<Stored>>,
    pub resets: Mutex<Vec<Reason>>,
    pub acknowledged: Mutex<Vec<Certainty>>,
    pub expired: Mutex<usize>,
    pub closed: Mutex<Vec<Result<(), String>>>,
    /// How long each recipient is looked up, each byte of content and each message is stored.
    pub lookup: Duration,
    pub write: Duration,
    pub commit: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub recipients: Vec<String>,
    pub content: Vec<u8>,
}

/// A handler is shared with the test.
pub(crate) struct Shared(pub Arc<Store>);

impl Handler for Shared {
    type Sink = StoreSink;

    async fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        if !self.0.lookup.is_zero() {
            sleep(self.0.lookup).await;
        }
        let path = recipient.path.to_string();
        if path.contains("panic") {
            panic!("a recipient that makes the handler panic");
        }
        if path.contains("absurd") {
            let reply = Reply::new(Code::CLOSING, "This answers QUIT alone").unwrap();
            return Ok(Accept::with(()).reply(reply));
        }
        if path.starts_with("<b") {
            return accept();
        }
        Err(refuse!("550 No such mailbox"))
    }

    async fn content(
        &self,
        _: &Session,
        envelope: adapter::Envelope,
    ) -> Result<StoreSink, Refusal> {
        let recipients = envelope.recipients.iter();
        Ok(StoreSink {
            store: Arc::clone(&self.0),
            stored: Stored {
                recipients: recipients.map(|to| to.recipient.path.to_string()).collect(),
                content: Vec::new(),
            },
        })
    }

    fn notice(&self, _: &Session, notice: &Notice<'_>) {
        match notice {
            Notice::Reset { reason, .. } => self.0.resets.lock().unwrap().push(*reason),
            Notice::Acknowledged { certainty, .. } => {
                self.0.acknowledged.lock().unwrap().push(*certainty);
            }
            Notice::Expired { .. } => *self.0.expired.lock().unwrap() += 1,
            _ => {}
        }
    }

    fn closed(&self, _: &Session, result: Result<(), &smtp_proto_tokio::Error>, _: &Tally) {
        let result = result.map_err(ToString::to_string);
        self.0.closed.lock().unwrap().push(result);
    }
}

pub(crate) struct StoreSink {
    store: Arc<Store>,
    stored: Stored,
}

impl Sink for StoreSink {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if !self.store.write.is_zero() {
            sleep(self.store.write).await;
        }
        if bytes.windows(5).any(|window| window == b"virus") {
            return Err(refuse!("554 No viruses here"));
        }
        self.stored.content.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Verdict {
        if !self.store.commit.is_zero() {
            sleep(self.store.commit).await;
        }
        self.store.messages.lock().unwrap().push(self.stored);
        accept()
    }
}

/// Reads until there is nothing more to come.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    String::from_utf8(received).unwrap()
}

/// Writes `request` and reads as many bytes as `reply` has, which they must be.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
    reply: &str,
) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = vec![0; reply.len()];
    let mut filled = 0;
    while filled < received.len() {
        let read = stream.read(&mut received[filled..]).await.unwrap();
        filled += read;
        let so_far = String::from_utf8_lossy(&received[..filled]);
        assert!(read > 0 && reply.starts_with(&*so_far), "{so_far}");
    }
}

/// Takes the greeting and the answer to EHLO.
pub(crate) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    exchange(stream, "", "220 mx.example.net ESMTP\r\n").await;
    introduce(stream, "EHLO").await;
}

/// Takes the answer to EHLO or LHLO, and returns it.
pub(crate) async fn introduce(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    verb: &str,
) -> String {
    let command = format!("{verb} client.example\r\n");
    stream.write_all(command.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n") || !received.windows(5).any(|it| it == b"\n250 ") {
        received.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(received).unwrap()
}

/// Sends one message in a group, as far as the go-ahead to its content.
pub(crate) async fn begin_message(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    exchange(
        stream,
        "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n",
    )
    .await;
}

/// Serves one connection of memory with buffers of so many bytes.
pub(crate) fn serve(
    store: &Arc<Store>,
    buffer: usize,
) -> (
    DuplexStream,
    JoinHandle<Result<(), smtp_proto_tokio::Error>>,
) {
    let (near, far) = tokio::io::duplex(buffer);
    let handler = Arc::new(Shared(Arc::clone(store)));
    let task = tokio::spawn(adapter::serve_connection(far, server_config(), handler));
    (near, task)
}

/// Answers `replies` as soon as what comes contains, one after the other, the bytes given with
/// them, and then closes the connection.
pub(crate) fn script(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    dialogue: &'static [(&'static str, &'static str)],
) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let (mut received, mut matched) = (Vec::new(), 0);
        for (awaited, reply) in dialogue {
            loop {
                let text = String::from_utf8_lossy(&received[matched..]).into_owned();
                if let Some(at) = text.find(awaited) {
                    matched += at + awaited.len();
                    break;
                }
                assert_ne!(
                    stream.read_buf(&mut received).await.unwrap(),
                    0,
                    "{awaited} never came"
                );
            }
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
        received
    })
}
