use smtp_proto::syntax::{
    AddressLiteral, Argument, AtrnDomains, Attributes, Command, CommandError, CommandErrorKind,
    ForwardPath, ForwardingCommand, Host, InitialResponse, MailParameters, Mailbox, ParameterName,
    RcptParameters, ReversePath, SyntaxErrorKind, Verb, Word,
};

use super::written;

fn parse(line: &str) -> Command<'_> {
    Command::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn strictly(line: &str) -> Result<Command<'_>, CommandError> {
    Command::parse_strictly(line.as_bytes())
}

fn code(line: impl AsRef<[u8]>) -> u16 {
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

/// 5321-4.1.1-b, 5321-4.1.1.9-a
#[test]
fn arguments_where_none_belong() {
    for line in ["DATA x", "RSET x", "QUIT now", "STARTTLS x", "DATA\tx"] {
        assert_eq!(code(line), 501, "{line}");
    }
    assert_eq!(parse("NOOP blah blah"), Command::Noop);
    assert_eq!(parse("NOOP ((((("), Command::Noop);
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

/// 5321-3.3-e: what every server takes against the grammar, and what it means.
#[test]
fn what_cannot_be_misread_is_taken() {
    for (line, meant) in [
        ("MAIL FROM: <a@b.example>", "MAIL FROM:<a@b.example>"),
        ("mail  from : <>  SIZE=1", "MAIL FROM:<> SIZE=1"),
        ("MAIL FROM:a@b.example", "MAIL FROM:<a@b.example>"),
        (
            "MAIL FROM:a@b.example BODY=7BIT",
            "MAIL FROM:<a@b.example> BODY=7BIT",
        ),
        (
            "RCPT TO:  <a@b.example>   NOTIFY=NEVER    CONNEG ",
            "RCPT TO:<a@b.example> CONNEG NOTIFY=NEVER",
        ),
        (
            "MAIL FROM: \"a b\"@c.example  SIZE=1",
            "MAIL FROM:<\"a b\"@c.example> SIZE=1",
        ),
        ("RCPT TO : postmaster", "RCPT TO:<Postmaster>"),
        (
            "RCPT TO:Postmaster NOTIFY=NEVER",
            "RCPT TO:<Postmaster> NOTIFY=NEVER",
        ),
        ("RCPT TO:<\"postmaster\">", "RCPT TO:<Postmaster>"),
        ("RCPT TO: bob", "RCPT TO:<bob>"),
        (
            "RCPT TO:<b.o.b> NOTIFY=NEVER",
            "RCPT TO:<b.o.b> NOTIFY=NEVER",
        ),
        (
            "RCPT TO:\"a b\" NOTIFY=NEVER",
            "RCPT TO:<\"a b\"> NOTIFY=NEVER",
        ),
        ("RCPT TO:<a..b@x.example>", "RCPT TO:<a..b@x.example>"),
        ("RCPT TO:<.a.@x.example>", "RCPT TO:<.a.@x.example>"),
        ("RCPT TO:a.@x_y.example.", "RCPT TO:<a.@x_y.example.>"),
        ("RCPT TO:<@a_b.:u@d>", "RCPT TO:<u@d>"),
        ("BDAT  5", "BDAT 5"),
        ("BDAT   5  last", "BDAT 5 LAST"),
        ("AUTH  PLAIN", "AUTH PLAIN"),
        ("AUTH  PLAIN   AGEAYg==", "AUTH PLAIN AGEAYg=="),
        ("ETRN  example.org", "ETRN example.org"),
        ("MAIL\tFROM:<> SIZE=1", "MAIL FROM:<> SIZE=1"),
        (
            "MAIL FROM\t:\t<>\tSIZE=1\t BODY=7BIT",
            "MAIL FROM:<> SIZE=1 BODY=7BIT",
        ),
        ("RCPT TO:\t<a@b.example>", "RCPT TO:<a@b.example>"),
        (
            "RCPT TO:a@b.example\tNOTIFY=NEVER",
            "RCPT TO:<a@b.example> NOTIFY=NEVER",
        ),
        ("RCPT TO:bob\tNOTIFY=NEVER", "RCPT TO:<bob> NOTIFY=NEVER"),
        ("EHLO\ta.example", "EHLO a.example"),
        ("BDAT\t5\tLAST", "BDAT 5 LAST"),
        ("AUTH\tPLAIN\tAGEAYg==", "AUTH PLAIN AGEAYg=="),
        ("VRFY\tbob", "VRFY bob"),
    ] {
        let command = parse(line);
        assert_eq!(written(|out| command.write_to(out)), format!("{meant}\r\n"));
        assert_eq!(parse(meant), command, "{line}");
        assert!(strictly(line).is_err(), "{line}");
    }
    // And nothing else.
    for line in [
        "MAIL FROM:",
        "MAIL FROM: ",
        "MAIL TO:<a@b.example>",
        "MAIL FROM<a@b.example>",
        "MAIL FROM:<a@b.example>SIZE=1",
        "MAIL FROM:<a@b.example SIZE=1",
        "MAIL FROM:a@b.example> SIZE=1",
        "MAIL FROM:<a@b.example>> SIZE=1",
        "MAIL FROM:< a@b.example>",
        "MAIL FROM:a b@c.example",
        "MAIL FROM:a@b@c.example",
        "MAIL FROM:@r:a@b.example",
        "MAIL FROM:<\ta@b.example>",
        "MAIL FROM:<\"a\tb\"@c.example>",
        "MAIL FROM:a\tb@c.example",
        "MAIL FROM:\n<a@b.example>",
        "MAIL \rFROM:<a@b.example>",
        "MAIL FROM:<a@b..example>",
        "MAIL FROM:<a@.b.example>",
        "MAIL FROM:<a@b.example..>",
        "MAIL FROM:<a@>",
        "MAIL FROM:<..@b.example>",
        "MAIL FROM:<a@[2001:db8::1]>",
        "RCPT TO:<>",
        "RCPT TO:a@",
        "RCPT TO:<a",
        "RCPT TO:<a b>",
        "RCPT TO:<@r:a>",
        "RCPT TO:\"a",
        "MAIL FROM:<a>",
        "RCPT TO:postmaster@",
        "RCPT <a@b.example>",
        "DATA now",
        "DATA\tnow",
        "VRFY a\tb",
    ] {
        assert_eq!(code(line), 501, "{line}");
        assert!(strictly(line).is_err(), "{line}");
    }
}

/// 6531-3.3-a: no two addresses look the same but for what cannot be seen.
#[test]
fn invisible_characters_are_refused() {
    for invisible in ["\u{200b}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{202e}"] {
        for address in [
            format!("a{invisible}@b.example"),
            format!("\"a{invisible}\"@b.example"),
            format!("a@{invisible}b.example"),
        ] {
            for line in [
                format!("MAIL FROM:<{address}> SMTPUTF8"),
                format!("RCPT TO:{address}"),
            ] {
                let error = Command::parse(line.as_bytes()).expect_err(&line);
                assert_eq!(error.kind(), CommandErrorKind::Address);
                assert_eq!(error.error().at(), line.find(invisible).unwrap());
            }
        }
    }
    // The joiners make words of some scripts.
    assert!(Command::parse("RCPT TO:<a\u{200c}b@c.example>".as_bytes()).is_ok());
}

/// 5321-4.1.1.2-a, 5321-4.1.2-a, 5321-4.1.2-c, 5321-4.1.2-d, CMD-13, 5321-3.3-e
#[test]
fn malformed_mail_and_rcpt() {
    use CommandErrorKind::{Address, Argument, Parameter};
    for (line, at, kind) in [
        ("MAIL", 4, Argument),
        ("MAIL FROM", 5, Argument),
        ("MAIL FROM:", 10, Address),
        ("MAIL FROM:a@b.example", 10, Address),
        ("MAIL FROM: <a@b.example>", 10, Address),
        ("MAIL FROM:<a@b.example>SIZE=1", 23, Address),
        ("MAIL FROM:<a@b.example>  SIZE=1", 24, Parameter(None)),
        ("MAIL FROM:<a..b@x.example>", 13, Address),
        ("MAIL FROM:<.a@x.example>", 11, Address),
        ("MAIL FROM:<a.@x.example>", 13, Address),
        ("MAIL FROM:<a@x.example.>", 23, Address),
        ("MAIL FROM:<a@b.example> X=", 26, Parameter(None)),
        ("MAIL FROM:<a@b.example> X=a=b", 27, Parameter(None)),
        ("MAIL FROM:<a@b.example> =a", 24, Parameter(None)),
        ("MAIL FROM:<a@b.example> -X=1", 24, Parameter(None)),
        // 1870-6-a
        (
            "MAIL FROM:<a@b.example> SIZE=1 size=2",
            31,
            Parameter(Some(ParameterName::Size)),
        ),
        (
            "MAIL FROM:<a@b.example> X SIZE=x",
            31,
            Parameter(Some(ParameterName::Size)),
        ),
        ("MAIL FROM:<u@a_b.c>", 14, Address),
        ("MAIL FROM:<a", 12, Address),
        ("MAIL TO:<a@b>", 5, Argument),
        ("MAIL\tFROM:<a@b>", 4, Argument),
        ("RCPT TO:<>", 9, Address),
        ("RCPT TO:<u@#1234>", 11, Address),
        ("RCPT TO:<a@b> \u{1}", 14, Parameter(None)),
        (
            "RCPT TO:<a@b> NOTIFY=ALL",
            21,
            Parameter(Some(ParameterName::Notify)),
        ),
        ("RCPT TO: <a@b>", 8, Address),
        ("RCPT FROM:<a@b>", 5, Argument),
    ] {
        let error = strictly(line).expect_err(line);
        assert_eq!((error.error().at(), error.kind()), (at, kind), "{line}");
    }
    assert_eq!(parse("MAIL FROM:<> X Y=a;b").verb(), Some(Verb::Mail));
}

/// CMD-2, CMD-3, CMD-4, 5321-4.1.2-k, 6531-3.2-b, INJ-5, 5321-2.4-g
#[test]
fn bytes_that_no_command_has() {
    for line in [
        &b"RCPT TO:<a\0@x>"[..],
        b"RCPT TO:<a\xc0\xaf@x>",
        b"RCPT TO:<a\xed\xa0\x80@x>",
        b"RCPT TO:<a\xf4\x90\x80\x80@x>",
        b"RCPT TO:<a\xc3@x>",
        "RCPT TO:<a\u{2028}@x>".as_bytes(),
        b"NOOP x\nRSET",
        b"NOOP x\rRSET",
        b"NOOP \xff",
        b"NOOP \x1b[2J",
        b"VRFY a\tb",
        "VRFY a\u{9b}b".as_bytes(),
        b"AUTH PLAIN a\0b",
    ] {
        assert_eq!(code(line), 501, "{}", line.escape_ascii());
    }
    for line in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"X\nRSET",
        b"NOOP\nRSET",
        b"NOOP\rRSET",
        b"DATA\r",
        b"FOO a\rb",
        b"FOO \xff",
        b"\xc3\xa9",
        b"\0",
    ] {
        assert_eq!(code(line), 500, "{}", line.escape_ascii());
    }
    let error = Command::parse(b"NOOP \xff").unwrap_err();
    assert_eq!(
        (error.error().kind(), error.error().at()),
        (SyntaxErrorKind::InvalidUtf8, 5)
    );
}

/// BDT-1
#[test]
fn chunks_without_a_usable_size() {
    for line in [
        "BDAT",
        "BDAT -1",
        "BDAT +5",
        "BDAT 0x10",
        "BDAT 18446744073709551616",
        "BDAT 5 LASTX",
        "BDAT LAST",
        "BDAT  LAST",
        "BDAT\tLAST",
        "BDAT:5",
        "bdat 5\u{b}",
    ] {
        let error = Command::parse(line.as_bytes()).expect_err(line);
        assert_eq!(error.kind(), CommandErrorKind::ChunkSize, "{line}");
        assert_eq!(error.verb(), Some(Verb::Bdat));
    }
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
