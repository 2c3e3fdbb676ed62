use smtp_proto::syntax::{
    AttributeName, Capabilities, Extension, ForwardingCommand, Host, Limits, MAX_CAPABILITIES,
    Reply,
};

use super::written;

fn parse(answer: &[u8]) -> Capabilities {
    Capabilities::parse(&Reply::parse(answer).unwrap())
}

/// 5321-4.1.1.1-e, 5321-4.1.1.1-f, 5321-4.1.1.1-g
#[test]
fn answers_to_ehlo() {
    let capabilities =
        parse(b"250-h hi\t\xe9-free\r\n250-Size 10\r\n250-pipelining\r\n250 X-A b=c d\r\n");
    assert!(capabilities.has(Extension::Size));
    assert!(capabilities.has(Extension::Pipelining));
    assert!(!capabilities.has(Extension::Chunking));
    assert_eq!(capabilities.max_size(), Some(10));
    assert_eq!(capabilities.get("x-a"), Some("b=c d"));
    assert_eq!(capabilities.get("PIPELINING"), Some(""));
    assert_eq!(capabilities.get("X-B"), None);
    let all: Vec<_> = capabilities.iter().collect();
    assert_eq!(all, [("Size", "10"), ("pipelining", ""), ("X-A", "b=c d")]);
    // The first line names the host, whatever it is called.
    assert_eq!(parse(b"250 STARTTLS\r\n"), Capabilities::new());
    assert!(!parse(b"250-PIPELINING\r\n250 HELP\r\n").has(Extension::Pipelining));
}

/// 1870-3-a, REP-11
#[test]
fn announced_sizes() {
    for (line, size) in [
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE 1000", Some(1000)),
        ("SIZE 99999999999999999999", None),
        ("SIZE x", None),
        ("SIZE -1", None),
    ] {
        let capabilities = parse(format!("250-h\r\n250 {line}\r\n").as_bytes());
        assert!(capabilities.has(Extension::Size), "{line}");
        assert_eq!(capabilities.max_size(), size, "{line}");
    }
    let twice = parse(b"250-h\r\n250-SIZE 5\r\n250 SIZE 6\r\n");
    assert_eq!((twice.max_size(), twice.get("SIZE")), (Some(5), Some("5")));
}

/// 4954-3-a, 4954-3-b, 6531-3.1-a
#[test]
fn announced_mechanisms() {
    let capabilities =
        parse(b"250-h\r\n250-AUTH PLAIN LOGIN\r\n250-SMTPUTF8 x\r\n250 AUTH=LOGIN\r\n");
    assert_eq!(capabilities.get("AUTH"), Some("PLAIN LOGIN LOGIN"));
    assert!(capabilities.has(Extension::SmtpUtf8));
    let old = parse(b"250-h\r\n250 auth=LOGIN PLAIN\r\n");
    assert_eq!(old.get("AUTH"), Some("LOGIN PLAIN"));
    assert!(old.has(Extension::Auth));
}

/// 4954-3-a, 4954-3-b, 9422-3.7-a, XCLIENT-a: what several lines announce counts as one list.
#[test]
fn lists_in_several_lines() {
    let all = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        parse(format!("250-h\r\n{lines}250 DSN\r\n").as_bytes())
    };
    for lines in [
        &["AUTH GSSAPI NTLM", "AUTH=LOGIN"][..],
        &["AUTH=GSSAPI", "SIZE 1", "auth NTLM", "AUTH LOGIN"],
        &["AUTH", "AUTH GSSAPI NTLM LOGIN"],
        &["AUTH GSSAPI", "AUTH", "AUTH NTLM LOGIN", "AUTH="],
    ] {
        let capabilities = all(lines);
        assert_eq!(
            capabilities.auth_mechanisms().collect::<Vec<_>>(),
            ["GSSAPI", "NTLM", "LOGIN"],
            "{lines:?}"
        );
        assert_eq!(capabilities.get("AUTH"), Some("GSSAPI NTLM LOGIN"));
        assert!(!capabilities.without(Extension::Auth).has(Extension::Auth));
    }
    // Beyond what a line holds there is another.
    let long: Vec<_> = (100..300)
        .map(|number| format!("AUTH M-{number}"))
        .collect();
    let long = all(&long.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(long.auth_mechanisms().count(), 200);

    let limits = all(&[
        "LIMITS RCPTMAX=20",
        "LIMITS a;b=1",
        "LIMITS MAILMAX=5 RCPTMAX=10",
    ])
    .limits();
    let expected = Limits::default().with_mail_max(5).with_rcpt_max(10);
    assert_eq!(limits, expected);
    assert!(!all(&["LIMITS a;b=1"]).has(Extension::Limits));

    let forwarding = all(&[
        "XCLIENT NAME",
        "XFORWARD HELO",
        "XCLIENT ADDR PORT",
        "XFORWARD NAME",
    ]);
    let attributes = forwarding.attributes(ForwardingCommand::XForward);
    assert_eq!(
        attributes.collect::<Vec<_>>(),
        [AttributeName::Helo, AttributeName::Name]
    );
    let attributes = forwarding.attributes(ForwardingCommand::XClient);
    assert_eq!(
        attributes.collect::<Vec<_>>(),
        [
            AttributeName::Name,
            AttributeName::Addr,
            AttributeName::Port
        ]
    );
}

