//! The machine's own replies, heard and reworded; and commands that are handed out only if wished.

use crate::peer::{Decision, Peer, config, reply};
use smtp_proto::machine::{Dialect, Fault, Misuse, Timer};
use smtp_proto::server::{Event, ImproperPipelining, Review};

/// A server that reviews, and lets commands follow each other as they may not.
fn reviewing(review: Review) -> Peer {
    let config = config().improper_pipelining(ImproperPipelining::Tolerate);
    Peer::greeted(config.review(review)).deciding(|event| match event {
        Event::Reply { .. } => Decision::Hold,
        _ => Decision::Accept,
    })
}

/// A refusal is told with its reason, and reworded within its class; the order of replies stays.
#[test]
fn refusals() {
    let mut peer = reviewing(Review::Refusals);
    assert_eq!(
        peer.send("MAIL FROM:<>\r\nFOO\r\nRCPT TO:<a@b.example>\r\n"),
        "250 2.1.0 Sender OK\r\n"
    );
    assert_eq!(
        peer.events(),
        [
            "mail 1 <>",
            "rejected 500 FOO",
            "reply 500 Unrecognised 1",
            "rcpt 1 <a@b.example>"
        ]
    );
    let ticket = peer.ticket("reply 500");
    let refused = peer.server.reply(ticket, reply("250 2.0.0 fine"));
    let refused = refused.unwrap_err();
    assert_eq!(refused.misuse, Misuse::WrongReplyClass);
    let refused = peer.server.reply(refused.ticket, reply("450 4.0.0 later"));
    let refused = refused.unwrap_err();
    peer.server
        .reply(refused.ticket, reply("502 no such word here"))
        .unwrap();
    assert_eq!(
        peer.read(),
        "502 5.0.0 no such word here\r\n250 2.1.5 Recipient OK\r\n"
    );
    // NOOP is no refusal.
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(peer.send("DATA x\r\n"), "");
    assert_eq!(
        peer.accept("reply 501"),
        "501 5.5.4 Syntax error in the argument\r\n"
    );
}

/// Overdue, it goes as it is.
#[test]
fn overdue_reviews() {
    let mut peer = reviewing(Review::All);
    assert_eq!(peer.send("NOOP\r\nFOO\r\n"), "");
    assert_eq!(peer.wait(239), "");
    assert_eq!(
        peer.wait(1),
        "250 2.0.0 OK\r\n500 5.5.2 Command not recognised\r\n"
    );
    let ticket = peer.ticket("reply 250 Noop");
    let refused = peer.server.accept(ticket).unwrap_err();
    assert_eq!(refused.misuse, Misuse::Expired);
}

/// All of them: NOOP, RSET, chunks, refused content, QUIT.
#[test]
fn all_replies() {
    let mut peer = reviewing(Review::All);
    peer.send("NOOP\r\n");
    assert_eq!(
        peer.answer("reply", "250 still here"),
        "250 2.0.0 still here\r\n"
    );
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    peer.send("BDAT 1\r\nx");
    assert_eq!(peer.accept("reply 250 Chunk 1"), "250 2.0.0 Chunk OK\r\n");
    peer.send("BDAT 3 LAST\r\na\nb");
    assert_eq!(
        peer.answer("reply 550 BareLineBreak 1", "554 5.6.0 mend your lines"),
        "554 5.6.0 mend your lines\r\n"
    );
    peer.send("RSET\r\n");
    assert_eq!(peer.accept("reply 250 Reset"), "250 2.0.0 OK\r\n");
    peer.events();
    peer.send("QUIT\r\n");
    let ticket = peer.ticket("reply 221 Quit");
    let refused = peer.server.reply(ticket, reply("250 2.0.0 stay"));
    let ticket = refused.unwrap_err().ticket;
    peer.server
        .reply(ticket, reply("221 2.0.0 come again"))
        .unwrap();
    assert_eq!(peer.read(), "221 2.0.0 come again\r\n");
    peer.poll();
    assert_eq!(peer.events(), ["quit", "reply 221 Quit -", "closed"]);
    assert!(peer.server.is_closed());
}

