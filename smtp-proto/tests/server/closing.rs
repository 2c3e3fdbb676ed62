//! Any verdict may end the session, and no event keeps its ticket to itself.

use crate::peer::{Decision, Peer, config, reply};
use smtp_proto::machine::{Dialect, Fault, Misuse};
use smtp_proto::server::{Event, Server, Tls};
use smtp_proto::syntax::{Capabilities, Extension};
use smtp_proto::testing::End;

const GROUP: &str =
    "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nNOOP\r\n";

/// Each question, by what leads to it.
const QUESTIONS: [(&str, &[&str]); 9] = [
    ("connected", &[]),
    ("ehlo", &["EHLO c.example\r\n"]),
    ("mail", &["EHLO c.example\r\n", "MAIL FROM:<>\r\n"]),
    (
        "rcpt",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n",
        ],
    ),
    (
        "data",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n",
        ],
    ),
    (
        "message",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 1 LAST\r\nx",
        ],
    ),
    ("vrfy", &["EHLO c.example\r\n", "VRFY x\r\n"]),
    ("starttls", &["EHLO c.example\r\n", "STARTTLS\r\n"]),
    ("command", &["EHLO c.example\r\n", "XLANE\r\n"]),
];

/// Has every question accepted but that one.
fn holding(name: &'static str) -> Peer {
    let config = config().tls(Tls::Offered).command("XLANE").unwrap();
    Peer::silent(config).deciding(move |event| {
        match crate::peer::describe(event).starts_with(name) {
            true => Decision::Hold,
            false => Decision::Accept,
        }
    })
}

/// A negative reply to anything, or none: then the end, whatever came after.
#[test]
fn any_verdict_may_close() {
    for (name, flights) in QUESTIONS {
        for line in [None, Some("550 5.7.1 go away"), Some("450 4.7.1 go away")] {
            let mut peer = holding(name);
            peer.send("");
            for flight in flights {
                peer.send(flight);
            }
            peer.events();
            let ticket = peer.ticket(name);
            let refused = peer.server.close(ticket, Some(reply("250 2.0.0 stay")));
            let refused = refused.unwrap_err();
            assert_eq!(refused.misuse, Misuse::WrongReplyClass);
            peer.server.close(refused.ticket, line.map(reply)).unwrap();
            let expected = line.map_or(String::new(), |line| format!("{line}\r\n"));
            assert_eq!(peer.read(), expected, "{name}");
            assert_eq!(peer.send("NOOP\r\n"), "", "{name}");
            peer.poll();
            assert!(peer.server.is_closed(), "{name}");
            assert_eq!(peer.error.take().unwrap().fault(), Fault::ShutDown);
            let events = peer.events();
            let has_transaction = matches!(name, "rcpt" | "data");
            assert_eq!(
                events.len(),
                usize::from(has_transaction),
                "{name}: {events:?}"
            );
        }
    }
}

/// What came after the command is neither handed out nor answered; what came before it is.
#[test]
fn what_surrounds_the_last_verdict() {
    for line in [None, Some("554 5.7.1 enough")] {
        let mut peer = Peer::greeted(config()).deciding(|event| match event {
            Event::Rcpt { .. } => Decision::Hold,
            _ => Decision::Accept,
        });
        peer.send(GROUP);
        peer.events();
        let second = peer.ticket("rcpt 1 <c@");
        peer.server.close(second, line.map(reply)).unwrap();
        assert_eq!(peer.read(), "");
        assert!(!peer.server.is_closed());
        let last = line.map_or(String::new(), |line| format!("{line}\r\n"));
        assert_eq!(
            peer.answer("rcpt 1 <b@", "250 2.1.5 still"),
            format!("250 2.1.5 still\r\n{last}")
        );
        peer.poll();
        assert!(peer.server.is_closed());
        assert_eq!(peer.events(), ["reset 1 Ended"]);
    }
}

/// A ticket whose session is ending already, and another connection's.
#[test]
fn closing_what_is_closing() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        Event::Message { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 1 LAST\r\nx");
    let ticket = peer.ticket("message");
    let refused = Peer::new(config()).server.close(ticket, None).unwrap_err();
    assert_eq!(refused.misuse, Misuse::UnknownTicket);
    peer.server.shut_down(reply("421 4.3.2 down")).unwrap();
    // The goodbye is not said twice.
    peer.server
        .close(refused.ticket, Some(reply("421 4.3.2 gone")))
        .unwrap();
    assert_eq!(peer.read(), "421 4.3.2 gone\r\n");
    peer.poll();
    assert!(peer.server.is_closed());
}

