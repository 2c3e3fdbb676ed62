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
    sync::Mutex,
    thread,
};

use smtp_proto::{
    client,
    server::{Certainty, Config, ResetCause, TransactionId},
    syntax::{Code, ForwardPath, Host, RcptParameters, Reply, ReversePath},
};
use smtp_proto_blocking::{
    Error, Server,
    server::{Envelope, Handler, Session, ShutdownHandle, Sink, Verdict},
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
    pub messages: Mutex<Vec<Stored>>,
    pub notes: Mutex<Vec<String>>,
}

pub struct StoreSink<'s> {
    store: &'s Store,
    stored: Stored,
}

impl Store {
    fn note(&self, note: String) {
        self.notes.lock().unwrap().push(note);
    }
}

impl<'s> Handler for &'s Store {
    type Sink = StoreSink<'s>;

    fn recipient(
        &self,
        _: &Session,
        _: &Envelope,
        to: &ForwardPath<'_>,
        _: &RcptParameters<'_>,
    ) -> Verdict {
        let text = path(to);
        assert!(!text.starts_with("<panic"), "as the test wants it");
        if text.starts_with("<no") {
            return Verdict::Reply(Reply::new(Code::MAILBOX_UNAVAILABLE, "5.1.1 No").unwrap());
        }
        Verdict::Accept
    }

    fn content(&self, _: &Session, envelope: &Envelope) -> Result<Self::Sink, Reply<'static>> {
        let mut from = Vec::new();
        envelope.from.write_to(&mut from);
        Ok(StoreSink {
            store: self,
            stored: Stored {
                from: String::from_utf8(from).unwrap(),
                to: envelope.recipients.iter().map(path).collect(),
                content: Vec::new(),
            },
        })
    }

    fn reset(&self, _: &Session, _: &Envelope, cause: ResetCause) {
        self.note(format!("reset: {cause:?}"));
    }

    fn acknowledged(&self, _: &Session, message: TransactionId, certainty: Certainty) {
        self.note(format!("{message}: {certainty:?}"));
    }

    fn closed(&self, session: &Session, error: Option<&Error>) {
        if let Some(host) = &session.host {
            assert_eq!(host.as_str(), "client.example");
        }
        self.note(match error {
            Some(error) => format!("closed: {error}"),
            None => "closed".to_owned(),
        });
    }
}

impl Sink for StoreSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.stored.content.extend_from_slice(bytes);
        if self.stored.content.starts_with(b"poison") {
            return Err(Reply::new(Code::TRANSACTION_FAILED, "5.6.0 Poison").unwrap());
        }
        Ok(())
    }

    fn finish(self) -> Verdict {
        self.store.messages.lock().unwrap().push(self.stored);
        Verdict::Accept
    }
}

fn path(path: &ForwardPath<'_>) -> String {
    let mut text = Vec::new();
    path.write_to(&mut text);
    String::from_utf8(text).unwrap()
}

pub fn server_config() -> Config {
    Config::new(Host::parse("server.example").unwrap())
}

pub fn client_config() -> client::Config {
    client::Config::new(Host::parse("client.example").unwrap())
}

/// Ends a server when it goes out of scope.
pub struct EndsServer(pub ShutdownHandle);

impl Drop for EndsServer {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

/// Runs a client against a server of this adapter, and returns what the server's handler kept.
pub fn with_server(config: Config, run: impl FnOnce(SocketAddr)) -> Store {
    let store = Store::default();
    run_with(Server::bind("127.0.0.1:0", config).unwrap(), &&store, run);
    store
}

/// Runs a client against a server.
pub fn run_with<H: Handler>(server: Server, handler: &H, run: impl FnOnce(SocketAddr)) {
    let handle = server.shutdown_handle().unwrap();
    let address = server.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.serve(handler));
        let _ends = EndsServer(handle); // also if the client panics
        run(address);
    });
}

pub fn envelope(recipients: &[&str]) -> client::Envelope<'static> {
    let from = ReversePath::parse("<sender@client.example>").unwrap();
    let recipients = recipients.iter().map(|to| {
        let path = format!("<{to}@server.example>");
        ForwardPath::parse(&path).unwrap().into_owned()
    });
    recipients.fold(client::Envelope::new(from), |envelope, to| {
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
            "EHLO" => "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n".to_owned(),
            "RCPT" => {
                recipients += 1;
                format!("250 {recipients} {text}\r\n")
            }
            "DATA" => "354 go\r\n".to_owned(),
            "BDAT" => {
                let size = line.split(' ').nth(1).unwrap().parse().unwrap();
                std::io::copy(&mut reader.by_ref().take(size), &mut std::io::sink()).unwrap();
                messages += 1;
                format!("250 {text}\r\n")
            }
            "." => {
                messages += 1;
                format!("250 {text}\r\n")
            }
            "RSET" | "MAIL" | "QUIT" => format!("250 {text}\r\n"),
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
