//! TLS and authentication between the two programs.

use smtp_proto_test_support::{Pki, SERVER};

use crate::support::{Messages, Receiver, deliver, outcomes};

/// Starts a server with a certificate, and a user.
fn secured(pki: &Pki, messages: &Messages, more: &[&str]) -> Receiver {
    let file = |name| pki.file(name).display().to_string();
    messages.write("secret", "a secret\nnot a part of it\n");
    let (cert, key, secret) = (
        file("server.pem"),
        file("server.key"),
        messages.path("secret"),
    );
    let tls = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--user",
        "u",
        "--password-file",
        &secret,
    ];
    Receiver::start(&[&tls[..], more].concat())
}

fn outcome(receiver: &Receiver, messages: &Messages, more: &[&str]) -> String {
    let one = messages.path("1");
    let output = deliver(&[&["--to", &receiver.address, "--json"], more, &[&one]].concat());
    let outcomes = outcomes(&output);
    outcomes[0].1.clone()
}

/// TLS-14, TLS-15: nobody is believed unproved but where the alternative is clear text.
#[test]
fn servers_are_believed_as_told() {
    let (pki, other, messages) = (Pki::new(), Pki::new(), Messages::new(&["1"]));
    let receiver = secured(&pki, &messages, &[]);
    let file = |pki: &Pki| pki.file("ca.pem").display().to_string();
    let (right, wrong) = (file(&pki), file(&other));
    for (options, expected, keyword) in [
        (
            &["--tls", "required", "--ca", &right, "--server-name", SERVER][..],
            "delivered",
            "ESMTPS",
        ),
        (
            &["--tls", "required", "--ca", &wrong, "--server-name", SERVER],
            "not-sent",
            "",
        ),
        (&["--tls", "required", "--ca", &right], "not-sent", ""),
        (
            &["--tls", "opportunistic", "--server-name", SERVER],
            "delivered",
            "ESMTPS",
        ),
        (&["--tls", "off"], "delivered", "ESMTP"),
    ] {
        let before = receiver.stored().len();
        assert_eq!(
            outcome(&receiver, &messages, options),
            expected,
            "{options:?}"
        );
        let stored = receiver.stored();
        assert_eq!(stored.len() - before, usize::from(expected == "delivered"));
        if let Some(stored) = stored.get(before) {
            assert!(stored.contains(&format!(" with {keyword} id ")), "{stored}");
        }
    }
    drop(receiver);
    let receiver = secured(&pki, &messages, &["--tls-implicit"]);
    let options = ["--tls", "implicit", "--ca", &right, "--server-name", SERVER];
    assert_eq!(outcome(&receiver, &messages, &options), "delivered");
}

/// RFC 6409 4.3: nothing is taken from who does not prove who it is, by whichever mechanism.
#[test]
fn users_prove_who_they_are() {
    let (pki, messages) = (Pki::new(), Messages::new(&["1"]));
    let receiver = secured(&pki, &messages, &["--dialect", "submission"]);
    let ca = pki.file("ca.pem").display().to_string();
    let tls = ["--tls", "required", "--ca", &ca, "--server-name", SERVER];
    assert_eq!(outcome(&receiver, &messages, &tls), "refused");
    let secret = messages.path("secret");
    let login = |auth: &[&str], secret: &str| {
        let user = ["--user", "u", "--password-file", secret];
        outcome(&receiver, &messages, &[&tls, &user[..], auth].concat())
    };
    assert_eq!(login(&[], &secret), "delivered");
    for auth in ["scram-sha-256", "PLAIN", "login", "xoauth2", "oauthbearer"] {
        assert_eq!(login(&["--auth", auth], &secret), "delivered", "{auth}");
        let stored = receiver.stored();
        assert!(
            stored.last().unwrap().contains(" with ESMTPSA id "),
            "{auth}"
        );
    }
    messages.write("wrong", "a guess\n");
    for auth in ["scram-sha-256", "plain"] {
        assert_eq!(
            login(&["--auth", auth], &messages.path("wrong")),
            "not-sent",
            "{auth}"
        );
    }
    // The server offers neither of these.
    for auth in ["scram-sha-1", "external"] {
        assert_eq!(login(&["--auth", auth], &secret), "not-sent", "{auth}");
    }
}
