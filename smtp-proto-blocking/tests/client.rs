//! The client over loopback.

#![cfg(unix)]

mod support;

use std::{
    cell::Cell,
    error::Error as _,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::delivery::Report;
use smtp_proto::{
    client::{Duplex, NotSentReason, Outcome, Pipelining, Timeouts},
    machine::{Fault, Misuse, Timer},
};
use smtp_proto_blocking::{Body, Client, Error, Transport, client::Options};
use support::{
    Stored, client_config, envelope, narrow_tcp, narrow_unix, ponderous_peer, server_config, tcp,
    with_server,
};

const POLICIES: [Pipelining; 4] = [
    Pipelining::LockStep,
    Pipelining::Group,
    Pipelining::LookAhead,
    Pipelining::Stream { window: 100 },
];

#[test]
fn every_policy_delivers_every_message_unchanged() {
    let contents: Vec<Vec<u8>> = (0..30)
        .map(|n| match n % 3 {
            0 => format!("Subject: {n}\r\n\r\n.\r\n..\r\n.text\r\n").into_bytes(),
            1 => b"x: 0123456789abcdef\r\n".repeat(5_000),
            _ => Vec::new(),
        })
        .collect();
    for pipelining in POLICIES {
        let store = with_server(server_config(), |address| {
            let config = client_config().pipelining(pipelining);
            let mut client = Client::connect(Options::new(config).server(address)).unwrap();
            let messages = contents.iter().enumerate().map(|(n, content)| {
                let body = match n % 2 {
                    0 => Body::from(content.clone()),
                    _ => Body::reader(std::io::Cursor::new(content.clone())),
                };
                (envelope(&["one", "two"]), body)
            });
            let reports: Vec<Report> = client.send_all(messages).map(Result::unwrap).collect();
            let order: Vec<u64> = reports.iter().map(|r| r.message.index()).collect();
            assert_eq!(order, (0..30).collect::<Vec<_>>());
            assert!(reports.iter().all(Report::is_delivered));
            client.quit().unwrap();
        });
        let expected: Vec<Stored> = contents
            .iter()
            .map(|content| Stored {
                from: "<sender@client.example>".to_owned(),
                to: vec!["<one@server.example>".into(), "<two@server.example>".into()],
                content: content.clone(),
            })
            .collect();
        assert_eq!(store.messages(), expected);
        let notes = store.notes();
        assert_eq!(notes.last().map(String::as_str), Some("closed"));
    }
}

/// Iterators may open a file for each message.
#[test]
fn messages_are_taken_from_an_iterator_only_as_they_can_be_sent() {
    for (pipelining, most) in [
        (Pipelining::LookAhead, 6),
        (Pipelining::Stream { window: 5 }, 10),
    ] {
        with_server(server_config(), |address| {
            let config = client_config().pipelining(pipelining);
            let mut client = Client::connect(Options::new(config).server(address)).unwrap();
            let taken = Cell::new(0);
            let messages = (0..200).map(|n| {
                taken.set(taken.get() + 1);
                let text = if n % 3 == 0 { "" } else { "x\r\n" };
                (envelope(&["a"]), text)
            });
            for (reported, report) in client.send_all(messages).enumerate() {
                assert!(report.unwrap().is_delivered());
                assert!(taken.get() - reported <= most, "{} {reported}", taken.get());
            }
            assert_eq!(taken.get(), 200);
            client.quit().unwrap();
        });
    }
}

#[test]
fn one_message_has_one_report_with_every_recipient() {
    let store = with_server(server_config(), |address| {
        let mut client = Client::connect(Options::new(client_config()).server(address)).unwrap();
        assert!(
            client
                .ready()
                .unwrap()
                .has(smtp_proto::syntax::Extension::Pipelining)
        );
        let waiting = client.submit(envelope(&["a"]), "1\r\n").unwrap();
        let report = client.send(envelope(&["a", "no", "b"]), "2\r\n").unwrap();
        assert!(matches!(
            report.recipients[..],
            [
                Outcome::Delivered(_),
                Outcome::Refused(_),
                Outcome::Delivered(_)
            ]
        ));
        assert!(!report.is_delivered());
        let report = client.next_report().unwrap().unwrap();
        assert_eq!(report.message, waiting);
        assert!(report.is_delivered());
        assert_eq!(client.next_report().unwrap(), None);
        assert!(matches!(
            client.send(envelope(&[]), ""),
            Err(Error::Misuse(Misuse::NoRecipient))
        ));
        client.quit().unwrap();
        assert_eq!(client.submit(envelope(&["a"]), ""), Err(Misuse::Quit));
    });
    assert_eq!(store.messages().len(), 2);
}

/// Sends one message to ten thousand recipients, to a peer that reads nothing while it writes.
fn send_to_many<S>(stream: impl Transport + Send + 'static, peer: S, duplex: Duplex)
where
    S: Send + 'static,
    for<'s> &'s S: Read + Write,
{
    let peer = thread::spawn(move || ponderous_peer(&peer));
    let mut client = Client::with_stream(stream, client_config().duplex(duplex)).unwrap();
    let names: Vec<String> = (0..10_000).map(|n| format!("recipient-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = client.send(envelope(&names), "x\r\n").unwrap();
    assert_eq!(report.recipients.len(), 10_000);
    assert!(report.is_delivered());
    client.quit().unwrap();
    drop(client);
    assert_eq!(peer.join().unwrap(), 1);
}

/// 2920-3.1: neither side waits for the other with full buffers.
#[test]
fn ten_thousand_recipients_pass_narrow_tcp_to_a_peer_that_writes_before_it_reads() {
    let (stream, peer) = narrow_tcp();
    send_to_many(stream, peer, Duplex::HALF);
}

/// Even where nothing keeps the client from filling the buffers, a write becomes a read.
#[test]
fn ten_thousand_recipients_pass_at_once_to_a_peer_that_writes_before_it_reads() {
    let (stream, peer) = narrow_unix();
    send_to_many(stream, peer, Duplex::Full);
}

/// Streams messages of 1 MiB, as fast as a window of 100 allows.
fn stream_many<S>(stream: impl Transport + Send + 'static, peer: S, duplex: Duplex)
where
    S: Send + 'static,
    for<'s> &'s S: Read + Write,
{
    const MESSAGES: usize = 120;
    let peer = thread::spawn(move || ponderous_peer(&peer));
    let config = client_config()
        .pipelining(Pipelining::Stream { window: 100 })
        .duplex(duplex);
    let mut client = Client::with_stream(stream, config).unwrap();
    let content: Arc<[u8]> = vec![b'x'; 1 << 20].into();
    let messages = (0..MESSAGES).map(|_| (envelope(&["a"]), Arc::clone(&content)));
    let delivered = client
        .send_all(messages)
        .filter(|report| report.as_ref().unwrap().is_delivered())
        .count();
    assert_eq!(delivered, MESSAGES);
    client.quit().unwrap();
    drop(client);
    assert_eq!(peer.join().unwrap(), MESSAGES);
}

/// 2920-3.1, with content among the commands.
#[test]
fn a_stream_of_large_messages_passes_to_a_peer_that_writes_before_it_reads() {
    let (stream, peer) = narrow_unix();
    stream_many(stream, peer, Duplex::HALF);
    let (stream, peer) = narrow_unix();
    stream_many(stream, peer, Duplex::Full);
}

/// Plays a server that says `replies`, one for each flight that comes, and is gone.
fn cut_after(replies: &'static [&'static str]) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    thread::spawn(move || {
        let mut flight = [0; 4096];
        for reply in replies {
            peer.write_all(reply.as_bytes()).unwrap();
            let _ = peer.read(&mut flight).unwrap();
        }
    });
    stream
}

#[test]
fn every_message_of_a_cut_connection_has_one_report_and_then_the_error_comes() {
    const HELLO: &str = "250-x\r\n250 PIPELINING\r\n";
    let cases: [(&[&str], [&str; 2]); 4] = [
        (&[], ["NotSent", "NotSent"]),
        (&["220 x\r\n"], ["NotSent", "NotSent"]),
        (&["220 x\r\n", HELLO], ["NotSent", "NotSent"]),
        (
            &["220 x\r\n", HELLO, "250 x\r\n250 x\r\n354 x\r\n"],
            ["InDoubt", "NotSent"],
        ),
    ];
    for (replies, expected) in cases {
        let mut client = Client::with_stream(cut_after(replies), client_config()).unwrap();
        let messages = [(envelope(&["a"]), "1\r\n"), (envelope(&["b"]), "2\r\n")];
        let mut reports = client.send_all(messages);
        for (n, expected) in expected.into_iter().enumerate() {
            let report = reports.next().unwrap().unwrap();
            assert_eq!(report.message.index(), n as u64);
            let outcome = match report.outcome {
                Outcome::InDoubt => "InDoubt",
                Outcome::NotSent(why) if why.reason == NotSentReason::ConnectionEnded => "NotSent",
                other => panic!("{other:?}"),
            };
            assert_eq!(outcome, expected, "{replies:?}");
        }
        match reports.next() {
            Some(Err(Error::Session { error, .. })) => {
                assert_eq!(error.fault(), Fault::ConnectionLost);
            }
            other => panic!("{other:?}"),
        }
        assert!(reports.next().is_none());
        assert!(client.next_report().is_err());
        assert!(client.send(envelope(&["a"]), "").is_err());
        assert!(client.quit().is_err());
    }
}

#[test]
fn a_silent_server_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut timeouts = Timeouts::default();
    timeouts.greeting = Duration::from_millis(100);
    let config = client_config().timeouts(timeouts);
    let mut client =
        Client::with_stream(tcp(listener.local_addr().unwrap()), Options::new(config)).unwrap();
    let begin = Instant::now();
    let report = client.send(envelope(&["a"]), "").unwrap();
    assert_eq!(
        report.outcome,
        Outcome::NotSent(NotSentReason::ConnectionEnded.into())
    );
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_millis(100), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    match client.ready() {
        Err(Error::Session { error, .. }) => {
            assert_eq!(error.fault(), Fault::TimedOut(Timer::Greeting));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_content_that_cannot_be_read_is_not_sent() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let store = with_server(server_config(), |address| {
        let mut client = Client::connect(Options::new(client_config()).server(address)).unwrap();
        let report = client
            .send(envelope(&["a"]), Body::reader(b"x\r\n".chain(Broken)))
            .unwrap();
        let Outcome::NotSent(why) = report.outcome else {
            panic!("{report:?}");
        };
        assert_eq!(why.reason, NotSentReason::BodyFailed);
        assert_eq!(why.source().unwrap().to_string(), "broken");
    });
    assert_eq!(store.messages(), []);
}

#[test]
fn the_parts_of_a_client_go_on_by_themselves() {
    let (stream, mut peer) = UnixStream::pair().unwrap();
    peer.write_all(b"220 x\r\n").unwrap();
    let server = thread::spawn(move || {
        let mut flight = [0; 64];
        let bytes = peer.read(&mut flight).unwrap();
        assert_eq!(&flight[..bytes], b"EHLO client.example\r\n");
        peer.write_all(b"250 x\r\n250 unfini").unwrap();
    });
    let mut client = Client::with_stream(stream, client_config()).unwrap();
    assert!(client.ready().is_ok());
    server.join().unwrap();
    let parts = client.into_parts();
    assert!(parts.machine.is_idle());
    assert!(b"250 unfini".starts_with(&parts.unread));
}

/// Takes a few bytes of one slice at a time, and writes down whether it is read from meanwhile.
struct Sipping {
    stream: UnixStream,
    /// What was written since anything was read.
    flight: Vec<u8>,
    flights: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Read for Sipping {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.flight.is_empty() {
            let flight = std::mem::take(&mut self.flight);
            self.flights.lock().unwrap().push(flight);
        }
        self.stream.read(buffer)
    }
}

impl Write for Sipping {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.stream.write(&bytes[..bytes.len().min(100)])?;
        self.flight.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Sipping {
    fn set_read_timeout(&mut self, timeout: Duration) -> std::io::Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> std::io::Result<()> {
        self.stream.set_write_timeout(Some(timeout))
    }

    fn shutdown_write(&mut self) -> std::io::Result<()> {
        self.stream.shutdown_write()
    }
}

/// A read waits for a moment: it is only for writes that really are held up.
#[test]
fn nothing_is_read_within_a_flight_that_the_transport_takes() {
    let (stream, peer) = UnixStream::pair().unwrap();
    let flights = Arc::default();
    let transport = Sipping {
        stream,
        flight: Vec::new(),
        flights: Arc::clone(&flights),
    };
    let content = "..x\r\n.\r\n".repeat(500);
    thread::scope(|scope| {
        scope.spawn(|| ponderous_peer(&peer));
        let mut client = Client::with_stream(transport, client_config()).unwrap();
        assert!(
            client
                .send(envelope(&["a"]), content)
                .unwrap()
                .is_delivered()
        );
    });
    let flights = flights.lock().unwrap();
    let beginnings: Vec<_> = flights
        .iter()
        .map(|flight| String::from_utf8_lossy(&flight[..4]))
        .collect();
    assert_eq!(beginnings, ["EHLO", "MAIL", "...x"]);
}
