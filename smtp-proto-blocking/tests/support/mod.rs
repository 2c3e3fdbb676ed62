//! A handler that keeps what it gets, and a peer that is not quite a server.

#![allow(
    dead_code,
    unreachable_pub,
    unnameable_types,
    reason = "each test file uses its part"
)]

#[cfg(feature = "rustls")]
pub mod tls;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
};

use smtp_proto::{
    client,
    server::Config,
    syntax::{ForwardPath, Host, ReversePath},
};
use smtp_proto_blocking::{
    Error, Server,
    server::{
        Envelope, Handler, Notice, Recipient, Refusal, Session, Shutdown, Sink, State, Tally,
        Transaction, Verdict, accept, refuse,
    },
};

/// One message as a handler got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub from: String,
    pub to: Vec<String>,
    pub content: Vec<u8>,
}

/// Keeps every message and takes note of everything else. Recipients named `no...` are refused,
/// content that begins with `poison` too, and `panic...` panics.
#[derive(Debug, Default)]
pub struct Store {
    pub messages: Arc<Mutex<Vec<Stored>>>,
    pub notes: Mutex<Vec<String>>,
}

pub struct StoreSink {
    messages: Arc<Mutex<Vec<Stored>>>,
    stored: Stored,
}

impl Store {
    pub fn messages(&self) -> Vec<Stored> {
        self.messages.lock().unwrap().clone()
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    fn note(&self, note: String) {
        self.notes.lock().unwrap().push(note);
    }
}

impl Handler for Store {
    type Sink = StoreSink;

    fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        let text = recipient.path.to_string();
        assert!(!text.starts_with("<panic"), "as the test wants it");
        if text.starts_with("<no") {
            return Err(refuse!("550 5.1.1 No"));
        }
        accept()
    }

    fn content(&self, _: &Session, envelope: Envelope) -> Result<StoreSink, Refusal> {
        let to = envelope.recipients.iter();
        Ok(StoreSink {
            messages: Arc::clone(&self.messages),
            stored: Stored {
                from: envelope.sender.path.to_string(),
                to: to.map(|to| to.recipient.path.to_string()).collect(),
                content: Vec::new(),
            },
        })
    }

    fn notice(&self, _: &Session, notice: &Notice<'_>) {
        match notice {
            Notice::Reset { reason, .. } => self.note(format!("reset: {reason:?}")),
            Notice::Acknowledged {
                transaction,
                certainty,
                ..
            } => self.note(format!("{transaction}: {certainty:?}")),
            _ => {}
        }
    }

    fn closed(&self, session: &Session, result: Result<(), &Error>, _: &Tally) {
        if let Some(hello) = session.hello() {
            assert_eq!(hello.name.as_str(), "client.example");
        }
        self.note(match result {
            Err(error) => format!("closed: {error}"),
            Ok(()) => "closed".to_owned(),
        });
    }
}

impl Sink for StoreSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.stored.content.extend_from_slice(bytes);
        if self.stored.content.starts_with(b"poison") {
            return Err(refuse!("554 5.6.0 Poison"));
        }
        Ok(())
    }

    fn finish(self) -> Verdict {
        self.messages.lock().unwrap().push(self.stored);
        accept()
    }
}

pub fn server_config() -> Config {
    Config::new(Host::parse("server.example").unwrap())
}

pub fn client_config() -> client::Config {
    client::Config::new(Host::parse("client.example").unwrap())
}

/// Ends servers when it goes out of scope.
pub struct EndsServer(pub Shutdown);

impl Drop for EndsServer {
    fn drop(&mut self) {
        self.0.begin();
    }
}

/// Runs a client against a server of this adapter, and returns what the server's handler kept.
pub fn with_server(config: Config, run: impl FnOnce(SocketAddr)) -> Arc<Store> {
    let store = Arc::new(Store::default());
    run_with(Server::bind("127.0.0.1:0", config).unwrap(), &store, run);
    store
}

/// Runs a client against a server.
pub fn run_with<S: State, H: Handler<S>>(
    server: Server,
    handler: &Arc<H>,
    run: impl FnOnce(SocketAddr),
) {
    let shutdown = Shutdown::new();
    let address = server.local_addr().unwrap();
    thread::scope(|scope| {
        let _ends = EndsServer(shutdown.clone()); // also if the client panics
        scope.spawn(|| server.serve_until(Arc::clone(handler), shutdown));
        run(address);
    });
}

pub fn envelope(recipients: &[&str]) -> client::Envelope<'static> {
    let from = ReversePath::parse("<sender@client.example>").unwrap();
    let recipients = recipients.iter().map(|to| {
        let path = format!("<{to}@server.example>");
        ForwardPath::parse(&path).unwrap().into_owned()
    });
    recipients.fold(client::Envelope::new(from).unwrap(), |envelope, to| {
        envelope.recipient(to)
    })
}

/// Serves one connection without a thought, it writes all of it
/// before it reads on.
pub fn ponderous_peer<S>(stream: &S) -> usize
where
    for<'s> &'s S: Read + Write,
{
    let mut reader = BufReader::with_capacity(4096, stream);
    let mut stream = stream;
    let text = "x".repeat(60);
    let mut recipients = 0;
    let mut messages = 0;
    stream.write_all(b"220 x\r\n").unwrap();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap() == 0 {
            return messages;
        }
        let reply = match line.split([' ', ':', '\r']).next().unwrap() {
            "EHLO" => "250-x\r\n250-PIPELINING\r\n250-SIZE 9999999\r\n250 CHUNKING\r\n".to_owned(),
            "RCPT" => {
                recipients += 1;
                format!("250 {recipients} {text}\r\n")
            }
            "DATA" => "354 go\r\n".to_owned(),
            "BDAT" => {
                let size = line.split(' ').nth(1).unwrap().parse().unwrap();
                std::io::copy(&mut reader.by_ref().take(size), &mut std::io::sink()).unwrap();
                let is_for_somebody = recipients > 0;
                messages += usize::from(is_for_somebody);
                format!("{} {text}\r\n", if is_for_somebody { 250 } else { 503 })
            }
            "." => {
                messages += 1;
                format!("250 {text}\r\n")
            }
            "MAIL" => {
                recipients = 0;
                format!("250 {text}\r\n")
            }
            "RSET" | "QUIT" => format!("250 {text}\r\n"),
            _ => continue, // content
        };
        stream.write_all(reply.as_bytes()).unwrap();
    }
}

/// Connects two TCP sockets with buffers as small as can be.
pub fn narrow_tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for stream in [&one, &other] {
        stream.set_nodelay(true).unwrap();
        let socket = socket2::SockRef::from(stream);
        socket.set_send_buffer_size(4096).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
    }
    (one, other)
}

/// Connects two local sockets that hold as little.
pub fn narrow_unix() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    for stream in [&one, &other] {
        let socket = socket2::SockRef::from(stream);
        socket.set_send_buffer_size(4096).unwrap();
    }
    (one, other)
}

pub fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    String::from_utf8(line).unwrap()
}

/// Connects, and nothing more.
pub fn tcp(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// Sends `command` and returns the first line of its reply.
pub fn ask(stream: &mut (impl Read + Write), command: &str) -> String {
    stream.write_all(command.as_bytes()).unwrap();
    read_line(stream)
}

/// Introduces itself, and reads all of the answer.
pub fn hello(stream: &mut (impl Read + Write)) {
    assert_eq!(&read_line(stream)[..4], "220 ");
    ask(stream, "EHLO client.example\r\n");
    while &read_line(stream)[..4] != "250 " {}
}