/// In LMTP a refused content is answered, and reviewed, for each recipient.
#[test]
fn refused_content_for_each_recipient() {
    let config = config().dialect(Dialect::Lmtp).review(Review::Refusals);
    let mut peer = Peer::silent(config).deciding(|event| match event {
        Event::Reply { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("");
    peer.send("LHLO c.example\r\n");
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\n");
    peer.send("BDAT 3 LAST\r\na\nb");
    assert_eq!(peer.answer("reply", "550 5.6.0 one"), "550 5.6.0 one\r\n");
    assert_eq!(peer.answer("reply", "550 5.6.0 two"), "550 5.6.0 two\r\n");
}

/// The words with which the machine ends a session, which stay 421; also in the place of a question
/// that is open, whose own ticket is then of no use.
#[test]
fn last_words() {
    let mut peer = reviewing(Review::Refusals);
    assert_eq!(peer.wait(300), "");
    let ticket = peer.ticket("reply 421 TimedOut");
    let refused = peer.server.reply(ticket, reply("451 4.4.2 too slow"));
    let ticket = refused.unwrap_err().ticket;
    peer.server
        .reply(ticket, reply("421 4.4.2 asleep?"))
        .unwrap();
    assert_eq!(peer.read(), "421 4.4.2 asleep?\r\n");
    peer.poll();
    let fault = peer.error.as_ref().unwrap().fault();
    assert_eq!(fault, Fault::TimedOut(Timer::Idle));

    let mut peer = Peer::silent(config().review(Review::All)).deciding(|_| Decision::Hold);
    assert_eq!(peer.send("EHLO c.example\r\n"), "");
    let early = peer.ticket("reply 554 Early");
    let connected = peer.ticket("connected");
    let refused = peer.server.accept(connected).unwrap_err();
    assert_eq!(refused.misuse, Misuse::Expired);
    peer.server.accept(early).unwrap();
    assert!(peer.read().starts_with("554 5.5.0 "));
}

/// A 421 in place of another refusal ends the session; so does `close`.
#[test]
fn reviews_that_close() {
    for by_close in [false, true] {
        let mut peer = reviewing(Review::Refusals);
        peer.send("FOO\r\nNOOP\r\n");
        let ticket = peer.ticket("reply 500");
        let answer = "521 5.7.0 enough";
        match by_close {
            true => peer.server.close(ticket, Some(reply(answer))).unwrap(),
            false => {
                let refused = peer.server.reply(ticket, reply("421 4.7.0 enough"));
                let ticket = refused.unwrap_err().ticket;
                peer.server.reply(ticket, reply(answer)).unwrap();
                assert_eq!(peer.read(), format!("{answer}\r\n250 2.0.0 OK\r\n"));
                continue;
            }
        }
        assert_eq!(peer.read(), format!("{answer}\r\n"));
        peer.poll();
        assert!(peer.server.is_closed());
    }
}

/// Whatever the order of the verdicts and reviews, the replies are in that of the commands.
#[test]
fn reviews_in_every_order() {
    for first in 0..3 {
        let mut peer = reviewing(Review::All);
        peer.send("NOOP 1\r\n");
        peer.send("FOO\r\n");
        peer.send("RSET\r\n");
        let mut got = String::new();
        for next in 0..3 {
            let name = ["reply 250 Noop", "reply 500", "reply 250 Reset"][(first + next) % 3];
            got += &peer.accept(name);
        }
        assert_eq!(
            got,
            "250 2.0.0 OK\r\n500 5.5.2 Command not recognised\r\n250 2.0.0 OK\r\n"
        );
    }
}

/// NOOP, QUIT, and what nobody knows, handed out if that is wished.
#[test]
fn commands_that_are_told() {
    let config = config()
        .command("noop")
        .unwrap()
        .command("QUIT")
        .unwrap()
        .unknown_commands();
    let mut peer = Peer::greeted(config.clone());
    assert_eq!(peer.send("NOOP now\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(peer.send("FOO bar baz\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(
        peer.send("QUIT\r\n"),
        "221 2.0.0 mx.example closing connection\r\n"
    );
    peer.poll();
    assert_eq!(
        peer.events(),
        [
            "command NOOP Some(\"now\")",
            "command FOO Some(\"bar baz\")",
            "command QUIT None",
            "quit",
            "closed"
        ]
    );
    let mut peer = Peer::greeted(config).deciding(|_| Decision::Hold);
    assert_eq!(peer.send("FOO\r\n"), "");
    assert!(!peer.server.wants_read());
    assert_eq!(peer.answer("command", "299 2.0.0 odd"), "299 2.0.0 odd\r\n");
    peer.send("FOO\r\n");
    assert_eq!(peer.wait(240), "500 5.5.2 Command not recognised\r\n");
    peer.send("NOOP\r\n");
    assert_eq!(peer.wait(240), "250 2.0.0 OK\r\n");
    peer.send("QUIT\r\n");
    let ticket = peer.ticket("command QUIT");
    let refused = peer.server.reply(ticket, reply("250 2.0.0 stay"));
    let ticket = refused.unwrap_err().ticket;
    peer.server.reply(ticket, reply("221 bye")).unwrap();
    assert_eq!(peer.read(), "221 2.0.0 bye\r\n");
    peer.poll();
    assert_eq!(peer.events().last().unwrap(), "closed");
}

/// What begins with another protocol is that, and not a command that nobody knows.
#[test]
fn other_protocols_are_not_told() {
    let mut peer = Peer::new(config().unknown_commands());
    assert!(peer.send("GET / HTTP/1.1\r\n").starts_with("521 "));
}
