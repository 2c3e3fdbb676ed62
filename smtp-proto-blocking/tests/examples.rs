//! The examples that are whole programs, by the text that both adapters share.
#![cfg(feature = "rustls")]

use std::{
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use smtp_proto_blocking::{
    Envelope, Outcome, Server,
    server::{self, Config, Handler, Host, InMemory, Options, Verdict, accept},
};
use smtp_proto_test_support::Pki;

#[path = "../../smtp-proto/tests/faces/outbound.rs"]
mod outbound;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/outbound_blocking.rs"]
mod outbound_example;

const KNOWN: &str = "hello client.example\ndomain example.org\n";

/// Runs the example, and returns what became of the recipients and what was said of the sessions.
fn deliver(
    route: &str,
    recipients: &[&str],
    limit: Duration,
) -> (Vec<Outcome<'static>>, Vec<String>) {
    let route = outbound_example::Route::parse(&format!("{KNOWN}{route}")).unwrap();
    let mut envelope = Envelope::new("alice@example.net").unwrap();
    for recipient in recipients {
        envelope = envelope.to(*recipient).unwrap();
    }
    let message = b"Subject: hello\n\nHello.\n".as_slice().into();
    let sessions = Mutex::new(Vec::new());
    let log = |line| sessions.lock().unwrap().push(line);
    let until = Instant::now() + limit;
    let outcomes = outbound_example::deliver(&route, &envelope, &message, until, log);
    (outcomes.unwrap(), sessions.into_inner().unwrap())
}

/// Takes every message.
struct Inbox;

impl Handler for Inbox {
    type Sink = InMemory;

    fn recipient(
        &self,
        _: &server::Session,
        _: &server::Transaction,
        _: &server::Recipient,
    ) -> Verdict {
        accept()
    }

    fn content(
        &self,
        _: &server::Session,
        _: server::Envelope,
    ) -> Result<InMemory, server::Refusal> {
        Ok(InMemory::then(|_| accept()))
    }
}

fn serve(pki: &Pki) -> SocketAddr {
    let config = Config::new(Host::parse("mx.example").unwrap());
    let config = config.tls(smtp_proto::server::Tls::Offered);
    let options = Options::new(config).tls(pki.acceptor());
    let server = Server::bind("127.0.0.1:0", options).unwrap();
    let address = server.local_addr().unwrap();
    thread::spawn(move || server.serve(Inbox));
    address
}
