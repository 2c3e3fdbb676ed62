//! `deliver --resume`: exactly what was not sent is sent again.

use std::{
    fs::OpenOptions,
    io::Write as _,
    process::{Command, Stdio},
};

use smtp_proto_test_support::{Script, Scripted};

use crate::support::{Messages, deliver, objects, outcomes, wait_until};

/// Takes one message.
const TAKES: Script = &[
    ("", "220 x\r\n"),
    ("EHLO", "250 x\r\n"),
    ("MAIL", "250 x\r\n"),
    ("RCPT", "250 x\r\n"),
    ("DATA", "354 x\r\n"),
    (".", "250 taken\r\n"),
    ("QUIT", "221 x\r\n"),
];
/// Takes the first message, refuses the second, leaves the third in doubt.
const ENDS: Script = &[
    ("", "220 x\r\n"),
    ("EHLO", "250 x\r\n"),
    ("MAIL", "250 x\r\n"),
    ("RCPT", "250 x\r\n"),
    ("DATA", "354 x\r\n"),
    (".", "250 taken\r\n"),
    ("MAIL", "550 no\r\n"),
    ("RSET", "250 x\r\n"),
    ("MAIL", "250 x\r\n"),
    ("RCPT", "250 x\r\n"),
    ("DATA", "354 x\r\n"),
    (".", ""),
];

/// Runs `deliver` for all of these messages, with the record of the runs before.
fn run(
    server: &Scripted,
    messages: &Messages,
    names: &[&str],
    more: &[&str],
) -> std::process::Output {
    let (to, record) = (server.address.to_string(), messages.path("record"));
    let files: Vec<_> = names.iter().map(|name| messages.path(name)).collect();
    let mut arguments = vec!["--to", &to, "--resume", &record, "--json"];
    arguments.extend(more);
    arguments.extend(files.iter().map(String::as_str));
    deliver(&arguments)
}

fn told(outcomes: &[(String, String)]) -> Vec<(&str, &str)> {
    let told = outcomes
        .iter()
        .map(|(name, outcome)| (name.as_str(), outcome.as_str()));
    told.collect()
}