/// What nobody handles is refused, in the words of its command; VRFY and HELP have an answer that
/// promises nothing.
#[test]
fn declined() {
    let offer = Capabilities::new()
        .with(Extension::Expn)
        .with(Extension::Help)
        .with(Extension::Etrn)
        .with(Extension::XClient)
        .with(Extension::XForward);
    let config = config()
        .offer(offer)
        .tls(Tls::Offered)
        .command("XLANE")
        .unwrap()
        .unknown_commands();
    for (name, flights, answer) in [
        ("connected", &[][..], "554 5.3.2 No service here\r\n"),
        ("ehlo", &["EHLO c\r\n"], "550 5.7.0 Not accepted here\r\n"),
        ("helo", &["HELO c\r\n"], "550 5.7.0 Not accepted here\r\n"),
        (
            "mail",
            &["MAIL FROM:<>\r\n"],
            "550 5.7.0 Not accepted here\r\n",
        ),
        (
            "rcpt",
            &["MAIL FROM:<>\r\n", "RCPT TO:<a@b.example>\r\n"],
            "550 5.7.0 Not accepted here\r\n",
        ),
        (
            "data",
            &["MAIL FROM:<>\r\n", "RCPT TO:<a@b.example>\r\n", "DATA\r\n"],
            "550 5.7.0 Not accepted here\r\n",
        ),
        (
            "message",
            &[
                "MAIL FROM:<>\r\n",
                "RCPT TO:<a@b.example>\r\n",
                "DATA\r\n",
                ".\r\n",
            ],
            "550 5.7.0 Not accepted here\r\n",
        ),
        (
            "vrfy",
            &["VRFY x\r\n"],
            "252 2.5.0 Not verified, but mail will be tried\r\n",
        ),
        (
            "expn",
            &["EXPN x\r\n"],
            "502 5.5.1 Command not implemented\r\n",
        ),
        ("help", &["HELP\r\n"], "214 2.0.0 See RFC 5321\r\n"),
        (
            "etrn",
            &["ETRN x\r\n"],
            "458 4.3.0 Unable to queue messages\r\n",
        ),
        (
            "starttls",
            &["STARTTLS\r\n"],
            "454 4.7.0 TLS not available, try again later\r\n",
        ),
        (
            "XCLIENT",
            &["XCLIENT NAME=x\r\n"],
            "550 5.7.0 Not authorised\r\n",
        ),
        (
            "XFORWARD",
            &["XFORWARD NAME=x\r\n"],
            "550 5.7.0 Not authorised\r\n",
        ),
        (
            "NAME",
            &["XLANE\r\n"],
            "502 5.5.1 Command not implemented\r\n",
        ),
        (
            "FOO",
            &["FOO bar\r\n"],
            "500 5.5.2 Command not recognised\r\n",
        ),
    ] {
        let now = Default::default();
        let mut server = End::new(Server::new(config.clone(), now));
        let mut got = Vec::new();
        let mut all = vec!["", "EHLO first.example\r\n"];
        all.extend(flights);
        for flight in all {
            let is_last = Some(&flight) == flights.last() || name == "connected";
            server.feed(flight.as_bytes());
            let heard = server.hear(now, |server, event| {
                let accepted =
                    !is_last || matches!(event, Event::Connected { .. }) && name != "connected";
                match accepted {
                    false => server.decline(event),
                    true => {
                        if let Some(ticket) = event.into_ticket() {
                            server.accept(ticket).unwrap();
                        }
                    }
                }
            });
            assert!(heard.is_ok(), "{name}: {heard:?}");
            got.clear();
            server.speak(now, &mut got);
            if is_last {
                break;
            }
        }
        assert_eq!(String::from_utf8(got).unwrap(), answer, "{name}");
    }
}

/// In LMTP each recipient's verdict is declined; what has no ticket is just dropped.
#[test]
fn declined_deliveries() {
    let mut peer = Peer::silent(config().dialect(Dialect::Lmtp));
    peer.send("");
    peer.send("LHLO c.example\r\n");
    peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\n");
    let mut input: &[u8] = b"BDAT 1 LAST\r\nx";
    while let Some(event) = peer.server.poll_event(&mut input, peer.now).unwrap() {
        peer.server.decline(event);
    }
    assert_eq!(peer.read(), "550 5.7.0 Not accepted here\r\n".repeat(2));
}
