//! LMTP (RFC 2033).

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::Dialect;
use smtp_proto::server::{Config, Event, Reason};
use smtp_proto::syntax::{Capabilities, Extension};

const ENVELOPE: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n\
    RCPT TO:<no@x.example>\r\nRCPT TO:<c@x.example>\r\nRCPT TO:<b@x.example>\r\n";
const BAD_SEQUENCE: &str = "503 5.5.1 Bad sequence of commands\r\n";

fn lmtp() -> Config {
    config().dialect(Dialect::Lmtp)
}

/// Connects, says LHLO and, if so wished, sends an envelope with three good recipients and a bad one.
fn introduced(config: Config, envelope: &str) -> Peer {
    let mut peer = Peer::silent(config);
    assert_eq!(peer.send(""), "220 mx.example LMTP\r\n");
    assert_eq!(&peer.send("LHLO c.example\r\n")[..3], "250");
    let mut peer = peer.deciding(|event| match event {
        Event::Rcpt { to, .. } if to.to_string().contains("no@") => Decision::Reply("550 5.1.1 no"),
        Event::Delivery { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    peer.send(envelope);
    peer.events();
    peer
}

/// 2033-4.1-a, 2033-4.1-b, 2033-5-b, X-24, 6531-3.1-d
#[test]
fn lhlo_and_no_other() {
    let mut peer = Peer::silent(lmtp().offer(Capabilities::new().with(Extension::SmtpUtf8)));
    peer.send("");
    for command in ["EHLO c.example\r\n", "HELO c.example\r\n", "EHLO\r\n"] {
        assert_eq!(
            peer.send(command),
            "500 5.5.1 This is LMTP, say LHLO\r\n",
            "{command}"
        );
    }
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), BAD_SEQUENCE);
    assert_eq!(&peer.send("LHLO a\tb\r\n")[..3], "501");
    assert_eq!(
        peer.send("LHLO c.example\r\n"),
        "250-mx.example\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
    );
    assert_eq!(peer.events().last().unwrap(), "ehlo c.example");
}

/// A store has names of its own, which its clients give it without a domain. Whoever relays has no use for
/// them: 5321-2.3.5-a.
#[test]
fn recipients_without_a_domain() {
    let answer = |config: Config, name: &str| {
        let mut peer = Peer::silent(config);
        let is_lmtp = peer.send("").contains("LMTP");
        peer.send(if is_lmtp { "LHLO c\r\n" } else { "EHLO c\r\n" });
        peer.send("MAIL FROM:<>\r\n");
        peer.events();
        let said = peer.send(&format!("RCPT TO:{name}\r\n"));
        (said, peer.events().pop().unwrap())
    };
    let taken = |name: &str| {
        (
            "250 2.1.5 Recipient OK\r\n".into(),
            format!("rcpt 1 {name}"),
        )
    };
    let refused = |name: &str| {
        (
            "501 5.1.3 Syntax error in the recipient\r\n".into(),
            format!("rejected 501 RCPT TO:{name}"),
        )
    };
    let smtp = || config();
    assert_eq!(answer(lmtp(), "<bob>"), taken("<bob>"));
    assert_eq!(answer(lmtp(), "bob"), taken("<bob>"));
    assert_eq!(answer(smtp(), "<bob>"), refused("<bob>"));
    assert_eq!(answer(smtp(), "<postmaster>"), taken("<Postmaster>"));
    let told = |config: Config, are_taken| config.unqualified_recipients(are_taken);
    assert_eq!(answer(told(lmtp(), false), "<bob>"), refused("<bob>"));
    assert_eq!(
        answer(told(lmtp(), false), "<postmaster>"),
        taken("<Postmaster>")
    );
    assert_eq!(answer(told(smtp(), true), "<bob>"), taken("<bob>"));
    let dialect = told(smtp(), true).dialect(Dialect::Lmtp);
    assert_eq!(answer(dialect, "<bob>"), taken("<bob>"));
    // Not by the letter.
    assert_eq!(answer(lmtp().strict_syntax(), "<bob>"), refused("<bob>"));
}

/// 2033-4.2-b, 2033-4.2-d, 2033-5-c, X-21: in RCPT order, duplicates too, refused ones not; each as
/// soon as it is the next.
#[test]
fn one_verdict_for_each_recipient() {
    for content in ["DATA\r\n;hi\r\n.\r\n", ";BDAT 4 LAST\r\nhi\r\n"] {
        let mut peer = introduced(lmtp(), ENVELOPE);
        for flight in content.split(';') {
            peer.send(flight);
        }
        let mut events = peer.events();
        assert_eq!(
            events.split_off(events.len() - 4),
            [
                "content 1",
                "delivery 1.0 4",
                "delivery 1.1 4",
                "delivery 1.2 4"
            ]
        );
        assert_eq!(peer.answer("delivery 1.1", "452 4.2.2 full"), "");
        assert_eq!(
            peer.accept("delivery 1.0"),
            "250 2.0.0 Message accepted\r\n452 4.2.2 full\r\n"
        );
        assert_eq!(
            peer.answer("delivery 1.2", "250-yes\n250 sir"),
            "250-2.0.0 yes\r\n250 2.0.0 sir\r\n"
        );
        assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "250");
        peer.events();
        peer.send("NOOP\r\n");
        peer.send("QUIT\r\n");
        let mut events = peer.events();
        events.retain(|event| event.starts_with("acknowledged"));
        assert_eq!(
            events,
            ["acknowledged 1.0 Confirmed", "acknowledged 1.2 Confirmed"]
        );
    }
}