#[test]
fn what_was_not_sent_is_sent_again_and_nothing_else() {
    let names = ["1", "2", "3", "4"];
    let messages = Messages::new(&names);
    let server = Scripted::new([ENDS, &[("", "421 not now\r\n")]]);
    let output = run(&server, &messages, &names, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let first = outcomes(&output);
    let expected = [
        ("1", "delivered"),
        ("2", "refused"),
        ("3", "in-doubt"),
        ("4", "not-sent"),
    ];
    assert_eq!(told(&first), expected);
    assert_eq!(server.heard().len(), 2);

    // The one that was not sent; the one in doubt is kept apart, and told.
    let server = Scripted::new([TAKES]);
    let output = run(&server, &messages, &names, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let second = outcomes(&output);
    assert_eq!(told(&second), [("3", "in-doubt"), ("4", "delivered")]);
    let heard = server.heard();
    assert!(heard[0].contains("Subject: 4\r\n"));
    assert_eq!(heard[0].matches("Subject: ").count(), 1);

    // Now somebody has found out that it is not there.
    let server = Scripted::new([TAKES]);
    let output = run(&server, &messages, &names, &["--again-in-doubt"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(told(&outcomes(&output)), [("3", "delivered")]);
    assert!(server.heard()[0].contains("Subject: 3\r\n"));

    // Nothing is left to do, and nobody to be connected to.
    let server = Scripted::new([]);
    let output = run(&server, &messages, &names, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(objects(&output).last().unwrap()["connections"], 0);
}

/// In a message to several, each recipient counts by itself.
#[test]
fn recipients_count_by_themselves() {
    let messages = Messages::new(&["1"]);
    let rcpt = [
        "--policy",
        "lockstep",
        "--rcpt",
        "b@y.example",
        "--rcpt",
        "c@y.example",
    ];
    let server = Scripted::new([&[
        ("", "220 x\r\n"),
        ("EHLO", "250 x\r\n"),
        ("MAIL", "250 x\r\n"),
        ("RCPT", "550 no\r\n"),
        ("RCPT", "421 not now\r\n"),
    ][..]]);
    let output = run(&server, &messages, &["1"], &rcpt);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let object = &objects(&output)[0];
    let outcome = |recipient: usize| object["recipients"][recipient]["outcome"].clone();
    assert_eq!([outcome(0), outcome(1)], ["refused", "not-sent"]);
    drop(server);
    let server = Scripted::new([TAKES]);
    let output = run(&server, &messages, &["1"], &rcpt);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let heard = server.heard();
    assert!(
        heard[0].contains("RCPT TO:<c@y.example>\r\n"),
        "{}",
        heard[0]
    );
    assert!(!heard[0].contains("b@y.example"), "{}", heard[0]);
}

/// A program that is killed leaves in doubt what it had under way.
#[test]
fn what_was_under_way_when_it_was_killed_is_in_doubt() {
    let messages = Messages::new(&["1", "2"]);
    let server = Scripted::new([&[
        ("", "220 x\r\n"),
        ("EHLO", "250 x\r\n"),
        ("MAIL", "250 x\r\n"),
        ("RCPT", "250 x\r\n"),
        ("DATA", "354 x\r\n"),
        (".", "stay"),
    ][..]]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_deliver"))
        .args(["--to", &server.address.to_string(), "--policy", "lockstep"])
        .args([
            "--from",
            "ada@client.example",
            "--rcpt",
            "grace@server.example",
        ])
        .args(["--resume", &messages.path("record"), &messages.path("1")])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| {
        std::fs::read_to_string(messages.path("record")).is_ok_and(|it| it.contains("begins"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    drop(server);
    // Half a line, as of a disk that is full, says nothing.
    let mut record = OpenOptions::new()
        .append(true)
        .open(messages.path("record"))
        .unwrap();
    record.write_all(b"{\"id\":\"").unwrap();
    for attempt in 0..2 {
        let server = Scripted::new(if attempt == 0 { vec![TAKES] } else { vec![] });
        let output = run(&server, &messages, &["1", "2"], &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!server.heard().concat().contains("Subject: 1\r\n"));
        let outcomes = outcomes(&output);
        let expected = [("1", "in-doubt"), ("2", "delivered")];
        assert_eq!(told(&outcomes), expected[..2 - attempt]);
    }
}

/// A content that is another one is another message; so is another copy.
#[test]
fn a_file_that_has_changed_is_another_message() {
    let messages = Messages::new(&["1"]);
    for (content, copies, sent) in [
        ("Subject: 1\n\n1\n", "1", 1),
        ("Subject: 1\n\n2\n", "1", 1),
        ("Subject: 1\n\n2\n", "2", 1),
        ("Subject: 1\n\n2\n", "2", 0),
    ] {
        messages.write("1", content);
        let server = Scripted::new(vec![TAKES; sent]);
        let output = run(&server, &messages, &["1"], &["--repeat", copies]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(objects(&output).last().unwrap()["delivered"], sent);
    }
}

/// A file that is named twice is two messages.
#[test]
fn each_mention_of_a_file_is_a_message() {
    let messages = Messages::new(&["1"]);
    let server = Scripted::new([&TAKES[..6], &[("", "421 not now\r\n")]]);
    let output = run(&server, &messages, &["1", "1"], &[]);
    assert_eq!(
        told(&outcomes(&output)),
        [("1", "delivered"), ("1", "not-sent")]
    );
    drop(server);
    let server = Scripted::new([TAKES]);
    let output = run(&server, &messages, &["1", "1"], &[]);
    assert_eq!(told(&outcomes(&output)), [("1", "delivered")]);
}

/// A file that is something else is left alone.
#[test]
fn what_is_no_record_is_not_written_to() {
    let messages = Messages::new(&["1"]);
    for text in [
        "Subject: precious\n\n",
        "precious",
        "{\"id\":1}\nprecious",
        "{}\n",
    ] {
        messages.write("record", text);
        let server = Scripted::new([]);
        let output = run(&server, &messages, &["1"], &[]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("not a record of messages: "), "{error}");
        assert_eq!(messages.read("record"), text);
    }
}
