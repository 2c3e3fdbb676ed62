//! A server that says what it is told to say, and what is sent to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    thread::{self, JoinHandle},
    time::Duration,
};

use smtp_proto::client::Envelope;

/// Says to a client, on one connection: after a line that begins so, this. After the empty line in
/// a moment. When all is said it closes the connection, unless the last of it says `"stay"`.
pub type Script = &'static [(&'static str, &'static str)];

/// What a server says that offers everything these tests need, up to the end of a first message.
pub const DELIVERS: Script = &[
    ("", "220 x\r\n"),
    ("EHLO", OFFER),
    ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
    (".", "250 taken\r\n"),
];

/// An answer to EHLO.
pub const OFFER: &str = "250-x\r\n250-SIZE 1000000\r\n250 PIPELINING\r\n";

/// The content of a message.
pub const MESSAGE: &str = "Subject: x\r\n\r\nHello.\r\n";

/// Returns the envelope of a message to one recipient.
pub fn envelope() -> Envelope<'static> {
    let envelope = Envelope::new("alice@example.net").unwrap();
    envelope.to("bob@example.org").unwrap()
}

/// A server with a script for each connection, in turn.
#[derive(Debug)]
pub struct Scripted {
    /// Where it is.
    pub address: SocketAddr,
    thread: JoinHandle<Vec<String>>,
}

impl Scripted {
    /// Starts it on loopback.
    pub fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), scripts)
    }

    /// Starts it where somebody listens already.
    pub fn on(listener: TcpListener, scripts: impl IntoIterator<Item = Script>) -> Self {
        let address = listener.local_addr().unwrap();
        let scripts: Vec<_> = scripts.into_iter().collect();
        let thread = thread::spawn(move || {
            let connections = scripts.into_iter();
            connections.map(|script| play(&listener, script)).collect()
        });
        Self { address, thread }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Waits until all is said, and returns what it heard on each connection.
    pub fn heard(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn play(listener: &TcpListener, script: Script) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut heard = String::new();
    for (awaited, said) in script {
        loop {
            if awaited.is_empty() {
                // Not together with what was said before.
                let pause = if heard.is_empty() { 0 } else { 30 };
                thread::sleep(Duration::from_millis(pause));
                break;
            }
            let begin = heard.len();
            if reader.read_line(&mut heard).unwrap_or(0) == 0 {
                return heard;
            }
            if heard[begin..].starts_with(awaited) {
                break;
            }
        }
        if *said == "stay" {
            let _ = reader.read_to_string(&mut heard);
            return heard;
        }
        if stream.write_all(said.as_bytes()).is_err() {
            return heard;
        }
    }
    heard
}
