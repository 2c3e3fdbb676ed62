//! LMTP: one verdict for each recipient.

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{self, Outcome, Pipelining},
    machine::Dialect,
    server::{self, Certainty},
};
use smtp_proto_tokio::{
    Client, Server,
    client::Options,
    server::{
        Deliveries, Envelope, Handler, Notice, Recipient, Refusal, Session, Shutdown, Sink,
        Transaction, Verdict, accept, refuse, serve_connection,
    },
};
use support::{client_config, content, envelope, exchange, introduce, server_config};
use tokio::{sync::Notify, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);
const TAKEN: &str = "250 2.0.0 Message accepted\r\n";
const FULL: &str = "452 4.2.2 Mailbox full\r\n";

/// Has a mailbox for everybody but `nobody`.
#[derive(Clone, Default)]
struct Mailboxes {
    delivered: Arc<Mutex<Vec<String>>>,
    acknowledged: Arc<Mutex<Vec<(usize, Certainty)>>>,
    go_on: Arc<Notify>,
}

impl Handler for Mailboxes {
    type Sink = Delivery;

    async fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        match recipient.path.to_string().as_str() {
            "<nobody@example.net>" => Err(refuse!("550 No such mailbox")),
            _ => accept(),
        }
    }

    async fn content(&self, _: &Session, envelope: Envelope) -> Result<Delivery, Refusal> {
        Ok(Delivery {
            mailboxes: self.clone(),
            envelope,
        })
    }

    fn notice(&self, _: &Session, notice: &Notice<'_>) {
        if let Notice::Acknowledged {
            recipient: Some(recipient),
            certainty,
            ..
        } = notice
        {
            let mut acknowledged = self.acknowledged.lock().unwrap();
            acknowledged.push((*recipient, *certainty));
        }
    }
}

struct Delivery {
    mailboxes: Mailboxes,
    envelope: Envelope,
}

impl Sink for Delivery {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.starts_with(b"virus") {
            return Err(refuse!("554 5.6.0 No viruses here"));
        }
        Ok(())
    }

    async fn finish(self) -> Verdict {
        panic!("LMTP has one verdict for each recipient")
    }

    async fn deliver(self, mut deliveries: Deliveries) {
        assert_eq!(deliveries.count(), self.envelope.recipients.len());
        for (index, accepted) in self.envelope.recipients.iter().enumerate() {
            let path = accepted.recipient.path.to_string();
            match path.as_str() {
                "<full@example.net>" => {
                    deliveries.decide(index, Err(refuse!("452 4.2.2 Mailbox full")));
                }
                "<slow@example.net>" => {
                    self.mailboxes.go_on.notified().await;
                    deliveries.decide(index, accept());
                }
                "<forgotten@example.net>" => {}
                "<panic@example.net>" => panic!("a recipient to panic at"),
                _ => {
                    deliveries.decide(index, accept());
                    // What was decided stays so.
                    deliveries.decide(index, Err(refuse!("452 4.2.2 Mailbox full")));
                    self.mailboxes.delivered.lock().unwrap().push(path);
                }
            }
        }
    }
}

fn lmtp_server() -> server::Config {
    server_config().dialect(Dialect::Lmtp)
}

fn lmtp_client() -> client::Config {
    client_config(Pipelining::LookAhead).dialect(Dialect::Lmtp)
}

/// Sends a message to three recipients, and returns what became of it for each.
async fn send_to_three(client: &mut Client) -> Report {
    let recipients = [
        "<a@example.net>",
        "<nobody@example.net>",
        "<full@example.net>",
    ];
    let envelope = envelope(&recipients);
    let sent = client.send(&envelope, content(0));
    timeout(PATIENCE, sent).await.unwrap().unwrap()
}

fn assert_three_outcomes(report: &Report) {
    let [
        Outcome::Delivered(taken),
        Outcome::Refused(unknown),
        Outcome::Refused(full),
    ] = report.recipients.as_slice()
    else {
        panic!("{report:?}");
    };
    assert_eq!(taken.as_bytes(), TAKEN.as_bytes());
    assert_eq!(unknown.reply.as_bytes(), b"550 5.0.0 No such mailbox\r\n");
    assert_eq!(full.reply.as_bytes(), FULL.as_bytes());
    assert!(
        matches!(report.outcome, Outcome::Delivered(_)),
        "{report:?}"
    );
}

/// 2033-4.2-b, 2033-4.2-d
#[tokio::test]
async fn three_recipients_have_three_outcomes_over_tcp() {
    let mailboxes = Mailboxes::default();
    let server = Server::bind("127.0.0.1:0", lmtp_server()).await.unwrap();
    let address = server.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(server.serve_until(mailboxes.clone(), shutdown.clone()));
    let mut client = Client::connect(Options::new(lmtp_client()).server(address))
        .await
        .unwrap();
    for _ in 0..3 {
        assert_three_outcomes(&send_to_three(&mut client).await);
    }
    client.quit().await.unwrap();
    shutdown.begin();
    timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert_eq!(*mailboxes.delivered.lock().unwrap(), ["<a@example.net>"; 3]);
    let acknowledged = mailboxes.acknowledged.lock().unwrap();
    assert_eq!(acknowledged.len(), 3);
    let surely = |(recipient, certainty)| recipient == 0 && certainty >= Certainty::Probable;
    assert!(acknowledged.iter().copied().all(surely), "{acknowledged:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn three_recipients_have_three_outcomes_over_a_unix_socket() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lmtp.socket");
    let _ = std::fs::remove_file(&path);
    let server = Server::bind_unix(&path, lmtp_server()).unwrap();
    server.local_addr().unwrap_err();
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(server.serve_until(Mailboxes::default(), shutdown.clone()));
    let mut client = Client::connect(
        Options::new(lmtp_client())
            .server(smtp_proto::delivery::Server::unix(path.to_str().unwrap())),
    )
    .await
    .unwrap();
    assert_three_outcomes(&send_to_three(&mut client).await);
    client.quit().await.unwrap();
    shutdown.begin();
    timeout(PATIENCE, serving).await.unwrap().unwrap();
    std::fs::remove_file(&path).unwrap();
}

