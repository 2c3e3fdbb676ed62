//! L6: every verb in every state.

use crate::peer::{Peer, config};
use smtp_proto::server::Tls;
use smtp_proto::syntax::{Capabilities, Extension};

/// Each state, by the commands that lead to it, one flight each.
const STATES: [(&str, &[&str]); 6] = [
    ("G", &[]),
    ("R", &["EHLO c.example\r\n"]),
    ("M", &["EHLO c.example\r\n", "MAIL FROM:<a@b.example>\r\n"]),
    (
        "C",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
        ],
    ),
    (
        "B",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 1\r\nx",
        ],
    ),
    (
        "F",
        &[
            "EHLO c.example\r\n",
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 1\r\nxDATA\r\n",
        ],
    ),
];

/// What each command is answered in each state, and the state after it.
const TABLE: [(&str, [&str; 6]); 18] = [
    ("EHLO c.example\r\n", ["250 R"; 6]),
    ("HELO c.example\r\n", ["250 R"; 6]),
    (
        "MAIL FROM:<e@f.example>\r\n",
        ["503 G", "250 M", "503 M", "503 C", "503 B", "503 F"],
    ),
    (
        "RCPT TO:<g@h.example>\r\n",
        ["503 G", "503 R", "250 C", "250 C", "503 B", "503 F"],
    ),
    (
        "DATA\r\n",
        ["503 G", "503 R", "503 M", "354 D", "503 F", "503 F"],
    ),
    (
        "BDAT 4\r\nQUIT",
        ["503 G", "503 R", "503 F", "250 B", "250 B", "503 F"],
    ),
    (
        "BDAT 4 LAST\r\nQUIT",
        ["503 G", "503 R", "503 F", "250 R", "250 R", "503 F"],
    ),
    (
        "RSET\r\n",
        ["250 G", "250 R", "250 R", "250 R", "250 R", "250 R"],
    ),
    (
        "NOOP\r\n",
        ["250 G", "250 R", "250 M", "250 C", "250 B", "250 F"],
    ),
    (
        "VRFY x\r\n",
        ["252 G", "252 R", "252 M", "252 C", "252 B", "252 F"],
    ),
    (
        "EXPN x\r\n",
        ["252 G", "252 R", "252 M", "252 C", "252 B", "252 F"],
    ),
    (
        "HELP\r\n",
        ["214 G", "214 R", "214 M", "214 C", "214 B", "214 F"],
    ),
    (
        "FOO\r\n",
        ["500 G", "500 R", "500 M", "500 C", "500 B", "500 F"],
    ),
    (
        "LHLO c.example\r\n",
        ["500 G", "500 R", "500 M", "500 C", "500 B", "500 F"],
    ),
    (
        "STARTTLS\r\n",
        ["220 D", "220 D", "503 M", "503 C", "503 B", "503 F"],
    ),
    (
        "EHLO a\tb\r\n",
        ["501 G", "501 R", "501 M", "501 C", "501 B", "501 F"],
    ),
    (
        "MAIL FROM:<a\r\n",
        ["501 G", "501 R", "501 M", "501 C", "501 B", "501 F"],
    ),
    ("QUIT\r\n", ["221 Q"; 6]),
];

/// Tells the state of a session by what it answers to RCPT and then to BDAT.
fn probe(peer: &mut Peer) -> &'static str {
    let mut first = |text: &str| peer.send(text).get(..3).map(str::to_owned);
    match first("BDAT 1 LAST\r\nx").as_deref() {
        None => "Q",
        Some("250") => "B or C",
        Some("503") => match first("MAIL FROM:<p@q.example>\r\n").as_deref() {
            Some("250") => "R",
            _ => "G or M or F",
        },
        _ => "D",
    }
}

fn class_of(state: &str) -> &'static str {
    match state {
        "B" | "C" => "B or C",
        "G" | "M" | "F" => "G or M or F",
        "R" => "R",
        "Q" => "Q",
        _ => "D",
    }
}

/// 5321-4.1.4-a..g, 5321-4.1.1.1-c, 5321-4.1.1.5-a, 5321-3.3-d, 3030-2-m, 3030-2-n, BDT-5, CMD-10,
/// 3207-4.2-e, 5321-3.3-k, 5321-4.1.1.5-b, 5321-4.1.4-f, 5321-4.1.4-g, 5321-4.2-a, 5321-4.3.2-a,
/// 5321-4.5.1-a, 6409-5.1-a
#[test]
fn every_verb_in_every_state() {
    let offered = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking)
        .with(Extension::Expn)
        .with(Extension::Help);
    for (column, (state, flights)) in STATES.iter().enumerate() {
        for (command, row) in &TABLE {
            let mut peer = Peer::new(config().offer(offered.clone()).tls(Tls::Offered));
            for flight in *flights {
                peer.send(flight);
            }
            let answer = peer.send(command);
            let (code, next) = row[column].split_once(' ').unwrap();
            assert_eq!(&answer[..3], code, "{command:?} in {state}: {answer}");
            // One reply, of one or more lines.
            let last_lines = answer
                .lines()
                .filter(|line| line.as_bytes()[3] == b' ')
                .count();
            assert_eq!(last_lines, 1, "{command:?} in {state}: {answer}");
            if next != "D" {
                assert_eq!(
                    probe(&mut peer),
                    class_of(next),
                    "{command:?} in {state} should lead to {next}"
                );
            }
        }
    }
}

