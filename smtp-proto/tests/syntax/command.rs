//! Commands: what each line is, and how it is written.

use smtp_proto::syntax::{
    AddressLiteral, Argument, AtrnDomains, Attributes, Command, CommandError, CommandErrorKind,
    ForwardPath, ForwardingCommand, Host, InitialResponse, MailParameters, Mailbox, RcptParameters,
    ReversePath, Verb, Word,
};

use super::written;

pub(super) fn parse(line: &str) -> Command<'_> {
    Command::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

pub(super) fn strictly(line: &str) -> Result<Command<'_>, CommandError> {
    Command::parse_strictly(line.as_bytes())
}

pub(super) fn code(line: impl AsRef<[u8]>) -> u16 {
    let line = line.as_ref();
    match Command::parse(line) {
        Ok(command) => panic!("{}: {command:?}", line.escape_ascii()),
        // RFC 5321 4.2.4
        Err(error) if error.kind() == CommandErrorKind::Unrecognised => 500,
        Err(_) => 501,
    }
}

fn mailbox(text: &str) -> Mailbox<'_> {
    Mailbox::parse(text).unwrap()
}

fn mail(text: &str) -> MailParameters<'_> {
    MailParameters::parse(text).unwrap()
}

fn rcpt(text: &str) -> RcptParameters<'_> {
    RcptParameters::parse(text).unwrap()
}

#[test]
fn commands_round_trip() {
    let host = Host::parse("c.example").unwrap();
    let argument = |text| Argument::parse(text).unwrap();
    let word = |text| Word::parse(text).unwrap();
    let attributes = |command, text| Attributes::parse(command, text).unwrap();
    for (line, verb, command) in [
        (
            "EHLO c.example",
            Some(Verb::Ehlo),
            Command::Ehlo(host.clone()),
        ),
        (
            "HELO c.example",
            Some(Verb::Helo),
            Command::Helo(host.clone()),
        ),
        ("LHLO c.example", Some(Verb::Lhlo), Command::Lhlo(host)),
        (
            "MAIL FROM:<>",
            Some(Verb::Mail),
            Command::Mail {
                from: ReversePath::Null,
                parameters: MailParameters::default(),
            },
        ),
        (
            "MAIL FROM:<a@b.example> SMTPUTF8 SIZE=5 BODY=8BITMIME",
            Some(Verb::Mail),
            Command::Mail {
                from: mailbox("a@b.example").into(),
                parameters: mail("SIZE=5 BODY=8BITMIME SMTPUTF8"),
            },
        ),
        (
            "RCPT TO:<Postmaster>",
            Some(Verb::Rcpt),
            Command::Rcpt {
                to: ForwardPath::Postmaster,
                parameters: RcptParameters::default(),
            },
        ),
        (
            "RCPT TO:<\"δ b\"@пример.example> NOTIFY=NEVER",
            Some(Verb::Rcpt),
            Command::Rcpt {
                to: mailbox("\"δ b\"@пример.example").into(),
                parameters: rcpt("NOTIFY=NEVER"),
            },
        ),
        ("DATA", Some(Verb::Data), Command::Data),
        (
            "BDAT 0",
            Some(Verb::Bdat),
            Command::Bdat {
                size: 0,
                last: false,
            },
        ),
        (
            "BDAT 18446744073709551615 LAST",
            Some(Verb::Bdat),
            Command::Bdat {
                size: u64::MAX,
                last: true,
            },
        ),
        ("RSET", Some(Verb::Rset), Command::Rset),
        ("NOOP", Some(Verb::Noop), Command::Noop),
        ("QUIT", Some(Verb::Quit), Command::Quit),
        (
            "VRFY \"Jon Postel\"",
            Some(Verb::Vrfy),
            Command::Vrfy(argument("\"Jon Postel\"")),
        ),
        (
            "EXPN list",
            Some(Verb::Expn),
            Command::Expn(argument("list")),
        ),
        ("HELP", Some(Verb::Help), Command::Help(None)),
        (
            "HELP MAIL",
            Some(Verb::Help),
            Command::Help(Some(argument("MAIL"))),
        ),
        ("STARTTLS", Some(Verb::StartTls), Command::StartTls),
        (
            "AUTH CRAM-MD5",
            Some(Verb::Auth),
            Command::Auth {
                mechanism: word("CRAM-MD5"),
                initial_response: None,
            },
        ),
        (
            "AUTH EXTERNAL =",
            Some(Verb::Auth),
            Command::Auth {
                mechanism: word("EXTERNAL"),
                initial_response: Some(InitialResponse::parse("=").unwrap()),
            },
        ),
        (
            "ETRN @foo.com",
            Some(Verb::Etrn),
            Command::Etrn(word("@foo.com")),
        ),
        ("ATRN", Some(Verb::Atrn), Command::Atrn(None)),
        (
            "ATRN a.example,b.example",
            Some(Verb::Atrn),
            Command::Atrn(AtrnDomains::parse("a.example,b.example").ok()),
        ),
        (
            "BURL imap://x.example/y;uid=1",
            Some(Verb::Burl),
            Command::Burl {
                url: word("imap://x.example/y;uid=1"),
                last: false,
            },
        ),
        (
            "BURL imap://x LAST",
            Some(Verb::Burl),
            Command::Burl {
                url: word("imap://x"),
                last: true,
            },
        ),
        (
            "TURN",
            None,
            Command::Other {
                verb: word("TURN"),
                argument: None,
            },
        ),
        (
            "XCLIENT NAME=a ADDR=192.0.2.1",
            Some(Verb::XClient),
            Command::Forwarding(attributes(
                ForwardingCommand::XClient,
                "NAME=a ADDR=192.0.2.1",
            )),
        ),
        (
            "XFORWARD IDENT=1",
            Some(Verb::XForward),
            Command::Forwarding(attributes(ForwardingCommand::XForward, "IDENT=1")),
        ),
        (
            "XCLIENTS x",
            None,
            Command::Other {
                verb: word("XCLIENTS"),
                argument: Some(argument("x")),
            },
        ),
        (
            "POST / HTTP/1.1",
            None,
            Command::Other {
                verb: word("POST"),
                argument: Some(argument("/ HTTP/1.1")),
            },
        ),
        (
            "MAILX",
            None,
            Command::Other {
                verb: word("MAILX"),
                argument: None,
            },
        ),
        (
            "DATA-X",
            None,
            Command::Other {
                verb: word("DATA-X"),
                argument: None,
            },
        ),
        (
            "STAR",
            None,
            Command::Other {
                verb: word("STAR"),
                argument: None,
            },
        ),
        (
            "A",
            None,
            Command::Other {
                verb: word("A"),
                argument: None,
            },
        ),
    ] {
        assert_eq!(parse(line), command);
        assert_eq!(command.verb(), verb, "{line}");
        assert_eq!(written(|out| command.write_to(out)), format!("{line}\r\n"));
    }
}

