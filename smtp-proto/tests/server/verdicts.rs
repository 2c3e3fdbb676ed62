//! Tickets: what waits for what, and replies in order.

use crate::peer::{Decision, Peer, config, reply};
use core::time::Duration;
use smtp_proto::machine::Misuse;
use smtp_proto::server::{Event, Server, Ticket};
use smtp_proto::syntax::{Capabilities, Code, Extension, Reply};

fn held() -> Peer {
    Peer::greeted(config()).deciding(|_| Decision::Hold)
}

const GROUP: &str =
    "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n";

/// 2920-3.2-a, 2920-3.2-h: RCPT waits for MAIL, DATA for the RCPTs; replies in order.
#[test]
fn barriers_and_order() {
    let mut peer = held();
    assert_eq!(peer.send(GROUP), "");
    assert_eq!(peer.events(), ["mail 1 <a@x.example>"]);
    assert!(!peer.server.wants_read());
    assert_eq!(
        peer.unconsumed,
        GROUP.as_bytes()[GROUP.find("RCPT").unwrap()..]
    );

    assert_eq!(peer.accept("mail"), "250 2.1.0 Sender OK\r\n");
    assert_eq!(
        peer.events(),
        ["rcpt 1 <b@x.example>", "rcpt 1 <c@x.example>"]
    );
    assert_eq!(peer.unconsumed, b"DATA\r\n");

    assert_eq!(peer.accept("rcpt 1 <c@"), "");
    assert_eq!(peer.events(), [""; 0]);
    assert_eq!(
        peer.answer("rcpt 1 <b@", "550 5.1.1 who"),
        "550 5.1.1 who\r\n250 2.1.5 Recipient OK\r\n"
    );
    assert_eq!(peer.events(), ["data 1"]);
    assert_eq!(peer.unconsumed, b"");
    assert!(!peer.server.wants_read());
    assert_eq!(
        peer.accept("data"),
        "354 End content with <CRLF>.<CRLF>\r\n"
    );
    assert!(peer.server.wants_read());
}

/// 2920-3.2-b, 2920-3.2-g, 2920-3.2-e: what is ready leaves together.
#[test]
fn one_flight_of_replies() {
    let mut peer = Peer::greeted(config());
    peer.unconsumed = GROUP.into();
    peer.poll();
    let transmit = peer.server.poll_transmit(peer.now).unwrap();
    assert_eq!(
        transmit.slices(),
        [
            &b"250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n\
            354 End content with <CRLF>.<CRLF>\r\n"[..]
        ]
    );
}

/// the next transactions go on while the verdict over a message is awaited; EHLO does not.
#[test]
fn earlier_messages_hold_up_nothing_but_ehlo() {
    let mut peer = held();
    let message = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1 LAST\r\nx";
    for id in 1..=3 {
        peer.send(message);
        peer.accept(&format!("mail {id}"));
        peer.accept(&format!("rcpt {id}"));
    }
    assert_eq!(peer.send("EHLO again.example\r\n"), "");
    assert_eq!(peer.accept("message 2"), "");
    assert_eq!(
        peer.answer("message 1", "451 4.3.0 later"),
        "451 4.3.0 later\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
         250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
    );
    assert!(!peer.events().contains(&"ehlo again.example".to_owned()));
    assert_eq!(peer.accept("message 3"), "250 2.0.0 Message accepted\r\n");
    assert_eq!(peer.events(), ["ehlo again.example"]);
}

