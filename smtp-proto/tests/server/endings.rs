//! How sessions end.

use core::time::Duration;

use crate::peer::{Decision, Peer, config, reply};
use smtp_proto::machine::{Fault, Misuse, Timer};
use smtp_proto::server::Event;

const STREAMED: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1 LAST\r\nx";

fn holding_messages() -> Peer {
    Peer::greeted(config()).deciding(|event| match event {
        Event::Message { .. } => Decision::Hold,
        _ => Decision::Accept,
    })
}

/// 5321-3.8-b: 421 unasked, after what is owed.
#[test]
fn shut_down_waits_for_the_verdicts_that_are_owed() {
    let mut peer = holding_messages();
    peer.send(&format!("{STREAMED}MAIL FROM:<c@x.example>\r\n"));
    assert_eq!(
        peer.server.shut_down(reply("250 2.0.0 x")),
        Err(Misuse::WrongReplyClass)
    );
    peer.server
        .shut_down(reply("421 4.3.2 mx.example going down"))
        .unwrap();
    assert_eq!(
        peer.server
            .shut_down(reply("421 4.3.2 mx.example going down")),
        Err(Misuse::Ending)
    );
    assert_eq!(peer.send("RCPT TO:<d@x.example>\r\n"), "");
    assert!(!peer.server.wants_read());
    assert_eq!(
        peer.accept("message 1"),
        "250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n\
         421 4.3.2 mx.example going down\r\n"
    );
    assert_eq!(peer.send(""), "");
    assert!(peer.server.is_closed());
    assert_eq!(peer.server.poll_timeout(), None);
    assert_eq!(peer.fault(), Some(Fault::ShutDown));
    assert_eq!(
        peer.events()[3..],
        [
            "message 1 1",
            "mail 2 <c@x.example>",
            "reset 2 Ended",
            "acknowledged 1 Sent"
        ]
    );
    // The error stays.
    peer.error = None;
    assert_eq!(peer.fault(), Some(Fault::ShutDown));
}

/// 5321-2.1-a: replies go on after the peer's FIN, as Exim sends it after QUIT.
#[test]
fn half_closed_after_quit() {
    let mut peer = holding_messages();
    peer.unconsumed = format!("{STREAMED}QUIT\r\n").into();
    peer.server.handle_eof();
    peer.poll();
    assert_eq!(
        peer.read(),
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
    );
    assert_eq!(
        peer.accept("message 1"),
        "250 2.0.0 Message accepted\r\n221 2.0.0 mx.example closing connection\r\n"
    );
    assert_eq!(peer.fault(), None);
    assert_eq!(peer.events().last().unwrap(), "closed");
}

/// FIN after a group whose verdicts are still out: the rest of it is handled.
#[test]
fn half_closed_with_commands_that_wait() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        Event::Mail { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send(STREAMED);
    peer.server.handle_eof();
    peer.poll();
    assert_eq!(
        peer.accept("mail"),
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.0.0 Message accepted\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::ConnectionLost));
}

/// 5321-4.1.1.5-c, 5321-4.1.1.10-c, TLS-12, TLS-13: an end, by TLS or not, is no end of a content.
#[test]
fn lost_in_a_transaction() {
    for flights in [
        &["MAIL FROM:<a@x.example>\r\n"][..],
        &[
            "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n",
            "x",
        ],
        &["MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 3\r\nx"],
    ] {
        let mut peer = Peer::greeted(config());
        for flight in flights {
            peer.send(flight);
        }
        peer.server.handle_eof();
        assert_eq!(peer.fault(), Some(Fault::ConnectionLost));
        assert_eq!(peer.events().last().unwrap(), "reset 1 Ended");
        assert!(peer.server.is_closed());
    }
}

/// After a failed write nothing can be answered; the application learns so from its ticket.
#[test]
fn verdicts_on_a_dead_connection() {
    let mut peer = holding_messages();
    peer.send(STREAMED);
    peer.server.write_failed();
    assert_eq!(peer.fault(), Some(Fault::WriteFailed));
    let ticket = peer.ticket("message");
    let refused = peer.server.accept(ticket).unwrap_err();
    assert_eq!(refused.misuse, Misuse::Ending);
    assert!(peer.server.poll_transmit(peer.now).is_none());
}

