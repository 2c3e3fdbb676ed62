//! A link with delay, within the process.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// Passes bytes between its clients and a server, each after a delay.
///
/// Its threads end with their connections; the listening one with the process.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
}

/// Bytes on their way, and when they arrive; none at the end.
type InFlight = (Instant, Vec<u8>);

impl Relay {
    /// Starts a relay to the first of these addresses that there is a server at, with half of
    /// `round_trip` as the delay of each direction.
    pub(super) fn start(servers: Vec<SocketAddr>, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // A client whose server cannot be reached is dropped, and notices.
                let _ = connect(client, &servers, round_trip / 2);
            }
        });
        Ok(Self { address })
    }

    /// Returns where to connect to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn connect(client: TcpStream, servers: &[SocketAddr], delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(servers)?;
    for (from, to) in [(&client, &server), (&server, &client)] {
        from.set_nodelay(true)?;
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (sender, receiver) = channel();
        thread::spawn(move || take(from, &sender, delay));
        thread::spawn(move || hand_over(&receiver, to));
    }
    Ok(())
}

fn take(mut from: TcpStream, sender: &Sender<InFlight>, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let bytes = from.read(&mut buffer).unwrap_or(0);
        let read = buffer.get(..bytes).unwrap_or_default().to_vec();
        let gone = sender.send((Instant::now() + delay, read)).is_err();
        if gone || bytes == 0 {
            return;
        }
    }
}

fn hand_over(receiver: &Receiver<InFlight>, mut to: TcpStream) {
    for (arrival, bytes) in receiver {
        thread::sleep(arrival.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write); // the peer may have gone already
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_the_delay_each_way_and_the_end_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let round_trip = Duration::from_millis(40);
        let relay = Relay::start(vec![listener.local_addr().unwrap()], round_trip).unwrap();
        let mut client = TcpStream::connect(relay.address()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let begin = Instant::now();
        client.write_all(b"ping").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"ping");
        server.write_all(b"pong").unwrap();
        drop(server);
        heard.clear();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"pong");
        let elapsed = begin.elapsed();
        assert!(elapsed >= round_trip, "{elapsed:?}");
    }
}
