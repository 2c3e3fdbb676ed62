//! ETRN, what only the application knows, and what nobody does.

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::Fault;
use smtp_proto::server::{Config, Event, ImproperPipelining};
use smtp_proto::syntax::{Capabilities, Extension};

/// Offers ETRN, and PIPELINING.
fn etrn() -> Config {
    let offer = Capabilities::new().with(Extension::Pipelining);
    config().offer(offer.with(Extension::Etrn))
}

/// 1985-5-a, 1985-5.1-a: what ETRN asks for arrives typed, and is answered as the application says.
#[test]
fn etrn_if_offered() {
    let mut answers = [
        Some("250 2.0.0 Started"),
        Some("251 2.0.0 Nothing waits"),
        Some("252 2.0.0 Started, more waits"),
        Some("253 2.0.0 3 pending"),
        Some("458 4.3.0 Not now"),
        Some("459 4.7.0 Not you"),
        None,
    ]
    .into_iter();
    let mut peer = Peer::greeted(etrn()).deciding(move |event| match event {
        Event::Etrn { .. } => match answers.next().unwrap() {
            Some(answer) => Decision::Reply(answer),
            None => Decision::Accept,
        },
        _ => Decision::Accept,
    });
    for (line, answer) in [
        ("ETRN foo.example", "250 2.0.0 Started"),
        ("etrn foo.example", "251 2.0.0 Nothing waits"),
        ("ETRN @foo.example", "252 2.0.0 Started, more waits"),
        ("ETRN #queue", "253 2.0.0 3 pending"),
        ("ETRN x", "458 4.3.0 Not now"),
        ("ETRN x", "459 4.7.0 Not you"),
        ("ETRN x", "250 2.0.0 Queuing started"),
    ] {
        assert_eq!(
            peer.send(&format!("{line}\r\n")),
            format!("{answer}\r\n"),
            "{line}"
        );
    }
    assert_eq!(
        peer.events()[1..4],
        [
            "etrn Host(\"foo.example\")",
            "etrn Subdomains(\"foo.example\")",
            "etrn Queue(\"queue\")"
        ]
    );
    for line in ["ETRN", "ETRN a b", "ETRN @", "ETRN a_b"] {
        assert_eq!(
            peer.send(&format!("{line}\r\n")),
            "501 5.5.4 Syntax error in the argument\r\n"
        );
    }
}

