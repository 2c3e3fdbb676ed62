//! A message whose acknowledgement is lost comes again, and is stored once (RFC 1047,
//! RFC 5321 6.1), with what it asks for: what the example's handler does.
#![cfg(all(feature = "auth", feature = "rustls"))]

#[path = "../examples/maildir_handler/mod.rs"]
mod maildir_handler;
mod support;

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use maildir_handler::MaildirHandler;
use smtp_proto::{
    machine::Dialect,
    syntax::{Capabilities, Extension},
};
use smtp_proto_blocking::{Client, Server};
use smtp_proto_example_support::{Duplicates, Inbox, Maildir, MessageName, TemporaryDirectory};

use support::{ask, client_config, envelope, hello, read_line, run_with, server_config};

const CONTENT: &str = "Subject: x\r\n\r\nHello.\r\n";

const KEPT: &str = "X-Envelope-From: <a@b.example> RET=HDRS ENVID=e1\r\n\
    X-Envelope-To: <c@d.example> NOTIFY=NEVER\r\n\
    X-Envelope-To: <e@f.example>\r\n\
    Subject: x\r\n";

struct Place {
    maildir: Arc<Maildir>,
    duplicates: Arc<Duplicates<MessageName>>,
    address: SocketAddr,
    dialect: Dialect,
}

impl Place {
    fn stored(&self) -> usize {
        self.maildir.messages().unwrap().len()
    }

    /// Sends a message, and cuts the connection before the reply to it is read.
    fn send_and_cut(&self) {
        let (before, lost) = (self.stored(), self.duplicates.lost());
        let mut stream = TcpStream::connect(self.address).unwrap();
        let hello = match self.dialect {
            Dialect::Smtp => "EHLO client.example\r\n",
            Dialect::Lmtp => "LHLO client.example\r\n",
        };
        let envelope =
            "MAIL FROM:<sender@client.example>\r\nRCPT TO:<a@server.example>\r\nDATA\r\n";
        for (awaited, sent) in [
            ("220 ", hello),
            ("250 ", envelope),
            ("354 ", &format!("{CONTENT}.\r\n")),
        ] {
            while !read_line(&mut stream).starts_with(awaited) {}
            stream.write_all(sent.as_bytes()).unwrap();
        }
        while self.stored() == before {
            thread::sleep(Duration::from_millis(1));
        }
        drop(stream);
        while self.duplicates.lost() == lost {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn send_and_quit(&self) {
        let config = client_config().dialect(self.dialect);
        let mut client = Client::builder(config)
            .server(self.address)
            .connect()
            .unwrap();
        let report = client.send(envelope(&["a"]), CONTENT).unwrap();
        assert!(report.is_delivered(), "{report:?}");
        client.quit().unwrap();
    }
}

#[test]
fn a_message_whose_acknowledgement_was_lost_is_stored_once() {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let directory = TemporaryDirectory::new().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let duplicates = Arc::new(Duplicates::new(Duration::from_secs(600)));
        let inbox = Inbox::new(Some(Arc::clone(&maildir)));
        let handler = Arc::new(MaildirHandler(inbox.recognising(Arc::clone(&duplicates))));
        let server = Server::bind("127.0.0.1:0", server_config().dialect(dialect)).unwrap();
        run_with(server, &handler, |address| {
            let place = Place {
                maildir,
                duplicates,
                address,
                dialect,
            };
            place.send_and_cut();
            place.send_and_quit();
            assert_eq!(place.stored(), 1, "{dialect:?}");
            assert_eq!(place.maildir.messages().unwrap(), [CONTENT.as_bytes()]);
            // The client knows now: what it sends from here on it means.
            place.send_and_quit();
            assert_eq!(place.stored(), 2, "{dialect:?}");
            place.send_and_quit();
            assert_eq!(place.stored(), 3, "{dialect:?}");
        });
    }
}

/// 3461-4: whoever delivers the message has to know what it asks for of notifications.
#[test]
fn requests_for_notifications_are_kept() {
    let directory = TemporaryDirectory::new().unwrap();
    let maildir = Maildir::open(directory.path()).unwrap();
    let handler = Arc::new(MaildirHandler(Inbox::new(Some(Arc::clone(&maildir)))));
    let offer = Capabilities::new().with(Extension::Dsn);
    let server = Server::bind("127.0.0.1:0", server_config().offer(offer)).unwrap();
    run_with(server, &handler, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        hello(&mut stream);
        for (command, code) in [
            ("MAIL FROM:<a@b.example> RET=HDRS ENVID=e1\r\n", "250 "),
            ("RCPT TO:<c@d.example> NOTIFY=NEVER\r\n", "250 "),
            ("RCPT TO:<e@f.example>\r\n", "250 "),
            ("DATA\r\n", "354 "),
            ("Subject: x\r\n.\r\n", "250 "),
        ] {
            assert_eq!(&ask(&mut stream, command)[..4], code);
        }
    });
    let stored = maildir.messages().unwrap();
    let stored: Vec<_> = stored
        .iter()
        .map(|it| String::from_utf8_lossy(it))
        .collect();
    assert_eq!(stored, [KEPT]);
}
