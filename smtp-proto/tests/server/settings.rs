//! What may change for one client, and how commands may wait for each other.

use crate::peer::{Decision, OFFER, Peer, config};
use core::time::Duration;
use smtp_proto::machine::{Dialect, Misuse};
use smtp_proto::server::Event;
use smtp_proto::syntax::{Capabilities, Extension};

fn held() -> Peer {
    Peer::silent(config()).deciding(|_| Decision::Hold)
}

/// Settings change while the ticket of a question about the client is open, and at no other time.
#[test]
fn settings_change_while_the_client_is_asked_about() {
    let mut peer = held();
    let other = config().max_recipients(200);
    assert_eq!(peer.send(""), "");
    peer.server.reconfigure(other.clone()).unwrap();
    peer.accept("connected");
    assert_eq!(
        peer.server.reconfigure(other.clone()),
        Err(Misuse::SettingsFixed)
    );
    peer.send("EHLO c.example\r\n");
    peer.server.reconfigure(other.clone()).unwrap();
    let lmtp = other.clone().dialect(Dialect::Lmtp);
    assert_eq!(peer.server.reconfigure(lmtp), Err(Misuse::SettingsFixed));
    peer.accept("ehlo");
    peer.send("MAIL FROM:<>\r\n");
    peer.server.reconfigure(other.clone()).unwrap();
    peer.accept("mail");
    peer.send("RCPT TO:<a@b.example>\r\n");
    assert_eq!(peer.server.reconfigure(other), Err(Misuse::SettingsFixed));
}

/// What EHLO's answer said stands until the next one, whatever the settings become; other limits
/// hold at once.
#[test]
fn what_was_offered_stands() {
    let mut peer = held();
    peer.send("");
    peer.accept("connected");
    peer.send("EHLO c.example\r\n");
    let offer = Capabilities::new()
        .with(Extension::Size)
        .with(Extension::Chunking);
    let size = config().offer(offer.clone()).max_message_size(200_000);
    peer.server.reconfigure(size).unwrap();
    assert_eq!(
        peer.accept("ehlo"),
        "250-mx.example\r\n250-CHUNKING\r\n250 SIZE 200000\r\n"
    );
    peer.send("MAIL FROM:<> SIZE=150000\r\n");
    let less = config()
        .offer(Capabilities::new())
        .max_message_size(100_000)
        .max_recipients(100)
        .verdict_timeout(Duration::from_secs(7));
    peer.server.reconfigure(less).unwrap();
    peer.accept("mail");
    let mut peer = peer.deciding(|event| match event {
        Event::Vrfy { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("RCPT TO:<a@b.example>\r\n");
    // CHUNKING is still there, and so is the size.
    let content = "x".repeat(150_000);
    assert_eq!(
        peer.send(&format!("BDAT 150000 LAST\r\n{content}")),
        "250 2.0.0 Message accepted\r\n"
    );
    peer.send("VRFY x\r\n");
    assert!(peer.wait(7).starts_with("451 "));
    assert_eq!(peer.send("EHLO c.example\r\n"), "250 mx.example\r\n");
    assert!(peer.send("BDAT 0 LAST\r\n").starts_with("502 "));
}

/// Settings of the greeting: a dialect, and what is demanded.
#[test]
fn another_dialect_at_the_greeting() {
    let mut peer = held();
    peer.send("");
    let lmtp = config().dialect(Dialect::Lmtp);
    peer.server.reconfigure(lmtp).unwrap();
    assert_eq!(peer.accept("connected"), "220 mx.example LMTP\r\n");
    assert_eq!(peer.send("LHLO c.example\r\n"), "");
    assert!(peer.accept("ehlo").starts_with("250-"));
}

/// In turn, MAIL, RCPT and DATA wait for every earlier verdict, those over messages included; replies
/// still leave together.
#[test]
fn in_turn() {
    let mut peer = Peer::greeted(config().in_turn()).deciding(|_| Decision::Hold);
    let message = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\n\
        BDAT 1 LAST\r\nx";
    peer.send(&message.repeat(2));
    for id in 1..=2 {
        assert_eq!(peer.events(), [format!("mail {id} <>")]);
        peer.accept("mail");
        for name in ["a", "b"] {
            assert_eq!(peer.events(), [format!("rcpt {id} <{name}@b.example>")]);
            peer.accept("rcpt");
        }
        assert_eq!(
            peer.events(),
            [format!("content {id}"), format!("message {id} 1")]
        );
        assert!(!peer.server.wants_read() || id == 2);
        peer.accept("message");
    }
    let mut peer = Peer::greeted(config().in_turn());
    peer.unconsumed = b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n".to_vec();
    peer.poll();
    let transmit = peer.server.poll_transmit(peer.now).unwrap();
    let bytes = transmit.slices().concat();
    transmit.wrote(bytes.len(), peer.now);
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 3);
}

/// Where no greeting is demanded, MAIL is taken without one, and whole transactions with it; without
/// extensions.
#[test]
fn mail_without_a_greeting() {
    let mut peer = Peer::new(config().require_hello(false));
    for _ in 0..2 {
        assert_eq!(&peer.send("RCPT TO:<a@b.example>\r\n")[..3], "503");
        assert_eq!(&peer.send("MAIL FROM:<> SIZE=1\r\n")[..3], "555");
        assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
        assert_eq!(&peer.send("RCPT TO:<a@b.example>\r\n")[..3], "250");
        assert_eq!(&peer.send("DATA\r\n")[..3], "354");
        assert_eq!(&peer.send("x\r\n.\r\n")[..3], "250");
    }
    assert_eq!(peer.messages.len(), 2);
    assert_eq!(&peer.send("EHLO c.example\r\n")[..3], "250");
    let mut peer = Peer::new(config());
    assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "503");
}

/// 3207-4.2-c, 9422-3.6-b: what is offered may change for one session.
#[test]
fn offers_of_one_session() {
    let mut peer = Peer::new(config());
    peer.server.offer(Capabilities::new().with(Extension::Size));
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 SIZE 10240000\r\n"
    );
    // 1870-6.1-a: a number stands, and what is announced is taken.
    peer.server.offer(Capabilities::new().with_size(99));
    peer.send("MAIL FROM:<> SIZE=100\r\n");
    assert_eq!(
        peer.send("EHLO c.example\r\n"),
        "250-mx.example\r\n250 SIZE 99\r\n"
    );
    assert_eq!(&peer.send("MAIL FROM:<> SIZE=100\r\n")[..3], "552");
    peer.server.offer(None);
    peer.send("MAIL FROM:<> SIZE=99\r\n");
    peer.send("RCPT TO:<a@b.example>\r\n");
    peer.send("DATA\r\n");
    let content = format!("{}\r\n.\r\n", "x".repeat(98));
    assert_eq!(&peer.send(&content)[..3], "552");
    assert_eq!(peer.send("EHLO c.example\r\n"), OFFER);
}
