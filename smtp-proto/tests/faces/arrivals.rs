//! What happens to a connection between its being accepted and the greeting, and where it comes from.

use std::{
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::super::{ProxyProtocol, from_outside};
use super::{
    Client, PATIENCE, Running, bind, config,
    face::{
        Error,
        server::{
            Arrival, Config, Envelope, Handler, Host, InMemory, Options, Prepare, Recipient,
            Refusal, Session, Shutdown, Tally, Transaction, Verdict, accept, refuse,
        },
    },
    in_memory,
};

/// Takes all, and notes who has come.
#[derive(Default)]
struct Guests(Mutex<Vec<String>>);

impl Handler for Guests {
    type Sink = InMemory;

    spelled! {
        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(&self, _: &Session, _: Envelope) -> Result<InMemory, Refusal> {
            Ok(in_memory())
        }
    }

    fn closed(&self, session: &Session, result: Result<(), &Error>, tally: &Tally) {
        let peer = session.peer().map(|peer| peer.to_string());
        let local = session.local().map(|local| local.port());
        let (begun, is_well) = (tally.begun, result.is_ok());
        let note = format!("{peer:?} {local:?} begun {begun}, well {is_well}");
        self.0.lock().unwrap().push(note);
    }

    fn accept_failed(&self, error: &std::io::Error) {
        let note = format!("accept failed: {error}");
        self.0.lock().unwrap().push(note);
    }
}

impl Guests {
    /// Waits for so many to be gone, and returns what was noted of them.
    fn gone(&self, count: usize) -> Vec<String> {
        let start = Instant::now();
        loop {
            let notes = self.0.lock().unwrap().clone();
            if notes.len() >= count || start.elapsed() > PATIENCE {
                assert_eq!(notes.len(), count, "{notes:?}");
                return notes;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A header of version 2, for IPv6.
fn version_2(source: [u8; 16], port: u16) -> Vec<u8> {
    let destination = [0x20; 16];
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    header.extend(source);
    header.extend(destination);
    header.extend(port.to_be_bytes());
    header.extend(25_u16.to_be_bytes());
    header
}

fn say_bytes(client: &mut Client, bytes: &[u8]) {
    use std::io::Write;
    client.0.get_mut().write_all(bytes).unwrap();
}

const VERSION_1: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\r\n";

/// The address that a proxy says is the client's, for the handler and for the limits.
#[test]
fn a_proxy_says_whom_it_speaks_for() {
    let guests = Arc::new(Guests::default());
    let server = bind(config().into())
        .max_connections_per_peer(1)
        .prepare(ProxyProtocol, PATIENCE);
    let running = Running::serve(server, &guests, Shutdown::new());
    let mut first = running.client();
    first.say(VERSION_1);
    first.hello();
    let mut second = running.client();
    say_bytes(&mut second, &version_2([0x20; 16], 4001));
    second.hello();
    let mut third = running.client();
    third.say(&VERSION_1.replace("4000", "4002"));
    assert_eq!(
        third.rest(),
        "421 4.7.0 mx.example.net Too many connections, try again later\r\n"
    );
    assert_eq!(
        guests.gone(1),
        ["Some(\"192.0.2.1:4002\") Some(25) begun false, well false"]
    );
    for client in [&mut first, &mut second] {
        assert_eq!(&client.send("a@x", "b@x")[..3], "250");
        assert_eq!(&client.ask("QUIT")[..3], "221");
    }
    let gone = guests.gone(3).join("; ");
    for peer in [
        "192.0.2.1:4000",
        "[2020:2020:2020:2020:2020:2020:2020:2020]:4001",
    ] {
        assert!(gone.contains(peer), "{gone}");
    }
    running.end();
}

/// Whoever does not say for whom it speaks, hears nothing, and takes no place for long.
#[test]
fn what_is_not_prepared_in_time_is_closed_without_a_word() {
    let guests = Arc::new(Guests::default());
    let server = bind(config().into()).prepare(ProxyProtocol, Duration::from_millis(300));
    let running = Running::serve(server, &guests, Shutdown::new());
    let start = Instant::now();
    let mut trickling = running.client();
    let mut trickle = trickling.0.get_ref().try_clone().unwrap();
    let trickles = std::thread::spawn(move || {
        use std::io::Write;
        for byte in VERSION_1.bytes() {
            if trickle.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(running.client().rest(), "");
    assert_eq!(trickling.rest(), "");
    assert!(start.elapsed() < Duration::from_millis(1500));
    let mut nonsense = running.client();
    nonsense.say("EHLO client.example\r\n");
    assert_eq!(nonsense.rest(), "");
    for note in guests.gone(3) {
        assert!(note.ends_with("begun false, well false"), "{note}");
    }
    trickles.join().unwrap();
    running.end();
}

/// What becomes of connections.
enum Doorman {
    Refuses,
    Panics,
    Renames,
}

impl Prepare for Doorman {
    spelled! {
        fn prepare(&self, arrival: &mut Arrival) -> Result<(), Refusal> {
            assert!(arrival.options().peer().is_some() && arrival.options().local().is_some());
            match self {
                Self::Refuses => Err(refuse!("554 5.7.1 Not you")),
                Self::Panics => panic!("as it was told"),
                Self::Renames => {
                    let name = Host::parse("other.example").unwrap();
                    arrival.configure(|options| options.configure(|_| Config::new(name)));
                    Ok(())
                }
            }
        }
    }
}

#[test]
fn who_prepares_may_refuse_or_choose_the_options() {
    for (doorman, said) in [
        (Doorman::Refuses, "554 5.7.1 Not you\r\n"),
        (
            Doorman::Panics,
            "421 4.3.0 mx.example.net Local error in processing, closing connection\r\n",
        ),
        (Doorman::Renames, "220 other.example ESMTP\r\n"),
    ] {
        let guests = Arc::new(Guests::default());
        let server = bind(config().into()).prepare(doorman, PATIENCE);
        let running = Running::serve(server, &guests, Shutdown::new());
        let mut client = running.client();
        assert_eq!(client.reply(), said);
        if !said.starts_with("421") {
            assert_eq!(&client.ask("QUIT")[..3], "221");
        }
        assert_eq!(client.rest(), "");
        guests.gone(1);
        running.end();
    }
}

/// A shutdown does not wait for whoever has not said anything.
#[test]
fn what_is_being_prepared_outlasts_no_shutdown() {
    let guests = Arc::new(Guests::default());
    let server = bind(config().into()).prepare(ProxyProtocol, Duration::from_secs(3600));
    let running = Running::serve(server, &guests, Shutdown::new());
    let client = running.client();
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    running.shutdown.abort();
    running.join();
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(client);
    guests.gone(1);
}

/// Whatever cannot be set of a connection is that connection's: the next one does not wait for it.
#[test]
fn clients_that_reset_at_once_keep_nobody_waiting() {
    let guests = Arc::new(Guests::default());
    let running = Running::start(&guests, config());
    for _ in 0..30 {
        let stream = TcpStream::connect(running.address).unwrap();
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(&stream).set_linger(linger).unwrap();
    }
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.ask("QUIT")[..3], "221");
    for note in guests.gone(31) {
        assert!(note.contains("begun"), "{note}");
    }
    running.end();
}

/// A socket of which nothing can be set is served all the same.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
#[test]
fn what_cannot_be_set_of_a_socket_keeps_nobody_waiting() {
    let guests = Arc::new(Guests::default());
    let server = bind(config().into());
    let running = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            smtp_proto_test_support::without_nodelay();
            Running::serve(server, &guests, Shutdown::new())
        });
        thread.join().unwrap()
    });
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.ask("QUIT")[..3], "221");
    let gone = guests.gone(1);
    assert!(gone[0].ends_with("begun true, well true"), "{gone:?}");
    running.end();
}

#[test]
fn listeners_may_come_from_outside() {
    let guests = Arc::new(Guests::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = Running::serve(
        from_outside::tcp(listener, Options::new(config())),
        &guests,
        Shutdown::new(),
    );
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.send("a@x", "b@x")[..3], "250");
    assert_eq!(&client.ask("QUIT")[..3], "221");
    running.end();
}

#[cfg(unix)]
#[test]
fn unix_listeners_may_come_from_outside() {
    use std::{
        io::{BufRead, BufReader},
        os::unix::net::{UnixListener, UnixStream},
    };
    let name = format!("smtp-proto-outside-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let server = from_outside::unix(listener, Options::new(config()));
    let (guests, shutdown) = (Arc::new(Guests::default()), Shutdown::new());
    let thread = super::run(server, Arc::clone(&guests), shutdown.clone());
    let mut greeting = String::new();
    let stream = UnixStream::connect(&path).unwrap();
    BufReader::new(stream).read_line(&mut greeting).unwrap();
    assert_eq!(greeting, "220 mx.example.net ESMTP\r\n");
    assert_eq!(guests.gone(1), ["None None begun true, well false"]);
    shutdown.begin();
    thread.join().unwrap();
    std::fs::remove_file(path).unwrap();
}
