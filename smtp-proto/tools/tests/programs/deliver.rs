//! How `deliver` gets messages to servers of all sorts.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, ToSocketAddrs as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use smtp_proto_test_support::{DELIVERS, Scripted};

use crate::support::{Messages, Receiver, deliver, objects, outcomes};

#[test]
fn files_become_messages() {
    let receiver = Receiver::start(&[]);
    let messages = Messages::new(&["1", "2"]);
    let (one, two) = (messages.path("1"), messages.path("2"));
    let from_to = [
        "--from",
        "a@x.example",
        "--rcpt",
        "b@y.example",
        "--rcpt",
        "c@y.example",
    ];
    let arguments = [
        "--to",
        &receiver.address,
        "--json",
        "--repeat",
        "2",
        &one,
        &two,
    ];
    let output = deliver(&[&from_to[..], &arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let delivered = ["1", "2", "1", "2"].map(|name| (name.to_owned(), "delivered".to_owned()));
    assert_eq!(outcomes(&output), delivered);
    let told = objects(&output);
    assert_eq!(told[0]["recipients"][1]["address"], "c@y.example");
    assert_eq!(
        told[0]["recipients"][1]["reply"],
        "250 2.0.0 Message accepted"
    );
    assert_eq!(
        (&told[4]["delivered"], &told[4]["connections"]),
        (&4.into(), &1.into())
    );
    let stored = receiver.stored();
    assert_eq!(stored.len(), 4);
    assert!(stored[0].starts_with("Return-Path: <a@x.example>\r\n"));
    assert!(stored[3].ends_with("Subject: 2\r\n\r\nHello.\r\n"));
}

/// 2033-4.2: each recipient has a verdict; and a Unix socket needs no TLS.
#[test]
fn lmtp_through_a_unix_socket() {
    let messages = Messages::new(&["1"]);
    let socket = format!("unix:{}", messages.path("socket"));
    let receiver = Receiver::at(&socket, &["--dialect", "lmtp"]);
    let rcpt = ["--rcpt", "b@y.example", "--rcpt", "c@y.example"];
    let one = messages.path("1");
    let output = deliver(&[&["--to", &socket, "--lmtp", "--json"], &rcpt[..], &[&one]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        objects(&output)[0]["recipients"].as_array().unwrap().len(),
        2
    );
    let stored = receiver.stored();
    assert!(
        stored[0].contains("\tby localhost.localdomain with LMTP id "),
        "{}",
        stored[0]
    );
}

/// Nobody is waited for longer than that, for a connection, a reply, or a verdict.
#[test]
fn a_server_has_so_much_time() {
    let messages = Messages::new(&["1"]);
    let one = messages.path("1");
    let run = |server: &str| {
        let begin = Instant::now();
        let output = deliver(&["--to", server, "--timeout", "0.3", "--json", &one]);
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        outcomes(&output)[0].1.clone()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(run(&silent.local_addr().unwrap().to_string()), "not-sent");
    let undecided = Scripted::new([&[
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250 PIPELINING\r\n"),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "stay"),
    ][..]]);
    assert_eq!(run(&undecided.address.to_string()), "in-doubt");
}

/// 5321-5.1-f: where a name has several addresses, they are tried in turn.
#[test]
fn all_addresses_of_a_name_are_tried() {
    let addresses: Vec<_> = ("localhost", 0).to_socket_addrs().unwrap().collect();
    let last = TcpListener::bind(addresses.last().unwrap()).unwrap();
    let port = last.local_addr().unwrap().port();
    let server = Scripted::on(last, [DELIVERS]);
    let messages = Messages::new(&["1"]);
    let output = deliver(&["--to", &format!("localhost:{port}"), &messages.path("1")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(server.heard()[0].contains("Subject: 1\r\n"));
}

/// A server that takes so many messages a connection, and says so by 421 or beforehand, gets the others
/// over the next one, none twice.
#[test]
fn beyond_a_servers_limit_it_goes_on_by_another_connection() {
    let messages = Messages::new(&["1", "2", "3"]);
    let names = ["1", "2", "3"].map(|name| messages.path(name));
    let ends: &[_] = &[
        ("", "220 x\r\n"),
        ("EHLO", "250 x\r\n"),
        ("MAIL", "250 x\r\n"),
        ("RCPT", "250 x\r\n"),
        ("DATA", "354 x\r\n"),
        (".", "250 taken\r\n"),
        ("MAIL", "421 enough\r\n"),
    ];
    let announces: &[_] = &[
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250 LIMITS MAILMAX=1\r\n"),
        ("MAIL", "250 x\r\n"),
        ("RCPT", "250 x\r\n"),
        ("DATA", "354 x\r\n"),
        (".", "250 taken\r\n"),
        ("QUIT", "221 x\r\n"),
    ];
    for script in [ends, announces] {
        let server = Scripted::new([script; 3]);
        let to = server.address.to_string();
        let output = deliver(&["--to", &to, "--json", &names[0], &names[1], &names[2]]);
        let told = objects(&output);
        assert_eq!(told.last().unwrap()["delivered"], 3, "{output:?}");
        assert_eq!(told.last().unwrap()["connections"], 3);
        assert_eq!(output.status.code(), Some(0));
        for (heard, name) in server.heard().iter().zip(["1", "2", "3"]) {
            assert_eq!(heard.matches("Subject: ").count(), 1, "{heard}");
            assert!(heard.contains(&format!("Subject: {name}\r\n")), "{heard}");
        }
    }
}

/// A server that takes nothing is not asked for ever.
#[test]
fn a_connection_that_leads_nowhere_is_the_last() {
    let messages = Messages::new(&["1"]);
    let server = Scripted::new([&[("", "421 too busy\r\n")][..]]);
    let to = server.address.to_string();
    let output = deliver(&["--to", &to, "--json", &messages.path("1")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = objects(&output);
    assert_eq!(told[0]["outcome"], "not-sent");
    assert!(
        told[0]["recipients"][0]["reply"]
            .as_str()
            .unwrap()
            .contains("421 too busy")
    );
    assert_eq!(told[1]["connections"], 1);
    let refused = Scripted::new([&[
        ("", "220 x\r\n"),
        ("EHLO", "250 x\r\n"),
        ("MAIL", "550 no\r\n"),
        ("QUIT", "221 x\r\n"),
    ][..]]);
    let output = deliver(&["--to", &refused.address.to_string(), &messages.path("1")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("    grace@server.example: refused 550 no\n"),
        "{text}"
    );
}

const KEPT: &str = "250-mx.example.net\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n";

/// PIPECONNECT: what was sent in reliance on an offer that is gone is sent again without it.
#[test]
fn what_relied_on_lost_capabilities_is_sent_again_without_them() {
    let messages = Messages::new(&["1", "2"]);
    messages.write("kept", KEPT);
    let server = Scripted::new([
        &[(
            "DATA",
            "220 x\r\n250-x\r\n250 SIZE\r\n250 x\r\n250 x\r\n354 x\r\n",
        )][..],
        &[
            ("", "220 x\r\n"),
            ("EHLO", "250 x\r\n"),
            ("MAIL", "250 x\r\n"),
            ("RCPT", "250 x\r\n"),
            ("DATA", "354 x\r\n"),
            (".", "250 taken\r\n"),
            ("MAIL", "250 x\r\n"),
            ("RCPT", "250 x\r\n"),
            ("DATA", "354 x\r\n"),
            (".", "250 taken\r\n"),
            ("QUIT", "221 x\r\n"),
        ],
    ]);
    let to = server.address.to_string();
    let (kept, one, two) = (
        messages.path("kept"),
        messages.path("1"),
        messages.path("2"),
    );
    let output = deliver(&["--to", &to, "--capabilities", &kept, "--json", &one, &two]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(messages.read("kept"), "250 127.0.0.1\r\n");
    let heard = server.heard();
    assert!(heard[0].starts_with("EHLO ") && heard[0].contains("\r\nDATA\r\n"));
    assert_eq!(heard[1].matches("Subject: ").count(), 2);
}

#[test]
fn another_failure_changes_nothing_that_is_known() {
    let messages = Messages::new(&["1"]);
    messages.write("kept", KEPT);
    let server = Scripted::new([&[("DATA", "421 x\r\n")][..]]);
    let (kept, one) = (messages.path("kept"), messages.path("1"));
    let output = deliver(&[
        "--to",
        &server.address.to_string(),
        "--capabilities",
        &kept,
        &one,
    ]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(messages.read("kept"), KEPT);
}

/// What is offered now is kept for the next time.
#[test]
fn what_is_offered_is_kept() {
    let receiver = Receiver::start(&["--pipeconnect"]);
    let messages = Messages::new(&["1"]);
    let (kept, one) = (messages.path("kept"), messages.path("1"));
    let run = || {
        let arguments = [
            "--to",
            &receiver.address,
            "--capabilities",
            &kept,
            "--json",
            "--trace",
        ];
        let output = deliver(&[&arguments[..], &[&one]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    assert!(first.contains("-- flight 2\nC: MAIL"), "{first}");
    assert!(messages.read("kept").contains("PIPECONNECT\r\n"));
    // Now nothing is waited for.
    let second = run();
    let flight: String = second.split("-- flight 0\n").nth(1).unwrap().into();
    assert!(
        flight.starts_with("C: EHLO localhost.localdomain\nC: MAIL"),
        "{second}"
    );
}

#[test]
fn without_a_server_it_has_one_of_its_own() {
    let messages = Messages::new(&[]);
    let svg = messages.path("policy.svg");
    let output = deliver(&["--policy", "group", "--rtt", "2", "--svg", &svg]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("\ngroup               6            12          2.00 "),
        "{text}"
    );
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg "));
}

/// Whoever stops reading of it does not stop it from being done.
#[test]
fn nobody_has_to_read_what_became_of_messages() {
    let receiver = Receiver::start(&[]);
    let messages = Messages::new(&["1"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_deliver"))
        .args([
            "--to",
            &receiver.address,
            "--from",
            "a@x.example",
            "--rcpt",
            "b@y.example",
            "--json",
            "--repeat",
            "20",
            &messages.path("1"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.wait().unwrap();
    assert_eq!(receiver.stored().len(), 20);
}

/// A message may come from another program.
#[test]
fn a_message_comes_from_standard_input() {
    let receiver = Receiver::start(&[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_deliver"))
        .args([
            "--to",
            &receiver.address,
            "--from",
            "",
            "--rcpt",
            "b@y",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"Subject: x\n\nHello.\n").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(receiver.stored()[0].ends_with("Subject: x\r\n\r\nHello.\r\n"));
}

#[test]
fn a_file_that_is_missing_is_named() {
    let output = deliver(&["--to", "127.0.0.1:1", "/nowhere/1.eml"]);
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("/nowhere/1.eml: "), "{error}");
    assert_eq!(deliver(&["--policy", "fast"]).status.code(), Some(64));
}