/// Says LHLO, names these recipients of a message, sends it up to its dot.
async fn send_by_hand(
    recipients: &[&str],
    content: &str,
) -> (
    tokio::io::DuplexStream,
    Mailboxes,
    tokio::task::JoinHandle<Result<(), smtp_proto_tokio::Error>>,
) {
    let (mut near, far) = tokio::io::duplex(4096);
    let mailboxes = Mailboxes::default();
    let handler = Arc::new(mailboxes.clone());
    let server = tokio::spawn(serve_connection(far, lmtp_server(), handler));
    exchange(&mut near, "", "220 mx.example.net LMTP\r\n").await;
    introduce(&mut near, "LHLO").await;
    exchange(
        &mut near,
        "MAIL FROM:<a@example.org>\r\n",
        "250 2.1.0 Sender OK\r\n",
    )
    .await;
    for recipient in recipients {
        let command = format!("RCPT TO:<{recipient}@example.net>\r\n");
        exchange(&mut near, &command, "250 2.1.5 Recipient OK\r\n").await;
    }
    let go = "354 End content with <CRLF>.<CRLF>\r\n";
    exchange(&mut near, "DATA\r\n", go).await;
    exchange(&mut near, &format!("{content}\r\n.\r\n"), "").await;
    (near, mailboxes, server)
}

/// 2033-5-c
#[tokio::test]
async fn verdicts_leave_as_soon_as_they_are_given() {
    let recipients = ["a", "full", "slow", "b"];
    let (mut stream, mailboxes, server) = send_by_hand(&recipients, "Hi").await;
    exchange(&mut stream, "", &format!("{TAKEN}{FULL}")).await;
    mailboxes.go_on.notify_one();
    exchange(&mut stream, "", &format!("{TAKEN}{TAKEN}")).await;
    exchange(&mut stream, "QUIT\r\n", "221 ").await;
    drop(stream);
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn whom_a_sink_leaves_out_is_answered_all_the_same() {
    const LOCAL: &str = "451 4.3.0 Local error in processing\r\n";
    for (recipients, replies) in [
        (&["forgotten", "a"][..], [LOCAL, TAKEN]),
        (&["a", "panic"], [TAKEN, LOCAL]),
    ] {
        let (mut stream, _, server) = send_by_hand(recipients, "Hi").await;
        exchange(&mut stream, "", &replies.concat()).await;
        exchange(&mut stream, "QUIT\r\n", "221 ").await;
        drop(stream);
        server.await.unwrap().unwrap();
    }
    // A sink that fails to take the content has refused it for all.
    let refused = "554 5.6.0 No viruses here\r\n";
    let (mut stream, _, server) = send_by_hand(&["a", "b"], "virus").await;
    exchange(&mut stream, "", &refused.repeat(2)).await;
    exchange(&mut stream, "QUIT\r\n", "221 ").await;
    drop(stream);
    server.await.unwrap().unwrap();
}

/// A sink that was written for SMTP serves LMTP, too.
#[tokio::test]
async fn one_verdict_serves_all_recipients() {
    let store = Arc::new(support::Store::default());
    let (near, far) = tokio::io::duplex(4096);
    let handler = Arc::new(support::Shared(Arc::clone(&store)));
    let server = tokio::spawn(serve_connection(far, lmtp_server(), handler));
    let mut client = Client::with_stream(near, lmtp_client()).unwrap();
    let recipients = ["<b1@example.net>", "<b2@example.net>", "<c@example.net>"];
    let report = client.send(&envelope(&recipients), content(0)).await;
    let report = report.unwrap();
    let [
        Outcome::Delivered(_),
        Outcome::Delivered(_),
        Outcome::Refused(_),
    ] = report.recipients.as_slice()
    else {
        panic!("{report:?}");
    };
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 1);
}

/// The connection is cut after the dot: verdicts that came stay, the others are in doubt.
#[tokio::test]
async fn the_connection_dies_between_two_verdicts() {
    let (near, far) = tokio::io::duplex(4096);
    let server = support::script(
        far,
        &[
            ("", "220 x\r\n"),
            ("LHLO", "250-x\r\n250 PIPELINING\r\n"),
            ("DATA", "250 a\r\n250 b\r\n250 c\r\n354 go\r\n"),
            ("\r\n.\r\n", "250 for b\r\n"),
        ],
    );
    let mut client = Client::with_stream(near, lmtp_client()).unwrap();
    let recipients = ["<b@example.net>", "<c@example.net>"];
    let report = client.send(&envelope(&recipients), content(0)).await;
    let recipients = report.unwrap().recipients;
    assert!(matches!(recipients[0], Outcome::Delivered(_)));
    assert_eq!(recipients[1], Outcome::InDoubt);
    server.await.unwrap();
}
