//! The server over loopback and local sockets.

#![cfg(unix)]

mod support;

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::Answer,
};
use smtp_proto_blocking::{Client, Transport, client::Options, server::serve_connection};
use support::{Store, client_config, envelope, server_config, with_server};

#[test]
fn content_that_a_sink_refuses_is_swallowed_and_the_next_message_taken() {
    for pipelining in [Pipelining::LookAhead, Pipelining::Stream { window: 10 }] {
        let store = with_server(server_config(), |address| {
            let config = client_config().pipelining(pipelining);
            let mut client = Client::connect(Options::new(config).server(address)).unwrap();
            let rest = "x\r\n".repeat(20_000);
            let messages = [
                (envelope(&["a"]), format!("poison\r\n{rest}")),
                (envelope(&["a"]), "good\r\n".to_owned()),
                (envelope(&["no"]), "nobody's\r\n".to_owned()),
            ];
            let outcomes: Vec<_> = client
                .send_all(messages)
                .map(|report| match report.unwrap().outcome {
                    Outcome::Delivered(reply) | Outcome::Refused(Answer { reply, .. }) => {
                        reply.code().value()
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(outcomes[..2], [554, 250], "{outcomes:?}");
        });
        assert_eq!(store.messages().len(), 1);
    }
}

#[test]
fn a_last_reply_arrives_though_the_client_sent_more_than_was_read() {
    let (stream, mut client) = UnixStream::pair().unwrap();
    let store = Arc::new(Store::default());
    client
        .write_all(b"EHLO client.example\r\nNOOP\r\n")
        .unwrap(); // and does not wait
    client.write_all(&[b'x'; 10_000]).unwrap();
    let server = thread::spawn(move || serve_connection(stream, server_config(), store));
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    // In place of a greeting, which it has not waited for.
    assert_eq!(
        replies,
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    assert!(server.join().unwrap().is_err());
}

/// A socket that counts how often it is read.
struct Counting(UnixStream, Arc<AtomicUsize>);

impl Read for Counting {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(bytes)
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Counting {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        Transport::set_read_timeout(&mut self.0, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        Transport::set_write_timeout(&mut self.0, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

/// A client that is held back costs nothing meanwhile, whether it waits or sends on.
#[test]
fn a_tarpit_sleeps() {
    for more in ["", &"FOO\r\n".repeat(20_000)] {
        let (stream, mut client) = UnixStream::pair().unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let counting = Counting(stream, Arc::clone(&reads));
        let config = server_config().slow_down(0, Duration::from_millis(400));
        thread::spawn(move || serve_connection(counting, config.max_errors(3), Store::default()));
        let mut text = [0; 512];
        client.write_all(b"FOO\r\nFOO\r\nFOO\r\n").unwrap();
        client.set_nonblocking(true).unwrap();
        let _ = client.write(more.as_bytes());
        thread::sleep(Duration::from_millis(700));
        assert!(client.read(&mut text).unwrap() > 0);
        let reads = reads.load(Ordering::Relaxed);
        assert!(reads < 60, "{reads} reads");
    }
}

/// Large content is read in large pieces.
#[test]
fn large_content_takes_few_reads() {
    let (stream, client) = UnixStream::pair().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let counting = Counting(stream, Arc::clone(&reads));
    thread::spawn(move || serve_connection(counting, server_config(), Store::default()));
    let mut client = Client::with_stream(client, client_config()).unwrap();
    let content = "x\r\n".repeat(1_000_000);
    let report = client.send(envelope(&["a"]), content).unwrap();
    assert!(report.is_delivered(), "{report:?}");
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads < 250, "{reads} reads");
}