#[test]
fn malformed_lines_are_ignored() {
    let capabilities = parse(
        b"250-h\r\n250-\r\n250-_X\r\n250--X\r\n250- DSN\r\n250-D\xc3\xa9 x\r\n250-DSN \xff\r\n250-DSN\ta\r\n250 CHUNKING \r\n",
    );
    assert_eq!(capabilities.iter().collect::<Vec<_>>(), [("CHUNKING", "")]);
    assert!(!capabilities.has(Extension::Dsn));
}

/// REP-11
#[test]
fn announcements_are_bounded() {
    let mut answer = b"250-h\r\n".to_vec();
    for number in 0..100_000 {
        answer.extend_from_slice(format!("250-X-{number} a\r\n").as_bytes());
    }
    answer.extend_from_slice(b"250 DSN\r\n");
    let capabilities = parse(&answer);
    let kept: usize = capabilities
        .iter()
        .map(|(keyword, args)| keyword.len() + args.len() + 2)
        .sum();
    assert!(
        kept <= MAX_CAPABILITIES && kept > MAX_CAPABILITIES - 20,
        "{kept}"
    );
    assert_eq!(capabilities.get("X-0"), Some("a"));
}

///
#[test]
fn answers_are_composed() {
    let host = Host::parse("mx.example").unwrap();
    let none = written(|out| Capabilities::new().write_reply(&host, out));
    assert_eq!(none, "250 mx.example\r\n");

    let capabilities = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Pipelining)
        .with(Extension::StartTls)
        .with_size(1000)
        .with_size(2000)
        .with_keyword("AUTH", "PLAIN LOGIN")
        .unwrap()
        .with(Extension::SmtpUtf8) // 6531-3.1-b
        .with(Extension::BinaryMime);
    let answer = written(|out| capabilities.write_reply(&host, out));
    assert_eq!(
        answer,
        "250-mx.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-SIZE 2000\r\n250-AUTH PLAIN LOGIN\r\n\
         250-SMTPUTF8\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250 CHUNKING\r\n"
    );
    assert_eq!(parse(answer.as_bytes()), capabilities);
    assert_eq!(capabilities.max_size(), Some(2000));

    let after_tls = capabilities
        .without(Extension::StartTls)
        .without(Extension::Size);
    assert!(!after_tls.has(Extension::StartTls));
    assert_eq!(
        (after_tls.get("STARTTLS"), after_tls.max_size()),
        (None, None)
    );
    assert_eq!(Capabilities::new().with_size(0).max_size(), None);
    assert_eq!(Capabilities::new().with_size(0).get("SIZE"), Some("0"));
}

/// INJ-1
#[test]
fn announcements_that_cannot_be_composed() {
    for (keyword, arguments) in [
        ("X Y", ""),
        ("", ""),
        ("-X", ""),
        ("X\r\n250", ""),
        ("X", "a\r\n250 b"),
        ("X", "a\nb"),
        ("X", "δ"),
        ("X", &"a".repeat(505)),
    ] {
        assert!(
            Capabilities::new()
                .with_keyword(keyword, arguments)
                .is_err(),
            "{keyword:?}"
        );
    }
    assert!(
        Capabilities::new()
            .with_keyword("X", &"a".repeat(504))
            .is_ok()
    );
}
