//! Bounds, and what clients may not do too often.

use crate::peer::{Decision, Peer, config};
use core::time::Duration;
use smtp_proto::machine::{Fault, limits};
use smtp_proto::server::{Config, Event, Server};

const UNKNOWN: &str = "500 5.5.2 Command not recognised\r\n";
const TOO_MANY: &str = "421 4.7.0 mx.example too many errors, closing connection\r\n";

/// CMD-8, 5321-3.8-a, 5321-4.2-j, 5321-7.8-a
#[test]
fn twenty_errors() {
    let mut peer = Peer::greeted(config());
    for _ in 0..19 {
        assert_eq!(peer.send("FOO\r\n"), "500 5.5.2 Command not recognised\r\n");
    }
    assert_eq!(
        peer.send("FOO\r\n"),
        format!("500 5.5.2 Command not recognised\r\n{TOO_MANY}")
    );
    assert_eq!(peer.fault(), Some(Fault::TooManyErrors));
}

/// CMD-8: a hundred commands to no purpose.
#[test]
fn a_hundred_idle_commands() {
    for command in ["NOOP", "RSET", "VRFY x", "HELP", "EHLO c.example", "BDAT 0"] {
        let mut peer = Peer::greeted(config().max_errors(1000));
        for _ in 0..100 {
            peer.send(&format!("{command}\r\n"));
        }
        assert_eq!(peer.fault(), None, "{command}");
        let got = peer.send(&format!("{command}\r\n"));
        assert!(got.ends_with(TOO_MANY), "{command}: {got}");
    }
}

/// BDT-3: an empty chunk is taken, and counted.
#[test]
fn a_hundred_empty_chunks() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    for _ in 0..100 {
        assert_eq!(peer.send("BDAT 0\r\n"), "250 2.0.0 Chunk OK\r\n");
    }
    let got = peer.send("BDAT 0\r\n");
    assert!(got.ends_with(TOO_MANY), "{got}");
    assert_eq!(peer.fault(), Some(Fault::TooManyErrors));
    assert!(peer.messages.is_empty());
}

/// BDT-8: nothing is kept of chunks that were answered: what a server holds, all of which it shows,
/// is the same after ten as after a hundred thousand, but for its counts.
#[test]
fn small_chunks_leave_nothing_after() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    let mut held = Vec::new();
    for chunks in [10, 100_000] {
        for _ in 0..chunks {
            assert_eq!(peer.send("BDAT 1\r\nx"), "250 2.0.0 Chunk OK\r\n");
        }
        let digitless = format!("{:?}", peer.server).replace(|it: char| it.is_ascii_digit(), "");
        held.push(digitless);
    }
    assert_eq!(held[0], held[1]);
    assert_eq!(
        peer.send("BDAT 0 LAST\r\n"),
        "250 2.0.0 Message accepted\r\n"
    );
    assert_eq!(peer.messages, [vec![b'x'; 100_010]]);
}

/// One RSET for each transaction is free; an accepted message clears the counts.
#[test]
fn what_is_not_held_against_a_client() {
    let mut peer = Peer::greeted(config());
    for _ in 0..200 {
        peer.send("RSET\r\nMAIL FROM:<>\r\n");
    }
    for _ in 0..10 {
        for _ in 0..15 {
            peer.send("FOO\r\n");
            peer.send("NOOP\r\n");
        }
        peer.send("RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 0 LAST\r\n");
    }
    assert_eq!(peer.fault(), None);
}

/// CMD-9, 5321-4.5.3.1.8-a, 5321-4.5.3.1.10-a, 5321-4.1.1.3-b
#[test]
fn too_many_recipients() {
    let mut peer = Peer::greeted(config().max_recipients(100));
    peer.send("MAIL FROM:<>\r\n");
    let hundred = "RCPT TO:<a@b.example>\r\n".repeat(100);
    assert_eq!(
        peer.send(&hundred),
        "250 2.1.5 Recipient OK\r\n".repeat(100)
    );
    assert_eq!(
        peer.send(&hundred.repeat(10)),
        "452 4.5.3 Too many recipients\r\n".repeat(1000)
    );
    assert_eq!(peer.fault(), None);
    assert_eq!(
        peer.send(&hundred),
        "452 4.5.3 Too many recipients\r\n".repeat(20) + TOO_MANY
    );
}

