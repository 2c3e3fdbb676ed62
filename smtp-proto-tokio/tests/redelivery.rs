//! A message whose acknowledgement is lost comes again, and is stored once (RFC 1047,
//! RFC 5321 6.1), with what it asks for: what the example's handler does.
#![cfg(all(feature = "auth", feature = "rustls"))]

#[path = "../examples/maildir_handler/mod.rs"]
mod maildir_handler;
mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use maildir_handler::MaildirHandler;
use smtp_proto::{
    client::Pipelining,
    machine::Dialect,
    syntax::{Capabilities, Extension},
};
use smtp_proto_example_support::{Duplicates, Inbox, Maildir, MessageName, TemporaryDirectory};
use smtp_proto_tokio::{Client, Server, server::serve_connection};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::sleep,
};

use support::{client_config, content, exchange, greet, is_delivered, one, server_config};

const KEPT: &str = "X-Envelope-From: <a@b.example> RET=HDRS ENVID=e1\r\n\
    X-Envelope-To: <c@d.example> NOTIFY=NEVER\r\n\
    X-Envelope-To: <e@f.example>\r\n\
    Subject: x\r\n";

struct Place {
    _directory: TemporaryDirectory,
    maildir: Arc<Maildir>,
    duplicates: Arc<Duplicates<MessageName>>,
    address: SocketAddr,
    dialect: Dialect,
}

impl Place {
    async fn new(dialect: Dialect) -> Self {
        let directory = TemporaryDirectory::new().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let duplicates = Arc::new(Duplicates::new(Duration::from_secs(600)));
        let config = server_config().dialect(dialect);
        let server = Server::bind("127.0.0.1:0", config).await.unwrap();
        let address = server.local_addr().unwrap();
        let reception = Inbox::new(Some(Arc::clone(&maildir)));
        let reception = reception.recognising(Arc::clone(&duplicates));
        tokio::spawn(server.serve(MaildirHandler(reception)));
        Self {
            _directory: directory,
            maildir,
            duplicates,
            address,
            dialect,
        }
    }

    fn stored(&self) -> usize {
        self.maildir.messages().unwrap().len()
    }

    /// Sends a message, and cuts the connection before the reply to it is read.
    async fn send_and_cut(&self) {
        let (before, lost) = (self.stored(), self.duplicates.lost());
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut stream = BufReader::new(stream);
        let hello = match self.dialect {
            Dialect::Smtp => "EHLO client.example\r\n",
            Dialect::Lmtp => "LHLO client.example\r\n",
        };
        let bytes = String::from_utf8(content(0)).unwrap();
        let content = bytes.replace("\r\n.", "\r\n..") + ".\r\n";
        for (awaited, sent) in [
            ("220 ", hello),
            (
                "250 ",
                "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
            ),
            ("354 ", &content),
        ] {
            let mut line = String::new();
            while !line.starts_with(awaited) {
                line.clear();
                assert_ne!(stream.read_line(&mut line).await.unwrap(), 0);
            }
            stream.write_all(sent.as_bytes()).await.unwrap();
        }
        while self.stored() == before {
            sleep(Duration::from_millis(1)).await;
        }
        drop(stream);
        while self.duplicates.lost() == lost {
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn send_and_quit(&self) {
        let config = client_config(Pipelining::LookAhead).dialect(self.dialect);
        let mut client = Client::builder(config)
            .server(self.address)
            .connect()
            .await
            .unwrap();
        let report = client.send(&one(), content(0)).await.unwrap();
        assert!(is_delivered(&report), "{report:?}");
        client.quit().await.unwrap();
    }
}

#[tokio::test]
async fn a_message_whose_acknowledgement_was_lost_is_stored_once() {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let place = Place::new(dialect).await;
        place.send_and_cut().await;
        place.send_and_quit().await;
        assert_eq!(place.stored(), 1, "{dialect:?}");
        assert_eq!(place.maildir.messages().unwrap(), [content(0)]);
        // The client knows now: what it sends from here on it means.
        place.send_and_quit().await;
        assert_eq!(place.stored(), 2, "{dialect:?}");
        place.send_and_quit().await;
        assert_eq!(place.stored(), 3, "{dialect:?}");
    }
}

/// 3461-4: whoever delivers the message has to know what it asks for of notifications.
#[tokio::test]
async fn requests_for_notifications_are_kept() {
    let directory = TemporaryDirectory::new().unwrap();
    let maildir = Maildir::open(directory.path()).unwrap();
    let handler = MaildirHandler(Inbox::new(Some(Arc::clone(&maildir))));
    let (mut stream, far) = tokio::io::duplex(4096);
    let offer = Capabilities::new()
        .with(Extension::Dsn)
        .with(Extension::EnhancedStatusCodes);
    let config = server_config().offer(offer);
    tokio::spawn(serve_connection(far, config, Arc::new(handler)));
    greet(&mut stream).await;
    let recipient = "250 2.1.5 Recipient OK\r\n";
    for (command, reply) in [
        (
            "MAIL FROM:<a@b.example> RET=HDRS ENVID=e1\r\n",
            "250 2.1.0 Sender OK\r\n",
        ),
        ("RCPT TO:<c@d.example> NOTIFY=NEVER\r\n", recipient),
        ("RCPT TO:<e@f.example>\r\n", recipient),
        ("DATA\r\n", "354 End content with <CRLF>.<CRLF>\r\n"),
        ("Subject: x\r\n.\r\n", "250 2.0.0 Message accepted\r\n"),
    ] {
        exchange(&mut stream, command, reply).await;
    }
    let stored = maildir.messages().unwrap();
    let stored: Vec<_> = stored
        .iter()
        .map(|it| String::from_utf8_lossy(it))
        .collect();
    assert_eq!(stored, [KEPT]);
}