/// 5321-2.4-a
#[test]
fn verbs_and_keywords_have_any_case() {
    assert_eq!(
        parse("mAiL fRoM:<a@b.example> bOdY=8bitmime"),
        Command::Mail {
            from: mailbox("a@b.example").into(),
            parameters: mail("BODY=8BITMIME"),
        }
    );
    assert_eq!(parse("rcpt to:<a@b>"), parse("RCPT TO:<a@b>"));
    assert_eq!(
        parse("bdat 7 last"),
        Command::Bdat {
            size: 7,
            last: true
        }
    );
    assert_eq!(parse("startTLS"), Command::StartTls);
    // Bytes that differ from letters in more than the bit of the case are no letters.
    for line in ["-ATA", "D\u{1}TA", "RSE\u{14}"] {
        assert!(!matches!(
            Command::parse(line.as_bytes()).map(|command| command.verb()),
            Ok(Some(_))
        ));
    }
}

/// 5321-4.1.1-a
#[test]
fn white_space_at_the_end_is_dropped() {
    assert_eq!(parse("NOOP  "), Command::Noop);
    assert_eq!(parse("DATA \t "), Command::Data);
    assert_eq!(
        parse("BDAT 3 LAST "),
        Command::Bdat {
            size: 3,
            last: true
        }
    );
    assert_eq!(
        parse("MAIL FROM:<a@b.example> "),
        parse("MAIL FROM:<a@b.example>")
    );
    assert_eq!(parse("HELP "), Command::Help(None));
    assert_eq!(code("   "), 500);
    assert_eq!(code(""), 500);
}

