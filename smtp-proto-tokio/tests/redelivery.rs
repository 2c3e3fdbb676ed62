//! A message whose acknowledgement is lost comes again, and is stored once (RFC 1047,
//! RFC 5321 6.1): what the example's handler does.
#![cfg(all(feature = "auth", feature = "rustls"))]

#[path = "../examples/maildir_handler/mod.rs"]
mod maildir_handler;
mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use maildir_handler::{MaildirHandler, MessageName};
use smtp_proto::{client::Pipelining, machine::Dialect};
use smtp_proto_example_support::{Duplicates, Maildir, Reception, TemporaryDirectory};
use smtp_proto_tokio::{Client, Server};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::sleep,
};

use support::{client_config, content, is_delivered, one, server_config};

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
        let reception = Reception::new(Some(Arc::clone(&maildir)));
        let reception = reception.recognising(Arc::clone(&duplicates));
        tokio::spawn(server.serve(MaildirHandler::new(reception)));
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
        let octets = String::from_utf8(content(0)).unwrap();
        let content = octets.replace("\r\n.", "\r\n..") + ".\r\n";
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
        let mut client = Client::connect(self.address, config).await.unwrap();
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
