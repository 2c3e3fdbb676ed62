//! What the tests share: messages, a submission server with TLS, and a count of round trips.

#![allow(dead_code, reason = "each test takes a part of it")]

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use lettre::{Message, message::header::ContentType};
use smtp_proto::{
    reception::{Envelope, Identity, Recipient, Refusal, Session, Transaction, Verdict, accept},
    sasl::Credential,
    server::{Config, Tls},
    syntax::Host,
};
use smtp_proto_blocking::{
    Server,
    server::{Handler, InMemory, Options, Shutdown as Ending},
};
use smtp_proto_test_support::Pki;

/// The message of lettre's documentation.
pub(crate) fn email() -> Message {
    Message::builder()
        .from("NoBody <nobody@domain.tld>".parse().unwrap())
        .reply_to("Yuin <yuin@domain.tld>".parse().unwrap())
        .to("Hei <hei@domain.tld>".parse().unwrap())
        .subject("Happy new year")
        .header(ContentType::TEXT_PLAIN)
        .body(String::from("Be happy!"))
        .unwrap()
}

/// A server to which users submit mail over TLS, and what came by it.
pub(crate) struct Submission {
    pub(crate) pki: Pki,
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    ending: Ending,
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Submission {
    /// Starts one that offers these mechanisms.
    pub(crate) fn start<const N: usize>(tls: Tls, mechanisms: [&str; N]) -> Self {
        let pki = Pki::new();
        let config = Config::new(Host::parse("mx.example.net").unwrap()).tls(tls);
        let options = Options::new(config.mechanisms(mechanisms).unwrap()).tls(pki.acceptor());
        let server = Server::bind("127.0.0.1:0", options).unwrap();
        let address = server.local_addr().unwrap();
        let (seen, ending) = (Arc::new(Seen::default()), Ending::new());
        let (handler, shutdown) = (Arc::clone(&seen), ending.clone());
        thread::spawn(move || server.serve_until(handler, shutdown));
        Self {
            pki,
            address,
            seen,
            ending,
        }
    }

    /// Returns who came with which password, and which messages.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.0.lock().unwrap().clone()
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.ending.abort();
    }
}

impl Seen {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Handler for Seen {
    type Sink = InMemory;

    fn authenticate(&self, _: &Session, credential: Credential<'_>) -> Result<Identity, Refusal> {
        let (user, secret) = match credential {
            Credential::Password { user, password, .. } => (user, password),
            Credential::Token { user, token, .. } => (user, token),
            _ => panic!("neither password nor token"),
        };
        self.note(format!("{user} by {secret}"));
        Ok(Identity::from(user))
    }

    fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    fn content(&self, session: &Session, envelope: Envelope) -> Result<InMemory, Refusal> {
        let user = session
            .identity()
            .map_or("nobody", |identity| &identity.name);
        self.note(format!("{} as {user}", envelope.sender.path));
        Ok(InMemory::then(|_| accept()))
    }
}

/// Passes connections on to a server, and counts round trips: how often the client spoke once the server
/// had.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    count: Arc<Mutex<Count>>,
}

#[derive(Default)]
struct Count {
    connections: usize,
    round_trips: usize,
    server_spoke: bool,
}

impl Wire {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(Mutex::new(Count::default()));
        let shared = Arc::clone(&count);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(server).unwrap();
                shared.lock().unwrap().connections += 1;
                for (from, to, is_client) in [(&client, &server, true), (&server, &client, false)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        pass(from, to, || shared.lock().unwrap().note(is_client))
                    });
                }
            }
        });
        Self { address, count }
    }

    /// Returns how many there were, and over how many connections.
    pub(crate) fn round_trips(&self) -> (usize, usize) {
        let count = self.count.lock().unwrap();
        (count.round_trips, count.connections)
    }
}

impl Count {
    fn note(&mut self, is_client: bool) {
        self.round_trips += usize::from(is_client && self.server_spoke);
        self.server_spoke = !is_client;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, note: impl Fn()) -> io::Result<()> {
    to.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return to.shutdown(Shutdown::Write);
        }
        note();
        to.write_all(&buffer[..read])?;
    }
}