/// 5321-4.5.3.2-b: 5 minutes for a whole command, however it trickles in (RES-3).
#[test]
fn idle_clients() {
    let mut peer = Peer::greeted(config());
    peer.wait(200);
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
    peer.poll();
    assert_eq!(
        peer.server.poll_timeout(),
        Some(peer.now + Duration::from_secs(300))
    );
    peer.wait(200);
    peer.send("NO");
    assert_eq!(peer.wait(99), "");
    assert_eq!(
        peer.wait(1),
        "421 4.4.2 mx.example timed out, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::TimedOut(Timer::Idle)));
}

/// RES-3: content may pause for 5 minutes, and each 500 bytes earn another second.
#[test]
fn stalled_content() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n");
    for _ in 0..10 {
        peer.wait(299);
        peer.send(&"x".repeat(299 * 500));
    }
    peer.wait(250);
    peer.send(&"x".repeat(10 * 500));
    assert_eq!(peer.wait(59), "");
    assert_eq!(
        peer.wait(1),
        "421 4.4.2 mx.example timed out, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::TimedOut(Timer::Receive)));
    assert_eq!(peer.events().last().unwrap(), "reset 1 Ended");
}

/// The bytes of a chunk have to come although an earlier verdict is awaited.
#[test]
fn stalled_chunks() {
    let mut peer = holding_messages();
    peer.send(STREAMED);
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 2\r\nx");
    peer.wait(300);
    peer.events();
    assert_eq!(
        peer.accept("message"),
        "250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
         421 4.4.2 mx.example timed out, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::TimedOut(Timer::Receive)));
}

/// Content that is refused already is not reset again when the connection ends.
#[test]
fn one_end_for_each_transaction() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n");
    peer.send("a\nb");
    peer.server.handle_eof();
    assert_eq!(peer.fault(), Some(Fault::ConnectionLost));
    let mut events = peer.events();
    events.retain(|it| it.starts_with("reset"));
    assert_eq!(events, ["reset 1 BareLineBreak"]);
}

/// 1047-a: a slow application never costs the client its time.
#[test]
fn the_client_is_not_idle_while_it_waits() {
    let mut peer = holding_messages();
    peer.send(STREAMED);
    peer.wait(500);
    assert_eq!(peer.accept("message"), "250 2.0.0 Message accepted\r\n");
    peer.poll();
    assert_eq!(
        peer.server.poll_timeout(),
        Some(peer.now + Duration::from_secs(300))
    );
}

/// Nor while 354 is held up by the verdict over the message before.
#[test]
fn the_client_is_not_idle_while_it_waits_for_354() {
    let mut peer = holding_messages();
    peer.send(STREAMED);
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n");
    peer.wait(500);
    assert_eq!(
        peer.accept("message"),
        "250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
         354 End content with <CRLF>.<CRLF>\r\n"
    );
    peer.poll();
    assert_eq!(
        peer.server.poll_timeout(),
        Some(peer.now + Duration::from_secs(300))
    );
}

/// RES-4: a client that reads nothing is left after 3 minutes; any byte that it takes renews them.
#[test]
fn clients_that_do_not_read() {
    let mut peer = Peer::greeted(config());
    peer.unconsumed = b"NOOP\r\n".to_vec();
    peer.poll();
    peer.now += Duration::from_secs(179);
    peer.server.handle_timeout(peer.now);
    peer.server
        .poll_transmit(peer.now)
        .unwrap()
        .wrote(1, peer.now);
    peer.now += Duration::from_secs(179);
    peer.server.handle_timeout(peer.now);
    assert_eq!(peer.fault(), None);
    peer.now += Duration::from_secs(1);
    peer.server.handle_timeout(peer.now);
    assert_eq!(peer.fault(), Some(Fault::TimedOut(Timer::Write)));
    assert!(peer.server.is_closed());
    assert!(peer.server.poll_transmit(peer.now).is_none());
}

/// Calls without sense do no harm.
#[test]
fn any_call_in_any_order() {
    let mut peer = Peer::silent(config());
    peer.server.handle_timeout(Duration::ZERO);
    assert!(peer.server.poll_transmit(Duration::ZERO).is_none());
    assert!(!peer.server.wants_read());
    peer.server.shrink();
    peer.server.handle_eof();
    assert!(peer.send("NOOP\r\n").starts_with("554 5.5.0 "));
    peer.server.write_failed();
    peer.server.write_failed();
    peer.poll();
    assert!(peer.server.is_closed());
    peer.server.handle_timeout(Duration::MAX);
    assert_eq!(peer.server.poll_timeout(), None);
}

/// A greeting that is overdue is 421.
#[test]
fn overdue_greeting() {
    let mut peer = Peer::silent(config()).deciding(|_| Decision::Hold);
    assert_eq!(peer.send(""), "");
    assert_eq!(
        peer.wait(240),
        "421 4.4.2 mx.example timed out, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::TimedOut(Timer::Verdict)));
}

/// Time that the application takes over an event is not the client's.
#[test]
fn slow_applications() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n");
    let mut input: &[u8] = b"x";
    let event = peer.server.poll_event(&mut input, peer.now).unwrap();
    assert!(matches!(event, Some(Event::Content { .. })));
    peer.now += Duration::from_secs(1000);
    peer.poll();
    assert_eq!(
        peer.server.poll_timeout(),
        Some(peer.now + Duration::from_secs(300))
    );
}