/// what comes after the content is handled meanwhile, and answered after it.
#[test]
fn the_next_transaction_does_not_wait() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    assert_eq!(peer.send("BDAT 1 LAST\r\nxMAIL FROM:<>\r\n"), "");
    assert_eq!(peer.events().last().unwrap(), "mail 2 <>");
    peer.accept("delivery 1.0");
    peer.accept("delivery 1.1");
    assert_eq!(
        peer.accept("delivery 1.2"),
        "250 2.0.0 Message accepted\r\n250 2.1.0 Sender OK\r\n"
    );
}

/// Overdue verdicts are given for each recipient.
#[test]
fn overdue_deliveries() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    peer.send("BDAT 1 LAST\r\nx");
    peer.accept("delivery 1.1");
    let overdue = "451 4.3.0 No answer in time, try again later\r\n";
    assert_eq!(
        peer.wait(9 * 60),
        format!("{overdue}250 2.0.0 Message accepted\r\n{overdue}")
    );
}

/// 2033-4.2-a, X-4
#[test]
fn data_without_recipients() {
    let mut peer = introduced(lmtp(), "");
    assert_eq!(peer.send("DATA\r\n"), BAD_SEQUENCE);
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(peer.send("DATA\r\n"), BAD_SEQUENCE);
    peer.send("RCPT TO:<no@x.example>\r\n");
    assert_eq!(peer.send("DATA\r\n"), BAD_SEQUENCE);
}

/// 2033-4.3-a, 2033-4.3-b, X-4, BDT-14
#[test]
fn chunks_without_recipients() {
    let mut peer = introduced(lmtp(), "");
    assert_eq!(peer.send("BDAT 6 LAST\r\nQUIT\r\n"), "");
    assert_eq!(peer.send("BDAT 6\r\nQUIT\r\n"), BAD_SEQUENCE);
    peer.send("MAIL FROM:<>\r\nRCPT TO:<no@x.example>\r\n");
    assert_eq!(peer.send("BDAT 6 LAST\r\nQUIT\r\n"), "");
    assert_eq!(peer.events().last().unwrap(), "reset 1 ChunkFailed");
    assert_eq!(peer.send("BDAT 6\r\nQUIT\r\n"), BAD_SEQUENCE);
    assert_eq!(
        peer.send("BDAT 6 LAST\r\nQUIT\r\nRSET\r\n"),
        "250 2.0.0 OK\r\n"
    );
}

