//! A message whose acknowledgement is lost comes again, and is stored once (RFC 1047,
//! RFC 5321 6.1): what `receive --dedup` does.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use smtp_proto::{machine::Dialect, server::Config, syntax::Host};
use smtp_proto_blocking::{Client, Envelope};
use smtp_proto_tokio::Server;
use smtp_proto_tools::receive::{Duplicates, Inbox, Maildir, MessageName};
use tokio::runtime::Runtime;

use crate::support::{Peer, wait_until};

struct Place {
    maildir: Arc<Maildir>,
    duplicates: Arc<Duplicates<MessageName>>,
    address: SocketAddr,
    dialect: Dialect,
    _runtime: Runtime,
}

impl Place {
    fn new(directory: &Path, dialect: Dialect) -> Self {
        let maildir = Maildir::open(directory).unwrap();
        let duplicates = Arc::new(Duplicates::new(Duration::from_secs(600)));
        let config = Config::new(Host::parse("mx.example").unwrap()).dialect(dialect);
        let inbox = Inbox::new(&config, Some(Arc::clone(&maildir)));
        let inbox = inbox.recognising(Arc::clone(&duplicates));
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(Server::bind("127.0.0.1:0", config))
            .unwrap();
        let address = server.local_addr().unwrap();
        runtime.spawn(server.serve(inbox));
        Self {
            maildir,
            duplicates,
            address,
            dialect,
            _runtime: runtime,
        }
    }

    fn stored(&self) -> usize {
        self.maildir.messages().unwrap().len()
    }

    /// Sends a message, and cuts the connection before the reply to it is read.
    fn send_and_cut(&self) {
        let (before, lost) = (self.stored(), self.duplicates.lost());
        let mut peer = Peer::connect(self.address);
        peer.reply();
        peer.expect(
            match self.dialect {
                Dialect::Smtp => "EHLO c.example",
                Dialect::Lmtp => "LHLO c.example",
            },
            "250",
        );
        peer.expect("MAIL FROM:<a@x.example>", "250");
        peer.expect("RCPT TO:<b@y.example>", "250");
        peer.expect("DATA", "354");
        peer.say("Hello.\r\n.");
        wait_until(|| self.stored() > before);
        drop(peer);
        wait_until(|| self.duplicates.lost() > lost);
    }

    fn send_and_quit(&self) {
        let scheme = match self.dialect {
            Dialect::Smtp => "smtp",
            Dialect::Lmtp => "lmtp",
        };
        let mut client = Client::connect(format!("{scheme}://{}", self.address)).unwrap();
        let envelope = Envelope::new("a@x.example").unwrap().to("b@y.example");
        let report = client.send(envelope.unwrap(), "Hello.\r\n").unwrap();
        assert!(report.is_delivered(), "{report:?}");
        client.quit().unwrap();
    }
}

#[test]
fn a_message_whose_acknowledgement_was_lost_is_stored_once() {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path(), dialect);
        place.send_and_cut();
        place.send_and_quit();
        assert_eq!(place.stored(), 1, "{dialect:?}");
        // The client knows now: what it sends from here on it means.
        place.send_and_quit();
        assert_eq!(place.stored(), 2, "{dialect:?}");
        place.send_and_quit();
        assert_eq!(place.stored(), 3, "{dialect:?}");
    }
}