/// 1985-5-b, 2920-3.1-e, 5321-4.1.1.1-c: not in a transaction, not before EHLO, not within a group,
/// nor answered with what is no answer to it.
#[test]
fn etrn_in_its_place() {
    let mut peer = Peer::new(etrn());
    let misplaced = "503 5.5.1 Bad sequence of commands\r\n";
    assert_eq!(peer.send("ETRN x.example\r\n"), misplaced);
    let mut peer = Peer::greeted(etrn());
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(peer.trickle("ETRN x.example\r\n"), misplaced);
    peer.send("RCPT TO:<a@b.example>\r\n");
    assert_eq!(peer.send("ETRN x.example\r\n"), misplaced);
    assert!(peer.send("DATA\r\n").starts_with("354"));

    // Whether there is a transaction is known once MAIL is decided.
    let mut peer = Peer::greeted(etrn()).deciding(|event| match event {
        Event::Mail { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    assert_eq!(peer.send("MAIL FROM:<>\r\nETRN x.example\r\n"), "");
    assert_eq!(peer.events(), ["mail 1 <>"]);
    assert_eq!(
        peer.answer("mail", "550 5.1.0 no"),
        "550 5.1.0 no\r\n250 2.0.0 Queuing started\r\n"
    );

    let mut peer = Peer::greeted(etrn());
    assert_eq!(
        peer.send("ETRN x.example\r\nQUIT\r\n"),
        "250 2.0.0 Queuing started\r\n\
         554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );

    let mut peer = Peer::greeted(etrn()).deciding(|_| Decision::Hold);
    peer.send("ETRN x.example\r\n");
    let ticket = peer.ticket("etrn");
    let refused = peer.server.reply(ticket, crate::peer::reply("354 x"));
    let refused = peer
        .server
        .reply(refused.unwrap_err().ticket, crate::peer::reply("220 x"));
    peer.server.accept(refused.unwrap_err().ticket).unwrap();
}

/// 6409-7-a, 5321-4.2.4-a, 2645-4-a, 4468-3.1-a: known commands that are not offered, or that the
/// machine has nothing to do with, are 502 wherever they come, and change nothing.
#[test]
fn known_and_not_implemented() {
    let all = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking)
        .with(Extension::Atrn)
        .with(Extension::Burl)
        .with(Extension::Checkpoint);
    let mut peer = Peer::greeted(config().offer(all).max_errors(100).max_idle_commands(100));
    let commands = [
        "ETRN x.example",
        "ETRN",
        "ATRN",
        "ATRN a.example,b.example",
        "ATRN a,",
        "BURL imap://x.example/y LAST",
        "BURL imap://x.example/y",
        "BURL",
        "XCLIENT NAME=x",
        "XCLIENT",
        "XFORWARD NAME=x",
    ];
    for step in [
        "",
        "MAIL FROM:<a@b.example>\r\n",
        "RCPT TO:<c@d.example>\r\n",
        "BDAT 3\r\nx\r\n",
    ] {
        assert!(
            step.is_empty() || peer.send(step).starts_with("250"),
            "{step}"
        );
        for command in commands {
            assert_eq!(
                peer.send(&format!("{command}\r\n")),
                "502 5.5.1 Command not implemented\r\n",
                "{command} after {step}"
            );
        }
    }
    assert_eq!(
        peer.send("BDAT 3 LAST\r\ny\r\n"),
        "250 2.0.0 Message accepted\r\n"
    );
    // 1845-3-c
    assert_eq!(
        peer.send("MAIL FROM:<> TRANSID=<1@x>\r\n"),
        "555 5.5.4 Parameter not offered\r\n"
    );
    // 4468-3.2-c: such a group is one, and the transaction in it goes on.
    assert_eq!(
        peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBURL imap://x LAST\r\nRSET\r\n"),
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
         502 5.5.1 Command not implemented\r\n250 2.0.0 OK\r\n"
    );
}

/// What only the application knows: a keyword, its parameters, its verbs.
fn own() -> Config {
    let offer = Capabilities::new()
        .with(Extension::Pipelining)
        .with_keyword("LANES", "3")
        .unwrap();
    config()
        .offer(offer)
        .mail_parameter("LANE", "lanes")
        .unwrap()
        .rcpt_parameter("EXIT", "LANES")
        .unwrap()
        .mail_parameter("TOLL", "TOLLS")
        .unwrap()
        .command("TURNPIKE")
        .unwrap()
}

/// 5321-2.2.2-b, 5321-4.1.1.11-a: parameters that a keyword of the application's brings, MAIL's and
/// RCPT's apart, where the keyword is offered.
#[test]
fn own_parameters() {
    let mut peer = Peer::greeted(own());
    for (line, code) in [
        ("MAIL FROM:<> TOLL=1", "555"),
        ("MAIL FROM:<> EXIT=1", "555"),
        ("MAIL FROM:<> LANES", "555"),
        ("MAIL FROM:<> lane=2 LANE=2", "501"),
        ("MAIL FROM:<> lane=2", "250"),
        ("RCPT TO:<a@b.example> LANE=2", "555"),
        ("RCPT TO:<a@b.example> EXIT", "250"),
    ] {
        assert_eq!(&peer.send(&format!("{line}\r\n"))[..3], code, "{line}");
    }
    let events = peer.events();
    assert!(events.contains(&"mail 1 <> lane=2".into()), "{events:?}");
    assert!(
        events.contains(&"rcpt 1 <a@b.example> EXIT".into()),
        "{events:?}"
    );

    // Without EHLO nothing is offered.
    let mut peer = Peer::new(own());
    peer.send("HELO c.example\r\n");
    assert!(peer.send("MAIL FROM:<> LANE=2\r\n").starts_with("555"));
    for malformed in ["", "a=b", "-a", "a b", "a\r\nb"] {
        assert!(config().mail_parameter(malformed, "X").is_err());
        assert!(config().mail_parameter("X", malformed).is_err());
        assert!(config().rcpt_parameter(malformed, "X").is_err());
        assert!(config().command(malformed).is_err());
    }
}

/// 5321-2.2.2-b: a verb of the application's arrives, with its argument, at every split; others are
/// 500.
#[test]
fn own_commands() {
    let mut peer = Peer::new(own());
    assert_eq!(
        peer.send("TURNPIKE\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
    let mut peer = Peer::greeted(own()).deciding(|event| match event {
        Event::Command { argument: None, .. } => Decision::Accept,
        Event::Command { .. } => Decision::Reply("299-2.3.4 one\n299 2.3.4 two"),
        _ => Decision::Accept,
    });
    assert_eq!(peer.send("turnpike\r\n"), "250 2.0.0 OK\r\n");
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(
        peer.trickle("TURNPIKE  east = \u{3b4} \r\n"),
        "299-2.3.4 one\r\n299 2.3.4 two\r\n"
    );
    assert_eq!(
        peer.send("TURNPIKES\r\n"),
        "500 5.5.2 Command not recognised\r\n"
    );
    assert_eq!(
        peer.send("TURNPIKE \0\r\n"),
        "501 5.5.4 Syntax error in the argument\r\n"
    );
    assert!(peer.send("RCPT TO:<a@b.example>\r\n").starts_with("250"));
    assert_eq!(
        peer.events(),
        [
            "command turnpike None",
            "mail 1 <>",
            "command TURNPIKE Some(\"east = δ\")",
            "rejected 500 TURNPIKES",
            "rejected 501 TURNPIKE \\x00",
            "rcpt 1 <a@b.example>"
        ]
    );
}

/// 2920-3.1-e: such a command waits for all verdicts, holds up what follows, and ends its group.
#[test]
fn own_commands_end_their_group() {
    let mut peer = Peer::greeted(own()).deciding(|event| match event {
        Event::Hello { .. } | Event::Connected { .. } => Decision::Accept,
        _ => Decision::Hold,
    });
    assert_eq!(peer.send("MAIL FROM:<>\r\nTURNPIKE\r\n"), "");
    assert_eq!(peer.events(), ["mail 1 <>"]);
    assert_eq!(peer.accept("mail"), "250 2.1.0 Sender OK\r\n");
    assert_eq!(peer.events(), ["command TURNPIKE None"]);
    assert_eq!(
        peer.send("R"),
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::ImproperPipelining));

    let mut peer = Peer::greeted(own().improper_pipelining(ImproperPipelining::Tolerate));
    peer.decide = Box::new(|_| Decision::Hold);
    assert_eq!(peer.send("TURNPIKE\r\nRSET\r\n"), "");
    assert_eq!(
        peer.answer("command", "550 5.7.1 no"),
        "550 5.7.1 no\r\n250 2.0.0 OK\r\n"
    );
}

/// 4954-6-c, 3207-4-d, DOS: the application's commands come after AUTH where it is required, and
/// are counted.
#[test]
fn own_commands_have_their_bounds() {
    let mut peer = Peer::greeted(own().max_idle_commands(1));
    assert_eq!(peer.send("TURNPIKE\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(
        peer.send("TURNPIKE\r\n"),
        "421 4.7.0 mx.example too many errors, closing connection\r\n"
    );
    let mut peer = Peer::greeted(own().tls(smtp_proto::server::Tls::Required));
    assert_eq!(
        peer.send("TURNPIKE\r\n"),
        "530 5.7.0 Issue STARTTLS first\r\n"
    );
}
