//! A server that runs, and a client that says to it what the test says.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use super::{
    bind,
    face::{
        self,
        server::{Config, Handler, Host, Options, Shutdown, State},
    },
    run,
};

/// More than anything takes here.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn config() -> Config {
    Config::new(Host::parse("mx.example.net").unwrap())
}

/// A server that runs.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) shutdown: Shutdown,
    thread: JoinHandle<()>,
}

impl Running {
    pub(super) fn start<S: State, H: Handler<S>>(
        handler: &Arc<H>,
        options: impl Into<Options>,
    ) -> Self {
        Self::serve(bind(options.into()), handler, Shutdown::new())
    }

    pub(super) fn serve<S: State, H: Handler<S>>(
        server: face::Server,
        handler: &Arc<H>,
        shutdown: Shutdown,
    ) -> Self {
        let address = server.local_addr().unwrap();
        let thread = run(server, Arc::clone(handler), shutdown.clone());
        Self {
            address,
            shutdown,
            thread,
        }
    }

    pub(super) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// Waits for the server to end.
    pub(super) fn join(self) {
        self.thread.join().unwrap();
    }

    pub(super) fn end(self) {
        self.shutdown.begin();
        self.join();
    }
}

pub(super) struct Client(pub(super) BufReader<TcpStream>);

impl Client {
    pub(super) fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads a reply, and returns its last line.
    pub(super) fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    pub(super) fn ask(&mut self, command: &str) -> String {
        self.say(&format!("{command}\r\n"));
        self.reply()
    }

    pub(super) fn hello(&mut self) {
        assert_eq!(self.reply(), "220 mx.example.net ESMTP\r\n");
        assert_eq!(&self.ask("EHLO client.example")[..4], "250 ");
    }

    /// Sends a message from there to that one, and returns the last reply that it gets.
    pub(super) fn send(&mut self, from: &str, to: &str) -> String {
        for command in [
            format!("MAIL FROM:<{from}>"),
            format!("RCPT TO:<{to}>"),
            "DATA".to_owned(),
        ] {
            let reply = self.ask(&command);
            if !reply.starts_with(['2', '3']) {
                assert_eq!(&self.ask("RSET")[..3], "250");
                return reply;
            }
        }
        self.ask("x\r\n.")
    }

    /// Reads to the end, and returns what comes.
    pub(super) fn rest(&mut self) -> String {
        let mut rest = String::new();
        while self.0.read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {}
        rest
    }
}