/// RSET goes before the verdicts over recipients; those then change nothing.
#[test]
fn verdicts_over_a_transaction_that_is_gone() {
    let mut peer = held();
    peer.send(
        "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRSET\r\nMAIL FROM:<c@x.example>\r\n",
    );
    assert_eq!(peer.accept("mail 1"), "250 2.1.0 Sender OK\r\n");
    assert_eq!(
        peer.events(),
        [
            "mail 1 <a@x.example>",
            "rcpt 1 <b@x.example>",
            "reset 1 Reset",
            "mail 2 <c@x.example>"
        ]
    );
    assert_eq!(peer.accept("mail 2"), "");
    assert_eq!(
        peer.accept("rcpt 1"),
        "250 2.1.5 Recipient OK\r\n250 2.0.0 OK\r\n250 2.1.0 Sender OK\r\n"
    );
    assert_eq!(
        peer.send("DATA\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
}

/// The messages without verdict are bounded.
#[test]
fn undecided_messages_are_bounded() {
    let mut peer =
        Peer::greeted(config().max_undecided_messages(1)).deciding(|event| match event {
            Event::Message { .. } => Decision::Hold,
            _ => Decision::Accept,
        });
    let message = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1 LAST\r\nx";
    peer.send(message);
    peer.send(message);
    assert_eq!(peer.unconsumed, b"BDAT 1 LAST\r\nx");
    assert!(!peer.server.wants_read());
    assert_eq!(
        peer.accept("message 1"),
        "250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
    );
    assert_eq!(peer.accept("message 2"), "250 2.0.0 Message accepted\r\n");
}

fn misuse(refused: Result<(), smtp_proto::server::Refused>) -> (Ticket, Misuse) {
    let refused = refused.unwrap_err();
    (refused.ticket, refused.misuse)
}

/// 5321-3.4-a, 5321-4.2-k: a reply that cannot answer hands the ticket back, and nothing has
/// changed.
#[test]
fn replies_are_checked_by_class() {
    let mut peer = held();
    peer.send("EHLO again.example\r\n");
    let mut ticket = peer.ticket("ehlo");
    for line in ["250 mx.example", "354 go", "334 x", "220 x"] {
        let (back, why) = misuse(peer.server.reply(ticket, reply(line)));
        assert_eq!(why, Misuse::WrongReplyClass, "{line}");
        ticket = back;
    }
    peer.server.accept(ticket).unwrap();
    assert!(peer.read().ends_with("250 HELP\r\n"));

    peer.send(GROUP);
    let mut ticket = peer.ticket("mail");
    for line in ["354 go", "220 x", "221 x"] {
        let (back, why) = misuse(peer.server.reply(ticket, reply(line)));
        assert_eq!(why, Misuse::WrongReplyClass, "{line}");
        ticket = back;
    }
    peer.server.accept(ticket).unwrap();
    peer.poll();
    assert_eq!(
        peer.answer("rcpt", "251 2.1.5 will forward"),
        "250 2.1.0 Sender OK\r\n251 2.1.5 will forward\r\n"
    );
    peer.accept("rcpt");
    let (back, why) = {
        let ticket = peer.ticket("data");
        misuse(peer.server.reply(ticket, reply("250 2.0.0 no")))
    };
    assert_eq!(why, Misuse::WrongReplyClass);
    peer.server.reply(back, reply("452 4.3.1 full")).unwrap();
    assert_eq!(peer.read(), "452 4.3.1 full\r\n");
}

/// 6531-3.7.4-a, 6531-3.7.4-e: text beyond ASCII is for 251 and 551 under SMTPUTF8; the ticket is
/// handed back otherwise.
#[test]
fn replies_are_ascii() {
    let offer = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::SmtpUtf8);
    for (parameter, line, is_taken) in [
        (" SMTPUTF8", "251 2.1.5 <δ@x.example>", true),
        (" SMTPUTF8", "551 5.1.6 <δ@x.example>", true),
        (" SMTPUTF8", "250 2.1.5 <δ@x.example>", false),
        (" SMTPUTF8", "550 5.1.1 <δ@x.example>", false),
        ("", "251 2.1.5 <δ@x.example>", false),
        ("", "551 5.1.6 <δ@x.example>", false),
    ] {
        let mut peer = Peer::greeted(config().offer(offer.clone()));
        peer.send(&format!("MAIL FROM:<a@b.example>{parameter}\r\n"));
        peer.decide = Box::new(|_| Decision::Hold);
        peer.send("RCPT TO:<c@d.example>\r\n");
        let ticket = peer.ticket("rcpt");
        let given = peer.server.reply(ticket, reply(line));
        if is_taken {
            given.unwrap();
            assert_eq!(peer.read(), format!("{line}\r\n"));
        } else {
            let (ticket, why) = misuse(given);
            assert_eq!(why, Misuse::NotAscii, "{line}");
            peer.server.accept(ticket).unwrap();
        }
    }

    let mut peer = held();
    peer.send(GROUP);
    let (ticket, why) = misuse({
        let ticket = peer.ticket("mail");
        peer.server.reply(ticket, reply("550 δ"))
    });
    assert_eq!(why, Misuse::NotAscii);
    peer.server.accept(ticket).unwrap();
    let transaction = peer.transaction.unwrap();
    assert_eq!(peer.server.shut_down(reply("421 δ")), Err(Misuse::NotAscii));
    assert_eq!(
        peer.server.refuse_content(transaction, reply("550 δ")),
        Err(Misuse::NotAscii)
    );
}

/// 6531-3.7.4-c, 6531-3.7.4-d: VRFY and EXPN that may be answered in UTF-8, by a client that was
/// offered it.
#[test]
fn names_in_utf8() {
    let offer = Capabilities::new()
        .with(Extension::Expn)
        .with(Extension::SmtpUtf8);
    let answer = "250 2.1.5 <δ@x.example>";
    for (line, event, is_taken) in [
        ("VRFY δ SMTPUTF8", "vrfy δ in UTF-8", true),
        ("EXPN a  list smtputf8", "expn a  list in UTF-8", true),
        ("VRFY δ", "vrfy δ", false),
        ("VRFY SMTPUTF8", "vrfy SMTPUTF8", false),
    ] {
        let mut peer = Peer::greeted(config().offer(offer.clone()));
        peer.decide = Box::new(|_| Decision::Hold);
        peer.trickle(&format!("{line}\r\n"));
        assert_eq!(peer.events(), [event]);
        let ticket = peer.ticket("");
        match (peer.server.reply(ticket, reply(answer)), is_taken) {
            (Ok(()), true) => assert_eq!(peer.read(), format!("{answer}\r\n")),
            (Err(refused), false) => {
                assert_eq!(refused.misuse, Misuse::NotAscii);
                let line = "252 2.6.8 It needs SMTPUTF8";
                peer.server.reply(refused.ticket, reply(line)).unwrap();
            }
            (given, _) => panic!("{line}: {given:?}"),
        }
    }
    // Not offered: the word belongs to the name.
    let mut peer = Peer::greeted(config());
    peer.send("VRFY a SMTPUTF8\r\n");
    assert_eq!(peer.events(), ["vrfy a SMTPUTF8"]);
}

/// A ticket is good at its own connection only.
#[test]
fn tickets_know_their_connection() {
    let mut one = held();
    let mut other = held();
    one.send(GROUP);
    other.send(GROUP);
    let (back, why) = misuse(other.server.accept(one.ticket("mail")));
    assert_eq!(why, Misuse::UnknownTicket);
    assert_eq!(other.read(), "");
    one.server.accept(back).unwrap();
    assert_eq!(one.read(), "250 2.1.0 Sender OK\r\n");
}

/// 5321-3.3-b, 5321-4.2.5-a, 5321-6.1-b: an overdue verdict is 451, after 4 minutes, or 9 at the
/// end of content.
#[test]
fn overdue_verdicts() {
    let mut peer = held();
    peer.send("MAIL FROM:<a@x.example>\r\n");
    let due = peer.now + Duration::from_secs(240);
    assert_eq!(peer.server.poll_timeout(), Some(due));
    assert_eq!(peer.wait(239), "");
    assert_eq!(
        peer.wait(1),
        "451 4.3.0 No answer in time, try again later\r\n"
    );
    let (_, why) = misuse(peer.server.accept(peer.tickets.remove(0).1));
    assert_eq!(why, Misuse::Expired);
    assert_eq!(
        peer.send("RCPT TO:<b@x.example>\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );

    peer.decide = Box::new(|event| match event {
        Event::Message { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1 LAST\r\nx");
    assert_eq!(peer.wait(539), "");
    assert_eq!(
        peer.wait(1),
        "451 4.3.0 No answer in time, try again later\r\n"
    );
    let (_, why) = misuse(peer.server.accept(peer.tickets.remove(0).1));
    assert_eq!(why, Misuse::Expired);
    // 2yz was not sent: nobody is to acknowledge anything.
    peer.send("QUIT\r\n");
    peer.poll();
    assert!(
        !peer
            .events()
            .iter()
            .any(|it| it.starts_with("acknowledged"))
    );
}

/// After one verdict is overdue, the timer is set for the next.
#[test]
fn verdicts_become_overdue_one_by_one() {
    let mut peer = held();
    peer.send("MAIL FROM:<a@x.example>\r\n");
    peer.accept("mail");
    peer.send("RCPT TO:<b@x.example>\r\n");
    let first = peer.now + Duration::from_secs(240);
    peer.now += Duration::from_secs(100);
    peer.send("RCPT TO:<c@x.example>\r\n");
    assert_eq!(peer.server.poll_timeout(), Some(first));
    assert_eq!(
        peer.wait(140),
        "451 4.3.0 No answer in time, try again later\r\n"
    );
    assert_eq!(
        peer.server.poll_timeout(),
        Some(first + Duration::from_secs(100))
    );
}

/// 2034-4-a, 2034-4-e: enhanced codes are put in where the application left them out.
#[test]
fn enhanced_codes_are_completed() {
    let mut peer = held();
    peer.send(GROUP.trim_end_matches("DATA\r\n"));
    assert_eq!(peer.answer("mail", "250 fine"), "250 2.0.0 fine\r\n");
    assert_eq!(
        peer.answer("rcpt", "450-not\n450 now"),
        "450-4.0.0 not\r\n450 4.0.0 now\r\n"
    );
    assert_eq!(
        peer.answer("rcpt", "550 5.7.509 never"),
        "550 5.7.509 never\r\n"
    );
}

/// A 421 closes; what comes after that command gets no answer.
#[test]
fn closing_by_a_verdict() {
    let mut peer = held();
    peer.send(GROUP);
    peer.accept("mail");
    let second = peer.ticket("rcpt 1 <c@");
    assert_eq!(
        peer.answer("rcpt 1 <b@", "421 4.3.2 mx.example going down"),
        "421 4.3.2 mx.example going down\r\n"
    );
    peer.poll();
    assert!(peer.server.is_closed());
    assert!(peer.server.accept(second).is_err());
}

/// RES-5, 2920-3.2-a: whatever the order of the verdicts, the replies are the same.
#[test]
fn verdicts_in_every_order() {
    let order = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for permutation in order {
        let mut peer = held();
        peer.send("MAIL FROM:<a@x.example>\r\n");
        peer.accept("mail");
        peer.send("RCPT TO:<0@x.example>\r\nRCPT TO:<1@x.example>\r\nRCPT TO:<2@x.example>\r\n");
        let mut got = String::new();
        for index in permutation {
            got += &peer.answer(
                &format!("rcpt 1 <{index}@"),
                &format!("250 2.1.5 number {index}"),
            );
        }
        assert_eq!(
            got,
            "250 2.1.5 number 0\r\n250 2.1.5 number 1\r\n250 2.1.5 number 2\r\n"
        );
    }
}

/// 5321-3.1-c: a ticket may be answered from another thread.
#[test]
fn machines_and_tickets_can_be_sent() {
    fn assert_send<T: Send + 'static>() {}
    assert_send::<Server>();
    assert_send::<Ticket>();
    let mut server = Server::new(config(), Duration::ZERO);
    let mut input: &[u8] = b"";
    let event = server.poll_event(&mut input, Duration::ZERO);
    let ticket = event.unwrap().and_then(Event::into_ticket).unwrap();
    let ticket = std::thread::spawn(move || ticket).join().unwrap();
    let greeting = Reply::new(Code::READY, "mx.example hello").unwrap();
    server.reply(ticket, greeting).unwrap();
    let transmit = server.poll_transmit(Duration::ZERO).unwrap();
    assert_eq!(transmit.slices(), [&b"220 mx.example hello\r\n"[..]]);
}

/// 5321-3.5.1-a, 5321-3.5.1-b: VRFY tells the mailbox, or the candidates.
#[test]
fn addresses_are_verified() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        Event::Vrfy { name, .. } if name.as_str() == "jo" => {
            Decision::Reply("250 2.1.5 Jo <jo@x.example>")
        }
        _ => {
            Decision::Reply("553-5.1.4 Ambiguous\n553-5.1.4 <a@x.example>\n553 5.1.4 <b@x.example>")
        }
    });
    assert_eq!(peer.send("VRFY jo\r\n"), "250 2.1.5 Jo <jo@x.example>\r\n");
    assert_eq!(
        peer.send("VRFY smith\r\n"),
        "553-5.1.4 Ambiguous\r\n553-5.1.4 <a@x.example>\r\n553 5.1.4 <b@x.example>\r\n"
    );
}
