//! What is known of the arrival of replies that accept messages.

use crate::peer::{Peer, config};
use smtp_proto::machine::Fault;

const STREAMED: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1 LAST\r\nx";

fn acknowledgements(peer: &mut Peer) -> Vec<String> {
    peer.poll();
    let mut events = peer.events();
    events.retain(|it| it.starts_with("acknowledged"));
    events
}

/// 2920-3.1-d: the client went on after a reply that it had to wait for: it has read all before.
#[test]
fn confirmed_by_what_follows_a_synchronising_command() {
    let mut peer = Peer::greeted(config());
    peer.send(STREAMED);
    peer.send(STREAMED);
    // MAIL, RCPT and DATA prove nothing: they may have been sent without reading.
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n");
    assert_eq!(acknowledgements(&mut peer), [""; 0]);
    // The content proves that 354 was read.
    peer.send("x");
    assert_eq!(
        acknowledgements(&mut peer),
        ["acknowledged 1 Confirmed", "acknowledged 2 Confirmed"]
    );
    peer.send("\r\n.\r\nNOOP\r\n");
    assert_eq!(acknowledgements(&mut peer), [""; 0]);
    peer.send("Q");
    assert_eq!(acknowledgements(&mut peer), ["acknowledged 3 Confirmed"]);
}

/// Without PIPELINING every command waits for the reply before it.
#[test]
fn confirmed_by_anything_without_pipelining() {
    let mut peer = Peer::new(config());
    for line in [
        "HELO c.example\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<b@x.example>\r\n",
        "DATA\r\n",
        "x\r\n.\r\n",
    ] {
        peer.send(line);
    }
    assert_eq!(acknowledgements(&mut peer), [""; 0]);
    peer.send("Q");
    assert_eq!(acknowledgements(&mut peer), ["acknowledged 1 Confirmed"]);
}

/// QUIT that comes when the reply has been sent; QUIT that was sent along with the message.
#[test]
fn probable_if_quit_comes_later() {
    let mut peer = Peer::greeted(config());
    peer.send(STREAMED);
    peer.send(&format!("{STREAMED}QUIT\r\n"));
    assert_eq!(
        acknowledgements(&mut peer),
        ["acknowledged 1 Probable", "acknowledged 2 Sent"]
    );
}

/// On a connection that dies, those in question are told apart.
#[test]
fn unsent_on_a_dead_connection() {
    let mut peer = Peer::greeted(config());
    peer.send(STREAMED);
    peer.unconsumed = STREAMED.into();
    peer.poll();
    let transmit = peer.server.poll_transmit(peer.now).unwrap();
    let len = transmit.len();
    transmit.wrote(len - 1, peer.now);
    peer.server.write_failed();
    assert_eq!(
        acknowledgements(&mut peer),
        ["acknowledged 1 Sent", "acknowledged 2 Unsent"]
    );
    assert_eq!(peer.fault(), Some(Fault::WriteFailed));
    assert!(peer.server.is_closed());
}

/// 5321-4.1.1.5-c, 5321-4.1.1.10-c: a lost connection; the replies that are owed still leave.
#[test]
fn sent_at_the_end_of_the_bytes() {
    let mut peer = Peer::greeted(config());
    peer.unconsumed = STREAMED.into();
    peer.server.handle_eof();
    peer.poll();
    assert_eq!(acknowledgements(&mut peer), [""; 0]);
    assert_eq!(
        peer.read(),
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.0.0 Message accepted\r\n"
    );
    assert_eq!(acknowledgements(&mut peer), ["acknowledged 1 Sent"]);
    assert_eq!(peer.fault(), Some(Fault::ConnectionLost));
}

/// What is remembered is bounded: the oldest is told with what is known.
#[test]
fn a_bounded_number_is_watched() {
    let mut peer = Peer::greeted(config());
    for _ in 0..1002 {
        peer.send(STREAMED);
    }
    assert_eq!(
        acknowledgements(&mut peer),
        ["acknowledged 1 Sent", "acknowledged 2 Sent"]
    );
}
