//! `probe` looks at `receive`, and tells `deliver`.

use std::process::{Command, Output};

use smtp_proto_test_support::{Pki, SERVER};

use crate::support::{Messages, Receiver, deliver};

fn probe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probe"))
        .args(["--reply-timeout", "5", "--json"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Returns the verdict of a check.
fn verdict(output: &Output, check: &str) -> String {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap()["verdict"].as_str().unwrap().to_owned()
}

/// What one finds out the other may rely on: it need not wait for what it knows.
#[test]
fn what_it_finds_out_is_for_deliver() {
    let receiver = Receiver::start(&["--pipeconnect"]);
    let messages = Messages::new(&["1"]);
    let known = messages.path("known");
    let output = probe(&["--capabilities", &known, &receiver.address]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (to, one) = (&receiver.address, messages.path("1"));
    let output = deliver(&["--to", to, "--capabilities", &known, "--trace", &one]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("-- flight 0\nC: EHLO localhost.localdomain\nC: MAIL"),
        "{text}"
    );
}

/// 5802-5: it proves who it is to a server that proves the same, and is offered what users are.
#[test]
fn it_logs_in() {
    let (pki, messages) = (Pki::new(), Messages::new(&[]));
    let file = |name| pki.file(name).display().to_string();
    let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    messages.write("secret", "a secret\n");
    let secret = messages.path("secret");
    let user = ["--user", "u", "--password-file", &secret];
    let tls = [
        "--dialect",
        "submission",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ];
    let receiver = Receiver::start(&[&tls[..], &user].concat());
    let trust = ["--ca", &ca, "--server-name", SERVER, &receiver.address];
    let output = probe(&[&trust[..], &user].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(verdict(&output, "login"), "right");
    assert_eq!(verdict(&output, "one-by-one"), "right");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("SCRAM-SHA-256") && text.contains(" is taken; "),
        "{text}"
    );
    // Nobody gets in without.
    assert_eq!(verdict(&probe(&trust), "one-by-one"), "fact");
}

/// A server that has no TLS is not found to be right where TLS was asked for.
#[test]
fn where_there_is_no_session_it_fails() {
    let receiver = Receiver::start(&[]);
    let output = probe(&["--tls", "required", &receiver.address]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(verdict(&output, "one-by-one"), "untested");
}

#[test]
fn it_speaks_lmtp_through_a_unix_socket() {
    let messages = Messages::new(&[]);
    let socket = format!("unix:{}", messages.path("socket"));
    let _receiver = Receiver::at(&socket, &["--dialect", "lmtp"]);
    let consent = ["--deliver-to", "b@y.example", "--from", "a@x.example"];
    let output = probe(&[&["--lmtp", &socket], &consent[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for check in ["hello", "batch", "look-ahead", "end-of-content"] {
        assert_eq!(verdict(&output, check), "right");
    }
}
