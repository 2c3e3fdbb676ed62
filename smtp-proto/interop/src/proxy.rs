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

/// How many octets of one chunk a dialogue shows of its beginning and of its end.
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

/// Cuts a connection once the client has sent these octets and the server has them.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The octets, which end a flight: `\r\n.\r\n`.
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

/// Octets that were read at once.
#[derive(Debug)]
struct Chunk {
    connection: usize,
    at: Duration,
    from: Side,
    octets: Vec<u8>,
}

/// What passed, and the longest chains of causes and effects in it.
#[derive(Debug)]
struct Log {
    begin: Instant,
    chunks: Vec<Chunk>,
    connections: Vec<Chains>,
}

/// How many flights of the server in a row, each caused by the one before, a connection has seen.
#[derive(Debug, Default)]
struct Chains {
    /// The longest chain that has reached the client.
    at_client: u64,
    /// The longest chain behind what has reached the server.
    at_server: u64,
    is_cut: bool,
}

/// Octets on their way: when they arrive, and which chain they continue. None at the end.
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
    /// included: the longest chain of flights of which each left after the one before had arrived.
    ///
    /// What leaves while something arrives may count though nobody waited for it, so this is exact
    /// if every flight is sent in less than the link's round trip, and never too low.
    pub(crate) fn round_trips(&self) -> u64 {
        let log = lock(&self.log);
        log.connections.iter().map(|chains| chains.at_client).sum()
    }

    /// Returns what the client sent, all connections after each other.
    pub(crate) fn sent_by_client(&self) -> Vec<u8> {
        self.sent_by(Side::Client)
    }

    /// Returns what the server sent, whether it arrived or not.
    pub(crate) fn sent_by_server(&self) -> Vec<u8> {
        self.sent_by(Side::Server)
    }

    fn sent_by(&self, side: Side) -> Vec<u8> {
        let log = lock(&self.log);
        let chunks = log.chunks.iter().filter(|chunk| chunk.from == side);
        chunks.flat_map(|chunk| chunk.octets.clone()).collect()
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
        let (at, length) = (self.at.as_secs_f64() * 1000.0, self.octets.len());
        write!(f, "{at:10.1} ms #{} {side}: ", self.connection)?;
        if length <= 2 * SHOWN {
            return write!(f, "{}", self.octets.escape_ascii());
        }
        let (head, tail) = (&self.octets[..SHOWN], &self.octets[length - SHOWN..]);
        let left_out = length - 2 * SHOWN;
        let (head, tail) = (head.escape_ascii(), tail.escape_ascii());
        write!(f, "{head} [{left_out} octets] {tail}")
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
        log.connections.push(Chains::default());
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
            let octets = self.from.read(&mut buffer).unwrap_or(0);
            let octets = buffer[..octets].to_vec();
            let chain = self.write_down(&octets);
            let arrival = Instant::now() + self.link.round_trip / 2;
            let at_end = octets.is_empty();
            if sender.send((arrival, chain, octets)).is_err() || at_end {
                return;
            }
        }
    }

    /// Returns which chain the octets continue.
    fn write_down(&self, octets: &[u8]) -> u64 {
        let mut log = lock(&self.log);
        let at = log.begin.elapsed();
        log.chunks.push(Chunk {
            connection: self.connection,
            at,
            from: self.side,
            octets: octets.to_vec(),
        });
        let chains = &log.connections[self.connection];
        match self.side {
            Side::Client => chains.at_client,
            Side::Server => chains.at_server + 1,
        }
    }

    /// Hands over what is due, until the end or the cut.
    fn hand_over(mut self, receiver: &Receiver<InFlight>) {
        let mut tail = Vec::new();
        for (arrival, chain, octets) in receiver {
            thread::sleep(arrival.saturating_duration_since(Instant::now()));
            if lock(&self.log).connections[self.connection].is_cut {
                // What the server said after the cut is written down, and lost.
                break;
            }
            if octets.is_empty() || self.to.write_all(&octets).is_err() {
                break;
            }
            let cut = self.side == Side::Client && self.is_cut_after(&octets, &mut tail);
            let mut log = lock(&self.log);
            let chains = &mut log.connections[self.connection];
            chains.is_cut |= cut;
            let reached = match self.side {
                Side::Client => &mut chains.at_server,
                Side::Server => &mut chains.at_client,
            };
            *reached = chain.max(*reached);
            drop(log);
            if cut {
                self.cut();
                return;
            }
        }
        let _ = self.to.shutdown(Shutdown::Write); // the peer may have gone already
    }

    fn is_cut_after(&self, octets: &[u8], tail: &mut Vec<u8>) -> bool {
        let Some(cut) = &self.link.cut else {
            return false;
        };
        tail.extend_from_slice(octets);
        tail.drain(..tail.len().saturating_sub(cut.after.len()));
        *tail == cut.after
    }

    /// Ends the connection at the client, and at the server when it has answered or at once.
    fn cut(&self) {
        let _ = self.from.shutdown(Shutdown::Both); // either may have gone already
        if !self.link.cut.as_ref().is_some_and(|cut| cut.server_answers) {
            let _ = self.to.shutdown(Shutdown::Both);
        }
    }
}