/// 5321-4.1.1.1-a, 5321-4.1.1.1-b, 5321-4.1.2-f, 6531-3.7.1-a
#[test]
fn greetings() {
    assert_eq!(parse("EHLO [IPv6:2001:db8::1]").verb(), Some(Verb::Ehlo));
    assert_eq!(parse("HELO [192.0.2.1]").verb(), Some(Verb::Helo));
    let literal = Command::Ehlo(Host::parse("[192.0.2.1]").unwrap());
    assert_eq!(parse("EHLO [192.0.2.1] laptop"), literal);
    assert_eq!(strictly("EHLO [192.0.2.1] laptop"), Ok(literal));
    for (line, name) in [
        ("EHLO a_b", "a_b"),
        ("EHLO mail.example.org.", "mail.example.org."),
        ("EHLO mail.example.org:25", "mail.example.org:25"),
        ("EHLO -a-.b_c", "-a-.b_c"),
        ("LHLO a..b", "a..b"),
        ("EHLO [2001:db8::1]", "[2001:db8::1]"),
        ("EHLO 2001:db8::1", "2001:db8::1"),
        ("EHLO [192.0.2.1", "[192.0.2.1"),
        ("EHLO John's MacBook Pro (2)", "John's MacBook Pro (2)"),
        ("EHLO Büro-PC", "Büro-PC"),
    ] {
        let (Command::Ehlo(host) | Command::Lhlo(host)) = parse(line) else {
            panic!("{line}");
        };
        assert_eq!((host.as_str(), host.conforms()), (name, false));
        let error = strictly(line).expect_err(line);
        assert_eq!(error.kind(), CommandErrorKind::Argument, "{line}");
        let written = written(|out| Command::Ehlo(host.clone()).write_to(out));
        assert_eq!(written, format!("EHLO {name}\r\n"));
    }
    assert_eq!(parse("EHLO  a.example"), parse("EHLO a.example"));
    assert!(strictly("EHLO  a.example").is_err());
    let Command::Ehlo(host) = parse("EHLO [2001:db8::1]") else {
        panic!("not EHLO");
    };
    let address = AddressLiteral::Ipv6("2001:db8::1".parse().unwrap());
    assert_eq!(host.literal(), Some(address));
    let long = format!("EHLO {}", "a b".repeat(86));
    for line in [
        "EHLO",
        "EHLO ",
        "HELO",
        "EHLO a\tb",
        "EHLO a\u{7f}b",
        "EHLO a\u{85}b",
        "EHLO a\u{202e}b",
        "EHLO a\u{2028}b",
        &long,
    ] {
        assert_eq!(code(line), 501, "{line}");
    }
    assert_eq!(code(b"EHLO B\xfcro"), 501);
}

/// 5321-4.1.2-l, 6531-3.7.4-c
#[test]
fn free_text() {
    let Command::Vrfy(user) = parse("VRFY  \"Jon \\Postel\"") else {
        panic!("not VRFY");
    };
    assert_eq!(
        (user.as_str(), &*user.unquoted()),
        ("\"Jon \\Postel\"", "Jon Postel")
    );
    let Command::Vrfy(user) = parse("VRFY δ SMTPUTF8") else {
        panic!("not VRFY");
    };
    assert_eq!(
        (user.as_str(), &*user.unquoted()),
        ("δ SMTPUTF8", "δ SMTPUTF8")
    );
    for line in [
        "VRFY",
        "EXPN ",
        "AUTH",
        "AUTH PLAIN a b",
        "AUTH PLAIN  a  b",
        "ETRN",
        "ETRN a b",
        "ATRN a,",
        "BURL",
        "BURL x FIRST",
        "BURL x LAST y",
        "XCLIENT",
        "XCLIENT NAME",
        "XFORWARD LOGIN=x",
    ] {
        assert_eq!(code(line), 501, "{line}");
    }
}

/// INJ-1
#[test]
fn no_value_breaks_its_line() {
    for text in [
        "a\rb",
        "a\nb",
        "a\r\nb",
        "a\0b",
        "\r\n",
        "a\u{85}",
        "a\u{2028}",
        " a",
        "a ",
        "",
    ] {
        assert!(Argument::parse(text).is_err(), "{text:?}");
        assert!(Word::parse(text).is_err(), "{text:?}");
        assert!(InitialResponse::parse(text).is_err(), "{text:?}");
        assert!(Host::parse(text).is_err(), "{text:?}");
        assert!(Mailbox::parse(text).is_err(), "{text:?}");
        assert!(Mailbox::new("u", text).is_err(), "{text:?}");
        if !text.is_empty() {
            assert!(MailParameters::parse(text).is_err(), "{text:?}");
            assert!(RcptParameters::parse(text).is_err(), "{text:?}");
        }
    }
}

#[test]
fn credentials_are_not_shown() {
    let command = Command::parse(b"AUTH PLAIN AGFAYgBzZWNyZXQ=").unwrap();
    let shown = format!("{command:?}");
    assert!(!shown.contains("AGFAYg"), "{shown}");
    assert!(shown.contains("PLAIN"), "{shown}");
}