/// 5321-4.1.4-e: the first sender stays.
#[test]
fn nested_mail() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@b.example>\r\nMAIL FROM:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n");
    assert_eq!(
        peer.events(),
        [
            "mail 1 <a@b.example>",
            "rejected 503 MAIL FROM:<c@d.example>",
            "rcpt 1 <e@f.example>"
        ]
    );
}

/// 5321-4.1.4-b, 5321-4.1.1.1-d, X-19
#[test]
fn ehlo_resets() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
    peer.send("EHLO again.example\r\n");
    assert_eq!(
        peer.send("DATA\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
    assert_eq!(
        peer.events()[2..],
        ["ehlo again.example", "reset 1 Hello", "rejected 503 DATA"]
    );
}

/// 5321-4.1.4-c, 5321-7.9-a: an EHLO that is refused leaves the transaction open.
#[test]
fn refused_ehlo_changes_nothing() {
    let mut peer = Peer::greeted(config());
    peer.send("MAIL FROM:<a@b.example>\r\n");
    peer.decide = Box::new(|_| crate::peer::Decision::Reply("550 5.7.1 not you"));
    assert_eq!(peer.send("EHLO bad.example\r\n"), "550 5.7.1 not you\r\n");
    peer.decide = Box::new(|_| crate::peer::Decision::Accept);
    assert_eq!(
        peer.send("RCPT TO:<c@d.example>\r\n"),
        "250 2.1.5 Recipient OK\r\n"
    );
}

/// CMD-11, 5321-3.3-a, 5321-4.1.1.4-h, X-20: after every end of a transaction, sender and
/// recipients are gone.
#[test]
fn nothing_survives_a_transaction() {
    let envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    for ending in [
        &["DATA\r\n", "x\r\n.\r\n"][..],
        &["BDAT 1 LAST\r\nx"],
        &["BDAT 1\r\nx", "RSET\r\n"],
        &["BDAT 3\r\na\rb"],
        &["BDAT 3\r\na\rb", "BDAT 1 LAST\r\nx"],
        &["RSET\r\n"],
        &["EHLO c.example\r\n"],
    ] {
        for verdict in [None, Some("451 4.0.0 no"), Some("554 5.0.0 no")] {
            let mut peer = Peer::greeted(config()).deciding(move |event| match (event, verdict) {
                (smtp_proto::server::Event::Message { .. }, Some(line)) => {
                    crate::peer::Decision::Reply(line)
                }
                _ => crate::peer::Decision::Accept,
            });
            peer.send(envelope);
            for flight in ending {
                peer.send(flight);
            }
            for command in ["RCPT TO:<e@f.example>\r\n", "DATA\r\n"] {
                assert_eq!(
                    peer.send(command),
                    "503 5.5.1 Bad sequence of commands\r\n",
                    "{command:?} after {ending:?} {verdict:?}"
                );
            }
        }
    }
}

/// 5321-3.3-h, 2920-3.2-c, X-4, X-5, 5321-3.3-c, 5321-3.6-a, 2920-3.2-d, 2920-3.2-i, X-3
#[test]
fn data_without_recipients() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        smtp_proto::server::Event::Rcpt { .. } => crate::peer::Decision::Reply("550 5.1.1 no"),
        _ => crate::peer::Decision::Accept,
    });
    assert_eq!(
        peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"),
        "250 2.1.0 Sender OK\r\n550 5.1.1 no\r\n554 5.5.1 No valid recipients\r\n"
    );
    peer.decide = Box::new(|_| crate::peer::Decision::Accept);
    assert_eq!(
        peer.send("RCPT TO:<c@b.example>\r\nDATA\r\n"),
        "250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n"
    );
}

/// X-5, 5321-3.3-b, 5321-7.9-a, 2920-3.2-i: a refused MAIL takes the rest of its group along, and
/// none of it counts as an error.
#[test]
fn a_refused_sender_takes_the_group_along() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        smtp_proto::server::Event::Mail { .. } => crate::peer::Decision::Reply("550 5.7.1 no"),
        _ => crate::peer::Decision::Accept,
    });
    let group = format!(
        "MAIL FROM:<a@b.example>\r\n{}BDAT 4 LAST\r\nQUIT",
        "RCPT TO:<c@d.example>\r\n".repeat(100)
    );
    let refused = "503 5.5.1 Bad sequence of commands\r\n".repeat(101);
    assert_eq!(peer.send(&group), format!("550 5.7.1 no\r\n{refused}"));
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
}
