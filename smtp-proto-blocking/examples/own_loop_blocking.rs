//! Drives the client machine over a plain socket, without an adapter:
//! `cargo run --example own_loop_blocking 127.0.0.1:2525`

use std::io::{ErrorKind::*, Read, Write};
use std::time::{Duration, Instant};

use smtp_proto::client::{Body, Client, Config, Envelope};
use smtp_proto::{delivery::Courier, framing::ReadBuffer, syntax::Host};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";

fn content(_: &mut (), offset: u64) -> Option<Body<'_>> {
    MESSAGE.get(offset as usize..).map(Body::Last)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or("localhost:25".into());
    let (mut socket, start) = (std::net::TcpStream::connect(server)?, Instant::now());
    let config = Config::new(Host::parse("client.example")?);
    let mut courier = Courier::new(Client::new(config, start.elapsed()));
    let mut received = ReadBuffer::new(courier.machine().max_unconsumed());
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let message = courier.submit(envelope, Some(MESSAGE.len() as u64), ())?;
    courier.machine_mut().quit();
    while courier.ended().is_pending() {
        let mut input = received.unread();
        let news = courier.receive(&mut input, start.elapsed());
        let left = input.len();
        received.keep(left);
        while let Some(transmit) = courier.poll_transmit(content, start.elapsed()) {
            match socket.write(transmit.slices()[0]) {
                Ok(bytes) => _ = transmit.wrote(bytes, start.elapsed()),
                Err(_) => transmit.failed(),
            }
        }
        if !news && courier.machine().wants_read() {
            let deadline = courier.machine().poll_timeout().unwrap_or(Duration::MAX);
            let limit = deadline.saturating_sub(start.elapsed());
            socket.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
            match socket.read(received.room()) {
                Ok(0) => courier.machine_mut().handle_eof(),
                Ok(bytes) => received.filled(bytes),
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {
                    courier.machine_mut().handle_timeout(start.elapsed());
                }
                Err(_) => courier.machine_mut().handle_eof(),
            }
        }
    }
    println!("{:?}", courier.report(message));
    Ok(())
}
