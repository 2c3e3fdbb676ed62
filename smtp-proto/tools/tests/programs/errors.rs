//! What is wrong is named, with where it is: an option's file, an address.

use std::{
    io::{self, Write as _},
    net::TcpListener,
    process::Command,
};

use smtp_proto_test_support::Pki;

use crate::support::{Messages, Receiver, deliver};

const PEOPLE: [&str; 4] = ["--from", "a@x.example", "--rcpt", "b@y.example"];

/// Runs a program that cannot do what it is told; returns what it prints, and what it complains of.
fn fails(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{arguments:?} {output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Returns an address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn deliver_names_a_server_that_it_does_not_reach() {
    let (messages, nobody) = (Messages::new(&["1"]), nobody());
    let output = deliver(&["--to", &nobody, &messages.path("1")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let begin = format!("{nobody}: the session failed: no connection: ");
    assert!(said.starts_with(&begin), "{said}");
}

/// Whoever reads neither what is told nor what went wrong still gets the right exit code.
#[test]
fn nobody_has_to_read_what_went_wrong() {
    let (messages, nobody) = (Messages::new(&["1"]), nobody());
    let message = messages.path("1");
    let deliver = [&["--to", &*nobody, &message][..], &PEOPLE].concat();
    for (program, arguments, code) in [
        (env!("CARGO_BIN_EXE_deliver"), &*deliver, 2),
        (env!("CARGO_BIN_EXE_probe"), &[&*nobody], 3),
        (
            env!("CARGO_BIN_EXE_receive"),
            &["--listen", "192.0.2.1:1"],
            3,
        ),
    ] {
        let (_, unread) = io::pipe().unwrap(); // its reader is dropped at once
        let mut command = Command::new(program);
        let command = command.args(arguments).stderr(unread);
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "{program}");
    }
}

/// A server's words are told once, and as they are.
#[test]
fn deliver_tells_what_a_server_says() {
    let (receiver, messages) = (Receiver::start(&[]), Messages::new(&["1"]));
    let output = deliver(&["--lmtp", "--to", &receiver.address, &messages.path("1")]);
    let told = String::from_utf8(output.stdout).unwrap();
    let line = told.lines().nth(1).unwrap();
    assert!(line.contains(" LHLO): 500 5.5.1 "), "{told}");
    assert!(!line.contains('\\') && !line.contains('"'), "{told}");
}

/// What cannot be read is found before anything is sent or told.
#[test]
fn deliver_names_files_that_it_cannot_read() {
    let (receiver, messages) = (Receiver::start(&[]), Messages::new(&["1"]));
    let (one, none) = (messages.path("1"), messages.path("none"));
    let journal = format!("{one}/journal");
    let tls = ["--tls", "required"];
    for options in [
        &["--ca", &none, tls[0], tls[1]][..],
        &["--ca", &one, tls[0], tls[1]],
        &["--user", "u", "--password-file", &none, tls[0], tls[1]],
        &["--resume", &journal],
        &["--capabilities", &journal],
    ] {
        let arguments = [&["--to", &receiver.address], options, &PEOPLE, &[&one]].concat();
        let (told, said) = fails(env!("CARGO_BIN_EXE_deliver"), &arguments);
        let wrong = if options[0] == "--user" {
            options[3]
        } else {
            options[1]
        };
        assert!(
            said.starts_with(&format!("{wrong}: ")),
            "{options:?}: {said}"
        );
        assert_eq!(told, "", "{options:?}");
    }
    assert_eq!(receiver.stored().len(), 0);
}

/// What cannot be written does not keep back what was done.
#[test]
fn deliver_names_files_that_it_cannot_write() {
    let (receiver, messages) = (Receiver::start(&[]), Messages::new(&["1"]));
    let (one, nowhere) = (messages.path("1"), messages.path("none/file"));
    for option in ["--capabilities", "--svg"] {
        let server = ["--to", &receiver.address, option, &nowhere];
        let arguments = [&server, &PEOPLE[..], &[&one]].concat();
        let (told, said) = fails(env!("CARGO_BIN_EXE_deliver"), &arguments);
        assert!(
            said.starts_with(&format!("{nowhere}: ")),
            "{option}: {said}"
        );
        assert!(told.contains("look-ahead          1"), "{option}: {told}");
    }
}

#[test]
fn probe_names_what_is_wrong_on_this_side() {
    let (receiver, messages) = (Receiver::start(&[]), Messages::new(&[]));
    let none = messages.path("none");
    for options in [
        &["--ca", &none][..],
        &["--user", "u", "--password-file", &none],
    ] {
        let arguments = [options, &[&receiver.address]].concat();
        let (told, said) = fails(env!("CARGO_BIN_EXE_probe"), &arguments);
        assert!(said.contains(&format!(" {none}: ")), "{said}");
        assert_eq!(told, "");
    }
}

/// What is no server of SMTP is told by what it says.
#[test]
fn probe_quotes_what_is_no_greeting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-x\r\n").unwrap();
    });
    let (_, said) = fails(env!("CARGO_BIN_EXE_probe"), &[&address]);
    assert!(said.contains(r#": "SSH-2.0-x\r\n""#), "{said}");
    thread.join().unwrap();
}

#[test]
fn receive_names_what_is_wrong() {
    let (pki, other, messages) = (Pki::new(), Pki::new(), Messages::new(&["1"]));
    let file = |pki: &Pki, name| pki.file(name).display().to_string();
    let (certificate, key) = (file(&pki, "server.pem"), file(&other, "server.key"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let below_a_file = messages.path("1/Maildir");
    for (options, named) in [
        (&["--listen", &taken, "--discard"][..], &taken),
        (&["--listen", "::1:x", "--discard"], &"::1:x".to_owned()),
        (
            &["--listen", "127.0.0.1:0", "--maildir", &below_a_file],
            &below_a_file,
        ),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "--discard",
                "--tls-cert",
                &certificate,
                "--tls-key",
                &key,
            ],
            &key,
        ),
    ] {
        let (told, said) = fails(env!("CARGO_BIN_EXE_receive"), options);
        assert!(said.contains(&format!("{named}: ")), "{options:?}: {said}");
        assert_eq!(told, "");
    }
}