/// 2033-4.3-a: one reply for a chunk that is not the last, three for the last.
#[test]
fn chunks() {
    let mut peer = introduced(lmtp(), ENVELOPE).deciding(|_| Decision::Accept);
    assert_eq!(peer.send("BDAT 1\r\nx"), "250 2.0.0 Chunk OK\r\n");
    assert_eq!(
        peer.send("BDAT 0 LAST\r\n"),
        "250 2.0.0 Message accepted\r\n".repeat(3)
    );
}

/// after a chunk that failed, LAST is answered for each recipient, once.
#[test]
fn the_last_chunk_after_a_failed_one() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    peer.send("BDAT 1\r\nx");
    let transaction = peer.transaction.unwrap();
    let refusal = crate::peer::reply("552 5.2.2 full");
    peer.server.refuse_content(transaction, refusal).unwrap();
    let got = peer.send("BDAT 1\r\nxBDAT 1 LAST\r\nxBDAT 1 LAST\r\nxRSET\r\n");
    assert_eq!(
        got,
        format!(
            "552 5.2.2 full\r\n{}250 2.0.0 OK\r\n",
            BAD_SEQUENCE.repeat(3)
        )
    );
    // RSET forgets it.
    peer.send(ENVELOPE);
    peer.send("BDAT 1\r\nxDATA\r\nRSET\r\n");
    assert_eq!(peer.send("BDAT 1 LAST\r\nx"), "");
}

/// Content that is refused, by the machine or by the application, is refused for each recipient.
#[test]
fn refused_content() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    peer.send("DATA\r\n");
    let refusal = "550 5.6.0 Content has a bare CR or LF\r\n";
    assert_eq!(peer.send("a\nb\r\n.\r\n"), refusal.repeat(3));
    let cause = Reason::BareLineBreak;
    assert_eq!(peer.events()[1..], [format!("reset 1 {cause:?}")]);
    peer.send(ENVELOPE);
    assert_eq!(peer.send("BDAT 3 LAST\r\na\nb"), refusal.repeat(3));
    peer.send(ENVELOPE);
    peer.send("BDAT 2 LAST\r\na");
    let transaction = peer.transaction.unwrap();
    let refusal = crate::peer::reply("554 virus");
    peer.server.refuse_content(transaction, refusal).unwrap();
    assert_eq!(peer.send("b"), "554 5.0.0 virus\r\n".repeat(3));
}

/// X-23, 2033-5-e: the end comes in the midst of the replies.
#[test]
fn an_early_end() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    peer.send("BDAT 1 LAST\r\nx");
    peer.accept("delivery 1.0");
    peer.accept("delivery 1.2");
    assert_eq!(
        peer.answer("delivery 1.1", "421 4.3.2 mx.example down"),
        "421 4.3.2 mx.example down\r\n"
    );
    peer.poll();
    let mut events = peer.events();
    assert_eq!(
        events.split_off(events.len() - 2),
        ["acknowledged 1.0 Sent", "acknowledged 1.2 Unsent"]
    );
}

/// A shutdown waits for the verdicts of all recipients.
#[test]
fn shut_down_before_all_deliveries_are_told() {
    let mut peer = introduced(lmtp(), ENVELOPE);
    let mut input: &[u8] = b"BDAT 0 LAST\r\n";
    let mut tickets = Vec::new();
    while let Some(event) = peer.server.poll_event(&mut input, peer.now).unwrap() {
        let down = crate::peer::reply("421 4.3.2 mx.example down");
        let _ = peer.server.shut_down(down);
        if let Event::Delivery { ticket, .. } = event {
            tickets.push(ticket);
        }
    }
    assert_eq!(tickets.len(), 3);
    for ticket in tickets.into_iter().rev() {
        peer.server.accept(ticket).unwrap();
    }
    assert_eq!(
        peer.read(),
        format!(
            "{}421 4.3.2 mx.example down\r\n",
            "250 2.0.0 Message accepted\r\n".repeat(3)
        )
    );
}
