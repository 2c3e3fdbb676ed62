//! A TCP proxy that delays, writes down what passes, counts round trips and cuts connections.

use std::{
    fmt::{self, Write as _},
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::chains::Chains;

/// How many bytes of one chunk a dialogue shows of its beginning and of its end.
const SHOWN: usize = 160;

/// Passes connections on to a server. Its threads end with their connections; the listening one with
/// the process.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

/// How a proxy treats what passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    /// Half of it is the delay of each direction.
    pub(crate) round_trip: Duration,
    /// Where to cut the connection.
    pub(crate) cut: Option<Cut>,
}

/// Cuts a connection once the client has sent these bytes and the server has them.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The bytes, which end a flight: `\r\n.\r\n`.
    pub(crate) after: Vec<u8>,
    /// Whether the server still answers, which the client does not see, before it loses the
    /// connection.
    pub(crate) server_answers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Bytes that were read at once.
#[derive(Debug)]
struct Chunk {
    connection: usize,
    at: Duration,
    from: Side,
    bytes: Vec<u8>,
}

/// What passed.
#[derive(Debug)]
struct Log {
    begin: Instant,
    chunks: Vec<Chunk>,
    connections: Vec<Connection>,
}

#[derive(Debug, Default)]
struct Connection {
    chains: Chains,
    is_cut: bool,
}

/// Bytes on their way: when they arrive, and which chain they continue. None at the end.
type InFlight = (Instant, u64, Vec<u8>);

impl Proxy {
    /// Starts a proxy in front of a server.
    pub(crate) fn start(server: SocketAddr, link: Link) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let log = Arc::new(Mutex::new(Log {
            begin: Instant::now(),
            chunks: Vec::new(),
            connections: Vec::new(),
        }));
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // A client whose server cannot be reached is dropped, and notices.
                let _ = connect(client, server, &link, &shared);
            }
        });
        Ok(Self { address, log })
    }

    /// Returns where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the round trips that the client has waited for, on all connections, each greeting
    /// included. It knows only what goes in clear.
    ///
    /// What leaves while something arrives counts as waiting for it, so this is exact if every
    /// flight is sent in less than the link's round trip, and never too low.
    pub(crate) fn round_trips(&self) -> u64 {
        let log = lock(&self.log);
        let connections = log.connections.iter();
        connections.map(|it| it.chains.round_trips()).sum()
    }

    /// Tells whether a client sent content, in clear, before the 354 that it needs.
    pub(crate) fn saw_content_too_early(&self) -> bool {
        let log = lock(&self.log);
        log.connections.iter().any(|it| it.chains.ran_ahead())
    }

    /// Returns the last so many chunks of the dialogue, for people.
    pub(crate) fn dialogue(&self, chunks: usize) -> String {
        let log = lock(&self.log);
        let mut text = String::new();
        for chunk in &log.chunks[log.chunks.len().saturating_sub(chunks)..] {
            let _ = writeln!(text, "{chunk}");
        }
        text
    }
}

impl fmt::Display for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.from {
            Side::Client => 'C',
            Side::Server => 'S',
        };
        let (at, length) = (self.at.as_secs_f64() * 1000.0, self.bytes.len());
        write!(f, "{at:10.1} ms #{} {side}: ", self.connection)?;
        if length <= 2 * SHOWN {
            return write!(f, "{}", self.bytes.escape_ascii());
        }
        let (head, tail) = (&self.bytes[..SHOWN], &self.bytes[length - SHOWN..]);
        let left_out = length - 2 * SHOWN;
        let (head, tail) = (head.escape_ascii(), tail.escape_ascii());
        write!(f, "{head} [{left_out} bytes] {tail}")
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(
    client: TcpStream,
    server: SocketAddr,
    link: &Link,
    log: &Arc<Mutex<Log>>,
) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let connection = {
        let mut log = lock(log);
        log.connections.push(Connection::default());
        log.connections.len() - 1
    };
    for (side, from, to) in [
        (Side::Client, &client, &server),
        (Side::Server, &server, &client),
    ] {
        from.set_nodelay(true)?;
        let direction = Direction {
            connection,
            side,
            link: link.clone(),
            log: Arc::clone(log),
            from: from.try_clone()?,
            to: to.try_clone()?,
        };
        let other = direction.try_clone()?;
        let (sender, receiver) = channel();
        thread::spawn(move || direction.take(&sender));
        thread::spawn(move || other.hand_over(&receiver));
    }
    Ok(())
}

