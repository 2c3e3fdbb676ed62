//! What `receive` takes, what it stores and what it says of it.

use std::{
    io::BufRead as _,
    process::{Command, Output},
};

use crate::support::{Receiver, wait_until};

fn receive(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_receive");
    Command::new(program).args(arguments).output().unwrap()
}

/// 5321-4.4: it makes the final delivery, and says from whom and when it has the message.
#[test]
fn a_message_begins_with_where_it_comes_from() {
    let receiver = Receiver::start(&["--name", "mx.example"]);
    let mut peer = receiver.connect();
    assert_eq!(peer.reply(), "220 mx.example ESMTP\r\n");
    peer.ask("EHLO c.example");
    assert_eq!(&peer.send("Subject: x\r\n\r\nHello.")[..3], "250");
    let stored = receiver.stored();
    let lines: Vec<_> = stored[0].split_inclusive("\r\n").collect();
    let (id, date) = (lines[2].split(" id ").nth(1).unwrap(), lines[4]);
    assert!(id.contains(".M") && id.ends_with("\r\n"), "{id}");
    assert!(
        date.starts_with('\t') && date.ends_with(" +0000\r\n"),
        "{date}"
    );
    assert_eq!(
        stored[0],
        format!(
            "Return-Path: <a@x.example>\r\n\
             Received: from c.example ([127.0.0.1])\r\n\tby mx.example with ESMTP id {id}\
             \tfor <b@y.example>;\r\n{date}\
             Subject: x\r\n\r\nHello.\r\n"
        )
    );
}

/// 3461-4: whoever delivers the message has to know what it asks for of notifications.
#[test]
fn requests_for_notifications_are_kept() {
    let receiver = Receiver::start(&[]);
    let mut peer = receiver.greet();
    peer.expect("MAIL FROM:<a@b.example> RET=HDRS ENVID=e1", "250");
    peer.expect("RCPT TO:<c@d.example> NOTIFY=NEVER", "250");
    peer.expect("RCPT TO:<e@f.example>", "250");
    peer.expect("DATA", "354");
    peer.expect("Subject: x\r\n.", "250");
    let stored = receiver.stored();
    let kept = "\
        X-Envelope-From: <a@b.example> RET=HDRS ENVID=e1\r\n\
        X-Envelope-To: <c@d.example> NOTIFY=NEVER\r\n\
        X-Envelope-To: <e@f.example>\r\n\
        Subject: x\r\n";
    assert!(stored[0].ends_with(kept), "{}", stored[0]);
}

/// What is stored is told, and accepted whether anybody reads of it or not: told by 452, the client
/// would send it again.
#[test]
fn what_is_stored_is_accepted_though_nobody_reads_of_it() {
    let mut receiver = Receiver::start(&["--json"]);
    let mut peer = receiver.greet();
    assert_eq!(&peer.send("1")[..3], "250");
    let mut line = String::new();
    receiver
        .output
        .as_mut()
        .unwrap()
        .read_line(&mut line)
        .unwrap();
    assert_eq!(
        line,
        "{\"bytes\":3,\"from\":\"a@x.example\",\"recipients\":[\"b@y.example\"]}\n"
    );
    drop(receiver.output.take());
    for content in ["2", "3"] {
        assert_eq!(&peer.send(content)[..3], "250");
    }
    assert_eq!(receiver.stored().len(), 3);
}

#[test]
fn strict_syntax_is_a_choice() {
    for (arguments, code) in [(&[][..], "250"), (&["--strict"], "501")] {
        let receiver = Receiver::start(arguments);
        receiver.greet().expect("MAIL FROM: <a@x.example>", code);
    }
}

#[test]
fn recipients_without_a_domain_are_a_choice() {
    for (arguments, code) in [(&[][..], "501"), (&["--unqualified"], "250")] {
        let receiver = Receiver::start(arguments);
        let mut peer = receiver.greet();
        peer.expect("MAIL FROM:<a@x.example>", "250");
        peer.expect("RCPT TO:<bob>", code);
        peer.expect("RCPT TO:<postmaster>", "250");
    }
}

#[test]
fn beyond_so_many_connections_clients_are_told_421() {
    let receiver = Receiver::start(&["--max-connections", "2"]);
    let (first, _second) = (receiver.greet(), receiver.greet());
    assert_eq!(&receiver.connect().reply()[..4], "421 ");
    drop(first);
    wait_until(|| receiver.connect().reply().starts_with("220 "));
}

/// 5321-4.5.3.1.8-a, 9422-3.2: as many recipients as are announced are taken, and no more.
#[test]
fn so_many_recipients_are_announced_and_taken() {
    let receiver = Receiver::start(&["--max-recipients", "100"]);
    let mut peer = receiver.connect();
    peer.reply();
    let offer = peer.ask("EHLO c.example");
    assert!(offer.contains("LIMITS RCPTMAX=100\r\n"), "{offer}");
    peer.expect("MAIL FROM:<a@x.example>", "250");
    for n in 0..100 {
        peer.expect(&format!("RCPT TO:<b{n}@y.example>"), "250");
    }
    peer.expect("RCPT TO:<c@y.example>", "452");
    // What it would have to take nevertheless cannot be announced.
    let output = receive(&["--listen", "127.0.0.1:0", "--max-recipients", "12"]);
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("12 is not in 100.."), "{error}");
}

#[test]
fn help_says_what_is_the_default() {
    let output = receive(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for (option, default) in [
        ("--max-size", "[default: 10240000]"),
        ("--max-connections", "[default: 1000]"),
        ("--maildir", "[default: Maildir]"),
    ] {
        let after = help.split_once(option).unwrap().1;
        let entry = after.split("\n      --").next().unwrap();
        assert!(entry.contains(default), "{entry}");
    }
}

#[test]
fn so_large_a_message_is_announced_and_taken() {
    let receiver = Receiver::start(&["--max-size", "70000"]);
    let mut peer = receiver.connect();
    peer.reply();
    assert!(peer.ask("EHLO c.example").contains("SIZE 70000\r\n"));
    peer.expect("MAIL FROM:<a@x.example> SIZE=70001", "552");
    peer.expect("MAIL FROM:<a@x.example> SIZE=70000", "250");
}

/// What is under way comes to its end before the program does.
#[test]
fn a_signal_ends_it_in_good_order() {
    let mut receiver = Receiver::start(&[]);
    let mut peer = receiver.greet();
    peer.expect("MAIL FROM:<a@x.example>", "250");
    peer.expect("RCPT TO:<b@y.example>", "250");
    peer.expect("DATA", "354");
    receiver.signal("TERM");
    assert_eq!(&peer.ask("Hello.\r\n.")[..3], "250");
    assert_eq!(&peer.reply()[..3], "421");
    assert!(receiver.child.wait().unwrap().success());
    assert_eq!(receiver.stored().len(), 1);
}
