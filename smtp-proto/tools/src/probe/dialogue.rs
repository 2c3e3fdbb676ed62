//! One connection: whatever bytes are wanted go out, replies come back, within bounded time.
//!
//! A client of [`smtp_proto`] never says some of what is said here; so this is a driver of its own,
//! over the same syntax and framing.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    mem,
    net::{IpAddr, SocketAddr, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    framing::{Line, LineReader},
    machine::TlsInfo,
    syntax::{Reply, parse_reply_line},
};
use smtp_proto_blocking::{Socket, Transport as _};
use smtp_proto_rustls::{
    TlsConnector,
    rustls::{ClientConnection, StreamOwned},
};

use super::evidence::{Evidence, Said};

/// The longest reply that is read, of all its lines.
const MAX_REPLY: usize = 64 << 10;
/// The longest line of a reply that is read; servers write 512 bytes (RFC 5321 4.5.3.1.5).
const MAX_LINE: usize = 4096;
/// Between two segments, so that they are two for the server.
const PAUSE: Duration = Duration::from_millis(60);
/// How long to wait for the answer to QUIT, and what is never waited for longer.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For one reply.
    pub reply: Duration,
    /// The end of everything.
    pub until: Instant,
}

/// A connection to the server.
#[derive(Debug)]
pub(super) struct Dialogue {
    stream: Stream,
    patience: Patience,
    /// How long the server takes to answer, from [`measure`](Self::measure).
    round_trip: Duration,
    received: Vec<u8>,
    /// How much of `received` are whole lines of a reply that goes on.
    lines: usize,
    reader: LineReader,
    evidence: Evidence,
}

/// Where a server is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Through a Unix socket.
    Unix(PathBuf),
}

#[derive(Debug)]
enum Stream {
    Clear(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
    /// A handshake failed.
    Gone,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The server closed the connection.
    Closed,
    /// The server said nothing for as long as it is waited for.
    TimedOut,
    /// What the server said is no reply.
    Garbled,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the server closed the connection",
            Self::TimedOut => "the server said nothing more",
            Self::Garbled => "the server said what is no reply",
        })
    }
}

impl Dialogue {
    pub(super) fn connect(address: &Address, patience: Patience) -> io::Result<Self> {
        let mut stream = address.connect(patience.wait()?)?;
        stream.set_write_timeout(patience.reply)?;
        Ok(Self {
            stream: Stream::Clear(stream),
            patience,
            round_trip: Duration::ZERO,
            received: Vec::new(),
            lines: 0,
            reader: LineReader::default(),
            evidence: Evidence::default(),
        })
    }

    /// Returns the address literal by which the server knows this end (RFC 5321 4.1.3).
    pub(super) fn literal(&self) -> String {
        let socket = match &self.stream {
            Stream::Clear(stream) => Some(stream),
            Stream::Tls(stream) => Some(&stream.sock),
            Stream::Gone => None,
        };
        match socket.and_then(Socket::local_ip) {
            Some(IpAddr::V4(address)) => format!("[{address}]"),
            Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            None => "localhost".to_owned(),
        }
    }

