//! The driver of the docs, the very text, against clients that do what they should not.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::machine::{self, Fault, Timer, TlsInfo};
use smtp_proto::server::{Config, Event, Server, Tls};

use crate::peer::config;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn is_wait(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn now() -> Duration {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed()
}

include!("../../docs/serve.rs");

/// What a client does, step by step.
enum Act {
    Send(&'static str),
    /// Reads up to a line that begins so.
    Read(&'static str),
    /// Says nothing for so long.
    Wait(u64),
    /// Sends no more.
    HalfClose,
    /// Is gone.
    Cut,
}

use Act::{Cut, HalfClose, Read as Hear, Send as Say, Wait};

/// Plays the client; returns what it read.
fn play(mut socket: TcpStream, script: &[Act]) -> String {
    let limit = Some(Duration::from_secs(20));
    socket.set_read_timeout(limit).unwrap();
    let (mut heard, mut buffer) = (String::new(), [0; 4096]);
    let mut done = 0;
    for act in script {
        match act {
            Say(text) => {
                for piece in text.as_bytes().chunks(7) {
                    // The server may be gone.
                    let _ = socket.write_all(piece);
                }
            }
            Hear(beginning) => loop {
                let line = heard[done..].find('\n').map(|at| done + at + 1);
                match line {
                    Some(end) => {
                        let is_it = heard[done..].starts_with(beginning);
                        done = end;
                        if is_it {
                            break;
                        }
                    }
                    None => match socket.read(&mut buffer) {
                        Ok(0) | Err(_) => panic!("no {beginning} in {heard:?}"),
                        Ok(read) => heard += &String::from_utf8_lossy(&buffer[..read]),
                    },
                }
            },
            Wait(milliseconds) => thread::sleep(Duration::from_millis(*milliseconds)),
            HalfClose => socket.shutdown(Shutdown::Write).unwrap(),
            Cut => return heard,
        }
    }
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    heard + &String::from_utf8_lossy(&rest)
}

/// Runs the driver against a script. Returns what the client read, what the application took, and how
/// it ended.
fn run(config: Config, script: &'static [Act]) -> (String, String, Result<(), machine::Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || play(TcpStream::connect(address).unwrap(), script));
    let (socket, _) = listener.accept().unwrap();
    let mut taken = String::new();
    // In the place of TLS, the same bytes in clear.
    let handshake = |socket| Ok((Box::new(socket) as Box<dyn Stream>, TlsInfo::default()));
    let ended = serve(
        Server::new(config, now()),
        &socket,
        handshake,
        |server, event| {
            let answered = match event {
                Event::Content { bytes, .. } => {
                    taken += &String::from_utf8_lossy(bytes);
                    return;
                }
                Event::Rcpt { ref to, .. } if to.to_string().contains("full") => {
                    let ticket = event.into_ticket().unwrap();
                    server.reply(ticket, crate::peer::reply("452 4.2.2 full"))
                }
                Event::Connected { ticket }
                | Event::Hello { ticket, .. }
                | Event::StartTls { ticket }
                | Event::Mail { ticket, .. }
                | Event::Rcpt { ticket, .. }
                | Event::Data { ticket, .. } => server.accept(ticket),
                Event::Message { ticket, .. } => {
                    taken += "|";
                    server.accept(ticket)
                }
                event => return server.decline(event),
            };
            answered.unwrap();
        },
    );
    drop(socket);
    (client.join().unwrap(), taken, ended)
}

fn fault(ended: Result<(), machine::Error>) -> Option<Fault> {
    ended.err().map(|error| error.fault())
}

const GREETING: Act = Hear("220");
const HELLO: Act = Say("EHLO c.example\r\n");
const OFFER: Act = Hear("250 ");
const ENVELOPE: Act =
    Say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<full@d.example>\r\nDATA\r\n");

/// One recipient is put off, the content comes in pieces, and the client half-closes after QUIT.
#[test]
fn a_message_and_a_half_close() {
    let (heard, taken, ended) = run(
        config(),
        &[
            GREETING,
            HELLO,
            OFFER,
            ENVELOPE,
            Hear("354"),
            Say("Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n"),
            HalfClose,
        ],
    );
    assert!(ended.is_ok());
    assert_eq!(taken, "Subject: x\r\n\r\n.dot\r\n|");
    assert!(heard.contains("452 4.2.2 full\r\n"));
    assert!(heard.ends_with("221 2.0.0 mx.example closing connection\r\n"));
}

/// Silence: the timer ends it, with a word, before EHLO, in a line and in content.
#[test]
fn silence() {
    let impatient = || {
        config()
            .idle_timeout(Duration::from_millis(150))
            .receive_timeout(Duration::from_millis(150))
    };
    let idle: &'static [Act] = &[GREETING, Say("NO"), Wait(1500)];
    let content: &'static [Act] = &[
        GREETING,
        HELLO,
        OFFER,
        ENVELOPE,
        Hear("354"),
        Say("x"),
        Wait(1500),
    ];
    for (script, timer) in [(idle, Timer::Idle), (content, Timer::Receive)] {
        let (heard, _, ended) = run(impatient(), script);
        assert!(heard.ends_with("421 4.4.2 mx.example timed out, closing connection\r\n"));
        assert_eq!(fault(ended), Some(Fault::TimedOut(timer)));
    }
}

/// A cut in mid-content delivers nothing, and is told.
#[test]
fn a_cut() {
    let (_, taken, ended) = run(
        config(),
        &[
            GREETING,
            HELLO,
            OFFER,
            ENVELOPE,
            Hear("354"),
            Say("half a mess"),
            Cut,
        ],
    );
    assert_eq!(taken, "half a mess");
    assert!(matches!(
        fault(ended),
        Some(Fault::ConnectionLost | Fault::WriteFailed)
    ));
}

/// What is no SMTP, and what hides commands, is answered once.
#[test]
fn what_is_no_smtp() {
    let (heard, _, ended) = run(
        config(),
        &[GREETING, Say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    );
    assert!(heard.ends_with("521 5.5.1 This is SMTP, closing connection\r\n"));
    assert!(matches!(fault(ended), Some(Fault::ForeignProtocol(_))));
    let (heard, taken, ended) = run(
        config(),
        &[
            GREETING,
            HELLO,
            OFFER,
            Say("NOOP\nMAIL FROM:<a@b.example>\r\n"),
        ],
    );
    assert!(heard.ends_with("500 5.5.2 Line has a bare LF, closing connection\r\n"));
    assert_eq!(
        (taken.as_str(), fault(ended)),
        ("", Some(Fault::BareLineFeed))
    );
}

/// Replies that are held back leave when their time comes, though nothing is read meanwhile.
#[test]
fn a_client_that_is_slowed_down() {
    let slow = config()
        .slow_down(1, Duration::from_millis(120))
        .max_errors(4);
    let begun = Instant::now();
    let (heard, _, ended) = run(slow, &[GREETING, HELLO, OFFER, Say("A\r\nB\r\nC\r\nD\r\n")]);
    assert_eq!(heard.matches("500 5.5.2").count(), 4);
    assert!(heard.ends_with("too many errors, closing connection\r\n"));
    assert_eq!(fault(ended), Some(Fault::TooManyErrors));
    assert!(begun.elapsed() > Duration::from_millis(230));
}

/// STARTTLS goes through the hook, after which the session begins afresh.
#[test]
fn through_the_handshake() {
    let (heard, _, ended) = run(
        config().tls(Tls::Required),
        &[
            GREETING,
            HELLO,
            OFFER,
            Say("MAIL FROM:<>\r\n"),
            Hear("530"),
            Say("STARTTLS\r\n"),
            Hear("220"),
            HELLO,
            OFFER,
            Say("MAIL FROM:<>\r\n"),
            Hear("250"),
            Say("QUIT\r\n"),
        ],
    );
    assert!(ended.is_ok());
    assert!(heard.ends_with("221 2.0.0 mx.example closing connection\r\n"));
}
