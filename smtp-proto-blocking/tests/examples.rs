//! The examples that are whole programs, by the text that both adapters share.
#![cfg(all(feature = "auth", feature = "rustls"))]

use std::{
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use smtp_proto::client;
use smtp_proto_blocking::{
    Client, Envelope, Outcome, Server,
    client::Options as ClientOptions,
    server::{self, Config, Handler, Host, InMemory, Options, Verdict, accept},
};
use smtp_proto_test_support::Pki;

#[path = "../../smtp-proto/tests/faces/outbound.rs"]
mod outbound;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/outbound_blocking.rs"]
mod outbound_example;

#[path = "../../smtp-proto/tests/faces/policy_server.rs"]
mod policy_server;

#[allow(dead_code, reason = "it is run here without its `main`")]
#[path = "../examples/policy_server_blocking.rs"]
mod policy_server_example;

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

fn start(settings: &str, log: fn(String)) -> Vec<SocketAddr> {
    policy_server_example::start(settings, log).unwrap()
}

/// Sends a message as alice to that many, if all are accepted; `None` if she is not let in.
fn submit(
    pki: &Pki,
    address: SocketAddr,
    password: &str,
    recipients: usize,
) -> Option<Outcome<'static>> {
    let config = client::Config::new(Host::parse("client.example").unwrap());
    let config = config.report_put_off();
    let client_options = ClientOptions::new(config.tls(client::Tls::Implicit))
        .server(("127.0.0.1", address.port()))
        .tls(pki.connector())
        .password("alice", password);
    let mut client = Client::connect(client_options).ok()?;
    let mut envelope = Envelope::new("alice@example.org").unwrap().all_or_none();
    for number in 0..recipients {
        envelope = envelope
            .to(&*format!("carol{number}@example.com"))
            .unwrap()
            .into_owned();
    }
    let content = "From: alice@example.org\r\n\r\nHello.\r\n";
    let report = client.send(envelope, content).ok()?;
    client.quit().unwrap();
    Some(report.outcome)
}