    /// Sends bytes in one segment.
    ///
    /// Where it fails there may still be replies to read, and they end by [`Silence::Closed`].
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.evidence.push(Said::Sent(bytes.to_vec()));
        self.write(bytes);
    }

    /// Sends content, which is no evidence but for its size, and commands after it, in one segment.
    pub(super) fn send_content(&mut self, content: &[u8], commands: &[u8]) {
        self.evidence.push(Said::SentContent(content.len()));
        if !commands.is_empty() {
            self.evidence.push(Said::Sent(commands.to_vec()));
        }
        self.write(&[content, commands].concat());
    }

    /// Sends a line that is no evidence but for what it is, and returns its reply.
    pub(super) fn ask_secretly(&mut self, line: &str) -> Result<Reply<'static>, Silence> {
        self.evidence.push(Said::SentCredentials);
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Waits so long that what is sent next is another segment.
    pub(super) fn pause(&self) {
        thread::sleep(PAUSE);
    }

    /// Sends a command and returns its reply.
    pub(super) fn ask(&mut self, command: &[u8]) -> Result<Reply<'static>, Silence> {
        self.send(command);
        self.reply()
    }

    /// Does so, and takes the time of it for that of a round trip.
    pub(super) fn measure(&mut self, command: &[u8]) -> Result<Reply<'static>, Silence> {
        let start = Instant::now();
        let reply = self.ask(command);
        self.round_trip = start.elapsed();
        reply
    }

    /// Returns the next reply.
    pub(super) fn reply(&mut self) -> Result<Reply<'static>, Silence> {
        self.reply_within(self.patience.reply)
    }

    /// Returns a reply for which nothing is known to be outstanding, if one comes nevertheless.
    ///
    /// Waits for a few round trips only.
    pub(super) fn surplus(&mut self) -> Result<Reply<'static>, Silence> {
        self.reply_within(self.settling_time())
    }

    /// Returns how long it takes until a server that has something to say has said it.
    fn settling_time(&self) -> Duration {
        let time = self.round_trip.saturating_mul(4);
        time.clamp(Duration::from_millis(300), Duration::from_secs(3))
    }

    /// Says no more, as a client that half-closes.
    pub(super) fn half_close(&mut self) {
        self.evidence.push(Said::HalfClosed);
        // If it fails, the connection is over, which the next read tells.
        let _ = match &mut self.stream {
            Stream::Clear(stream) => stream.shutdown_write(),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                let flushed = stream.flush();
                flushed.and_then(|()| stream.sock.shutdown_write())
            }
            Stream::Gone => Ok(()),
        };
    }

    /// Returns whether the server has said anything that was not read yet.
    pub(super) fn has_input(&self) -> bool {
        !self.received.is_empty()
    }

    /// Does the handshake of TLS, as a client.
    pub(super) fn begin_tls(&mut self, connector: &TlsConnector) -> io::Result<TlsInfo> {
        self.evidence.push(Said::Tls);
        let Stream::Clear(mut socket) = mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::Error::other("there is TLS already"));
        };
        let config = connector.config().clone();
        let mut session = ClientConnection::new(config, connector.server_name().clone())
            .map_err(io::Error::other)?;
        let mut failure = None;
        loop {
            // With the last words of this side, or with what it has to say of a failure.
            while session.wants_write() {
                session.write_tls(&mut socket)?;
            }
            if let Some(failure) = failure {
                return Err(io::Error::new(ErrorKind::InvalidData, failure));
            }
            if !session.is_handshaking() {
                break;
            }
            // Anew for each read, so that a server that trickles has no more than the time there is.
            socket.set_read_timeout(self.patience.wait()?)?;
            if session.read_tls(&mut socket)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            failure = session.process_new_packets().err();
        }
        let info = connector.info(&session);
        self.stream = Stream::Tls(Box::new(StreamOwned::new(session, socket)));
        Ok(info)
    }

    /// Returns what was said since this was asked last.
    pub(super) fn take_evidence(&mut self) -> Evidence {
        mem::take(&mut self.evidence)
    }

    fn reply_within(&mut self, wait: Duration) -> Result<Reply<'static>, Silence> {
        let start = Instant::now();
        let result = self.read_reply(start + wait);
        self.evidence.push(match &result {
            Ok(reply) => Said::Received(reply.as_bytes().to_vec()),
            Err(Silence::Closed) => Said::Closed,
            Err(Silence::TimedOut) => Said::Silence(start.elapsed()),
            Err(Silence::Garbled) => {
                (self.lines, self.reader) = (0, LineReader::default());
                Said::Received(mem::take(&mut self.received))
            }
        });
        result
    }

    fn read_reply(&mut self, until: Instant) -> Result<Reply<'static>, Silence> {
        loop {
            if let Some(length) = self.whole_reply()? {
                let rest = self.received.split_off(length);
                let bytes = mem::replace(&mut self.received, rest);
                let reply = Reply::parse(&bytes).map_err(|_| Silence::Garbled)?;
                return Ok(reply.into_owned());
            }
            if self.received.len() > MAX_REPLY {
                return Err(Silence::Garbled);
            }
            let left = until.min(self.patience.until);
            let left = left.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // A line that ends in LF alone is never whole (RFC 5321 2.3.8).
                return Err(match self.received.contains(&b'\n') {
                    true => Silence::Garbled,
                    false => Silence::TimedOut,
                });
            }
            self.read(left)?;
        }
    }

    /// Returns the length of the first reply, if it is there as a whole.
    fn whole_reply(&mut self) -> Result<Option<usize>, Silence> {
        loop {
            let mut input = self.received.get(self.lines..).unwrap_or_default();
            match self.reader.next(&mut input, MAX_LINE) {
                None if self.reader.is_discarding() => return Err(Silence::Garbled),
                None => return Ok(None),
                Some(Line::TooLong) => return Err(Silence::Garbled),
                Some(Line::Complete(line)) => {
                    let line = parse_reply_line(line).map_err(|_| Silence::Garbled)?;
                    let is_last = line.is_last;
                    self.lines = self.received.len() - input.len();
                    if is_last {
                        return Ok(Some(mem::take(&mut self.lines)));
                    }
                }
            }
        }
    }

    fn read(&mut self, wait: Duration) -> Result<(), Silence> {
        let mut buffer = [0; 4096];
        // No wait at all would be one without end.
        let wait = wait.max(Duration::from_millis(1));
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream
                .set_read_timeout(wait)
                .and_then(|()| stream.read(&mut buffer)),
            Stream::Tls(stream) => stream
                .sock
                .set_read_timeout(wait)
                .and_then(|()| stream.read(&mut buffer)),
            Stream::Gone => Ok(0),
        };
        match read {
            Ok(0) => Err(Silence::Closed),
            Ok(length) => {
                self.received
                    .extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
                _ => Err(Silence::Closed),
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // The replies that are there are read all the same; the end of them tells.
        let _ = match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Gone => Ok(()),
        };
    }
}

impl Address {
    fn connect(&self, wait: Duration) -> io::Result<Socket> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, wait)?;
                // Each write is to be a segment.
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                Ok(Socket::Unix(stream))
            }
            #[cfg(not(unix))]
            Self::Unix(_) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// QUIT ends a transaction (RFC 5321 4.1.1.10), and where the server takes it for content there is
/// no end of it, so nothing is delivered.
impl Drop for Dialogue {
    fn drop(&mut self) {
        self.write(b"QUIT\r\n");
        let until = Instant::now() + self.settling_time().min(FAREWELL);
        while let Ok(reply) = self.read_reply(until) {
            if reply.code().value() == 221 {
                break;
            }
        }
    }
}

impl Patience {
    /// Returns how long to wait for what happens now.
    ///
    /// Fails once everything has taken too long.
    pub(super) fn wait(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the time is up"));
        }
        Ok(left.min(self.reply))
    }
}