/// One direction of a connection.
struct Direction {
    connection: usize,
    side: Side,
    link: Link,
    log: Arc<Mutex<Log>>,
    from: TcpStream,
    to: TcpStream,
}

impl Direction {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            connection: self.connection,
            side: self.side,
            link: self.link.clone(),
            log: Arc::clone(&self.log),
            from: self.from.try_clone()?,
            to: self.to.try_clone()?,
        })
    }

    /// Reads what comes, and writes down when.
    fn take(mut self, sender: &Sender<InFlight>) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let bytes = self.from.read(&mut buffer).unwrap_or(0);
            let bytes = buffer[..bytes].to_vec();
            let chain = self.write_down(&bytes);
            let arrival = Instant::now() + self.link.round_trip / 2;
            let at_end = bytes.is_empty();
            if sender.send((arrival, chain, bytes)).is_err() || at_end {
                return;
            }
        }
    }

    /// Returns which chain the bytes continue.
    fn write_down(&self, bytes: &[u8]) -> u64 {
        let mut log = lock(&self.log);
        let at = log.begin.elapsed();
        log.chunks.push(Chunk {
            connection: self.connection,
            at,
            from: self.side,
            bytes: bytes.to_vec(),
        });
        let chains = &mut log.connections[self.connection].chains;
        match self.side {
            Side::Client => {
                chains.client_sent(bytes);
                0
            }
            Side::Server => chains.server_sent(bytes),
        }
    }

    /// Hands over what is due, until the end or the cut.
    fn hand_over(mut self, receiver: &Receiver<InFlight>) {
        let mut tail = Vec::new();
        for (arrival, chain, mut bytes) in receiver {
            thread::sleep(arrival.saturating_duration_since(Instant::now()));
            let cut = self.side == Side::Client && self.is_cut_within(&mut bytes, &mut tail);
            {
                // Before anybody can react.
                let mut log = lock(&self.log);
                let connection = &mut log.connections[self.connection];
                if connection.is_cut {
                    break; // What the server said after the cut is written down, and lost.
                }
                connection.is_cut = cut;
                if self.side == Side::Server {
                    connection.chains.reached_client(chain);
                }
            }
            if bytes.is_empty() || self.to.write_all(&bytes).is_err() {
                break;
            }
            if cut {
                return self.cut();
            }
        }
        let _ = self.to.shutdown(Shutdown::Write); // the peer may have gone already
    }

    /// Tells whether the bytes, after the last of those before, contain those after which to
    /// cut, and drops what follows them.
    fn is_cut_within(&self, bytes: &mut Vec<u8>, tail: &mut Vec<u8>) -> bool {
        let Some(cut) = &self.link.cut else {
            return false;
        };
        let before = tail.len();
        tail.extend_from_slice(bytes);
        let mut places = tail.windows(cut.after.len());
        if let Some(at) = places.position(|it| it == cut.after) {
            bytes.truncate(at + cut.after.len() - before);
            return true;
        }
        tail.drain(..tail.len().saturating_sub(cut.after.len() - 1));
        false
    }

    /// Ends the connection at the client, and at the server when it has answered or at once.
    fn cut(&self) {
        let _ = self.from.shutdown(Shutdown::Both); // either may have gone already
        if !self.link.cut.as_ref().is_some_and(|cut| cut.server_answers) {
            let _ = self.to.shutdown(Shutdown::Both);
        }
    }
}
