//! What stands against the grammar of commands: what is taken all the same, and what is refused.

use super::command::{code, parse, strictly};
use super::written;
use smtp_proto::syntax::{Command, CommandErrorKind, ParameterName, SyntaxErrorKind, Verb};

/// 5321-4.1.1-b, 5321-4.1.1.9-a
#[test]
fn arguments_where_none_belong() {
    for line in ["DATA x", "RSET x", "QUIT now", "STARTTLS x", "DATA\tx"] {
        assert_eq!(code(line), 501, "{line}");
    }
    assert_eq!(parse("NOOP blah blah"), Command::Noop);
    assert_eq!(parse("NOOP ((((("), Command::Noop);
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
