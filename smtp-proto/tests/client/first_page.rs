//! The loop of the first page, word for word, against servers that do not mean well.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Body, BodyRequest, Client, Event, MessageId, Outcome, Pipelining, Timeouts},
    delivery::{Report, Reports},
    machine::{Error, Fault, Timer},
};

use crate::dialogue::{CONTENT, STUFFED, config, delivered, envelope, refused};

const MILLISECOND: Duration = Duration::from_millis(1);

include!("../../docs/client_loop.rs");

/// What a server does after it has read so many line ends since the last time.
enum Then {
    Say(usize, &'static str),
    /// Says nothing more, until the client has gone.
    Wait,
    /// Closes the connection, with what has arrived unread.
    Cut,
}

/// Runs the loop against a server with a script. Returns what became of the message to two recipients,
/// the error, and what the server has read.
fn run(script: Vec<Then>) -> (Option<Report>, Option<Fault>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let (mut wire, mut byte) = (Vec::new(), [0]);
        for then in script {
            match then {
                Then::Say(lines, words) => {
                    let from = wire.len();
                    while wire[from..].iter().filter(|&&byte| byte == b'\n').count() < lines {
                        match socket.read(&mut byte) {
                            Ok(1) => wire.push(byte[0]),
                            _ => return wire,
                        }
                    }
                    if socket.write_all(words.as_bytes()).is_err() {
                        return wire;
                    }
                }
                Then::Wait => {
                    let _ = socket.read_to_end(&mut wire);
                }
                Then::Cut => return wire,
            }
        }
        wire
    });
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_millis(200);
    timeouts.data_termination = Duration::from_millis(200);
    let mut client = Client::new(
        config(Pipelining::LookAhead).timeouts(timeouts),
        Duration::ZERO,
    );
    let to = ["b@example.net", "c@example.net"];
    let message: MessageId = client.submit(&envelope("a@example.org", &to)).unwrap();
    client.quit();
    let mut reports = Reports::default();
    reports.expect(message, to.len());
    let mut report = None;
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let content = |request: BodyRequest| Body::Last(&CONTENT[request.offset as usize..]);
    let driven = drive(&mut client, &mut socket, content, |event: Event<'_>| {
        report = reports.observe(event).or(report.take());
    });
    drop(socket);
    let error = driven
        .err()
        .map(|error| error.downcast::<Error>().unwrap().fault());
    let wire = String::from_utf8(server.join().unwrap()).unwrap();
    (report, error, wire)
}

fn opening() -> Vec<Then> {
    vec![
        Then::Say(0, "220 x\r\n"),
        Then::Say(1, "250-x\r\n250 PIPELINING\r\n"),
    ]
}

/// A second recipient that is put off has the whole content in its own transaction.
#[test]
fn a_recipient_is_put_off() {
    let mut script = opening();
    script.extend([
        Then::Say(4, "250 ok\r\n250 b\r\n452 4.5.3 too many\r\n354 go\r\n"),
        Then::Say(
            4 + 4,
            "250 one\r\n250 reset\r\n250 ok\r\n250 c\r\n354 go\r\n",
        ),
        Then::Say(4 + 1, "250 two\r\n221 bye\r\n"),
    ]);
    let (report, error, wire) = run(script);
    assert_eq!(error, None);
    assert_eq!(wire.matches(STUFFED).count(), 2, "{wire}");
    let expected = [delivered("250 one\r\n"), delivered("250 two\r\n")];
    assert_eq!(report.unwrap().recipients, expected);
}

/// Silence ends with the timer, a cut at once; either way the outcome is told before the error.
#[test]
fn the_verdict_never_comes() {
    for (last, fault) in [
        (Then::Wait, Fault::TimedOut(Timer::DataTermination)),
        (Then::Cut, Fault::ConnectionLost),
    ] {
        let mut script = opening();
        script.push(Then::Say(4, "250 ok\r\n250 b\r\n250 c\r\n354 go\r\n"));
        script.push(Then::Say(4 + 1, ""));
        script.push(last);
        let (report, error, _) = run(script);
        let expected = [Outcome::InDoubt, Outcome::InDoubt];
        assert_eq!(report.unwrap().recipients, expected);
        assert_eq!(error, Some(fault));
    }
}

/// A refusal is told, and nothing of the content leaves.
#[test]
fn the_sender_is_refused() {
    let mut script = opening();
    script.push(Then::Say(4, "550 no\r\n503 no\r\n503 no\r\n503 no\r\n"));
    script.push(Then::Say(1, "221 bye\r\n"));
    let (report, error, wire) = run(script);
    let refusal = refused(smtp_proto::machine::Step::Mail, "550 no\r\n");
    assert_eq!(report.unwrap().recipients, [refusal.clone(), refusal]);
    assert_eq!(error, None);
    assert!(!wire.contains("Subject"));
}

/// A server that closes at once, or refuses the session.
#[test]
fn there_is_no_session() {
    let (report, error, _) = run(vec![Then::Cut]);
    assert!(matches!(report.unwrap().outcome, Outcome::NotSent(_)));
    assert!(error.is_some());
    let (report, error, _) = run(vec![
        Then::Say(0, "554 no\r\n"),
        Then::Say(1, "221 bye\r\n"),
    ]);
    assert!(matches!(report.unwrap().outcome, Outcome::NotSent(_)));
    assert_eq!(error, Some(Fault::SessionRefused));
}