/// CMD-15: what the application refuses counts as Postfix counts it: MAIL and RCPT, each once.
#[test]
fn refused_senders_and_recipients_are_errors() {
    let refusing = |config: Config| {
        Peer::greeted(config).deciding(|event| match event {
            Event::Rcpt { .. } => Decision::Reply("550 5.1.1 no"),
            Event::Mail { from, .. } if from.to_string().contains("no@") => {
                Decision::Reply("450 4.7.1 later")
            }
            _ => Decision::Accept,
        })
    };
    let mut peer = refusing(config());
    let rcpt = "RCPT TO:<a@b.example>\r\n";
    peer.send("MAIL FROM:<no@b.example>\r\n");
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(
        peer.send(&rcpt.repeat(5400)),
        "550 5.1.1 no\r\n".repeat(19) + TOO_MANY
    );
    assert_eq!(peer.fault(), Some(Fault::TooManyErrors));

    let mut peer = refusing(config().slow_down(2, Duration::from_secs(1)));
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(peer.send(rcpt), "550 5.1.1 no\r\n");
    assert_eq!(peer.send(rcpt), "");
    assert_eq!(peer.wait(1), "550 5.1.1 no\r\n");
    // What the application had no time for is not the client's error.
    let mut peer = Peer::greeted(config().max_errors(2)).deciding(|event| match event {
        Event::Rcpt { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("MAIL FROM:<>\r\n");
    peer.send(&rcpt.repeat(3));
    assert_eq!(peer.wait(240).matches("451 4.3.0").count(), 3);
    assert_eq!(peer.fault(), None);
}

const SESSION_OVER: &str = "421 4.7.0 mx.example session limit reached, closing connection\r\n";
const MESSAGE: &str = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 4 LAST\r\nabcd";

/// A session that has brought enough is ended by 421 in place of the next transaction, and not before:
/// QUIT is still 221.
#[test]
fn messages_and_bytes_of_a_session() {
    for config in [
        config().max_session_messages(2).max_errors(1),
        config().max_session_bytes(8),
    ] {
        let mut peer = Peer::greeted(config.clone());
        assert!(!peer.send(MESSAGE).contains("421"));
        assert!(!peer.send(MESSAGE).contains("421"));
        assert_eq!(&peer.send("QUIT\r\n")[..3], "221");

        let mut peer = Peer::greeted(config);
        let got = peer.send(&MESSAGE.repeat(4));
        assert!(got.ends_with(SESSION_OVER), "{got}");
        assert_eq!(got.matches("421").count(), 1);
        assert_eq!(got.matches("250 2.0.0 Message accepted").count(), 2);
        assert_eq!(peer.messages.len(), 2);
        assert_eq!(peer.fault(), Some(Fault::SessionLimit));
        assert!(peer.events().contains(&"rejected 421 MAIL FROM:<>".into()));
    }
}

/// Nor does its time cut a transaction off: it ends with that, or while nothing is under way.
#[test]
fn the_time_of_a_session() {
    let config = config().max_session(Duration::from_secs(600));
    let mut peer = Peer::greeted(config.clone());
    for _ in 0..5 {
        assert_eq!(peer.wait(119), "");
        peer.send("RSET\r\n");
    }
    assert_eq!(peer.wait(4), "");
    assert_eq!(peer.wait(1), SESSION_OVER);
    assert_eq!(peer.fault(), Some(Fault::SessionLimit));

    let mut peer = Peer::greeted(config).deciding(|event| match event {
        Event::Message { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    for _ in 0..5 {
        peer.wait(119);
        peer.send("RSET\r\n");
    }
    peer.send(MESSAGE);
    assert_eq!(peer.wait(200), "");
    assert_eq!(peer.accept("message"), "250 2.0.0 Message accepted\r\n");
    assert_eq!(peer.wait(0), SESSION_OVER);
}

/// Whether there is room for a recipient is known when those before it are decided.
#[test]
fn refused_recipients_leave_room() {
    let config = config().max_recipients(100).max_errors(1000);
    let mut peer = Peer::greeted(config).deciding(|event| match event {
        Event::Rcpt { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("MAIL FROM:<>\r\n");
    peer.send(&"RCPT TO:<a@b.example>\r\n".repeat(101));
    assert_eq!(peer.tickets.len(), 100);
    assert!(!peer.server.wants_read());
    for _ in 0..100 {
        peer.answer("rcpt", "550 5.1.1 no");
    }
    assert_eq!(peer.tickets.len(), 1);
}

/// The commands without reply are bounded.
#[test]
fn unanswered_commands_are_bounded() {
    let mut peer =
        Peer::greeted(config().max_unanswered_commands(10)).deciding(|event| match event {
            Event::Rcpt { .. } => Decision::Hold,
            _ => Decision::Accept,
        });
    peer.send("MAIL FROM:<>\r\n");
    peer.send(&"RCPT TO:<a@b.example>\r\n".repeat(50));
    assert_eq!(peer.tickets.len(), 10);
    assert!(!peer.server.wants_read());
    peer.accept("rcpt");
    assert_eq!(peer.tickets.len(), 10);
}

/// RES-4: a client that sends and does not read stops being heard.
#[test]
fn output_is_bounded() {
    let mut peer = Peer::greeted(config().max_output(1000).max_errors(1000));
    peer.unconsumed = "MAIL FROM:<>\r\n".repeat(10_000).into();
    peer.poll();
    let len = peer
        .server
        .poll_transmit(peer.now)
        .map_or(0, |transmit| transmit.len());
    assert!((1000..1100).contains(&len), "{len}");
    assert!(!peer.server.wants_read());
}

/// BDT-7: bytes of refused chunks are bounded too, from one MAIL or RSET to the next.
#[test]
fn swallowed_chunks_are_bounded() {
    let chunk = format!("BDAT 60000\r\n{}", "x".repeat(60_000));
    for between in ["RSET\r\n", "MAIL FROM:<>\r\n"] {
        let mut peer = Peer::greeted(config().max_message_size(65_536));
        peer.send(&chunk);
        peer.send(between);
        assert_eq!(peer.send(&chunk), "503 5.5.1 Bad sequence of commands\r\n");
        assert_eq!(
            peer.send(&chunk),
            "552 5.3.4 Too much of what is refused, closing connection\r\n"
        );
        assert_eq!(peer.fault(), Some(Fault::TooMuchRefused));
    }
}

/// RES-2: an idle server is small.
#[test]
fn size() {
    assert!(size_of::<Server>() < 1024, "{}", size_of::<Server>());
    // Each is moved several times on its way to the application.
    assert!(size_of::<Event<'_>>() <= 128, "{}", size_of::<Event<'_>>());
}

/// a bad line in a group is one error, and the others go on.
#[test]
fn bad_lines_in_a_group() {
    let mut peer = Peer::greeted(config().max_command_line(512));
    let long = "x".repeat(600);
    assert_eq!(
        peer.send(&format!(
            "MAIL FROM:<>\r\nRCPT TO:<{long}\r\nFOO\r\nRCPT TO:<a\r\nRCPT TO:<a@b.example>\r\n"
        )),
        "250 2.1.0 Sender OK\r\n500 5.5.2 Line too long\r\n\
         500 5.5.2 Command not recognised\r\n\
         501 5.1.3 Syntax error in the recipient\r\n\
         250 2.1.5 Recipient OK\r\n"
    );
}

/// 5321-4.5.3.1.6-a, 6152-3-d: lines of 1000 bytes, a stuffed dot not counted, of 8 bits too; and
/// longer ones, unsplit.
#[test]
fn long_lines() {
    let bytes = format!(
        "{}\r\n.{}\r\n{}\r\n",
        "é".repeat(499),
        "x".repeat(997),
        "y".repeat(100_000)
    );
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b.example>\r\nDATA\r\n");
    assert_eq!(
        peer.send(&format!("{}.\r\n", bytes.replace("\n.", "\n.."))),
        "250 2.0.0 Message accepted\r\n"
    );
    assert_eq!(peer.messages, [bytes.as_bytes()]);
}

/// Errs ten times.
fn slowed_down(config: Config) -> Peer {
    let config = config.slow_down(limits::SOFT_ERRORS, limits::ERROR_DELAY);
    let mut peer = Peer::greeted(config.max_idle_commands(1000));
    for _ in 0..10 {
        assert_eq!(peer.send("FOO\r\n"), UNKNOWN);
    }
    peer.events();
    peer
}

/// Postfix's `smtpd_soft_error_limit` and `smtpd_error_sleep_time`: after ten errors each reply is
/// held back for a second, and what came with the command is not looked at meanwhile.
#[test]
fn errors_slow_a_client_down() {
    let mut peer = slowed_down(config());
    let begun = peer.now;
    assert_eq!(peer.send("FOO\r\nMAIL FROM:<>\r\nRSET\r\n"), "");
    assert_eq!(peer.events(), ["rejected 500 FOO"]);
    assert!(!peer.server.wants_read());
    assert_eq!(
        peer.server.poll_timeout(),
        Some(begun + Duration::from_secs(1))
    );
    peer.now += Duration::from_millis(999);
    assert_eq!(peer.wait(0), "");
    peer.now += Duration::from_millis(1);
    assert_eq!(peer.wait(0), UNKNOWN);
    assert_eq!(peer.events(), ["mail 1 <>"]);
    assert_eq!(peer.wait(1), "250 2.1.0 Sender OK\r\n");
    assert_eq!(peer.events(), ["reset 1 Reset"]);
    assert_eq!(peer.wait(1), "250 2.0.0 OK\r\n");
    // Then it is the client's turn: its own timer begins here.
    assert!(peer.server.wants_read());
    assert_eq!(
        peer.server.poll_timeout(),
        Some(begun + Duration::from_secs(3 + 300))
    );
    // A verdict that comes later than that waits its own second.
    peer.decide = Box::new(|_| Decision::Hold);
    assert_eq!(peer.send("VRFY x\r\n"), "");
    assert_eq!(peer.wait(10), "");
    assert_eq!(peer.accept("vrfy"), "");
    assert!(peer.wait(1).starts_with("252 "));
}

/// The last replies of a session are not held back; nor is anything by a delay of 0, or after an
/// accepted message.
#[test]
fn what_is_not_held_back() {
    let mut peer = slowed_down(config());
    assert_eq!(
        peer.send("QUIT\r\n"),
        "221 2.0.0 mx.example closing connection\r\n"
    );
    let mut peer = slowed_down(config().max_errors(11));
    assert_eq!(peer.send("FOO\r\n"), format!("{UNKNOWN}{TOO_MANY}"));

    let mut peer = Peer::greeted(config().slow_down(0, Duration::ZERO));
    assert_eq!(peer.send("FOO\r\n"), UNKNOWN);

    let mut peer = slowed_down(config());
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 0 LAST\r\nNOOP\r\n");
    let mut got = String::new();
    for _ in 0..2 {
        got += &peer.wait(1);
    }
    // The verdict ends it.
    assert_eq!(
        got,
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
         250 2.0.0 Message accepted\r\n250 2.0.0 OK\r\n"
    );
}

/// A client that goes away while its reply is held back.
#[test]
fn gone_while_held_back() {
    let mut peer = slowed_down(config());
    assert_eq!(peer.send("FOO\r\n"), "");
    peer.server.handle_eof();
    assert_eq!(peer.fault(), None);
    assert_eq!(peer.wait(1), UNKNOWN);
    assert_eq!(peer.fault(), Some(Fault::ConnectionLost));
    assert!(peer.server.is_closed());
}
